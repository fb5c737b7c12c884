"""Negation: which terms of a text are excluded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from .lists import EXAMPLE, EXCEPT, JOINT, OR, SAME, WORD, family, is_phrase, is_symbol, or_follows
from .query import ConceptTerm, CountTerm, ElementTerm, Literal, RangeTerm

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

_EXCLUDED = r"forbidden|excluded|banned|prohibited|unwanted|undesired"
_NEGATORS = (
    # `excluded: Pb, Cd`, `forbidden elements: As`
    rf"(?:not\s+allowed|{_EXCLUDED})(?:\s+(?:elements?|atoms?|compounds?)(?:\s+are\b)?\s*:?|\s*:)"
    # `oxides except those with lead`, `oxides unless they contain lead`
    r"|(?:except(?:\s+for)?|other\s+than|excluding|not)\s+(?:those|the\s+ones|ones|any)\s+(?:with|of|containing|that\s+(?:contain|have|are))"
    r"|unless\s+(?:it|they)(?:'s|'re|\s+(?:is|are|contains?|has|have))?|nothing(?!\s+(?:but|else|other|more|less|beyond|except|with)\b)"
    r"|none(?!\s+of\b)(?:\s+(?:with|containing))?|none\s+of\s+(?:them|these|those)(?:\s+(?:with|containing))?"
    r"|not\s+(?:with|from)(?:\s+any(?:thing)?)?|not\s+both|(?:must|should|may|can|shall|do|does)\s*(?:not|n'?t)\s+(?:have|contain|include)(?=\s*:)|no(?!\s+other\s+elements?\b)|without|none\s+of|not|non|never|nor|neither|lacking|lacks?|excluding|excludes?|ex(?:c?e|ec)pt(?:\s+for|ing)?|other\s+than|rather\s+than"
    r"|(?:instead|in\s+place)\s+of|drop(?:ping)?(?=\s)|free\s+(?:of|from)|devoid\s+of|(?:absence|exclusion|omission)\s+of|avoid(?:s|ing)?|(?:is|are|was|do|does|has|have|should|must|need|wo)n'?t|minus|sans|zero(?!\s+or\b)"
    r"|must\s+not|cannot|can'?t|hat(?:e|es|ing)|leav(?:e|ing)\s+out|rul(?:e|ing)\s+out|skip(?:ping)?|ban(?:s|ned|ning)?|nothing\s+with|apart\s+from|aside\s+from|(?:all|everything)\s+but|barring"
    r"|besides|omitting|omit|w/o(?:ut)?|wo|anything\s+but"
)
_NEGATOR = re.compile(rf"(?<![\w/])(?P<negator>{_NEGATORS})(?![\w])(?:\s*:)?[\s-]*|¬\s*", re.I)
# `anything besides oxides` excludes them, `iron besides nickel` has both.
_ANY = re.compile(r"\b(?:any\w*|others?|else|everything|all|nothing)\b[^.;:!?]*\bbesides\b", re.I)
# `too expensive`
_TOO = re.compile(r"\btoo\s+$", re.I)
# A wording that begins so is a new phrase: `no alkali metals, contains iodine`.
_VERB = re.compile(r"(?:contain|with\b|ha[sv]|includ)", re.I)
_WITH = re.compile(r"(?:with|having|has|have)\b", re.I)
_MEMBERS = re.compile(
    rf"\s*[,;(–-]*\s*(?:by\s+which\s+)?(?:{EXAMPLE}|{SAME}|including|incl\.?|especially)[\s,:(]*(?:an?\s+|the\s+)?",
    re.I,
)
# Before the last member of a list.
_CONJUNCTION = re.compile(r"(?<![\w])(?:or|nor|and)(?![\w])", re.I)
_PLUS = re.compile(r"\+|\bplus\b", re.I)
_AND = re.compile(r"(?<![\w])(?:and|as\s+well\s+as)(?![\w])|&", re.I)
# A new part of the query: the scope of a negation ends.
_BREAK = re.compile(
    r"\bbut\b|\bonly\b|\byet\b|[;:.!?·](?:\s|$)|,\s*(?:with|having|and\s+with|that|which)\b|\bwith\b", re.I
)
_NOT = r"(?:\s+not|n'?t)"
# Behind what is left out, with the reason.
SO_LEAVE_OUT = (
    r"(?:\s+(?:is|are)(?P<reason>\s+[^,.;!?]{3,40}?)\s*,?\s*(?:so|hence|therefore)\s+(?:please\s+|just\s+)?"
    r"(?:leave|skip|avoid|drop|exclude|omit)\s+(?:it|them|that|this)(?:\s+out)?\b)"
)
_FREE_BEHIND = re.compile(
    r"(?:-(?:resistant|proof|less)\b|[-\s]+free\b(?!\s+(?:of|from|standing|energy|carrier|electron))"
    # `lead is forbidden`, `cobalt excluded`, `nickel is a problem`
    rf"|\s+(?:(?:is|are|(?:should|must|has\s+to|have\s+to|to)\s+be)\s+)?(?:(?:strictly|absolutely|definitely|completely|totally)\s+)?(?:{_EXCLUDED}|(?<!as\s)not\s+(?:allowed|wanted|permitted|acceptable|included|contained|present|welcome|an\s+option))\b(?!\s*:)"
    r"|\s+(?:(?:is|are|(?:should|must|has\s+to|have\s+to|to)\s+be)\s+)(?:absent|missing|avoided|omitted|left\s+out|ruled\s+out|out\b(?!\s+of)|a\s+(?:problem|no-go|concern))"
    rf"|\s+(?P<is_not>(?:is|are){_NOT})(?!\s+(?:needed|required|necessary|a\s+must|only)\b)"
    r"|\s+(?:is|are|gets?|got|became|becomes?)\s+(?:way\s+|far\s+)?too\s+\w+"
    # `low symmetry no good`
    r"|\s+(?:is\s+|are\s+)?(?:no\s+good|unacceptable|useless|unlikely|of\s+no\s+(?:use|interest)|out\s+of\s+(?:the\s+)?question)\b"
    r"|\s+(?:left\s+|put\s+|set\s+)?aside\b"
    # `diamond itself does not interest me`, `thallium also not`
    rf"|(?:\s+(?:itself|themselves))?\s+(?:does|do){_NOT}\s+(?:interest|count|work\s+for)\b|\s+(?:also\s+not|not\s+either)(?=\s*(?:[.,;!?)]|$))"
    # `beryllium is toxic so leave it out`
    rf"|{SO_LEAVE_OUT}"
    # `alloys I don't want`
    r"|\s+(?:is\s+what\s+)?(?:I|we)\s+(?:really\s+)?(?:do\s+not|don'?t|cannot|can'?t)\s+(?:want|use|like|need|accept|tolerate|have)\b(?=\s*(?:[.,;!?)]|$|\b(?:but|and|so|here|please)\b))"
    # `leave the lanthanides out`, `sulfur yes, oxygen no`
    r"|\s+out(?=\s*(?:[.,;!?)]|$|because\b|since\b|as\b|please\b))|\s+no(?=\s*(?:[.,;!?)]|$))"
    # `we own Ga and In samples, so skip everything with those`
    r"|(?P<these>[^.;!?]{0,40}?\b(?<!not )(?<!n't )(?<!cannot )(?:skip|avoid|exclude|omit|drop)"
    r"\s+(?:(?:everything|anything|all|compounds|ones|those|any)\s+)?"
    r"(?:(?:with|containing|that\s+contains?)\s+)?(?:those|these|them)\b(?!\s+\w))"
    rf"|\s+(?:does|do){_NOT}\s+(?:occur|appear|exist)\b"
    r"|\s+(?:must|should|may|can|shall|has\s+to|have\s+to)\s+(?:be\s+)?not\s+(?:be\s+)?(?:present|included|contained|used|there|in\b|inside)"
    r"|\s+(?:ones|compounds|phases)\s+(?:that\s+|which\s+)?(?:I|we)\s+(?:already\s+)?(?:know|have)\b"
    rf"|\s+(?:must|should|may|can|shall){_NOT}\s+be\s+(?:present|included|contained|used|there|in\b|part\b|any\b))",
    re.I,
)
# `must not have a gap above 3 eV`
_NO_RANGE = re.compile(
    r"(?:\b(?:not?|without|never|cannot)|n't)\s*(?:\s(?:have|having|be|show|any|an?)\b)*\s*$|\bnon-?$"
    # `leave out anything more than 0.1 eV above the hull`
    r"|\b(?:leav(?:e|ing)\s+out|exclud(?:e|es|ing)|skip(?:ping)?|drop(?:ping)?|avoid(?:ing)?|ignor(?:e|ing)|omit(?:ting)?|hid(?:e|ing)|remov(?:e|ing))"
    r"\s+(?:(?:anything|everything|all|those|ones|any)\s+)?(?:(?:that\s+(?:is|are|has|have)|which\s+(?:is|are|has|have)|with|having)\s+)?(?:an?\s+)?$",
    re.I,
)
# Before and behind values that say what a word means.
_OPENED = re.compile(rf"\s*(?:\w+\s+)?\(\s*(?:{EXAMPLE}|{SAME})?[\s,:]*", re.I)
_CLOSED = re.compile(r"\s*\)")
# Between a negation and its term: `don't show me things that would decompose`.
_FILLERS = frozenset("show me give us list want need i we things anything stuff ones that which would could".split())
_SHARED_HYPHEN = re.compile(r"-?\s*(?:,|/|&|and|or)\s*(?:and\s+|or\s+)?(?:(?:any|all)\s+)?(?:other\s+)?", re.I)
# `without rare earths and toxic elements`: one list.
_OF_COMPOSITION = frozenset({"chemistry", "anion", "attribute"})
_OF_SYMMETRY = frozenset({"lattice", "symmetry"})
# Negations that take something out of what stands before them.
_EXCEPTION = re.compile(rf"{EXCEPT}|excluding")


def with_polarity(text: str, literals: list[Literal]) -> list[Literal]:
    """
    Set which terms are negated.

    Args:
        text: The plain text.
        literals: Terms in the order of the text. Those that are negated already stay so.
    """
    found: list[Literal] = []
    # The word that negates the running list, and whether its last member was read: `neither A nor B, C` has two.
    scope: str | None = None
    is_last = False
    for place, literal in enumerate(literals):
        if isinstance(literal.term, RangeTerm):
            found.append(_range_polarity(text, literal, found[-1].end if found else 0))
            scope = None
            continue
        if isinstance(literal.term, CountTerm) and literal.term.high == 0:
            # `no metals except iron` is read as a whole.
            found.append(literal)
            scope = None
            continue
        gap = text[found[-1].end if found else 0 : literal.start] if not found or literal.start >= found[-1].end else ""
        negators = [
            each
            for each in _NEGATOR.finditer(gap)
            if each["negator"] is None or each["negator"].lower() != "besides" or _ANY.search(text, 0, literal.start)
        ]
        negator = negators[-1] if negators else None
        if _TOO.search(gap):
            scope, is_last = None, False
            literal = replace(literal, negated=True)
        elif negator is not None and _reaches(gap[negator.end() :]):
            scope = re.sub(r"\s+", " ", negator.group().strip(" -").lower())
            literal = replace(literal, negated=True)
            # `no lead and no cadmium, zinc`: the last one, unless a list follows.
            is_of_list = "(" in gap or or_follows(text, literals, place)
            was_negated = bool(found) and found[-1].negated and not is_of_list
            is_last = _CONJUNCTION.search(gap if was_negated else gap[negator.end() :]) is not None
        elif (
            scope is not None
            and found
            and found[-1].negated
            and not (is_last and "," in gap and not _CONJUNCTION.search(gap))
            and _continues(text, literals, place, gap, scope)
        ):
            literal = replace(literal, negated=True)
            is_last = is_last or _CONJUNCTION.search(gap) is not None
        else:
            scope = None
        if _is_excluded_behind(text, literals, place):
            literal = replace(literal, negated=True)
            scope = None
            _share_backwards(text, found, literal)
        found.append(literal)
    return found


def with_negated_values(text: str, literals: Iterable[Literal], vocabulary: Vocabulary) -> list[Literal]:
    """
    Negate values in brackets that say what an excluded term means: `no unstable phases (ehull > 0.05 eV)`.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
        vocabulary: The concepts that they name.
    """
    found: list[Literal] = []
    for literal in literals:
        before = found[-1] if found else None
        if (
            before is not None
            and before.negated
            and isinstance(before.term, ConceptTerm)
            and isinstance(literal.term, RangeTerm)
            and literal.term.column in vocabulary[before.term.id].test.text
            and _OPENED.fullmatch(text, before.end, literal.start)
            and _CLOSED.match(text, literal.end)
        ):
            literal = replace(literal, negated=True)
        found.append(literal)
    return found


def _is_excluded_behind(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a term is excluded by what stands behind it: `lead-free`, `lead is not allowed`."""
    end = literals[place].end
    behind = _FREE_BEHIND.match(text, end)
    if behind is not None and behind["these"] is not None:
        return place + 1 == len(literals) or literals[place + 1].start >= behind.end()
    if behind is None or behind["is_not"] is None or place + 1 == len(literals):
        return behind is not None
    # `a perovskite that is not cubic` excludes the cubic ones.
    between = text[behind.end() : literals[place + 1].start]
    return re.fullmatch(r"\s*(?:an?\s+|too\s+|very\s+|so\s+)?", between) is None


