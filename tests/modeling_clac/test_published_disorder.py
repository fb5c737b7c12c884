"""
Disordered crystals as papers report them, from the CIF to the embedding and the search table.

Cells and sites are rounded values of the cited refinements; amounts and densities follow from them by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from modeling_clac import ClacEmbedder
from modeling_clac.data.structure_facts import describe_crystal
from modeling_clac.search.index import bundled_index
from modeling_clac.structures_clac import parse_structure

# Element, x, y, z, occupancy.
Site = tuple[str, float, float, float, float]


@dataclass(frozen=True)
class Published:
    """
    A published crystal: `cell` in Å and degrees, and what must be read from it.

    `cell` has (a, c, alpha = beta, gamma); `density` is in g/cm³.
    """

    symbol: str
    cell: tuple[float, float, float, float]
    sites: tuple[Site, ...]
    formula: str
    density: float

    def cif(self) -> str:
        a, c, angle, gamma = self.cell
        lines = ["data_published", f"_space_group_name_H-M_alt '{self.symbol}'"]
        lines += [f"_cell_length_a {a}", f"_cell_length_b {a}", f"_cell_length_c {c}"]
        lines += [f"_cell_angle_alpha {angle}", f"_cell_angle_beta {angle}", f"_cell_angle_gamma {gamma}"]
        lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol"]
        lines += [f"_atom_site_fract_{axis}" for axis in "xyz"] + ["_atom_site_occupancy"]
        lines += [f"{e}{n} {e} {x} {y} {z} {o}" for n, (e, x, y, z, o) in enumerate(self.sites, start=1)]
        return "\n".join(lines) + "\n"


PUBLISHED = {
    # Garnet electrolyte, doi 10.1002/anie.200701144; sites of the cubic phase as in doi 10.1246/cl.2011.60.
    "LLZO": Published(
        "I a -3 d",
        (12.97, 12.97, 90, 90),
        (
            ("Li", 0.375, 0, 0.25, 0.56),
            ("Li", 0.10, 0.19, 0.425, 0.44),
            ("La", 0.125, 0, 0.25, 1),
            ("Zr", 0, 0, 0, 0.875),
            ("Ta", 0, 0, 0, 0.125),
            ("O", -0.03, 0.055, 0.15, 1),
        ),
        "Li6.96La3Zr1.75Ta0.25O12",
        5.24,
    ),
    # Argyrodite electrolyte, doi 10.1002/anie.200703900: S and Cl exchange sites, lithium is split in pairs.
    "Li6PS5Cl": Published(
        "F -4 3 m",
        (9.859, 9.859, 90, 90),
        (
            ("P", 0, 0, 0.5, 1),
            ("S", 0.1187, 0.1187, 0.6187, 1),
            ("S", 0, 0, 0, 0.385),
            ("Cl", 0, 0, 0, 0.615),
            ("S", 0.25, 0.25, 0.75, 0.615),
            ("Cl", 0.25, 0.25, 0.75, 0.385),
            ("Li", 0.3073, 0.0251, 0.6927, 0.5),
        ),
        "Li6PS5Cl",
        1.86,
    ),
    # NASICON electrolyte Li(1+x)Al(x)Ti(2-x)(PO4)3, doi 10.1149/1.2095845, without the interstitial lithium.
    "LATP": Published(
        "R -3 c",
        (8.51, 20.84, 90, 120),
        (
            ("Li", 0, 0, 0, 1),
            ("Ti", 0, 0, 0.142, 0.85),
            ("Al", 0, 0, 0.142, 0.15),
            ("P", 0.289, 0, 0.25, 1),
            ("O", 0.186, 0.994, 0.190, 1),
            ("O", 0.189, 0.166, 0.081, 1),
        ),
        "LiAl0.3Ti1.7P3O12",
        2.90,
    ),
    # Yttria-stabilised zirconia, 8 mol-% Y2O3: vacancies on the oxygen site.
    "YSZ": Published(
        "F m -3 m",
        (5.139, 5.139, 90, 90),
        (("Zr", 0, 0, 0, 0.852), ("Y", 0, 0, 0, 0.148), ("O", 0.25, 0.25, 0.25, 0.963)),
        "Zr0.852Y0.148O1.926",
        5.96,
    ),
    # Perovskite cathode: both cation sites are mixed.
    "LSCF": Published(
        "P m -3 m",
        (3.90, 3.90, 90, 90),
        (
            ("La", 0.5, 0.5, 0.5, 0.6),
            ("Sr", 0.5, 0.5, 0.5, 0.4),
            ("Co", 0, 0, 0, 0.2),
            ("Fe", 0, 0, 0, 0.8),
            ("O", 0.5, 0, 0, 1),
        ),
        "La0.6Sr0.4Fe0.8Co0.2O3",
        6.22,
    ),
    # High-entropy alloy, doi 10.1016/j.msea.2003.10.257: five elements on one site.
    "Cantor alloy": Published(
        "F m -3 m",
        (3.597, 3.597, 90, 90),
        tuple((element, 0.0, 0.0, 0.0, 0.2) for element in ("Cr", "Mn", "Fe", "Co", "Ni")),
        "CrMnFeCoNi",
        8.00,
    ),
    # Made up: an anion 0.2 Å off its ideal position, split in six parts.
    "split anion": Published(
        "F m -3 m",
        (5.64, 5.64, 90, 90),
        (("Na", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.535, 0.16667)),
        "NaCl",
        2.164,
    ),
}


@pytest.fixture(scope="module")
def embedder() -> ClacEmbedder:
    return ClacEmbedder.from_pretrained()


@pytest.mark.parametrize("name", PUBLISHED)
def test_composition_and_density_are_those_published(name: str) -> None:
    published = PUBLISHED[name]
    crystal = parse_structure(published.cif(), name)
    facts = describe_crystal(crystal)
    assert not crystal.is_ordered
    assert crystal.density == pytest.approx(published.density, rel=0.01)
    assert facts["density"] == pytest.approx(crystal.density, rel=1e-3)
    assert _amounts(facts["formula"]) == pytest.approx(_amounts(published.formula), abs=0.01)


def _amounts(formula: str) -> dict[str, float]:
    """Atomic fractions by element."""
    from pymatgen.core import Composition

    return {str(element): amount for element, amount in Composition(formula).fractional_composition.items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_text_with_the_formula_finds_the_crystal(name: str, embedder: ClacEmbedder) -> None:
    published = PUBLISHED[name]
    crystal = embedder.encode_crystals([published.cif()])
    assert np.linalg.norm(crystal, axis=1) == pytest.approx(1.0, abs=1e-5)
    text = embedder.encode_text([published.formula])
    better = (bundled_index().embeds @ text[0] > float(crystal[0] @ text[0])).sum()
    # The bundle holds NaCl itself, and no crystal with so little of an element as YSZ has of yttrium.
    assert better <= {"split anion": 3, "YSZ": 20}.get(name, 0)
