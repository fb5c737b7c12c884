"""Retrieval evaluation: ranks compared with a simple reference, the metric module, and the result files."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_scripts.common.pool_texts import QUERIES, query_texts
from evaluation.metrics.intervals import bootstrap_intervals
from evaluation.metrics.pools import DIRECTIONS, ideal_ranks
from evaluation.reports.retrieval import retrieval_markdown
from evaluation.retrieval import (
    RetrievalArguments,
    evaluate_retrieval,
    read_split,
    run,
    sample_pool,
)
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.narrator.narratives import narrate
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.cli import Run

OUTPUTS = {"result.json", "table.md", "retrieval.png", "retrieval.svg"}
SCORES = ("top_1", "top_3", "top_10", "mrr")


class MatchingEmbedder:
    """Embeds crystals as random directions, and each text as the vector of its crystal."""

    def __init__(self, records: list[dict[str, Any]], seed: int = 0):
        vectors = np.random.default_rng(0).normal(size=(len(records), 64)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.by_cif = {record["cif"]: vector for record, vector in zip(records, vectors, strict=True)}
        self.by_text = {}
        for texts in query_texts(records, seed).values():
            self.by_text.update(zip(texts, vectors, strict=True))

    def encode_crystals(self, structures: list[str], **kwargs: Any) -> Any:
        return np.stack([self.by_cif[cif] for cif in structures]), []

    def encode_text(self, texts: list[str], **kwargs: Any) -> np.ndarray:
        return np.stack([self.by_text[text] for text in texts])


class ConstantEmbedder(MatchingEmbedder):
    """Maps all inputs to the same vector."""

    def encode_crystals(self, structures: list[str], **kwargs: Any) -> Any:
        return np.ones((len(structures), 4), dtype=np.float32), []

    def encode_text(self, texts: list[str], **kwargs: Any) -> np.ndarray:
        return np.ones((len(texts), 4), dtype=np.float32)


def distinct_formulas(records: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list({record["formula"]: record for record in records}.values())[:count]


def argsort_ranks(queries: np.ndarray, keys: np.ndarray, targets: np.ndarray) -> list[int]:
    """Compute ranks from the definition: sort each row of the full matrix; a tied key precedes the right one."""
    ranks = []
    for row, target in zip(queries @ keys.T, targets, strict=True):
        is_right = np.arange(len(keys)) == target
        order = np.lexsort((is_right, -row))
        ranks.append(int(np.flatnonzero(order == target)[0]) + 1)
    return ranks


@st.composite
def retrieval_problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    num_queries, num_keys, size = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 4))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Small integers give many exact ties, and sums without rounding errors.
    queries = generator.integers(-2, 3, (num_queries, size)).astype(np.float32)
    keys = generator.integers(-2, 3, (num_keys, size)).astype(np.float32)
    return queries, keys, generator.integers(0, num_keys, num_queries), draw(st.integers(1, 50))


@settings(max_examples=100, deadline=None)
@given(retrieval_problems())
def test_chunked_ranks_equal_a_full_argsort(problem: tuple[np.ndarray, np.ndarray, np.ndarray, int]) -> None:
    queries, keys, targets, chunk_size = problem
    ranks = retrieval_ranks(queries, keys, targets, chunk_size)
    assert ranks.tolist() == argsort_ranks(queries, keys, targets)


def test_ranks_by_hand() -> None:
    keys = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    # Scores of the rows: 1, 0, 0.6; 0, 1, 0.8; 1, 0, 0.6, where the third key is the right one.
    queries = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    ranks = retrieval_ranks(queries, keys)
    assert ranks.tolist() == [1, 1, 2]
    assert retrieval_scores(ranks, (1, 2)) == pytest.approx({"top_1": 2 / 3, "top_2": 1.0, "mrr": 2.5 / 3})
    assert retrieval_ranks(queries, keys, np.array([1, 1, 1])).tolist() == [3, 1, 3]
    scores = retrieval_scores(np.array([1, 3, 4, 10, 11]))
    assert scores == pytest.approx({"top_1": 0.2, "top_3": 0.4, "top_10": 0.8, "mrr": (1 + 1 / 3 + 0.35 + 1 / 11) / 5})


def test_collapsed_and_diverged_models_rank_last() -> None:
    ones = np.ones((5, 3), dtype=np.float32)
    assert retrieval_ranks(ones, ones).tolist() == [5] * 5
    assert retrieval_ranks(ones * np.nan, ones).tolist() == [5] * 5
    assert retrieval_ranks(ones, ones * np.nan).tolist() == [5] * 5


def test_inconsistent_shapes_are_errors() -> None:
    with pytest.raises(ValueError, match="3 queries but 2 targets"):
        retrieval_ranks(np.ones((3, 2)), np.ones((3, 2)), np.array([0, 1]))
    with pytest.raises(ValueError, match="2 keys"):
        retrieval_ranks(np.ones((3, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="no queries"):
        retrieval_scores(np.zeros(0, dtype=np.int64))


def test_ideal_ranks_of_identical_queries() -> None:
    ranks = ideal_ranks(np.array([7, 3, 7, 7, 5]))
    assert ranks.tolist() == [1, 1, 2, 3, 1]
    # Of the three identical queries, one can rank its key first: (1/3 · 3 + 2) / 5.
    assert retrieval_scores(ranks)["top_1"] == pytest.approx(3 / 5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bootstrap_is_deterministic_and_holds_the_point(seed: int) -> None:
    ranks = np.random.default_rng(seed).geometric(0.4, 200)
    intervals = bootstrap_intervals(ranks, resamples=300, seed=seed)
    assert intervals == bootstrap_intervals(ranks, resamples=300, seed=seed)
    for name, score in retrieval_scores(ranks).items():
        low, high = intervals[name]
        assert low <= score <= high
        # Twice the normal approximation of a share is a generous bound.
        assert high - low < 2 * 2 * 1.96 * 0.5 / np.sqrt(len(ranks))
    with pytest.raises(ValueError, match="resamples=0"):
        bootstrap_intervals(ranks, resamples=0)


def test_metric_module_equals_the_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = pytest.importorskip("evaluate")
    # Load it from another directory, as users do.
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    keys = generator.normal(size=(300, 16)).astype(np.float32)
    queries = keys + generator.normal(size=keys.shape).astype(np.float32)
    metric = evaluate.load(str(ROOT / "evaluation" / "metrics" / "retrieval_recall"), cache_dir=str(tmp_path))
    scores = metric.compute(predictions=queries, references=keys)
    assert scores == retrieval_scores(retrieval_ranks(queries, keys))
    scores = metric.compute(predictions=queries, references=keys, top=(2, 5))
    assert scores == retrieval_scores(retrieval_ranks(queries, keys), (2, 5))
    assert metric.compute(predictions=np.eye(3), references=np.eye(3), top=(1,)) == {"top_1": 1.0, "mrr": 1.0}


def test_scores_of_a_random_checkpoint_are_in_range(small_checkpoint: Path, records: list[dict[str, Any]]) -> None:
    pool = records[:24]
    embedder = ClacEmbedder.from_pretrained(small_checkpoint, device="cpu")
    result = evaluate_retrieval(embedder, pool, seed=1, bootstrap=50)
    assert result == evaluate_retrieval(embedder, pool, seed=1, bootstrap=50)
    assert result["pool"] == 24
    for kind in QUERIES:
        for direction in DIRECTIONS:
            scores = result["scores"][kind][direction]
            assert 0 <= scores["top_1"] <= scores["top_3"] <= scores["top_10"] <= 1
            assert scores["top_1"] <= scores["mrr"] <= 1
            assert scores["top_1"] <= scores["ceiling"]["top_1"] <= 1
            assert scores["chance"]["top_1"] == pytest.approx(1 / scores["candidates"])
            for name in SCORES:
                low, high = scores["intervals"][name]
                assert 0 <= low <= scores[name] <= high <= 1
            curve = scores["curve"]
            assert curve["accuracy"] == sorted(curve["accuracy"])
            assert curve["accuracy"][:10:9] == [scores["top_1"], scores["top_10"]]


def test_identical_vectors_score_perfectly(records: list[dict[str, Any]]) -> None:
    pool = distinct_formulas(records, 24)
    result = evaluate_retrieval(MatchingEmbedder(pool), pool, bootstrap=20)
    for kind in QUERIES:
        for direction in DIRECTIONS:
            scores = result["scores"][kind][direction]
            assert [scores[name] for name in SCORES] == [1.0] * 4
            assert scores["intervals"]["top_1"] == (1.0, 1.0)
            assert scores["ceiling"]["top_1"] == 1.0


def test_constant_embeddings_score_zero(records: list[dict[str, Any]]) -> None:
    pool = distinct_formulas(records, 24)
    result = evaluate_retrieval(ConstantEmbedder(pool), pool, bootstrap=20)
    for kind in QUERIES:
        for direction in DIRECTIONS:
            assert result["scores"][kind][direction]["top_10"] == 0.0


def test_identical_texts_limit_the_ceiling(records: list[dict[str, Any]]) -> None:
    first, second, third, fourth = distinct_formulas(records, 4)
    # Three polymorphs of one formula: two have the same space group, the third has another crystal system.
    twin = {**second, "formula": first["formula"], "space_group_number": first["space_group_number"]}
    twin["crystal_system"] = first["crystal_system"]
    other = "cubic" if first["crystal_system"] != "cubic" else "triclinic"
    polymorph = {**third, "formula": first["formula"], "crystal_system": other, "space_group_number": 0}
    pool = [first, twin, polymorph, fourth]
    result = evaluate_retrieval(MatchingEmbedder(pool), pool, bootstrap=20)
    assert result["same_formula_and_space_group"] == 2
    formula, system = result["scores"]["formula"], result["scores"]["formula_crystal_system"]
    assert formula["text_to_crystal"]["ceiling"]["top_1"] == pytest.approx(2 / 4)
    assert system["text_to_crystal"]["ceiling"]["top_1"] == pytest.approx(3 / 4)
    # The shared text has the vector of the last polymorph, so only this one is found.
    assert formula["text_to_crystal"]["top_1"] == pytest.approx(2 / 4)
    assert formula["crystal_to_text"]["candidates"] == 2
    assert formula["crystal_to_text"]["ceiling"]["top_1"] == 1.0
    assert result["scores"]["narrative"]["text_to_crystal"]["top_1"] == 1.0


def test_texts_of_the_queries(records: list[dict[str, Any]]) -> None:
    record = next(record for record in records if len(record["elements"]) == 3)
    texts = query_texts([record], seed=3)
    assert texts["narrative"] == [narrate(record, seed=(3, record["material_id"]))]
    assert texts["narrative_masked"] == [narrate(record, seed=(3, record["material_id"]), mask_formula=True)]
    assert record["formula"] not in texts["narrative_masked"][0]
    assert texts["formula"] == [record["formula"]]
    assert texts["formula_crystal_system"] == [f"{record['formula']}, {record['crystal_system']}"]
    assert texts == query_texts([record], seed=3)
    assert texts != query_texts([record], seed=4)


def test_invalid_crystals_are_errors_or_counted(small_checkpoint: Path, records: list[dict[str, Any]]) -> None:
    pool = [*records[:3], {**records[3], "cif": "data_broken"}]
    embedder = ClacEmbedder.from_pretrained(small_checkpoint, device="cpu")
    with pytest.raises(ClacInputError, match=records[3]["material_id"]):
        evaluate_retrieval(embedder, pool, bootstrap=5)
    result = evaluate_retrieval(embedder, pool, bootstrap=5, on_error="skip")
    assert result["pool"] == 3
    assert len(result["skipped"]) == 1
    with pytest.raises(ClacInputError, match="at least 2"):
        evaluate_retrieval(embedder, pool[2:], bootstrap=5, on_error="skip")


def test_pool_is_a_seeded_sample_without_replacement(records: list[dict[str, Any]]) -> None:
    pool = sample_pool(records, 50, seed=0)
    ids = [record["material_id"] for record in pool]
    assert len(set(ids)) == 50
    assert ids == [record["material_id"] for record in sample_pool(records, 50, seed=0)]
    assert ids != [record["material_id"] for record in sample_pool(records, 50, seed=1)]
    assert sample_pool(records, 10_000, seed=0) == records


def test_split_from_file_or_column(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    table = pq.read_table(CRYSTALS / "validation.parquet")
    assert read_split(CRYSTALS, "validation") == records
    pq.write_table(table.slice(0, 5), tmp_path / "all.parquet")
    assert read_split(tmp_path, "validation") == records[:5]
    assert read_split(tmp_path / "all.parquet", "validation") == records[:5]
    with pytest.raises(ClacInputError, match="unknown split 'test'; available splits: validation"):
        read_split(tmp_path, "test")


def test_command_writes_result_table_and_figure(script: Run, small_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "clac-small"
    shutil.copytree(small_checkpoint, checkpoint)
    (checkpoint / "training.json").write_text(json.dumps({"recipe": {"seed": 5}}), encoding="utf-8")
    output = tmp_path / "new" / "result.json"
    words = ("--model", checkpoint, "--pool", 16, "--bootstrap", 50, "--output", output)
    done = script("evaluation.retrieval", *words)
    assert done.code == 0, done.err
    assert "narrative" in done.out
    assert {path.name for path in output.parent.iterdir()} == OUTPUTS
    result = json.loads(output.read_text(encoding="utf-8"))
    assert result["model"] == "clac-small"
    assert len(result["fingerprint"]) == 16
    assert result["training"] == {"recipe": {"seed": 5}}
    assert (result["seed"], result["split"], result["split_size"], result["pool"]) == (0, "test", 1024, 16)
    assert "--pool 16" in result["command"]
    assert {"commit", "versions", "date"} <= result.keys()
    # A result contains no local paths except in the command.
    assert str(ROOT) not in json.dumps({**result, "command": ""})
    table = (output.parent / "table.md").read_text(encoding="utf-8")
    assert table == retrieval_markdown(result)
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(QUERIES) * len(DIRECTIONS)
    assert all(line.count("|") == rows[0].count("|") for line in rows)
    assert (output.parent / "retrieval.png").read_bytes().startswith(b"\x89PNG")
    assert "top-k accuracy" in (output.parent / "retrieval.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--model", "{tmp}/nothing"], "no such checkpoint directory"),
        (["--model", "{tmp}"], "config.json missing"),
        (["--split", "holdout"], "unknown split 'holdout'; available splits: test, train, validation"),
        (["--split", "small", "--data", "{tmp}"], "has no column cif, formula"),
        (["--data", "{tmp}/nothing"], "no parquet file found"),
        (["--pool", "1"], "must be at least 2"),
        (["--bootstrap", "0"], "must be at least 1"),
        (["--output", "{tmp}/new/result.txt"], "expected a file name ending in .json"),
    ],
)
def test_invalid_input_is_a_one_line_error(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["material_id", "crystal_system", "space_group_number"]
    pq.write_table(pq.read_table(CRYSTALS / "validation.parquet", columns=columns), tmp_path / "small.parquet")
    options = [word.replace("{tmp}", str(tmp_path)) for word in words]
    if "--output" not in options:
        options += ["--output", str(tmp_path / "new" / "result.json")]
    monkeypatch.setattr(sys, "argv", ["retrieval", *options])
    with pytest.raises(SystemExit) as caught:
        run_script(RetrievalArguments, run)
    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert reason in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_help_names_every_argument(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["retrieval", "--help"])
    with pytest.raises(SystemExit) as caught:
        run_script(RetrievalArguments, run)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(f"--{argument.name} " in text for argument in fields(RetrievalArguments))


def test_invalid_input_from_a_shell(script: Run, tmp_path: Path) -> None:
    done = script("evaluation.retrieval", "--model", tmp_path / "nothing", "--output", tmp_path / "result.json")
    assert done.code == 2
    assert done.err.startswith(f"error: {tmp_path / 'nothing'}: no such checkpoint directory")
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
