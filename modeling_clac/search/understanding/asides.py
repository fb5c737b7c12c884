"""Substances that a query names, although the crystals it looks for are not made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .lists import JOINT, family, or_follows
from .metals import is_group
from .query import ConceptTerm, ElementTerm, Literal

_ARTICLE = r"\s+(?:the\s+|an?\s+)?$"
# `with silicon` is a wording of silicon as well.
_LEADING = re.compile(r"(?:with|of|on|to|for|against|in)\s+(?:the\s+|an?\s+)?", re.I)
_LIKE_BEFORE = re.compile(
    # `I would like an oxide` is a wish.
    r"(?:(?<!\bI )(?<!\bwe )(?<!would )(?<!'d )(?<!\bid )(?<!really )\blike"
    r"|\breplac(?:e|es|ing)|\bsubstitut(?:e|es|ing)|similar\s+to|resembling|alternatives?\s+(?:to|for)|replacements?\s+(?:for|of)|substitutes?\s+(?:for|of)"
    r"|analog(?:ue)?s?\s+(?:of|to)|isostructural\s+(?:to|with)|isotypic\s+(?:to|with)|isoelectronic\s+(?:to|with)|related\s+to"
    r"|same\s+(?:structure|formula|stoichiometry|composition)(?:\s+type)?\s+as"
    # `better than silicon`; `other than silicon` excludes it.
    r"|\b(?:(?!other\b|rather\b)\w+er|worse|(?:more|less)\s+\w+)\s+than)" + _ARTICLE,
    re.I,
)
# `an alkali metal like sodium`: sodium is an example.
_LIKE = re.compile(r"\s*[,(]?\s*like\s+(?:the\s+|an?\s+)?", re.I)
_LIKE_BEHIND = re.compile(r"[-\s](?:like|analog(?:ue)?s?|related|derived)\b", re.I)
# `silicates (Al2SiO5 and similar)`; `barium, potassium or similar` is a list.
_SIMILAR_BEHIND = re.compile(r"\s(?:and|or)\s+(?:similar|related|the\s+like|alike)\b", re.I)
_VERB = (
    r"(?:detect|sniff|immobili[sz]|sens|captur|adsorb|remov|filter|separat|reduc|oxidi[sz]|produc|generat|crack|grow"
    "|deposit)"
)
# What a material meets, grows on, detects or converts.
_WITH_BEFORE = re.compile(
    r"(?:\b(?:stable|inert|resistant|resistance|protection|barrier|compatible)\s+(?:against|to|towards?|with)|in\s+contact\s+with|\bagainst|\b(?:scratch|cut|polish)(?:es|s)?"
    r"|match(?:ed|ing|es)?\s+(?:to|with)|\bto\s+match|lattice\s+(?:constants?|parameters?)\s+(?:close|near|similar|equal)\s+(?:to|of)"
    r"|epitax(?:y|ial(?:ly)?)\s+(?:on|to|with)|(?:grow(?:n|s|th|ing)?|sputter(?:s|ed|ing)?|deposit(?:s|ed|ing|ion)?|evaporat(?:es?|ed|ing|ion)|films?|layers?)\s+on"
    r"|\b(?:sensors?|detectors?|getters?|sorbents?|adsorbents?|scavengers?|membranes?|coatings?|substrates?|templates?|buffer\s+layers?|solders?)"
    r"\s+(?:for|on)"
    r"|\bhosts?\s+(?:(?:crystals?|materials?|lattices?)\s+)?for|\breinforc(?:es?|ing)|\b(?:I|we|to|that|which)\s+melts?|\b(?:molten|liquid)|\block(?:s|ing)?\s+away|\bprotect(?:s|ing|ion\s+(?:of|for))?"
    rf"|\b(?:(?:to|that|which)\s+{_VERB}e?s?|{_VERB}ing)"
    r"|\b(?:I|we)\s+dope\s+(?:it\s+|them\s+)?with|\b(?:under|running\s+on|fuel+ed\s+(?:by|with)|production\s+of|growth\s+of))"
    + _ARTICLE,
    re.I,
)
# `a catalyst that makes hydrogen`
_GAS_BEFORE = re.compile(r"\b(?:mak(?:e|es|ing)|evolv(?:e|es|ing)|releas(?:e|es|ing))\s+(?:green\s+|clean\s+)?$", re.I)
_GASES = frozenset({"H", "N", "O"})
_WITH_BEHIND = re.compile(
    r"(?:(?<=\bion)|[-\s]+ions?)[-\s]+(?:cells?|batter(?:y|ies)|capacitors?)\b"
    r"|[-\s]+(?:epitaxy|sensing|detection|capture|adsorption|uptake|removal|oxidation|reduction|splitting"
    r"|decomposition|separation|production|atmospheres?|growth|metalli[sz]ation|smelting|refining|pistons?|engines?|blades?|crucibles?|welding|casting|out\s+of(?!\s+(?:the\s+)?question))\b",
    re.I,
)
# What is known or in use already: `what comes after SiC and GaN`, `tungsten is what we use now`.
_KNOWN_BEFORE = re.compile(
    r"(?:\b(?:comes?|came|coming)\s+after|\bsuccessors?\s+(?:of|to)|\b(?:everybody|everyone|people|they|textbooks?)\s+(?:\w+ly\s+|always\s+)?"
    r"(?:shows?|uses?|knows?|takes?|teach(?:es)?)|\b(?:I|we)\s+(?:already\s+)?(?:have|own|use|know)(?=[^,;.!?]*\balready\b))"
    + _ARTICLE
    # `I know beta FeSi2`
    + r"|\b(?:ran|run|running)\s+out\s+of\s+$"
    r"|\b(?:I|we)\s+know\s+(?:of\s+|about\s+)?(?:the\s+|an?\s+)?(?:alpha\s+|beta\s+|gamma\s+)?$",
    re.I,
)
_KNOWN_BEHIND = re.compile(
    r"\s+(?:is|are)\s+what\s+(?:we|I|they|people|everybody|everyone)\s+(?:now\s+)?(?:use|have|take)\b"
    r"|\s+(?:we|I)\s+(?:already\s+)?(?:have|own|know)\b(?=\s*(?:already\s*)?(?:[,.;!?)]|$))"
    r"|\s+(?:is|are)\s+(?:already\s+known|known\s+already)\b",
    re.I,
)
_LISTED = re.compile(r"\b(?:or|and)\b|/|&", re.I)
_SIMILAR = "crystals similar to {} are found with --like"
_KNOWN = "read {!r} as what is known already"
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
    listed = list(literals)
    for place, literal in enumerate(listed):
        is_example = (
            before is not None and _has_members(text, before) and _LIKE.fullmatch(text, before.end, literal.start)
        )
        before = literal
        if is_example:
            kept.append(literal)
            continue
        goes_on = bool(group) and _goes_on(text, group, group_note, listed, place)
        note = group_note if goes_on else _note(text, literal)
        if group and not goes_on:
            asides.append(_aside(text, group, group_note))
            group, group_note = [], ""
        if note is None:
            kept.append(literal)
            continue
        while kept and _is_joined(text, kept[-1], group[0] if group else literal, literal):
            # `sodium or potassium ion cells`
            group.insert(0, kept.pop())
        group, group_note = [*group, literal], note
    if group:
        asides.append(_aside(text, group, group_note))
    return kept, asides


def _has_members(text: str, literal: Literal) -> bool:
    """Whether elements may be examples of a term: `an alkali metal like sodium`, `anything toxic like arsenic`."""
    return is_group(text, literal) or _kind(literal) == "attribute"


def _goes_on(text: str, group: list[Literal], note: str, literals: list[Literal], place: int) -> bool:
    """Whether a term belongs to the substances before it: `stable in lithium metal`, `removing fluoride or arsenic`."""
    literal = literals[place]
    gap = text[group[-1].end : literal.start]
    if _kind(literal) not in _NAMED | {"oxyanion"}:
        return False
    if not gap.strip():
        return True
    # `gems like chrysoberyl or phenakite`
    if note == _SIMILAR and _kind(literal) not in ("formula", "name"):
        return False
    if JOINT.fullmatch(gap) is None or note not in (_PARTNER, _KNOWN, _SIMILAR):
        return False
    # `host for Eu2+, nitride or oxynitride`: another demand.
    is_same = family(literal) == family(group[-1])
    return _LISTED.search(gap) is not None or (is_same and or_follows(text, literals, place))


def _is_joined(text: str, earlier: Literal, literal: Literal, last: Literal) -> bool:
    """Whether what is said behind a term, the last of a list, is said of the one before it too."""
    gap = text[earlier.end : literal.start]
    if _KNOWN_BEHIND.match(text, last.end):
        # `LaAlO3 and MgO we have`, `magnesium fluoride is what we use`
        is_phrase = family(earlier) == "chemistry" and family(literal) == "anion" and gap.isspace()
        is_list = family(earlier) == family(literal) and JOINT.fullmatch(gap) is not None and _LISTED.search(gap)
        return is_phrase or bool(is_list)
    is_said_behind = _WITH_BEHIND.match(text, last.end) is not None
    same = isinstance(earlier.term, ElementTerm) and isinstance(literal.term, ElementTerm)
    return same and is_said_behind and JOINT.fullmatch(gap) is not None and _LISTED.search(gap) is not None


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
        return _SIMILAR
    if kind in ("formula", "name") and _SIMILAR_BEHIND.match(text, literal.end):
        return _SIMILAR
    is_known = _KNOWN_BEFORE.search(text, 0, start) or _KNOWN_BEHIND.match(text, literal.end)
    if (kind in _SUBSTANCES or kind == "anion") and is_known:
        return _KNOWN
    if kind in _NAMED and _WITH_BEFORE.search(text, 0, start):
        return _PARTNER
    if kind in _SUBSTANCES and _WITH_BEHIND.match(text, literal.end):
        return _PARTNER
    if isinstance(literal.term, ElementTerm) and literal.term.symbol in _GASES and _GAS_BEFORE.search(text, 0, start):
        return _PARTNER
    return None


__all__ = ["Aside", "without_asides"]
