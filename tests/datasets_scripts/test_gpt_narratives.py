"""Test the import of the public narratives with a file of the same schema made from the bundled crystals."""

from __future__ import annotations

import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from pymatgen.core import Structure

from datasets_scripts.gpt_narratives import GptNarrativesArguments, build, read_properties
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import ROOT
from tests.helpers.hub_server import Hub

ROWS = 40


def public_row(record: dict[str, Any], cartesian: bool) -> dict[str, Any]:
    """A bundled crystal with the columns of the public data set."""
    structure = Structure.from_str(record["cif"], fmt="cif")
    coords = structure.cart_coords if cartesian else structure.frac_coords
    gap = "" if record["band_gap"] is None else f" Its band gap is {record['band_gap']:.2f} eV."
    return {
        "atoms": {
            "elements": [site.specie.symbol for site in structure],
            "coords": coords.tolist(),
            "lattice_mat": structure.lattice.matrix.tolist(),
            "cartesian": cartesian,
        },
        "gpt_text": f"{record['formula']} is a crystal of density {record['density']:.2f} g/cm³.{gap}",
        "gpt_explanation": "It may serve\nin devices.",
        "formula": structure.composition.formula,
        "spacegroup": record["space_group_symbol"],
        "band gap (eV)": record["band_gap"],
        "density (g/cm³)": record["density"],
        "energy above hull (eV/atom)": record["energy_above_hull"],
    }


