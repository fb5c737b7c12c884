"""
Phrases from the vocabulary with their right answers, for training.

A phrase says one or several things about crystals, in the words of the vocabulary: concepts, numbers with random
thresholds, exclusions, alternatives, elements, chemical systems, patterns of formulas and formulas. Its right answers
are computed on the facts of all crystals of a table, so that a phrase may be right for one crystal or for thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..concepts.held_out import HeldOutWordings
from ..concepts.logic import both, either, negated
from .composition_phrases import COMPOSITION_FORMS, CompositionPhrases
from .number_phrases import NumberPhrases
from .phrase_grammar import AFTER, Draw, Piece, can_be_excluded, compose, excluded, part_of_speech, pick

if TYPE_CHECKING:
    from ..concepts.vocabulary import Vocabulary
    from ..data.facts.fact_table import FactTable


class Random(Protocol):
    """A source of random numbers: `random.Random` or `numpy.random.Generator`."""

    def random(self) -> float: ...


@dataclass(frozen=True)
class Phrase:
    """
    A phrase and its right answers.

    Attributes:
        text: The phrase.
        holds: `(n,)` float32 over the crystals of the table: 1 right, 0 wrong, NaN neither (unknown, or holds partly).
        concepts: Ids of its concepts.
        form: What it is, a key of `FORMS`.
    """

    text: str
    holds: np.ndarray
    concepts: tuple[str, ...] = ()
    form: str = "concept"


# Share of each form of phrase.
FORMS: dict[str, float] = {
    "concept": 0.30,
    "conjunction": 0.36,
    "number": 0.11,
    "negation": 0.07,
    "elements": 0.07,
    "union": 0.02,
    "system": 0.02,
    "pattern": 0.03,
    "formula": 0.02,
}
# How often concepts of a kind are drawn, relative to the others.
_KIND_WEIGHTS: dict[str, float] = {
    "element": 1.0, "element-group": 0.8, "anion": 1.2, "oxyanion": 1.0, "group": 0.7, "class": 1.2,
    "structure-type": 1.6, "structural": 1.0, "symmetry": 1.0, "crystal-system": 0.8, "space-group": 0.6, "band": 2.0,
    "attribute": 0.8, "use": 2.2, "name": 0.5,
}  # fmt: skip
# Kinds of which a crystal has one only.
_EXCLUSIVE = frozenset({"crystal-system", "space-group", "name"})
_TRIES = 30


@dataclass(frozen=True)
class _Item:
    """A part of a phrase: its words, its values, and its concept."""

    piece: Piece
    holds: np.ndarray
    concept: str | None = None
    wording: str = ""


# Makes a text, its parts and its right answers; for a crystal, if one is given.
_Maker = Callable[[Draw, int | None], tuple[str, list[_Item], np.ndarray] | None]


class ConceptPhrases:
    """
    A maker of phrases about the crystals of a table.

    Args:
        vocabulary: The concepts and their wordings.
        table: The crystals.
        held_out: Use the held-out wordings only, to test what was learnt. Otherwise they occur in no phrase.
        forms: Relative shares of the forms of phrases. Default: `FORMS`.

    Examples:
        >>> import random
        >>> phrases = ConceptPhrases(load_vocabulary(), FactTable.bundled())
        >>> phrase = phrases.draw(random.Random(0))
        >>> phrase.text, int((phrase.holds == 1).sum())

    Raises:
        ValueError: If no concept has both a wording to use and a crystal that meets it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        table: FactTable,
        held_out: bool = False,
        forms: Mapping[str, float] | None = None,
    ):
        self.vocabulary, self.table, self.held_out = vocabulary, table, held_out
        values = vocabulary.evaluate(table)
        # What holds partly is neither right nor wrong.
        partly = (values > 0) & (values < 1)
        self._values = {
            concept_id: np.where(partly[row], np.float32(np.nan), values[row])
            for concept_id, row in vocabulary.rows.items()
        }
        self._wordings = {
            concept_id: wordings
            for concept_id in vocabulary.concepts
            if (wordings := vocabulary.wordings(concept_id, held_out))
        }
        self._ids = [concept_id for concept_id in self._wordings if (self._values[concept_id] == 1).any()]
        if not self._ids:
            raise ValueError("no concept has both a wording to use and a crystal that meets it")
        self._holding = np.stack([self._values[concept_id] == 1 for concept_id in self._ids])
        self._failing = np.stack([self._values[concept_id] == 0 for concept_id in self._ids])
        counts = self._holding.sum(axis=1)
        kinds = [vocabulary[concept_id].kind for concept_id in self._ids]
        numbers = {kind: kinds.count(kind) for kind in set(kinds)}
        # Uniform over the concepts of a kind, and the share of a kind grows with the square root of their number.
        weights = np.array([_KIND_WEIGHTS[kind] / numbers[kind] ** 0.5 for kind in kinds])
        self._cumulative = np.cumsum(weights) / weights.sum()
        # Among the concepts of one crystal, rare ones say more.
        self._rarity = weights / counts**0.5
        # Excluding what nearly all or hardly any crystals are says little.
        share = counts / len(table)
        self._exclusion = np.where(share < 0.6, weights * share**0.5, 0.0)
        chosen = dict(FORMS if forms is None else forms)
        self._forms = list(chosen)
        self._form_cumulative = np.cumsum(list(chosen.values())) / sum(chosen.values())
        self._numbers = NumberPhrases(table)
        self._kept_out = HeldOutWordings(vocabulary)
        self._compositions = CompositionPhrases(table)
        self._makers: dict[str, _Maker] = {
            "concept": self._concept,
            "conjunction": self._conjunction,
            "number": self._number,
            "negation": self._negation,
            "union": self._union,
            **{form: self._composition(form) for form in COMPOSITION_FORMS},
        }

    def draw(self, rng: Random) -> Phrase:
        """
        Draw a phrase that is right for at least one crystal.

        Args:
            rng: Source of random numbers.
        """
        return self._draw(rng, None)

    def draw_for(self, rng: Random, crystal: int) -> Phrase:
        """
        Draw a phrase that is right for a crystal.

        Args:
            rng: Source of random numbers.
            crystal: Row of the crystal in the table.

        Raises:
            ValueError: If nothing is known of the crystal.
        """
        return self._draw(rng, crystal)

    def opposite(self, rng: Random, phrase: Phrase) -> Phrase | None:
        """
        Draw a phrase of the other pole: one about soft crystals for one about stiff ones.

        Args:
            rng: Source of random numbers.
            phrase: A phrase of this maker.

        Returns:
            The phrase; `None` if the phrase is not of a single concept with an opposite.
        """
        other = self.vocabulary[phrase.concepts[0]].opposite if len(phrase.concepts) == 1 else None
        if phrase.form != "concept" or other not in self._wordings:
            return None
        for _ in range(_TRIES):
            item = self._item(other, rng.random)
            text = compose([item.piece], rng.random)
            if not self._leaks(text, [item]):
                return Phrase(text, item.holds, (other,))
        return None

    def phrases_of(self, concept_id: str, rng: Random, count: int = 1) -> list[Phrase]:
        """
        Draw phrases of one concept.

        Args:
            concept_id: Id of the concept.
            rng: Source of random numbers.
            count: Number of phrases.

        Returns:
            The phrases; fewer than `count` if the concept has too few wordings to use.
        """
        found: list[Phrase] = []
        for _ in range(_TRIES * count if concept_id in self._wordings else 0):
            item = self._item(concept_id, rng.random)
            text = compose([item.piece], rng.random)
            if not self._leaks(text, [item]):
                found.append(Phrase(text, item.holds, (concept_id,)))
            if len(found) == count:
                break
        return found

    def _draw(self, rng: Random, crystal: int | None) -> Phrase:
        draw = rng.random
        for _ in range(_TRIES):
            form = self._forms[int(np.searchsorted(self._form_cumulative, draw(), side="right"))]
            made = self._makers[form](draw, crystal)
            if made is None:
                continue
            text, items, holds = made
            if not ((holds == 1).any() if crystal is None else holds[crystal] == 1) or self._leaks(text, items):
                continue
            concepts = tuple(item.concept for item in items if item.concept is not None)
            return Phrase(text, holds.astype(np.float32, copy=False), concepts, form)
        raise ValueError(f"no phrase is right for crystal {crystal} of the table: too little is known of it")

    # -------------------- choices
    def _any_concept(self, draw: Draw) -> int:
        return int(np.searchsorted(self._cumulative, draw(), side="right"))

    def _crystal(self, draw: Draw) -> int:
        """A crystal that meets a drawn concept, so that rare kinds of crystals are as frequent as common ones."""
        rows = np.flatnonzero(self._holding[self._any_concept(draw)])
        return int(rows[int(draw() * len(rows))])

    def _concept_of(self, crystal: int, draw: Draw, not_with: Sequence[str] = ()) -> str | None:
        """A concept that holds for a crystal and says something that the given concepts do not."""
        rows = np.flatnonzero(self._holding[:, crystal])
        if not len(rows):
            return None
        cumulative = np.cumsum(self._rarity[rows])
        for _ in range(4):
            place = int(np.searchsorted(cumulative, draw() * cumulative[-1], side="right"))
            concept_id = self._ids[int(rows[min(place, len(rows) - 1)])]
            if not any(self._related(concept_id, other) for other in not_with):
                return concept_id
        return None

    def _related(self, one: str, other: str) -> bool:
        kinds = {self.vocabulary[one].kind, self.vocabulary[other].kind}
        same = len(kinds) == 1 and bool(kinds & _EXCLUSIVE)
        return same or one == other or one in self._wider[other] or other in self._wider[one]

    @cached_property
    def _wider(self) -> dict[str, frozenset[str]]:
        return {concept_id: self.vocabulary.wider(concept_id) for concept_id in self._ids}

    def _item(self, concept_id: str, draw: Draw) -> _Item:
        wording = pick(self._wordings[concept_id], draw)
        kind = self.vocabulary[concept_id].kind
        return _Item(Piece(wording, part_of_speech(wording, kind), kind), self._values[concept_id], concept_id, wording)

    # -------------------- forms
    def _concept(self, draw: Draw, crystal: int | None) -> tuple[str, list[_Item], np.ndarray] | None:
        concept_id = self._ids[self._any_concept(draw)] if crystal is None else self._concept_of(crystal, draw)
        if concept_id is None:
            return None
        item = self._item(concept_id, draw)
        return compose([item.piece], draw), [item], item.holds

    def _conjunction(self, draw: Draw, crystal: int | None) -> tuple[str, list[_Item], np.ndarray] | None:
        row = self._crystal(draw) if crystal is None else crystal
        items: list[_Item] = []
        for _ in range(2 if draw() < 0.65 else 3):
            used = [item.concept for item in items if item.concept]
            concept_id = self._concept_of(row, draw, used)
            number = self._numbers.draw(draw, row) if draw() < 0.12 else None
            if number is not None:
                items.append(_Item(number.piece, number.holds))
            elif concept_id is not None:
                items.append(self._item(concept_id, draw))
        return self._together(items, draw) if len(items) > 1 else None

    def _together(self, items: list[_Item], draw: Draw) -> tuple[str, list[_Item], np.ndarray]:
        return compose([item.piece for item in items], draw), items, both(item.holds for item in items)

    def _number(self, draw: Draw, crystal: int | None) -> tuple[str, list[_Item], np.ndarray] | None:
        number = self._numbers.draw(draw, crystal)
        if number is None:
            return None
        item = _Item(number.piece, number.holds)
        if draw() < 0.5:
            return compose([item.piece], draw), [item], item.holds
        row = crystal
        if row is None:
            right = np.flatnonzero(item.holds == 1)
            if not len(right):
                return None
            row = int(right[int(draw() * len(right))])
        concept_id = self._concept_of(row, draw)
        return None if concept_id is None else self._together([self._item(concept_id, draw), item], draw)

    def _negation(self, draw: Draw, crystal: int | None) -> tuple[str, list[_Item], np.ndarray] | None:
        row = self._crystal(draw) if crystal is None else crystal
        weights = self._exclusion * self._failing[:, row]
        items: list[_Item] = []
        if draw() < 0.75:
            concept_id = self._concept_of(row, draw)
            if concept_id is not None:
                items.append(self._item(concept_id, draw))
                # Something that part of these crystals have, so that the exclusion says something.
                rows = np.flatnonzero(items[0].holds == 1)
                sample = rows[(np.arange(64) * len(rows) // 64)] if len(rows) > 64 else rows
                weights = weights * np.sqrt(self._holding[:, sample].mean(axis=1))
        total = weights.sum()
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(weights), draw() * total, side="right"))
        item = self._item(self._ids[min(place, len(self._ids) - 1)], draw)
        if not can_be_excluded(item.piece):
            return None
        items.append(_Item(excluded(item.piece, draw), negated(item.holds), item.concept, item.wording))
        return self._together(items, draw)

    def _union(self, draw: Draw, crystal: int | None) -> tuple[str, list[_Item], np.ndarray] | None:
        """Alternatives of one kind: "sulfides or selenides"."""
        first = self._ids[self._any_concept(draw)] if crystal is None else self._concept_of(crystal, draw)
        if first is None:
            return None
        kind = self.vocabulary[first].kind
        others = [other for other in self._by_kind[kind] if not self._same_or_wider(first, other)]
        if not others or kind == "space-group":
            return None
        items = [self._item(first, draw), self._item(pick(others, draw), draw)]
        if items[0].piece.part != items[1].piece.part:
            return None
        if draw() < 0.5:
            items.reverse()
        joined = pick(("{} or {}", "{} or {}", "{}/{}", "{} / {}"), draw)
        piece = Piece(joined.format(items[0].piece.text, items[1].piece.text), items[0].piece.part, kind)
        return compose([piece], draw), items, either(item.holds for item in items)

    def _same_or_wider(self, one: str, other: str) -> bool:
        return one == other or one in self._wider[other] or other in self._wider[one]

    @cached_property
    def _by_kind(self) -> dict[str, tuple[str, ...]]:
        kinds: dict[str, list[str]] = {}
        for concept_id in self._ids:
            kinds.setdefault(self.vocabulary[concept_id].kind, []).append(concept_id)
        return {kind: tuple(ids) for kind, ids in kinds.items()}

    def _composition(self, form: str) -> _Maker:
        def make(draw: Draw, crystal: int | None) -> tuple[str, list[_Item], np.ndarray] | None:
            made = self._compositions.draw(form, draw, self._crystal(draw) if crystal is None else crystal)
            if made is None:
                return None
            text, holds = made
            return text, [_Item(Piece(text, AFTER), holds)], holds

        return make

    def _leaks(self, text: str, items: Sequence[_Item]) -> bool:
        """Whether a held-out wording came about in a phrase of training, as that of `hard` and `material`."""
        return not self.held_out and self._kept_out.occurs_in(text, [item.wording for item in items])


__all__ = ["FORMS", "ConceptPhrases", "Phrase", "Random"]
