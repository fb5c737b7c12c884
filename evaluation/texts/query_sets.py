"""
Sets of texts whose right crystals follow from facts: realistic queries, held-out wordings and their conjunctions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from datasets_scripts.common.pool_texts import LabelledText
from modeling_clac.concepts.expressions import Expression
from modeling_clac.concepts.logic import both
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import read_yaml

REALISTIC = Path(__file__).parents[1] / "queries" / "realistic.yaml"
CATEGORIES = {
    "chemistry": "classes by chemistry",
    "structure-types": "structure types",
    "symmetry": "symmetry",
    "numbers": "numbers with units",
    "elements": "elements present and absent",
    "uses": "uses",
    "names": "names",
    "sentences": "long or sloppy sentences",
}
HALVES = ("development", "frozen")


@dataclass(frozen=True)
class RealisticQuery:
    """
    A query as people type it.

    Attributes:
        text: The query.
        category: Key of `CATEGORIES`.
        test: Expression on facts that decides which crystals are right.
        half: `development` or `frozen`.
    """

    text: str
    category: str
    test: Expression
    half: str


def read_realistic_queries(path: Path = REALISTIC) -> list[RealisticQuery]:
    """
    Read the realistic queries. In each category, the half with the smaller hashes of the text is for development.

    Args:
        path: YAML file, a list of entries with `query`, `category` and `test`.

    Raises:
        ClacInputError: If an entry has other keys, an unknown category, a broken test, or a text that occurs twice.
    """
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise ClacInputError(f"{path}: expected a list of queries")
    for place, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or set(entry) != {"query", "category", "test"}:
            raise ClacInputError(f"{path}: entry {place}: expected the keys query, category and test")
        if entry["category"] not in CATEGORIES:
            raise ClacInputError(
                f"{path}: entry {place}: unknown category {entry['category']!r}; choose from {', '.join(CATEGORIES)}"
            )
    texts = [str(entry["query"]) for entry in entries]
    repeated = sorted({text for text in texts if texts.count(text) > 1})
    if repeated:
        raise ClacInputError(f"{path}: the query {repeated[0]!r} occurs twice")
    halves: dict[str, str] = {}
    for category in CATEGORIES:
        own = [text for text, entry in zip(texts, entries, strict=True) if entry["category"] == category]
        halves |= {text: HALVES[2 * place >= len(own)] for place, text in enumerate(sorted(own, key=_hash))}
    queries = [
        RealisticQuery(text, entry["category"], Expression(str(entry["test"]), f"{path.name}: {text}"), halves[text])
        for text, entry in zip(texts, entries, strict=True)
    ]
    for query in queries:
        query.test.check()
    return queries


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def realistic_texts(
    queries: Sequence[RealisticQuery], table: FactTable, vocabulary: Vocabulary, half: str
) -> list[LabelledText]:
    """
    Label the crystals of a table for the realistic queries of a half.

    Args:
        queries: The queries.
        table: Facts of the crystals.
        vocabulary: Evaluates the tests.
        half: `development` or `frozen`.
    """
    return [
        LabelledText(query.text, query.category, vocabulary.test(query.test, table))
        for query in queries
        if query.half == half
    ]


def conjunctions(
    vocabulary: Vocabulary, table: FactTable, number: int, seed: int = 0, min_right: int = 3
) -> Iterator[LabelledText]:
    """
    Join held-out wordings of two or three concepts of different kinds that hold together for enough crystals.

    The concepts of a conjunction are drawn among those that hold for a random crystal, so that they go together.
    Concepts that hold for more than half of the crystals, or imply each other, are not drawn.

    Args:
        vocabulary: The vocabulary.
        table: Facts of the crystals.
        number: Number of conjunctions; half of them join two wordings, the others three.
        seed: Seed of the draw.
        min_right: Least number of crystals for which all concepts hold.

    Yields:
        Texts such as "in the cubic system, salt of phosphoric acid"; the group is the number of wordings.

    Raises:
        ClacInputError: If there are too few combinations.
    """
    generator = np.random.default_rng(seed)
    wordings = {concept.id: vocabulary.wordings(concept.id, held_out=True) for concept in vocabulary}
    truths = {concept.id: vocabulary.holds(concept.id, table) for concept in vocabulary if wordings[concept.id]}
    usable = [own for own, truth in truths.items() if min_right <= (truth == 1).sum() <= len(table) / 2]
    holds = np.array([truths[own] == 1 for own in usable])
    drawn: set[frozenset[str]] = set()
    for _ in range(100 * number):
        if len(drawn) == number or not usable:
            break
        size = 2 + len(drawn) % 2
        candidates = np.flatnonzero(holds[:, generator.integers(len(table))])
        if len(candidates) < size:
            continue
        chosen = [usable[place] for place in generator.choice(candidates, size, replace=False)]
        if len({vocabulary[own].kind for own in chosen}) < size or frozenset(chosen) in drawn:
            continue
        if any(other in vocabulary.wider(own) for own in chosen for other in chosen):
            continue
        truth = np.asarray(both(truths[own] for own in chosen))
        if (truth == 1).sum() < min_right:
            continue
        drawn.add(frozenset(chosen))
        text = ", ".join(str(generator.choice(wordings[own])) for own in chosen)
        yield LabelledText(text, "two" if size == 2 else "three", truth)
    if len(drawn) < number:
        raise ClacInputError(
            f"only {len(drawn)} of {number} conjunctions hold for {min_right} crystals; give a smaller number"
        )


__all__ = [
    "CATEGORIES",
    "HALVES",
    "REALISTIC",
    "RealisticQuery",
    "conjunctions",
    "read_realistic_queries",
    "realistic_texts",
]
