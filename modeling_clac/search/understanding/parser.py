"""
From a text to a query.

The order of reading: symmetry symbols; numbers and superlatives; chemical systems; then, word by word, the longest
wording of the vocabulary, a formula, a pattern of formulas, an element symbol or name; last, misspelt words. Characters
that were read are not read again. Then negation, alternatives and contradictions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...concepts.quantities import REFERENCES, find_comparatives
from ...concepts.spelling import Token, key, plain_text, tokens
from ...formula_grammar_clac import ATOMIC_NUMBERS
from ...formula_markup_clac import FlatText, flatten_markup
from .allowed import without_allowed
from .asides import without_asides
from .checks import contradictions, unknown_elements
from .chemistry import all_free, element_symbol, find_compositions, find_symmetry, find_systems, group_symbol
from .element_sets import counted_groups, only_elements
from .lexicon import Lexicon
from .metals import contained_metals, metals_as_elements
from .mineral_types import minerals_as_types
from .numbers import read_numbers
from .polarity import grouped, with_polarity
from .query import (
    Comparison,
    ConceptTerm,
    Constraint,
    CountTerm,
    ElementTerm,
    FormulaTerm,
    Literal,
    PointGroupTerm,
    Query,
    SortKey,
    SpaceGroupTerm,
)
from .senses import has_other_sense
from .typed import with_capital_symbols, with_plain_numbers
from .unread import unread_statements
from .words import FUNCTION_WORDS, foreign_language

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

# Between the words of a wording: never punctuation.
_INSIDE_WORDING = re.compile(r"\s*[-/(\[)\]·]?\s*|[_:]|\+\s*")
_TYPE_BEHIND = re.compile(r"[-\s]+(?:structured?|types?|structure[-\s]+types?|lattices?|prototypes?|family)\b", re.I)
_OXIDATION = re.compile(r"\s?(?:\((?:I{1,3}|IV|VI{0,3}|I?X)\)|\d?\+)")
# Why something is wanted or not says nothing of the crystal: `no indium because it is expensive`.
_REASON = re.compile(
    r"\b(?:because|since\s+(?:it|they|its|their|that|those))\b(?!\s+(?:must|should|ha[sv]e?\s+to|needs?)\b)[^,.;!?]*",
    re.I,
)
# What was done before says nothing of what is looked for now: `we tried LiCoO2 last year, so now I want`.
_INSIDE = r"(?:[^.;!?]|\.(?=\d))"
_STORY = re.compile(
    rf"(?P<said>\b(?:I|we)(?:'ve|\s+have|\s+had|\s+already|\s+also)*\s+(?:tried|tested|used(?!\s+in)|bought|made|grew|measured|worked\s+with|(?:were|was|been)\s+using)\b{_INSIDE}*?)"
    rf"(?:\b(?:so|but|and|hence|therefore|now)\b\W*(?:\w+\W+){{0,2}}?(?:I|we)(?:'d|'m|'re|\s+would|\s+am|\s+are)?\s+(?:now\s+)?(?:want|need|like|look\w*|search\w*)\b"
    r"|[.;!?](?=\s+\S))",
    re.I,
)
_HYPHEN_FOR_START = re.compile(r"\s*(?:,|/|&|,?\s+(?:and|or))\s*-")
_NON_BEFORE = re.compile(r"(?<!\w)non-$", re.I)
_THAN = re.compile(r"\s+(?:than|compared\s+(?:to|with))\s+(?:that\s+of\s+)?(?:an?\s+|the\s+)?", re.I)
_LONGEST_NAME = 4  # words
# `nonmagnetic`, `cobaltfree`
_JOINED = re.compile(r"non(?P<behind>\w+)|(?P<before>\w{3,})(?:free|less)")
# Kinds of concepts whose names share a last word: `early or late transition metals`.
_KINDS_OF_HEADS = frozenset({"element-group", "attribute", "use", "structure-type", "band"})
_BETWEEN_TWO = re.compile(r"-?\s*(?:/|&|,|,?\s+(?:and|or))\s*", re.I)
_PREPOSITIONS = ("for", "of", "against", "from", "to")
# What is made of verbs in names of uses.
_NOUNS_OF_VERBS = {
    verb: nouns.split()
    for nouns, verbs in {
        "storage": "store storing", "detector detection": "detect detecting", "sensor sensing": "sense sensing",
        "capture sorbent": "capture capturing", "shielding": "shield", "absorber absorption": "absorb absorbing",
        "removal": "remove removing", "conversion": "convert converting", "splitting": "split splitting",
        "reduction": "reduce reducing", "oxidation": "oxidize oxidizing", "harvesting": "harvest harvesting",
        "cooling": "cool cooling", "generation": "generate generating", "production": "produce producing",
        "conductor": "conduct conducting", "separation": "separate separating",
    }.items()
    for verb in verbs.split()
}  # fmt: skip


# Characters of a query that are read. The time grows with the square of their number, to about a second here.
MOST_CHARACTERS = 5_000


@dataclass
class _State:
    """What was read of a text so far."""

    text: str
    shown: str
    free: list[bool]
    touched: list[bool]
    literals: list[Literal] = field(default_factory=list)
    sort: list[tuple[int, SortKey]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    rest_end: int = -1

    def mark(self, start: int, end: int) -> None:
        self.free[start:end] = [False] * (end - start)

    def add(self, literals: Iterable[Literal]) -> None:
        for literal in literals:
            self.literals.append(literal)
            self.mark(literal.start, literal.end)


def understand(text: str, vocabulary: Vocabulary) -> Query:
    """
    Read a query as constraints. It never fails: words that are not understood are listed in the result.

    Args:
        text: A query in English. Of a longer one the first `MOST_CHARACTERS` are read, which a note says.
        vocabulary: The concepts that it may name.

    Returns:
        The constraints, orders and words that were not read. Spans are places in `text`.
    """
    flat = flatten_markup(text[:MOST_CHARACTERS])
    # A reading that was printed separates its parts by dots, which stand for water in formulas.
    shown = with_plain_numbers(flat.text)
    plain = with_capital_symbols(plain_text(shown).replace(" · ", " ; "))
    lexicon = Lexicon.of(vocabulary)
    state = _State(plain, shown, [True] * len(plain), [False] * len(plain))
    if len(text) > MOST_CHARACTERS:
        state.notes.append(
            f"only the first {MOST_CHARACTERS:,} of {len(text):,} characters are read; the others count by meaning only"
        )
    for reason in _REASON.finditer(plain):
        state.mark(*reason.span())
    for story in _STORY.finditer(plain):
        state.mark(*story.span())
        name = shown[slice(*story.span("said"))].rstrip(" ,")
        state.notes.append(f"read {name!r} as what was done before")
    _leave_unread(state)
    state.add(find_symmetry(plain))
    state.add(contained_metals(plain, state.free))
    _read_comparisons(state, lexicon)
    numbers = read_numbers(plain, shown, state.free)
    state.literals += numbers.literals
    state.sort += numbers.sort
    state.notes += numbers.notes
    for start, end in numbers.used:
        state.mark(start, end)
    for start, end in numbers.touched:
        state.touched[start:end] = [True] * (end - start)
    systems, unknown = find_systems(plain, state.free)
    state.add(systems)
    _read_words(state, lexicon, find_compositions(plain, state.free))
    state.literals.sort(key=lambda literal: (literal.start, literal.end))
    _leave_asides(state)
    literals = minerals_as_types(plain, with_polarity(plain, metals_as_elements(plain, state.literals)), lexicon)
    literals = counted_groups(plain, literals, vocabulary)
    counted = _words_of_counts(plain, literals)
    state.rest = [word for word in state.rest if word not in counted]
    constraints = grouped(plain, only_elements(plain, literals, vocabulary))
    constraints = [_placed(constraint, flat) for constraint in constraints]
    sort = tuple(dict.fromkeys(key for _, key in sorted(state.sort, key=lambda entry: entry[0])))
    query = Query(text, tuple(constraints), sort, tuple(dict.fromkeys(state.rest)), tuple(state.notes))
    query = replace(query, comparisons=tuple(dict.fromkeys(state.comparisons)))
    language = foreign_language(text)
    strange = unknown_elements(query, unknown)
    # If nothing else was read, there is nothing to search for.
    notes = [*query.notes, *(strange if query else ())]
    if language is not None:
        notes.append(f"this looks like {language}; only English is understood, so translate it for better results")
    return replace(
        query, notes=tuple(notes), contradictions=(*contradictions(query, vocabulary), *(() if query else strange))
    )


def _words_of_counts(text: str, literals: Iterable[Literal]) -> set[str]:
    """The words of numbers of elements, such as `three` of `three metals`."""
    counts = (literal for literal in literals if isinstance(literal.term, CountTerm))
    return {word for literal in counts for word in text[literal.start : literal.end].split()}


def _placed(constraint: Constraint, flat: FlatText) -> Constraint:
    """Give the places in the original text."""
    literals = []
    for literal in constraint.literals:
        start, end = flat.span(literal.start, literal.end)
        literals.append(replace(literal, start=start, end=end))
    return replace(constraint, literals=tuple(literals))


def _read_comparisons(state: _State, lexicon: Lexicon) -> None:
    """Read `harder than titanium carbide`, whose value is looked up among the crystals."""
    for found in find_comparatives(state.text):
        than = _THAN.match(state.text, found.end)
        if than is None or not all_free(state.free, found.start, than.end()):
            continue
        behind = [word for word in tokens(state.text) if word.start >= than.end()][:_LONGEST_NAME]
        words = _together(state.text, lexicon, behind, 0) if behind else []
        for count in range(len(words), 0, -1):
            end = words[count - 1].end
            name = state.text[than.end() : end]
            if words[0].start != than.end() or re.sub(r"[\s-]+", " ", name.lower()) in REFERENCES:
                break
            if _is_compound(lexicon, name):
                label = state.text[found.start : end]
                state.comparisons.append(Comparison(found.column, found.more, name, label))
                state.mark(found.start, end)
                break


def _is_compound(lexicon: Lexicon, name: str) -> bool:
    """Whether a text is the name or formula of one compound or element."""
    spelled = key(name)
    concept = lexicon.id_of(spelled)
    if spelled in lexicon.elements or (concept is not None and lexicon.vocabulary[concept].kind in ("name", "element")):
        return True
    whole = [each for each in find_compositions(name, [True] * len(name)) if each.end - each.start == len(name)]
    return any(isinstance(each.term, FormulaTerm) for each in whole) or element_symbol(name, 0, len(name)) is not None


def _leave_unread(state: _State) -> None:
    """Take out what no fact decides, such as `n=2` in `n=2 Ruddlesden-Popper`, which is not a refractive index."""
    for start, end, note in unread_statements(state.text):
        if all_free(state.free, start, end):
            state.mark(start, end)
            state.rest.append(state.text[start:end])
            state.notes.append(note)


def _read_words(state: _State, lexicon: Lexicon, compositions: list[Literal]) -> None:
    words = [token for token in tokens(state.text) if all_free(state.free, token.start, token.end)]
    words = _corrected(state, lexicon, words, compositions)
    place = 0
    while place < len(words):
        word = words[place]
        if not state.free[word.start]:
            place += 1
            continue
        found = _first_of_two(state, lexicon, words, place) or _wording(state, lexicon, words, place)
        composition = next((each for each in compositions if each.start <= word.start < each.end), None)
        if found is not None and composition is not None and isinstance(composition.term, ElementTerm):
            # `Fe3+` is iron(III): its sign belongs to the wording.
            state.mark(word.start, composition.end)
            composition = None
        if found is not None and not (composition is not None and composition.end > words[found[0] - 1].end):
            place = found[0]
            continue
        if composition is not None:
            _add_composition(state, composition)
        else:
            # `K below 30 GPa` is a modulus.
            symbol = None if state.touched[word.start] else element_symbol(state.text, word.start, word.end)
            if symbol is not None:
                oxidation = _OXIDATION.match(state.text, word.end)
                end = oxidation.end() if oxidation else word.end
                state.add([Literal(ElementTerm(symbol), False, word.start, end)])
            elif not _is_joined(state, lexicon, word) and not _is_turned(state, lexicon, words, place):
                _leave(state, word)
        place += 1


def _corrected(state: _State, lexicon: Lexicon, words: list[Token], compositions: list[Literal]) -> list[Token]:
    """Replace the keys of misspelt words."""
    found: list[Token] = []
    for word in words:
        before = next((each for each in reversed(found) if each.key not in FUNCTION_WORDS), None)
        whole = None if before is None else _shared_start(lexicon, state.text, before, word)
        if whole is not None:
            found.append(whole)
            continue
        in_formula = any(each.start <= word.start < each.end for each in compositions)
        better = None if in_formula or word.text.isupper() else lexicon.correction(word.key)
        if better is not None and not _known_prefix(lexicon, word.key):
            state.notes.append(f"read {word.text!r} as {better!r}")
            word = replace(word, key=better)
        found.append(word)
    return found


def _known_prefix(lexicon: Lexicon, spelled: str) -> bool:
    return lexicon.id_of(spelled) is not None or (spelled.startswith("non") and lexicon.id_of(spelled[3:]) is not None)


def _wording(state: _State, lexicon: Lexicon, words: list[Token], place: int) -> tuple[int] | None:
    """Read the longest wording that begins at a word, and return the place behind it."""
    longest = _together(state.text, lexicon, words, place)
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
        without = "".join(part.key for part in parts[1:])
        # `with` of `with hydrogen bonds` says nothing; `low` of `low density, high hardness` does.
        says_nothing = parts[0].key in FUNCTION_WORDS and (
            lexicon.id_of(without) == concept if concept is not None else lexicon.elements.get(without) == symbol
        )
        if says_nothing and _reaches_further(state, lexicon, words, place, place + count):
            return None
        if count == 2 and concept is not None and _is_systematic(state, lexicon, parts, concept):
            continue
        if count == 1 and has_other_sense(state.text, spelled, start, end):
            return None
        if count == 1 and len(parts[0].text) == 2 and parts[0].text in ATOMIC_NUMBERS and symbol is None:
            # Of what is written like a symbol, such as a Strukturbericht designation, the element is meant.
            return None
        _add_wording(state, lexicon, concept, symbol, start, end)
        return (place + count,)
    return None


def _together(text: str, lexicon: Lexicon, words: list[Token], place: int) -> list[Token]:
    """List the words from a place on that one wording can consist of: no punctuation is between them."""
    found = [words[place]]
    for word in words[place + 1 : place + lexicon.longest_from(words[place].key)]:
        if _INSIDE_WORDING.fullmatch(text[found[-1].end : word.start]) is None:
            break
        found.append(word)
    return found


def _reaches_further(state: _State, lexicon: Lexicon, words: list[Token], place: int, end: int) -> bool:
    """Whether a wording begins inside another one and ends behind it: `hydrogen bonds` in `with hydrogen bonds`."""
    for first in range(place + 1, end):
        keys = [word.key for word in _together(state.text, lexicon, words, first)]
        if any(lexicon.id_of("".join(keys[:count])) is not None for count in range(end - first + 1, len(keys) + 1)):
            return True
    return False


def _is_systematic(state: _State, lexicon: Lexicon, parts: list[Token], concept: str) -> bool:
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


def _add_wording(
    state: _State, lexicon: Lexicon, concept: str | None, symbol: str | None, start: int, end: int
) -> None:
    if concept is not None:
        term = _term_of(lexicon, concept)
    else:
        assert symbol is not None
        term = ElementTerm(symbol)
    if isinstance(term, ElementTerm):
        oxidation = _OXIDATION.match(state.text, end)
        end = oxidation.end() if oxidation else end
    state.add([Literal(term, False, start, end)])


def _term_of(lexicon: Lexicon, concept_id: str) -> ConceptTerm | ElementTerm | SpaceGroupTerm | PointGroupTerm:
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


def _shared_start(lexicon: Lexicon, text: str, before: Token, word: Token) -> Token | None:
    """
    Read `-arsenate` in `hexafluorophosphate, -arsenate or -antimonate` as `hexafluoroarsenate`.

    Returns:
        The word with the key of the whole one; `None` if it does not begin with such a hyphen.
    """
    if _HYPHEN_FOR_START.fullmatch(text, before.end, word.start) is None:
        return None
    starts = (before.key[:count] for count in range(len(before.key) - 1, 2, -1))
    return next((replace(word, key=start + word.key) for start in starts if lexicon.id_of(start + word.key)), None)


def _leave_asides(state: _State) -> None:
    """Take out substances that are named, but are not what the crystals are made of, and what is only allowed."""
    literals, asides = without_asides(state.text, state.literals)
    state.literals, allowed = without_allowed(state.text, literals)
    for aside in (*asides, *allowed):
        state.rest.append(aside.name)
        state.notes.append(aside.note)


def _add_composition(state: _State, composition: Literal) -> None:
    start, end = composition.start, composition.end
    if isinstance(composition.term, FormulaTerm):
        behind = _TYPE_BEHIND.match(state.text, end)
        if behind is not None:
            state.mark(start, behind.end())
            state.rest.append(state.text[start : behind.end()])
            return
    state.add([composition])


def _is_joined(state: _State, lexicon: Lexicon, word: Token) -> bool:
    """Read `noncubic`, `nonmagnetic`, `cobaltfree`."""
    parts = _JOINED.fullmatch(word.key)
    if parts is None:
        return False
    stem = parts["behind"] or parts["before"]
    concept, symbol = lexicon.id_of(stem), lexicon.elements.get(stem)
    if (concept is None and symbol is None) or stem in FUNCTION_WORDS:
        return False
    term = ElementTerm(symbol) if concept is None and symbol is not None else _term_of(lexicon, str(concept))
    state.add([Literal(term, True, word.start, word.end)])
    return True


def _first_of_two(state: _State, lexicon: Lexicon, words: list[Token], place: int) -> tuple[int] | None:
    """Read `heavy` of `heavy or toxic elements` as `heavy elements`, and return the place behind it."""
    word = words[place]
    following = words[place + 1] if place + 1 < len(words) else None
    if following is None or word.key in FUNCTION_WORDS:
        return None
    second = place + 1 + (following.key in ("and", "or"))
    if second >= len(words) or _BETWEEN_TWO.fullmatch(state.text, word.end, words[second].start) is None:
        return None
    behind = _together(state.text, lexicon, words, second)
    for count in range(len(behind), 1, -1):
        head = "".join(part.key for part in behind[1:count])
        own, shared = lexicon.id_of(behind[0].key + head), lexicon.id_of(word.key + head)
        if own is None and count == 2 and behind[1].key == "element":
            own = lexicon.id_of(behind[0].key)
        if own is None or shared is None or own == shared:
            continue
        if lexicon.vocabulary[shared].kind in _KINDS_OF_HEADS:
            state.add([Literal(_term_of(lexicon, shared), False, word.start, word.end)])
            return (place + 1,)
    return None


def _is_turned(state: _State, lexicon: Lexicon, words: list[Token], place: int) -> bool:
    """Read `shielding against neutrons` as `neutron shielding`, and `storing hydrogen` as `hydrogen storage`."""
    word = words[place]
    behind = _together(state.text, lexicon, words, place)[1:] if place + 1 < len(words) else []
    if word.key in FUNCTION_WORDS:
        return False
    nouns = [word.key] if behind and behind[0].key in _PREPOSITIONS else _NOUNS_OF_VERBS.get(word.key, [])
    while behind and behind[0].key in (*_PREPOSITIONS, "the", "a", "an"):
        behind = behind[1:]
    for count in range(min(len(behind), _LONGEST_NAME), 0, -1):
        name = "".join(part.key for part in behind[:count])
        for noun in nouns:
            concept = lexicon.id_of(name + noun)
            if concept is not None and all(state.free[part.start] for part in behind[:count]):
                state.add([Literal(_term_of(lexicon, concept), False, word.start, behind[count - 1].end)])
                return True
    return False


def _leave(state: _State, word: Token) -> None:
    small = word.text.lower()
    said = {word.key, small, small.split("'")[0]}
    if (
        state.touched[word.start]
        or said & FUNCTION_WORDS
        or (len(small) == 1 and word.text == small and small.isalpha())
    ):
        return
    shown = state.shown[word.start : word.end]
    if state.rest and state.text[word.start - 1 : word.start] == "-" and word.start - 1 == state.rest_end:
        state.rest[-1] += f"-{shown}"
    else:
        state.rest.append(shown)
    state.rest_end = word.end


__all__ = ["MOST_CHARACTERS", "understand"]
