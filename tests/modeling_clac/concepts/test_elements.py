"""Sets of elements, with pymatgen as the oracle: each difference is meant, and named here."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pymatgen.core import Element

from modeling_clac.concepts import elements as sets
from modeling_clac.formulas_clac import ELEMENTS


def of(test: Callable[[Element], bool]) -> frozenset[str]:
    return frozenset(symbol for symbol in ELEMENTS if test(Element(symbol)))


# Radioactive elements of which no crystals are made.
RARE = frozenset("Fr Ra Po At Ac Rf Db Sg Bh Hs Mt Ds Rg Cn".split())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sets.ALKALI, of(lambda e: e.is_alkali)),
        (sets.ALKALINE_EARTH, of(lambda e: e.is_alkaline)),
        (sets.LANTHANIDES, of(lambda e: e.is_lanthanoid)),
        (sets.RARE_EARTH, of(lambda e: e.is_lanthanoid) | {"Sc", "Y"}),
        # pymatgen counts lanthanum as well.
        (sets.TRANSITION, of(lambda e: e.is_transition_metal and not e.is_rare_earth) | {"Sc", "Y"}),
        # Oxygen has sets of its own.
        (sets.CHALCOGENS, of(lambda e: e.is_chalcogen) - {"O"}),
        (sets.HALOGENS, of(lambda e: e.is_halogen)),
        (sets.PNICTOGENS, of(lambda e: e.group == 15 and e.Z < 100)),
        (sets.NOBLE_GASES, of(lambda e: e.is_noble_gas) - {"Og"}),
    ],
)
def test_sets_are_those_of_pymatgen(ours: frozenset[str], theirs: frozenset[str]) -> None:
    assert ours == theirs - RARE


def test_nonmetals() -> None:
    assert of(lambda e: not e.is_metal and e.Z < 104) - RARE == sets.NONMETALS - RARE


def test_platinum_group_and_refractory_metals() -> None:
    assert of(lambda e: e.group in (8, 9, 10) and e.row in (5, 6)) == sets.PLATINUM_GROUP
    assert all(Element(symbol).melting_point > 1900 for symbol in sets.REFRACTORY)  # K


def test_names() -> None:
    assert {symbol: Element(symbol).long_name.lower() for symbol in ELEMENTS} == sets.ELEMENT_NAMES
    assert list(sets.ELEMENT_NAMES) == list(ELEMENTS)
    assert sets.ANION_NAMES.keys() <= sets.NONMETALS
    # From the root of the name, with the Latin one for antimony.
    for symbol, name in sets.ANION_NAMES.items():
        assert name.endswith("ide")
        assert name[:2] == sets.ELEMENT_NAMES[symbol][:2]


def test_groups_are_made_of_elements_and_partition_where_they_should() -> None:
    everything = frozenset(ELEMENTS)
    assert all(group and group <= everything for group in sets.GROUPS.values())
    parts = [sets.GROUPS[name] for name in ("metal", "metalloid", "nonmetal")]
    assert frozenset().union(*parts) == everything - {"Ts", "Og"}
    assert sum(map(len, parts)) == len(everything) - 2
    rows = [sets.GROUPS[f"transition_{row}d"] for row in (3, 4, 5)]
    assert frozenset().union(*rows) == sets.TRANSITION
    assert sets.GROUPS["light_rare_earth"] | sets.GROUPS["heavy_rare_earth"] | {"Sc"} == sets.RARE_EARTH
    assert not sets.GROUPS["light"] & sets.GROUPS["heavy"]
    assert sets.GROUPS["p_block"] == of(lambda e: e.block == "p" and e.Z < 104) - {"He"}
    assert sets.GROUPS["radioactive"] == of(lambda e: e.Z in (43, 61) or e.Z > 83)
