"""Regular wordings of concepts that come in families, such as those of an element from its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .elements import ELEMENT_NAMES

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
    "with {name}",
    "with {name} in it",
    "has {name} in it",
    "includes {name}",
    "made with {name}",
    "{name} as a constituent",
    "{name} in the formula",
    "{name} present",
    "incorporates {name}",
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
    "{symbol} present",
    "with {symbol} in it",
)
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
    wordings = (template.format(name=name, symbol=symbol) for template in (*_BY_NAME, *_BY_SYMBOL))
    return tuple(wording for wording in wordings if wording not in _OTHERWISE_USED)


def regular_wordings(concept: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return the wordings that a concept has as a member of a family, in addition to those in its file.

    Args:
        concept: An entry of a vocabulary file.
    """
    if concept.get("kind") == "element" and concept.get("id") in _SYMBOLS:
        return element_wordings(_SYMBOLS[concept["id"]])
    return ()
