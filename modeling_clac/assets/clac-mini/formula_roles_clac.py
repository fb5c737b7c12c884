"""
What a word that is spelled like a formula stands for: a composition, an ion, a dopant, a structure type, or nothing.

The word and what stands before and behind it decide; see `formulas_clac` for the rules.
"""

from __future__ import annotations

import re
from itertools import pairwise

from .formula_grammar_clac import Parsed, parse_formula
from .formula_words_clac import (
    ACRONYM,
    CAPITALS,
    CAPITALS_ALONE,
    CAPITALS_IN_CAPITALS,
    ELEMENTAL_MOLECULES,
    NEVER_ELEMENTS,
    NOT_COMPOUNDS,
    NOT_ELEMENTS,
    NUMBERED_ACRONYMS,
    OTHER_MEANING,
    PROTOTYPES,
    STRUKTURBERICHT,
    SYMMETRY,
)

# What a formula in a text stands for.
COMPOSITION, ION, DOPANT, PROTOTYPE, SITE = "composition", "ion", "dopant", "prototype", "site"

_CRYSTAL_SYSTEM = re.compile(r",\s+(?:triclinic|monoclinic|orthorhombic|tetragonal|trigonal|hexagonal|cubic)\b")
# Names (Li et al., Co. Ltd), symmetries (Cs symmetry), quantities (Tc = 39 K) and spectra (Ni K-edge).
_NOT_ELEMENT_BEHIND = re.compile(
    r"\.?,?\s(?:et al|and coworkers)|\.?,?\s(?:Ltd|Inc)\b|'s\b|\s(?:point group|symmetry)|\s?[=≈<>≤≥]\s?\d"
    r"|\s[KLM](?:\d|[\s-]edge|[αβ])|(?:\sand\s[A-Z][a-z]+)?,?\s\(?(?:19|20)\d\d(?!\d)"
)
_NOT_ELEMENT_BEFORE = re.compile(r"(?:\b[A-Z]\.\s?|\bet\s|&\s|\b(?:Dr|Prof|Mr|Ms)\.?\s)$")
# What a structure description says of the compound: `W crystallizes in`, `AlOOH is Lepidocrocite structured`.
_SUBJECT_BEHIND = re.compile(r"\s(?:crystalli[sz]es\s|is\s[^.]{1,80}?\sstructured\b)")
_OXIDATION_BEHIND = re.compile(r"\([IV]\)")
# `α-Sn`, `poly-Si`: a phase, not a part of a longer name.
_PHASE_BEFORE = re.compile(r"(?<![A-Za-z])(?:[a-zα-ω]|poly|nano|bulk|mono)-$")
_CAPITAL_WORD = re.compile(r"[\s-](?:[A-Z][A-Z-]{2,}(?![a-z\d])|(?:IN|OF|AS|AT|TO|BY|NO|ON|OR|IS)(?![\w-]))")
_CAPITAL_BEFORE = re.compile(r"(?<![\w-])(?:[A-Z][A-Z-]{2,}|IN|OF|AS|AT|TO|BY|NO|ON|OR|IS)[\s-]$")
# `ICs`, `SOFCs`, but not YAs or VOs.
_PLURAL = re.compile(r"[A-Z]{3,}s|[A-Z]Cs|[HBCNFPSI]Os")
# A critical temperature.
_TC_BEHIND = re.compile(r"s?\s?(?:[~≈=\d]|of\s\d|up|above|below|near|around|values?|(?:is|was|at|in)\s[~≈\d])")
_TC_BEFORE = re.compile(
    r"(?i:\b(?:high|higher|highest|low|lower|temperature|superconducting|the|a|its|their|near|above|below|at|while)"
    r")\s\(?$"
)
_REFERENCE_BEFORE = re.compile(r"\b(?:Figs?|Figures?|Tables?|Eqs?|Equations?|Sections?|Refs?|Movies?|Notes?)\.?\s$")
# `I-III-VI2` semiconductors.
_ROMAN = re.compile(r"[IV]+\d")
_ROMAN_BEFORE = re.compile(r"(?<![A-Za-z])[IV]+-$")
_LEADING_ZERO = re.compile(r"(?<![\d.])0\d")
_ONE = re.compile(r"(?<![\d.])1(?![\d.])")
# Larger amounts are no part of a formula, and larger numbers behind an element no amount (La327).
_LARGEST_AMOUNT, _LARGEST_NUMBER = 1000.0, 100.0
_CONTEXT = 24


def is_alone(text: str, word: str) -> bool:
    return text.strip().rstrip(".?!") == word


def in_capitals(text: str, start: int, end: int) -> bool:
    """Return whether a word is a part of a line of capitals."""
    before = _CAPITAL_BEFORE.search(text, max(0, start - _CONTEXT), start)
    return before is not None or _CAPITAL_WORD.match(text, end) is not None


