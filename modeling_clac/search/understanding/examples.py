"""Examples of a use, and what it is for: `scintillators such as NaI and CsI`, `absorbers for tandem cells`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from .lists import JOINT, NAMELY, SUCH_AS, family
from .query import ConceptTerm, Constraint, ElementTerm, Literal

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

_END = r"(?P<list>[^;()]*?)(?:[;)]|\.(?:\s|$)|$)"
_SUCH_AS = re.compile(
    rf"(?<!\w)(?:{SUCH_AS}|{NAMELY}|including\b)\s*[,:]?\s*{_END}",
    re.I,
)
_BRACKETS = re.compile(r"\((?P<list>[^()]*)\)")
_COLON = re.compile(rf":\s+{_END}")
_COMMA = re.compile(r",\s*(?P<list>[^;:()]*)$")
_OF = re.compile(r"\bof\s+(?P<list>[^;:()]*)", re.I)
# `silver, copper and zinc compounds` have any of these.
_COMPOUNDS = re.compile(r"(?P<list>[^;:()]*?[\s-]+(?:compounds|minerals|materials|phases)\b)", re.I)
# Uses that are named after a material of any kind: `glass for radiation shielding`, `filler for flame retardants`.
_MATERIALS = frozenset({"glass-former", "filler"})
# What crystals can be at once.
_ADJECTIVES = frozenset({"lattice", "symmetry", "band", "attribute", "structure"})
_PART = re.compile(r'"([\w-]+)"')
# What a use is for: `phosphors for white lamps`, but not `cathodes and anodes for batteries`.
_FOR = re.compile(r"\s*(?:[\w-]+\s+){0,2}?(?:for|in)\s+(?:[\w-]+\s+){0,2}?", re.I)


def with_examples(
    text: str, constraints: Sequence[Constraint], vocabulary: Vocabulary, notes: list[str]
) -> list[Constraint]:
    """
    Read lists behind a use as alternatives, and other examples than compounds as wishes.

    Compounds that a query names as examples of a use have it, whatever the vocabulary says. A wider use than another
    one says nothing more, nor does a use that says what the first one is for: `oxide-ion conductors for fuel cells`.

    Args:
        text: The plain text.
        constraints: What was read, in the order of the text.
        vocabulary: The concepts.
        notes: What the user should know is added to them.
    """
    found = _without_wider(_without_purposes(text, constraints, vocabulary, notes), vocabulary)
    if not any(_is_use(constraint) for constraint in found):
        return _with_example_compounds(text, found)
    for pattern in (_SUCH_AS, _BRACKETS, _COLON, _COMMA, _OF, _COMPOUNDS):
        for match in pattern.finditer(text):
            found = _with_list(text, found, match.span("list"), pattern)
    return found


def _with_example_compounds(text: str, constraints: list[Constraint]) -> list[Constraint]:
    """Read examples of a class as wishes: `insulators such as EuO and CrBr3`, `clusters such as Chevrel phases`."""
    found = list(constraints)
    for match in _SUCH_AS.finditer(text):
        start, end = match.span("list")
        inside = [
            each
            for each in found
            if start <= each.start
            and each.end <= end
            and (all(map(_is_compound, each.literals)) or all(map(_is_type, each.literals)))
            and not any(literal.negated for literal in each.literals)
        ]
        if not inside or not any(each.end <= start for each in found):
            continue
        literals = dict.fromkeys(literal for each in inside for literal in each.literals)
        place = found.index(inside[0])
        found = [each for each in found if each not in inside]
        found.insert(place, Constraint(tuple(literals), True))
    return found


def _with_list(
    text: str, constraints: list[Constraint], span: tuple[int, int], pattern: re.Pattern[str]
) -> list[Constraint]:
    """Join what stands in a list."""
    inside = [each for each in constraints if span[0] <= each.start and each.end <= span[1] and not each.preferred]
    inside = [each for each in inside if not any(literal.negated for literal in each.literals) and not _is_use(each)]
    before = len(text) if pattern is _COMPOUNDS else span[0]
    first = next((each for each in constraints if _is_use(each) and each.start < before), None)
    literals = [literal for each in inside for literal in each.literals]
    if not inside or first is None or any(literal.term.kind == "range" for literal in literals):
        return constraints
    compounds = [literal for literal in literals if _is_compound(literal)]
    elements = sum(isinstance(literal.term, ElementTerm) for literal in literals)
    if pattern is _COLON and elements == len(inside):
        # `cathode: Li, Mn, O` has all of them.
        return constraints
    begins = not text[span[0] : inside[0].start].strip()
    if pattern is _COMMA and not (begins and compounds and len(compounds) + elements == len(literals)):
        return constraints
    if pattern is _OF and not (begins and elements == len(inside) > 2):
        return constraints
    if pattern is _COMPOUNDS and not (
        elements == len(inside) > 1 and " " not in text[inside[-1].end : span[1]].strip()
    ):
        return constraints
    is_list = [
        bool(gap.strip()) and JOINT.fullmatch(gap) is not None
        for gap in (text[one.end : two.start] for one, two in pairwise(inside))
    ]
    # `lithiated Si, Ge, Sn`: the first word belongs to all of them.
    shared = 1 if len(is_list) > 1 and not is_list[0] and all(is_list[1:]) else 0
    merged = list(inside)
    if all(is_list[shared:]):
        joined = dict.fromkeys(literal for each in inside[shared:] for literal in each.literals)
        merged = [*inside[:shared], Constraint(tuple(joined))]
    elif pattern in (_OF, _COMPOUNDS):
        return constraints
    # `substrates: cubic, insulating` are both.
    families = {family(literal) for literal in literals}
    if len(families) > 1 and families & _ADJECTIVES:
        return constraints
    wish = pattern is _SUCH_AS or bool(compounds)
    result: list[Constraint] = []
    for each in constraints:
        if each is first and wish and compounds:
            result.append(Constraint(tuple(dict.fromkeys([*each.literals, *compounds])), each.preferred))
        elif each is inside[0]:
            result += [replace(one, preferred=wish) for one in merged if not set(one.literals) <= set(compounds)]
        elif each not in inside:
            result.append(each)
    return result


def _without_purposes(
    text: str, constraints: Sequence[Constraint], vocabulary: Vocabulary, notes: list[str]
) -> list[Constraint]:
    """Leave out what a use is for: `gamma detection` of `scintillators for gamma detection`."""
    found: list[Constraint] = []
    for each in constraints:
        uses = [before for before in found if _is_use(before)]
        if (
            uses
            and _is_use(each)
            and len(each.literals) == 1
            and not any(_is_wider(use, _ids(each)[0], vocabulary) for use in _ids(uses[-1]))
            and _FOR.fullmatch(text, uses[-1].end, each.start)
        ):
            if _ids(uses[-1])[0] in _MATERIALS:
                found.append(replace(each, preferred=True))
                continue
            if not any(_is_general(use, vocabulary) for use in _ids(uses[-1])):
                notes.append(
                    f"read {text[each.start : each.end]!r} as what {text[uses[-1].start : uses[-1].end]!r} is for"
                )
                continue
            # `electrodes for supercapacitors`: the second one says which; `anodes for sodium batteries` are both.
            if not _is_general(_ids(each)[0], vocabulary):
                found.remove(uses[-1])
        found.append(each)
    return found


def _without_wider(constraints: list[Constraint], vocabulary: Vocabulary) -> list[Constraint]:
    """Leave out `dielectric material` where `capacitor dielectric` is asked for as well."""
    uses = [_ids(each)[0] for each in constraints if _is_use(each) and len(each.literals) == 1]
    return [
        each
        for each in constraints
        if not (
            _is_use(each) and len(each.literals) == 1 and any(_is_wider(_ids(each)[0], use, vocabulary) for use in uses)
        )
    ]


def _is_wider(wide: str, narrow: str, vocabulary: Vocabulary) -> bool:
    """Whether a use is a kind of another one, by what the vocabulary says."""
    if wide == narrow:
        return False
    if wide in vocabulary[narrow].implies:
        return True
    parts = _PART.findall(vocabulary[wide].test.text) if _is_general(wide, vocabulary) else []
    return narrow in parts or any(_is_wider(part, narrow, vocabulary) for part in parts)


def _is_general(use: str, vocabulary: Vocabulary) -> bool:
    """Whether a use is nothing but other ones: electrodes are cathodes and anodes."""
    return vocabulary[use].test.text.startswith("concept(")


def _ids(constraint: Constraint) -> list[str]:
    return [literal.term.id for literal in constraint.literals if isinstance(literal.term, ConceptTerm)]


def _is_use(constraint: Constraint) -> bool:
    return any(
        not literal.negated and isinstance(literal.term, ConceptTerm) and literal.term.kind_of_concept == "use"
        for literal in constraint.literals
    )


def _is_type(literal: Literal) -> bool:
    return isinstance(literal.term, ConceptTerm) and literal.term.kind_of_concept == "structure-type"


def _is_compound(literal: Literal) -> bool:
    term = literal.term
    return term.kind == "formula" or (isinstance(term, ConceptTerm) and term.kind_of_concept == "name")


__all__ = ["with_examples"]
