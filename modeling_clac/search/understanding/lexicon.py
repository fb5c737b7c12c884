"""The wordings of a vocabulary by their keys, element names, and corrections of misspelt words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
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
    from ...concepts.vocabulary import Vocabulary

# Other names of elements. British spellings have the keys of American ones.
_OTHER_NAMES = {
    "wolfram": "W", "kalium": "K", "natrium": "Na", "columbium": "Nb", "quicksilver": "Hg", "ferrous": "Fe",
    "ferric": "Fe", "cupric": "Cu", "cuprous": "Cu", "stannous": "Sn", "stannic": "Sn", "plumbous": "Pb",
    "plumbic": "Pb", "argentic": "Ag", "auric": "Au", "chromic": "Cr", "manganous": "Mn", "manganic": "Mn",
    "titanic": "Ti", "mercuric": "Hg", "mercurous": "Hg", "cobaltous": "Co", "nickelous": "Ni", "ceric": "Ce",
    "cerous": "Ce", "potassic": "K", "sodic": "Na", "lithiated": "Li", "vanadous": "V", "bismuthous": "Bi",
    "deuterium": "H", "antimonous": "Sb",
}  # fmt: skip
_SHORTEST_TYPO, _SHORTEST_TWO_TYPOS = 5, 8
# Which reading counts if concepts share a wording: the wider ones, and the mineral last.
_KIND_ORDER = ("structure-type", "class", "anion", "oxyanion", "group", "element-group", "attribute", "use", "name")

_lexicons: WeakKeyDictionary[Vocabulary, Lexicon] = WeakKeyDictionary()


class Lexicon:
    """
    Wordings of a vocabulary.

    Args:
        vocabulary: The vocabulary.

    Attributes:
        vocabulary: The vocabulary.
        ids: Key of a wording -> id of the concept that it stands for.
        elements: Key of the name of an element -> its symbol.
        longest: Number of words of the longest wording.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.ids: dict[str, str] = {}
        self.superlatives: dict[str, tuple[str, bool]] = {}
        self.elements = {key(name): symbol for symbol, name in ELEMENT_NAMES.items()}
        self.elements |= {key(name): symbol for name, symbol in _OTHER_NAMES.items()}
        # Keys of wordings of several words. Others are one word, and may be `pervo-skite` but not `s and`.
        self._of_several_words = {
            spelled
            for concept in vocabulary
            for wording, spelled in zip(concept.wordings, concept.keys, strict=True)
            if not wording.isalnum()
        }
        wordings: list[str] = []
        lists = {
            key(wording)
            for concept in vocabulary
            for wording in concept.wordings
            if " or " in wording and self._is_list(wording)
        }
        for spelled, owners in vocabulary.ids_of_keys.items():
            if spelled in lists:
                continue
            first, *others = owners
            self.ids[spelled] = min(owners, key=lambda owner: _kind_place(vocabulary[owner].kind)) if others else first
        for concept in vocabulary:
            wordings += (*concept.wordings, *concept.superlatives, concept.name)
            for wording in (concept.name, concept.id):
                spelled = key(wording)
                self.ids.setdefault(spelled, concept.id)
                if not wording.isalnum():
                    self._of_several_words.add(spelled)
            if concept.sort is not None and concept.sort.number in QUANTITIES:
                for wording in concept.superlatives:
                    self.superlatives.setdefault(key(wording), (concept.sort.number, concept.sort.descending))
        self.longest = max((1 + sum(map(wording.count, " -/_:(")) for wording in wordings), default=1)
        self._wordings = wordings

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
        return spelled in self._of_several_words or all(
            len(part.key) > 2 and part.key not in FUNCTION_WORDS for part in parts
        )

    def name_of(self, concept_id: str) -> str:
        """Return a name of a concept that is read as this concept, even if others have the same name."""
        concept = self.vocabulary[concept_id]
        names = (concept.name, concept_id.replace("-", " "), *concept.wordings)
        return next((name for name in names if self.ids.get(key(name)) == concept_id), concept.name)

    @cached_property
    def words(self) -> frozenset[str]:
        """Keys of the words of all wordings, in which misspelt words are looked up."""
        names = (f"{each.words} {each.more} {each.less}" for each in QUANTITIES.values())
        return frozenset(map(key, set(_letters("\n".join([*self._wordings, *names]))))) | frozenset(self.elements)

    @cached_property
    def _by_letter(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for word in sorted(self.words):
            if len(word) >= _SHORTEST_TYPO and word.isalpha():
                found.setdefault(word[0], []).append(word)
        return found

    def correction(self, word: str) -> str | None:
        """
        Return the known word that a misspelt one stands for.

        The first letters agree; one letter differs, or two in words of eight and more. English words are no mistakes.

        Args:
            word: Key of a word.
        """
        if len(word) < _SHORTEST_TYPO or not word.isalpha() or word in self.words or word in FUNCTION_WORDS:
            return None
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        allowed = 1 if len(word) < _SHORTEST_TWO_TYPOS else 2
        candidates = self._by_letter.get(word[0], ())
        found = process.extract(word, candidates, scorer=OSA.distance, score_cutoff=allowed, limit=8)
        found = [match for match in found if len(match[0]) >= len(word) - 1]
        if not found or word in _english() or f"{word}s" in _english():
            return None
        # A letter is left out more often than added: `zircona` is zirconia rather than zircon.
        return str(min(found, key=lambda match: (match[1], -len(match[0])))[0])


def _kind_place(kind: str) -> int:
    return _KIND_ORDER.index(kind) if kind in _KIND_ORDER else 0


def _letters(text: str) -> Iterable[str]:
    return re.findall(r"[^\W\d_]{3,}", text.lower())


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    """English words: those that the tokenizer of the bundled checkpoint has as a whole."""
    path = ASSETS / "clac-mini" / "tokenizer.json"
    try:
        pieces = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    except (OSError, ValueError, KeyError):
        return frozenset()
    return frozenset(piece for piece in pieces if len(piece) > 3 and piece.isalpha())


__all__ = ["Lexicon"]
