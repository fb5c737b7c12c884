"""
Numbers with units in texts: spellings of units, ranges and bounds, and conversion.

This is the one reader of units. `pint` converts them; it is imported only where a text uses a unit that is not one of
`CANONICAL_UNITS`, since every search starts with this module.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

# A unit as powers of its symbols, sorted: g/cm³ is (("cm", -3), ("g", 1)).
Unit = tuple[tuple[str, int], ...]

DENSITY_UNIT: Unit = (("cm", -3), ("g", 1))
# Units in which properties are stated, with the spelling that models know. Also "per atom" for "/atom".
CANONICAL_UNITS = ("eV", "eV/atom", "GPa", "g/cm³", "Å³", "Å³/atom", "C/m²")

_PREFIX = "[fpnuµμmcdkMGT]"
# Prefix -> power of ten, in the plain spelling of `read_unit`.
_PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "c": -2, "d": -1, "k": 3, "M": 6, "G": 9, "T": 12}
# Symbols that take prefixes, and others. Longer ones come first.
_PREFIXED = (
    "eV",
    "Pa",
    "bar",
    "mol",
    "Hz",
    "Ω",
    "ohm",
    "W",
    "S",
    "V",
    "J",
    "K",
    "C",
    "F",
    "T",
    "A",
    "N",
    "g",
    "m",
    "s",
    "L",
    "l",
)
_PLAIN = (
    "°C",
    "℃",
    "Å",
    "Å",
    "Angstroms?",
    "angstroms?",
    "cc",
    "atoms?",
    "atm",
    "Ry",
    "Ha",
    "f\\.u\\.",
    "formula unit",
)
_WORDS = {
    # Typed without looking at capitals.
    "ev|EV|Ev": "eV",
    "mev": "meV",
    "gpa|Gpa|GPA": "GPa",
    "electron ?volts?": "eV",
    "gigapascals?": "GPa",
    "megapascals?": "MPa",
    "kilopascals?": "kPa",
    "kilobars?": "kbar",
    "nanomet(?:er|re)s?": "nm",
    "picomet(?:er|re)s?": "pm",
    "cubic centimet(?:er|re)s?": "cm^3",
    "cubic met(?:er|re)s?": "m^3",
    "kilograms?": "kg",
    "grams?": "g",
    "kelvins?": "K",
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
_SYMBOL = rf"(?:{'|'.join(_WORDS)}|{'|'.join(_PLAIN)}|{_PREFIX}?(?:{'|'.join(_PREFIXED)}))(?![a-zA-Z])"
# Without a caret, only lengths have positive powers (cm3).
_POWER = r"(?:[⁻−]?[¹²³⁴⁵⁶]+|\s?(?:\^|\*\*)\s?\{?\s?[-−]?\s?\d\}?|[-−]\d(?!\d)|(?<=[mÅÅ])[2-6](?!\d))"
_DIVISION = r"\s?/\s?|\s[Pp]er\s"


# Compiled on first use: this takes longer than a search for a text without numbers may spend on it.
@lru_cache(maxsize=1)
def _factor() -> re.Pattern[str]:
    return re.compile(rf"(?P<symbol>{_SYMBOL})(?P<power>{_POWER})?")


@lru_cache(maxsize=1)
def _unit() -> re.Pattern[str]:
    # Factors side by side have negative powers: W m-1 K-1.
    return re.compile(
        rf"{_SYMBOL}(?:{_POWER})?"
        rf"(?:(?:{_DIVISION})\(?{_SYMBOL}(?:{_POWER})?(?:[\s·⋅*.-]{_SYMBOL}(?:{_POWER})?\))?"
        rf"|(?:\s?[·⋅*]\s?|\s|\.){_SYMBOL}\s?(?:[⁻−][¹²³⁴⁵⁶]|\^?\{{?[-−]\d\}}?))*"
        r"(?![\w³²^])"
    )


# In a conductivity, mK are metres times kelvins.
_CONDUCTIVITY = re.compile(r"(?P<watts>[mµμ]?W)\s?/\s?m\s?K(?!\w)")
_NAMES = {
    "µ": "u",
    "μ": "u",
    "Å": "Å",
    "Angstrom": "Å",
    "angstrom": "Å",
    "℃": "°C",
    "ohm": "Ω",
    "l": "L",
    "atoms": "atom",
}

# Not part of a word, formula, space group or identifier (Fm-3m, mp-149), but both ends of a range such as 10-20. A unit
# may follow without a blank (5eV).
_NUMBER = re.compile(
    r"(?<![\w./)\]])(?<![^\W\d]-)[-−+]?(?:\d{1,3}(?:,\d{3}){1,10}|\d+)(?:\.\d+)?"
    r"(?:[eE][-+−]?\d+|\s?[×x·⋅*]\s?10\s?(?:\^\s?\{?[-−+]?\d+\}?|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))?(?!,\d|\.\d)"
)
_POWER_OF_TEN = re.compile(r"\s?[×x·⋅*]\s?10\s?(?:\^\s?\{?(?P<line>[-−+]?\d+)\}?|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))$")
# Words and signs before and after a number that make it a bound or the end of a range.
_BOUND = re.compile(
    r"(?:[<>≤≥~±–-]|\b(?:above|below|over|under|than|least|most|beyond|exceeding|exceeds|between|to)"
    r"|between\s+[\d.]+\s+and)\s*$"
)
_BOUND_BEHIND = re.compile(
    r"\s*(?:(?:or|and)\s+(?:more|less|above|below|over|under|up|higher|lower|greater|denser|larger|smaller|beyond)\b"
    r"|at\s+(?:least|most)\b|(?:minimum|maximum)\b)"
)
_RANGE = re.compile(r"\s?(?:[-–—]|to|±|\+/-)\s?")
_CONTEXT = 24
_LARGEST_NUMBER = 1e30


class Measure(NamedTuple):
    """
    A number in a text with its unit.

    Attributes:
        start: Index of the first character of the number.
        end: Index after the last character of the number.
        value: The number.
        unit: Its unit; empty if it has none. The first number of a range has that of the second.
        stop: Index after the last character of the unit, or `end` if no unit follows.
        bound: Whether it is a bound, an end of a range or a tolerance, so that it is not a value.
    """

    start: int
    end: int
    value: float
    unit: Unit
    stop: int
    bound: bool


def find_measures(text: str) -> list[Measure]:
    """
    Find the numbers in a text.

    Args:
        text: The text.

    Returns:
        The numbers, in the order of the text.
    """
    found: list[Measure] = []
    for match in _NUMBER.finditer(text):
        if found and match.start() < found[-1].stop:
            continue  # a power in a unit
        unit, stop = _unit_behind(text, match.end())
        if not unit and text[match.end() : match.end() + 1].isalnum():
            continue
        if match.end() < len(text) and text[match.end()] == "_":
            continue
        start = max(0, match.start() - _CONTEXT)
        bound = bool(_BOUND.search(text, start, match.start()) or _BOUND_BEHIND.match(text, stop))
        found.append(Measure(match.start(), match.end(), read_number(match.group()), unit, stop, bound))
        if len(found) > 1:
            found[-2:] = _joined(text, *found[-2:])
    return found


def _joined(text: str, first: Measure, second: Measure) -> tuple[Measure, Measure]:
    """Mark the ends of a range and give both the unit of the second: `1-2 eV`, `between 1 and 2 eV`."""
    between = text[first.stop : second.start]
    is_range = _RANGE.fullmatch(between) is not None
    if not is_range and not (between.strip() == "and" and first.bound and second.bound):
        return first, second
    tolerance = "±" in between or "+/-" in between
    unit = first.unit or second.unit
    return first._replace(unit=unit, bound=first.bound or not tolerance), second._replace(bound=True)


def read_number(word: str) -> float:
    """
    Return the value of a number in a text, such as `1,200`, `−0.5`, `1e-3` or `2×10⁻³`.

    Numbers beyond ±10³⁰, which no property has, become the nearer of these two.
    """
    exponent = 0
    power = _POWER_OF_TEN.search(word)
    if power is not None:
        word = word[: power.start()]
        digits = (power["line"] or power["raised"].replace("⁺", "")).translate(_SUPERSCRIPTS)
        # Longer powers are beyond the range of floating-point numbers.
        exponent = int(digits) if len(digits) < 5 else 9_999 * (-1 if digits.startswith("-") else 1)
    number = float(word.replace("−", "-").replace(",", ""))
    if -300 < exponent < 300:
        number *= 10.0**exponent
    else:
        number *= 0.0 if exponent < 0 else _LARGEST_NUMBER**10
    return max(-_LARGEST_NUMBER, min(number, _LARGEST_NUMBER))


def _unit_behind(text: str, place: int) -> tuple[Unit, int]:
    start = place
    while text[start : start + 1] in (" ", "~", "\u00a0", "\u202f") and start - place < 2:
        start += 1
    match = _CONDUCTIVITY.match(text, start) or _unit().match(text, start)
    return (read_unit(match.group()), match.end()) if match else ((), place)


def read_unit(text: str) -> Unit:
    """
    Read a unit in any common spelling: `g/cm³`, `g cm-3`, `g/cc`, `meV per atom`, `W/(m K)`.

    Args:
        text: The unit and nothing else.

    Returns:
        The unit; empty if the text is not a unit.
    """
    conductivity = _CONDUCTIVITY.fullmatch(text)
    if conductivity:
        text = f"{conductivity['watts']}/(m K)"
    elif not _unit().fullmatch(text):
        return ()
    powers: dict[str, int] = {}
    divided = False
    place = 0
    for match in _factor().finditer(text):
        between = text[place : match.start()]
        divided |= "/" in between or "per" in between.lower()
        place = match.end()
        symbol, own = _plain_symbol(match["symbol"])
        own *= int((match["power"] or "1").translate(_SUPERSCRIPTS).strip(" ^*{}").replace(" ", ""))
        powers[symbol] = powers.get(symbol, 0) + (-own if divided else own)
    return tuple(sorted((symbol, power) for symbol, power in powers.items() if power))


def _plain_symbol(symbol: str) -> tuple[str, int]:
    """Return the plain spelling of a symbol, and its power."""
    for pattern, plain in _WORDS.items():
        if re.fullmatch(pattern, symbol):
            return (plain[:-2], 3) if plain.endswith("^3") else (plain, 1)
    if symbol == "cc":
        return "cm", 3
    if symbol in _NAMES:
        return _NAMES[symbol], 1
    if symbol.startswith(("µ", "μ")):
        symbol = "u" + symbol[1:]
    if symbol.endswith("l") and len(symbol) == 2:
        symbol = symbol[0] + "L"
    return symbol.removesuffix("s") if symbol.lower().startswith("angstrom") else symbol, 1


@lru_cache(maxsize=1)
def _canonical() -> dict[Unit, str]:
    return {read_unit(spelling): spelling for spelling in CANONICAL_UNITS}


# Units of the same quantities in other multiples: symbols without prefixes -> canonical unit.
_MULTIPLES: dict[Unit, str] = {
    (("eV", 1),): "eV",
    (("atom", -1), ("eV", 1)): "eV/atom",
    (("Pa", 1),): "GPa",
    (("bar", 1),): "GPa",
    (("g", 1), ("m", -3)): "g/cm³",
    (("L", -1), ("g", 1)): "g/cm³",
    (("m", 3),): "Å³",
    (("atom", -1), ("m", 3)): "Å³/atom",
    (("C", 1), ("m", -2)): "C/m²",
}
# Other spellings of canonical units that models know.
_KNOWN = (" eV per atom", " Å³ per atom")
# Converted values outside this range belong to other things: a furnace at 1 bar, a beaker of 5 cm³.
_SMALLEST, _LARGEST = 1e-3, 1e5


def canonical_measure(text: str, measure: Measure) -> tuple[str, str] | None:
    """
    Convert a number to the canonical unit of its quantity.

    Args:
        text: The text of the number.
        measure: The number.

    Returns:
        The number and the unit in plain spelling, with an empty unit for the first number of a range; `None` if both
        are spelled so in the text, if no canonical unit fits, or if `pint` is not installed.
    """
    target = _canonical().get(measure.unit)
    spelled = text[measure.end : measure.stop]
    if target is not None:
        if not spelled or spelled in (f" {target}", *_KNOWN):
            return None
        return text[measure.start : measure.end], target
    target = canonical_unit(measure.unit)
    value = None if target is None else convert(measure.value, measure.unit, target)
    if value is None or not _SMALLEST <= abs(value) < _LARGEST:
        return None
    # The unit of the first number of a range stands behind the second.
    return f"{value:.6g}", target or "" if spelled else ""


def _without_prefix(symbol: str) -> str:
    return symbol[1:] if len(symbol) > 1 and symbol[1:] in _PREFIXED and symbol not in _PREFIXED else symbol


def canonical_unit(unit: Unit) -> str | None:
    """
    Return the canonical unit of the quantity of a unit, such as `GPa` for kbar; `None` if there is none.

    Args:
        unit: The unit, with any prefixes.
    """
    return _canonical().get(unit) or _MULTIPLES.get(_plain_unit(unit))


def _plain_unit(unit: Unit) -> Unit:
    return tuple(sorted((_without_prefix(symbol), power) for symbol, power in unit))


def _power_of_prefixes(unit: Unit) -> int:
    """Return the power of ten of the prefixes of a unit, so that meV and kg/m³ need no `pint`."""
    prefixes = ((symbol.removesuffix(_without_prefix(symbol)), power) for symbol, power in unit)
    return sum(_PREFIXES[prefix] * power for prefix, power in prefixes if prefix)


def convert(value: float, unit: Unit | str, target: Unit | str) -> float | None:
    """
    Convert a value to another unit.

    Args:
        value: The value.
        unit: Its unit.
        target: The other unit.

    Returns:
        The value in the other unit; `None` if it is of another quantity, or if `pint` is not installed.
    """
    units = [read_unit(each) if isinstance(each, str) else each for each in (unit, target)]
    if units[0] == units[1]:
        return value
    if _plain_unit(units[0]) == _plain_unit(units[1]):
        power = _power_of_prefixes(units[0]) - _power_of_prefixes(units[1])
        return value * 10.0**power if power >= 0 else value / 10.0**-power
    registry = _registry()
    if registry is None or not all(units):
        return None
    quantities = [registry.Unit(_expression(each)) for each in units]
    if quantities[0].dimensionality != quantities[1].dimensionality:
        return None
    return float(registry.Quantity(value, quantities[0]).to(quantities[1]).magnitude)


def _expression(unit: Unit) -> str:
    names = {"Å": "angstrom", "°C": "degC", "Ω": "ohm", "f.u.": "formula_unit", "formula unit": "formula_unit"}
    return " * ".join(f"{names.get(symbol, symbol)} ** {power}" for symbol, power in unit)


@lru_cache(maxsize=1)
def _registry() -> Any:
    try:
        import pint
    except ImportError:
        return None
    registry: Any = pint.UnitRegistry()
    registry.define("atom = [number_of_atoms]")
    registry.define("formula_unit = [number_of_formula_units]")
    return registry


__all__ = [
    "CANONICAL_UNITS",
    "DENSITY_UNIT",
    "Measure",
    "Unit",
    "canonical_measure",
    "canonical_unit",
    "convert",
    "find_measures",
    "read_number",
    "read_unit",
]
