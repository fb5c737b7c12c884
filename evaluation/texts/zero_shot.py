"""Zero-shot classification of crystals by the names and wordings of concepts of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from datasets_scripts.multiple_choice.concept_classes import class_ids, single_labels
from evaluation.metrics.intervals import mean_interval
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.inference.embedder import ClacEmbedder

TASKS = {
    "crystal_system": "crystal system",
    "layered": "layered or three-dimensional",
    "oxyanion": "class of the oxyanion",
}


def classes_of(task: str, vocabulary: Vocabulary, table: FactTable, min_right: int = 5) -> list[str]:
    """
    Choose the concepts between which a task decides.

    Args:
        task: Key of `TASKS`.
        vocabulary: The vocabulary.
        table: Facts of the crystals.
        min_right: Least number of crystals of an oxyanion.

    Returns:
        Ids of concepts; fewer than two if the vocabulary has none.
    """
    ids = class_ids(task, vocabulary)
    if task == "layered":
        return ids
    least = min_right if task == "oxyanion" else 1
    return [own for own in ids if (vocabulary.holds(own, table) == 1).sum() >= least]


def label_embeds(embedder: ClacEmbedder, classes: Sequence[str], vocabulary: Vocabulary, held_out: bool) -> np.ndarray:
    """
    Embed the labels: the name of each concept, or the mean over its held-out wordings (the name if it has none).

    Args:
        embedder: Embedder of a checkpoint.
        classes: Ids of the concepts.
        vocabulary: The vocabulary.
        held_out: Whether to use the held-out wordings.

    Returns:
        Unit vectors `(len(classes), dim)`.
    """
    means = []
    for own in classes:
        texts = list(vocabulary.wordings(own, held_out=True)) if held_out else []
        mean = embedder.encode_text(texts or [vocabulary[own].name]).mean(axis=0)
        means.append(mean / np.linalg.norm(mean))
    return np.stack(means)


def classify(
    embedder: ClacEmbedder, crystals: np.ndarray, table: FactTable, vocabulary: Vocabulary, seed: int = 0
) -> dict[str, Any]:
    """
    Classify the crystals of a pool zero-shot, by names and by held-out wordings.

    Args:
        embedder: Embedder of a checkpoint.
        crystals: Embeddings of the crystals, `(n, dim)`.
        table: Their facts.
        vocabulary: The vocabulary.
        seed: Seed of the bootstrap.

    Returns:
        By task: the `classes` with their numbers of crystals, and for `name` and `held_out_wordings` the `accuracy`,
        its 95 % `interval`, and the `balanced_accuracy` (mean over the classes). Tasks of which the vocabulary has
        fewer than two classes are left out.
    """
    found: dict[str, Any] = {}
    for task in TASKS:
        classes = classes_of(task, vocabulary, table)
        if len(classes) < 2:
            continue
        labels = single_labels(classes, vocabulary, table)
        rows = np.flatnonzero(labels >= 0)
        counts = np.bincount(labels[rows], minlength=len(classes))
        found[task] = {"classes": dict(zip(classes, counts.tolist(), strict=True))}
        for way, held_out in (("name", False), ("held_out_wordings", True)):
            own = label_embeds(embedder, classes, vocabulary, held_out)
            correct = (crystals[rows] @ own.T).argmax(axis=1) == labels[rows]
            by_class = [correct[labels[rows] == place].mean() for place in np.flatnonzero(counts)]
            found[task][way] = {
                "accuracy": float(correct.mean()),
                "interval": mean_interval(correct.astype(float), seed=seed),
                "balanced_accuracy": float(np.mean(by_class)),
            }
    return found


__all__ = ["TASKS", "classes_of", "classify", "label_embeds"]
