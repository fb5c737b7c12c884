"""Units that occur only in queries (Mohs, HV, $/kg, Å³), and the quantities that each unit can belong to."""

from __future__ import annotations

import re

from ...concepts.quantities import UNIT_COLUMNS, UNITLESS
from ...units_clac import Measure, canonical_unit, convert, read_unit

_MOHS = (("mohs", 1),)
_HV = (("HV", 1),)
_HV_BEHIND = re.compile(r"\s?(?:HV\b\d*|VHN\b|kgf?\s?/\s?mm(?:2|\^2|²))")
# 1 kgf/mm²
_GPA_PER_HV = 0.00980665
_PRICE = (("$/kg", 1),)
_CURRENCY = r"(?:US\s?)?\$|USD|dollars?|bucks|€|EUR|euros?"
# A dollar sign is gone from the text: it may have been one of LaTeX.
_PRICE_BEHIND = re.compile(
    rf"\s?(?:{_CURRENCY})?\s?(?:/|per|(?<=[a-z€]\s)an?|for\s+(?:a|one))\s?(?:kg|kilo(?:gram)?s?)\b", re.I
)
EUROS = re.compile("€|EUR|euros?", re.I)
_GPA = (("GPa", 1),)
_SPECIFIC = (("GPa", 1), ("cm", 3), ("g", -1))
_SPECIFIC_BEHIND = re.compile(r"\s?[·*]?\s?cm(?:3|\^3|³)\s?/\s?g\b")
_CUBIC_ANGSTROM = (("A", 3),)
_CUBIC_ANGSTROM_BEHIND = re.compile(r"\s?A3\b(?!\w)")
_MOHS_BEHIND = re.compile(
    r"\s*(?:(?:on|of|in)\s+)?(?:the\s+)?mohs\b(?:\s+(?:hardness\s+)?scale\b|\s+hardness\b)?", re.I
)
# Units that the reader of numbers in texts does not know.
_UNITS_BEHIND = (
    (_MOHS, _MOHS_BEHIND), (_HV, _HV_BEHIND), (_PRICE, _PRICE_BEHIND), (_CUBIC_ANGSTROM, _CUBIC_ANGSTROM_BEHIND),
)  # fmt: skip


def with_unit_behind(text: str, measure: Measure) -> Measure:
    """Add the unit that stands behind a number, if it is one of those that only queries have."""
    if measure.unit:
        behind = _SPECIFIC_BEHIND.match(text, measure.stop) if measure.unit == _GPA else None
        return measure if behind is None else measure._replace(unit=_SPECIFIC, stop=behind.end())
    for unit, pattern in _UNITS_BEHIND:
        if (behind := pattern.match(text, measure.stop)) is not None:
            return measure._replace(unit=unit, stop=behind.end())
    return measure


def columns_of_unit(measure: Measure) -> tuple[tuple[str, ...], dict[str, float]]:
    """Columns that have the unit of a number, with the factors that convert it."""
    if not measure.unit:
        return UNITLESS, {}
    if measure.unit == _MOHS:
        return ("mohs_hardness",), {}
    if measure.unit == _HV:
        return ("hardness",), {"hardness": _GPA_PER_HV}
    if measure.unit == _SPECIFIC:
        return ("specific_stiffness",), {}
    if measure.unit == _PRICE:
        return ("price",), {}
    if measure.unit == (("elements", 1),):
        return ("number_of_elements",), {}
    if measure.unit in (_CUBIC_ANGSTROM, (("angstrom", 3),), (("Å", 3),)):
        return UNIT_COLUMNS["Å³"], {}
    if measure.unit in ((("A", 3), ("atom", -1)), (("angstrom", 3), ("atom", -1))):
        return UNIT_COLUMNS["Å³/atom"], {}
    for unit, columns in UNIT_COLUMNS.items():
        if read_unit(unit) == measure.unit:
            return columns, {}
    canonical = canonical_unit(measure.unit)
    factor = None if canonical is None else convert(1.0, measure.unit, canonical)
    if canonical is None or factor is None:
        return (), {}
    columns = UNIT_COLUMNS[canonical]
    if canonical == "eV" and factor < 1:  # meV
        columns = ("energy_above_hull", "band_gap", "formation_energy_per_atom")
    return columns, dict.fromkeys(columns, factor)


__all__ = ["EUROS", "columns_of_unit", "with_unit_behind"]