def role_of_element(text: str, start: int, parsed: Parsed) -> str | None:
    """Return the role of an element symbol, or `None` if it is another word."""
    part, end = parsed.parts[0], parsed.end
    before, behind = text[start - 1 : start], text[end : end + 1]
    number = text[part.end : end]
    if not parsed.definite or _LEADING_ZERO.search(number) or part.amount > _LARGEST_NUMBER:
        return None
    if part.symbol != "He" and not number and _SUBJECT_BEHIND.match(text, end):
        return COMPOSITION
    if parsed.charged:
        return ION if len(part.symbol) == 2 or part.symbol in "HKFIOSN" or any(map(str.isdigit, number)) else None
    word = text[start:end]
    if number and SYMMETRY.fullmatch(word) and word not in ELEMENTAL_MOLECULES:
        return None
    if (is_alone(text, word) and part.symbol not in OTHER_MEANING) or _CRYSTAL_SYSTEM.match(text, end):
        return COMPOSITION
    if part.symbol in (NEVER_ELEMENTS if number else NOT_ELEMENTS):
        return None
    if word == STRUKTURBERICHT:
        return PROTOTYPE
    if len(part.symbol) == 1 and word not in ELEMENTAL_MOLECULES:
        return None
    if behind == ":" and (text[end + 1 : end + 2].islower() or _is_host(text, end + 1)):
        return DOPANT
    if behind in ("-", "–") or (before in ("-", "–", "−") and not _PHASE_BEFORE.search(text, max(0, start - 6), start)):
        return None
    if _OXIDATION_BEHIND.match(text, end):
        return ION
    if part.symbol == "Tc" and (
        _TC_BEHIND.match(text, end) or _TC_BEFORE.search(text, max(0, start - _CONTEXT), start)
    ):
        return None
    if number == "1":  # a site label
        return None
    name = _NOT_ELEMENT_BEFORE.search(text, max(0, start - _CONTEXT), start) or _NOT_ELEMENT_BEHIND.match(text, end)
    return None if name else COMPOSITION


def _is_host(text: str, start: int) -> bool:
    """Return whether a compound begins at a place, as in `Nd:YAG` and `Mg:GaN`."""
    if ACRONYM.match(text, start):
        return True
    parsed = parse_formula(text, start) if text[start : start + 1].isupper() else None
    return parsed is not None and len(parsed.parts) > 1


def role_of_compound(text: str, start: int, parsed: Parsed) -> str | None:
    """Return the role of a word that is spelled like a formula of several elements, or `None` if it is another word."""
    end, symbols = parsed.end, [part.symbol for part in parsed.parts]
    word = text[start:end]
    if max(part.amount for part in parsed.parts) > _LARGEST_AMOUNT or _LEADING_ZERO.search(word):
        return None
    if _SUBJECT_BEHIND.match(text, end):
        return COMPOSITION
    if word in NOT_COMPOUNDS or _PLURAL.fullmatch(word):
        return None
    for part, following in pairwise(parsed.parts):
        if part.symbol == following.symbol and part.end == following.start:  # II, CC
            return None
    if parsed.charged:
        return ION
    if not parsed.definite and set(symbols) <= {"N", "O", "S", "C", "H"}:  # NOx
        return None
    if word.isupper():
        if word.isalpha():
            listed = CAPITALS_IN_CAPITALS if in_capitals(text, start, end) else CAPITALS
            if word not in (CAPITALS_ALONE if is_alone(text, word) else listed) or _is_initials(text, start, word):
                return None
            if word == "CO" and (text[end : end + 1] == "-" or text[start - 1 : start] == "-"):
                return None
        elif word.rstrip("0123456789.") in NUMBERED_ACRONYMS or _is_label(text, start, parsed):
            return None
    return PROTOTYPE if word in PROTOTYPES and text.startswith("-type", end) else COMPOSITION


def _is_initials(text: str, start: int, word: str) -> bool:
    """Return whether a word in brackets stands for the words before it: `yield strength (YS)`."""
    if text[start - 1 : start] != "(":
        return False
    words = re.findall(r"[A-Za-z]+", text[max(0, start - 80) : start])[-len(word) :]
    if words and words[-1].endswith(("ide", "ate")):  # vanadium carbide (VC)
        return False
    return [first[0].upper() for first in words] == list(word)


def _is_label(text: str, start: int, parsed: Parsed) -> bool:
    """
    Return whether a word in capitals and digits is not a formula.

    It is a figure (`Fig. S3B`) or the last part of `I-III-VI2`, or contains the amount 1 although not all amounts are
    written.
    """
    word = text[start : parsed.end]
    if _REFERENCE_BEFORE.search(text, max(0, start - _CONTEXT), start):
        return True
    if _ROMAN.fullmatch(word) and _ROMAN_BEFORE.search(text, max(0, start - _CONTEXT), start):
        return True
    return bool(_ONE.search(word)) and not all(text[part.end : part.end + 1].isdigit() for part in parsed.parts)


__all__ = [
    "COMPOSITION",
    "DOPANT",
    "ION",
    "PROTOTYPE",
    "SITE",
    "in_capitals",
    "is_alone",
    "role_of_compound",
    "role_of_element",
]
