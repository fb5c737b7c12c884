"""Small data sets for fine-tuning tests, which a small random tower learns within seconds."""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features, List, Value

from modeling_clac.data.bundled import SPLITS

TAGS = ["O", "B-MAT", "I-MAT", "B-VALUE", "I-VALUE"]
CLASSES = ["other", "glass"]


def write_splits(place: Path, splits: dict[str, list[dict[str, Any]]], features: Any) -> Path:
    """
    Write a data set to a new directory.

    Args:
        place: Parent directory.
        splits: Rows by split.
        features: Features of all splits, or by split.

    Returns:
        Directory with a unique name, because `load_dataset` caches by name.
    """
    directory = place / f"set-{uuid.uuid4().hex}"
    directory.mkdir(parents=True)
    for split, rows in splits.items():
        own = features[split] if isinstance(features, dict) and not isinstance(features, Features) else features
        # Not written by `datasets`, which rejects class labels out of range.
        table = pa.Table.from_pylist(rows, schema=own.arrow_schema)
        pq.write_table(table, directory / f"{split}.parquet")
    return directory


def tag_features(tags: list[str] | None = None) -> Features:
    """Return the features of tagged sentences; tags are text if no names are given."""
    tag = ClassLabel(names=tags) if tags else Value("string")
    return Features({"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(tag)})


def tagged_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Return sentences in which words of x, y, z are materials, words of digits are values, and others are neither."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        words, tags = [], []
        for _ in range(draw.randint(2, 5)):
            kind = draw.choice(["O", "MAT", "VALUE"])
            for place in range(draw.randint(1, 2)):
                letters = {"O": "abc", "MAT": "xyz", "VALUE": "123"}[kind]
                words.append("".join(draw.choice(letters) for _ in range(draw.randint(1, 3))))
                tags.append("O" if kind == "O" else f"{'I' if place else 'B'}-{kind}")
            words.append("and")
            tags.append("O")
        rows.append({"id": str(number), "tokens": words, "ner_tags": tags})
    return rows


def numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Convert tags from text to class labels."""
    return [
        {**row, "ner_tags": [TAGS.index(tag) if isinstance(tag, str) else tag for tag in row["ner_tags"]]}
        for row in rows
    ]


def tagged_set(place: Path, named: bool = True, **changed: list[dict[str, Any]]) -> Path:
    """Write 48 / 16 / 16 tagged sentences; `changed` replaces splits."""
    splits = {split: tagged_rows(16 if number else 48, number) for number, split in enumerate(SPLITS)} | changed
    if named:
        splits = {split: numbers(rows) for split, rows in splits.items()}
    return write_splits(place, splits, tag_features(TAGS if named else None))


def class_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Return texts of random words: one class uses the letters x, y, z, the other a, b, c."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        label = number % 2
        words = ["".join(draw.choice("xyz" if label else "abc") for _ in range(7)) for _ in range(draw.randint(1, 6))]
        rows.append({"id": str(number), "text": " ".join(words), "text_masked": "abc " + words[0], "label": label})
    return rows


def class_features(classes: list[str] | None = None) -> Features:
    """Return the features of classified texts; labels are text if no names are given."""
    text = Value("string")
    label = ClassLabel(names=classes) if classes else text
    return Features({"id": text, "text": text, "text_masked": text, "label": label})


def class_set(place: Path, **changed: list[dict[str, Any]]) -> Path:
    """Write 32 / 12 / 12 classified texts; `changed` replaces splits."""
    splits = {split: class_rows(12 if number else 32, number) for number, split in enumerate(SPLITS)} | changed
    return write_splits(place, splits, class_features(CLASSES))
