"""Substances that a query names, although the crystals it looks for are not made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .metals import is_group
from .query import ConceptTerm, Literal

_ARTICLE = r"\s+(?:the\s+|an?\s+)?$"
# `with silicon` is a wording of silicon as well.
_LEADING = re.compile(r"(?:with|of|on|to|for|against|in)\s+(?:the\s+|an?\s+)?", re.I)
_LIKE_BEFORE = re.compile(
    r"(?:\blike|\breplac(?:e|es|ing)|\bsubstitut(?:e|es|ing)|similar\s+to|resembling|alternatives?\s+(?:to|for)|replacements?\s+(?:for|of)|substitutes?\s+(?:for|of)"
    r"|analog(?:ue)?s?\s+(?:of|to)|isostructural\s+(?:to|with)|isotypic\s+(?:to|with)|isoelectronic\s+(?:to|with)|related\s+to|same\s+structure\s+as"
    # `better than silicon`; `other than silicon` excludes it.
    r"|\b(?:(?!other\b|rather\b)\w+er|worse|(?:more|less)\s+\w+)\s+than)" + _ARTICLE,
    re.I,
)
# `an alkali metal like sodium`: sodium is an example.
_LIKE = re.compile(r"\s*[,(]?\s*like\s+(?:the\s+|an?\s+)?", re.I)
_LIKE_BEHIND = re.compile(r"[-\s](?:like|analog(?:ue)?s?|related|derived)\b", re.I)
# `silicates (Al2SiO5 and similar)`; `barium, potassium or similar` is a list.
_SIMILAR_BEHIND = re.compile(r"\s(?:and|or)\s+(?:similar|related|the\s+like|alike)\b", re.I)
_VERB = r"(?:detect|sens|captur|adsorb|remov|filter|separat|reduc|oxidi[sz]|produc|generat|crack|grow|deposit)"
# What a material meets, grows on, detects or converts.
_WITH_BEFORE = re.compile(
    r"(?:\b(?:stable|inert|resistant|resistance|protection|barrier|compatible)\s+(?:against|to|towards?|with)|in\s+contact\s+with|\bagainst|\b(?:scratch|cut|polish)(?:es|s)?"
    r"|match(?:ed|ing|es)?\s+(?:to|with)|lattice\s+(?:constants?|parameters?)\s+(?:close|near|similar|equal)\s+(?:to|of)"
    r"|epitax(?:y|ial(?:ly)?)\s+(?:on|to|with)|(?:grow(?:n|s|th|ing)?|films?|layers?)\s+on"
    r"|\b(?:sensors?|detectors?|getters?|sorbents?|adsorbents?|scavengers?|membranes?|coatings?|substrates?|templates?|buffer\s+layers?|solders?)"
    r"\s+(?:for|on)"
    rf"|\b(?:(?:to|that|which)\s+{_VERB}e?s?|{_VERB}ing)"
    r"|\b(?:I|we)\s+dope\s+(?:it\s+|them\s+)?with|\b(?:under|running\s+on|fuel+ed\s+(?:by|with)|production\s+of|growth\s+of))"
    + _ARTICLE,
    re.I,
)
_WITH_BEHIND = re.compile(
    r"[-\s]+(?:epitaxy|sensing|detection|capture|adsorption|uptake|removal|oxidation|reduction|splitting"
    r"|decomposition|separation|production|atmospheres?|growth|metalli[sz]ation|smelting|refining)\b",
    re.I,
)
_SUBSTANCES = frozenset({"element", "formula", "name"})
_NAMED = _SUBSTANCES | {"anion", "class", "element-group"}
_PARTNER = "read {!r} as what the material meets, not what it is made of; no fact says what fits it"


@dataclass(frozen=True)
class Aside:
    """
    A substance that is not looked for.

    Attributes:
        name: As the query writes it.
        note: What the user should know.
    """

    name: str
    note: str


def without_asides(text: str, literals: Iterable[Literal]) -> tuple[list[Literal], list[Aside]]:
    """
    Take out `gallium nitride` of `alternatives to gallium nitride`, `GaAs` of `lattice-matched to GaAs` and `NO2` of
    `gas sensor for NO2`.

    Args:
        text: The query.
        literals: Its literals, by their places.

    Returns:
        The other literals, and what was taken out.
    """
    kept: list[Literal] = []
    asides: list[Aside] = []
    group: list[Literal] = []
    group_note = ""
    before: Literal | None = None
    for literal in literals:
        is_example = before is not None and is_group(text, before) and _LIKE.fullmatch(text, before.end, literal.start)
        before = literal
        if is_example:
            kept.append(literal)
            continue
        goes_on = bool(group) and _kind(literal) in _NAMED and not text[group[-1].end : literal.start].strip()
        note = group_note if goes_on else _note(text, literal)
        if group and not goes_on:
            asides.append(_aside(text, group, group_note))
            group = []
        if note is None:
            kept.append(literal)
        else:
            group, group_note = [*group, literal], note
    if group:
        asides.append(_aside(text, group, group_note))
    return kept, asides


def _aside(text: str, group: list[Literal], note: str) -> Aside:
    name = text[_start(text, group[0]) : group[-1].end]
    return Aside(name, note.format(name))


def _kind(literal: Literal) -> str:
    return literal.term.kind_of_concept if isinstance(literal.term, ConceptTerm) else literal.term.kind


def _start(text: str, literal: Literal) -> int:
    leading = _LEADING.match(text, literal.start, literal.end)
    return literal.start if leading is None else leading.end()


def _note(text: str, literal: Literal) -> str | None:
    """What is said of a literal that is taken out; `None` for others."""
    kind, start = _kind(literal), _start(text, literal)
    if kind in _SUBSTANCES and (_LIKE_BEFORE.search(text, 0, start) or _LIKE_BEHIND.match(text, literal.end)):
        return "crystals similar to {} are found with --like"
    if kind in ("formula", "name") and _SIMILAR_BEHIND.match(text, literal.end):
        return "crystals similar to {} are found with --like"
    if kind in _NAMED and _WITH_BEFORE.search(text, 0, start):
        return _PARTNER
    if kind in _SUBSTANCES and _WITH_BEHIND.match(text, literal.end):
        return _PARTNER
    return None


__all__ = ["Aside", "without_asides"]
