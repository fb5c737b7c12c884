"""`clac search --like FILE "without cobalt, lighter"`, and `--optimade`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from tests.helpers.cli import Run, assert_one_line


@pytest.fixture(scope="module")
def lco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("like") / "lco.cif"
    lattice = Lattice.hexagonal(2.8166, 14.052)
    sites = [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2604]]
    Structure.from_spacegroup("R-3m", lattice, ["Li", "Co", "O"], sites).to(str(file))
    return file


def _hits(clac: Run, *arguments: Any) -> list[dict[str, Any]]:
    result = clac("search", *arguments, "--json")
    assert result.code == 0, result.err
    return list(json.loads(result.out)["hits"])


def test_hits_hold_and_are_similar(clac: Run, lco: Path) -> None:
    hits = _hits(clac, "--like", lco, "without cobalt, lighter, contains lithium")
    scores = [hit["score"] for hit in hits]
    assert len(hits) == 10
    assert scores == sorted(scores, reverse=True)
    for hit in hits:
        assert "Co" not in hit["elements"]
        assert "Li" in hit["elements"]
        assert hit["density"] < 5.05


def test_changes_are_those_of_formula_density_and_space_group(clac: Run, lco: Path) -> None:
    for hit in _hits(clac, "--like", lco, "without cobalt, lighter"):
        change = hit["changes"]
        assert set(change["removed"]) == {"Li", "Co", "O"} - set(hit["elements"])
        assert set(change["added"]) == set(hit["elements"]) - {"Li", "Co", "O"}
        assert set(change["kept"]) == set(hit["elements"]) & {"Li", "Co", "O"}
        before, after = change["density"]
        assert before == pytest.approx(5.05, abs=0.01)
        assert after == pytest.approx(hit["density"], abs=1e-4)
        assert change["band_gap"][1] == hit["band_gap"]
        assert change["space_group_symbol"] == ["R-3m", hit["space_group_symbol"]]


def test_the_table_shows_what_changed(clac: Run, lco: Path) -> None:
    result = clac("search", "--like", lco, "without cobalt, lighter, contains lithium", "-k", "3")
    assert "density < 5.05 g/cm³" in result.out.splitlines()[0]
    table = result.out.split(f"changes from {lco}:")[1]
    assert "removed" in table
    assert "5.05 → " in table
    assert table.count("R-3m") == 3


def test_a_crystal_of_the_index_has_its_own_values(clac: Run) -> None:
    (silicon,) = _hits(clac, "silicon", "--formula", "Si", "-k", "1", "--semantic")
    hits = _hits(clac, "--like", silicon["material_id"], "denser", "-k", "3")
    for hit in hits:
        assert hit["density"] > silicon["density"]
        assert hit["changes"]["density"][0] == pytest.approx(silicon["density"])


def test_an_unknown_value_is_noted(clac: Run, lco: Path) -> None:
    result = clac("search", "--like", lco, "harder", "-k", "1")
    assert result.code == 0
    assert "hardness of" in result.err
    assert "is unknown; hits are ordered by it instead" in result.err


@pytest.mark.parametrize(("name", "formula"), [("quicklime", "CaO"), ("GaAs", "GaAs"), ("silicon", "Si")])
def test_a_compound_by_its_name(clac: Run, name: str, formula: str) -> None:
    result = clac("search", "--like", name, "denser", "-k", "2")
    assert result.code == 0, result.err
    assert f"{name}: mp-" in result.err
    assert f"({formula}, " in result.err
    assert f"changes from {name}:" in result.out


@pytest.mark.parametrize("name", ["oxide", "no-such-file.cif", "quicklime or galena"])
def test_what_is_no_compound_is_an_error(clac: Run, name: str) -> None:
    assert_one_line(clac("search", "--like", name), f"--like {name}: neither a file nor the id of a crystal")


def test_without_a_text_nothing_is_compared(clac: Run, lco: Path) -> None:
    (hit,) = _hits(clac, "--like", lco, "-k", "1")
    assert "changes" not in hit


def test_bounds_that_contradict(clac: Run, lco: Path) -> None:
    result = clac("search", "--like", lco, "lighter, density above 8 g/cm3")
    assert_one_line(result, "density > 8 g/cm³ and density < 5.05 g/cm³: impossible")


def test_a_filter_is_all_of_stdout(clac: Run) -> None:
    result = clac("search", "lead-free phosphate of lithium, hardest", "--optimade", "--exclude-element", "F")
    assert result.code == 0
    assert (
        sorted(result.out.strip().split(" AND "))
        == [
            'NOT elements HAS "F"',
            'NOT elements HAS "Pb"',
            'elements HAS ALL "Li", "O", "P"',
        ]
        or result.out.count("elements HAS") == 3
    )
    assert "only in part in the filter, which finds other crystals as well: phosphate" in result.err
    assert "not in the filter: highest hardness" in result.err


def test_a_filter_in_json(clac: Run) -> None:
    result = clac("search", "quicklime, band gap above 2 eV", "--optimade", "--json")
    assert json.loads(result.out)["optimade"] == {
        "filter": 'chemical_formula_reduced = "CaO"',
        "only_in_part": [],
        "not_in_the_filter": ["band gap > 2 eV"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hardest", "--optimade"], "an OPTIMADE filter cannot say highest hardness; name elements, formulas"),
        (["oxide", "--optimade", "--like", "mp-149"], "--optimade: needs a description, and neither --like nor"),
        (["oxide", "--optimade", "--semantic"], "--optimade: needs a description"),
        (["contains oxygen, no oxygen", "--optimade"], "O: both required and excluded"),
    ],
)
def test_filters_that_cannot_be_written(clac: Run, arguments: list[str], message: str) -> None:
    assert_one_line(clac("search", *arguments), message)
