"""Drawings of crystals in notebooks: every site once with its images, occupancies as sectors, and nothing as markup."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacFeatureExtractor
from modeling_clac.crystal_drawing_clac import _colours, drawing
from tests.conftest import small_graph_config


@pytest.fixture(scope="module")
def extractor() -> ClacFeatureExtractor:
    return ClacFeatureExtractor.from_graph_config(small_graph_config())


def svg_of(page: str) -> ElementTree.Element:
    match = re.search(r"<svg.*?</svg>", page, re.DOTALL)
    assert match
    return ElementTree.fromstring(match[0])


def test_atoms_of_a_cell_and_their_images(extractor, structure_nacl) -> None:
    crystal = extractor.parse(structure_nacl)
    page = crystal._repr_html_()
    titles = [group.findtext("title") for group in svg_of(page).iter("g")]
    # The conventional cell of rock salt: 8 corners and 6 faces of one kind, 12 edges and the centre of the other.
    assert (titles.count("Na"), titles.count("Cl")) == (14, 13)
    assert sum("data-m" in element.attrib for element in svg_of(page).iter("svg")) == 1
    assert "NaCl" in page and "5.640, 5.640, 5.640 Å" in page and "90.0, 90.0, 90.0°" in page
    matrix = np.array(svg_of(page).attrib["data-m"].split(), dtype=float).reshape(3, 3)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-3)
    assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-3)


def test_bonds_join_neighbours(extractor, structure_nacl) -> None:
    lines = list(svg_of(drawing(extractor.parse(structure_nacl))).iter("line"))
    bonds = [np.array(line.attrib["data-p"].split(), dtype=float).reshape(2, 3) for line in lines]
    lengths = sorted(round(float(np.linalg.norm(b - a)), 2) for a, b in bonds)
    assert lengths.count(5.64) == 12  # the edges of the cell
    assert set(lengths) == {2.82, 5.64} and lengths.count(2.82) == 54


def test_mixed_and_partly_occupied_sites(extractor) -> None:
    structure = Structure(Lattice.cubic(4.0), [{"Ba": 0.7, "Sr": 0.2}, "Ti"], [[0.1, 0.1, 0.1], [0.6, 0.6, 0.6]])
    page = drawing(extractor.parse(structure), caption="<b>mine</b>")
    (mixed,) = [group for group in svg_of(page).iter("g") if group.findtext("title") == "Sr0.2 Ba0.7"] or [
        group for group in svg_of(page).iter("g") if group.findtext("title") == "Ba0.7 Sr0.2"
    ]
    assert mixed.find("circle").attrib["fill"] == "#fff" and len(mixed.findall("path")) == 2
    assert "Ba0.7Sr0.2Ti" in page or "Sr0.2Ba0.7Ti" in page
    assert "&lt;b&gt;mine&lt;/b&gt;" in page and "<b>" not in page


def test_warnings_and_space_group_are_shown(extractor, structure_nacl) -> None:
    crystal = replace(extractor.parse(structure_nacl), space_group=225, warnings=("<script>alert(1)</script>",))
    page = drawing(crystal)
    assert "F m -3 m (225)" in page and "<script>alert" not in page


def test_large_cells_are_cut(extractor, structure_nacl) -> None:
    page = drawing(extractor.parse(structure_nacl * (5, 5, 5)))
    assert "the first 600 of 1,000 sites" in page


def test_every_element_has_the_colour_of_jmol() -> None:
    assert _colours()["O"] == "rgb(255,13,13)" and len(_colours()) > 100
