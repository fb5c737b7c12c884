"""Grammar of short phrases: what part of speech a wording is, plurals, articles, and how wordings join to a phrase."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .phrases import capitalize, with_article

Draw = Callable[[], float]

# In front of the noun ("cubic"), the noun ("perovskite"), either of them (the name of an element), after the noun ("of
# low cost"), with a verb of its own ("contains iron"), something that the noun has ("high bulk modulus").
BEFORE, NOUN, ELEMENT, AFTER, VERB, HAVE = "before", "noun", "element", "after", "verb", "have"

_AFTER = re.compile(
    r"(?:with|in|of|from|for|at|on|under|above|below|near|that|which|whose|where|like|made|built|based|composed|having"
    r"|containing|consisting|including|bearing|showing|crystallizing|crystallising|belonging|made up|free|rich|prone"
    r"|\w{3,}ed (?:by|in|to|with|at|from|as|through|on|into|of)|equal|more|less|mostly"
    r"|nothing|able|stable (?:in|at|against)|transparent to|resistant to|good|suited|suitable|used|useful"
    r"|\w{3,}ing (?:a|an|the|to|in|with|at|of|from|on)) "
)
_VERB = re.compile(
    r"(?:contains?|has|have|is|are|includes?|shows?|hosts?|conducts?|forms?|adopts?|crystalli[sz]es|belongs|lacks|emits?"
    r"|absorbs?|bends?|can|does|breaks|deforms|withstands|resists|reacts|dissolves|melts|carries|holds|incorporates"
    r"|consists|uses|features|exhibits|stores|generates|responds|lies|sits|needs|costs|feels|looks|scratches|hardly"
    r"|barely|easily|readily|transmits|reflects|insulates|superconducts|intercalates|will|would|should|does) "
)
_NOUN_END = re.compile(
    r"(?:ide|ides|ite|ites|ate|ates|ene|ine|yl|oid|metal|compound|material|crystal|structure|mineral|salt|alloy|phase"
    r"|solid|ceramic|glass|conductor|semiconductor|insulator|electrolyte|cathode|anode|electrode|phosphor|magnet|pigment"
    r"|type|family|group|groups|class|system|lattice|framework|network|cell|host|gem|gemstone|ore|rock|stone|stuff"
    r"|former|catalyst|absorber|coating|detector|laser|device|battery|substrate|window|filter|sensor|scintillator"
    r"|absorbent|additive|abrasive|dielectric|ferroelectric|piezoelectric|thermoelectric|multiferroic|antiferromagnet"
    r"|ferromagnet|ferrimagnet|superconductor|chemical|element|species|ion|ions|anion|cation|unit|units|chain|chains"
    r"|layer|layers|sheet|sheets|atom|atoms|bond|bonds|gap|modulus|density|index|energy|symmetry|axis|polymorph"
    r"|composition|formula|stoichiometry|oxidic|powder|binary|ternary|quaternary|analogue|derivative|relative|variant"
    r"|component|part|tool|fuel|fluorophore|barrier|shield|waste form)\Z"
)
_ADJECTIVE_END = re.compile(
    r"(?:[^\s]+-(?:based|containing|bearing|rich|gap|like|hosting|forming|poor|doped|loaded|type|index|k|density|sharing"
    r"|connected|centred|centered|dimensional|temperature|cost|weight|energy|resistant|stable|free)|(?:\w+(?:ic|al|ive"
    r"|ous|able|ible|ant|ent|ed|ful|less|ar|ary|ing|ish|oic|en|id|ile|ense|oft|ard|iff|ight|avy|eap|rse|ue|y)))\Z"
)
_PROPERTY_END = re.compile(
    r"(?:gap|modulus|moduli|density|densities|index|permittivity|constant|hardness|stiffness|rigidity|compressibility"
    r"|(?:an)?isotropy|symmetry|energy|formation|cost|price|velocity|speed|temperature|cell|units?|volume|packing|response"
    r"|effect|coefficient|ratio|elements|ions?|anions?|cations?|electrons?|constituents|ingredients|amounts|values?|weight"
    r"|mass|strength|resistance|toughness|conductivity|stability|abundance|supply|toxicity|chemistry|composition|content"
    r"|bonding|bonds|lattice|axis|axes|cent(?:er|re)|transparency|edge|absorption|spectrum|captures?|risk|hazard|tendency"
    r"|layers|chains|sheets|slabs|octahedra|tetrahedra|polyhedra|coordination|stoichiometry|stacking|polarity|inversion"
    r"|atoms|sites|shells?|moments?|metals|raw materials|geometry|environment|connectivity|network|framework|channels"
    r"|tunnels|cages|pores|gaps|ends|distance|radius|number|percentage|share|fraction|dispersion|birefringence"
    r"|polarizability|polarisability|screening|refraction|softness|ductility|brittleness)\Z"
)
# Kinds whose wordings are nouns unless they look otherwise.
_NOUN_KINDS = frozenset({"anion", "oxyanion", "group", "class", "structure-type", "use", "name"})
_PREPOSITION = re.compile(
    r" (?:of|with|for|in|from|at|on|to|that|which|by|as|or|and|between|against|under|without|based"
    r"|rich|poor|made|containing|including|composed|prone|free|having|used|suited|present|inside|rather|plus)\b"
)
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*){2,}")
_GENERIC = ("material", "compound", "crystal", "solid", "phase", "material", "compound", "structure")
_PLURALS = {"axis": "axes", "modulus": "moduli", "index": "indices", "lattice": "lattices", "species": "species"}
# Between words, not a minus sign.
_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
_RESTRICTIVE = frozenset({"or", "and", "only", "nothing", "more", "mostly", "all", "any", "another", "other", "pure"})
_MASS = frozenset({"stuff", "waste", "symmetry", "density", "energy", "stoichiometry", "chemistry", "hardness"})


@lru_cache(maxsize=1 << 16)
def part_of_speech(wording: str, kind: str) -> str:
    """
    Guess how a wording stands in a phrase.

    Args:
        wording: The wording.
        kind: Kind of its concept.

    Returns:
        `BEFORE`, `NOUN`, `ELEMENT`, `AFTER`, `VERB` or `HAVE`.
    """
    start = wording.lower() + " "
    if _VERB.match(start):
        return VERB
    if _AFTER.match(start):
        return AFTER
    head = _PREPOSITION.split(wording, maxsplit=1)[0]
    last = head.lower().rstrip("s") if not head.lower().endswith("ss") else head.lower()
    if " " in head and _PROPERTY_END.search(head.lower()):
        return HAVE
    if kind in ("element", "element-group"):
        return BEFORE if _ADJECTIVE_END.search(head.lower()) and "-" in head else ELEMENT
    if kind == "space-group":
        return AFTER if " " not in wording else NOUN
    if kind in _NOUN_KINDS:
        return BEFORE if _ADJECTIVE_END.search(head.lower()) and not _NOUN_END.search(last) else NOUN
    return NOUN if _NOUN_END.search(last) and not _ADJECTIVE_END.search(head.lower()) else BEFORE


@lru_cache(maxsize=1 << 16)
def plural(phrase: str) -> str:
    """Put the head noun of a phrase in the plural: `salt of an acid` becomes `salts of an acid`."""
    found = _PREPOSITION.search(phrase)
    head, rest = (phrase[: found.start()], phrase[found.start() :]) if found else (phrase, "")
    start, blank, word = head.rpartition(" ")
    if not word.isascii() or not word[-1:].islower() or word in _MASS or _FORMULA.fullmatch(word):
        return phrase
    if word in _PLURALS:
        word = _PLURALS[word]
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        word = word[:-1] + "ies"
    elif word.endswith(("ss", "x", "ch", "sh")):
        word += "es"
    elif not word.endswith(("s", "ed")):
        word += "s"
    return start + blank + word + rest


@dataclass(frozen=True)
class Piece:
    """
    A part of a phrase.

    Attributes:
        text: Its words.
        part: Its part of speech.
        kind: Kind of its concept; empty for numbers and the like.
        negated: Whether the phrase excludes it.
    """

    text: str
    part: str
    kind: str = ""
    negated: bool = False


def pick(options: Sequence[str], draw: Draw) -> str:
    """Draw one of several texts; `draw` returns floats in [0, 1)."""
    return options[int(draw() * len(options))]


_SEPARATORS = (", ", ", ", " ", "; ", " + ", " / ", " and ", ", ")
# Frames around a noun phrase: {a} with article, {s} plural, {n} as it is.
_FRAMES = (
    "find {a}", "find {s}", "find me {a}", "looking for {a}", "I am looking for {a}", "I need {a}", "we need {s}",
    "show {s}", "show me {s}", "list {s}", "list of {s}", "search for {s}", "search: {n}", "any {s}?", "any {n}?",
    "{a}, please", "give me {a}", "suggest {a}", "recommend {s}", "which crystals are {s}?", "what {s} are there?",
    "what {s} do we have?", "are there {s}?", "is there {a}?", "candidates: {s}", "example of {a}", "examples of {s}",
    "we want {a}", "wanted: {a}", "{a}", "{a}", "{s}", "{s}", "{s}", "this is {a}", "it is {a}", "the crystal is {a}",
    "a description of {a}", "data on {s}", "crystals of {s}", "structures of {s}", "which of these are {s}?",
    "get {s}", "all {s}", "some {s}", "query: {n}", "something like {a}", "must be {a}", "should be {a}",
)  # fmt: skip
# Frames around a clause that begins with a verb.
_VERB_FRAMES = (
    "it {v}", "material that {v}", "a material that {v}", "something that {v}", "what {v}?", "which crystal {v}?",
    "find a compound that {v}", "crystal that {v}", "{v}", "the structure {v}", "a solid which {v}", "{v}",
)  # fmt: skip
_CONTAINING = ("with", "containing", "of", "that contains", "based on", "including")
_EXCLUSIONS = {
    NOUN: ("not {a}", "no {s}", "other than {s}", "except {s}", "excluding {s}", "but not {a}", "non-{n}",
           "{s} excluded", "which is not {a}", "that is not {a}", "anything but {s}", "no {n}"),
    ELEMENT: ("without {n}", "no {n}", "{n}-free", "free of {n}", "excluding {n}", "not containing {n}", "{n} free",
              "that contains no {n}", "lacking {n}", "with no {n}", "but no {n}", "must not contain {n}"),
    HAVE: ("without {n}", "no {n}", "not with {n}", "without {a}", "not {n}"),
    BEFORE: ("not {n}", "non-{n}", "that is not {n}", "but not {n}", "which is not {n}", "not {n}"),
}  # fmt: skip


def can_be_excluded(piece: Piece) -> bool:
    """Whether the negative of a piece reads well: short, and without alternatives or restrictions inside."""
    words = piece.text.lower().split()
    return piece.part in (NOUN, ELEMENT, BEFORE, HAVE) and len(words) <= 3 and not _RESTRICTIVE & set(words)


def excluded(piece: Piece, draw: Draw) -> Piece:
    """Put a piece in the negative: `rare earth` becomes `without rare earths`."""
    form = pick(_EXCLUSIONS[piece.part], draw)
    name = piece.text
    if piece.part == ELEMENT and piece.kind == "element-group" and "-free" not in form and draw() < 0.6:
        name = plural(name)
    if form == "non-{n}" and " " in name:
        form = "not {n}"
    text = form.format(n=name, a=with_article(name), s=plural(name))
    before = form.endswith("-free") or form.startswith("non-") or form == "{n} free"
    return Piece(text, BEFORE if before else AFTER, piece.kind, negated=True)


def compose(pieces: Sequence[Piece], draw: Draw) -> str:
    """
    Join pieces to a phrase.

    Args:
        pieces: What the phrase says, in any order.
        draw: Returns floats in [0, 1), which select the form.
    """
    if len(pieces) == 1:
        return _finished(_single(pieces[0], draw), draw)
    if draw() < 0.3:
        separator = pick(_SEPARATORS, draw)
        shuffled = _shuffled(pieces, draw)
        if separator == " ":
            shuffled.sort(key=lambda piece: piece.part in (AFTER, VERB, HAVE))
        return _finished(separator.join(piece.text for piece in shuffled), draw)
    return _finished(_joined(pieces, draw), draw)


def _single(piece: Piece, draw: Draw) -> str:
    if draw() < 0.35:
        return piece.text
    if piece.part == VERB:
        return pick(_VERB_FRAMES, draw).format(v=piece.text)
    if piece.part == NOUN:
        noun = piece.text
        if draw() < 0.15 and not _PREPOSITION.search(noun):
            noun = f"{noun} {pick(_GENERIC, draw)}"
        return _framed(noun, draw)
    return _framed(_joined_noun([piece], draw), draw)


def _joined(pieces: Sequence[Piece], draw: Draw) -> str:
    return _framed(_joined_noun(pieces, draw), draw) if draw() < 0.6 else _joined_noun(pieces, draw)


def _joined_noun(pieces: Sequence[Piece], draw: Draw) -> str:
    """Return a noun phrase: adjectives, head, and what follows it."""
    nouns = [piece for piece in pieces if piece.part == NOUN]
    before = [piece.text for piece in pieces if piece.part == BEFORE]
    after: list[str] = []
    elements = [piece.text for piece in pieces if piece.part == ELEMENT]
    head = pick(_GENERIC, draw)
    if nouns:
        *others, last = _shuffled(nouns, draw)
        head = last.text
        for other in others:
            if " " not in other.text and " " not in head and draw() < 0.6:
                head = f"{other.text} {head}"
            else:
                form = pick(("that is also {a}", "which is {a}", "and {a}", "of the kind {n}", "({n})"), draw)
                after.append(form.format(a=with_article(other.text), n=other.text))
    for element in elements:
        if draw() < 0.4 and not before and " of " not in head:
            head = f"{element} {head}"
        else:
            after.append(
                f"{pick(('with', 'containing', 'of', 'that contains', 'based on', 'including'), draw)} {element}"
            )
    after += [piece.text for piece in _shuffled(pieces, draw) if piece.part == AFTER]
    for piece in pieces:
        if piece.part == HAVE:
            form = pick(("with {n}", "with {a}", "of {n}", "that has {a}", "having {n}", "with {n}"), draw)
            after.append(form.format(n=piece.text, a=with_article(piece.text)))
    verbs = [piece.text for piece in pieces if piece.part == VERB]
    if verbs:
        after.append("that " + " and ".join(verbs))
    if before and draw() < 0.15:
        moved = before.pop()
        after.append(f"that is {moved}")
    joint = ", " if draw() < 0.25 else " "
    text = " ".join((*before, head))
    for place, part in enumerate(after):
        text += (joint if place == 0 else pick((" ", " and ", ", "), draw)) + part
    return text


def _framed(noun: str, draw: Draw) -> str:
    return pick(_FRAMES, draw).format(a=with_article(noun), s=plural(noun), n=noun)


def _finished(text: str, draw: Draw) -> str:
    chance = draw()
    if chance < 0.08:
        text = capitalize(text)
        if chance < 0.04 and text[-1:] not in "?.":
            text += "."
    elif chance < 0.14:
        text = _HYPHEN.sub(" ", text)
    return text


def _shuffled(pieces: Sequence[Piece], draw: Draw) -> list[Piece]:
    return [piece for _, piece in sorted(((draw(), piece) for piece in pieces), key=lambda pair: pair[0])]


__all__ = [
    "AFTER",
    "BEFORE",
    "ELEMENT",
    "HAVE",
    "NOUN",
    "VERB",
    "Draw",
    "Piece",
    "can_be_excluded",
    "compose",
    "excluded",
    "part_of_speech",
    "pick",
    "plural",
]
