"""Sentences tagged word by word in the IOB2 scheme: reading, checking, safe repairs and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from modeling_clac.data.bundled import HELD_OUT, SPLITS
from modeling_clac.errors_clac import ClacInputError
from train.finetuning.labelled_data import label_names, load_splits

OUTSIDE = "O"


@dataclass(frozen=True)
class Sentence:
    """
    A tagged sentence.

    Attributes:
        words: Words of the sentence.
        tags: Number of the tag of each word.
    """

    words: list[str]
    tags: list[int]


@dataclass
class TaggedText:
    """
    A data set of tagged sentences.

    Attributes:
        tags: Tag names in the order of their numbers.
        splits: Sentences of each split.
        repaired: Number of `I-` tags that continued no entity and were changed to `B-`.
        empty: Number of sentences without words, which are left out.
    """

    tags: list[str]
    splits: dict[str, list[Sentence]] = field(default_factory=dict)
    repaired: int = 0
    empty: int = 0


def read_tagged_text(path: str, limit: int = 0) -> TaggedText:
    """
    Read a data set with the columns `tokens` (lists of text) and `ner_tags` (lists of ClassLabel or of text).

    Args:
        path: A directory or Hub id.
        limit: Number of sentences to read from each split; 0: all.

    Raises:
        ClacInputError: A split or column is missing; tags differ between the splits, are out of range or not IOB2; or a
            row is invalid.
    """
    splits = load_splits(path, ("tokens", "ner_tags"))
    names = label_names(path, splits, "ner_tags")
    if names is not None:
        tags = names
        _check_scheme(path, tags)
    else:
        tags = _text_tags(path, splits)
    numbers = {tag: number for number, tag in enumerate(tags)}
    found = TaggedText(tags)
    for split in SPLITS:
        found.splits[split] = _read_split(f"{path}: {split}", splits[split], found, numbers, names is not None, limit)
    return found


def _check_scheme(where: str, tags: Sequence[str]) -> None:
    for tag in tags:
        if tag != OUTSIDE and (tag[:2] not in ("B-", "I-") or not tag[2:]):
            raise ClacInputError(f"{where}: tag {tag!r} is not an IOB2 tag; expected O, B-TYPE or I-TYPE")
    unopened = sorted(tag for tag in tags if tag.startswith("I-") and f"B-{tag[2:]}" not in tags)
    if unopened:
        raise ClacInputError(
            f"{where}: tag {', '.join(unopened)} has no B- tag of the same type; add it to the tag set"
        )
    if OUTSIDE not in tags:
        raise ClacInputError(f"{where}: the tag set {', '.join(tags)} has no {OUTSIDE}; add it")


def _text_tags(path: str, splits: DatasetDict) -> list[str]:
    """Collect the tags: O, then B- and I- of every type. All types must occur in train."""
    types: dict[str, set[str]] = {}
    for split in SPLITS:
        used = {tag for tags in splits[split]["ner_tags"] for tag in tags or () if tag is not None}
        # A type with I- tags only is repaired later, sentence by sentence.
        opened = {f"B-{tag[2:]}" for tag in used if tag.startswith("I-")}
        _check_scheme(f"{path}: {split}", sorted(used | opened | {OUTSIDE}))
        types[split] = {tag[2:] for tag in used - {OUTSIDE}}
    for split in HELD_OUT:
        unknown = sorted(types[split] - types["train"])
        if unknown:
            raise ClacInputError(
                f"{path}: tags of {split} do not occur in train: {', '.join(f'B-{name}' for name in unknown)}; "
                "use one tag set in all splits"
            )
    return [OUTSIDE, *(f"{mark}-{name}" for name in sorted(types["train"]) for mark in "BI")]


def _read_split(
    where: str, rows: Dataset, found: TaggedText, numbers: dict[str, int], named: bool, limit: int
) -> list[Sentence]:
    sentences: list[Sentence] = []
    for place, row in enumerate(rows.select_columns(["tokens", "ner_tags"]), start=1):
        words, tags = row["tokens"] or [], row["ner_tags"] or []
        problem = _problem(words, tags, found.tags, named)
        if problem is not None:
            raise ClacInputError(f"{where}, row {place}: {problem}")
        if not any(word.strip() for word in words):
            found.empty += 1
            continue
        own = tags if named else [numbers[tag] for tag in tags]
        sentences.append(Sentence(words, _repair(own, found, numbers)))
        if len(sentences) == limit:
            break
    if not sentences:
        raise ClacInputError(f"{where}: no sentence has a word; add rows with text in `tokens`")
    return sentences


def _problem(words: list[Any], tags: list[Any], names: Sequence[str], named: bool) -> str | None:
    """Return why a row is invalid; `None` if it is valid."""
    if len(words) != len(tags):
        return f"{len(words)} tokens but {len(tags)} tags; give each token one tag"
    for place, (word, tag) in enumerate(zip(words, tags, strict=True), start=1):
        if not isinstance(word, str):
            return f"token {place} is {word!r}, expected text"
        if tag is None:
            return f"token {place} ({word}) has no tag"
        if named and not 0 <= tag < len(names):
            return f"tag {tag} of token {place} ({word}) is out of range; the tags are 0 to {len(names) - 1}"
    return None


def _repair(tags: Sequence[int], found: TaggedText, numbers: dict[str, int]) -> list[int]:
    """Change `I-` to `B-` where it continues no entity of its type, and count the changes in `found`."""
    repaired, before = [], OUTSIDE
    for number in tags:
        tag = found.tags[number]
        if tag.startswith("I-") and before[2:] != tag[2:]:
            tag = f"B-{tag[2:]}"
            found.repaired += 1
        repaired.append(numbers[tag])
        before = tag
    return repaired


def entity_scores(
    gold: list[list[str]], predicted: list[list[str]], ignore_types: Sequence[str] = ()
) -> dict[str, float]:
    """
    Score entities. An entity is correct if its type and both boundaries are (seqeval, strict mode, IOB2).

    Args:
        gold: True tags of the words of each sentence.
        predicted: Predicted tags of the words of each sentence.
        ignore_types: Types that are replaced by O in both.

    Returns:
        `micro_f1`, `macro_f1` (over the types in `gold` or `predicted`), `micro_precision`, `micro_recall`, `accuracy`
        of the tags, and `f1/TYPE` for the types in `gold`.

    Raises:
        ClacInputError: `gold` has no entity to score.
    """
    types = scored_types(gold, ignore_types)
    gold, predicted = _without(gold, ignore_types), _without(predicted, ignore_types)
    report = classification_report(gold, predicted, output_dict=True, mode="strict", scheme=IOB2, zero_division=0)
    right = np.concatenate([np.equal(one, other) for one, other in zip(gold, predicted, strict=True)])
    return {
        "micro_f1": float(report["micro avg"]["f1-score"]),
        "macro_f1": float(report["macro avg"]["f1-score"]),
        "micro_precision": float(report["micro avg"]["precision"]),
        "micro_recall": float(report["micro avg"]["recall"]),
        "accuracy": float(right.mean()),
        **{f"f1/{name}": float(report[name]["f1-score"]) for name in types},
    }


def scored_types(gold: list[list[str]], ignore_types: Sequence[str] = ()) -> list[str]:
    """
    List the types of the entities in `gold` that are scored, sorted.

    Args:
        gold: True tags of the words of each sentence.
        ignore_types: Types that are not scored.

    Raises:
        ClacInputError: There are none.
    """
    types = {tag[2:] for tags in gold for tag in tags if tag != OUTSIDE} - set(ignore_types)
    if not types:
        raise ClacInputError("no entity of a scored type; use more sentences or fewer ignore_types")
    return sorted(types)


def _without(sentences: list[list[str]], ignore_types: Sequence[str]) -> list[list[str]]:
    return [[OUTSIDE if tag[2:] in ignore_types else tag for tag in tags] for tags in sentences]


__all__ = ["OUTSIDE", "Sentence", "TaggedText", "entity_scores", "read_tagged_text", "scored_types"]
