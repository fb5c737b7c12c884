"""Words that are made of a wording or share a part of one: `noncubic`, `-arsenate`, `storing hydrogen`."""

from __future__ import annotations

import re
from dataclasses import replace

from ...concepts.spelling import Token
from .lexicon import LONGEST_NAME, Lexicon
from .query import ElementTerm, Literal
from .state import State
from .wordings import term_of, together
from .words import FUNCTION_WORDS

_HYPHEN_FOR_START = re.compile(r"\s*(?:,|/|&|,?\s+(?:and|or))\s*-")
# `nonmagnetic`, `cobaltfree`
_JOINED = re.compile(r"non(?P<behind>\w+)|(?P<before>\w{3,})(?:free|less)")
# Kinds of concepts whose names share a last word: `early or late transition metals`.
_KINDS_OF_HEADS = frozenset({"element-group", "attribute", "use", "structure-type", "band"})
_BETWEEN_TWO = re.compile(r"-?\s*(?:/|&|,|,?\s+(?:and|or))\s*", re.I)
# Members of a list that are looked at before the one with the shared word.
_LONGEST_LIST = 6
_STRUCTURE_OF = re.compile(
    r"(?:(?:crystalli[sz](?:e[sd]?|ing)\s+(?:like|as)|iso(?:structural|typic|typical|morphous)\s+(?:with|to)"
    r"|(?:the\s+)?same\s+(?:crystal\s+)?(?:structure|lattice|prototype|structure[\s-]+type|type)\s+(?:as|like|of)"
    r"|structures?\s+(?:of|like|as\s+in))\s+(?:that\s+of\s+)?(?:the\s+|an?\s+)?)(?=\w)",
    re.I,
)
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


def shared_start(lexicon: Lexicon, text: str, before: Token, word: Token) -> Token | None:
    """
    Read `-arsenate` in `hexafluorophosphate, -arsenate or -antimonate` as `hexafluoroarsenate`.

    Returns:
        The word with the key of the whole one; `None` if it does not begin with such a hyphen.
    """
    if _HYPHEN_FOR_START.fullmatch(text, before.end, word.start) is None:
        return None
    starts = (before.key[:count] for count in range(len(before.key) - 1, 2, -1))
    return next((replace(word, key=start + word.key) for start in starts if lexicon.id_of(start + word.key)), None)


def read_joined(state: State, lexicon: Lexicon, word: Token) -> bool:
    """Read `noncubic`, `nonmagnetic`, `cobaltfree`."""
    parts = _JOINED.fullmatch(word.key)
    if parts is None:
        return False
    stem = parts["behind"] or parts["before"]
    concept, symbol = lexicon.id_of(stem), lexicon.elements.get(stem)
    if (concept is None and symbol is None) or stem in FUNCTION_WORDS:
        return False
    term = ElementTerm(symbol) if concept is None and symbol is not None else term_of(lexicon, str(concept))
    state.add([Literal(term, True, word.start, word.end)])
    return True


def read_shared_end(state: State, lexicon: Lexicon, words: list[Token], place: int) -> tuple[int] | None:
    """Read `heavy` of `heavy or toxic elements` as `heavy elements`, and return the place behind it."""
    word = words[place]
    if word.key in FUNCTION_WORDS:
        return None
    last = place
    for _ in range(_LONGEST_LIST):
        following = words[last + 1 : last + 3]
        second = last + 1 + (bool(following) and following[0].key in ("and", "or"))
        if second >= len(words) or _BETWEEN_TWO.fullmatch(state.text, words[last].end, words[second].start) is None:
            return None
        if word.key in lexicon.elements and state.text[words[last].end : words[second].start].strip() == ",":
            # `bismuth, zintl type`: a comma alone joins elements only before a further one.
            last = second
            continue
        shared = _with_end_of(state, lexicon, words, word, second)
        if shared is not None:
            state.add([Literal(term_of(lexicon, shared), False, word.start, word.end)])
            return (place + 1,)
        last = second
    return None


