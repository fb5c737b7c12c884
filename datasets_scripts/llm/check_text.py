"""Check whether a text agrees with the property record that it describes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS
from modeling_clac.data.properties import NUMERIC_COLUMNS, PROPERTIES, UNIT_SPELLINGS
from modeling_clac.formulas_clac import COMPOSITION, find_formulas, read_formula
from modeling_clac.quantities_clac import NUMBER, find_quantities

# Units of quantities that follow from the columns and that a text may state.
_DERIVED = {"volume_per_atom": "Å³/atom"}


def _spelled_units() -> dict[str, tuple[float, tuple[str, ...]]]:
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    for column, unit in ({column: row.unit for column, row in PROPERTIES.items() if row.unit} | _DERIVED).items():
        for spelling, factor in UNIT_SPELLINGS.get(unit, {unit: 1.0}).items():
            _, columns = found.get(spelling, (factor, ()))
            found[spelling] = (factor, (*columns, column))
    return found


# Spelling of a unit -> (factor to the unit of the columns, columns with this unit).
UNITS = _spelled_units()
# Longest units first, so that "eV/atom" is not read as "eV".
_UNIT = re.compile(
    r"\s?(" + "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True)) + r")(?![\w³²^])"
)
_WORD = re.compile(r"[A-Z][\w/-]*")
# Half a unit of the last digit, plus a tolerance for floating-point rounding.
_HALF = 0.5 + 1e-6


def text_problems(text: str, record: Mapping[str, Any], needs_formula: bool = True) -> list[str]:
    """
    Find statements in a text that its record does not support.

    A number is correct if it equals a value of the record in the unit that follows the number, rounded to the digits
    shown. The numbers of atoms and elements in the formula count as values. Other formulas, crystal systems and space
    groups than those of the record are wrong.

    Args:
        text: Text to check.
        record: Property columns, see `modeling_clac.narrator.narratives`; unknown values are missing or null.
        needs_formula: Whether the text must contain the formula.

    Returns:
        One short sentence per problem; empty if the text passes.
    """
    if not text.strip():
        return ["the text is empty"]
    problems = [*_formula_problems(text, record, needs_formula), *_symmetry_problems(text, record)]
    values = _values(record)
    end_of_unit = 0
    for start, end, kind, value in find_quantities(text):
        # Skip digits inside units, such as the 3 in g/cm^3.
        if kind < NUMBER or start < end_of_unit or _is_inside_formula(text, start):
            continue
        unit = _UNIT.match(text, end)
        end_of_unit = unit.end() if unit else end
        factor, columns = UNITS[unit.group(1)] if unit else (1.0, tuple(values))
        shown = text[start:end]
        if not any(_equals(shown, value, actual / factor) for column in columns for actual in values.get(column, ())):
            problems.append(f"the number {shown}{' ' + unit.group(1) if unit else ''} is not in the record")
    return problems


def _values(record: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return the numbers that a text may give for each column."""
    values: dict[str, tuple[float, ...]] = {}
    for column in NUMERIC_COLUMNS:
        value = record.get(column)
        if value is not None and math.isfinite(float(value)):
            values[column] = (float(value),)
    if "volume" in values and values.get("nsites", (0.0,))[0] > 0:
        values["volume_per_atom"] = (values["volume"][0] / values["nsites"][0],)
    formula = record.get("formula")
    if formula:
        amounts = read_formula(str(formula))
        values["composition"] = (float(len(amounts)), *amounts.values(), float(sum(amounts.values())))
    return values


def _equals(shown: str, value: float, actual: float) -> bool:
    """Return whether `actual`, rounded to the digits of `shown`, equals `value`; a missing minus sign is wrong."""
    mantissa, _, exponent = shown.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return abs(value - actual) <= _HALF * 10.0**-decimals


def _is_inside_formula(text: str, start: int) -> bool:
    return start > 0 and text[start - 1].isalpha()


def _formula_problems(text: str, record: Mapping[str, Any], needed: bool) -> list[str]:
    formula = record.get("formula")
    if not formula:
        return []
    own = _fractions(read_formula(str(formula)))
    stated = False
    problems = []
    for found in find_formulas(text):
        shares = _fractions(found.amounts)
        if found.role != COMPOSITION or not shares:
            continue
        same = shares.keys() == own.keys() and all(abs(shares[key] - own[key]) < 1e-4 for key in own)
        stated |= same
        if not same and len(shares) > 1:
            problems.append(f"{text[found.start : found.end]} is not its formula")
    if needed and not stated and str(formula) not in text:
        problems.insert(0, f"the formula {formula} is missing")
    return problems


def _fractions(amounts: Mapping[str, float]) -> dict[str, float]:
    total = sum(amounts.values()) or 1.0
    return {symbol: amount / total for symbol, amount in amounts.items()}


def _symmetry_problems(text: str, record: Mapping[str, Any]) -> list[str]:
    problems = []
    system = str(record.get("crystal_system") or "").lower()
    for word in CRYSTAL_SYSTEMS:
        if system and word != system and re.search(rf"\b{word}\b", text, flags=re.IGNORECASE):
            problems.append(f"it is {system}, not {word}")
    symbol = str(record.get("space_group_symbol") or "")
    if symbol:
        plain = symbol.replace("_", "")
        for found in _WORD.findall(text):
            if found.replace("_", "") != plain and found.replace("_", "") in _space_groups():
                problems.append(f"its space group is {symbol}, not {found}")
    return problems


@lru_cache(maxsize=1)
def _space_groups() -> frozenset[str]:
    """Return short Hermann-Mauguin symbols (`P63/mmc`), except those that look like a formula (`Cm`, `C2`)."""
    import gemmi

    names = {group.short_name().replace(" ", "") for group in gemmi.spacegroup_table()}
    return frozenset(name for name in names if len(name) > 2)


__all__ = ["UNITS", "text_problems"]
