"""Every kind of file through the commands: indexed, found again, and refused on one line."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from modeling_clac.search.index import CrystalIndex
from tests.helpers.carriers import CARRIERS, cif_of, write_carrier
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line


@pytest.fixture(scope="module")
def other() -> Structure:
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def slab(tmp_path: Path) -> Path:
    """A structure that is read with a warning."""
    path = tmp_path / "slab.xyz"
    ase.io.write(path, ase.Atoms("Po", cell=[3.3, 3.3, 20.0], pbc=[True, True, False]), format="extxyz")
    return path


@pytest.mark.parametrize("name", CARRIERS)
def test_every_carrier_is_indexed_and_found(
    clac: Run, tmp_path: Path, structure_nacl: Structure, other: Structure, small_checkpoint: Path, name: str
) -> None:
    path = write_carrier(tmp_path, name, structure_nacl)
    (tmp_path / "other.cif").write_text(cif_of(other))
    model = ("--model", small_checkpoint)
    made = clac("index", path, tmp_path / "other.cif", "-o", tmp_path / "index", *model, "--json")
    assert made.code == 0, made.err
    assert (json.loads(made.out)["num_crystals"], json.loads(made.out)["warnings"]) == (2, [])
    found = clac("search", "--like", path, "--index", tmp_path / "index", *model, "--json")
    assert found.code == 0, found.err
    best = json.loads(found.out)["hits"][0]
    assert (best["formula"], best["space_group_number"], best["nsites"]) == ("NaCl", 225, 8)
    assert best["score"] == pytest.approx(1.0, abs=1e-3)
    assert best.get("band_gap") == (1.5 if "band_gap" in best else None)
    # The index keeps the structure, whatever it was read from.
    index = CrystalIndex.load(tmp_path / "index")
    assert index.structure(best["material_id"]).density == pytest.approx(structure_nacl.density, rel=1e-4)


def test_folders_patterns_and_several_structures(
    clac: Run, tmp_path: Path, structure_nacl: Structure, other: Structure, small_checkpoint: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("POSCAR", "a.cif", "a.zip"):
        write_carrier(folder, name, structure_nacl)
    (folder / "notes.txt").write_text("not read")
    (folder / "id_prop.csv").write_text("a,1.0\n")
    frames = [structure_nacl.to_ase_atoms(), other.to_ase_atoms()]
    ase.io.write(folder / "run.xyz", frames, format="extxyz")
    output = ("-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    result = clac("embed", folder, *output)
    assert result.code == 0
    assert result.err == f"clac: {folder}: 3 other files not read (.csv, .txt)\n"
    names = ["POSCAR", "a.cif", "a.zip#folder/a.cif", "run.xyz#1", "run.xyz#2"]
    assert pq.read_table(tmp_path / "o.parquet")["path"].to_pylist() == [str(folder / name) for name in names]
    assert clac("embed", f"{folder}/*.xyz", *output).out.startswith(f"{tmp_path / 'o.parquet'}: 2 crystals")
    assert clac("embed", f"{folder}/run.xyz#2", *output).code == 0
    assert pq.read_table(tmp_path / "o.parquet")["formula"].to_pylist() == ["CsCl"]
    made = clac("index", folder, "-o", tmp_path / "index", "--model", small_checkpoint)
    assert made.code == 0, made.err
    ids = CrystalIndex.load(tmp_path / "index").table["material_id"].to_pylist()
    # The index is not read with the folder that it is written to.
    assert clac("index", folder, "-o", folder / "index", "--model", small_checkpoint).code == 0
    again = clac("index", folder, "-o", folder / "index", "--model", small_checkpoint)
    assert (again.code, len(CrystalIndex.load(folder / "index"))) == (0, 5)
    assert again.err == f"clac: {folder}: 8 other files not read (.csv, .txt, of an index)\n"
    # Names of files that are not unique are replaced by their paths.
    assert ids == ["POSCAR", str(folder / "a.cif"), f"{folder}/a.zip#folder/a.cif", "run.xyz#1", "run.xyz#2"]
    found = clac("search", "--like", f"{folder}/run.xyz", "--index", tmp_path / "index", *output[2:])
    assert_one_line(found, "several structures (1, 2); choose one", "run.xyz#1")
    assert_one_line(clac("embed", f"{folder}/*.vasp", *output), "no file matches this pattern")
    assert_one_line(clac("embed", f"{folder}/run.xyz#3", *output), "no such structure", "found 1, 2")


@pytest.mark.parametrize(
    "name", ["a.cif", "a.cif.gz", "POSCAR", "a.zip", "table.parquet", "table.csv", "pymatgen.json"]
)
def test_standard_input(
    clac: Run,
    tmp_path: Path,
    structure_nacl: Structure,
    small_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    content = write_carrier(tmp_path, name, structure_nacl).read_bytes()
    model = ("--model", small_checkpoint)
    for arguments in (
        ("embed", "-", "-o", tmp_path / "o.parquet", *model),
        ("index", "-", "-o", tmp_path / "index", *model),
        ("search", "--like", "-", "--index", tmp_path / "index", *model),
        ("classify", "-", "--labels", "a,b", *model),
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        result = clac(*arguments)
        assert result.code == 0, result.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert_one_line(clac("embed", "-", "-o", tmp_path / "o.parquet", *model), "standard input: empty")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.cif.gz", b"\x1f\x8b\x08\x00", "damaged gzip file"),
        ("other.json", b'{"alpha": 1}', "no structure in it; found the keys alpha"),
        ("other.csv", b"alpha,beta\n1,2\n", "no column `cif` or `structure`; found alpha, beta"),
        ("rows.csv", b"id,cif\n", "a table without rows"),
        ("empty.csv", b'cif,gap\n"",2\n', "row 1: no structure (the value is missing)"),
        ("gap.csv", f'cif,band_gap\n"{cif()}",wide\n'.encode(), "column band_gap, row 1: 'wide' is not a number"),
        ("other.zip", b"PK\x03\x04", "damaged zip archive"),
        ("vasp4.vasp", b"c\n1\n3 0 0\n0 3 0\n0 0 3\n1\nDirect\n0 0 0\n", "does not name its elements"),
        ("molecule.xyz", b"1\nwater\nO 0 0 0\n", "a molecule"),
        ("data.bin", b"\x89HDF\0", "binary file of an unknown format"),
        ("words.txt", b"some words\n", "format not recognised"),
        ("empty.json", b"", "empty"),
    ],
)
def test_each_refusal_is_one_line_and_nothing_is_written(
    clac: Run, tmp_path: Path, small_checkpoint: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    result = clac("index", path, "-o", tmp_path / "index", "--model", small_checkpoint)
    assert_one_line(result, str(path), reason)
    if "is not a number" not in reason:  # a property, which only an index needs
        embed = clac("embed", path, "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
        assert_one_line(embed, str(path), reason)
    assert [file.name for file in tmp_path.iterdir()] == [name]


# ------------------------------------------------------------------------------------------------- warnings, disorder
def commands(path: Path, folder: Path, model: Path, index: Path) -> dict[str, tuple[Any, ...]]:
    return {
        "embed": ("embed", path, "-o", folder / "o.parquet", "--model", model),
        "index": ("index", path, "-o", folder / "made", "--model", model),
        "classify": ("classify", path, "--labels", "a,b", "--model", model),
        "search": ("search", "--like", path, "--index", index, "--model", model),
        "dedupe": ("dedupe", path, "--model", model),
    }


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, structure_nacl: Structure, small_checkpoint: Path) -> Path:
    from modeling_clac import ClacEmbedder

    directory = tmp_path_factory.mktemp("index") / "index"
    CrystalIndex.build(ClacEmbedder.from_pretrained(small_checkpoint), [structure_nacl]).save(directory)
    return directory


@pytest.mark.parametrize("command", ["embed", "index", "classify", "search", "dedupe"])
def test_warnings_are_printed_once_listed_in_json_and_errors_on_request(
    clac: Run, tmp_path: Path, slab: Path, small_checkpoint: Path, index: Path, command: str
) -> None:
    arguments = commands(slab, tmp_path, small_checkpoint, index)[command]
    doubt = "periodic in 2 directions only (pbc); read as periodic in all three"
    result = clac(*arguments)
    assert result.code == 0, result.err
    assert [line for line in result.err.splitlines() if "warning" in line] == [f"warning: {slab}: {doubt}"]
    document = json.loads(clac(*arguments, "--json").out)
    assert document["warnings"] == [{"structure": str(slab), "warning": doubt}]
    (tmp_path / "o.parquet").unlink(missing_ok=True)
    shutil.rmtree(tmp_path / "made", ignore_errors=True)
    assert_one_line(clac(*arguments, "--strict"), f"{slab}: {doubt}")
    assert [file.name for file in tmp_path.iterdir()] == [slab.name]


@pytest.mark.parametrize("command", ["embed", "index", "classify", "search", "dedupe"])
def test_disorder_is_kept_refused_or_refused_as_unknown(
    clac: Run, tmp_path: Path, small_checkpoint: Path, index: Path, command: str
) -> None:
    path = tmp_path / "mixed.json"
    mixed = Structure(Lattice.cubic(4.0), [{"Na": 0.5, "K": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    path.write_text(mixed.to_json())
    arguments = commands(path, tmp_path, small_checkpoint, index)[command]
    assert clac(*arguments).code == 0
    assert_one_line(clac(*arguments, "--disorder", "refuse"), str(path), "has occupancy 0.5", "--disorder keep")
    assert_one_line(clac(*arguments, "--disorder", "mix"), "--disorder mix: choose keep, refuse or order")


def test_many_warnings_are_counted(clac: Run, tmp_path: Path, slab: Path, small_checkpoint: Path) -> None:
    (tmp_path / "many.xyz").write_text(slab.read_text() * 14)
    result = clac("embed", tmp_path / "many.xyz", "-o", tmp_path / "o.parquet", "--model", small_checkpoint)
    lines = result.err.splitlines()
    assert len(lines) == 11 and lines[-1] == "warning: 4 more structures with warnings; --json lists all"


# ------------------------------------------------------------------------------------------------------ users' tables
def test_a_table_of_a_user_is_normalised(
    clac: Run, tmp_path: Path, structure_nacl: Structure, other: Structure, small_checkpoint: Path
) -> None:
    frame = pd.DataFrame(
        {
            "id": ["x-1", "x-2"],
            "cif": [cif_of(structure_nacl), cif_of(other)],
            "formula": ["ClNa", "CsBr"],
            "elements": ["Cl, Na", "Cs, Cl"],
            "space_group_number": ["225", "221"],
            "density": [2.1, 9.0],
            "crystal_system": ["Cubic", "hexagonal"],
            "band_gap": ["5.0", ""],
            "colour": ["white", None],
        }
    )
    frame["colour"] = frame["colour"].astype("category")
    frame.to_parquet(tmp_path / "own.parquet")
    made = clac("index", tmp_path / "own.parquet", "-o", tmp_path / "index", "--model", small_checkpoint)
    assert made.code == 0, made.err
    assert made.err.splitlines() == [
        f"warning: {tmp_path / 'own.parquet'} row 2: formula is stated as CsBr; the structure has CsCl; density is "
        "stated as 9; the structure has 3.998; crystal_system is stated as hexagonal; the structure has cubic"
    ]
    rows = CrystalIndex.load(tmp_path / "index").table.to_pylist()
    assert [(row["material_id"], row["formula"], row["elements"]) for row in rows] == [
        ("x-1", "NaCl", ["Cl", "Na"]),
        ("x-2", "CsCl", ["Cl", "Cs"]),
    ]
    assert [row["space_group_number"] for row in rows] == [225, 221]
    assert [row["band_gap"] for row in rows] == [5.0, None]
    assert [row["colour"] for row in rows] == ["white", None]
    assert rows[1]["density"] == pytest.approx(other.density, rel=1e-4)
    found = clac(
        "search", "a salt", "--formula", "NaCl", "--index", tmp_path / "index", "--model", small_checkpoint, "--json"
    )
    assert [hit["material_id"] for hit in json.loads(found.out)["hits"]] == ["x-1"]
    strict = clac("index", tmp_path / "own.parquet", "-o", tmp_path / "no", "--model", small_checkpoint, "--strict")
    assert_one_line(strict, "row 2: formula is stated as CsBr")


@pytest.mark.parametrize("ids", [["a", "a"], ["a", None], [None, None]])
def test_ids_that_identify_nothing_are_replaced(
    clac: Run, tmp_path: Path, structure_nacl: Structure, small_checkpoint: Path, ids: list[str | None]
) -> None:
    pd.DataFrame({"material_id": ids, "cif": [cif_of(structure_nacl)] * 2}).to_csv(tmp_path / "own.csv", index=False)
    made = clac("index", tmp_path / "own.csv", "-o", tmp_path / "index", "--model", small_checkpoint)
    assert made.code == 0, made.err
    assert CrystalIndex.load(tmp_path / "index").table["material_id"].to_pylist() == ["own-1", "own-2"]


def test_an_index_of_structures_in_memory(
    structure_nacl: Structure, other: Structure, small_checkpoint: Path, tmp_path: Path
) -> None:
    from modeling_clac import ClacEmbedder

    embedder = ClacEmbedder.from_pretrained(small_checkpoint)
    frame = pd.DataFrame({"id": ["a", "b"], "cif": [cif_of(structure_nacl), cif_of(other)], "band_gap": ["1", "2"]})
    write_carrier(tmp_path, "a.zip", structure_nacl)
    expected = embedder.encode_crystals([structure_nacl, other])
    for source in ([structure_nacl, other.as_dict()], (cif_of(s) for s in (structure_nacl, other)), frame):
        built = CrystalIndex.build(embedder, source)
        np.testing.assert_allclose(built.embeds, expected, atol=1e-5)
        assert built.table["formula"].to_pylist() == ["NaCl", "CsCl"]
    assert built.table["material_id"].to_pylist() == ["a", "b"]
    assert built.table["band_gap"].to_pylist() == [1.0, 2.0]
    assert CrystalIndex.build(embedder, tmp_path).table["formula"].to_pylist() == ["NaCl"]
    skipped = CrystalIndex.build(embedder, [structure_nacl, None, other], on_error="skip").skipped
    assert [place for place, _ in skipped] == [1]
