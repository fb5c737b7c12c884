"""Evaluations of probabilities, of notes on far inputs, and of prediction intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.calibration import CalibrationArguments, written_phrases
from evaluation.calibration import run as run_calibration
from evaluation.coverage import CoverageArguments
from evaluation.coverage import run as run_coverage
from evaluation.domain import LABELS, far_crystals, share
from evaluation.metrics.calibration import reliability
from modeling_clac import ClacForGraphRegression, ClacInputError
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.conformal import UNCERTAINTY_FILE, ValidationPredictions
from modeling_clac.inference.domain import CrystalDomain
from modeling_clac.structures_clac import parse_structure
from modeling_clac.utils.arguments import read_yaml
from tests.conftest import ROOT
from train.calibration.pairs import labelled_phrases

RESULTS = ROOT / "evaluation" / "results"


def test_calibrated_probabilities_are_reliable():
    generator = np.random.default_rng(0)
    predicted = generator.random(40_000)
    right = generator.random(40_000) < predicted
    groups = generator.integers(0, 200, 40_000)
    found = reliability(predicted, right, groups, 50, 0)
    assert found["ece"] < 0.015
    assert found["brier"] == pytest.approx(1 / 6, abs=0.01)  # the mean of p·(1 - p)
    assert found["intervals"]["brier"][0] < found["brier"] < found["intervals"]["brier"][1]
    assert sum(entry["count"] for entry in found["bins"]) == 40_000
    assert all(entry["low"] <= entry["right"] <= entry["high"] for entry in found["bins"])


def test_wrong_probabilities_are_seen():
    predicted, right = np.full(1000, 0.9), np.arange(1000) % 2 == 0
    found = reliability(predicted, right, np.arange(1000) % 10, 20, 0)
    assert found["ece"] == pytest.approx(0.4)
    assert found["brier_skill"] == pytest.approx(1 - (0.01 + 0.81) / 2 / 0.25)


def test_generated_phrases_are_labelled_by_their_conditions(records: list[dict[str, Any]]):
    phrases = labelled_phrases(FactTable.bundled("validation").take(range(80)), 60, 0)
    assert len(set(phrases.texts)) == len(phrases.texts) > 40
    assert phrases.right.shape == phrases.decided.shape == (len(phrases.texts), 80)
    # Each phrase describes one of these crystals.
    assert (phrases.right & phrases.decided).any(axis=1).all()
    assert 0.0 < phrases.prevalence < 0.3
    oxygen = np.array(["O" in record["elements"] for record in records[:80]])
    written = written_phrases("development", records[:80])
    row = written.texts.index("oxide")
    assert (written.right[row] == oxygen).all() and written.decided[row].all()


def test_far_crystals_are_structures(records: list[dict[str, Any]]):
    kinds = far_crystals([record["cif"] for record in records if record["nsites"] < 10][:4], 0)
    assert set(kinds) <= set(LABELS)
    for structures in kinds.values():
        assert len(parse_structure(structures[0])) > 0


def test_share_has_the_wilson_interval():
    # Wilson (1927) for 8 of 10, as in statsmodels `proportion_confint(8, 10, method="wilson")`.
    found = share([True] * 8 + [False] * 2)
    assert found["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert share([True] * 5)["interval"][1] == pytest.approx(1.0)


def test_lists_of_far_texts_do_not_overlap():
    lists = read_yaml(ROOT / "evaluation" / "queries" / "far.yaml")
    texts = [str(text) for split in lists.values() for own in split.values() for text in own]
    assert len(set(texts)) == len(texts) >= 150


def test_coverage_of_a_run(small_checkpoint: Path, records: list[dict[str, Any]], tmp_path: Path):
    run = tmp_path / "run"
    recipe = {"dataset": "mp-crystals", "target": "bulk_modulus_vrh", "target_unit": "GPa"}
    generator = np.random.default_rng(0)
    gold = generator.normal(100.0, 60.0, 99)
    for seed in range(2):
        directory = run / f"seed-{seed}"
        ClacForGraphRegression.from_pretrained(small_checkpoint, target_mean=100.0).save_pretrained(directory)
        errors = np.full(99, 1e4) + generator.random(99)
        content = ValidationPredictions(
            tuple(map(str, range(99))), gold, gold + errors, CrystalDomain({"O": 9}, (0.0, 2.0))
        )
        fingerprint = resolve_checkpoint(directory).fingerprint
        (directory / UNCERTAINTY_FILE).write_text(json.dumps(content.to_json(fingerprint)))
    (run / "results.json").write_text(json.dumps({"recipe": recipe, "seeds": [0, 1], "commit": "0"}))
    result = run_coverage(CoverageArguments([str(run)], str(tmp_path / "result.json")))
    (found,) = result["runs"]
    assert (found["num_validation"], found["num_test"]) == (99, 201)
    assert list(found["predictors"]) == ["seed 0", "seed 1", "ensemble"]
    # The errors on validation are larger than any on test.
    assert all(level["covered"] == 1.0 for level in found["predictors"]["seed 0"]["levels"])
    assert {"table.md", "coverage.png", "coverage.svg", "result.json"} <= {path.name for path in tmp_path.iterdir()}
    (run / "seed-1" / UNCERTAINTY_FILE).unlink()
    with pytest.raises(ClacInputError, match="no interval is known"):
        run_coverage(CoverageArguments([str(run)]))
    with pytest.raises(ClacInputError, match="no run of train"):
        run_coverage(CoverageArguments([str(tmp_path)]))


def test_probabilities_need_a_calibration(small_checkpoint: Path):
    with pytest.raises(ClacInputError, match="no calibration"):
        run_calibration(CalibrationArguments(str(small_checkpoint)))
    with pytest.raises(ClacInputError, match="choose validation or test"):
        run_calibration(CalibrationArguments(split="train"))
