"""
From a text to a query.

The order of reading: symmetry symbols; numbers and superlatives; chemical systems; then, word by word, the longest
wording of the vocabulary, a formula, a pattern of formulas, an element symbol or name; last, misspelt words. Characters
that were read are not read again. Then negation, alternatives and contradictions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...concepts.spelling import Token, key, plain_text, tokens
from ...formula_markup_clac import FlatText, flatten_markup
from .allowed import without_allowed
from .asides import without_asides
from .checks import contradictions, unknown_elements
from .chemistry import all_free, element_symbol, find_compositions, find_rows, find_symmetry, find_systems
from .comparisons import read_comparisons
from .conditionals import without_conditionals
from .element_counts import counted_groups, counted_lists, element_spans, list_counts, with_further_elements
from .element_sets import only_elements, with_subsystems
from .examples import with_examples
from .grouping import grouped
from .joined_words import read_joined, read_shared_end, read_turned, read_type_of, shared_start
from .lexicon import Lexicon
from .metals import contained_metals, metals_as_elements
from .mineral_types import minerals_as_types
from .misspelt import with_quantities_spelled
from .numbers import read_numbers
from .orders import read_orders
from .periodic_columns import read_columns
from .polarity import SO_LEAVE_OUT, with_negated_values, with_polarity
from .query import Constraint, CountTerm, ElementTerm, FormulaTerm, Literal, Query, RangeTerm
from .second_choices import without_second_choices
from .spared_elements import with_spared_elements
from .state import State
from .symmetry_order import find_symmetry_orders
from .typed import with_capital_symbols, with_plain_numbers
from .unread import unread_statements
from .wordings import OXIDATION, read_wording
from .words import FUNCTION_WORDS, foreign_language

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

_TYPE_BEHIND = re.compile(r"[-\s]+(?:structured?|types?|structure[-\s]+types?|lattices?|prototypes?|family)\b", re.I)
# Why something is wanted or not says nothing of the crystal: `no indium because it is expensive`.
_REASON = re.compile(
    r"\b(?:because|becuase|becasue|cause(?=\s+(?:of\s+the|its?|they|we|I|my|our|those|that|this)\b)|cuz|coz|since\s+(?:it|they|its|their|that|those"
    r"|\w+\s+(?:is|are|gets?|got|became|becomes?)\s+(?:getting\s+|becoming\s+)?(?:too|so)))\b(?!\s+(?:must|should|ha[sv]e?\s+to|needs?)\b)"
    r"[^,.;!?]*?(?=\s+(?:I|we)(?:'d|'m|'re)?\s+(?:would|want|need|like|look|search)|[,.;!?]|$)",
    re.I,
)
# What was done before says nothing of what is looked for now: `we tried LiCoO2 last year, so now I want`.
_INSIDE = r"(?:[^.;!?]|\.(?=\d))"
_STORY = re.compile(
    rf"(?P<said>(?:(?:^|[.;!?]\s+)(?:already\s+)?tried\b(?=[^.;!?]*[.;,]\s*(?:so\s+|but\s+)?now\b)|\b(?:I|we)(?:'ve|\s+have|\s+had|\s+already|\s+also)*\s+(?:tried|tested|checked|screened|looked\s+at|use|sell|teach|used(?!\s+in)|bought|made|grew|measured|worked\s+with|(?:were|was|been)\s+using)\b){_INSIDE}*?)"
    rf"(?:\b(?:so|but|and|hence|therefore|now)\b\W*(?:\w+\W+){{0,2}}?(?:I|we)(?:'d|'m|'re|\s+would|\s+am|\s+are)?\s+(?:now\s+)?(?:want|need|like|look\w*|search\w*)\b"
    r"|[.;!?](?=\s+\S)|,\s*(?=(?:what|which)\s+(?:other|else)\b|(?:is|are)\s+there\b|any\s+other\b))",
    re.I,
)

# Who asks says nothing of the crystal either: `battery people here:`, `sulfide glass chemist here,`.
_SPEAKER = re.compile(
    r"(?:^|[.!?;]\s)\s*(?:(?:as\s+an?|I(?:'m|\s+am)\s+an?|we(?:'re|\s+are)|hi|hello|hey|dear)\s+)?(?:[\w-]+\s+){0,3}?"
    r"(?:(?:ppl|people|folks|guys?|team|lab|chemist|physicist|engineer|geologist|mineralogist|student|researcher|shop\s+owner|company|start-?up)s?"
    # A `zircon group` is one of minerals.
    r"(?:\s+here)?|groups?\s+here)\s*[:,.!;?-](?=\s)",
    re.I,
)
# Characters behind a row of symbols that may belong to a wording.
_LONGEST_END = 40
_NEGATION = re.compile(r"^(?:no|without|any|only)\s+", re.I)
# Characters of a query that are read. The time grows with the square of their number, to about a second here.
MOST_CHARACTERS = 5_000


def understand(text: str, vocabulary: Vocabulary) -> Query:
    """
    Read a query as constraints. It never fails: words that are not understood are listed in the result.

    Args:
        text: A query in English. Of a longer one the first `MOST_CHARACTERS` are read, which a note says.
        vocabulary: The concepts that it may name.

    Returns:
        The constraints, orders and words that were not read. Spans are places in `text`.
    """
    lexicon = Lexicon.of(vocabulary)
    flat, corrections = with_quantities_spelled(flatten_markup(text[:MOST_CHARACTERS]), lexicon)
    # A reading that was printed separates its parts by dots, which stand for water in formulas.
    shown = with_plain_numbers(flat.text)
    plain = with_capital_symbols(plain_text(shown).replace(" · ", " ; "))
    state = State(plain, shown, [True] * len(plain), [False] * len(plain), notes=corrections)
    if len(text) > MOST_CHARACTERS:
        state.notes.append(
            f"only the first {MOST_CHARACTERS:,} of {len(text):,} characters are read; the others count by meaning only"
        )
    for reason in _REASON.finditer(plain):
        state.mark(*reason.span())
    for left_out in re.finditer(SO_LEAVE_OUT, plain, re.I):
        state.mark(*left_out.span("reason"))
    for story in _STORY.finditer(plain):
        state.mark(*story.span())
        name = shown[slice(*story.span("said"))].rstrip(" ,")
        state.notes.append(f"read {name!r} as what was done before")
    for speaker in _SPEAKER.finditer(plain):
        state.mark(*speaker.span())
        name = shown[slice(*speaker.span())].strip(" :,.!;?-")
        state.notes.append(f"read {name!r} as who asks")
    _leave_unread(state, lexicon)
    state.add(find_symmetry_orders(plain))
    state.add(find_symmetry(plain))
    state.add(contained_metals(plain, state.free))
    for count in list_counts(plain):
        state.mark(*count)
    read_comparisons(state, lexicon)
    read_orders(state)
    numbers = read_numbers(plain, shown, state.free)
    state.literals += numbers.literals
    state.sort += numbers.sort
    state.notes += numbers.notes
    for start, end in numbers.used:
        state.mark(start, end)
    for start, end in numbers.touched:
        state.touched[start:end] = [True] * (end - start)
    systems, unknown = find_systems(plain, state.free)
    state.add(with_subsystems(plain, systems))
    read_columns(state, lexicon)
    state.add(each for each in element_spans(plain, lexicon.elements) if all_free(state.free, each.start, each.end))
    for row in find_rows(plain, state.free):
        # `Cu Ag Au` is a wording of the coinage metals, `F Cl Br or I` of halogens.
        if not _begins_wording(plain, lexicon, row):
            state.add(row)
    _read_words(state, lexicon, find_compositions(plain, state.free))
    state.literals.sort(key=lambda literal: (literal.start, literal.end))
    state.literals = with_spared_elements(plain, state.literals, vocabulary)
    _leave_asides(state)
    literals, conditions, unread = without_conditionals(plain, state.literals)
    for said in unread:
        state.rest.append(said)
        state.notes.append(f"{said!r}: of conditions with `if`, only those with `must not` are read")
    literals = minerals_as_types(plain, with_polarity(plain, metals_as_elements(plain, literals)), lexicon)
    literals = with_negated_values(plain, literals, vocabulary)
    literals, uncounted = counted_lists(plain, counted_groups(plain, literals, vocabulary))
    state.notes += uncounted
    literals, without_others = with_further_elements(plain, literals, vocabulary)
    state.notes += without_others
    counted = _words_of_counts(plain, literals)
    state.rest = [word for word in state.rest if word not in counted]
    constraints = grouped(plain, only_elements(plain, literals, vocabulary))
    constraints = with_examples(plain, constraints, vocabulary, state.notes)
    constraints = sorted([*constraints, *conditions], key=lambda each: each.start) if conditions else constraints
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
    counts = [
        literal
        for literal in literals
        if isinstance(literal.term, CountTerm)
        or (isinstance(literal.term, RangeTerm) and literal.term.column == "number_of_elements")
    ]
    return {word for literal in counts for word in text[literal.start : literal.end].split()}


def _placed(constraint: Constraint, flat: FlatText) -> Constraint:
    """Give the places in the original text."""
    literals = []
    for literal in constraint.literals:
        start, end = flat.span(literal.start, literal.end)
        literals.append(replace(literal, start=start, end=end))
    return replace(constraint, literals=tuple(literals))


def _leave_unread(state: State, lexicon: Lexicon) -> None:
    """Take out what no fact decides, such as `n=2` in `n=2 Ruddlesden-Popper`, which is not a refractive index."""
    for start, end, note in unread_statements(state.text):
        # `elements lighter than scandium` is a wording.
        is_wording = lexicon.id_of(key(_NEGATION.sub("", state.text[start:end]))) is not None
        if all_free(state.free, start, end) and not is_wording:
            state.mark(start, end)
            state.rest.append(state.text[start:end])
            state.notes.append(note)


def _read_words(state: State, lexicon: Lexicon, compositions: list[Literal]) -> None:
    words = [token for token in tokens(state.text) if all_free(state.free, token.start, token.end)]
    words = _corrected(state, lexicon, words, compositions)
    place = 0
    while place < len(words):
        word = words[place]
        if not state.free[word.start]:
            place += 1
            continue
        found = (
            read_type_of(state, lexicon, words, place)
            or read_shared_end(state, lexicon, words, place)
            or read_wording(state, lexicon, words, place)
        )
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
                oxidation = OXIDATION.match(state.text, word.end)
                end = oxidation.end() if oxidation else word.end
                state.add([Literal(ElementTerm(symbol), False, word.start, end)])
            elif not read_joined(state, lexicon, word) and not read_turned(state, lexicon, words, place):
                _leave(state, word)
        place += 1


def _begins_wording(text: str, lexicon: Lexicon, row: list[Literal]) -> bool:
    """Whether a row of symbols is a wording, or the beginning of one."""
    words = tokens(text[row[0].start : row[-1].end + _LONGEST_END])
    return any(
        lexicon.id_of("".join(word.key for word in words[:count])) is not None
        for count in range(len(row), min(len(words), len(row) + 5) + 1)
    )


def _corrected(state: State, lexicon: Lexicon, words: list[Token], compositions: list[Literal]) -> list[Token]:
    """Replace the keys of misspelt words."""
    found: list[Token] = []
    for place, word in enumerate(words):
        before = next((each for each in reversed(found) if each.key not in FUNCTION_WORDS), None)
        whole = None if before is None else shared_start(lexicon, state.text, before, word)
        if whole is not None:
            found.append(whole)
            continue
        following = words[place + 1] if place + 1 < len(words) else None
        # `alumino silicates` are one word.
        is_part = following is not None and lexicon.id_of(word.key + following.key) is not None
        in_formula = is_part or any(each.start <= word.start < each.end for each in compositions)
        better = None if in_formula or word.text.isupper() else lexicon.correction(word.text)
        if better is not None and not _known_prefix(lexicon, word.key):
            if better not in FUNCTION_WORDS:
                state.notes.append(f"read {word.text!r} as {better!r}")
            word = replace(word, key=better)
        found.append(word)
    return found


def _known_prefix(lexicon: Lexicon, spelled: str) -> bool:
    return lexicon.id_of(spelled) is not None or (spelled.startswith("non") and lexicon.id_of(spelled[3:]) is not None)


def _leave_asides(state: State) -> None:
    """Take out what the crystals are not made of, what is only allowed, and what is a second choice."""
    literals, asides = without_asides(state.text, state.literals)
    literals, allowed = without_allowed(state.text, literals)
    state.literals, second = without_second_choices(state.text, literals)
    for aside in (*asides, *allowed, *second):
        state.rest.append(aside.name)
        state.notes.append(aside.note)


def _add_composition(state: State, composition: Literal) -> None:
    start, end = composition.start, composition.end
    if isinstance(composition.term, FormulaTerm):
        behind = _TYPE_BEHIND.match(state.text, end)
        if behind is not None:
            state.mark(start, behind.end())
            state.rest.append(state.text[start : behind.end()])
            return
    state.add([composition])


def _leave(state: State, word: Token) -> None:
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
