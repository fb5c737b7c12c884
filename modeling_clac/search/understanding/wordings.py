"""Wordings of the vocabulary in a text: the longest one that begins at a word, as the term that it stands for."""

from __future__ import annotations

import re

from ...concepts.spelling import Token
from ...formula_grammar_clac import ATOMIC_NUMBERS
from .chemistry import group_symbol, is_pattern
from .lexicon import Lexicon
from .query import ConceptTerm, ElementTerm, Literal, PatternTerm, PointGroupTerm, SortKey, SpaceGroupTerm
from .senses import has_other_sense
from .state import State
from .words import FUNCTION_WORDS

# Between the words of a wording: never punctuation.
_INSIDE_WORDING = re.compile(r"\s*[-/(\[)\]·]?\s*|[_:]|\+\s*")
# `Fe3+`, `Fe(III)`; the sign of `Fe + Mo` joins a list.
OXIDATION = re.compile(r"\s?(?:\((?:I{1,3}|IV|VI{0,3}|I?X)\)|\d\+)|\+(?!\w)")
# What a metal is combined with: in `lightweight metal hydrides`, a metal is an element.
_KINDS_OF_METALS = frozenset({"anion", "oxyanion", "group"})
# What a use does to other compounds: `removes hydrogen sulfide`, `substitute for indium tin oxide`.
_OF_OTHERS = re.compile(r"\b(?:conducts|delivers|for|of|reduces|removes)\b", re.I)
_NON_BEFORE = re.compile(r"(?<!\w)non-$", re.I)


def read_wording(state: State, lexicon: Lexicon, words: list[Token], place: int) -> tuple[int] | None:
    """Read the longest wording that begins at a word, and return the place behind it."""
    longest = together(state.text, lexicon, words, place)
    # `non-oxide ceramic` is a ceramic: the prefix reaches as far as the shortest wording.
    counts = range(1, len(longest) + 1) if _NON_BEFORE.search(state.text, 0, words[place].start) else None
    for count in counts or range(len(longest), 0, -1):
        parts = longest[:count]
        start, end = parts[0].start, parts[-1].end
        spelled = "".join(part.key for part in parts)
        superlative = lexicon.superlative(spelled)
        if superlative is not None:
            state.sort.append((start, SortKey(*superlative)))
            state.mark(start, end)
            return (place + count,)
        concept = lexicon.id_of(spelled)
        symbol = lexicon.elements.get(spelled)
        if (concept is None and symbol is None) or (count > 1 and not lexicon.may_be_split(spelled, parts)):
            continue
        if count == 1 and parts[0].key in FUNCTION_WORDS:
            continue
        if any(state.touched[start:end]) and all(
            state.touched[part.start] or part.key in FUNCTION_WORDS for part in parts
        ):
            # `with a band gap` in `with a band gap over 5 eV`.
            continue
        if _is_alternative_of_anions(state, lexicon, parts):
            continue
        # `with` of `with hydrogen bonds` says nothing; `low` of `low density, high hardness` does.
        if _begins_with_nothing(lexicon, parts, concept, symbol) and _reaches_further(
            state, lexicon, words, place, place + count
        ):
            return None
        if count == 2 and concept is not None and _is_systematic(state, lexicon, parts, concept):
            continue
        if count > 1 and concept is not None and _is_cut_by_metal(lexicon, words, place + count, concept):
            continue
        if has_other_sense(state.text, spelled, start, end):
            if count == 1:
                return None
            continue
        if count == 1 and len(parts[0].text) == 2 and parts[0].text in ATOMIC_NUMBERS and symbol is None:
            # Of what is written like a symbol, such as a Strukturbericht designation, the element is meant.
            return None
        _add_wording(state, lexicon, concept, symbol, start, end)
        kind = lexicon.vocabulary[concept].kind if count > 1 and concept is not None else None
        if kind == "use":
            _add_anion(state, lexicon, parts)
        elif kind == "structure-type":
            _add_pattern(state, parts)
        return (place + count,)
    return None


def together(text: str, lexicon: Lexicon, words: list[Token], place: int) -> list[Token]:
    """List the words from a place on that one wording can consist of: no punctuation is between them."""
    found = [words[place]]
    for word in words[place + 1 : place + lexicon.longest_from(words[place].key)]:
        if _INSIDE_WORDING.fullmatch(text[found[-1].end : word.start]) is None:
            break
        found.append(word)
    return found


def _reaches_further(state: State, lexicon: Lexicon, words: list[Token], place: int, end: int) -> bool:
    """Whether a wording begins inside another one and ends behind it: `hydrogen bonds` in `with hydrogen bonds`."""
    for first in range(place + 1, end):
        keys = [word.key for word in together(state.text, lexicon, words, first)]
        if any(lexicon.id_of("".join(keys[:count])) is not None for count in range(end - first + 1, len(keys) + 1)):
            return True
    return False


