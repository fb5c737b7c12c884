"""`clac show`: the page of a crystal, and its structure as CIF and POSCAR."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pymatgen.io.vasp import Poscar

from modeling_clac import narrate
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.narrator.applications import uses_of_table
from modeling_clac.search.index import CrystalIndex
from modeling_clac.structures_clac import parse_structure
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line, in_new_process


@pytest.fixture
def own(tmp_path: Path, records: list[dict[str, Any]]) -> Path:
    """A saved index of a user's own table, with a note and a gap but no source."""
    rows = [
        {
            "material_id": f"own-{row}",
            "formula": record["formula"],
            "band_gap": 1.5,
            "note": "measured",
            "cif": record["cif"],
        }
        for row, record in enumerate(records[:3])
    ]
    embeds = np.eye(3, 8, dtype=np.float32)
    CrystalIndex(embeds, pa.Table.from_pylist(rows), "0123456789abcdef").save(tmp_path / "own")
    return tmp_path / "own"


def test_the_page_of_a_bundled_crystal(clac: Run):
    result = clac("show", "mp-2133")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "mp-2133"
    for part in ("ZnO", "P6_3mc (no. 186), hexagonal", "a = 3.289", "γ = 120.00°", "O 19.66, Zn 80.34"):
        assert part in result.out
    gap = next(line for line in lines if line.startswith("formation energy"))
    assert all(part in gap for part in ("-1.798", "eV/atom", "Materials Project", "CC BY 4.0"))
    density = next(line for line in lines if line.startswith("density"))
    assert "g/cm³" in density and "computed from the structure" in density and "CC BY" not in density
    assert "https://next-gen.materialsproject.org/materials/mp-2133" in result.out
    assert "* Jain et al. (2013)" in result.out and "band gap" not in result.out


def test_json_has_everything_with_units(clac: Run):
    document = json.loads(clac("show", "mp-2133", "--json").out)
    assert document["record"]["piezoelectric_modulus"] == pytest.approx(1.037, abs=1e-3)
    assert document["units"]["record.piezoelectric_modulus"] == "C/m²" and document["units"]["cell.a"] == "Å"
    facts = FactTable.bundled()
    row = facts.table["material_id"].to_pylist().index("mp-2133")
    assert document["narrative"] == narrate({**document["record"], **uses_of_table(facts.take([row]))[0]})
    assert document["sources"]["bulk_modulus_vrh"]["licence"] == document["licence"] == "CC BY 4.0"
    assert document["cell"]["gamma"] == pytest.approx(120)
    assert {part["amount"] for part in document["composition"].values()} == {2.0}
    assert sum(part["mass_percent"] for part in document["composition"].values()) == pytest.approx(100)
    assert (document["id"], document["is_ordered"], document["warnings"]) == ("mp-2133", True, [])


def test_the_page_of_a_file_is_computed(clac: Run, tmp_path: Path):
    (tmp_path / "salt.cif").write_text(cif())
    result = clac("show", tmp_path / "salt.cif")
    assert result.code == 0 and result.out.startswith("salt.cif\n")
    for part in ("NaCl", "Fm-3m (no. 225), cubic", "Na4 Cl4", "8 in the cell", "2.16"):
        assert part in result.out
    assert "http" not in result.out and "licence" not in result.out
    assert "Known as: halite" in result.out and "alkali halide" in result.out
    concepts = json.loads(clac("show", tmp_path / "salt.cif", "--json").out)["concepts"]
    assert {"id": "alkali-halide", "kind": "class", "name": "alkali halide"} in concepts


