"""Ablation: comparable recipes, statistics over seeds, reuse of finished runs, and output files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import evaluation.ablation as ablation
from evaluation.ablation import VARIANTS, VARIED, AblationArguments, read_variants, run, summarise
from evaluation.reports.ablation import METRICS, ablation_markdown, variant_cells
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS, ROOT
from train.pretraining.arguments import recipe_of

SMALL: dict[str, Any] = {
    "dataset": str(CRYSTALS),
    "graph_hidden_size": 8,
    "graph_num_interactions": 1,
    "graph_num_radial": 6,
    "graph_cutoff": 4.5,
    "graph_max_neighbors": 8,
    "projection_dim": 16,
    "max_text_tokens": 48,
    "num_epochs": 1,
    "batch_size": 8,
    "limit": 16,
}
DIFFERENT: dict[str, dict[str, Any]] = {
    "inter": {"terms": ["crystal-text", "crystal'-text'"]},
    "full-sigmoid": {"terms": ["crystal-text", "crystal-crystal'", "text-text'"], "loss": "sigmoid"},
}


@pytest.fixture
def recipes(bert_directory: Path, tmp_path: Path) -> Path:
    """Directory with two variants that train quickly."""
    directory = tmp_path / "recipes"
    directory.mkdir()
    for name, different in DIFFERENT.items():
        values = {**SMALL, "text_model": str(bert_directory), "output_dir": "unused", **different}
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(values))
    return directory


def arguments(recipes: Path, **kwargs: Any) -> AblationArguments:
    places = {"output_dir": str(recipes.parent / "results"), "work_dir": str(recipes.parent / "runs")}
    options = {"recipes": str(recipes), "variants": list(DIFFERENT), "seeds": [0, 1], "pool": 16, **places}
    return AblationArguments(**{**options, **kwargs})


def test_trains_scores_writes_and_keeps_finished_runs(recipes, monkeypatch, capsys) -> None:
    result = run(arguments(recipes, seeds=[0]))
    assert [(r["variant"], r["seed"], r["steps"]) for r in result["runs"]] == [("inter", 0, 2), ("full-sigmoid", 0, 2)]
    assert all(set(r["scores"]) == set(METRICS) for r in result["runs"])
    assert all(0 <= value <= 1 for r in result["runs"] for value in r["scores"].values())
    places = recipes.parent
    assert sorted(p.name for p in (places / "results").iterdir()) == [
        "ablation.png",
        "ablation.svg",
        "result.json",
        "table.md",
    ]
    assert list((places / "runs").iterdir()) == []

    trained = []
    real = ablation.train
    monkeypatch.setattr(ablation, "train", lambda a: trained.append((Path(a.output_dir).name, a.seed)) or real(a))
    more = run(arguments(recipes))
    assert trained == [("inter-1", 1), ("full-sigmoid-1", 1)]
    assert [r for r in more["runs"] if r["seed"] == 0] == result["runs"]
    assert "2 of 4 runs are already finished" in capsys.readouterr().out
    stored = json.loads((places / "results" / "result.json").read_text())
    assert stored["runs"] == more["runs"] and stored["summary"] == more["summary"]
    assert all({"recipe", "seed", "commit", "versions"} <= set(r) for r in stored["runs"])
    table = (places / "results" / "table.md").read_text()
    assert table == ablation_markdown(more)
    rows = [line for line in table.splitlines() if line.startswith("| inter ")]
    assert [row.count(" ± ") for row in rows] == 2 * [len(METRICS)]
    assert "2 steps of 8 pairs" in table and "| inter + crystal intra + text intra | sigmoid | PaiNN | 2 |" in table

    trained.clear()
    changed = recipes / "inter.yaml"
    changed.write_text(changed.read_text() + "loss: jensen_shannon\n")
    run(arguments(recipes))
    assert trained == [("inter-0", 0), ("inter-1", 1)]


def test_stopped_run_resumes(recipes, monkeypatch, capsys) -> None:
    real, seen = ablation.train, []

    def stopped(training):
        training.max_steps = 1
        return real(training)

    monkeypatch.setattr(ablation, "train", stopped)
    assert run(arguments(recipes, seeds=[0]))["runs"] == []
    assert "stopped in inter, seed 0" in capsys.readouterr().out
    assert not (recipes.parent / "results").exists()
    monkeypatch.setattr(ablation, "train", lambda training: seen.append(training.resume) or real(training))
    result = run(arguments(recipes, seeds=[0]))
    assert seen == [True, False] and [r["steps"] for r in result["runs"]] == [2, 2]


def test_committed_variants_differ_only_in_the_varied_settings() -> None:
    recipes = read_variants(AblationArguments())
    assert tuple(recipes) == VARIANTS
    assert {path.stem for path in (ROOT / "train" / "recipes" / "ablation").glob("*.yaml")} == set(VARIANTS)
    same = [{k: v for k, v in recipe_of(recipe).items() if k not in VARIED} for recipe in recipes.values()]
    assert all(values == same[0] for values in same)
    assert {name: recipe.output_dir for name, recipe in recipes.items()} == {
        name: f"runs/ablation/{name}" for name in VARIANTS
    }
    assert {name: variant_cells(recipe_of(recipe)) for name, recipe in recipes.items()} == {
        "inter": ("inter", "InfoNCE", "PaiNN"),
        "inter-crystal": ("inter + crystal intra", "InfoNCE", "PaiNN"),
        "inter-text": ("inter + text intra", "InfoNCE", "PaiNN"),
        "full": ("inter + crystal intra + text intra", "InfoNCE", "PaiNN"),
        "full-jensen-shannon": ("inter + crystal intra + text intra", "JSD + prior", "PaiNN"),
        "full-sigmoid": ("inter + crystal intra + text intra", "sigmoid", "PaiNN"),
        "full-cgcnn": ("inter + crystal intra + text intra", "InfoNCE", "CGCNN"),
    }


def test_mean_and_deviation_match_numpy() -> None:
    values = np.random.default_rng(0).uniform(size=(2, 3))
    runs = [
        {"variant": name, "scores": {"score": value}}
        for name, row in zip("ab", values.tolist(), strict=True)
        for value in row
    ]
    summary = summarise([*runs, {"variant": "c", "scores": {"score": 0.5}}])
    for name, row in zip("ab", values, strict=True):
        assert summary[name]["runs"] == 3
        assert summary[name]["score"]["mean"] == pytest.approx(np.mean(row))
        assert summary[name]["score"]["sd"] == pytest.approx(np.std(row, ddof=1))
    assert summary["c"] == {"runs": 1, "score": {"mean": 0.5, "sd": None}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "--seeds"),
        ({"seeds": [0, 0]}, "--seeds 0 0: expected one or more distinct values"),
        ({"variants": ["inter", "missing"]}, "cannot be read"),
        ({"pool": 1}, "--pool 1"),
    ],
)
def test_invalid_arguments_are_errors(recipes, change, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        run(arguments(recipes, **change))


def test_unequal_budgets_and_foreign_results_are_errors(recipes) -> None:
    results = recipes.parent / "results"
    results.mkdir()
    (results / "result.json").write_text("{}")
    with pytest.raises(ClacInputError, match=r"not a result of evaluation\.ablation"):
        run(arguments(recipes))
    longer = recipes / "full-sigmoid.yaml"
    longer.write_text(longer.read_text().replace("num_epochs: 1", "num_epochs: 2"))
    with pytest.raises(ClacInputError, match="differ in num_epochs"):
        run(arguments(recipes))


def test_command_prints_errors_in_one_line(tmp_path, script) -> None:
    done = script("evaluation.ablation", "--recipes", tmp_path)
    assert done.code == 2
    (line,) = done.err.strip().splitlines()
    assert line.startswith("error: ") and "inter.yaml: cannot be read" in line
