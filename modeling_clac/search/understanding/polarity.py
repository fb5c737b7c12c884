"""Negation, wishes and alternatives: from single terms in a text to constraints."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from ...concepts.elements import GROUPS
from ...formula_grammar_clac import ATOMIC_NUMBERS
from .query import ConceptTerm, Constraint, ElementTerm, Literal, RangeTerm

_EXCLUDED = r"forbidden|excluded|banned|prohibited|unwanted|undesired"
_NEGATORS = (
    # `excluded: Pb, Cd`, `forbidden elements: As`
    rf"(?:not\s+allowed|{_EXCLUDED})(?:\s+(?:elements?|atoms?|compounds?)(?:\s+are\b)?\s*:?|\s*:)"
    # `oxides except those with lead`, `oxides unless they contain lead`
    r"|(?:except(?:\s+for)?|other\s+than|excluding|not)\s+(?:those|the\s+ones|ones|any)\s+(?:with|of|containing|that\s+(?:contain|have|are))"
    r"|unless\s+(?:it|they)(?:'s|'re|\s+(?:is|are|contains?|has|have))?|nothing(?!\s+(?:but|else|other|more|less|beyond|except|with)\b)"
    r"|not\s+both|(?:must|should|may|can|shall|do|does)\s*(?:not|n'?t)\s+(?:have|contain|include)(?=\s*:)|no(?!\s+other\s+elements?\b)|without|none\s+of|not|non|never|nor|neither|lacking|lacks?|excluding|excludes?|except(?:\s+for|ing)?|other\s+than|rather\s+than"
    r"|(?:instead|in\s+place)\s+of|drop(?:ping)?(?=\s)|free\s+(?:of|from)|devoid\s+of|absence\s+of|avoid(?:s|ing)?|(?:is|are|was|do|does|has|have|should|must|need|wo)n'?t|minus|sans|zero(?!\s+or\b)"
    r"|must\s+not|cannot|can'?t|hat(?:e|es|ing)|leav(?:e|ing)\s+out|rul(?:e|ing)\s+out|skip(?:ping)?|ban(?:s|ned|ning)?|nothing\s+with|apart\s+from|aside\s+from|(?:all|everything)\s+but|barring|omitting|omit|w/o(?:ut)?|wo|anything\s+but"
)
_NEGATOR = re.compile(rf"(?<![\w/])(?P<negator>{_NEGATORS})(?![\w])(?:\s*:)?[\s-]*", re.I)
# `too expensive`
_TOO = re.compile(r"\btoo\s+$", re.I)
_NOT_BOTH = re.compile(r"not\s+both\s*$", re.I)
# A list goes on over these.
JOINT = re.compile(
    r"[\s,/&+]*(?:(?:and/or|and|or|nor|neither|plus|as\s+well\s+as)\s*)?(?:any\s+|an?\s+|the\s+|no\s+)?", re.I
)
_OR = re.compile(r"(?<![\w])(?:or|nor)(?![\w])|/|\|", re.I)
# `-arsenate` in `hexafluorophosphate or -arsenate`
_HYPHEN_FOR_START = re.compile(r"(?<=\s)-$")
# A wording that begins so is a new phrase: `no alkali metals, contains iodine`.
_VERB = re.compile(r"(?:contain|with\b|ha[sv]|includ)", re.I)
# Between alternatives: `cubic or at least tetragonal`, `cubic, failing that tetragonal`.
_ALTERNATIVE = re.compile(
    r"[\s-]*,?\s*(?:/|\||and/or|(?:or\s+)?(?:failing\s+that|otherwise|alternatively|if\s+not)\s*,?"
    r"|or(?:\s+(?:else|maybe|even|perhaps|possibly|at\s+least|just))?)\s*(?:an?\s+|the\s+|in\s+)?"
)
# `one of Sc, Y, La`
_ANY_OF = re.compile(
    r"\b(?:one|any|some|either|two|three|four|five|six|[2-9])(?:\s+or\s+more)?\s+of\s*:?"
    r"\s*(?:(?:the|these|following|elements?)\s*)*:?\s*$",
    re.I,
)
# Between a group and its members: `heavy metals such as Pb, Bi and Tl`, `chalcogens, i.e. S or Se`.
_EXAMPLE = r"(?:such\s+as|like|e\.?g\.?|for\s+(?:example|instance)|say)"
_SAME = r"(?:(?:by\s+(?:which|that)\s+)?(?:I|we)\s+mean|i\.?e\.?|namely|that\s+(?:is|means)|meaning|viz\.?)"
_MEMBERS = re.compile(
    rf"\s*[,;(–-]*\s*(?:by\s+which\s+)?(?:{_EXAMPLE}|{_SAME}|including|incl\.?|especially)[\s,:(]*(?:an?\s+|the\s+)?",
    re.I,
)
_EXAMPLES = re.compile(rf"\s*[,;(–-]*\s*{_EXAMPLE}[\s,:(]*(?:an?\s+|the\s+)?", re.I)
# Before a list of examples, which are alternatives of each other.
_OF_EXAMPLES = re.compile(rf"(?<!\w)(?<!thing )(?<!stuff )(?:{_EXAMPLE}|{_SAME})[\s,:(]*(?:the\s+|an?\s+)?$", re.I)
# `Ca, Mg or both`
_OR_BOTH = re.compile(r"\s*,?\s*or\s+both\b", re.I)
# `barium, potassium or similar`
_OR_SIMILAR = re.compile(r"\s*,?\s*or\s+(?:similar|others?|so|the\s+like|alike|something)\b", re.I)
# `Mo or W but not both`
_BUT_NOT_BOTH = re.compile(
    r"\s*,?\s*(?:but|though|and)?\s*(?:not|never)\s+both\b(?!\s+\w+\s+and)|\s*\(not\s+both\)", re.I
)
# Before the last member of a list.
_CONJUNCTION = re.compile(r"(?<![\w])(?:or|nor|and)(?![\w])", re.I)
_PLUS = re.compile(r"\+|\bplus\b", re.I)
_AND = re.compile(r"(?<![\w])(?:and|as\s+well\s+as)(?![\w])|&", re.I)
# Inside a phrase: `lead halides`, `lead-containing perovskites`.
_INSIDE_PHRASE = re.compile(r"[\s-]*(?:(?:containing|based|bearing|rich)[\s-]+)?", re.I)
# A new part of the query: the scope of a negation ends.
_BREAK = re.compile(
    r"\bbut\b|\bonly\b|\byet\b|[;:.!?·](?:\s|$)|,\s*(?:with|having|and\s+with|that|which)\b|\bwith\b", re.I
)
_NOT = r"(?:\s+not|n'?t)"
_FREE_BEHIND = re.compile(
    r"(?:-(?:resistant|proof|less)\b|[-\s]+free\b(?!\s+(?:of|from|standing|energy|carrier|electron))"
    # `lead is forbidden`, `cobalt excluded`, `nickel is a problem`
    rf"|\s+(?:(?:is|are|(?:should|must|has\s+to|have\s+to|to)\s+be)\s+)?(?:{_EXCLUDED}|(?<!as\s)not\s+(?:allowed|wanted|permitted|acceptable|an\s+option))\b(?!\s*:)"
    r"|\s+(?:(?:is|are|(?:should|must|has\s+to|have\s+to|to)\s+be)\s+)(?:absent|avoided|omitted|left\s+out|ruled\s+out|out\b(?!\s+of)|a\s+(?:problem|no-go|concern))"
    rf"|\s+(?P<is_not>(?:is|are){_NOT})(?!\s+(?:needed|required|necessary|a\s+must|only)\b)"
    r"|\s+(?:is|are|gets?|got|became|becomes?)\s+(?:way\s+|far\s+)?too\s+\w+"
    # `low symmetry no good`
    r"|\s+(?:is\s+|are\s+)?(?:no\s+good|unacceptable|useless|unlikely|of\s+no\s+(?:use|interest)|out\s+of\s+(?:the\s+)?question)\b"
    r"|\s+(?:left\s+|put\s+|set\s+)?aside\b"
    r"|\s+(?:ones|compounds|phases)\s+(?:that\s+|which\s+)?(?:I|we)\s+(?:already\s+)?(?:know|have)\b"
    rf"|\s+(?:must|should|may|can|shall){_NOT}\s+be\s+(?:present|included|contained|used|there|in\b|part\b|any\b))",
    re.I,
)
# `must not have a gap above 3 eV`
_NO_RANGE = re.compile(
    r"(?:\b(?:not?|without|never|cannot)|n't)\s*(?:\s(?:have|having|be|show|any|an?)\b)*\s*$|\bnon-?$", re.I
)
_SHARED_HYPHEN = re.compile(r"-?\s*(?:,|/|&|and|or)\s*(?:and\s+|or\s+)?(?:(?:any|all)\s+)?(?:other\s+)?", re.I)
_NICE = r"(?:nice|great|good|best|perfect|ideal|lovely|cool|awesome|a\s+(?:bonus|plus))"
_PREFERRED_BEFORE = re.compile(
    # `with Ti if possible, cubic` is a wish of titanium.
    r"(?:prefer\w*|ideally|(?:(?:^|[^\w\s])\s*|\b(?:and|but)\s+)if\s+possible|if\s+possible(?!\s*[,;.!])|maybe|hopefully|perhaps|possibly"
    rf"|would\s+be\s+{_NICE}(?!\s*[,.;!])|(?:bonus|extra|plus)(?:\s+points?)?(?:\s+(?:if|for)(?:\s+(?:it(?:'s|\s+is|\s+has)|being|having))?)|\bbonus"
    r"|nice\s+to\s+have|would\s+(?:love|like)\s+(?:it|them)\s+to(?:\s+be)?|\bbest(?=\s+(?:without|with|if|not)\b))\W+(?:\w+[^\w,;.!?]+){0,2}$",
    re.I,
)
_PREFERRED_BEHIND = re.compile(
    rf"(?:[-\s]+free)?(?:\s*,\s*(?:if\s+possible|preferably|ideally)(?=\s*(?:[.;!]|$))|\s+(?:too\s+|also\s+|as\s+well\s+)?if\s+(?:(?:you|one|we)\s+can(?:\s+find\s+(?:it|any))?|available|there\s+is\s+any)|\s+(?:if\s+possible|preferably|ideally|(?:(?:is|are|would\s+be)\s+)?(?:strongly\s+|much\s+)?(?:preferred|preferable|favou?red)"
    rf"|(?:would|might)\s+be\s+{_NICE}|(?:is|are)\s+a\s+(?:plus|bonus)))\s*(?:[,;.!]|$|\b(?:but|and|over|to)\b)",
    re.I,
)
_WOULD_BE = re.compile(r"\b(?:would|might)\s+be\b", re.I)
_SAME_PHRASE = re.compile(r"[\s-]*(?:(?:with|containing|of)\s+)?(?:an?\s+|the\s+|some\s+)?", re.I)
# Kinds of concepts that belong to one family: in a list they are alternatives of each other.
_FAMILIES = {
    "element": "chemistry", "element-group": "chemistry", "anion": "anion", "oxyanion": "anion", "group": "anion",
    "class": "class", "structure-type": "type", "structural": "structure", "symmetry": "symmetry",
    "crystal-system": "lattice", "space-group": "symmetry", "band": "band", "attribute": "attribute", "use": "use",
    "name": "name",
}  # fmt: skip
_FINE = r"(?:fine|ok(?:ay)?|good|welcome|acceptable|possible|allowed)"
_FINE_TOO = re.compile(
    rf"(?:\s+(?:ones?|versions?|compounds?|phases?|materials?))?\s+(?:(?:is|are|would\s+be|can\s+be)\s+)?(?:also\s+{_FINE}|{_FINE}\s+(?:too|as\s+well)"
    r"|would\s+(?:also\s+do|do\s+(?:too|as\s+well)|also\s+work|work\s+(?:too|as\s+well)))\b",
    re.I,
)
# `Ti or Zr, the latter preferred`
_ONE_OF_TWO = re.compile(
    r"(?:\s+[\w-]+){0,2}[\s,;(–-]*(?:with\s+)?the\s+(?P<which>former|latter|first|second)(?:\s+one)?(?:\s+(?:is|being))?\s+(?:strongly\s+|much\s+)?(?:prefer\w+|favou?red)",
    re.I,
)
# Of these, a crystal has only one.
_EXCLUSIVE = frozenset({"lattice", "system", "formula", "pattern", "name", "space group", "point group"})
# `without rare earths and toxic elements`: one list.
_OF_COMPOSITION = frozenset({"chemistry", "anion", "attribute"})
_UNION_WITH_AND = frozenset({"anion", "type", "class", "name", "formula", "use"})
# `pyrite and marcasite structures`: one crystal has one of them.
_OF_TYPE = re.compile(r"(?:structures?|types?|lattices?)$", re.I)
_ASSIGNED = re.compile(r"(?<!\w)[A-Z][a-z]?'{0,2}\s*(?:=|:)\s*$")
WORD = re.compile(r"[^\W\d_]+")
# Negations that take something out of what stands before them.
_EXCEPTIONS = frozenset({"other than", "except", "except for", "excepting", "apart from", "aside from", "excluding"})
# `oxides rather than sulfides`: a wish of the one is a wish not to have the other.
_INSTEAD = re.compile(r"\s*,?\s*(?:rather\s+than|instead\s+of|and\s+not|not)\s+(?:an?\s+|the\s+)?", re.I)


def family(literal: Literal) -> str:
    """Return the family of a term, by which lists are joined."""
    term = literal.term
    if isinstance(term, ConceptTerm):
        return _FAMILIES.get(term.kind_of_concept, term.kind_of_concept)
    if isinstance(term, ElementTerm):
        return "chemistry"
    return term.kind


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
        gap = text[found[-1].end if found else 0 : literal.start] if not found or literal.start >= found[-1].end else ""
        negators = list(_NEGATOR.finditer(gap))
        negator = negators[-1] if negators else None
        if _TOO.search(gap):
            scope, is_last = None, False
            literal = replace(literal, negated=True)
        elif negator is not None and _reaches(gap[negator.end() :]):
            scope = re.sub(r"\s+", " ", negator.group().strip(" -").lower())
            literal = replace(literal, negated=True)
            is_last = _CONJUNCTION.search(gap) is not None
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


def _is_excluded_behind(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a term is excluded by what stands behind it: `lead-free`, `lead is not allowed`."""
    end = literals[place].end
    behind = _FREE_BEHIND.match(text, end)
    if behind is None or behind["is_not"] is None or place + 1 == len(literals):
        return behind is not None
    # `a perovskite that is not cubic` excludes the cubic ones.
    between = text[behind.end() : literals[place + 1].start]
    return re.fullmatch(r"\s*(?:an?\s+|too\s+|very\s+|so\s+)?", between) is None


