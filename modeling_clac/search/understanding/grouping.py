"""Wishes and alternatives: from single terms in a text to constraints."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from ...concepts.elements import GROUPS
from .lists import ANY_OF, EXAMPLE, HYPHEN_FOR_START, JOINT, SAME, family, is_phrase, is_symbol, or_follows
from .metals import is_group
from .query import ConceptTerm, Constraint, ElementTerm, Literal, RangeTerm

# `formula ABO3 or formula A2BX6`, as readings write it
_FORMULA = re.compile(r"(?<=\s)formula\s$")
_OF_TWO = re.compile(r"\b(?:either|both)\s+$", re.I)
_NOT_BOTH = re.compile(r"not\s+both\s*$", re.I)
# Between alternatives: `cubic or at least tetragonal`, `cubic, failing that tetragonal`.
_ALTERNATIVE = re.compile(
    r"[\s-]*,?\s*(?:/|\||and/or|(?:or\s+)?(?:failing\s+that|otherwise|alternatively|if\s+not)\s*,?"
    r"|vs\.?|versus|before|or(?:\s+(?:else|maybe|even|perhaps|possibly|at\s+least|just))?)\s*(?:an?\s+|the\s+|in\s+)?"
)
_EXAMPLES = re.compile(rf"\s*[,;(–-]*\s*{EXAMPLE}[\s,:(]*(?:an?\s+|the\s+)?", re.I)
# Before a list of examples, which are alternatives of each other.
_OF_PLURAL = re.compile(r"\b\w+(?:ides|ates|ites)\s+of\s+(?:the\s+)?$", re.I)
_OF_EXAMPLES = re.compile(rf"(?<!\w)(?<!thing )(?<!stuff )(?:{EXAMPLE}|{SAME})[\s,:(]*(?:the\s+|an?\s+)?$", re.I)
# `a transition metal from V, Cr, Mn`: members of the group before.
_FROM_GROUP = re.compile(
    r"\s*[,(]?\s*(?:(?:chosen|selected|taken|coming|being)\s+)?(?:from|among|out\s+of|being|is|are|:)\s*(?:among\s+|the\s+|either\s+)*",
    re.I,
)
_SAME = re.compile(rf"\s*[,;(–-]*\s*{SAME}[\s,:(]*(?:an?\s+|the\s+|either\s+)?", re.I)
# `Ca, Mg or both`
_OR_BOTH = re.compile(r"\s*,?\s*or\s+both\b", re.I)
# `barium, potassium or similar`
_OR_SIMILAR = re.compile(r"\s*,?\s*or\s+(?:similar|others?|so|the\s+like|alike|something)\b", re.I)
# `Mo or W but not both`
_BUT_NOT_BOTH = re.compile(
    r"\s*,?\s*(?:but|though|and)?\s*(?:not|never)\s+both\b(?!\s+\w+\s+and)|\s*\(not\s+both\)", re.I
)
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
    rf"|,?\s*(?:that'?s|this\s+is|that\s+is|is|are)\s+even\s+better|(?:would|might)\s+be\s+{_NICE}|(?:is|are)\s+a\s+(?:plus|bonus)))\s*(?:[,;.!]|$|\b(?:but|and|over|to)\b)",
    re.I,
)
_WOULD_BE = re.compile(r"\b(?:would|might)\s+be\b", re.I)
_SAME_PHRASE = re.compile(r"[\s-]*(?:(?:with|containing|of)\s+)?(?:an?\s+|the\s+|some\s+)?", re.I)
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
_UNION_WITH_AND = frozenset({"anion", "type", "class", "name", "formula", "use"})
# `pyrite and marcasite structures`: one crystal has one of them.
_OF_TYPE = re.compile(r"(?:structures?|types?|lattices?)$", re.I)
# `C14 as well as C15`
_STRUKTURBERICHT = re.compile(r"(?:\w+[\s(]+)*[A-L]\d+(?:_\w+)?\)?")
_ASSIGNED = re.compile(r"(?<!\w)[A-Z][a-z]?'{0,2}\s*(?:=|:|\s(?:from|among)\b)\s*$")
# `oxides rather than sulfides`: a wish of the one is a wish not to have the other.
_INSTEAD = re.compile(r"\s*,?\s*(?:rather\s+than|instead\s+of|and\s+not|not)\s+(?:an?\s+|the\s+)?", re.I)


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
        earlier = next((group for group in reversed(groups) if is_second_of_two(text, group[-1], literal)), None)
        if earlier is not None:
            earlier.append(literal)
            place += 1
            continue
        # `fluorides or oxides, fluorides preferred` names one of them again.
        is_wish = _PREFERRED_BEHIND.match(text, literal.end) is not None and bool(groups) and literal in groups[-1]
        if groups and not is_wish and _is_alternative(text, literals, place):
            groups[-1].append(literal)
        else:
            groups.append([literal])
        place += 1
    groups = [
        group
        for group, following in pairwise([*groups, []])
        if not (following and len(group) == 1 and _is_named(text, group[0], following))
    ]
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


def _is_named(text: str, group: Literal, members: list[Literal]) -> bool:
    """Whether a list says what a group of elements stands for: `heavy transition metals, I mean W, Ta or Mo`."""
    is_same = _SAME.fullmatch(text, group.end, members[0].start) is not None
    return is_same and _is_of_group(group) and all(isinstance(each.term, ElementTerm) for each in members)


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
    gaps = ["and" if gap in ("+", "&") else gap for gap in gaps]
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
    # `either Na and Cl or K and Br`, `both Ga and As, or both In and P`
    words = [re.sub(r"[\s,]+|\bboth\b", " ", gap).split() for gap in gaps]
    is_either = words == [["and"], ["or"], ["and"]] and _OF_TWO.search(text, 0, run[0].start) is not None
    if (is_either or gaps == ["with", "or", "with"]) and len(set(kinds)) == 1:
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
    gap = _FORMULA.sub("", HYPHEN_FOR_START.sub("", text[before.end : literal.start].lower()))
    # The bracket that `(C14)` ends with.
    gap = gap.removeprefix(")") if "(" in text[before.start : before.end] else gap
    if literal.start < before.end:
        return False
    if before.negated != literal.negated:
        return False
    if literal.negated:
        # `no lead halides`: not both; `no toxic Cd`: neither.
        is_named = family(before) == "attribute" and isinstance(literal.term, ElementTerm)
        if is_phrase(gap, before, literal) and not is_named:
            return True
        return _NOT_BOTH.search(text[: before.start]) is not None and gap.strip() == "and"
    if isinstance(literal.term, RangeTerm) or isinstance(before.term, RangeTerm):
        return re.fullmatch(r"\s*,?\s*or\s*", gap) is not None
    if _ALTERNATIVE.fullmatch(gap):
        return True
    # `ThO2 UO2`: a crystal is one of them; `sulfides selenides` are a list without commas.
    is_plural = family(literal) == "anion" and text[literal.end - 1] == text[before.end - 1] == "s"
    if gap.isspace() and family(before) == family(literal) and (is_plural or family(literal) in ("formula", "name")):
        return True
    if gap.isspace() and (_has_no_comma(text, literals, place) or _is_row_of_alternatives(text, literals, place)):
        return True
    # `at least one of magnesium aluminium or silicon`
    is_listed = gap.isspace() and family(before) == family(literal) == "chemistry" and or_follows(text, literals, place)
    if is_listed and ANY_OF.search(text, 0, before.start):
        return True
    if "," in gap and (_OR_SIMILAR.match(text, literal.end) or _OR_BOTH.match(text, literal.end)):
        return family(before) == family(literal)
    if gap.strip() == "," and (
        or_follows(text, literals, place) or _is_any_of(text, literals, place) or _is_of_plural(text, literals, place)
    ):
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
        if family(literal) == "type" and all(
            _STRUKTURBERICHT.fullmatch(text, each.start, each.end) for each in (before, literal)
        ):
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


def _is_of_plural(text: str, literals: list[Literal], place: int) -> bool:
    """Whether elements are those of a plural, and all joined by commas: `silicides of Co, V, Pt`."""
    run = [place]
    while run[0] and text[literals[run[0] - 1].end : literals[run[0]].start].strip() == ",":
        run.insert(0, run[0] - 1)
    while run[-1] + 1 < len(literals) and text[literals[run[-1]].end : literals[run[-1] + 1].start].strip() == ",":
        run.append(run[-1] + 1)
    elements = [each for each in run if isinstance(literals[each].term, ElementTerm)]
    following = literals[elements[-1] + 1 : elements[-1] + 2] if elements else []
    is_over = not following or JOINT.fullmatch(text[literals[elements[-1]].end : following[0].start]) is None
    begins = bool(elements) and _OF_PLURAL.search(text, 0, literals[elements[0]].start) is not None
    return begins and is_over and place in elements and len(elements) > 2


def _begins_alternatives(text: str, literals: list[Literal], place: int) -> bool:
    """Whether words before a list say that its members are alternatives: `one of`, `metals such as`."""
    start = literals[place].start
    if ANY_OF.search(text, 0, start) is not None:
        return True
    if place and _FROM_GROUP.fullmatch(text, literals[place - 1].end, start) and is_group(text, literals[place - 1]):
        return True
    found = _OF_EXAMPLES.search(text, 0, start)
    # `ternary compounds, i.e. Li, P and S` have all of them.
    is_same = found is not None and re.match(SAME, found.group(), re.I) is not None
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


def _is_apart(text: str, literals: list[Literal], place: int) -> bool:
    """Whether nothing but space is between a term and the next one."""
    return text[literals[place].end : literals[place + 1].start].isspace()


# Symbols that are looked at on both sides; the time grows with the square of longer ones.
_LONGEST_ROW = 30


def _is_row_of_alternatives(text: str, literals: list[Literal], place: int) -> bool:
    """Whether symbols without commas are alternatives: `a metal such as V Mn Fe`, `Gd Tb Dy or so`."""
    first = last = place
    while first and place - first < _LONGEST_ROW and _is_apart(text, literals, first - 1):
        first -= 1
    while last + 1 < len(literals) and last - place < _LONGEST_ROW and _is_apart(text, literals, last):
        last += 1
    # `a metal Ti V Cr`: the row begins with the first symbol.
    first = next((each for each in range(first, place) if is_symbol(text, literals[each])), place)
    if not all(is_symbol(text, each) for each in literals[first : last + 1]):
        return False
    end = literals[last].end
    # `Nd Pr Sm or Tb`
    is_choice = last + 1 < len(literals) and re.fullmatch(r"\s+or\s+", text[end : literals[last + 1].start]) is not None
    is_choice = is_choice or _ASSIGNED.search(text, 0, literals[first].start) is not None
    # `the early transition metals Ti Zr Hf`
    group = literals[first - 1] if first else None
    if group is not None and _is_of_group(group) and re.fullmatch(r"[\s(:]+", text[group.end : literals[first].start]):
        return first < place and text[group.end - 1] == "s"
    # `carbides of Os Ir Pt Re`
    is_choice = is_choice or (last - first > 1 and _OF_PLURAL.search(text, 0, literals[first].start) is not None)
    return is_choice or _begins_alternatives(text, literals, first) or _OR_SIMILAR.match(text, end) is not None


def _ends_any_of(text: str, literals: list[Literal], place: int) -> bool:
    """Whether an `and` stands before the last one of alternatives: `at least one of Ti, Zr and Hf`."""
    before, literal = literals[place - 1], literals[place]
    # `one of Fe or Co and O`, `one of Fe, Co and oxygen`: another demand.
    if is_symbol(text, before) != is_symbol(text, literal):
        return False
    first = place - 1
    while first and re.fullmatch(r"\s*,\s*", text[literals[first - 1].end : literals[first].start]):
        first -= 1
    return _begins_alternatives(text, literals, first)


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


__all__ = ["grouped", "is_second_of_two"]