def test_a_file_with_the_name_of_an_id_comes_first(clac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("mp-149").write_text(cif())
    assert json.loads(clac("show", "mp-149", "--json").out)["record"]["formula"] == "NaCl"


def test_the_page_of_an_own_index(clac: Run, own: Path, records: list[dict[str, Any]]):
    result = clac("show", "own-1", "--index", own)
    assert result.code == 0 and records[1]["formula"] in result.out and "measured" in result.out
    gap = next(line for line in result.out.splitlines() if line.startswith("band gap"))
    assert "1.50" in gap and "CC BY" not in result.out
    assert_one_line(
        clac("show", "mp-149", "--index", own), "mp-149: neither a file nor the id of a crystal of", str(own)
    )


def test_structures_are_written(clac: Run, tmp_path: Path):
    done = clac("show", "mp-2133", "--cif", tmp_path / "a.cif", "--poscar", tmp_path / "POSCAR")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [f"clac: {tmp_path / name}: mp-2133, 4 atoms" for name in ("a.cif", "POSCAR")]
    printed = clac("show", "mp-2133", "--cif", "-")
    assert (printed.out, printed.err) == ((tmp_path / "a.cif").read_text(encoding="utf-8"), "")
    assert clac("show", "mp-2133", "--poscar", "-").out == (tmp_path / "POSCAR").read_text(encoding="utf-8")
    crystal = parse_structure(tmp_path / "a.cif")
    assert crystal.density == pytest.approx(parse_structure(Poscar.from_file(tmp_path / "POSCAR").structure).density)
    assert crystal.density == pytest.approx(5.44, abs=0.01)


def test_a_missing_structure_is_one_line(clac: Run, own: Path, tmp_path: Path):
    index = CrystalIndex.load(own)
    CrystalIndex(index.embeds, index.table, "0123456789abcdef").save(tmp_path / "old")
    assert_one_line(clac("show", "own-0", "--index", tmp_path / "old", "--cif", "-"), "old has no structures")
    page = clac("show", "own-0", "--index", tmp_path / "old")
    assert page.code == 0 and "band gap" in page.out and "cell" not in page.out


@pytest.mark.parametrize("by_id", [False, True])
def test_disordered_crystals(clac: Run, tmp_path: Path, by_id: bool):
    rows = ["Na Na0 0 0 0 0.75", "K K0 0 0 0 0.25", "Cl Cl0 0.5 0.5 0.5 1.0"]
    file = tmp_path / "mixed.cif"
    file.write_text(cif(rows, formula="Na0.75 K0.25 Cl"))
    name: list[object] = [file]
    if by_id:
        table = pa.table({"material_id": ["mixed"], "cif": [file.read_text()]})
        CrystalIndex(np.eye(1, 4, dtype=np.float32), table, "0123456789abcdef").save(tmp_path / "own")
        name = ["mixed", "--index", tmp_path / "own"]
    page = clac("show", *name)
    assert "on mixed or partly occupied sites" in page.out and "Na0.75 K0.25 Cl1" in page.out
    assert_one_line(clac("show", *name, "--poscar", "-"), "disordered, which a POSCAR cannot express")
    assert_one_line(clac("show", *name, "--disorder", "refuse"), "occupancy 0.75")
    assert_one_line(clac("show", *name, "--disorder", "fix"), "--disorder fix: choose keep, refuse or order")
    ordered = Poscar.from_str(clac("show", *name, "--poscar", "-", "--disorder", "order").out).structure
    assert ordered.composition.fractional_composition["Na"] == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["mp-1499"],
            "mp-1499: neither a file nor the id of a crystal of the bundled data set; the nearest ids are mp-",
        ),
        (["mp-149", "--cif", "absent/a.cif"], "--cif absent/a.cif: its parent directory does not exist"),
        (["mp-149", "--poscar", "."], "--poscar .: is a directory"),
        (["mp-149", "--cif", "-", "--poscar", "-"], "--cif and --poscar both write to stdout"),
        (["mp-149", "--cif", "a", "--poscar", "a"], "--cif and --poscar a: the same file"),
        (["mp-149", "--cif", "-", "--json"], "--cif and --json both write to stdout"),
        (["salt.cif", "--cif", "salt.cif"], "--cif salt.cif: is the file to read"),
        (["mp-149", "--index", "absent"], "no index found"),
        (["empty.cif"], "empty.cif: empty"),
    ],
)
def test_wrong_arguments_are_one_line(
    clac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
):
    monkeypatch.chdir(tmp_path)
    Path("salt.cif").write_text(cif())
    Path("empty.cif").touch()
    assert_one_line(clac("show", *arguments), reason)
    assert Path("salt.cif").read_text() == cif()


def test_ids_are_shown_without_heavy_libraries():
    heavy = {"torch", "transformers", "huggingface_hub", "pymatgen", "pandas"}
    code = "import sys, clac_cli\ntry:\n    clac_cli.main(['show', 'mp-149'])\n"
    code += f"finally:\n    print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    done = in_new_process("-c", code)
    assert (done.returncode, done.stderr) == (0, "[]\n") and "Si" in done.stdout
