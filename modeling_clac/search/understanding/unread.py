"""Statements that no fact decides. They are taken out before anything is read, so that their parts are not misread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .number_words import RATIO


@dataclass(frozen=True)
class _Statement:
    """
    A kind of statement.

    Attributes:
        pattern: How it is written.
        note: What the user should know; {} is the statement.
        only_with: What the text must contain for the pattern to mean this.
    """

    pattern: re.Pattern[str]
    note: str
    only_with: re.Pattern[str] | None = None


_TEMPERATURE = r"[^,;.]{0,25}?\d+(?:\.\d+)?\s*(?:K|kelvin)\b"
# What no table of crystals says. With a number, it would be taken for another quantity of the same unit.
_UNKNOWN_QUANTITIES = (
    r"work\s+functions?|electron\s+affinit(?:y|ies)|ioni[sz]ation\s+(?:energy|potential)|(?:exciton\s+)?binding\s+energy"
    r"|cohesive\s+energy|(?:migration|activation|diffusion|surface|adsorption|lattice)\s+(?:barrier|energy|energies)"
    r"|effective\s+mass(?:es)?|mobilit(?:y|ies)|(?:thermal\s+|ionic\s+|electrical\s+|electronic\s+|ion\s+)?conductivit(?:y|ies)"
    r"|resistivity|(?:melting|boiling|decomposition|sintering|operating)\s+(?:points?|temperatures?)"
    r"|lattice\s+(?:parameters?|constants?)|(?:specific\s+)?capacit(?:y|ies)|voltages?|potential|energy\s+densit(?:y|ies)"
    r"|magnetic\s+moments?|figure\s+of\s+merit|z?T\s+value|Seebeck(?:\s+coefficients?)?|thermal\s+expansion(?:\s+coefficient)?"
    r"|heat\s+capacity|specific\s+heat|solubility|(?:yield|tensile|compressive|flexural)\s+strength|(?:fracture\s+)?toughness"
    r"|critical\s+(?:field|current(?:\s+density)?)|coerciv\w+|(?:saturation\s+)?magneti[sz]ation|quantum\s+yield|decay\s+time"
    r"|light\s+yield|(?:particle|pore|grain)\s+size|surface\s+area|bond\s+lengths?|band\s+offset|birefringence"
)
# What stands between a quantity and its number: `high conductivity and a gap above 4 eV` is about the gap.
_COMPARED = (
    r"(?:[\s<>=≤≥~≈:(]|\b(?:values?|of|is|are|at|the|an?|above|over|below|under|least|most|more|less|fewer|greater|higher|lower"
    r"|larger|smaller|than|around|about|near|close|approximately|roughly|between|from|up|to|exceeding|within|maximum"
    r"|minimum|max|min)\b)+"
)
_NUMBER_WITH_UNIT = (
    r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?:\s*(?:-|to|and)\s*-?\d+(?:\.\d+)?)?(?:\s*(?:eV|meV|[GMk]Pa[^\s,;]*|K\b|°C|m?W[^\s,;]*|m?S/cm|mA[^\s,;]*|m?V\b"
    r"|Wh[^\s,;]*|Å|nm|[µu]_?B|cm[^\s,;]*|emu[^\s,;]*|ppm[^\s,;]*|[µu]V[^\s,;]*|ns|%|angstroms?))?"
)
_STATEMENTS = (
    _Statement(
        re.compile(
            r"(?<![\w-])(?:La-(?:Lu|Yb)|Ce-Lu|Sc-(?:Zn|Cu)|Ti-Cu|Y-Cd|Hf-Hg)(?![\w-])(?!\s+(?:chemical\s+|phase\s+)?system)"
        ),
        "{} was taken for the ends of a series; name the group, such as lanthanides, or write `system` behind it",
    ),
    _Statement(
        re.compile(
            rf"(?<![\w-])(?:{_UNKNOWN_QUANTITIES})\b{_COMPARED}(?<![\w.]){_NUMBER_WITH_UNIT}"
            rf"|(?<![\w.-]){_NUMBER_WITH_UNIT}\s+(?:{_UNKNOWN_QUANTITIES})\b",
            re.I,
        ),
        "{}: this quantity is not known of the crystals",
    ),
    # It is not about the density: `no elements heavier than xenon`.
    _Statement(
        re.compile(
            r"\b(?:(?:no|without|any|only)\s+)?(?:elements?|atoms)\s+(?:that\s+are\s+)?(?:heavier|lighter)\s+than\s+[a-z]+\b",
            re.I,
        ),
        "{}: elements are not compared with each other; name a group, such as heavy elements",
    ),
    # Of `more Mg than Fe`, Mg is there for sure.
    _Statement(
        re.compile(r"(?:(?<=[A-Z][a-z]\s)|(?<=\s[A-Z]\s))than\s+[A-Z][a-z]?\b"),
        "{}: amounts of elements are not compared",
        re.compile(r"\b(?:more|less)\s+[A-Z][a-z]?\s+than\b"),
    ),
    _Statement(
        re.compile(
            r"(?:(?:more|less|fewer|greater|at\s+least|at\s+most|over|under|above|below|about|around)\s+(?:than\s+)?)?\b"
            r"(?:\d+(?:\.\d+)?\s?(?:at\.?\s?%|atomic\s+(?:%|percent)|mol\.?\s?%|(?:%|percent)\s+of\s+(?:the\s+|all\s+)?atoms)"
            r"|(?:half|(?:one|two|a)\s+thirds?|(?:one|three|a)\s+quarters?)\s+of\s+(?:the\s+|all\s+|its\s+)?atoms)(?:\s+(?:of|being|are|is))?",
            re.I,
        ),
        "{}: shares of elements are not read; write a formula, or `rich in` the element",
    ),
    # Neither is a number of different metals: `three oxygens for every two metal atoms`.
    _Statement(
        re.compile(rf"\b{RATIO}(?=\s+\w)", re.I),
        "{!r} is not read: write ratios of elements as a formula, such as Fe2O3 or A2B3",
    ),
    _Statement(
        re.compile(r"(?<![\w/])G\s?/\s?[BK]\b(?:\s*[<>≤≥=~≈]+\s*\d+(?:\.\d+)?)?"),
        "{}: write the Pugh ratio, which is B/G",
    ),
    # n counts layers here and is not a refractive index.
    _Statement(
        re.compile(r"(?<![\w])n\s*=\s*(?:\d+|∞|inf\w*)(?![\d.])"),
        "{} counts the layers of a series of structures, which no fact says",
        re.compile(r"\bruddlesden|\bRP\b|\baurivillius|\bdion|layered\s+perovskite|\bhomologous|quasi-2D", re.I),
    ),
    _Statement(
        re.compile(r"(?<![\w-])[pn][-\s]type\b"),
        "{}: whether electrons or holes conduct is decided by dopants, which no fact says",
    ),
    _Statement(
        re.compile(
            r"(?<![\w-])(?:in)?direct(?=[\s-]+(?:(?:band|energy|optical)[\s-]*)?(?:gaps?|semiconductors?)\b)", re.I
        ),
        "{}: whether a gap is direct is not known of the crystals",
    ),
    # Not technetium.
    _Statement(
        re.compile(rf"(?<![\w-])(?:T_?[cCN]|(?:Curie|Néel|Neel|critical|transition)\s+temperatures?){_TEMPERATURE}"),
        "{}: temperatures of transitions are not known of the crystals",
    ),
    _Statement(
        re.compile(r"(?<![\w-])T_?[cC]\b"),
        "{}: critical temperatures are not known of the crystals",
        re.compile(r"superconduct|ferromagnet|ferroelectric|curie", re.I),
    ),
    _Statement(
        re.compile(r"(?<![\w-])(?:mp|mvc|oqmd|jvasp|aflow|agm|nmd)-\w*\d\w*\b", re.I),
        "{} is an id: `clac show` shows the crystal, and --like finds similar ones",
    ),
)


def unread_statements(text: str) -> Iterator[tuple[int, int, str]]:
    """
    Find statements that no fact decides.

    Args:
        text: A query.

    Yields:
        Start, end, and a note for the user.
    """
    for statement in _STATEMENTS:
        if statement.only_with is None or statement.only_with.search(text):
            for found in statement.pattern.finditer(text):
                yield *found.span(), statement.note.format(found.group())


__all__ = ["unread_statements"]
