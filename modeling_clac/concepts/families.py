"""Regular wordings of concepts that come in families, such as those of an element from its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import gemmi

from .elements import ELEMENT_NAMES, METALS

_BY_NAME = (
    "{name}",
    "contains {name}",
    "containing {name}",
    "{name}-containing",
    "{name}-bearing",
    "{name}-based",
    "{name} compound",
    "compound of {name}",
    "compound with {name}",
    "compound containing {name}",
    "with {name}",
    "with {name} in it",
    "has {name}",
    "has {name} in it",
    "includes {name}",
    "including {name}",
    "made with {name}",
    "made from {name}",
    "{name} in the formula",
    "{name} in the structure",
    "incorporates {name}",
    "comprises {name}",
    "{name} atoms",
)
_BY_SYMBOL = (
    "contains {symbol}",
    "containing {symbol}",
    "{symbol}-containing",
    "{symbol}-bearing",
    "{symbol}-based",
    "{symbol} compound",
    "{symbol} atoms",
    "with {symbol} in it",
)
# Symbols that are English words: "contains in its structure" is not indium, and "known as compounds" not arsenic.
_WORD_SYMBOLS = frozenset({"Am", "As", "At", "Be", "He", "I", "In", "No"})
# Bare names and phrases with another meaning in a query.
_OTHERWISE_USED = frozenset(
    {
        "lead",  # "lead to"
        "hydrogen atoms",  # a gas
        "carbon-based",  # organic
        "silicon-based",  # devices
    }
)
_SYMBOLS = {name: symbol for symbol, name in ELEMENT_NAMES.items()}


def element_wordings(symbol: str) -> tuple[str, ...]:
    """
    Return the wordings that every element has, such as "contains iron" and "Fe-based".

    Args:
        symbol: Symbol of the element.
    """
    name = ELEMENT_NAMES[symbol]
    templates = _BY_NAME if symbol in _WORD_SYMBOLS else (*_BY_NAME, *_BY_SYMBOL)
    # Ions of nonmetals are the anions.
    if symbol in METALS:
        templates = (*templates, "{name} ions", "{name} cations")
    wordings = (template.format(name=name, symbol=symbol) for template in templates)
    return tuple(wording for wording in wordings if wording not in _OTHERWISE_USED)


# A symbol as short as these is more often something else: promethium, a Raman line, a dimer.
_SHORTEST_SYMBOL = 3


@lru_cache(maxsize=1)
def _settings() -> dict[int, tuple[str, ...]]:
    """Symbols of all settings of each space group, such as `P b n m` of number 62; the standard one is first."""
    symbols: dict[int, dict[str, None]] = {}
    for group in gemmi.spacegroup_table():
        symbols.setdefault(group.number, {})[group.hm] = None
    return {
        number: tuple(dict.fromkeys((gemmi.find_spacegroup_by_number(number).hm, *found)))
        for number, found in symbols.items()
    }


def _spellings(symbol: str) -> tuple[str, ...]:
    """Spellings of a symbol with blanks: `Pnma`, `P6_3/mmc` and `P63/mmc`, `Fm-3m` and `Fm3m`."""
    parts = symbol.split()
    # P 1 21/c 1 is written P21/c.
    short = [parts[0], parts[2]] if len(parts) == 4 and parts[1] == parts[3] == "1" else parts
    screws = [part[0] + "_" + part[1:] if len(part) > 1 and part[:2].isdigit() else part for part in short]
    plain = "".join(short)
    spellings = ["".join(screws), plain]
    # The bar of cubic groups was not written before 1992.
    if parts[2:3] == ["-3"]:
        spellings.append(plain.replace("-", ""))
    spellings.append("".join(part[1] + "\u0305" + part[2:] if part.startswith("-") else part for part in short))
    return tuple(dict.fromkeys(spellings))


def space_group_wordings(number: int) -> tuple[str, ...]:
    """
    Return how people write a space group: symbol, older and full symbols, other settings, number.

    Args:
        number: Number of the space group.
    """
    standard, *others = _settings()[number]
    first, *spellings = _spellings(standard)
    wordings = [
        f"space group {number}",
        f"space group number {number}",
        f"space group #{number}",
        f"SG {number}",
        f"group {number} of the International Tables",
        first,
        f"space group {first}",
        f"{first} space group",
        f"{first} symmetry",
        f"crystallizes in {first}",
        f"space group {standard}",
        *spellings,
    ]
    # Other cells of P1 and P-1 have no use, and their symbols are those of structure types.
    if number > 2:
        wordings += [spelling for other in others for spelling in _spellings(other)[:2]]
    return tuple(
        dict.fromkeys(
            wording
            for wording in wordings
            if len(wording.replace("-", "")) >= _SHORTEST_SYMBOL and wording not in ELEMENT_NAMES
        )
    )


def regular_wordings(concept: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return the wordings that a concept has as a member of a family, in addition to those in its file.

    Args:
        concept: An entry of a vocabulary file.
    """
    if concept.get("kind") == "element" and concept.get("id") in _SYMBOLS:
        return element_wordings(_SYMBOLS[concept["id"]])
    if concept.get("kind") == "space-group" and str(concept.get("id", "")).startswith("space-group-"):
        return space_group_wordings(int(str(concept["id"]).removeprefix("space-group-")))
    return ()