def _reaches(between: str) -> bool:
    """Whether a negation reaches over the words between it and a term."""
    words = [word for word in WORD.findall(between) if word.lower() not in _FILLERS]
    return len(words) <= 4 and _BREAK.search(between) is None and "," not in between


def _range_polarity(text: str, literal: Literal, previous: int) -> Literal:
    """`not between 1 and 2 eV`; `no` before a number belongs to the comparison."""
    head = text[previous : literal.start]
    is_negated = _NO_RANGE.search(head) is not None
    return replace(literal, negated=True) if is_negated else literal


def _continues(text: str, literals: list[Literal], place: int, gap: str, scope: str) -> bool:
    """Whether a negated list goes on: `without A, B or C`, but not `no oxygen, wide gap`."""
    literal, before = literals[place], literals[place - 1]
    if scope == "non":
        return False
    # `neither cubic nor hexagonal sulfides`
    if scope in ("neither", "nor") and not gap.strip() and family(before) in _OF_SYMMETRY:
        return False
    if scope == "not both":
        return gap.strip().lower() == "and"
    if not gap.strip():
        # `no lead halides`: one phrase, joined later.
        is_new = _WITH.match(text, literal.start) is not None
        return not isinstance(literal.term, RangeTerm) and text[before.end - 1 : before.end] != "," and not is_new
    # `no heavy metals such as lead`, `no toxic elements (Pb, Cd)`
    if _MEMBERS.fullmatch(gap) or _OPENED.fullmatch(gap):
        return {family(literal), family(before)} <= _OF_COMPOSITION
    # `chalcogen other than oxygen, plus mercury` asks for mercury.
    if JOINT.fullmatch(gap) is None or _PLUS.search(gap):
        return False
    if ("," in gap or _AND.search(gap)) and _VERB.match(text, literal.start):
        return False
    # `a metal other than iron, and oxygen` asks for oxygen; `other than iron, cobalt, and nickel` is a list.
    if _EXCEPTION.fullmatch(scope) and "," in gap and _AND.search(gap) and not _is_in_list(text, literals, place - 1):
        return False
    same = family(literal) == family(before)
    if OR.search(gap):
        return True
    if "," in gap or "&" in gap or _AND.search(gap):
        if scope.endswith(":") and {family(literal), family(before)} <= _OF_COMPOSITION:
            return True
        if scope in ("not", "non", "isn't", "aren't") and not same:
            return False
        if _AND.search(gap) and scope in ("not", "non"):
            return False
        if _AND.search(gap) and {family(literal), family(before)} <= _OF_COMPOSITION:
            return True
        return same or or_follows(text, literals, place)
    return False


