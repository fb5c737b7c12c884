"""Prediction intervals of fine-tuned heads."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac import ClacForGraphClassification, ClacForGraphRegression, ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.conformal import (
    UNCERTAINTY_FILE,
    Intervals,
    ValidationPredictions,
    combined,
    conformal_quantile,
)
from modeling_clac.inference.domain import CrystalDomain
from modeling_clac.inference.predictor import predict_crystals
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line

DOMAIN = CrystalDomain({"Na": 50, "Cl": 50, "Xe": 2}, (0.0, 2.0))


def stored(gold: np.ndarray, predicted: np.ndarray) -> ValidationPredictions:
    return ValidationPredictions(tuple(f"c{row}" for row in range(len(gold))), gold, predicted, DOMAIN)


# ----------------------------------------------------------------------------------------------- the quantile
@given(st.integers(1, 60), st.floats(0.05, 0.95), st.integers(0, 10_000))
def test_the_quantile_is_the_smallest_that_covers(count: int, coverage: float, seed: int):
    residuals = np.random.default_rng(seed).random(count)
    found = conformal_quantile(residuals, coverage)
    # A new residual takes each of the n + 1 ranks with the same probability.
    ranks_covered = (residuals <= found).sum() if np.isfinite(found) else count + 1
    assert ranks_covered / (count + 1) >= coverage - 1e-9
    if np.isfinite(found):
        assert (ranks_covered - 1) / (count + 1) < coverage


@pytest.mark.parametrize("noise", ["normal", "cauchy", "exponential"])
@pytest.mark.parametrize("members", [1, 3])
def test_intervals_cover_exchangeable_crystals(noise: str, members: int):
    generator = np.random.default_rng(0)
    draw = {"normal": generator.normal, "cauchy": generator.standard_cauchy, "exponential": generator.exponential}
    covered = []
    for _ in range(200):
        difficulty = generator.uniform(0.2, 3.0, 160)
        gold = generator.normal(size=160)
        predicted = gold + difficulty * np.stack([draw[noise](size=160) for _ in range(members)])
        own = Intervals([stored(gold[:80], row[:80]) for row in predicted], 0.9)
        center, spread = combined(predicted[:, 80:])
        covered.append(np.abs(gold[80:] - center) <= own.half_widths(spread))
    # 0.9 to 0.9 + 1/81, and the standard error of 200 calibrations.
    assert 0.89 <= np.mean(covered) <= 0.93


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(0.1, 100.0))
def test_intervals_have_the_unit_of_the_property(seed: int, unit: float):
    generator = np.random.default_rng(seed)
    gold, predicted = generator.normal(size=40), generator.normal(size=(2, 40))
    spread = generator.random(7)
    one = Intervals([stored(gold, row) for row in predicted]).half_widths(spread)
    other = Intervals([stored(gold * unit, row * unit) for row in predicted]).half_widths(spread * unit)
    np.testing.assert_allclose(other, one * unit, rtol=1e-9)
    assert (np.diff(one[np.argsort(spread)]) >= 0).all()


def test_impossible_intervals_are_errors():
    gold = np.arange(10.0)
    with pytest.raises(ClacInputError, match="must be between 0 and 1"):
        Intervals([stored(gold, gold)], 1.0)
    with pytest.raises(ClacInputError, match="too high for 10 validation crystals"):
        Intervals([stored(gold, gold)], 0.95)
    with pytest.raises(ClacInputError, match="validated on different crystals"):
        Intervals([stored(gold, gold), stored(gold + 1, gold)], 0.5)


# -------------------------------------------------------------------------------------------- with checkpoints
@pytest.fixture
def heads(small_checkpoint: Path, tmp_path: Path) -> list[Path]:
    """Two heads with random weights and their errors on validation."""
    generator = np.random.default_rng(0)
    gold = generator.normal(100.0, 20.0, 50)
    directories = []
    for seed in range(2):
        torch.manual_seed(seed)
        directory = tmp_path / f"head-{seed}"
        options = {"target_mean": 100.0, "target_std": 50.0, "target_name": "stiffness", "target_unit": "GPa"}
        ClacForGraphRegression.from_pretrained(small_checkpoint, **options).save_pretrained(directory)
        content = stored(gold, gold + generator.normal(0.0, 5.0, 50))
        fingerprint = resolve_checkpoint(directory).fingerprint
        (directory / UNCERTAINTY_FILE).write_text(json.dumps(content.to_json(fingerprint)))
        directories.append(directory)
    return directories


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    file = tmp_path / "salt.cif"
    file.write_text(cif())
    return file


def test_predict_prints_intervals(clac: Run, heads: list[Path], salt: Path, tmp_path: Path):
    member = ValidationPredictions.from_checkpoint(resolve_checkpoint(heads[0]))
    assert member is not None
    value = predict_crystals(heads[0], [salt])[0][0]["value"]
    document = json.loads(clac("predict", salt, "--model", heads[0], "--json").out)
    (entry,) = document["predictions"]
    width = conformal_quantile(np.abs(member.gold - member.predicted), 0.9)
    assert entry["value"] == pytest.approx(value)
    assert (entry["low"], entry["high"]) == (pytest.approx(value - width), pytest.approx(value + width))
    assert (entry["spread"], entry["note"], document["coverage"]) == (None, None, 0.9)
    table = clac("predict", salt, "--model", heads[0], "--coverage", "0.5")
    assert (table.code, table.err) == (0, "")
    assert "50 %" in table.out and "GPa" in table.out
    output = tmp_path / "out.csv"
    assert clac("predict", salt, "--model", heads[0], "-o", output).code == 0
    (row,) = csv.DictReader(output.open())
    assert float(row["low"]) == pytest.approx(entry["low"])


def test_several_models_form_an_ensemble(clac: Run, heads: list[Path], salt: Path):
    values = [predict_crystals(head, [salt])[0][0]["value"] for head in heads]
    result = clac("predict", salt, "--model", heads[0], "--model", heads[1], "--json")
    document = json.loads(result.out)
    (entry,) = document["predictions"]
    assert entry["value"] == pytest.approx(np.mean(values), rel=1e-5)
    assert entry["spread"] == pytest.approx(np.std(values, ddof=1), rel=1e-4)
    assert entry["high"] - entry["value"] == pytest.approx(entry["value"] - entry["low"])
    assert document["model"] == ["head-0", "head-1"]
    assert "spread" in clac("predict", salt, "--model", heads[0], "--model", heads[1]).out


def test_crystals_far_from_training_are_noted(clac: Run, heads: list[Path], salt: Path):
    salt.write_text(cif().replace("Cl", "Xe"))
    result = clac("predict", salt, "--model", heads[0], "--json")
    assert "only 2 training crystals contain Xe" in result.err
    assert "Xe" in json.loads(result.out)["predictions"][0]["note"]


def test_intervals_belong_to_the_weights(clac: Run, heads: list[Path], salt: Path):
    content = json.loads((heads[0] / UNCERTAINTY_FILE).read_text())
    (heads[0] / UNCERTAINTY_FILE).write_text(json.dumps({**content, "fingerprint": "0" * 16}))
    result = clac("predict", salt, "--model", heads[0], "--json")
    assert "no interval is known" in result.err
    assert json.loads(result.out)["predictions"][0]["low"] is None
    (heads[0] / UNCERTAINTY_FILE).write_text(json.dumps({**content, "validation": None}))
    assert_one_line(clac("predict", salt, "--model", heads[0]), "uncertainty.json: damaged")


def test_models_that_do_not_fit_together(
    clac: Run, heads: list[Path], salt: Path, small_checkpoint: Path, tmp_path: Path
):
    other, classifier = tmp_path / "other", tmp_path / "classifier"
    ClacForGraphRegression.from_pretrained(small_checkpoint, target_name="gap", target_unit="eV").save_pretrained(other)
    ClacForGraphClassification.from_pretrained(small_checkpoint, id2label={0: "a", 1: "b"}).save_pretrained(classifier)
    both = ("predict", salt, "--model", heads[0], "--model")
    assert_one_line(clac(*both, other), "predicts gap in eV", "stiffness in GPa")
    assert_one_line(clac(*both, classifier), "a classifier; an ensemble consists of regression heads")
    assert_one_line(clac("predict", salt, "--model", heads[0], "--coverage", "2"), "must be between 0 and 1")
    assert_one_line(clac("predict", salt, "--model", heads[0], "--coverage", "0.99"), "too high for 50")
    assert_one_line(clac("predict", salt, "--model", heads[0], "-o", tmp_path / "x.txt"), "unknown format")
