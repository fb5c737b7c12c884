"""The wordings of a vocabulary by their keys, element names, and corrections of misspelt words."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...concepts.elements import ELEMENT_NAMES
from ...concepts.quantities import QUANTITIES
from ...concepts.spelling import Token, key
from ...formulas_clac import ATOMIC_NUMBERS
from ...utils.paths import ASSETS
from .words import FUNCTION_WORDS

if TYPE_CHECKING:
    from ...concepts.concept_files import Concept
    from ...concepts.vocabulary import Vocabulary

# Other names of elements. British spellings have the keys of American ones.
_OTHER_NAMES = {
    "wolfram": "W", "kalium": "K", "natrium": "Na", "columbium": "Nb", "quicksilver": "Hg", "ferrous": "Fe",
    "ferric": "Fe", "cupric": "Cu", "cuprous": "Cu", "stannous": "Sn", "stannic": "Sn", "plumbous": "Pb",
    "plumbic": "Pb", "argentic": "Ag", "auric": "Au", "chromic": "Cr", "manganous": "Mn", "manganic": "Mn",
    "titanic": "Ti", "mercuric": "Hg", "mercurous": "Hg", "cobaltous": "Co", "nickelous": "Ni", "ceric": "Ce",
    "cerous": "Ce", "potassic": "K", "sodic": "Na", "lithiated": "Li", "vanadous": "V", "bismuthous": "Bi",
    "deuterium": "H", "antimonous": "Sb", "fluor": "F",
}  # fmt: skip
# Words of a name that are tried behind others, as in `harder than titanium carbide`.
LONGEST_NAME = 4
_SHORTEST_TYPO, _SHORTEST_TWO_TYPOS = 5, 8
# Words of laboratories that resemble others; the tokenizer has none of them as a whole.
_OF_LABORATORIES = frozenset("sputter sputtered sputtering anneal annealed annealing".split())
# Which reading counts if concepts share a wording: the wider ones, and the mineral last.
_KIND_ORDER = ("structure-type", "class", "anion", "oxyanion", "group", "element-group", "attribute", "use", "name")

_lexicons: WeakKeyDictionary[Vocabulary, Lexicon] = WeakKeyDictionary()


@dataclass
class _Entries:
    """What begins with one letter, each with its concept: wordings, names and ids, superlatives."""

    wordings: list[tuple[str, Concept]] = field(default_factory=list)
    names: list[tuple[str, Concept]] = field(default_factory=list)
    superlatives: list[tuple[str, Concept]] = field(default_factory=list)


@dataclass
class _Keys:
    """The keys that begin with one letter."""

    ids: dict[str, str] = field(default_factory=dict)
    superlatives: dict[str, tuple[str, bool]] = field(default_factory=dict)
    # Keys of wordings of several words. Others are one word, and may be `pervo-skite` but not `s and`.
    of_several_words: set[str] = field(default_factory=set)
    longest: int = 1


class Lexicon:
    """
    Wordings of a vocabulary. Keys are found when a text has a word with their first letter.

    Args:
        vocabulary: The vocabulary.

    Attributes:
        vocabulary: The vocabulary.
        elements: Key of the name of an element -> its symbol.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.elements = {key(name): symbol for symbol, name in ELEMENT_NAMES.items()}
        self.elements |= {key(name): symbol for name, symbol in _OTHER_NAMES.items()}
        self._keys: dict[str, _Keys] = {}
        self._words: dict[str, frozenset[str]] = {}

    @cached_property
    def _entries(self) -> dict[str, _Entries]:
        found: dict[str, _Entries] = defaultdict(_Entries)
        for concept in self.vocabulary:
            for wording in concept.lines:
                found[_initial(wording)].wordings.append((wording, concept))
            for wording in (concept.name, concept.id):
                found[_initial(wording)].names.append((wording, concept))
            for wording in concept.superlatives:
                found[_initial(wording)].superlatives.append((wording, concept))
        return found

    def _with_initial(self, initial: str) -> _Keys:
        if initial not in self._keys:
            self._keys[initial] = self._read(self._entries.get(initial, _Entries()))
        return self._keys[initial]

    def _read(self, entries: _Entries) -> _Keys:
        found = _Keys()
        owners: dict[str, list[Concept]] = {}
        lists = set()
        for wording, concept in entries.wordings:
            spelled = key(wording)
            owners.setdefault(spelled, []).append(concept)
            if not wording.isalnum():
                found.of_several_words.add(spelled)
            if " or " in wording and self._is_list(wording):
                lists.add(spelled)
        for spelled, concepts in owners.items():
            if spelled not in lists:
                first, *others = concepts
                found.ids[spelled] = min(concepts, key=lambda owner: _kind_place(owner.kind)).id if others else first.id
        for wording, concept in entries.names:
            spelled = key(wording)
            if spelled not in lists:
                found.ids.setdefault(spelled, concept.id)
            if not wording.isalnum():
                found.of_several_words.add(spelled)
        for wording, concept in entries.superlatives:
            if concept.sort is not None and concept.sort.number in QUANTITIES:
                found.superlatives.setdefault(key(wording), (concept.sort.number, concept.sort.descending))
        texts = (wording for each in vars(entries).values() for wording, _ in each)
        found.longest = max((1 + sum(map(wording.count, " -/_:(")) for wording in texts), default=1)
        return found

    def id_of(self, spelled: str) -> str | None:
        """Return the id of the concept that a key stands for, or `None`."""
        return self._with_initial(spelled[:1]).ids.get(spelled)

    def superlative(self, spelled: str) -> tuple[str, bool] | None:
        """Return the number and direction that the key of a superlative stands for, or `None`."""
        return self._with_initial(spelled[:1]).superlatives.get(spelled)

    def longest_from(self, spelled: str) -> int:
        """Return the number of words of the longest wording that begins with the letter of a key."""
        return self._with_initial(spelled[:1]).longest

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Lexicon:
        """Return the lexicon of a vocabulary, which is made once."""
        if vocabulary not in _lexicons:
            _lexicons[vocabulary] = cls(vocabulary)
        return _lexicons[vocabulary]

    def _is_list(self, wording: str) -> bool:
        """Whether a wording is a list of elements, `Co or Ni`, which is read element by element."""
        first, *others = re.split(r"\s+or\s+", wording)
        return bool(others) and all(word in ATOMIC_NUMBERS or key(word) in self.elements for word in (first, *others))

    def may_be_split(self, spelled: str, parts: Sequence[Token]) -> bool:
        """
        Whether several words of a text can be a wording: `rock salt` can be `rocksalt`, `S and` is not `sand`.

        Args:
            spelled: Key of the wording.
            parts: The words.
        """
        return spelled in self._with_initial(spelled[:1]).of_several_words or all(
            len(part.key) > 2 and part.key not in FUNCTION_WORDS for part in parts
        )

    def name_of(self, concept_id: str) -> str:
        """Return a name of a concept that is read as this concept, even if others have the same name."""
        concept = self.vocabulary[concept_id]
        names = (concept.name, concept_id.replace("-", " "), *concept.wordings)
        return next((name for name in names if self.id_of(key(name)) == concept_id), concept.name)

    @cached_property
    def _text(self) -> str:
        """All wordings, names of concepts and names of quantities, in small letters."""
        names = (f"{each.words} {each.more} {each.less}" for each in QUANTITIES.values())
        concepts = (text for each in self.vocabulary for text in (*each.lines, *each.superlatives, each.name))
        return "\n".join([*concepts, *names]).lower()

    def _words_from(self, initial: str) -> frozenset[str]:
        """Keys of the words of all wordings that begin with a letter, in which misspelt words are looked up."""
        if initial not in self._words:
            found = set(re.findall(rf"(?<![^\W\d_]){re.escape(initial)}[^\W\d_]{{2,}}", self._text))
            elements = {name for name in self.elements if name.startswith(initial)}
            self._words[initial] = frozenset(map(key, found)) | elements
        return self._words[initial]

    def correction(self, word: str) -> str | None:
        """
        Return the known word that a misspelt one stands for.

        The first letters agree; one letter differs, or two in words of eight and more. English words are no mistakes.

        Args:
            word: A word, or its key.
        """
        written, spelled = word.lower(), key(word)
        if not spelled.isalpha() or not FUNCTION_WORDS.isdisjoint((written, spelled)):
            return None
        if self.id_of(spelled) is not None or spelled in self._words_from(spelled[0]):
            return None
        # `oxdies` and `modulas` may not be plurals of `oxdy` and `modula`.
        spellings = {spelled, written, written[:-1] if written.endswith("ies") else written}
        allowed = 1 if len(spelled) < _SHORTEST_TWO_TYPOS else 2
        found = [
            match for each in sorted(spellings) if len(each) >= _SHORTEST_TYPO for match in self._similar(each, allowed)
        ]
        if not found or not _english().isdisjoint((written, spelled, f"{spelled}s")) or _is_derived(written):
            return None
        # A letter is left out more often than added: `zircona` is zirconia rather than zircon.
        return min(found, key=lambda match: (match[1], match[0] in FUNCTION_WORDS, -len(match[0])))[0]

    def _similar(self, spelled: str, allowed: int) -> list[tuple[str, int]]:
        """Known words that differ from a word by at most some letters, with the number of these."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        common = {each for each in FUNCTION_WORDS if each.startswith(spelled[0])}
        known = self._words_from(spelled[0]) | common
        candidates = sorted(each for each in known if len(each) >= _SHORTEST_TYPO and each.isalpha())
        found = process.extract(spelled, candidates, scorer=OSA.distance, score_cutoff=allowed, limit=8)
        return [(match[0], int(match[1])) for match in found if len(match[0]) >= len(spelled) - 1]


def _is_derived(word: str) -> bool:
    """Whether a word is made of an English one: `growers` of `grow`."""
    stems = [word.removesuffix(end) for end in ("ers", "er", "ing", "ings", "ed") if word.endswith(end)]
    known = _english()
    return word in _OF_LABORATORIES or any(len(stem) > 3 and (stem in known or f"{stem}e" in known) for stem in stems)


def _kind_place(kind: str) -> int:
    return _KIND_ORDER.index(kind) if kind in _KIND_ORDER else 0


def _initial(wording: str) -> str:
    """Return the first character of the key of a wording; no rule of spelling changes it."""
    first = wording[:1]
    return first.lower() if first.isascii() and first.isalnum() else key(wording)[:1]


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    """English words: those that the tokenizer of the bundled checkpoint has as a whole."""
    path = ASSETS / "clac-mini" / "tokenizer.json"
    try:
        pieces = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    except (OSError, ValueError, KeyError):
        return frozenset()
    return frozenset(piece for piece in pieces if len(piece) > 3 and piece.isalpha())


__all__ = ["LONGEST_NAME", "Lexicon"]