def _is_in_list(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a term goes on a list."""
    return place > 0 and JOINT.fullmatch(text[literals[place - 1].end : literals[place].start]) is not None


def _share_backwards(text: str, found: list[Literal], literal: Literal) -> None:
    """`cobalt- and nickel-free`: what stands behind the last one holds for the list."""
    following = literal
    # Behind the list stands a verb, not `-free`.
    is_said = re.match(r"\s+(?!free\b)", text[literal.end :], re.I) is not None
    for place in range(len(found) - 1, -1, -1):
        earlier = found[place]
        gap = text[earlier.end : following.start]
        families = {family(earlier), family(following)}
        # `heavy or toxic elements excluded` is one list, `oxides and lead-free halides` is not.
        is_said_of_both = is_said and families <= _OF_COMPOSITION and _CONJUNCTION.search(gap) is not None
        is_list = len(families) == 1 or is_said_of_both
        # `lead halides are forbidden`: not both.
        if is_said and not earlier.negated and is_phrase(gap, earlier, following) and family(literal) != "chemistry":
            found[place] = following = replace(earlier, negated=True)
            continue
        # `Pb Cd Hg are forbidden`
        is_row = is_said and gap.isspace() and is_symbol(text, earlier) and is_symbol(text, following)
        if earlier.negated or not is_list or not (is_row or _SHARED_HYPHEN.fullmatch(gap)):
            return
        # `Cs, lead-free` is not a list.
        is_joint = gap.startswith("-") or _CONJUNCTION.search(gap) is not None or "&" in gap or "/" in gap
        begins = is_said and _begins_with_elements(text, [*found[: place + 1], literal])
        if following is literal and not is_joint and not is_row and not begins:
            return
        found[place] = following = replace(earlier, negated=True)


def _begins_with_elements(text: str, literals: list[Literal]) -> bool:
    """Whether a part of a query is a list of elements: `Pb, Cd excluded`, but not `contains Cs, Pb excluded`."""
    first = len(literals) - 1
    while first and re.fullmatch(r"\s*,\s*", text[literals[first - 1].end : literals[first].start]):
        first -= 1
    is_clause = re.search(r"(?:^|[;:.!?]\s)\s*$", text[: literals[first].start]) is not None
    is_wanted = _VERB.match(text, literals[first].start) is not None
    return is_clause and not is_wanted and all(isinstance(literal.term, ElementTerm) for literal in literals[first:])


__all__ = ["SO_LEAVE_OUT", "with_negated_values", "with_polarity"]
