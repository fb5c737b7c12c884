"""What the page without Python needs to read queries as the package does: words, patterns, units and the vocabulary."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

from .. import (
    formula_grammar_clac,
    formula_roles_clac,
    formula_words_clac,
    lost_capitals_clac,
    quantities_clac,
    units_clac,
)
from ..errors_clac import ClacInputError

# Spellings of units that queries have; each is read by `units_clac`, and one that it cannot read is left out.
_ENERGIES = ("eV", "meV", "keV", "electron volts", "electronvolts", "kJ", "J")
_PER_ATOM = ("/atom", " per atom", " / atom", "/atoms")
_PRESSURES = ("GPa", "MPa", "kPa", "Pa", "TPa", "kbar", "Mbar", "bar", "mbar", "gigapascals", "gigapascal", "atm")
_MASSES, _VOLUMES = (
    ("g", "kg", "mg"),
    ("cm3", "cm^3", "cm³", "cc", "m3", "m^3", "m³", "mL", "ml", "L", "l", "Å3", "Å^3", "Å³"),
)
_LENGTHS = ("Å", "Å", "angstrom", "angstroms", "Angstrom", "nm", "pm", "um", "µm", "μm", "mm", "cm", "m", "nanometers")
_OTHERS = (
    *("C/m2", "C/m^2", "C/m²", "C m-2", "C m⁻²", "µC/cm2", "μC/cm2", "uC/cm2", "µC/cm²", "μC/cm²", "pC/N", "pm/V"),
    *(
        "K",
        "°C",
        "C",
        "V",
        "mV",
        "kV",
        "A",
        "mA",
        "T",
        "mT",
        "W",
        "mW",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "THz",
        "S",
        "s",
        "ms",
    ),
    *("ns", "mol", "Ω", "ohm", "Ry", "Ha", "atoms", "atom", "kg", "g", "mg", "W/mK", "W/(m K)", "W/m/K", "W m-1 K-1"),
    *("S/cm", "mS/cm", "S/m", "kJ/mol", "J/mol", "mAh/g", "g/mol", "V/m", "kV/cm", "MV/cm", "Ω cm", "µm", "Å/atom"),
)


def reading_tables(tokenizer: Path) -> dict[str, Any]:
    """
    Collect the tables of `reading.js`.

    Args:
        tokenizer: The `tokenizer.json` of a checkpoint.

    Raises:
        ClacInputError: If the tokenizer is not one of an uncased BERT, which is the only kind that the page can read.
    """
    state = json.loads(tokenizer.read_text(encoding="utf-8"))
    normalizer = state.get("normalizer") or {}
    if state["model"].get("type") != "WordPiece" or not normalizer.get("lowercase"):
        raise ClacInputError(f"{tokenizer}: the page reads word pieces of an uncased BERT; this is another tokenizer")
    vocabulary = state["model"]["vocab"]
    words, roles, lost = formula_words_clac, formula_roles_clac, lost_capitals_clac
    patterns = {
        "symbol": formula_grammar_clac.SYMBOL,
        "acronym": "(?:" + "|".join(sorted(map(re.escape, words.ACRONYMS), key=len, reverse=True)) + r")(?![\w])",
        "anion": formula_grammar_clac._ANION.pattern,
        "layered": words._LAYERED + r"(?![\w])",
        "symmetry": words.SYMMETRY.pattern,
        "plural": roles._PLURAL.pattern,
        "subject_behind": roles._SUBJECT_BEHIND.pattern,
        "crystal_system": roles._CRYSTAL_SYSTEM.pattern,
        "not_element_behind": roles._NOT_ELEMENT_BEHIND.pattern,
        "not_element_before": roles._NOT_ELEMENT_BEFORE.pattern,
        "tc_behind": roles._TC_BEHIND.pattern,
        "capital_word": roles._CAPITAL_WORD.pattern,
        "capital_before": roles._CAPITAL_BEFORE.pattern,
        "number": units_clac._NUMBER.pattern,
        "bound": units_clac._BOUND.pattern,
        "bound_behind": units_clac._BOUND_BEHIND.pattern,
        "geometry": quantities_clac._GEOMETRY.pattern,
    }
    return {
        "vocabulary": sorted(vocabulary, key=vocabulary.__getitem__),
        "elements": formula_grammar_clac.ELEMENTS,
        "number": quantities_clac.NUMBER,
        "density": quantities_clac.DENSITY,
        "strukturbericht": words.STRUKTURBERICHT,
        "acronyms": words.ACRONYMS,
        "needs": {name: needed.pattern for name, needed in words.ACRONYM_NEEDS.items()},
        "caseless": lost._CASELESS,
        "states": lost._STATES,
        "nonmetals": lost._NONMETALS,
        "words": {
            name: sorted(own)
            for name, own in {
                "not_elements": words.NOT_ELEMENTS,
                "never_elements": words.NEVER_ELEMENTS,
                "not_compounds": words.NOT_COMPOUNDS,
                "other_meaning": words.OTHER_MEANING,
                "capitals": words.CAPITALS,
                "capitals_alone": words.CAPITALS_ALONE,
                "capitals_in_capitals": words.CAPITALS_IN_CAPITALS,
                "numbered_acronyms": words.NUMBERED_ACRONYMS,
                "molecules": words.ELEMENTAL_MOLECULES,
                "prototypes": words.PROTOTYPES,
                "lost_words": lost.WORDS,
                "numbered_words": lost._WORDS_WITH_NUMBERS,
                "not_first": lost._NOT_FIRST,
                "last": lost._LAST,
            }.items()
        },
        "patterns": patterns,
        "units": _units(),
    }


def _units() -> dict[str, dict[str, Any]]:
    """Spelling -> whether it is a length, its canonical spelling, or the canonical unit of its quantity and factor."""
    spellings = [*_ENERGIES, *_PRESSURES, *_LENGTHS, *_VOLUMES, *_OTHERS]
    spellings += [f"{energy}{atom}" for energy, atom in itertools.product(_ENERGIES, _PER_ATOM)]
    spellings += [f"{volume}{atom}" for volume, atom in itertools.product(("Å3", "Å^3", "Å³"), _PER_ATOM)]
    for mass, volume in itertools.product(_MASSES, _VOLUMES):
        spellings += [f"{mass}/{volume}", f"{mass} / {volume}", f"{mass} per {volume}"]
    for mass, volume in itertools.product(_MASSES, ("cm", "m")):
        spellings += [f"{mass}{between}{volume}{power}" for between in (" ", "·") for power in ("-3", "^-3", "⁻³")]
    found: dict[str, dict[str, Any]] = {}
    for spelling in dict.fromkeys(spellings):
        unit = units_clac.read_unit(spelling)
        if not unit:
            continue
        canonical = units_clac._canonical().get(unit)
        target = units_clac.canonical_unit(unit)
        factor = None if canonical or target is None else units_clac.convert(1.0, unit, target)
        is_length = len(unit) == 1 and unit[0][1] == 1 and unit[0][0] in quantities_clac._LENGTHS
        # An entry has a length if it is one, so that `own.unit.length` tells.
        found[spelling] = {
            **({"length": 1} if is_length else {}),
            **({"canonical": canonical} if canonical else {}),
            **({"to": target, "factor": factor} if factor is not None else {}),
        }
    return found


__all__ = ["reading_tables"]
