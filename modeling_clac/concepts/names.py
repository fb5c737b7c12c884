"""
Blocks of names: one line for each mineral, trivial name or acronym, expanded to entries of a concept file.

A block is an entry with the keys `prefix` (of the ids), `kind`, `source`, `names` and perhaps `near: system`, which
makes all compounds of the same elements hold by half: "lithium titanium oxide" is most often Li4Ti5O12. A line is

    wordings = formulas [and test] [~ nearby formulas]   [# why it is ambiguous]

Wordings and formulas are separated by commas, the first wording is the name. A formula that is an acronym of
`formula_words_clac.ACRONYMS` stands for its compound, and becomes a wording; a solid solution then holds by half for
its end members.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache

from ..errors_clac import ClacInputError
from ..formula_words_clac import ACRONYM_NEEDS, ACRONYMS
from ..formulas_clac import read_formula

Values = dict[str, str | list[str]]

_KEYS = ("prefix", "kind", "source", "names")
_SYSTEM = "system"
_COMMA = re.compile(r",\s*(?![^()]*\))")
_SYMBOL = re.compile("[A-Z][a-z]?")
_FRACTION = re.compile(r"[./]")
_NO_LETTER = re.compile(r"[^a-z0-9]+")


def expand_names(values: Mapping[str, str | list[str]], place: str) -> Iterator[Values]:
    """
    Expand a block of names.

    Args:
        values: An entry of a concept file.
        place: Where it stands, for error messages.

    Yields:
        An entry for each line of `names`; the entry itself if it is not a block.

    Raises:
        ClacInputError: If the block or one of its lines is not of the form above.
    """
    if "names" not in values:
        yield dict(values)
        return
    unknown = sorted(set(values) - {*_KEYS, "near"})
    if unknown:
        raise ClacInputError(
            f"{place}: unknown key {unknown[0]} in a block of names; expected {', '.join(_KEYS)}, near"
        )
    if values.get("near", _SYSTEM) != _SYSTEM:
        raise ClacInputError(f"{place}: near: expected {_SYSTEM}, found {values['near']!r}")
    block = {"near": _SYSTEM} if "near" in values else {}
    for name in _KEYS:
        value = values.get(name)
        if not isinstance(value, str) or not value.strip():
            raise ClacInputError(f"{place}: {name}: expected a text in a block of names")
        block[name] = value
    for line in block.pop("names").splitlines():
        if line.strip():
            yield _entry(line.strip(), block, place)


def _entry(line: str, block: Mapping[str, str], place: str) -> Values:
    rule, _, ambiguous = line.partition("# ")
    left, equals, right = rule.partition(" = ")
    composition, _, nearby = right.partition("~")
    formulas, _, test = composition.partition(" and ")
    wordings, compounds = _items(left), _items(formulas)
    if not (equals and wordings and compounds):
        raise ClacInputError(f"{place}: names: expected `wordings = formulas`, found {line!r}")
    near = _items(nearby)
    acronym = compounds[0] if compounds[0] in ACRONYMS else None
    if acronym is not None:
        if acronym not in wordings and acronym not in ACRONYM_NEEDS:
            wordings.append(acronym)
        compounds = [ACRONYMS[acronym]]
        near += end_members(compounds[0])
    is_formula = _call(compounds)
    parts = [*([is_formula] if test else []), *([_call(near)] if near else [])]
    if "near" in block:
        parts += [_of_system(formula) for formula in compounds]
    partly = " or ".join(dict.fromkeys(parts))
    entry: Values = {
        "id": f"{block['prefix']}-{_slug(wordings[0])}",
        "kind": block["kind"],
        "name": wordings[0],
        "test": f"{is_formula} and ({test.strip()})" if test else is_formula,
        "source": block["source"],
        "wordings": wordings,
    }
    if partly:
        entry["partly"] = partly
    if ambiguous.strip():
        entry["ambiguous"] = ambiguous.strip()
    return entry


def _items(text: str) -> list[str]:
    return list(filter(None, map(str.strip, _COMMA.split(text))))


def _call(formulas: list[str]) -> str:
    return "formula({})".format(", ".join(f'"{formula}"' for formula in formulas))


def _of_system(formula: str) -> str:
    elements = ", ".join(dict.fromkeys(_SYMBOL.findall(formula)))
    return f"elements({elements}) and only({elements})"


def _slug(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", name.lower())
    return _NO_LETTER.sub("-", "".join(filter(str.isascii, decomposed)).replace("'", "")).strip("-")


@cache
def end_members(formula: str) -> list[str]:
    """
    List the end members of a solid solution.

    Neighbouring elements whose fractional amounts add up to a whole number share a site: `Pb(Zr0.52Ti0.48)O3` has the
    end members PbZrO3 and PbTiO3.

    Args:
        formula: A formula.

    Returns:
        Their formulas; none if the formula has no fractions, or if they do not add up.
    """
    if not _FRACTION.search(formula):
        return []
    members = [""]
    shared: list[str] = []
    total = 0.0
    # The oxygen last: it may stand between cations in the formula of a mixture.
    for symbol, amount in sorted(read_formula(formula).items(), key=lambda item: item[0] == "O"):
        total += amount
        shared.append(symbol)
        whole = round(total)
        # The oxygen of a doped oxide is a little short of a whole number.
        if whole >= 1 and abs(total - whole) < (0.25 if symbol == "O" and len(shared) == 1 else 0.02):
            members = [member + other + (str(whole) if whole > 1 else "") for member in members for other in shared]
            shared, total = [], 0.0
    return [] if shared else members


__all__ = ["end_members", "expand_names"]
