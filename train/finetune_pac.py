"""
Fine-tunes a text tower for classes of texts, such as abstracts of papers.

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
    """Arguments of fine-tuning for classes of texts."""

    text_column: str = field(default="text", metadata={"help": "Column of the texts."})


@dataclass
class ClassifiedTexts:
    """
    Attributes:
        classes: names by number. splits: (text, number of its class). empty: rows without text, which are left out.
    """

    classes: list[str]
    splits: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    empty: int = 0


def read_classified_texts(path: str, text_column: str = "text", limit: int = 0) -> ClassifiedTexts:
    """
    Reads a data set with a column of texts and the column `label` (ClassLabel or text).

    Args:
        path: a directory or Hub id. limit: take so many texts of each split; 0: all.

    Raises:
        ClacInputError: a split or column is missing, the classes differ between the splits or are out of range, or
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
                raise ClacInputError(f"{where}: {text_column} is {text!r}, not text")
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
        raise ClacInputError(f"{path}: train has texts of one class only; give it two or more")
    return found


def class_scores(gold: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """`(n,)`, `(n,)` numbers of classes -> `accuracy` and `macro_f1`."""
    return {
        "accuracy": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
    }


def bag_of_words_scores(
    data: ClassifiedTexts, learnt: Sequence[str] = ("train",), scored: Sequence[str] = HELD_OUT
) -> dict[str, dict[str, float]]:
    """
    Scores of TF-IDF (1-2 grams) with logistic regression (C = 10).

    Args:
        learnt: splits that it is trained on, together. scored: splits that it is scored on.

    Raises:
        ClacInputError: there are no words to learn from.
    """
    texts, labels = zip(*(row for split in learnt for row in data.splits[split]), strict=True)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000))
    try:
        model.fit(texts, labels)
    except ValueError as error:
        raise ClacInputError(f"{' and '.join(learnt)}: {error}; give texts with words in them") from None
    found = {}
    for split in scored:
        texts, labels = zip(*data.splits[split], strict=True)
        found[split] = class_scores(np.array(labels), model.predict(texts))
    return found


def make_task(arguments: PacArguments) -> Task:
    """
    Raises:
        ClacInputError: the data or the model cannot be used.
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
    """Fine-tunes every seed, see [`finetune`]."""
    return finetune(arguments, make_task)


if __name__ == "__main__":
    run_script(PacArguments, run)