@pytest.fixture(scope="module")
def chosen(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return records[:ROWS]


@pytest.fixture(scope="module")
def public(chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [public_row(record, cartesian=place % 2 == 0) for place, record in enumerate(chosen)]


def write(rows: list[dict[str, Any]], file: Path) -> str:
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=16)
    return str(file)


def rows_of(directory: Path) -> list[dict[str, Any]]:
    rows = [row for file in sorted(directory.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: row["material_id"])


def test_rows_are_imported(public, chosen, tmp_path, capsys) -> None:
    file = write(public, tmp_path / "in.parquet")
    build(GptNarrativesArguments(str(tmp_path / "out"), input=file))
    rows = rows_of(tmp_path / "out")
    assert [row["material_id"] for row in rows] == [f"gpt-narrative-{number:06d}" for number in range(1, ROWS + 1)]
    for row, record, given in zip(rows, chosen, public, strict=True):
        for name in ("formula", "nsites", "space_group_number", "crystal_system", "elements"):
            assert row[name] == record[name]
        for name in ("density", "volume"):
            assert row[name] == pytest.approx(record[name], rel=1e-4)
        assert (row["band_gap"], row["energy_above_hull"]) == (record["band_gap"], record["energy_above_hull"])
        assert row["description"] == given["gpt_text"] and row["applications"] == "It may serve in devices."
        assert row["text"] == f"{row['description']} {row['applications']}"
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["formula"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) == ROWS
    assert "left out" not in capsys.readouterr().out


def spoiled(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    other = deepcopy(row)
    for name, value in changes.items():
        place = other["atoms"] if name in other["atoms"] else other
        place[name] = value
    return other


def test_bad_rows_are_named_and_counted(public, tmp_path, capsys) -> None:
    good, other = public[0], public[2]
    length = len(good["atoms"]["elements"])
    bad = {
        "but the atoms give": spoiled(good, formula=other["formula"]),
        "cannot be read": spoiled(good, formula="!?"),
        "gpt_text is empty": spoiled(good, gpt_text=" "),
        "gpt_explanation is empty": spoiled(good, gpt_explanation=None),
        "positions": spoiled(good, elements=["H"] * (length + 1)),
        "unknown element 'Xx'": spoiled(good, elements=["Xx"] * length),
        "no volume": spoiled(good, lattice_mat=[[1.0, 0.0, 0.0]] * 3, cartesian=False),
        "overlapping atoms": spoiled(good, coords=[[0.0, 0.0, 0.0]] * length) if length > 1 else None,
    }
    rows = [row for row in bad.values() if row is not None]
    file = write([*rows, good], tmp_path / "in.parquet")
    build(GptNarrativesArguments(str(tmp_path / "out"), input=file))
    out = capsys.readouterr().out
    assert len(rows_of(tmp_path / "out")) == 1
    for number, reason in enumerate((name for name, row in bad.items() if row is not None), 1):
        assert any(f"row {number}: " in line and reason in line for line in out.splitlines()), reason
    assert f"| left out | {len(rows)} |" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(ClacInputError, match=r"row 1: formula is .*, but the atoms give"):
        build(GptNarrativesArguments(str(tmp_path / "strict"), input=file, on_error="raise"))
    assert not list((tmp_path / "strict").glob("*.parquet"))


def test_disagreements_are_counted(public, tmp_path, capsys) -> None:
    rows = [
        spoiled(public[0], spacegroup="P1"),
        public[1] | {"density (g/cm³)": public[1]["density (g/cm³)"] * 1.1},
        spoiled(public[2], gpt_text=f"{public[2]['formula']} has a density of 99.9 g/cm³."),
    ]
    build(GptNarrativesArguments(str(tmp_path / "out"), input=write(rows, tmp_path / "in.parquet")))
    out = capsys.readouterr().out
    for counted in (
        "stated space group differs from",
        "stated density differs from",
        "statements that the record does not support",
    ):
        assert any(counted in line and line.endswith(": 1") for line in out.splitlines()), counted


def test_duplicate_ids_are_skipped(public, tmp_path, capsys) -> None:
    rows = [row | {"jid": f"JVASP-{min(place, 1)}"} for place, row in enumerate(public[:3])]
    build(GptNarrativesArguments(str(tmp_path / "out"), input=write(rows, tmp_path / "in.parquet")))
    assert [row["material_id"] for row in rows_of(tmp_path / "out")] == ["JVASP-0", "JVASP-1"]
    assert "row 3: duplicate jid JVASP-1 (first seen in" in capsys.readouterr().out


@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_shards_are_the_bytes_of_one_process(public, tmp_path, monkeypatch, executor) -> None:
    """Shards are built one by one, in two processes, or on Ray Data with two workers."""
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")  # as in the processes of the command
    if executor == "ray":
        ray = pytest.importorskip("ray", reason="needs ray[data]")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    file = write(public, tmp_path / "in.parquet")
    for shard in (1, 0, 2):
        build(GptNarrativesArguments(str(tmp_path / "parts"), input=file, num_shards=3, shard=shard))
    build(GptNarrativesArguments(str(tmp_path / "whole"), input=file, num_shards=3, executor=executor, workers=2))
    if executor == "ray":
        assert ray.cluster_resources()["CPU"] == 2
        ray.shutdown()
    files = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert "README.md" in files and files == sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert all((tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes() for name in files)


def test_from_the_hub(public, tmp_path) -> None:
    with Hub().run() as hub:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = kept | hub.environment(str(tmp_path / "home"), "hf_test")
        write(public, tmp_path / "train.parquet")
        code = (
            "from huggingface_hub import HfApi; api = HfApi(); api.create_repo('me/public', repo_type='dataset')\n"
            f"api.upload_file(path_or_fileobj={str(tmp_path / 'train.parquet')!r}, path_in_repo='data/train.parquet', "
            "repo_id='me/public', repo_type='dataset')"
        )
        command = [sys.executable, "-m", "datasets_scripts.gpt_narratives", "--output_dir", str(tmp_path / "out")]
        for words in ([sys.executable, "-c", code], [*command, "--input", "me/public"]):
            done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
        assert len(rows_of(tmp_path / "out")) == ROWS
        missing = subprocess.run(
            [*command, "--input", "me/nothing"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert missing.returncode == 2 and missing.stderr.count("\n") == 1 and "me/nothing" in missing.stderr


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("band gap (eV)", 1.5, {"band_gap": 1.5}),
        ("Bulk Modulus (GPa)", 80, {"bulk_modulus_vrh": 80.0}),
        ("band gap (meV)", 1500.0, {}),  # another unit is not taken for ours
        ("formation energy (eV/atom)", -1.0, {"formation_energy_per_atom": -1.0}),
        ("formation_energy_per_atom", -1.0, {}),  # without a unit it could be anything
        ("refractive index", float("nan"), {}),
        ("colour", "red", {}),
    ],
)
def test_columns_by_name_and_unit(name: str, value: Any, expected: dict[str, float]) -> None:
    assert read_properties({name: value})[0] == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "nowhere.parquet"}, "nowhere.parquet: no such file"),
        ({"shard": 3}, "--shard 3"),
        ({"workers": 0}, "--workers 0"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"limit": -1}, "--limit -1"),
    ],
)
def test_bad_arguments_are_one_line(public, tmp_path, changes, message) -> None:
    given = {"input": write(public[:2], tmp_path / "in.parquet")} | changes
    with pytest.raises(ClacInputError) as caught:
        build(GptNarrativesArguments(str(tmp_path / "out"), **given))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_missing_columns_are_one_line(public, tmp_path) -> None:
    rows = [{name: value for name, value in row.items() if name != "atoms"} for row in public[:2]]
    with pytest.raises(ClacInputError, match="missing columns atoms"):
        build(GptNarrativesArguments(str(tmp_path / "out"), input=write(rows, tmp_path / "in.parquet")))
