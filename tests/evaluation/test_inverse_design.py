"""Inverse design: targets, errors, rankings against their definitions, and the result files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evaluation.inverse_design import (
    InverseDesignArguments,
    composition_ranking,
    dominating_share,
    draw_targets,
    evaluate_task,
    run,
    target_text,
)
from evaluation.reports.inverse_design import design_markdown, pareto_front, write_design
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search.understanding.parser import understand


@pytest.fixture(scope="module")
def train() -> FactTable:
    return FactTable.bundled("train")


@pytest.fixture(scope="module")
def pool() -> FactTable:
    return FactTable.bundled("validation").take(np.arange(200))


def test_texts_state_the_targets():
    text = target_text(("band_gap", "density"), (2.5, 4.0))
    assert text == "crystal with a band gap of 2.50 eV and a density of 4.00 g/cm³"
    found = understand(text, load_vocabulary())
    assert {own.term.column for one in found.constraints for own in one.literals} == {"band_gap", "density"}


def test_targets_are_quantiles_of_training(train: FactTable):
    values = train.number("density")
    found = [target.values[0] for target in draw_targets(train, ("density",), 5, 0)]
    np.testing.assert_allclose(found, np.nanquantile(values, [0.05, 0.275, 0.5, 0.725, 0.95]), atol=0.006)
    pairs = draw_targets(train, ("band_gap", "density"), 5, 0)
    assert pairs == draw_targets(train, ("band_gap", "density"), 5, 0)
    assert len(set(pairs)) == 5


def test_a_perfect_ranking_is_the_best_possible(train: FactTable, pool: FactTable):
    values = pool.number("density")
    targets = {target.text: target.values[0] for target in draw_targets(train, ("density",), 4, 0)}

    def perfect(texts: Sequence[str]) -> np.ndarray:
        return np.stack([-np.abs(values - targets[text]) for text in texts])

    rankers = {"embeddings": perfect, "estimates": lambda texts: -perfect(texts)}
    found = evaluate_task(("density",), rankers, train, pool, 4, 0)["ways"]
    assert found["embeddings"] == found["best possible"]
    assert found["best possible"]["rank_correlation"]["mean"] == pytest.approx(1.0)
    assert found["estimates"]["rank_correlation"]["mean"] == pytest.approx(-1.0)
    target = next(iter(targets.values()))
    first = evaluate_task(("density",), rankers, train, pool, 4, 0)["targets"][0]
    nearest = np.argsort(np.abs(values - target), kind="stable")[:10]
    assert first["hits"]["embeddings"] == [pool.table["material_id"][int(row)].as_py() for row in nearest]
    expected = np.mean([np.abs(values - own).mean() for own in targets.values()])
    assert found["random"]["mae"]["3"]["mean"] == pytest.approx(expected)


def test_the_composition_of_the_nearest_training_crystal_ranks_first(train: FactTable):
    values = train.number("density")
    row = 17
    scores = composition_ranking(train, ("density",), (float(values[row]),), train)
    assert scores.max() == pytest.approx(0.0, abs=1e-6)
    best = train.fractions[int(np.argmax(scores))]
    nearest = int(np.nanargmin(np.abs(values - values[row])))
    np.testing.assert_allclose(best, train.fractions[nearest], atol=1e-6)


def test_dominated_crystals_are_those_behind_the_front():
    values = np.random.default_rng(0).integers(0, 6, size=(40, 2)).astype(float)
    share = dominating_share(values, (0.0, 0.0))
    for row, own in enumerate(values):
        better = [(other <= own).all() and (other < own).any() for other in values]
        assert share[row] == pytest.approx(sum(better) / 39)
    front = pareto_front(values)
    assert (share[front] == 0).all()
    assert {tuple(own) for own in values[share == 0]} == {tuple(own) for own in values[front]}


def test_the_report_has_all_ways(train: FactTable, pool: FactTable, tmp_path: Path):
    generator = np.random.default_rng(0)
    rankers = {"embeddings": lambda texts: generator.normal(size=(len(texts), len(pool)))}
    tasks = {
        "+".join(own): evaluate_task(own, rankers, train, pool, 3, 0) for own in [("density",), ("band_gap", "density")]
    }
    result = {
        "model": "m", "fingerprint": "f", "split": "validation", "seed": 0, "commit": None, "command": "c",
        "arguments": {"targets": 3}, "tasks": tasks,
    }  # fmt: skip
    written = write_design(result, tmp_path / "result.json")
    assert {path.name for path in written} == {"result.json", "table.md", "pareto.png", "pareto.svg"}
    assert json.loads((tmp_path / "result.json").read_text())["tasks"].keys() == tasks.keys()
    assert all(way in design_markdown(result) for way in ("nearest composition", "random", "best possible"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": "colour"}, "unknown property"),
        ({"tasks": "density+density"}, "two different ones"),
        ({"tasks": "density", "ways": "magic"}, "choose from"),
        ({"targets": 1}, "at least 2"),
        ({"output": "result.txt"}, "ending in .json"),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, object], message: str):
    with pytest.raises(ClacInputError, match=message):
        run(InverseDesignArguments(**changes))  # type: ignore[arg-type]