def _reaches(between: str) -> bool:
    """Whether a negation reaches over the words between it and a term."""
    return len(WORD.findall(between)) <= 4 and _BREAK.search(between) is None and "," not in between


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
    if scope == "not both":
        return gap.strip().lower() == "and"
    if not gap.strip():
        # `no lead halides`: one phrase, joined later.
        return not isinstance(literal.term, RangeTerm) and text[before.end - 1 : before.end] != ","
    # `no heavy metals such as lead`
    if _MEMBERS.fullmatch(gap):
        return {family(literal), family(before)} <= _OF_COMPOSITION
    # `chalcogen other than oxygen, plus mercury` asks for mercury.
    if JOINT.fullmatch(gap) is None or _PLUS.search(gap):
        return False
    if ("," in gap or _AND.search(gap)) and _VERB.match(text, literal.start):
        return False
    # `a metal other than iron, and oxygen` asks for oxygen; `other than iron, cobalt, and nickel` is a list.
    if scope in _EXCEPTIONS and "," in gap and _AND.search(gap) and not _is_in_list(text, literals, place - 1):
        return False
    same = family(literal) == family(before)
    if _OR.search(gap):
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
        return same or _or_follows(text, literals, place)
    return False


def _is_in_list(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a term goes on a list."""
    return place > 0 and JOINT.fullmatch(text[literals[place - 1].end : literals[place].start]) is not None


def _or_follows(text: str, literals: list[Literal], place: int) -> bool:
    """Whether the list ends with an `or`: `A, B or C`."""
    for first, second in zip(literals[place:], literals[place + 1 :], strict=False):
        gap = _HYPHEN_FOR_START.sub("", text[first.end : second.start])
        if JOINT.fullmatch(gap) is None or not gap.strip():
            return False
        if _OR.search(gap):
            return True
    return False


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
        if is_said and not earlier.negated and _is_phrase(gap, earlier, following) and family(literal) != "chemistry":
            found[place] = following = replace(earlier, negated=True)
            continue
        if earlier.negated or not is_list or not _SHARED_HYPHEN.fullmatch(gap):
            return
        # `Cs, lead-free` is not a list.
        is_joint = gap.startswith("-") or _CONJUNCTION.search(gap) is not None or "&" in gap or "/" in gap
        begins = is_said and _begins_with_elements(text, [*found[: place + 1], literal])
        if following is literal and not is_joint and not begins:
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


def is_second_of_two(text: str, before: Literal, literal: Literal) -> bool:
    """Whether a term is as good as the one before: `tantalum ones first, titanium ones are fine too`."""
    is_same = family(before) == family(literal) and not before.negated and not literal.negated
    return is_same and not isinstance(literal.term, RangeTerm) and _FINE_TOO.match(text, literal.end) is not None


def grouped(text: str, literals: list[Literal]) -> list[Constraint]:
    """
    Join the terms of a text to constraints.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
    """
    groups: list[list[Literal]] = []
    place = 0
    while place < len(literals):
        literal = literals[place]
        pairs = _pairs(text, literals, place)
        if pairs is not None:
            groups += pairs[0]
            place += pairs[1]
            continue
        # `fluorides or oxides, fluorides preferred` names one of them again.
        earlier = next((group for group in reversed(groups) if is_second_of_two(text, group[-1], literal)), None)
        if earlier is not None:
            earlier.append(literal)
            place += 1
            continue
        is_wish = _PREFERRED_BEHIND.match(text, literal.end) is not None and bool(groups) and literal in groups[-1]
        if groups and not is_wish and _is_alternative(text, literals, place):
            groups[-1].append(literal)
        else:
            groups.append([literal])
        place += 1
    wishes = _wishes(text, groups)
    constraints = []
    for group, preferred in zip(groups, wishes, strict=True):
        unique = tuple(dict.fromkeys(group))
        constraints.append(Constraint(unique, preferred))
        if len(unique) == 2 and not unique[0].negated and _BUT_NOT_BOTH.match(text, unique[-1].end):
            constraints.append(Constraint(tuple(replace(literal, negated=True) for literal in unique), preferred))
        better = _ONE_OF_TWO.match(text, group[-1].end)
        if better is not None and len(unique) > 1:
            is_first = better["which"].lower() in ("former", "first")
            constraints.append(Constraint((unique[0 if is_first else -1],), True))
    return list(dict.fromkeys(constraints))


def _wishes(text: str, groups: list[list[Literal]]) -> list[bool]:
    """Tell which groups are wishes."""
    found = []
    used = 0
    for place, group in enumerate(groups):
        behind = _PREFERRED_BEHIND.match(text, group[-1].end)
        before = _PREFERRED_BEFORE.search(text, used, group[0].start)
        if behind is not None and place and _SAME_PHRASE.fullmatch(text, groups[place - 1][-1].end, group[0].start):
            # `an oxide with manganese would be ideal` asks for both.
            behind = None if _WOULD_BE.search(behind.group()) else behind
        found.append(before is not None or behind is not None)
        # In `wurtzite preferred, zinc blende` the word belongs to what stands before it.
        used = behind.end() if behind is not None and before is None else used
        better = _ONE_OF_TWO.match(text, group[-1].end)
        used = better.end() if better is not None else used
    for place, (one, two) in enumerate(pairwise(groups)):
        # `a rare earth such as Nd or Sm` may be another one.
        is_member = family(two[0]) == "chemistry" and not two[0].negated
        if is_member and _is_of_group(one[-1]) and _EXAMPLES.fullmatch(text, one[-1].end, two[0].start):
            found[place + 1] = True
        if two[0].negated and not one[0].negated and _INSTEAD.fullmatch(text, one[-1].end, two[0].start):
            found[place] = found[place + 1] = found[place] or found[place + 1]
    return found


def _is_of_group(literal: Literal) -> bool:
    return isinstance(literal.term, ConceptTerm) and literal.term.kind_of_concept == "element-group"


def _pairs(text: str, literals: list[Literal], place: int) -> tuple[list[list[Literal]], int] | None:
    """
    Read alternatives of two words: `zinc oxide or gallium nitride`, `galena or lead telluride`.

    Returns:
        The groups, and the number of terms in them.
    """
    listed = _listed_compounds(text, literals, place)
    if listed is not None:
        return listed
    run = literals[place : place + 4]
    if any(literal.negated for literal in run):
        return None
    # `with fluorine` is a wording of fluorine.
    starts = [each.start + (5 if text.startswith("with ", each.start) else 0) for each in run]
    gaps = [text[one.end : start].strip(" -").lower() for one, start in zip(run, starts[1:], strict=False)]
    kinds = [family(literal) for literal in run]
    # `layered oxides or polyanionic phosphates` differ in both words.
    if gaps == ["", "or", ""] and kinds[1] == kinds[3] and kinds[1] not in (kinds[0], kinds[2]):
        return [[run[0], run[2]], [run[1], run[3]]], 4
    phrase = ["chemistry", "anion"]
    # `iron nitrides and iron carbides`: a crystal is one of them.
    is_plural = len(run) == 4 and all(text[each.end - 1] == "s" for each in run[1::2])
    if gaps == ["", "and", ""] and kinds == phrase + phrase and is_plural:
        return [[run[0], run[2]], [run[1], run[3]]], 4
    # `iron and arsenic or iron and selenium`, `rare-earth cobalt or rare-earth iron`
    if gaps in (["and", "or", "and"], ["", "or", ""]) and run[0] == run[2]:
        return [[run[0]], [run[1], run[3]]], 4
    # `silver and iodine or copper and iodine`
    if gaps == ["and", "or", "and"] and run[1] == run[3]:
        return [[run[0], run[2]], [run[1]]], 4
    # `chlorine with fluorine or bromine with iodine`: each of the one is there, or each of the other.
    if gaps == ["with", "or", "with"] and len(set(kinds)) == 1:
        return [[one, two] for one in run[:2] for two in run[2:]], 4
    if gaps[:2] == ["or", ""] and kinds[0] in ("name", "formula") and kinds[1:3] == phrase:
        return [[run[0], run[1]], [run[0], run[2]]], 3
    if gaps[:2] == ["", "or"] and kinds[:2] == phrase and kinds[2] in ("name", "formula"):
        return [[run[0], run[2]], [run[1], run[2]]], 3
    return None


def _listed_compounds(text: str, literals: list[Literal], place: int) -> tuple[list[list[Literal]], int] | None:
    """Read a list of compounds, each an element and an anion: `boron carbide, silicon carbide, boron nitride`."""
    end = place
    while end + 1 < len(literals):
        one, two = literals[end : end + 2]
        is_pair = (family(one), family(two)) == ("chemistry", "anion") and not one.negated and not two.negated
        is_phrase = is_pair and not text[one.end : two.start].strip(" -")
        if not is_phrase or (
            end > place
            and not re.fullmatch(r"\s*,\s*(?:(?:or|and)\s+)?|\s+or\s+", text[literals[end - 1].end : one.start])
        ):
            break
        end += 2
    if end < place + 4:
        return None
    return [literals[place:end:2], literals[place + 1 : end : 2]], end - place


def _is_alternative(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a term is another possibility of the one before."""
    before, literal = literals[place - 1], literals[place]
    gap = _HYPHEN_FOR_START.sub("", text[before.end : literal.start].lower())
    if literal.start < before.end:
        return False
    if before.negated != literal.negated:
        return False
    if literal.negated:
        # `no lead halides`: not both.
        if _is_phrase(gap, before, literal):
            return True
        return _NOT_BOTH.search(text[: before.start]) is not None and gap.strip() == "and"
    if isinstance(literal.term, RangeTerm) or isinstance(before.term, RangeTerm):
        return re.fullmatch(r"\s*,?\s*or\s*", gap) is not None
    if _ALTERNATIVE.fullmatch(gap):
        return True
    if gap.isspace() and _has_no_comma(text, literals, place):
        return True
    if "," in gap and _OR_SIMILAR.match(text, literal.end):
        return family(before) == family(literal)
    if "," in gap and _OR_BOTH.match(text, literal.end):
        return family(before) == family(literal)
    if gap.strip() == "," and (_or_follows(text, literals, place) or _is_any_of(text, literals, place)):
        return family(before) == family(literal)
    if re.fullmatch(r"\s*(?:,|and|&|,\s*and|as\s+well\s+as)\s*", gap) and family(before) == family(literal):
        if "," in gap and (_in_brackets(text, before, literal) or _is_assigned(text, literals, place)):
            return True
        if family(literal) in _EXCLUSIVE or _ends_any_of(text, literals, place):
            return True
        if family(literal) == "chemistry" and _of_plural(text, literals, place):
            return True
        if family(literal) == "type" and _OF_TYPE.search(text, literal.start, literal.end):
            return True
        plural = text[literal.end - 1] == "s" and text[before.end - 1] == "s"
        return plural and family(literal) in _UNION_WITH_AND
    return False


def _in_brackets(text: str, first: Literal, last: Literal) -> bool:
    """Whether two terms stand in the same brackets: `chalcogenides (S, Se, Te)` are of any of these."""
    opened = text.rfind("(", 0, first.start + 1)
    return opened >= 0 and ")" not in text[opened : last.end] and ")" in text[last.end :]


def _is_assigned(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a list stands for a letter: `MX2 with M = Mo, W`."""
    while place and JOINT.fullmatch(text[literals[place - 1].end : literals[place].start]):
        place -= 1
    return _ASSIGNED.search(text, 0, literals[place].start) is not None


def _is_any_of(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a list is one of alternatives from its beginning on: `at least one of Sc, Y, La`."""
    while place and JOINT.fullmatch(text[literals[place - 1].end : literals[place].start]):
        place -= 1
    return _begins_alternatives(text, literals, place)


def _begins_alternatives(text: str, literals: list[Literal], place: int) -> bool:
    """Whether words before a list say that its members are alternatives: `one of`, `metals such as`."""
    start = literals[place].start
    if _ANY_OF.search(text, 0, start) is not None:
        return True
    found = _OF_EXAMPLES.search(text, 0, start)
    # `ternary compounds, i.e. Li, P and S` have all of them.
    is_same = found is not None and re.match(_SAME, found.group(), re.I) is not None
    return found is not None and (not is_same or (place > 0 and family(literals[place - 1]) in ("chemistry", "anion")))


# Groups of similar elements: in a list, one may take the place of the other.
_SIMILAR = (
    "alkali", "alkaline_earth", "transition_3d", "transition_4d", "transition_5d", "lanthanide", "actinide", "group_4",
    "group_5", "group_6", "coinage", "platinum_group", "triel", "tetrel", "pnictogen", "chalcogen", "halogen",
)  # fmt: skip


def _has_no_comma(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a comma is left out in a list of similar elements: `lithium sodium or potassium`."""
    run = literals[place - 1 : place + 2]
    if len(run) < 3 or re.fullmatch(r"\s*,?\s+or\s+", text[run[1].end : run[2].start]) is None:
        return False
    symbols = {each.term.symbol for each in run if isinstance(each.term, ElementTerm)}
    return len(symbols) == 3 and any(symbols <= GROUPS[name] for name in _SIMILAR)


def _ends_any_of(text: str, literals: list[Literal], place: int) -> bool:
    """Whether an `and` stands before the last one of alternatives: `at least one of Ti, Zr and Hf`."""
    before, literal = literals[place - 1], literals[place]
    # `one of Fe or Co and O`, `one of Fe, Co and oxygen`: another demand.
    if _is_symbol(text, before) != _is_symbol(text, literal):
        return False
    first = place - 1
    while first and re.fullmatch(r"\s*,\s*", text[literals[first - 1].end : literals[first].start]):
        first -= 1
    return _begins_alternatives(text, literals, first)


def _is_symbol(text: str, literal: Literal) -> bool:
    return text[literal.start : literal.end] in ATOMIC_NUMBERS


def _of_plural(text: str, literals: list[Literal], place: int) -> bool:
    """Whether a list of elements stands before a plural: `Ti and Zr nitrides` are nitrides of either."""
    end = place + 1
    while end < len(literals) and isinstance(literals[end].term, ElementTerm):
        if JOINT.fullmatch(text[literals[end - 1].end : literals[end].start]) is None:
            return False
        end += 1
    if not isinstance(literals[end - 1].term, ElementTerm):
        return False
    # `Fe and Mn containing oxides` have both.
    last = end - 1
    while (
        last + 1 < len(literals)
        and isinstance(literals[last + 1].term, ConceptTerm)
        and family(literals[last + 1]) in ("anion", "class", "type")
        and not text[literals[last].end : literals[last + 1].start].strip(" -")
    ):
        last += 1
    return last >= end and text[literals[last].end - 1] == "s"


def _is_phrase(gap: str, before: Literal, literal: Literal) -> bool:
    return _INSIDE_PHRASE.fullmatch(gap) is not None and family(before) != family(literal)


__all__ = ["JOINT", "WORD", "family", "grouped", "with_polarity"]
