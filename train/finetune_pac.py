"""
Fine-tune a text tower for text classification, such as the classification of abstracts.

    python -m train.finetune_pac train/recipes/pac-glass.yaml --dataset runs/pac-glass-data --output_dir runs/pac-glass
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from modeling_clac import ClacForSequenceClassification
from modeling_clac.data.bundled import HELD_OUT, SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.word_windows import with_special_tokens
from modeling_clac.tokenization_clac import QUANTITY_INPUTS
from modeling_clac.utils.arguments import run_script
from train.finetuning.arguments import TextArguments
from train.finetuning.labelled_data import label_names, load_splits
from train.finetuning.runs import finetune
from train.finetuning.text import load_text_model, load_tokenizer, pad_rows
from train.finetuning.trainer import Task, best_of

BASELINE = "TF-IDF + logistic regression"


@dataclass
class PacArguments(TextArguments):
    """Arguments for text classification."""

    text_column: str = field(default="text", metadata={"help": "Column that holds the texts."})


@dataclass
class ClassifiedTexts:
    """
    A data set of texts with classes.

    Attributes:
        classes: Class names in the order of their numbers.
        splits: Texts of each split with the number of their class.
        empty: Number of rows without text, which are left out.
    """

    classes: list[str]
    splits: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    empty: int = 0


def read_classified_texts(path: str, text_column: str = "text", limit: int = 0) -> ClassifiedTexts:
    """
    Read a data set with a column of texts and the column `label` (ClassLabel or text).

    Args:
        path: A directory or Hub id.
        text_column: Column that holds the texts.
        limit: Number of texts to read from each split; 0: all.

    Raises:
        ClacInputError: A split or column is missing, the classes differ between the splits or are out of range, or
            train has only one class.
    """
    splits = load_splits(path, (text_column, "label"))
    names = label_names(path, splits, "label")
    classes = names if names is not None else sorted({label for label in splits["train"]["label"] if label is not None})
    found = ClassifiedTexts(classes)
    for split in SPLITS:
        rows: list[tuple[str, int]] = []
        for place, row in enumerate(splits[split].select_columns([text_column, "label"]), start=1):
            text, label = row[text_column], row["label"]
            where = f"{path}: {split}, row {place}"
            if text is not None and not isinstance(text, str):
                raise ClacInputError(f"{where}: {text_column} is {text!r}, expected text")
            if names is None:
                if label not in classes:
                    raise ClacInputError(f"{where}: label {label!r} does not occur in train ({', '.join(classes)})")
                label = classes.index(label)
            elif label is None or not 0 <= label < len(classes):
                raise ClacInputError(f"{where}: label {label} is out of range; the labels are 0 to {len(classes) - 1}")
            if not text or not text.strip():
                found.empty += 1
                continue
            rows.append((text, label))
            if len(rows) == limit:
                break
        if not rows:
            raise ClacInputError(f"{path}: {split}: no row has a text in column {text_column!r}")
        found.splits[split] = rows
    if len({label for _, label in found.splits["train"]}) < 2:
        raise ClacInputError(f"{path}: train has texts of only one class; at least two are needed")
    return found


def class_scores(gold: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """
    Compute `accuracy` and `macro_f1`.

    Args:
        gold: True class numbers, `(n,)`.
        predicted: Predicted class numbers, `(n,)`.
    """
    return {
        "accuracy": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
    }


def bag_of_words_scores(
    data: ClassifiedTexts, learnt: Sequence[str] = ("train",), scored: Sequence[str] = HELD_OUT
) -> dict[str, dict[str, float]]:
    """
    Score the baseline: TF-IDF (1-2 grams) with logistic regression (C = 10).

    Args:
        data: The texts.
        learnt: Splits to train on, joined.
        scored: Splits to score on.

    Returns:
        Scores by split, see [`class_scores`].

    Raises:
        ClacInputError: The texts to train on have no words.
    """
    texts, labels = zip(*(row for split in learnt for row in data.splits[split]), strict=True)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000))
    try:
        model.fit(texts, labels)
    except ValueError as error:
        raise ClacInputError(f"{' and '.join(learnt)}: {error}; use texts that contain words") from None
    found = {}
    for split in scored:
        texts, labels = zip(*data.splits[split], strict=True)
        found[split] = class_scores(np.array(labels), model.predict(texts))
    return found


def make_task(arguments: PacArguments) -> Task:
    """
    Read the data and describe the task.

    Raises:
        ClacInputError: The data or the model is invalid.
    """
    data = read_classified_texts(arguments.dataset, arguments.text_column, arguments.limit)
    tokenizer = load_tokenizer(arguments)
    limit = tokenizer.model_max_length - 2
    truncated = 0
    splits: dict[str, list[dict[str, Any]]] = {}
    for split, texts in data.splits.items():
        encoded = tokenizer([text for text, _ in texts], add_special_tokens=False, verbose=False)
        truncated += sum(len(ids) > limit for ids in encoded["input_ids"])
        columns = [name for name in ("input_ids", *QUANTITY_INPUTS) if name in encoded]
        rows = [
            {
                **with_special_tokens(tokenizer, {name: encoded[name][row][:limit] for name in columns}),
                "labels": label,
            }
            for row, (_, label) in enumerate(texts)
        ]
        splits[split] = sorted(rows, key=lambda row: len(row["input_ids"]))
    return Task(
        kind="pac",
        build=lambda: load_text_model(ClacForSequenceClassification, arguments, data.classes),
        processor=tokenizer,
        splits=splits,
        collate=partial(pad_rows, tokenizer),
        lengths=[len(row["input_ids"]) for row in splits["train"]],
        score=lambda _split, logits, labels: class_scores(labels, logits.argmax(axis=-1)),
        choose=lambda metrics: best_of(metrics["accuracy"], metrics["loss"]),
        shown="accuracy",
        counts={
            **{split: len(rows) for split, rows in splits.items()},
            "truncated": truncated,
            "empty": data.empty,
        },
        baselines={BASELINE: bag_of_words_scores(data)},
    )


def run(arguments: PacArguments) -> dict[str, Any]:
    """Fine-tune every seed, see [`finetune`]."""
    return finetune(arguments, make_task)


if __name__ == "__main__":
    run_script(PacArguments, run)
