"""Cross-validation of text classifiers: folds, unused test split, TF-IDF baseline on the same folds, and resuming."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from evaluation import cross_validation
from evaluation.cross_validation import RESULT, CrossValidationArguments, fold_rows
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import ROOT
from tests.helpers.finetune_data import class_rows, class_set

FAST = {"learning_rate": 5e-3, "head_learning_rate": 2e-2, "batch_size": 8, "dropout": 0.0}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 2), max_size=60), st.integers(3, 6), st.integers(0, 3))
def test_every_row_is_held_out_once(more: list[int], folds: int, seed: int) -> None:
    labels = [*range(3), *more] + [0, 1, 2] * folds
    parts = list(fold_rows(labels, folds, seed))
    assert len(parts) == folds
    assert sorted(np.concatenate([part["test"] for part in parts]).tolist()) == list(range(len(labels)))
    whole = Counter(labels)
    for part in parts:
        rows = np.concatenate([part["train"], part["validation"], part["test"]])
        assert sorted(rows.tolist()) == list(range(len(labels)))
        held = Counter(labels[row] for row in part["test"])
        assert all(abs(held[label] - number / folds) < 1 for label, number in whole.items())


def test_too_rare_class_is_an_error() -> None:
    with pytest.raises(ClacInputError, match="label 1: 2 texts are too few for folds=3"):
        next(fold_rows([0] * 9 + [1] * 2, 3, 0))


@pytest.mark.parametrize(
    ("change", "reason"), [({"folds": 2}, "folds=2: expected 3 or more"), ({"push_to_hub": "me/it"}, "push_to_hub")]
)
def test_wrong_arguments(change, reason) -> None:
    with pytest.raises(ClacInputError, match=reason):
        CrossValidationArguments("out", "data", **change)


def test_folds(bert_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The test split has a single text with a wrong label, which must have no effect.
    data = class_set(tmp_path, test=[{**class_rows(1, 9)[0], "label": 1}])
    output = tmp_path / "folds"
    monkeypatch.setattr("sys.argv", ["cross_validation"])
    arguments = CrossValidationArguments(
        str(output), str(data), str(bert_directory), seeds=[0], num_epochs=6, folds=4, name="tiny", **FAST
    )
    result = cross_validation.run(arguments)
    assert json.loads((output / RESULT).read_text()) == result
    assert [fold["texts"] for fold in result["folds"]] == [11] * 4 and result["encoder"] == "tiny"
    rows = [row for split in ("train", "validation") for row in load_dataset(str(data))[split]]
    scores = [fold["encoder"]["accuracy"] for fold in result["folds"]]
    assert result["mean"]["encoder"]["accuracy"] == pytest.approx(statistics.fmean(scores)) and min(scores) > 0.8
    for fold, part in zip(result["folds"], fold_rows([row["label"] for row in rows], 4, 0), strict=True):
        train = [rows[row] for split in ("train", "validation") for row in part[split]]
        test = [rows[row] for row in part["test"]]
        bag = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000))
        bag.fit([row["text"] for row in train], [row["label"] for row in train])
        right = bag.predict([row["text"] for row in test]) == np.array([row["label"] for row in test])
        assert fold["baseline"]["accuracy"] == pytest.approx(right.mean())
    apart = [fold["encoder"]["accuracy"] - fold["baseline"]["accuracy"] for fold in result["folds"]]
    assert result["difference"]["accuracy"]["mean"] == pytest.approx(statistics.fmean(apart))
    assert result["difference"]["accuracy"]["standard_error"] == pytest.approx(statistics.stdev(apart) / 2)
    with pytest.raises(ClacInputError, match="already holds a run"):
        cross_validation.run(arguments)
    arguments.resume = True
    assert cross_validation.run(arguments)["folds"] == result["folds"]


def test_missing_label_is_an_error(bert_directory: Path, tmp_path: Path) -> None:
    rows = class_rows(12, 1)
    rows[3]["label"] = None
    arguments = CrossValidationArguments(
        str(tmp_path / "folds"), str(class_set(tmp_path, validation=rows)), str(bert_directory)
    )
    with pytest.raises(ClacInputError, match="validation, row 4: label None is out of range"):
        cross_validation.run(arguments)
    assert not (tmp_path / "folds").exists()


def test_limit(bert_directory: Path, tmp_path: Path) -> None:
    data, output = class_set(tmp_path), tmp_path / "folds"
    arguments = CrossValidationArguments(
        str(output), str(data), str(bert_directory), seeds=[0], num_epochs=1, folds=3, limit=6, **FAST
    )
    assert [fold["texts"] for fold in cross_validation.run(arguments)["folds"]] == [4, 4, 4]


def test_pac_recipes_can_be_cross_validated() -> None:
    for recipe in sorted((ROOT / "train" / "recipes").glob("pac-*.yaml")):
        assert parse_arguments(CrossValidationArguments, [str(recipe)]).folds == 5
