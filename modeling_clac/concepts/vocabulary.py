"""
The vocabulary of the field: each concept once, with its test on facts and its wordings.

The concepts are in the YAML files of the folder `vocabulary`; a user's own file has the same form. Everything that
speaks of kinds of crystals reads them here: searches, search phrases and their right answers in training, zero-shot
labels and explanations of hits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from ..errors_clac import ClacInputError
from .concept_files import Concept, read_concepts
from .expressions import Expression
from .fact_functions import Scope
from .logic import Array, either
from .spelling import key

if TYPE_CHECKING:
    from ..data.facts.fact_table import FactTable

FOLDER = Path(__file__).parent / "vocabulary"
# One wording in five is held out.
_HELD_OUT_SHARE = 5
# Bytes of the values of concepts that are kept for a table, one for each crystal.
_KEPT = 1 << 26

# What the sentences of `modeling_clac.narrator` say of many crystals, {} with the words of an id.
_SAID_OF_IDS = (
    "{}", "contains {}", "with {}", "compound of {}", "{}-containing", "{} crystal", "{} phase", "{} structure",
    "{} symmetry", "{} lattice", "{} space group",
)  # fmt: skip
_SAID = frozenset(
    map(
        key,
        (
            "on the hull", "stable phase", "stable against decomposition", "nearly stable", "metastable phase",
            "thermodynamically stable", "thermodynamically unstable", "high-density", "low-density", "low density",
            "high density", "wide-gap semiconductor", "medium-gap semiconductor", "narrow-gap semiconductor",
            "ultrawide-gap insulator", "low permittivity", "high permittivity", "low dielectric constant",
            "high dielectric constant", "low refractive index", "high refractive index", "low Poisson ratio",
            "high Poisson ratio", "strong piezoelectric response", "weak piezoelectric response",
            "binary compound", "catalyst",
        ),
    )
)  # fmt: skip


def is_held_out(concept_id: str, wording: str) -> bool:
    """
    Whether a wording is kept out of all training texts, so that it tests whether the meaning was learnt.

    One in five is, chosen by a hash of the id and of the key of the wording: plurals and hyphens do not change it. What
    narratives say word for word is never held out: the words of the id, symbols of space groups, "stable phase".

    Args:
        concept_id: Id of the concept.
        wording: One of its wordings.
    """
    spelled = key(wording)
    if spelled in _SAID or spelled in _said_of(concept_id) or concept_id.startswith("space-group-"):
        return False
    return blake2b(f"{concept_id}|{spelled}".encode(), digest_size=4).digest()[0] % _HELD_OUT_SHARE == 0


# Bundled concepts are the same objects in all vocabularies of a process.
@lru_cache(maxsize=1 << 13)
def wordings_of(concept: Concept, held_out: bool) -> tuple[str, ...]:
    """Return the wordings of a concept that are held out from training, or the others."""
    return tuple(wording for wording in concept.wordings if is_held_out(concept.id, wording) == held_out)


@lru_cache(maxsize=1 << 14)
def _said_of(concept_id: str) -> frozenset[str]:
    return frozenset(key(form.format(concept_id)) for form in _SAID_OF_IDS)


class Vocabulary:
    """
    Concepts by id, with their values on tables of facts.

    Args:
        concepts: The concepts.

    Attributes:
        concepts: Concept by id, in the order of the files.

    Raises:
        ClacInputError: If an id occurs twice, or a concept refers to one that does not exist.
    """

    def __init__(self, concepts: Iterable[Concept]):
        self.concepts: dict[str, Concept] = {}
        for concept in concepts:
            other = self.concepts.setdefault(concept.id, concept)
            if other is not concept:
                raise ClacInputError(f"{concept.place}: duplicate id (first in {other.file}); choose another one")
        for concept in self.concepts.values():
            for name, ids in (("implies", concept.implies), ("opposite", (concept.opposite,))):
                for other_id in filter(None, ids):
                    if other_id not in self.concepts:
                        raise ClacInputError(f"{concept.place}: {name}: no concept has the id {other_id}")
        # Values of calls and concepts by table.
        self._values: WeakKeyDictionary[FactTable, dict[tuple[str, ...], Array]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self.concepts)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self.concepts.values())

    def __getitem__(self, concept_id: str) -> Concept:
        return self.concepts[concept_id]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each concept in the matrix of `evaluate`."""
        return {concept_id: row for row, concept_id in enumerate(self.concepts)}

    def evaluate(self, table: FactTable) -> Array:
        """
        Evaluate all concepts.

        Args:
            table: A `FactTable` of n crystals.

        Returns:
            `(number of concepts, n)` float32: 1 holds, 0.5 holds partly, 0 does not hold, NaN unknown.

        Raises:
            ClacInputError: If the test of a concept is broken.
        """
        if not self.concepts:
            return np.zeros((0, len(table)), dtype=np.float32)
        return np.stack([self.holds(concept_id, table) for concept_id in self.concepts])

    def holds(self, concept_id: str, table: FactTable) -> Array:
        """
        Evaluate one concept. The values are kept as long as the table is, in up to 64 MB.

        Args:
            concept_id: Id of the concept.
            table: A `FactTable` of n crystals.

        Returns:
            `(n,)` float32: 1 holds, 0.5 holds partly, 0 does not hold, NaN unknown.

        Raises:
            ClacInputError: If the test is broken.
            KeyError: If there is no such concept.
        """
        scope = self._scope(table)
        return scope.truth_of(("concept", concept_id), lambda: _evaluate(self.concepts[concept_id], scope))

    def test(self, expression: Expression, table: FactTable) -> Array:
        """
        Evaluate an expression, which may refer to concepts.

        Args:
            expression: The expression.
            table: A `FactTable` of n crystals.

        Returns:
            `(n,)` float32: 1 holds, 0 does not, NaN unknown, values between them are grades.

        Raises:
            ClacInputError: If the expression is broken or refers to an unknown concept.
        """
        self._check_references(expression)
        return expression.evaluate(self._scope(table))

    def check(self, concepts: Iterable[Concept] | None = None) -> None:
        """
        Read the tests of concepts.

        Args:
            concepts: Concepts of the vocabulary. Default: all.

        Raises:
            ClacInputError: If one is broken, refers to an unknown concept or, through others, to itself.
        """
        finished: set[str] = set()
        for concept in self if concepts is None else concepts:
            for expression in concept.expressions:
                expression.check()
            self._check_circles(concept, (), finished)

    def check_wordings(self, concepts: Iterable[Concept] | None = None) -> None:
        """
        Compare the wordings of concepts with those of all others.

        Args:
            concepts: Concepts of the vocabulary. Default: all.

        Raises:
            ClacInputError: If a concept has a wording twice, or two concepts share one and one of them does not say
                that it is ambiguous.
        """
        for concept in self if concepts is None else concepts:
            concept.check_wordings()
        checked = frozenset(self.concepts if concepts is None else (concept.id for concept in concepts))
        for spelled, owners in self.ids_of_keys.items():
            if len(owners) < 2 or checked.isdisjoint(owners) or all(self[owner].ambiguous for owner in owners):
                continue
            first, second = (self[owner] for owner in sorted(owners, key=lambda owner: owner in checked)[-2:])
            wording = second.wordings[second.keys.index(spelled)]
            raise ClacInputError(
                f"{second.place}: the wording {wording!r} belongs to {first.id} ({first.file}); change one, "
                f"or write `ambiguous:` in both"
            )

    def _check_references(self, expression: Expression) -> None:
        for other in expression.concepts:
            if other not in self.concepts:
                raise ClacInputError(f"{expression.place}: no concept has the id {other}: {expression.text}")

    def _check_circles(self, concept: Concept, above: tuple[str, ...], finished: set[str]) -> None:
        if concept.id in above:
            circle = " → ".join((*above[above.index(concept.id) :], concept.id))
            raise ClacInputError(f"{concept.place}: the test refers to itself: {circle}")
        if concept.id not in finished:
            for expression in concept.expressions:
                self._check_references(expression)
                for other in sorted(expression.concepts):
                    self._check_circles(self.concepts[other], (*above, concept.id), finished)
            finished.add(concept.id)

    def _scope(self, table: FactTable) -> Scope:
        values = self._kept(table)
        # Estimates change numbers only.
        labels = values if table.known is table else self._kept(table.known)
        return Scope(table, lambda other: self.holds(other, table), values, labels)

    def _kept(self, table: FactTable) -> dict[tuple[str, ...], Array]:
        values = self._values.setdefault(table, {})
        while values and len(values) * len(table) > _KEPT:
            # The oldest ones; they are computed again when they are needed.
            values.pop(next(iter(values)))
        return values

    def wordings(self, concept_id: str, held_out: bool | None = None) -> tuple[str, ...]:
        """
        Return the wordings of a concept.

        Args:
            concept_id: Id of the concept.
            held_out: Only those that are held out from training (`True`), only the others (`False`), or all.

        Raises:
            KeyError: If there is no such concept.
        """
        concept = self.concepts[concept_id]
        return concept.wordings if held_out is None else wordings_of(concept, held_out)

    @cached_property
    def ids_of_keys(self) -> dict[str, tuple[str, ...]]:
        """Key of a wording -> ids of the concepts that have it; several only if all of them say that they are."""
        ids: dict[str, list[str]] = {}
        for concept in self:
            for spelled in concept.keys:
                ids.setdefault(spelled, []).append(concept.id)
        return {spelled: tuple(dict.fromkeys(owners)) for spelled, owners in ids.items()}

    def wider(self, concept_id: str) -> frozenset[str]:
        """
        Return the ids of all concepts that a concept implies, directly or through others.

        Args:
            concept_id: Id of the concept.
        """
        found: set[str] = set()
        waiting = list(self.concepts[concept_id].implies)
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting += self.concepts[other].implies
        return frozenset(found)

    def describe(self, table: FactTable, row: int) -> list[Concept]:
        """
        Return the concepts that hold for a crystal, without those that another of them implies.

        Args:
            table: A table of facts.
            row: Row of the crystal.
        """
        values = self.evaluate(table.take([row]))[:, 0]
        holding = [concept for concept, value in zip(self, values, strict=True) if value == 1]
        implied = frozenset[str]().union(*(self.wider(concept.id) for concept in holding))
        return [concept for concept in holding if concept.id not in implied]