def _with_end_of(state: State, lexicon: Lexicon, words: list[Token], word: Token, second: int) -> str | None:
    """Return the concept that `word` names with the end of the name at `second`, or `None`."""
    behind = together(state.text, lexicon, words, second)
    for count in range(len(behind), 1, -1):
        head = "".join(part.key for part in behind[1:count])
        own, shared = lexicon.id_of(behind[0].key + head), lexicon.id_of(word.key + head)
        if own is None and count == 2 and behind[1].key == "element":
            own = lexicon.id_of(behind[0].key)
        # The digits of `B2 or L1_0` are not a shared word.
        if own is None or shared is None or own == shared or not head.isalpha():
            continue
        if lexicon.vocabulary[shared].kind in _KINDS_OF_HEADS:
            return shared
    return None


def read_type_of(state: State, lexicon: Lexicon, words: list[Token], place: int) -> tuple[int] | None:
    """
    Read `ZnS-like structure` and `the same structure as ZnS` as the structure type of ZnS, and return the place behind
    it.
    """
    behind_words = _STRUCTURE_OF.match(state.text, words[place].start)
    if behind_words is not None:
        return _read_structure_of(state, lexicon, words, place, behind_words.end())
    word, *behind = words[place : place + 3]
    if [each.key for each in behind] not in (["like", "structure"], ["like", "type"], ["like", "lattice"]):
        return None
    concept = lexicon.id_of(f"{word.key}type") or lexicon.id_of(f"{word.key}structure")
    if concept is None or lexicon.vocabulary[concept].kind != "structure-type":
        return None
    state.add([Literal(term_of(lexicon, concept), False, word.start, behind[-1].end)])
    return (place + 3,)


def _read_structure_of(state: State, lexicon: Lexicon, words: list[Token], place: int, start: int) -> tuple[int] | None:
    first = next((number for number in range(place, len(words)) if words[number].start == start), None)
    whole = [part.key for part in together(state.text, lexicon, words, place)]
    # `isotypic with SrTiO3` is a wording.
    if first is None or any(lexicon.id_of("".join(whole[:end])) for end in range(first - place + 1, len(whole) + 1)):
        return None
    named = together(state.text, lexicon, words, first)[:LONGEST_NAME]
    for count in range(len(named), 0, -1):
        name = "".join(part.key for part in named[:count])
        for form in ("structure", "type"):
            concept = lexicon.id_of(name + form)
            if concept is not None and lexicon.vocabulary[concept].kind == "structure-type":
                literal = Literal(term_of(lexicon, concept), False, words[place].start, named[count - 1].end)
                state.add([literal])
                return (first + count,)
    return None


def read_turned(state: State, lexicon: Lexicon, words: list[Token], place: int) -> bool:
    """Read `shielding against neutrons` as `neutron shielding`, and `storing hydrogen` as `hydrogen storage`."""
    word = words[place]
    behind = together(state.text, lexicon, words, place)[1:] if place + 1 < len(words) else []
    if word.key in FUNCTION_WORDS:
        return False
    nouns = [word.key] if behind and behind[0].key in _PREPOSITIONS else _NOUNS_OF_VERBS.get(word.key, [])
    while behind and behind[0].key in (*_PREPOSITIONS, "the", "a", "an"):
        behind = behind[1:]
    for count in range(min(len(behind), LONGEST_NAME), 0, -1):
        name = "".join(part.key for part in behind[:count])
        for noun in nouns:
            concept = lexicon.id_of(name + noun)
            if concept is not None and all(state.free[part.start] for part in behind[:count]):
                state.add([Literal(term_of(lexicon, concept), False, word.start, behind[count - 1].end)])
                return True
    return False


__all__ = ["read_joined", "read_shared_end", "read_turned", "read_type_of", "shared_start"]
