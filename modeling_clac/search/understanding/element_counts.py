"""Elements that are counted: `two metals`, `at least two of Fe, Co, Ni`, `one more element`, `metals from Ti to Zn`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ...concepts.elements import ELEMENT_NAMES, GROUPS
from ...concepts.spelling import key
from ...formula_grammar_clac import ATOMIC_NUMBERS
from .implied_elements import allowed_elements, needed_elements
from .lists import JOINT, OR, family
from .number_words import RATIO, VALUES
from .query import ConceptTerm, CountTerm, ElementTerm, Literal, RangeTerm, SystemTerm

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

# Bounds of a number, with what they add to it.
_AT_LEAST = {"at least": 0, "more than": 1, "no fewer than": 0, "no less than": 0, "not fewer than": 0}
_AT_MOST = {"at most": 0, "less than": -1, "fewer than": -1, "no more than": 0, "not more than": 0, "up to": 0}
_BOUND = "|".join(sorted([*_AT_LEAST, *_AT_MOST], key=len, reverse=True))
_COUNT_BEFORE = re.compile(
    rf"(?:(?P<bound>exactly|{_BOUND})\s+)?"
    r"(?<![\w.-])(?<!group )(?<!period )(?<!row )(?<!every )(?<!each )"
    r"(?P<number>two|three|four|five|[2-9]|(?:(?<=exactly )|(?<=at most )|(?<=more than ))(?:one|1))"
    r"\s+(?:different\s+|distinct\s+|(?P<other>(?:other|further|additional|more)\s+))?"
    r"(?:of\s+)?(?:an?\s+|the\s+)?$",
    re.I,
)
# `the only metal`, `a second alkali metal`, `no other metals`
_ONLY_ONE = re.compile(
    r"\b(?:(?:the|its|their|as)\s+(?:only|single|sole)|(?:only|just)\s+(?:one|1|a\s+single)|a\s+sole"
    r"|(?:(?:only|just)\s+)?(?:one|1|a\s+single)\s+(?:kind|type|sort|species)\s+of)\s+$",
    re.I,
)
# `one metal kind only`
_ONE, _KIND_ONLY = (
    re.compile(r"\b(?:one|1|a\s+single)\s+$", re.I),
    re.compile(r"\s+(?:kind|type|species)?\s*(?:only|alone)\b", re.I),
)
_THE_ONLY = re.compile(r"\b(?:the|its|their|as)\s+(?:only|single|sole)\s+(?P<metal>metal)$", re.I)
_OTHER_ONE = re.compile(
    r"\b(?:another|(?:an?|one|some|the)\s+(?:second|other|additional|further|extra|more)|other|others)\s+"
    # `one more element of group 4`
    r"(?:elements?\s+(?:of|from|in)\s+(?:the\s+)?)?$",
    re.I,
)
_NO_OTHER = re.compile(r"\b(?:other|further|additional|second|extra)\s+$", re.I)
_IS = re.compile(r"\s+(?:is|being|are)\b")
# `two metals for every three oxygens`
_OF_RATIO = re.compile(rf"(?:\s+(?:atoms?|ions?))?\s+{RATIO}", re.I)
_LISTED = r"(?:one|two|three|four|five|six|[1-9])"
# `at least two of Fe, Co, Ni`
_COUNT_OF_LIST = re.compile(
    rf"(?:(?P<bound>exactly|only|just|any|{_BOUND})\s+)?"
    rf"(?<![\w.-])(?P<number>{_LISTED})(?:\s+(?:or|to)\s+(?P<second>{_LISTED}))?(?P<more>\s+or\s+more)?"
    r"\s+(?:elements?\s+)?(?:out\s+)?(?:of|from|among)\s*:?\s*(?:(?:the|these|following|elements?)\s*)*:?\s*\(?\s*$",
    re.I,
)
# `B, Gd or Hf, at least two of these`
_COUNT_BEHIND = re.compile(
    rf"\b(?P<bound>exactly|only|just|any|{_BOUND})\s+(?P<number>{_LISTED})(?:\s+(?:or|to)\s+(?P<second>{_LISTED}))?(?P<more>\s+or\s+more)?"
    r"\s+of\s+(?:these|them|those)\b",
    re.I,
)
_LIST_COUNT = re.compile(
    rf"(?:\b(?:exactly|only|just|any|at\s+least|at\s+most|more\s+than|up\s+to|(?:no|not)\s+(?:more|less|fewer)\s+than|less\s+than|fewer\s+than)\s+)?(?<![\w.-]){_LISTED}"
    rf"(?:\s+(?:or|to)\s+(?:more|{_LISTED}))?\s+(?:elements?\s+)?(?:out\s+)?(?:of|from|among)\s*:?\s*(?:(?:the|these|following|elements?)\s*)*:?\s*\(?"
    r"(?=\s*[A-Z][a-z]?\s*(?:[,/]|\s(?:and|or)\b))",
    re.I,
)
# `one more element`, `at most two other elements`; `one other element of group 4` is not any element.
_FURTHER = re.compile(
    rf"(?:\b(?P<bound>exactly|only|just|{_BOUND})\s+)?"
    r"\b(?:another(?:\s+(?P<others>two|three|[23]))?|(?P<number>an?|one|two|three|[1-3])\s+(?:other|further|additional|more|extra))"
    r"\s+elements?\b(?!\s+(?:of|from|than|such)\b)",
    re.I,
)
# `3d metals from Ti to Zn`, `lanthanides La to Lu`, and as readings write it: `any of Ti to Zn`.
_SPAN = re.compile(
    r"\b(?:(?:elements?|metals?|lanthan(?:ide|oid)s?|actin(?:ide|oid)s?|earths?|halogens?|halides?|chalcogen(?:ide)?s?|pnictogens?)"
    r"[\s,(:]+(?:ranging\s+)?(?:from\s+)?|(?-i:[A-Z][a-z]?)\s*=\s*|(?P<any>any\s+of\s+))(?P<first>[A-Za-z]+)\s+(?:to|through)\s+(?P<last>[A-Za-z]+)\b(?!\s+ratio)",
    re.I,
)
# Columns of the periodic table of which people name the first and the last member.
_COLUMN_GROUPS = ("alkali", "alkaline_earth", "triel", "tetrel", "pnictogen", "chalcogen", "halogen", "noble_gas")
_METALS = re.compile(r"metals?", re.I)


def list_counts(text: str) -> list[tuple[int, int]]:
    """
    Find `at least two of` before lists of symbols, where it is neither a number with a quantity nor an oxidation state.

    Args:
        text: The plain text.

    Returns:
        The spans, which `counted_lists` reads when the elements are read.
    """
    return [found.span() for found in _LIST_COUNT.finditer(text)]


def element_spans(text: str, names: Mapping[str, str]) -> list[Literal]:
    """
    Read `3d metals from Ti to Zn` as one of the elements between them, in a column or a row.

    Args:
        text: The plain text.
        names: Key of the name of an element -> its symbol.
    """
    found = []
    for match in _SPAN.finditer(text):
        first, last = (names.get(key(match[end]), match[end]) for end in ("first", "last"))
        between = _between(first, last) if {first, last} <= ELEMENT_NAMES.keys() else []
        if len(between) > 1:
            term = CountTerm(f"{first} to {last}", tuple(sorted(between)), 1)
            start = match.start("first" if match["any"] is None else "any")
            found.append(Literal(term, False, start, match.end()))
    return found


def _between(first: str, last: str) -> list[str]:
    """The elements from one to another of the same column; if they share none, in the order of atomic numbers."""
    low, high = sorted((ATOMIC_NUMBERS[first], ATOMIC_NUMBERS[last]))
    column = next((GROUPS[name] for name in _COLUMN_GROUPS if {first, last} <= GROUPS[name]), ELEMENT_NAMES)
    return [symbol for symbol in ELEMENT_NAMES if low <= ATOMIC_NUMBERS[symbol] <= high and symbol in column]


def counted_groups(text: str, literals: list[Literal], vocabulary: Vocabulary) -> list[Literal]:
    """
    Read `at least two transition metals` and `three metals` as numbers of elements.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
        vocabulary: The concepts that they name.
    """
    found = []
    for literal in literals:
        # `only metals` is a wording, of which `the only metal` is none.
        is_only = _THE_ONLY.search(text, 0, literal.end)
        if is_only is not None and is_only.start("metal") > literal.start and not literal.negated:
            literal = replace(literal, start=is_only.start("metal"))
        is_metal = _METALS.fullmatch(text, literal.start, literal.end) is not None
        if _OF_RATIO.match(text, literal.end):
            found.append(literal)
            continue
        if is_metal or (isinstance(literal.term, ConceptTerm) and literal.term.kind_of_concept == "element-group"):
            symbols = GROUPS["metal"] if is_metal else allowed_elements(literal.term, vocabulary)
            before = [each for each in literals if each.end <= literal.start]
            counted = _number_before(text, literal, _named_elements(text, before, symbols))
            if counted is not None:
                start, low, high = counted
                name = "metal" if is_metal else literal.term.label
                term = CountTerm(name, tuple(sorted(symbols)), low, high)
                literal = replace(literal, term=term, start=start, negated=False)
        found.append(literal)
    return found


def _number_before(text: str, literal: Literal, named: int) -> tuple[int, int, int | None] | None:
    """
    Read how many elements of a group there are.

    Args:
        text: The plain text.
        literal: The group.
        named: How many of its elements the text asks for by their names; `another alkali metal` is one more.

    Returns:
        Where the number begins, and its bounds; `None` if there is none.
    """
    count = _COUNT_BEFORE.search(text, 0, literal.start)
    bound = "exactly" if count is None else (count["bound"] or "exactly").lower()
    # The `no` of `no more than two` excludes nothing.
    if count is not None and (not literal.negated or bound.startswith("no")):
        number = VALUES.get(count["number"].lower()) or int(count["number"])
        number += _AT_LEAST.get(bound, 0) + _AT_MOST.get(bound, 0) + (named if count["other"] else 0)
        return count.start(), 0 if bound in _AT_MOST else number, None if bound in _AT_LEAST else number
    one = _ONLY_ONE.search(text, 0, literal.start)
    if one is None and _KIND_ONLY.match(text, literal.end):
        one = _ONE.search(text, 0, literal.start)
    if one is not None and not literal.negated:
        return one.start(), 1, 1
    other = (_NO_OTHER if literal.negated else _OTHER_ONE).search(text, 0, literal.start)
    # `the other metal is Ru or Ir` says which one.
    if other is None or named == 0 or _IS.match(text, literal.end):
        return None
    return (other.start(), 0, named) if literal.negated else (other.start(), named + 1, None)


def _named_elements(text: str, literals: list[Literal], symbols: frozenset[str]) -> int:
    """Count the elements of a group that are asked for by their names; of alternatives, there is one."""
    runs: list[list[Literal]] = []
    for literal in literals:
        is_named = isinstance(literal.term, ElementTerm) and literal.term.symbol in symbols and not literal.negated
        gap = text[runs[-1][-1].end : literal.start] if runs else ""
        # `Fe or Co, O`: the list of alternatives ends behind its `or`.
        is_over = (
            bool(runs) and len(runs[-1]) > 1 and OR.search(text[runs[-1][-2].end : runs[-1][-1].start]) is not None
        )
        if is_named and runs and JOINT.fullmatch(gap) and (not is_over or OR.search(gap)):
            runs[-1].append(literal)
        elif is_named:
            runs.append([literal])
    named: set[object] = set()
    for run in runs:
        is_choice = OR.search(text[run[0].end : run[-1].start]) is not None
        named.update([run[0].term] if is_choice else [each.term for each in run])
    return len(named)


def counted_lists(text: str, literals: list[Literal]) -> tuple[list[Literal], list[str]]:
    """
    Read `at least two of Fe, Co, Ni` as a number of elements.

    `at least one of Fe, Co, Ni` stays a list of alternatives.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.

    Returns:
        The terms, and notes on numbers of other things than elements, which no term can express.
    """
    found: list[Literal] = []
    notes = []
    place = 0
    literals = _counted_behind(text, literals)
    while place < len(literals):
        literal = literals[place]
        count = _COUNT_OF_LIST.search(text, 0, literal.start)
        bounds = None if count is None else _bounds_of(count)
        if count is None or bounds is None:
            found.append(literal)
            place += 1
            continue
        # The `no` of `no more than two` excludes nothing.
        is_excluded = literal.negated and not (count["bound"] or "").lower().startswith("no")
        run = [] if is_excluded else _list_from(text, literals, place)
        if len(run) > 1:
            found.append(Literal(_count_of(run, bounds), False, count.start(), run[-1].end))
            place += len(run)
            continue
        notes.append(_uncounted(text, count, literal))
        found.append(literal)
        place += 1
    return found, notes


def _counted_behind(text: str, literals: list[Literal]) -> list[Literal]:
    """Read `boron, Gd or Hf, at least two of these`."""
    for count in _COUNT_BEHIND.finditer(text):
        bounds = _bounds_of(count)
        before = [each for each in literals if each.end <= count.start()]
        run: list[Literal] = []
        for each in reversed(before):
            gap = text[each.end : run[0].start] if run else text[each.end : count.start()]
            is_joint = JOINT.fullmatch(gap) is not None if run else not gap.strip(" ,;:(-")
            if not is_joint or not isinstance(each.term, ElementTerm) or each.term.symbol == "metal" or each.negated:
                break
            run.insert(0, each)
        if bounds is not None and len(run) > 1:
            counted = Literal(_count_of(run, bounds), False, run[0].start, count.end())
            literals = sorted([*(each for each in literals if each not in run), counted], key=lambda each: each.start)
    return literals


def _count_of(run: list[Literal], bounds: tuple[int, int | None]) -> CountTerm:
    names = ", ".join(dict.fromkeys(each.term.label for each in run))
    symbols = tuple(sorted({each.term.symbol for each in run if isinstance(each.term, ElementTerm)}))
    return CountTerm(names, symbols, *bounds)


def _uncounted(text: str, count: re.Match[str], literal: Literal) -> str:
    said = " ".join(text[count.start() : literal.end].split())
    return f"{said!r}: how many of a list must hold is read for elements only, and not with a negation"


def _bounds_of(count: re.Match[str]) -> tuple[int, int | None] | None:
    """The bounds of a number before a list; `None` if one of the list or more is asked for."""
    bound = (count["bound"] or "").lower()
    number, second = (VALUES.get((each or "").lower()) or int(each or 0) for each in count.group("number", "second"))
    if second:
        return min(number, second), max(number, second)
    if count["more"] is not None or bound in _AT_LEAST:
        number += _AT_LEAST.get(bound, 0)
        return None if number < 2 else (number, None)
    if bound in _AT_MOST:
        return 0, number + _AT_MOST[bound]
    return None if number == 1 and bound in ("", "any") else (number, number)


def _list_from(text: str, literals: list[Literal], place: int) -> list[Literal]:
    """The elements of a list that begins at a place; it ends behind its `and` or `or`."""
    run: list[Literal] = []
    is_last = False
    for literal in literals[place:]:
        gap = text[run[-1].end : literal.start] if run else ""
        is_next = not run or (gap.strip() != "" and JOINT.fullmatch(gap) is not None and "plus" not in gap)
        if is_last or not is_next or not isinstance(literal.term, ElementTerm) or literal.term.symbol == "metal":
            break
        is_last = re.search(r"\b(?:and|or)\b", gap) is not None
        run.append(literal)
    return run


def with_further_elements(
    text: str, literals: list[Literal], vocabulary: Vocabulary
) -> tuple[list[Literal], list[str]]:
    """
    Read `Li, O and one more element` as three elements.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
        vocabulary: The concepts that they name.

    Returns:
        The terms, and a note if no element is named to which others are added.
    """
    found = _FURTHER.search(text)
    if found is None:
        return literals, []
    # `Li-Fe-O with one more element` is no system of three.
    listed = [
        replace(literal, term=ElementTerm(symbol))
        for literal in literals
        for symbol in (literal.term.symbols if isinstance(literal.term, SystemTerm) and not literal.negated else ())
    ]
    others = [each for each in literals if not isinstance(each.term, SystemTerm) or each.negated]
    literals = sorted([*others, *listed], key=lambda each: each.start)
    asked = [each for each in literals if not each.negated]
    symbols = {each.term.symbol for each in asked if isinstance(each.term, ElementTerm)}
    named = _named_elements(text, others, frozenset(ELEMENT_NAMES)) + len(listed)
    for each in asked:
        if family(each) == "anion":
            named += len(needed_elements(each.term, vocabulary) - symbols)
        elif isinstance(each.term, ConceptTerm) and each.term.kind_of_concept == "element-group":
            named += not symbols & allowed_elements(each.term, vocabulary)
    if not named:
        return literals, [f"{found.group()!r} is not read: name the elements that the compound has besides"]
    bound = (found["bound"] or "exactly").lower()
    number = (found["others"] or found["number"] or "one").lower()
    number = 1 if number in ("a", "an") else VALUES.get(number) or int(number)
    number += named + _AT_LEAST.get(bound, 0) + _AT_MOST.get(bound, 0)
    low, high = (None if bound in bounds else float(number) for bounds in (_AT_MOST, _AT_LEAST))
    count = Literal(RangeTerm("number_of_elements", low, high), False, *found.span())
    return sorted([*literals, count], key=lambda each: each.start), []


__all__ = ["counted_groups", "counted_lists", "element_spans", "list_counts", "with_further_elements"]
