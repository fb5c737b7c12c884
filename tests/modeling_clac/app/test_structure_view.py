"""What the viewer draws."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacInputError
from modeling_clac.app.crystal_panel import panel_html, panel_of_row
from modeling_clac.app.engine import Engine
from modeling_clac.app.structure_view import structure_view
from modeling_clac.crystal_clac import ReadingOptions, crystal_from_pymatgen
from modeling_clac.structures_clac import parse_structure
from tests.modeling_clac.app.test_results import EVIL, tags


def view(structure: Structure, size: int = 1) -> dict:
    return structure_view(parse_structure(structure, "x", ReadingOptions()), size)


def test_rock_salt_has_atoms_on_all_faces_bonds_and_octahedra(structure_nacl) -> None:
    shown = view(structure_nacl)
    inside = [site for site in shown["sites"] if not site["outside"]]
    assert len(inside) == 27 and shown["elements"] == {"Na": "sodium", "Cl": "chlorine"}
    assert len(shown["polyhedra"]) == 14
    for shape in shown["polyhedra"]:
        assert shape["centre"] == "Na" and len(shape["corners"]) == 6 and len(shape["faces"]) == 8
    positions = np.array([site["position"] for site in shown["sites"]])
    lengths = [np.linalg.norm(positions[a] - positions[b]) for a, b in shown["bonds"]]
    assert np.allclose(lengths, 2.82, atol=1e-3)
    kinds = {frozenset(shown["sites"][end]["species"][0][0] for end in bond) for bond in shown["bonds"]}
    assert kinds == {frozenset({"Na", "Cl"})}


def test_faces_of_polyhedra_point_outwards(structure_perovskite) -> None:
    shown = view(structure_perovskite)
    (titanium,) = [shape for shape in shown["polyhedra"] if shape["centre"] == "Ti"]
    corners = np.array(titanium["corners"])
    assert len(corners) == 6
    for a, b, c in titanium["faces"]:
        normal = np.cross(corners[b] - corners[a], corners[c] - corners[a])
        assert normal @ (corners[a] - corners.mean(axis=0)) > 0


def test_a_supercell_has_more_cells(structure_nacl) -> None:
    assert sum(not site["outside"] for site in view(structure_nacl, 2)["sites"]) == 125
    with pytest.raises(ClacInputError, match="choose 1, 2 or 3"):
        view(structure_nacl, 4)


def test_partly_occupied_sites_are_one_site_with_several_species() -> None:
    lattice = Lattice.cubic(5.64)
    mixed = Structure(lattice, [{"Na": 0.6, "K": 0.3}, "Cl"], [[0.1, 0.1, 0.1], [0.6, 0.1, 0.1]])
    first, second = view(mixed)["sites"][:2]
    assert first["species"] == [["Na", 0.6], ["K", 0.3]] and second["species"] == [["Cl", 1.0]]


def test_metals_are_bonded_to_each_other_only_without_anions() -> None:
    iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert view(iron)["bonds"] and not view(iron)["polyhedra"]


def test_large_cations_have_no_bonds() -> None:
    perovskite = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(4.56), ["Cs", "Cd", "F"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    )
    shown = view(perovskite)
    assert {shape["centre"] for shape in shown["polyhedra"]} == {"Cd"}
    bonded = {shown["sites"][end]["species"][0][0] for bond in shown["bonds"] for end in bond}
    assert bonded == {"Cd", "F"}


def test_large_supercells_are_refused(structure_nacl) -> None:
    with pytest.raises(ClacInputError, match="too many to draw"):
        view(structure_nacl * (4, 4, 4), 3)


def test_the_panel_says_what_is_known_and_what_is_not(engine: Engine) -> None:
    written = panel_of_row(engine.index, 0)
    record = engine.index.record(0)
    tags(written)
    assert record["material_id"] in written and "symmetry" in written and "Unknown:" in written
    assert f"{record['density']:.2f} g/cm³" in written and 'href="https://' in written


def test_names_of_files_are_not_html(engine: Engine, structure_nacl) -> None:
    crystal = crystal_from_pymatgen(structure_nacl, "x")
    record = {"material_id": EVIL, "formula": EVIL, "density": 2.1}
    assert "img" not in tags(panel_html(record, crystal, engine.index.facts.take([0])))
