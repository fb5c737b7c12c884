"""Check whether a text agrees with the property record that it describes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS
from modeling_clac.data.properties import NUMERIC_COLUMNS, PROPERTIES
from modeling_clac.formulas_clac import COMPOSITION, find_formulas, read_formula
from modeling_clac.units_clac import Unit, convert, find_measures

# Column -> unit, with a quantity that follows from the columns and that a text may state.
_UNITS = {column: row.unit for column, row in PROPERTIES.items() if row.unit} | {"volume_per_atom": "Å³/atom"}


_MANTISSA = re.compile(r"[-+]?\d+(?:\.\d+)?")
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
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return [f"the text has half a character (U+{ord(text[error.start]):04X})"]
    problems = [*_formula_problems(text, record, needs_formula), *_symmetry_problems(text, record)]
    values = _values(record)
    formulas = find_formulas(text)
    for measure in find_measures(text):
        if any(formula.start < measure.end and measure.start < formula.end for formula in formulas):
            continue
        shown = text[measure.start : measure.end]
        if not any(_equals(shown, measure.value, actual) for actual in _possible(values, measure.unit)):
            unit = text[measure.end : measure.stop].strip()
            problems.append(f"the number {f'{shown} {unit}'.strip()} is not in the record")
    return problems


def _values(record: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return the numbers that a text may give for each column."""
    values: dict[str, tuple[float, ...]] = {}
    for column in NUMERIC_COLUMNS:
        value = record.get(column)
        if value is not None and math.isfinite(float(value)):
            values[column] = (float(value),)
    formula = record.get("formula")
    # The sites of a disordered crystal are not atoms.
    if "volume" in values and values.get("nsites", (0.0,))[0] > 0 and "." not in str(formula):
        values["volume_per_atom"] = (values["volume"][0] / values["nsites"][0],)
    if formula:
        amounts = read_formula(str(formula))
        values["composition"] = (float(len(amounts)), *amounts.values(), float(sum(amounts.values())))
    return values


def _possible(values: Mapping[str, tuple[float, ...]], unit: Unit) -> list[float]:
    """Return the values in the unit of a number; all values if no column has such a unit."""
    found: list[float] = []
    has_column = False
    for column, target in _UNITS.items():
        # Texts often omit "per atom".
        for stated in (target, target.removesuffix("/atom")):
            factor = convert(1.0, stated, unit) if unit else None
            if factor is not None:
                has_column = True
                found += [value * factor for value in values.get(column, ())]
    return found if has_column else [value for own in values.values() for value in own]


def _equals(shown: str, value: float, actual: float) -> bool:
    """Return whether `actual`, rounded to the digits of `shown`, equals `value`; a missing minus sign is wrong."""
    mantissa = _MANTISSA.match(shown.replace(",", "").replace("−", "-"))
    assert mantissa is not None
    own = float(mantissa.group())
    # Numbers such as 1e400 are infinite.
    if not (math.isfinite(own) and math.isfinite(value)):
        return False
    exponent = round(math.log10(value / own)) if own and value else 0
    decimals = len(mantissa.group().partition(".")[2]) - exponent
    return abs(value - actual) <= _HALF * 10.0**-decimals


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


__all__ = ["text_problems"]
