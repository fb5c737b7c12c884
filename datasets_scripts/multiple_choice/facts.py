"""Determine the class of a crystal for each kind of question from its atoms and its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pymatgen.symmetry.groups import sg_symbol_from_int_number

from datasets_scripts.common.records import split_of_record
from modeling_clac.concepts.elements import ANION_NAMES
from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS, crystal_system
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.structure_facts import formula_amounts, reduced_formula
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.formulas_clac import read_formula
from modeling_clac.narrator.narratives import METASTABLE, ON_HULL
from modeling_clac.narrator.phrases import class_word, with_article
from modeling_clac.narrator.record import read_record
from modeling_clac.structures_clac import parse_structure


@dataclass(frozen=True)
class Facts:
    """
    Facts about one crystal.

    Attributes:
        material_id: Identifier.
        formula: Reduced formula, computed from the atoms.
        cif: Structure as a CIF.
        split: Split of the crystal.
        amounts: Number of atoms of each element in the reduced formula, by symbol.
        truths: Correct class by kind of question; kinds that cannot be decided are missing.
    """

    material_id: str
    formula: str
    cif: str
    split: str
    amounts: Mapping[str, float]
    truths: Mapping[str, str]


def facts_of(where: str, record: Mapping[str, Any], seed: int) -> tuple[Facts, Crystal]:
    """
    Determine the facts of one row.

    Args:
        where: File and row, for messages.
        record: Row with `material_id`, `formula` and `cif`; property columns may be missing or empty.
        seed: Seed of the split if the record gives none.

    Returns:
        The facts and the structure.

    Raises:
        ClacInputError: If the structure cannot be read or contradicts the record, or the record contradicts itself.
    """
    crystal = _structure(where, record.get("cif"))
    amounts = formula_amounts(crystal)
    formula = reduced_formula(amounts)
    if reduced_formula(read_formula(record["formula"])) != formula:
        raise ClacInputError(
            f"{where}: the formula is {record['formula']}, but the atoms in the CIF give {formula}; correct one of them"
        )
    known = read_record(record)
    system, group = _symmetry(where, known.crystal_system, known.numbers.get("space_group_number"))
    truths = {
        "composition": formula,
        "crystal_system": system,
        "space_group": group,
        "oxide": "an oxide" if "O" in amounts and len(amounts) > 1 else "no oxide",
        "anion": _anion(amounts),
        **_by_gap(known.numbers.get("band_gap")),
        **_by_energy(known.numbers.get("energy_above_hull")),
        "density": class_word("density", crystal.density),
        "stiffness": _word("bulk_modulus_vrh", known.numbers.get("bulk_modulus_vrh")),
    }
    facts = Facts(
        material_id=record["material_id"],
        formula=formula,
        cif=record["cif"],
        split=split_of_record({**record, "formula": formula}, seed),
        amounts=amounts,
        truths={kind: label for kind, label in truths.items() if label is not None},
    )
    return facts, crystal


def _structure(where: str, cif: Any) -> Crystal:
    # A text of one line would be taken for the name of a file.
    if not isinstance(cif, str) or "\n" not in cif.strip():
        raise ClacInputError(f"{where}: column cif does not contain CIF text; fix the row or use --on_error skip")
    return parse_structure(cif, name=where)


def _anion(amounts: Mapping[str, float]) -> str | None:
    """Return the class, such as `an oxide`; `None` if several elements could be the anion."""
    anions = [symbol for symbol in amounts if symbol in ANION_NAMES]
    return with_article(ANION_NAMES[anions[0]]) if len(anions) == 1 and len(amounts) > 1 else None


def _symmetry(where: str, system: str | None, number: float | None) -> tuple[str | None, str | None]:
    """Return the crystal system and the space group symbol in the standard setting."""
    if number is None:
        if system is not None and system not in CRYSTAL_SYSTEMS:
            raise ClacInputError(f"{where}: crystal_system {system} must be one of {', '.join(CRYSTAL_SYSTEMS)}")
        return system, None
    if number != int(number) or not 1 <= number <= 230:
        raise ClacInputError(f"{where}: space_group_number {number:g} must be an integer from 1 to 230")
    of_group = crystal_system(int(number))
    if system not in (None, of_group):
        raise ClacInputError(
            f"{where}: crystal_system is {system}, but space group {int(number)} is {of_group}; correct one of them"
        )
    return of_group, _symbol(int(number))


@lru_cache(maxsize=230)
def _symbol(number: int) -> str:
    """Return the short Hermann-Mauguin symbol of the standard setting: P2_1/c, where pymatgen writes P12_1/c1."""
    symbol = sg_symbol_from_int_number(number)
    if crystal_system(number) != "monoclinic":
        return symbol
    return symbol[0] + symbol[1:].removeprefix("1").removesuffix("1")


def _by_gap(gap: float | None) -> dict[str, str]:
    if gap is None:
        return {}
    if gap <= 0:
        return {"metal": "a metal"}
    return {"metal": "an insulator", "band_gap": with_article(class_word("band_gap", gap))}


def _by_energy(energy: float | None) -> dict[str, str]:
    if energy is None:
        return {}
    if ON_HULL < energy <= METASTABLE:
        return {"stability": "metastable"}
    label = "stable" if energy <= ON_HULL else "unstable"
    return {"stable": label, "stability": label}


def _word(column: str, value: float | None) -> str | None:
    return None if value is None else class_word(column, value)


def found_space_group(crystal: Crystal, symprec: float) -> str | None:
    """
    Determine the space group of a structure with moyopy.

    Args:
        crystal: Structure.
        symprec: Tolerance of the positions in Å.

    Returns:
        The space group symbol, or `None` if moyopy finds none.

    Raises:
        ClacInputError: If moyopy is not installed.
    """
    try:
        import moyopy
    except ImportError:
        raise ClacInputError("--symprec requires moyopy: pip install moyopy") from None
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    cell = moyopy.Cell(
        basis=crystal.cell.tolist(), positions=fractional.tolist(), numbers=crystal.atomic_numbers.tolist()
    )
    try:
        return _symbol(moyopy.MoyoDataset(cell, symprec=symprec).number)
    except ValueError:
        return None


__all__ = ["Facts", "facts_of", "found_space_group"]
