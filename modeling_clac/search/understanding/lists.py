"""Lists of terms: what joins their members, which terms may stand for one another, and how examples are introduced."""

from __future__ import annotations

import re

from ...formula_grammar_clac import ATOMIC_NUMBERS
from .query import ConceptTerm, ElementTerm, Literal

# A list goes on over these.
JOINT = re.compile(
    r"[\s,/&+]*(?:(?:and/or|and|or|nor|neither|plus|as\s+well\s+as|vs\.?|versus)\s*)?(?:any\s+|an?\s+|the\s+|no\s+)?",
    re.I,
)
OR = re.compile(r"(?<![\w])(?:or|nor|vs\.?|versus)(?![\w])|/|\|", re.I)
# `-arsenate` in `hexafluorophosphate or -arsenate`
HYPHEN_FOR_START = re.compile(r"(?<=\s)-$")
# Before examples, and before what says the same once more: `heavy metals such as Pb`, `chalcogens, i.e. S or Se`.
# `like` and `that is` are other words too: `crystals like quartz`, `an oxide that is hard`.
SUCH_AS = r"(?:such\s+as|e\.?\s?g\b\.?|for\s+(?:example|instance))"
NAMELY = r"(?:i\.?\s?e\b\.?|namely|viz\b\.?)"
EXAMPLE = rf"(?:{SUCH_AS}|like|say)"
SAME = rf"(?:(?:by\s+(?:which|that)\s+)?(?:I|we)\s+mean|{NAMELY}|that\s+(?:is|means)|meaning)"
# Before what is spared, or taken out of what stands before.
EXCEPT = r"(?:other\s+than|except(?:\s+for|ing)?|apart\s+from|aside\s+from|besides|beyond)"
# Inside a phrase: `lead halides`, `lead-containing perovskites`.
INSIDE_PHRASE = re.compile(r"[\s-]*(?:(?:containing|based|bearing|rich)[\s-]+)?", re.I)
# Kinds of concepts that belong to one family: in a list they are alternatives of each other.
_FAMILIES = {
    "element": "chemistry", "element-group": "chemistry", "anion": "anion", "oxyanion": "anion", "group": "anion",
    "class": "class", "structure-type": "type", "structural": "structure", "symmetry": "symmetry",
    "crystal-system": "lattice", "space-group": "symmetry", "band": "band", "attribute": "attribute", "use": "use",
    "name": "name",
}  # fmt: skip
# `one of Sc, Y, La`
ANY_OF = re.compile(
    r"(?<!every )(?<!each )\b(?:one|any|some|either|two|three|four|five|six|[2-9])(?:\s+or\s+more)?\s+of\s*:?"
    r"\s*(?:(?:the|these|following|elements?)\s*)*:?\s*$",
    re.I,
)
WORD = re.compile(r"[^\W\d_]+")


def family(literal: Literal) -> str:
    """Return the family of a term, by which lists are joined."""
    term = literal.term
    if isinstance(term, ConceptTerm):
        return _FAMILIES.get(term.kind_of_concept, term.kind_of_concept)
    if isinstance(term, ElementTerm):
        return "chemistry"
    return term.kind


def is_symbol(text: str, literal: Literal) -> bool:
    """Whether an element is written as its symbol."""
    return text[literal.start : literal.end] in ATOMIC_NUMBERS


def or_follows(text: str, literals: list[Literal], place: int) -> bool:
    """Whether the list ends with an `or`: `A, B or C`."""
    for first, second in zip(literals[place:], literals[place + 1 :], strict=False):
        gap = HYPHEN_FOR_START.sub("", text[first.end : second.start])
        if JOINT.fullmatch(gap) is None or not gap.strip():
            return False
        if OR.search(gap):
            return True
    return False


def is_phrase(gap: str, before: Literal, literal: Literal) -> bool:
    """Whether two terms are words of one phrase: `lead halides`."""
    return INSIDE_PHRASE.fullmatch(gap) is not None and family(before) != family(literal)


__all__ = [
    "ANY_OF",
    "EXAMPLE",
    "EXCEPT",
    "HYPHEN_FOR_START",
    "INSIDE_PHRASE",
    "JOINT",
    "NAMELY",
    "OR",
    "SAME",
    "SUCH_AS",
    "WORD",
    "family",
    "is_phrase",
    "is_symbol",
    "or_follows",
]
