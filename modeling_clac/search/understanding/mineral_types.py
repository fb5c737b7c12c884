"""
Minerals and formulas that also name a structure type: `rutile` is TiO2, but `rutile oxides` and `rutile with tin` are
a type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...concepts.spelling import key
from .implied_elements import needed_elements
from .lexicon import Lexicon
from .lists import JOINT
from .query import ConceptTerm, ElementTerm, FormulaTerm, Literal

# Kinds of concepts that say of what a structure type is: `rutile oxides`, `pyrite sulfides`.
_OF_COMPOUNDS = frozenset({"anion", "oxyanion", "class", "element-group", "group", "attribute", "use"})
_LIST = re.compile(r"\s*(?:,|/|&|,?\s*(?:and|or))\s*", re.I)
_TYPE = re.compile(r"(?:structures?|types?|lattices?)$", re.I)
_COMPOUNDS_BEHIND = re.compile(
    r"[\s-]+(?:types?|structures?|compounds|phases|families|family|groups?"
    r"|members|relatives|analog(?:ue)?s)\b",
    re.I,
)


def minerals_as_types(text: str, literals: Sequence[Literal], lexicon: Lexicon) -> list[Literal]:
    """
    Read minerals as structure types where the query speaks of other compounds than the mineral.

    It does if it names the type itself, as in `matlockite, PbFCl-type` (this holds for formulas as well), if a class of
    compounds stands behind the mineral, or if the query has an element that the mineral lacks or excludes one that it
    has.

    Args:
        text: The query.
        literals: What was read, with polarity.
        lexicon: Wordings of the vocabulary.
    """
    found = []
    for literal in literals:
        structure_type = None if literal.negated else _type_of(text, literal, lexicon)
        is_mineral = isinstance(literal.term, ConceptTerm)
        is_named = any(
            isinstance(other.term, ConceptTerm)
            and structure_type is not None
            and other.term.id == structure_type.id
            and not (_is_kind_of(text, literal, other) if is_mineral else _is_listed(text, literal, literals))
            for other in literals
        )
        if structure_type is not None and (
            is_named or (is_mineral and _is_of_others(text, literal, literals, lexicon))
        ):
            literal = replace(literal, term=structure_type)
        found.append(literal)
    return found


def _is_kind_of(text: str, mineral: Literal, type_: Literal) -> bool:
    """Whether a mineral is one of a type: `garnets: pyrope, almandine` asks for these, `pyrope garnet` for pyrope."""
    is_listed = type_.end <= mineral.start and re.match(r"\s*[:(;]", text[type_.end : mineral.start]) is not None
    return is_listed or (mineral.end <= type_.start and not text[mineral.end : type_.start].strip(" -"))


def _is_listed(text: str, formula: Literal, literals: Sequence[Literal]) -> bool:
    """Whether a formula stands in a list of others: `fluorite structure, ThO2 UO2 PuO2`."""
    others = [each for each in literals if isinstance(each.term, FormulaTerm) and each is not formula]
    gaps = [text[min(formula.end, each.end) : max(formula.start, each.start)] for each in others]
    return any(JOINT.fullmatch(gap) for gap in gaps)


def _type_of(text: str, literal: Literal, lexicon: Lexicon) -> ConceptTerm | None:
    """The structure type that is named after a mineral or a compound."""
    is_mineral = isinstance(literal.term, ConceptTerm) and literal.term.kind_of_concept == "name"
    if not is_mineral and not isinstance(literal.term, FormulaTerm):
        return None
    form = "structure" if is_mineral else "type"
    identifier = lexicon.id_of(key(f"{text[literal.start : literal.end]} {form}"))
    if identifier is None or lexicon.vocabulary[identifier].kind != "structure-type":
        return None
    concept = lexicon.vocabulary[identifier]
    return ConceptTerm(concept.id, concept.name, concept.kind)


def _is_of_others(text: str, mineral: Literal, literals: Sequence[Literal], lexicon: Lexicon) -> bool:
    own = needed_elements(mineral.term, lexicon.vocabulary)
    if _COMPOUNDS_BEHIND.match(text, mineral.end) or _is_listed_with_types(text, mineral, literals):
        return True
    for literal in literals:
        term = literal.term
        if isinstance(term, ElementTerm) and term.symbol != "metal" and literal.negated == (term.symbol in own):
            return True
        if isinstance(term, FormulaTerm) and not literal.negated and {symbol for symbol, _ in term.amounts} != own:
            return True
        is_class = isinstance(term, ConceptTerm) and term.kind_of_concept in _OF_COMPOUNDS
        behind = mineral.end <= literal.start and not text[mineral.end : literal.start].strip(" -")
        if is_class and behind and not literal.negated:
            return True
    return False


def _is_listed_with_types(text: str, mineral: Literal, literals: Sequence[Literal]) -> bool:
    """Whether a list that begins with a mineral ends with a type: `pyrite and marcasite structures`."""
    end = mineral.end
    for literal in literals:
        if literal.start < end or not isinstance(literal.term, ConceptTerm):
            continue
        if _LIST.fullmatch(text, end, literal.start) is None:
            return False
        if _TYPE.search(text, literal.start, literal.end):
            return literal.term.kind_of_concept == "structure-type"
        end = literal.end
    return False


__all__ = ["minerals_as_types"]
