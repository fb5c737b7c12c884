"""`clac search -o FILE`, and `clac search --like` with ids and files of any kind."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Structure

from modeling_clac.cli import search as search_module
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.search.index import CrystalIndex, bundled_index
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line

SEARCH = ("search", "--like", "mp-149", "-k", "4")


def test_a_table_is_written_in_addition_to_the_printed_one(clac: Run, tmp_path: Path):
    plain = clac(*SEARCH)
    assert plain.code == 0 and "mp-165" in plain.out
    expected = bundled_index().search(bundled_index().embeds[bundled_index().stored.row_of("mp-149")], k=4)
    for name, read in (("hits.csv", pd.read_csv), ("hits.PARQUET", pd.read_parquet)):
        result = clac(*SEARCH, "-o", tmp_path / name)
        assert (result.code, result.out) == (0, plain.out)
        assert result.err.splitlines()[-1] == f"clac: {tmp_path / name}: 4 crystals"
        frame = read(tmp_path / name)
        assert frame["material_id"].tolist() == [hit.record["material_id"] for hit in expected]
        assert (
            frame["bulk_modulus_vrh (GPa)"][0] == pytest.approx(83.01, abs=0.01) and frame["licence"][0] == "CC BY 4.0"
        )
        assert list(frame.columns) == expected.to_arrow().column_names
    assert pq.read_schema(tmp_path / "hits.PARQUET").equals(expected.to_arrow().schema)
    # Nothing else is left, and an existing file is replaced.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hits.PARQUET", "hits.csv"]
    assert clac(*SEARCH[:-1], "1", "-o", tmp_path / "hits.csv").err.endswith("hits.csv: 1 crystal\n")
    assert len(pd.read_csv(tmp_path / "hits.csv")) == 1


def test_the_json_file_is_the_printed_document(clac: Run, tmp_path: Path):
    result = clac(*SEARCH, "--json", "-o", tmp_path / "hits.json")
    document = json.loads(result.out)
    assert json.loads((tmp_path / "hits.json").read_text(encoding="utf-8")) == document
    assert document["like"] == "mp-149" and document["units"]["band_gap"] == "eV"
    first = document["hits"][0]
    assert first["link"].endswith("/mp-149") and first["licence"] == "CC BY 4.0" and first["band_gap"] is None


def test_the_archive_has_a_cif_for_each_hit(clac: Run, tmp_path: Path):
    assert clac(*SEARCH, "-o", tmp_path / "hits.zip").code == 0
    table = bundled_crystals()
    rows = dict(zip(table["material_id"].to_pylist(), table["cif"], strict=True))
    with zipfile.ZipFile(tmp_path / "hits.zip") as archive:
        with archive.open("hits.csv") as file:
            frame = pd.read_csv(file)
        names = [f"{rank}_{name}.cif" for rank, name in zip(frame["rank"], frame["material_id"], strict=True)]
        assert archive.namelist() == ["hits.csv", *names]
        for name, material_id in zip(names, frame["material_id"], strict=True):
            structure = Structure.from_str(archive.read(name).decode(), fmt="cif")
            expected = Structure.from_str(rows[material_id].as_py(), fmt="cif")
            assert structure.composition == expected.composition
            assert structure.density == pytest.approx(expected.density, rel=1e-6)
    first = (tmp_path / "hits.zip").read_bytes()
    clac(*SEARCH, "-o", tmp_path / "hits.zip")
    assert (tmp_path / "hits.zip").read_bytes() == first


def test_no_hits_are_an_empty_table(clac: Run, tmp_path: Path):
    result = clac(*SEARCH, "--density-min", "1000", "-o", tmp_path / "none.csv")
    assert (result.code, result.out) == (0, "") and "no crystal passes the filters" in result.err
    frame = pd.read_csv(tmp_path / "none.csv")
    assert len(frame) == 0 and "band_gap (eV)" in frame.columns


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hits.xlsx", "unknown format; give a file name that ends in .csv, .parquet, .json, .zip"),
        ("hits", "unknown format"),
        ("absent/hits.csv", "its parent directory does not exist"),
        ("folder.csv", "is a directory"),
    ],
)
def test_outputs_are_checked_first(clac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str):
    (tmp_path / "folder.csv").mkdir()

    def too_late(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(search_module, "open_checkpoint", too_late)
    assert_one_line(clac("search", "a salt", "-o", tmp_path / name), str(tmp_path / name), reason)


def test_an_archive_needs_structures(clac: Run, tmp_path: Path):
    index = bundled_index()
    CrystalIndex(index.embeds, index.table, index.model_fingerprint).save(tmp_path / "old")
    result = clac(*SEARCH, "--index", tmp_path / "old", "-o", tmp_path / "hits.zip")
    assert_one_line(result, "old has no structures; rebuild it with `clac index`")
    assert not (tmp_path / "hits.zip").exists()
    assert clac(*SEARCH, "--index", tmp_path / "old", "-o", tmp_path / "hits.csv").code == 0


def test_like_takes_an_id_without_loading_a_model(clac: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search_module, "_load_encoder", None)
    hits = json.loads(clac(*SEARCH, "--json").out)["hits"]
    assert hits[0]["material_id"] == "mp-149" and hits[0]["score"] == pytest.approx(1, abs=1e-6)


def test_a_file_of_that_name_comes_first(clac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("mp-149").write_text(cif())
    hits = json.loads(clac("search", "--like", "mp-149", "-k", "1", "--json").out)["hits"]
    assert hits[0]["formula"] == "NaCl"


def test_a_text_and_an_id_are_combined(clac: Run):
    hits = json.loads(clac("search", "a nitride", "--like", "mp-149", "-k", "3", "--json").out)["hits"]
    assert hits[0]["score"] < 0.99 and any("N" in hit["elements"] for hit in hits)


def test_an_unknown_crystal_is_one_line(clac: Run):
    result = clac("search", "--like", "mp-1499")
    assert_one_line(result, "--like mp-1499: neither a file nor the id of a crystal of the bundled data set", "mp-149")


@pytest.mark.parametrize("name", ["salt.zip#salt.cif", "POSCAR", "salt.cif.gz"])
def test_like_takes_files_of_any_kind(clac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("salt.zip", "w") as archive:
        archive.writestr("salt.cif", cif())
        archive.writestr("other.cif", cif(a="5.7"))
    Path("salt.cif.gz").write_bytes(gzip.compress(cif().encode()))
    Structure.from_str(cif(), fmt="cif").to(filename="POSCAR", fmt="poscar")
    result = clac("search", "--like", name, "-k", "1", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["hits"][0]["formula"] == "NaCl" and document["warnings"] == []
    assert json.loads(clac("show", name, "--json").out)["record"]["formula"] == "NaCl"
