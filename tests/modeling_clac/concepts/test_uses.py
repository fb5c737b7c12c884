"""
Uses are defensible: each accepts the compounds that are known for it and refuses those that are not.

Compounds are looked up in the bundled crystals. Those that are not among them are tested by their formula, with the
measured values and structures of `MEASURED`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modeling_clac.concepts.concept_files import Concept
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable

VOCABULARY = load_vocabulary()
USES = [concept for concept in VOCABULARY if concept.kind == "use"]
CONDITIONS = ("prone-to-decompose", "reacts-with-air", "dissolves-in-water")
# Measured values that the bundled crystals lack: gaps in eV, permittivities and indices, from Madelung,
# Semiconductors: Data Handbook (Springer), and Weber, Handbook of Optical Materials (CRC Press).
MEASURED: dict[str, dict[str, Any]] = {
    "Mg2Si": {"band_gap": 0.77},
    "Bi2Te3": {"band_gap": 0.16},
    "LiFePO4": {"band_gap": 3.8, "dielectric_total": 9.0, "refractive_index": 1.7, "density": 3.6},
    "MgF2": {"band_gap": 10.8, "refractive_index": 1.38, "dielectric_total": 5.3},
    "CaF2": {"band_gap": 12.1, "refractive_index": 1.43, "dielectric_total": 6.8},
    "CaO": {"band_gap": 7.1, "refractive_index": 1.84, "dielectric_total": 11.8},
}


@pytest.fixture(scope="module")
def table() -> FactTable:
    return FactTable.bundled()


def values(use: Concept, formula: str, table: FactTable) -> np.ndarray:
    """Values of a use on all bundled crystals of a composition, or on what is known of the compound."""
    rows = np.flatnonzero(table.formula_is(formula) == 1)
    bundled = VOCABULARY.holds(use.id, table)[rows]
    measured = VOCABULARY.holds(use.id, FactTable.from_records([{"formula": formula, **MEASURED.get(formula, {})}]))
    return np.append(bundled, measured) if formula in MEASURED or not len(rows) else bundled


@pytest.mark.parametrize("use", USES, ids=lambda use: use.id)
def test_each_use_accepts_and_refuses_known_compounds(use: Concept, table: FactTable) -> None:
    assert len(set(use.accepts)) >= 3 and len(set(use.refuses)) >= 3
    accepted = {formula: np.nanmax(np.append(values(use, formula, table), -1)) for formula in use.accepts}
    assert not {formula: value for formula, value in accepted.items() if not value >= 0.5}
    refused = {formula: values(use, formula, table) for formula in use.refuses}
    # A form of the compound whose values nobody has computed stays unknown.
    assert not {formula: value for formula, value in refused.items() if (value > 0).any() or not (value == 0).any()}


def test_there_are_many_uses_with_reasons_and_sources() -> None:
    assert len(USES) >= 200
    assert not [use.id for use in USES if not (use.reason and use.source)]
    assert not [use.id for use in USES if len(use.wordings) < 8]
    assert sum(len(use.wordings) >= 25 for use in USES) >= 40


def test_uses_pick_some_crystals_and_not_most(table: FactTable) -> None:
    """A use that a third of all crystals had would say nothing."""
    shares = {use.id: float(np.mean(VOCABULARY.holds(use.id, table) == 1)) for use in USES}
    assert max(shares.values()) < 0.1
    # Garnets, NASICON, MgB2 and ferrites are not among the bundled crystals.
    assert len([use for use, share in shares.items() if share == 0]) <= 5


@pytest.mark.parametrize(
    ("formula", "use"),
    [
        ("LiSn", "damage-tolerant-ceramic"),
        ("LiSn", "light-structural-alloy"),
        ("NdBi", "hard-magnet"),
        ("CsPbI3", "solid-lubricant"),
        ("HgI2", "photocatalyst"),
        ("UO2", "pigment"),
        ("NaCl", "hard-coating"),
        ("TlBr", "gemstone"),
        ("KNO3", "refractory"),
        ("LiAlH4", "armour"),
        ("PuCoGa5", "soft-magnet"),
        ("Na3Sb", "pv-absorber"),
    ],
)
def test_what_forbids_a_use(formula: str, use: str, table: FactTable) -> None:
    """Reaction with air, poison, radioactivity and softness rule uses out."""
    assert (values(VOCABULARY[use], formula, table) == 0).all()


def test_a_missing_value_forbids_nothing() -> None:
    """The conditions that forbid a use hold where they are known to hold, and are never unknown for want of a value."""
    unknown = FactTable.from_records([{"formula": "LiCoO2"}])
    assert VOCABULARY.holds("prone-to-decompose", unknown) == 0
    for energy, expected in ((0.0, 0), (0.09, 0), (0.3, 1)):
        crystal = FactTable.from_records([{"formula": "LiCoO2", "energy_above_hull": energy}])
        assert VOCABULARY.holds("prone-to-decompose", crystal) == expected


def test_reaction_with_air_and_water(table: FactTable) -> None:
    for condition, holding, failing in (
        ("reacts-with-air", "Na CaH2 Li3N AlCl3 Na2S BaO K3Sb LiSn", "Al2O3 TiN NaCl GaAs Cu ZnS LiFePO4 MoS2"),
        ("dissolves-in-water", "NaCl KNO3 CaCl2 NaClO4 KBr ZnSO4", "AgCl CaF2 Al2O3 BaSO4 CaCO3 PbS TiO2 CuI"),
    ):
        for formula in holding.split():
            assert (values(VOCABULARY[condition], formula, table) == 1).any(), (condition, formula)
        for formula in failing.split():
            assert not (values(VOCABULARY[condition], formula, table) == 1).any(), (condition, formula)


def test_parents_hold_where_their_kinds_hold(table: FactTable) -> None:
    for use in USES:
        kinds = VOCABULARY.holds(use.id, table) == 1
        for wider in use.implies:
            assert (VOCABULARY.holds(wider, table)[kinds] == 1).all(), (use.id, wider)


def test_conditions_are_concepts() -> None:
    vocabulary: Vocabulary = load_vocabulary()
    assert all(vocabulary[condition].kind == "attribute" for condition in CONDITIONS)
