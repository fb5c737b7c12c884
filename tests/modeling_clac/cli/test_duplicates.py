"""The commands `clac compare` and `clac dedupe`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from tests.helpers.cli import Run, assert_one_line


def rock_salt(cation: str, anion: str, a: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    salt = rock_salt("Na", "Cl", 5.64)
    structures = {
        "a": salt,
        "b": rock_salt("Mg", "O", 4.21),
        "c": salt.get_primitive_structure(),
        "d": Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    }
    for name, structure in structures.items():
        structure.to(str(tmp_path / f"{name}.cif"))
    return tmp_path


def test_dedupe_groups_files(clac: Run, files: Path) -> None:
    paths = [str(files / f"{name}.cif") for name in "abcd"]
    document = json.loads(clac("dedupe", str(files), "--json").out)
    assert document["groups"] == [[paths[0], paths[2]], [paths[1]], [paths[3]]]
    assert (document["num_crystals"], document["num_structures"]) == (4, 3)
    assert clac("dedupe", str(files), "--unique").out.split() == [paths[0], paths[1], paths[3]]
    shown = clac("dedupe", str(files))
    assert "a.cif" in shown.out and "c.cif" in shown.out and "d.cif" not in shown.out
    assert shown.err == "clac: 4 crystals, 3 different structures\n"
    strict = json.loads(clac("dedupe", str(files), "--min-cosine", "1", "--json").out)
    assert strict["num_structures"] in (3, 4)


@pytest.mark.parametrize(
    ("second", "verdict"),
    [("c", "same structure"), ("b", "same prototype, other elements"), ("d", "different structures")],
)
def test_compare_says_what_two_crystals_share(clac: Run, files: Path, second: str, verdict: str) -> None:
    pair = str(files / "a.cif"), str(files / f"{second}.cif")
    document = json.loads(clac("compare", *pair, "--json").out)
    assert document["verdict"] == verdict
    assert (document["rms"] is None) == (second != "c")
    assert [crystal["formula"] for crystal in document["crystals"]] == ["NaCl", "MgO" if second == "b" else "NaCl"]
    assert document["crystals"][0]["density"] == pytest.approx(2.164, abs=1e-3)
    out = clac("compare", *pair).out
    assert verdict in out and "Fm-3m" in out and "g/cm³" in out


def test_wrong_arguments_print_one_line(clac: Run, files: Path) -> None:
    one = str(files / "a.cif")
    assert_one_line(clac("dedupe", one, "--min-cosine", "2"), "--min-cosine 2: must be from -1 to 1")
    assert_one_line(clac("compare", one, one, "--site-tolerance", "0"), "--site-tolerance 0: must be positive")
    assert_one_line(clac("dedupe", one, "--unique", "--json"), "exclude each other")
    assert_one_line(clac("compare", one, str(files / "nothing.cif")), "nothing.cif")
    assert_one_line(clac("compare", str(files), one), "structures; give two files with one structure each")