def _evaluate(concept: Concept, scope: Scope) -> Array:
    values = concept.test.evaluate(scope)
    if concept.partly is None:
        return values
    return either([values, np.float32(0.5) * concept.partly.evaluate(scope)])


def vocabulary_files() -> list[Path]:
    """List the files of the bundled concepts."""
    return sorted(FOLDER.glob("*.yaml"))


@cache
def _bundled() -> tuple[Concept, ...]:
    return tuple(concept for path in vocabulary_files() for concept in read_concepts(path, check=False))


def load_vocabulary(extra: Sequence[Path] = ()) -> Vocabulary:
    """
    Read the vocabulary.

    Args:
        extra: Concept files of the user, in addition to the bundled ones.

    Returns:
        The vocabulary. Tests of bundled concepts are read when they are evaluated, those of the user at once.

    Raises:
        ClacInputError: If a file is not of the form of a concept file, an id occurs twice, a wording belongs to several
            concepts that do not say that they are ambiguous, or a test of the user is broken.
        OSError: If a file cannot be read.
    """
    own = [concept for path in extra for concept in read_concepts(path)]
    vocabulary = Vocabulary((*_bundled(), *own))
    if own:
        vocabulary.check_wordings(own)
        vocabulary.check(own)
    return vocabulary


__all__ = ["FOLDER", "Vocabulary", "is_held_out", "load_vocabulary", "vocabulary_files", "wordings_of"]