def _begins_with_nothing(lexicon: Lexicon, parts: list[Token], concept: str | None, symbol: str | None) -> bool:
    """Whether a wording is one without its first words too, as `compound of platinum` is."""
    place = 0
    while parts[place].key in FUNCTION_WORDS and place + 1 < len(parts):
        place += 1
        without = "".join(part.key for part in parts[place:])
        if lexicon.id_of(without) == concept if concept is not None else lexicon.elements.get(without) == symbol:
            return True
    return False


def _is_alternative_of_anions(state: State, lexicon: Lexicon, parts: list[Token]) -> bool:
    """Whether words are two anions that are listed: `sulfides/selenides` and `sulfides selenides` are of either."""
    is_plural = all(part.text.lower().endswith("ides") for part in parts)
    if len(parts) != 2 or not (is_plural or "/" in state.text[parts[0].end : parts[1].start]):
        return False
    ids = [lexicon.id_of(part.key) for part in parts]
    return all(each is not None and lexicon.vocabulary[each].kind == "anion" for each in ids)


def _is_systematic(state: State, lexicon: Lexicon, parts: list[Token], concept: str) -> bool:
    """
    Whether a name is an element and an anion, as `lithium oxide`, and speaks of a kind of compounds here.

    That is so in a longer text and in the plural. `lithium oxide` alone is Li2O.
    """
    anion = lexicon.id_of(parts[1].key)
    if lexicon.vocabulary[concept].kind != "name" or parts[0].key not in lexicon.elements or anion is None:
        return False
    kind = lexicon.vocabulary[anion].kind
    if parts[1].text.lower().endswith("s"):
        return kind in ("anion", "oxyanion")
    # `barium titanate ceramics` are of one compound, `lithium oxide electrolytes` of many.
    return kind == "anion" and state.text.strip(" .?!") != state.text[parts[0].start : parts[1].end]


def _is_cut_by_metal(lexicon: Lexicon, words: list[Token], end: int, concept: str) -> bool:
    """Whether a use or class that ends with `metal` stands before an anion: `lightweight metal` of `metal hydrides`."""
    if words[end - 1].key != "metal" or end == len(words) or lexicon.vocabulary[concept].kind not in ("use", "class"):
        return False
    behind = lexicon.id_of(words[end].key)
    return behind is not None and lexicon.vocabulary[behind].kind in _KINDS_OF_METALS


def _add_wording(state: State, lexicon: Lexicon, concept: str | None, symbol: str | None, start: int, end: int) -> None:
    if concept is not None:
        term = term_of(lexicon, concept)
    else:
        assert symbol is not None
        term = ElementTerm(symbol)
    if isinstance(term, ElementTerm):
        oxidation = OXIDATION.match(state.text, end)
        end = oxidation.end() if oxidation else end
    state.add([Literal(term, False, start, end)])


def _add_anion(state: State, lexicon: Lexicon, parts: list[Token]) -> None:
    """Read the kind of compounds with which a use ends: `transparent conducting oxide`, `diffusion barrier nitride`."""
    concept = lexicon.id_of(parts[-1].key)
    if concept is None or lexicon.vocabulary[concept].kind != "anion" or parts[-2].key in lexicon.elements:
        return
    start, end = parts[0].start, parts[-1].end
    if not _OF_OTHERS.search(state.text, start, end):
        # Both end at the same place, and the use comes first.
        state.literals.append(Literal(term_of(lexicon, concept), False, end, end))


def _add_pattern(state: State, parts: list[Token]) -> None:
    """Read the pattern within a structure type: an `ABO3 perovskite` has one kind of atoms on each site."""
    for part in parts:
        word = state.text[part.start : part.end]
        if any(map(str.isdigit, word)) and is_pattern(word):
            # Behind the type, whose last character it shares: a term has at least one.
            end = parts[-1].end
            state.literals.append(Literal(PatternTerm(word), False, end - 1, end))


def term_of(lexicon: Lexicon, concept_id: str) -> ConceptTerm | ElementTerm | SpaceGroupTerm | PointGroupTerm:
    """Return the term of a concept; elements and symmetry groups have terms of their own."""
    concept = lexicon.vocabulary[concept_id]
    if concept.kind == "element":
        found = re.fullmatch(r"\s*element\((\w+)\)\s*", concept.test.text)
        if found:
            return ElementTerm(found[1])
    if concept.kind == "space-group":
        found = re.fullmatch(r"\s*space_group\((\d+)\)\s*", concept.test.text)
        if found:
            return SpaceGroupTerm(int(found[1]), group_symbol(int(found[1])))
    return ConceptTerm(concept.id, lexicon.name_of(concept.id), concept.kind)


__all__ = ["OXIDATION", "read_wording", "term_of", "together"]
