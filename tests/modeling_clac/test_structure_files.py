"""Structures of files in every format: each is read right, or refused on one line that says why."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import ase
import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacEmbedder, ClacInputError, InvalidStructureError, ReadingOptions, read_structures
from modeling_clac import structure_sources_clac as sources
from modeling_clac.cif_clac import NamedCrystal
from modeling_clac.crystal_clac import Crystal, neighbor_pairs
from modeling_clac.data.structure_writing import to_pymatgen
from modeling_clac.structures_clac import parse_each, parse_structure
from tests.helpers.carriers import CARRIERS, cif_of, extxyz_of, optimade_of, poscar_of, write_carrier, zipped


@pytest.fixture(scope="module")
def embedder(small_checkpoint: Path) -> ClacEmbedder:
    return ClacEmbedder.from_pretrained(small_checkpoint, device="cpu")


@pytest.fixture(scope="module")
def structure_batio3() -> Structure:
    lattice = Lattice.from_parameters(3.90, 3.93, 4.04, 90.3, 89.6, 91.1)
    fractional = [[0.01, 0.01, 0.01], [0.5, 0.52, 0.5], [0.5, 0.5, 0.03], [0.5, 0.03, 0.47], [0.02, 0.5, 0.5]]
    return Structure(lattice, ["Ba", "Ti", "O", "O", "O"], fractional)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def assert_same(crystal: Crystal, structure: Structure) -> None:
    """Assert the same composition, density and pair distances."""
    assert isinstance(crystal, Crystal), crystal
    assert to_pymatgen(crystal).composition.almost_equals(structure.composition)
    assert crystal.density == pytest.approx(structure.density, rel=1e-5)
    own = np.sort(neighbor_pairs(crystal, 5.0)[3])
    theirs = np.sort(structure.get_neighbor_list(5.0)[3])
    number = min(len(own), len(theirs))
    np.testing.assert_allclose(own[:number], theirs[:number], atol=1e-4)
    # Rounding may move pairs across the radius.
    assert all(distance > 4.9999 for distance in (*own[number:], *theirs[number:]))


# ------------------------------------------------------------------------------------------------------- every carrier
@pytest.mark.parametrize("name", CARRIERS)
def test_every_carrier_holds_the_crystal(tmp_path: Path, structure_batio3: Structure, name: str) -> None:
    path = write_carrier(tmp_path, name, structure_batio3)
    (found,) = read_structures(path)
    assert found.name.startswith(str(path))
    assert_same(found.crystal, structure_batio3)
    assert_same(parse_structure(str(path)), structure_batio3)
    (again,) = read_structures(path.read_bytes())
    assert_same(again.crystal, structure_batio3)
    with path.open("rb") as opened:
        (again,) = read_structures(opened)
    assert_same(again.crystal, structure_batio3)


def test_every_carrier_gives_the_same_vector(
    tmp_path: Path, structure_batio3: Structure, embedder: ClacEmbedder
) -> None:
    paths = [write_carrier(tmp_path, name, structure_batio3) for name in CARRIERS if name != "a.CIF"]
    expected = embedder.encode_crystals(structure_batio3)
    embeds = embedder.encode_crystals(paths)
    assert embeds.shape == (len(paths), 24)
    np.testing.assert_allclose(embeds, np.repeat(expected, len(paths), axis=0), atol=1e-5)
    with pytest.warns(UserWarning, match="other files not read"):
        folder = embedder.encode_crystals(tmp_path)  # the files known by their names
    assert len(folder) == len([path for path in paths if path.suffix not in (".txt", ".dat", ".out", ".bin")])


@pytest.mark.parametrize("kind", ["text", "bytes", "file", "mapping", "row"])
@pytest.mark.parametrize("form", ["cif", "poscar", "extxyz", "pymatgen", "optimade"])
def test_the_content_of_a_file(structure_batio3: Structure, kind: str, form: str) -> None:
    value: Any = {
        "cif": cif_of(structure_batio3),
        "poscar": poscar_of(structure_batio3),
        "extxyz": extxyz_of(structure_batio3),
        "pymatgen": structure_batio3.as_dict(),
        "optimade": optimade_of(structure_batio3),
    }[form]
    text = value if isinstance(value, str) else json.dumps(value)
    if kind == "mapping" and isinstance(value, str):
        value = {"cif": value}
    given_: Any = {
        "text": text,
        "bytes": text.encode(),
        "file": io.StringIO(text),
        "mapping": value,
        "row": {"id": 7, "structure": text},
    }[kind]
    assert_same(parse_structure(given_), structure_batio3)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    lengths = [draw(st.floats(9.0, 14.0)) for _ in range(3)]
    angles = [draw(st.floats(70.0, 110.0)) for _ in range(3)]
    symbols = draw(st.lists(st.sampled_from(["H", "Li", "O", "F", "Fe", "U"]), min_size=1, max_size=3))
    # On a grid, so that no two atoms overlap.
    places = st.tuples(*[st.integers(0, 2)] * 3)
    grid = draw(st.lists(places, min_size=len(symbols), max_size=len(symbols), unique=True))
    shift = [draw(st.floats(0.0, 0.3)) for _ in range(3)]
    return Structure(Lattice.from_parameters(*lengths, *angles), symbols, (np.array(grid) + shift) / 3)


@given(structure=structures())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trips(tmp_path: Path, structure: Structure) -> None:
    for name in ("a.cif", "POSCAR", "a.extxyz.gz", "pymatgen.json", "response.json", "dicts.parquet", "table.csv"):
        (found,) = read_structures(write_carrier(tmp_path, name, structure))
        assert_same(found.crystal, structure)


# ------------------------------------------------------------------------------------------------------ several in one
@pytest.fixture
def copper_and_silver() -> list[Structure]:
    return [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [symbol], [[0, 0, 0]])
        for symbol, a in (("Cu", 3.61), ("Ag", 4.09))
    ]


def two_in_a_file(folder: Path, kind: str, pair: list[Structure]) -> Path:
    cifs = [cif_of(structure).replace("data_", "data_block_") for structure in pair]
    return {
        "cif": lambda: write(folder, "two.cif", "\n".join(cifs)),
        "xyz": lambda: write(folder, "two.xyz", extxyz_of(*pair)),
        "json": lambda: write(folder, "two.json", json.dumps({s.reduced_formula: s.as_dict() for s in pair})),
        "csv": lambda: write(folder, "two.csv", pd.DataFrame({"id": ["Cu", "Ag"], "cif": cifs}).to_csv(index=False)),
        "zip": lambda: write(folder, "two.zip", zipped(**{"Cu.cif": cifs[0], "Ag.cif": cifs[1]})),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "names", "selector"),
    [
        ("cif", ["#block_Cu", "#block_Ag"], "block_Ag"),
        ("xyz", ["#1", "#2"], "2"),
        ("json", ["#Cu", "#Ag"], "Ag"),
        ("csv", [" row 1", " row 2"], "Ag"),
        ("zip", ["#Cu.cif", "#Ag.cif"], "Ag.cif"),
    ],
)
def test_several_structures_in_a_file(
    tmp_path: Path,
    embedder: ClacEmbedder,
    copper_and_silver: list[Structure],
    kind: str,
    names: list[str],
    selector: str,
) -> None:
    path = two_in_a_file(tmp_path, kind, copper_and_silver)
    found = list(read_structures(path))
    assert [name for name, _ in found] == [f"{path}{name}" for name in names]
    for (_, crystal), structure in zip(found, copper_and_silver, strict=True):
        assert_same(crystal, structure)
    expected = embedder.encode_crystals(copper_and_silver)
    # A path alone has a row for each structure; in a list, each item has one.
    for several in (path, str(path), read_structures(path), read_structures([path])):
        np.testing.assert_allclose(embedder.encode_crystals(several), expected, atol=1e-5)
    with pytest.raises(InvalidStructureError, match=r"several structures .*; choose one by name or number") as error:
        embedder.encode_crystals([path])
    assert "\n" not in str(error.value) and str(error.value).startswith(f"{path}: ")
    for source in (f"{path}#{selector}", f"{path}#2"):
        np.testing.assert_allclose(embedder.encode_crystals([source]), expected[1:], atol=1e-5)
    for missing in ("Au", "0", "3", "2" * 5_000):
        with pytest.raises(InvalidStructureError, match=r"no such|no file with structures"):
            parse_structure(f"{path}#{missing}")


def test_one_bad_structure_does_not_hide_the_others(
    tmp_path: Path, copper_and_silver: list[Structure], embedder: ClacEmbedder
) -> None:
    cifs = [cif_of(structure) for structure in copper_and_silver]
    table = write(tmp_path, "t.csv", pd.DataFrame({"cif": [cifs[0], None, cifs[1], "x.cif"]}).to_csv(index=False))
    lines = [json.dumps({"cif": cifs[0]}), "{", json.dumps({"cif": cifs[1]})]
    records = write(tmp_path, "t.jsonl", "\n".join(lines))
    frames = extxyz_of(copper_and_silver[0]) + "1\nno lattice\nAg 0 0 0\n" + extxyz_of(copper_and_silver[1])
    for path, bad in ((table, [1, 3]), (records, [1]), (write(tmp_path, "t.xyz", frames), [1])):
        found = [crystal for _, crystal in read_structures(path)]
        assert [place for place, crystal in enumerate(found) if isinstance(crystal, InvalidStructureError)] == bad
        embeds, skipped = embedder.encode_crystals(path, on_error="skip", return_skipped=True)
        assert len(embeds) == 2 and [place for place, _ in skipped] == bad
        np.testing.assert_allclose(embeds, embedder.encode_crystals(copper_and_silver), atol=1e-5)


# --------------------------------------------------------------------------------------------- folders, patterns, text
def test_folders_and_patterns(tmp_path: Path, structure_batio3: Structure) -> None:
    for name in ("b/POSCAR", "a.cif", "b/c.xyz", "b/.hidden.cif", ".git/x.cif", "notes.txt", "b/run.sh"):
        content = {"POSCAR": poscar_of, "xyz": extxyz_of}.get(name.rpartition(".")[2].rpartition("/")[2], cif_of)
        write(tmp_path, name, content(structure_batio3))
    # Files next to structures that hold something else, as in data sets for graph networks.
    write(tmp_path, "atom_init.json", json.dumps({"1": [0, 1]}))
    write(tmp_path, "id_prop.csv", "a,1.0\nb,2.0\n")
    with pytest.warns(UserWarning, match=r"6 other files not read \(\.csv, \.json, \.sh, \.txt, hidden\)"):
        found = list(read_structures(tmp_path))
    assert [Path(name).relative_to(tmp_path).as_posix() for name, _ in found] == ["a.cif", "b/POSCAR", "b/c.xyz"]
    assert [name for name, _ in read_structures(f"{tmp_path}/**/*.xyz")] == [str(tmp_path / "b" / "c.xyz")]
    assert len(list(read_structures([tmp_path / "a.cif", f"{tmp_path}/*.cif"]))) == 2
    (tmp_path / "none").mkdir()
    for missing in (f"{tmp_path}/*.vasp", tmp_path / "none"):
        with pytest.raises(InvalidStructureError, match=r"no file (matches|with structures found)"):
            list(read_structures(missing))
    with pytest.raises(InvalidStructureError, match=r"id_prop\.csv: no column `cif` or `structure`; found a, 1\.0"):
        parse_structure(tmp_path / "id_prop.csv")


def test_paths_that_look_like_text(
    tmp_path: Path, structure_batio3: Structure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data_1.cif", "data_mine/a.cif", "[x].cif", "{y}.cif", "a#b.cif"):
        write(tmp_path, name, cif_of(structure_batio3))
        assert_same(parse_structure(name), structure_batio3)
    (found,) = read_structures("data_mine")
    assert found.name == "data_mine/a.cif"
    with pytest.raises(InvalidStructureError, match="no atoms"):
        parse_structure("data_nowhere.cif")
    with pytest.raises(InvalidStructureError, match="empty"):
        parse_structure("")


def test_isotopes_of_extended_xyz() -> None:
    crystal = parse_structure('2\nLattice="4 0 0 0 4 0 0 0 4"\nD 0 0 0\nLi 2 2 2\n')
    assert crystal.atomic_numbers.tolist() == [1, 3]


def test_errors_name_a_file_as_the_user_does(tmp_path: Path, embedder: ClacEmbedder) -> None:
    path = write(tmp_path, "a.cif", "data_x\n")
    with pytest.raises(InvalidStructureError, match=r"^my crystal: no atoms"):
        embedder.encode_crystals([path], names=["my crystal"])
    with pytest.raises(InvalidStructureError) as error:
        embedder.encode_crystals([path])
    assert str(error.value).startswith(f"{path}: no atoms")


@pytest.mark.parametrize("scale", ["2.0", "-216.0"])
@pytest.mark.parametrize("form", ["direct", "cartesian", "selective", "names at the end", "velocities"])
def test_dialects_of_poscar(scale: str, form: str) -> None:
    """A cubic cell of 6 Å, scaled by a factor or by its volume."""
    head = f"comment\n{scale}\n3 0 0\n0 3 0\n0 0 3\n"
    text = {
        "direct": "Na_pv/0a1b Cl\n1 1\nDirect\n0 0 0 Na\n.5 .5 .5 Cl\n",
        "cartesian": "Na Cl\n1 1\nCartesian\n0 0 0\n1.5 1.5 1.5\n",
        "selective": "Na Cl\n1 1\nSelective dynamics\nDirect\n0 0 0 T T F\n.5 .5 .5 F F F\n",
        "names at the end": "1 1\nDirect\n0 0 0 Na\n.5 .5 .5 Cl\n",
        "velocities": "Na Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n\n0.1 0.1 0.1\n0.2 0.2 0.2\n",
    }[form]
    crystal = parse_structure(head + text)
    assert crystal.atomic_numbers.tolist() == [11, 17]
    np.testing.assert_allclose(crystal.cell, np.eye(3) * 6.0, atol=1e-9)
    np.testing.assert_allclose(crystal.positions, [[0] * 3, [3.0] * 3], atol=1e-9)


# ------------------------------------------------------------------------------------------------------------ refusals
POSCAR_4 = "c\n1\n3 0 0\n0 3 0\n0 0 3\n1\nDirect\n0 0 0\n"
MOLECULE = "2\nwater\nH 0 0 0\nO 0 0 1\n"
DICT = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]]).as_dict()
SPECIES = [{"name": "X", "chemical_symbols": ["X"], "concentration": [1.0]}]


def tarred(name: str, text: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def optimade(**changes: Any) -> str:
    entry = optimade_of(Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]]))
    return json.dumps({**entry, "attributes": {**entry["attributes"], **changes}})


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty.json": ("", "empty"),
    "a.cif.bz2": (bz2.compress(b"data_x\n"), "packed with bzip2; unpack it, or use gzip or zip"),
    "a.tar.gz": (gzip.compress(tarred("a.cif", "data_x\n")), "packed with tar"),
    "a.pkl": (pickle.dumps(DICT), "binary file"),
    "blank.POSCAR": ("\n\n", "empty"),
    "empty.csv.gz": (gzip.compress(b""), "empty"),
    "binary.dat": (b"\x89HDF\r\n\0\0", "binary file of an unknown format"),
    "prose.txt": ("just some words\nin two lines\n", "format not recognised; name the file by its format"),
    "cut.cif.gz": (gzip.compress(b"data_x" * 99)[:-20], "damaged gzip file"),
    "plain.cif.gz": ("data_x\n", "not a gzip file"),
    "plain.zip": ("data_x\n", "not a zip archive"),
    "cut.zip": (zipped(**{"a.cif": "data_x\n"})[:-30], "damaged zip archive"),
    "none.zip": (zipped(**{"a.txt": "data_x\n"}), "no file with structures found"),
    "wrong.json": ('{"a": ', "not JSON"),
    "other.json": ('{"alpha": 1, "beta": 2}', "no structure in it; found the keys alpha, beta"),
    "numbers.json": ("[1, 2]", "no structure in it; found int"),
    "nothing.json": ("[]", r"no structure in it; found \[\]"),
    "rows.csv": ("id,cif\n", "a table without rows"),
    "molecule.json": (json.dumps({"@class": "Molecule", "sites": []}), "a molecule without a cell"),
    "sites.json": (json.dumps({**DICT, "sites": [{"abc": [0, 0, 0]}]}), "not a valid Structure.*'species' missing"),
    "lattice.json": (json.dumps({**DICT, "lattice": {}}), "not a valid Structure.as_dict"),
    "no-sites.json": (json.dumps({**DICT, "sites": []}), "no atoms|not a valid"),
    "partial.json": (json.dumps({"atomic_numbers": [1], "positions": [[0, 0, 0]]}), "no structure in it|cell missing"),
    "misnamed.json": (
        json.dumps({"atomic_numbers": [3], "positions": [[0, 0, 0]], "cell": np.eye(3).tolist(), "occupancies": [0.5]}),
        "key `occupancies` not understood; name occupancies `occupancy`",
    ),
    "columns.csv": ("name,band gap\na,1\n", "no column `cif` or `structure`; found name, band gap"),
    "type.csv": ("cif,x\n1,2\n", "column `cif` has type int64"),
    "names.csv": ("cif,x\na.cif,2\n", "row 1: expected the text of a CIF or a structure as JSON, found 'a.cif'"),
    "missing.csv": ('cif,x\n"",2\n', r"row 1: no structure \(the value is missing\)"),
    "nan.csv": ("cif,x\nNaN,2\n", r"row 1: no structure \(the value is missing\)"),
    "ragged.csv": ("cif,x\na,b,c\n", "cannot be read as CSV"),
    "bad.jsonl": ("{\n{\n", "line 1: not JSON"),
    "other.jsonl": ('{"a": 1}\n{"a": 2}\n', "no structure in it; found the keys a"),
    "bad.parquet": (b"PAR1", "cannot be read as parquet"),
    "vasp4.vasp": (POSCAR_4, "does not name its elements"),
    "cut.vasp": ("c\n1\n3 0 0\n0 3 0\n0 0 3\nPo\n2\nDirect\n0 0 0\n", "cannot be read as a POSCAR"),
    "more.vasp": ("c\n1\n3 0 0\n0 3 0\n0 0 3\nPo\n1\nDirect\n0 0 0\n.5 .5 .5\n", "more coordinates than the 1 atoms"),
    "element.vasp": ("c\n1\n3 0 0\n0 3 0\n0 0 3\nXx\n1\nDirect\n0 0 0\n", "unknown element 'X"),
    "molecule.xyz": (MOLECULE, "a molecule"),
    "cut.xyz": ("3\nLattice=\"3 0 0 0 3 0 0 0 3\"\nPo 0 0 0\n", "3 atoms stated in line 1, 1 found"),
    "more.xyz": ('1\nLattice="3 0 0 0 3 0 0 0 3"\nPo 0 0 0\nPo 1 1 1\n', "more lines than the 1 atoms stated"),
    "count.xyz": ("Po\nLattice\n", "expected the number of atoms in line 1, found 'Po'"),
    "element.xyz": ('1\nLattice="3 0 0 0 3 0 0 0 3"\nXx 0 0 0\n', "unknown element"),
    "flat.xyz": ('1\nLattice="0 0 0 0 0 0 0 0 0"\nPo 0 0 0\n', "no cell"),
    "surface.json": (optimade(dimension_types=[1, 1, 0]), r"three dimensions \(dimension_types \[1, 1, 0"),
    "positions.json": (optimade(cartesian_site_positions=None), "no structure|no atomic positions"),
    "count.json": (optimade(nsites=4), r"atomic positions are incomplete \(1 positions of 4 sites"),
    "species.json": (optimade(species=SPECIES, species_at_sites=["X"]), "unknown element .*'X'"),
    "assemblies.json": (optimade(structure_features=["assemblies"]), "assemblies cannot be described"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_each_refusal_is_one_line_with_the_reason(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    path = write(tmp_path, name, content)
    with pytest.raises(InvalidStructureError, match=reason) as error:
        parse_structure(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@given(name=st.sampled_from(sorted(CARRIERS)), data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_errors_and_never_tracebacks(
    tmp_path: Path, structure_nacl: Structure, name: str, data: st.DataObject
) -> None:
    path = write_carrier(tmp_path, name, structure_nacl)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    match data.draw(st.sampled_from(["cut", "change", "remove"])):
        case "cut":
            del content[place:]
        case "change":
            content[place] = data.draw(st.integers(0, 255))
        case "remove":
            del content[place : place + data.draw(st.integers(1, 40))]
    path.write_bytes(content)
    try:
        found = list(read_structures(path))
    except InvalidStructureError as error:  # an archive without files with structures
        found = [NamedCrystal("", error)]
    for _, crystal in found:
        if isinstance(crystal, InvalidStructureError):
            assert str(crystal).startswith(str(path)) and "\n" not in str(crystal)


def test_archives_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, structure_batio3: Structure) -> None:
    bomb = write(tmp_path, "bomb.cif.gz", gzip.compress(b"#" * 100_000))
    archive = write(tmp_path, "bomb.zip", zipped(**{"a.cif": "#" * 100_000}))
    many = write(tmp_path, "many.zip", zipped(**{f"{i}.cif": "x" for i in range(30)}))
    monkeypatch.setattr(sources, "MAX_BYTES", 10_000)
    monkeypatch.setattr(sources, "_MAX_MEMBERS", 20)
    for path, reason in ((bomb, "when decompressed"), (archive, "when decompressed"), (many, "30 files .* exceed")):
        with pytest.raises(InvalidStructureError, match=reason) as error:
            parse_structure(path)
        assert str(error.value).startswith(str(path))
    # Nothing is written to disk, wherever a member claims to belong.
    outside = write(tmp_path, "inside/evil.zip", zipped(**{"../../evil.cif": cif_of(structure_batio3)}))
    assert_same(parse_structure(outside), structure_batio3)
    assert not list(tmp_path.rglob("evil.cif"))
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as nested:
        nested.writestr("inner.zip", outside.read_bytes())
        nested.writestr("disguised.cif", outside.read_bytes())
    for crystal in (crystal for _, crystal in read_structures(tmp_path / "nested.zip")):
        assert isinstance(crystal, InvalidStructureError) and "an archive in an archive" in str(crystal)


def test_nothing_is_imported_or_run_for_a_pymatgen_dict(structure_batio3: Structure) -> None:
    value = structure_batio3.as_dict()
    harmful = {"@module": "os", "@class": "getcwd"}
    value["sites"][0]["properties"] = {"x": harmful}
    value["properties"] = harmful
    assert_same(parse_structure(value), structure_batio3)


# ------------------------------------------------------------------------------------------------------------ disorder
def test_occupancies_of_every_carrier_that_has_them(tmp_path: Path) -> None:
    mixed = Structure(Lattice.cubic(4.0), [{"Na": 0.5, "K": 0.25}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    entry = {
        "lattice_vectors": (np.eye(3) * 4.0).tolist(),
        "cartesian_site_positions": [[0, 0, 0], [2, 2, 2]],
        "species_at_sites": ["mixed", "Cl"],
        "species": [
            {"name": "mixed", "chemical_symbols": ["Na", "K", "vacancy"], "concentration": [0.5, 0.25, 0.25]},
            {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0]},
        ],
        "structure_features": ["disorder"],
        "nsites": 2,
    }
    atoms = ase.io.read(write(tmp_path, "mixed.cif", cif_of(mixed)))
    for carrier in (cif_of(mixed), mixed.as_dict(), json.dumps(mixed.as_dict()), entry, atoms):
        crystal = parse_structure(carrier)
        found = sorted(zip(crystal.atomic_numbers.tolist(), crystal.weights.tolist(), strict=True))
        assert found == [(11, 0.5), (17, 1.0), (19, 0.25)]
        assert crystal.density == pytest.approx(mixed.density, rel=1e-4)
        with pytest.raises(InvalidStructureError, match="has occupancy 0"):
            parse_structure(carrier, options=ReadingOptions(disorder="refuse"))
    salt = Structure(Lattice.cubic(4.0), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    hydrogen = optimade_of(salt)["attributes"] | {"chemical_formula_reduced": "ClH4Na"}
    assert parse_structure(hydrogen).warnings == (
        "chemical_formula_reduced is stated as ClH4Na; the sites have Cl1Na1",
    )
    (refused,) = read_structures(json.dumps(entry), ReadingOptions(disorder="refuse"))
    assert isinstance(refused.crystal, InvalidStructureError)


# ------------------------------------------------------------------------------------------------------- any iterable
def test_any_column_of_structures(embedder: ClacEmbedder, cifs: list[str]) -> None:
    some = cifs[:3]
    expected = embedder.encode_crystals(some)
    columns = {
        "categorical": pd.Series(some, dtype="category"),
        "polars": pl.Series(some),
        "polars categorical": pl.Series(some, dtype=pl.Categorical),
        "dictionary": pa.array(some).dictionary_encode(),
        "binary": pa.array([text.encode() for text in some]),
        "rows": [{"id": place, "cif": text} for place, text in enumerate(some)],
        "data set rows": iter(datasets.Dataset.from_dict({"cif": some, "gap": [1, 2, 3]})),
        "named": list(read_structures(some[0])) + some[1:],
        "numpy 0-d": [np.array(text)[()] for text in some],
    }
    for kind, column in columns.items():
        np.testing.assert_array_equal(embedder.encode_crystals(column), expected, err_msg=kind)
        features = None if kind in ("data set rows",) else embedder.processor.feature_extractor(column)
        assert features is None or len(features["num_atoms"]) == 3


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"cif": ["x"], "gap": [1]}),
        pl.DataFrame({"cif": ["x"], "gap": [1]}),
        pa.table({"cif": ["x"], "gap": [1]}),
        datasets.Dataset.from_dict({"cif": ["x"], "gap": [1]}),
    ],
    ids=["pandas", "polars", "pyarrow", "datasets"],
)
def test_a_whole_table_is_refused(embedder: ClacEmbedder, table: Any) -> None:
    with pytest.raises(ClacInputError, match=r"a table with the columns cif, gap; pass one column, such as"):
        embedder.encode_crystals(table)


def test_inputs_without_order_or_with_gaps(embedder: ClacEmbedder, cifs: list[str]) -> None:
    with pytest.raises(ClacInputError, match="a set, which has no order; pass a list"):
        embedder.encode_crystals(set(cifs[:2]))
    for gap in (None, float("nan"), np.float64("nan"), pd.NA):
        with pytest.raises(InvalidStructureError, match=r"structure 2 of 3: .* a missing value; remove"):
            embedder.encode_crystals([cifs[0], gap, cifs[1]])
    with pytest.raises(InvalidStructureError, match=r"structure 2 of 2: no structure in it; .* text, label"):
        embedder.encode_crystals([cifs[0], {"text": "a", "label": 1}])
    with pytest.raises(ClacInputError, match="more names than the 1 structures"):
        list(parse_each(cifs[0], ["a", "b"]))


# ------------------------------------------------------------------------------------------------------------ warnings
def test_what_is_read_with_doubt_is_a_warning_or_an_error(tmp_path: Path, embedder: ClacEmbedder) -> None:
    slab = ase.Atoms("Po", cell=[3.3, 3.3, 20.0], pbc=[True, True, False])
    with pytest.warns(UserWarning, match=r"structure 1 of 1: periodic in 2 directions only"):
        embedder.encode_crystals([slab])
    layer = Structure(Lattice.from_parameters(3.3, 3.3, 20, 90, 90, 90, pbc=(True, True, False)), ["Po"], [[0, 0, 0]])
    for structure in (layer, layer.as_dict(), layer.to_json()):
        assert parse_structure(structure).warnings == parse_structure(slab).warnings
    with pytest.warns(UserWarning, match="periodic in 2 directions only") as caught:
        embedder.processor.feature_extractor([slab, slab])
    assert len(caught) == 2
    path = tmp_path / "slab.xyz"
    ase.io.write(path, slab, format="extxyz")
    with pytest.raises(InvalidStructureError, match=r"slab\.xyz: periodic in 2 directions only"):
        embedder.encode_crystals([path], strict=True)
    (found,) = read_structures(path, ReadingOptions(strict=True))
    assert isinstance(found.crystal, InvalidStructureError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.encode_crystals([ase.Atoms("Po", cell=[3.3, 3.3, 20.0], pbc=True)], strict=True)
