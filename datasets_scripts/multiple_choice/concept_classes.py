"""Classes of crystals that are concepts of the vocabulary: oxyanions, structure types, layered or three-dimensional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from datasets_scripts.multiple_choice.facts import Facts
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.data.facts.fact_table import FactTable

# Two concepts that exclude each other.
LAYERED_OR_NOT = ("layered", "three-dimensional-network")
_KIND_OF_CONCEPTS = {"crystal_system": "crystal-system", "oxyanion": "oxyanion", "structure_type": "structure-type"}
# Kinds of questions whose classes are read from the vocabulary; their labels are the names of the concepts.
CONCEPT_QUESTIONS = ("oxyanion", "structure_type", "layered")


def class_ids(kind: str, vocabulary: Vocabulary) -> list[str]:
    """
    List the concepts that are the classes of a kind of question.

    Args:
        kind: `crystal_system`, `oxyanion`, `structure_type` or `layered`.
        vocabulary: The vocabulary.

    Returns:
        Ids of concepts. Those that others of the kind imply, such as silicate and chain silicate, are left out, since
        two of them would be right.
    """
    if kind == "layered":
        return [own for own in LAYERED_OR_NOT if own in vocabulary.concepts]
    ids = [concept.id for concept in vocabulary if concept.kind == _KIND_OF_CONCEPTS[kind]]
    wider = frozenset[str]().union(*(vocabulary.wider(own) for own in ids))
    return [own for own in ids if own not in wider]


def single_labels(classes: Sequence[str], vocabulary: Vocabulary, table: FactTable) -> np.ndarray:
    """
    Label the crystals for which exactly one of several concepts holds and no other is undecided.

    Args:
        classes: Ids of the concepts.
        vocabulary: The vocabulary.
        table: Facts of the crystals.

    Returns:
        Place of the concept, `(n,)`; -1 for the other crystals.
    """
    truth = np.stack([vocabulary.holds(own, table) for own in classes])
    single = ((truth == 1).sum(axis=0) == 1) & ((truth == 0).sum(axis=0) == len(classes) - 1)
    return np.where(single, truth.argmax(axis=0), -1)


def structure_record(facts: Facts, crystal: Crystal, space_group: float | None) -> dict[str, Any]:
    """
    Compute the columns of a crystal that the tests of `CONCEPT_QUESTIONS` read.

    Args:
        facts: Facts of the crystal.
        crystal: Its structure.
        space_group: Number of its space group; `None` if unknown.
    """
    number = None if space_group is None else int(space_group)
    return {**crystal_facts(crystal, number), "formula": facts.formula, "space_group_number": number}


def with_concepts(crystals: Sequence[Facts], records: Sequence[dict[str, Any]], vocabulary: Vocabulary) -> list[Facts]:
    """
    Add the classes of `CONCEPT_QUESTIONS` to the truths of crystals.

    Args:
        crystals: Facts of the crystals.
        records: Columns of the same crystals, see `structure_record`.
        vocabulary: The vocabulary.
    """
    if not crystals:
        return []
    table = FactTable.from_records(records)
    added: list[dict[str, str]] = [{} for _ in crystals]
    for kind in CONCEPT_QUESTIONS:
        classes = class_ids(kind, vocabulary)
        for truths, place in zip(added, single_labels(classes, vocabulary, table).tolist(), strict=True):
            if place >= 0:
                truths[kind] = vocabulary[classes[place]].name
    return [replace(facts, truths={**facts.truths, **own}) for facts, own in zip(crystals, added, strict=True)]


__all__ = [
    "CONCEPT_QUESTIONS",
    "LAYERED_OR_NOT",
    "class_ids",
    "single_labels",
    "structure_record",
    "with_concepts",
]
