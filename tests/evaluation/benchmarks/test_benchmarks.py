"""Each benchmark runs at a tiny size through its entry point and reports its figures."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_clac.utils.arguments import run_script
from tests.conftest import CRYSTALS, ROOT


def start(monkeypatch: pytest.MonkeyPatch, name: str, kind: str, *words: object) -> None:
    """Run `python -m evaluation.benchmarks.NAME WORDS` in this process."""
    module = importlib.import_module(f"evaluation.benchmarks.{name}")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    run_script(getattr(module, kind), module.run)


@pytest.fixture
def recipe(bert_directory, tmp_path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"text_model: {bert_directory}\noutput_dir: {tmp_path / 'run'}\ndataset: {CRYSTALS}\nbatch_size: 4\n"
        "graph_hidden_size: 16\ngraph_num_interactions: 1\nprojection_dim: 16\nmax_text_tokens: 48\n"
    )
    return path


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_graph_construction(monkeypatch, capsys, tmp_path) -> None:
    words = ("--limit", 6, "--alternative", 4, "--ase", 2, "--repeats", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "graph_construction", "GraphArguments", *words)
    figures = read(tmp_path / "x.json")
    assert set(figures) == {"arguments", "edges_equal_to_the_oracle", "CIF and parsed crystals", "pymatgen", "ase"}
    assert min(figures["edges_equal_to_the_oracle"].values()) > 0
    for name, count in (("CIF and parsed crystals", 6), ("pymatgen", 4), ("ase", 2)):
        ways = figures[name]["ways"]
        assert figures[name]["count"] == count and len(ways) == 2
        assert all(set(way) == {"seconds", "per_second", "ratio", "ratio_median"} for way in ways.values())
    assert "identical edges" in capsys.readouterr().out


def test_graph_construction_detects_a_wrong_edge(cifs) -> None:
    from evaluation.benchmarks.graph_construction import check_edges, pymatgen_edges
    from modeling_clac import ClacFeatureExtractor
    from modeling_clac.errors_clac import ClacInputError

    extractor = ClacFeatureExtractor(5.0, 12)
    assert check_edges(extractor, cifs[:6], pymatgen_edges) > 0

    def one_off(*given):
        numbers, fractional, rows, lengths = pymatgen_edges(*given)
        rows[0, 4] += 1
        return numbers, fractional, rows, lengths

    with pytest.raises(ClacInputError, match="edges differ"):
        check_edges(extractor, cifs[:1], one_off)


def test_painn_speed(monkeypatch, tmp_path) -> None:
    words = ("--crystals", 3, "--hidden_size", 8, "--repeats", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "painn_speed", "PainnArguments", *words)
    figures = read(tmp_path / "x.json")
    assert list(figures["ways"]) == ["CLaC", "message by message"]
    assert figures["largest_relative_difference"] < 1e-6 and figures["edges"] > 0


def test_pretraining_step(monkeypatch, capsys, recipe, tmp_path) -> None:
    words = ("--recipe", recipe, "--limit", 24, "--steps", 1, "--threads", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "pretraining_step", "StepArguments", *words)
    figures = read(tmp_path / "x.json")
    parts = ["data", "graph tower", "text tower", "losses and heads", "optimiser"]
    assert list(figures["seconds"]) == list(figures["shares"]) == parts
    assert sum(figures["shares"].values()) == pytest.approx(1.0) and min(figures["seconds"].values()) > 0
    assert {"data_and_graph_share", "pairs_per_second", "arguments"} < set(figures)
    assert "Self CPU" in capsys.readouterr().out


def test_step_options(monkeypatch, recipe, tmp_path) -> None:
    options = ["float32", "bf16", "texts in one pass", "eager attention", "frozen text tower", "cached text features"]
    words = ("--recipe", recipe, "--limit", 32, "--batches", 1, "--repeats", 1, "--options", *options)
    start(monkeypatch, "step_options", "OptionArguments", *words, "--output", tmp_path / "x.json")
    figures = read(tmp_path / "x.json")
    assert list(figures["options"]) == options and figures["options"]["float32"]["ratio"] == 1.0
    assert all(found["pairs_per_second"] > 0 for found in figures["options"].values())


def test_process_scaling(monkeypatch, recipe, tmp_path) -> None:
    words = ("--recipe", recipe, "--limit", 32, "--repeats", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "process_scaling", "ScalingArguments", *words)
    figures = read(tmp_path / "x.json")
    assert list(figures["pairs_per_second"]) == ["1", "2"]
    assert figures["ratio"] == pytest.approx(figures["pairs_per_second"]["2"] / figures["pairs_per_second"]["1"])


def test_busy_threads(monkeypatch, small_checkpoint, tmp_path) -> None:
    words = ("--model", small_checkpoint, "--crystals", 4, "--repeats", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "busy_threads", "BusyArguments", *words, "--threads", 1)
    found = read(tmp_path / "x.json")["crystals_per_second"]
    assert [(row["busy"], row["threads"]) for row in found] == [(0, 1), (1, 1)]
    assert all(row[work] > 0 for row in found for work in ("batches", "one batch", "network"))


def test_weights_in_int8_keep_the_answers(monkeypatch, small_checkpoint, tmp_path) -> None:
    words = ("--model", small_checkpoint, "--queries", 40, "--crystals", 100, "--output", tmp_path / "x.json")
    start(monkeypatch, "quantised_search", "QuantisedArguments", *words)
    figures = read(tmp_path / "x.json")
    assert (figures["queries"], figures["crystals"]) == (40, 100)
    assert figures["overlap"] > 0.9 and figures["same_first"] > 0.8 and figures["smallest_cosine"] > 0.99
    assert figures["megabytes"]["int8"] < figures["megabytes"]["float32"]


def test_embedding_throughput(monkeypatch, capsys) -> None:
    words = ("--limit", 6, "--alternative", 2, "--repeats", 1, "--threads", 1)
    start(monkeypatch, "embedding_throughput", "ThroughputArguments", *words)
    printed = " ".join(capsys.readouterr().out.split())
    assert "times as fast as one crystal at a time (largest difference of an embedding 0e+00)" in printed
    assert "times as fast as pymatgen" in printed


@pytest.mark.skipif(not Path(sys.executable).with_name("clac").exists(), reason="the package is not installed")
def test_search_latency(monkeypatch, capsys) -> None:
    words = ("--queries", 4, "--repeats", 1, "--subset", 4, "--threads", 1)
    start(monkeypatch, "search_latency", "LatencyArguments", *words)
    assert "cold processes" in capsys.readouterr().out


def test_query_time(monkeypatch, tmp_path) -> None:
    words = ("--queries", 8, "--scans", 1, "--threads", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "query_time", "QueryTimeArguments", *words)
    figures = read(tmp_path / "x.json")
    assert {"understood", "by embeddings alone", "plain scan of the records"} <= set(figures["milliseconds"])
    assert all(values["50"] > 0 for values in figures["milliseconds"].values())


def test_the_scan_finds_what_the_search_does() -> None:
    from evaluation.benchmarks.query_time import QUERIES, plain_scan
    from modeling_clac.concepts.vocabulary import load_vocabulary
    from modeling_clac.data.facts.fact_table import FactTable
    from modeling_clac.search.understanding.parser import understand
    from modeling_clac.search.understanding.ranking import Evaluation

    facts, vocabulary = FactTable.bundled(), load_vocabulary()
    records = facts.table.to_pylist()
    for text, test in QUERIES.items():
        met = Evaluation(understand(text, vocabulary), facts, vocabulary).met
        found = plain_scan(records, np.zeros((len(records), 1)), np.zeros(1), test)
        assert found and set(found) <= set(np.flatnonzero(met).tolist()), text


@pytest.mark.parametrize(
    ("name", "kind", "words", "message"),
    [
        ("graph_construction", "GraphArguments", ("--repeats", 0), "--repeats 0: must be at least 1"),
        ("painn_speed", "PainnArguments", ("--crystals", 0), "--crystals 0: must be at least 1"),
        ("pretraining_step", "StepArguments", ("--recipe", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        ("step_options", "OptionArguments", ("--options", "magic"), "--options magic: expected any of float32, bf16"),
        ("process_scaling", "ScalingArguments", ("--processes", 0), "--processes 0: must be at least 1"),
        ("busy_threads", "BusyArguments", ("--busy", -1), "--busy -1: must be at least 0"),
    ],
)
def test_invalid_arguments_are_one_line_errors(monkeypatch, capsys, name, kind, words, message) -> None:
    with pytest.raises(SystemExit, match="2"):
        start(monkeypatch, name, kind, *words)
    assert message in capsys.readouterr().err


def test_app_load(monkeypatch, tmp_path) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed")
    words = ("--users", 2, "--searches", 2, "--starts", 1, "--output", tmp_path / "x.json")
    start(monkeypatch, "app_load", "AppLoadArguments", *words)
    figures = read(tmp_path / "x.json")
    assert figures["errors"] == [] and figures["searches"] == {"one user": 2, "2 users at once": 4}
    assert figures["start_seconds"][0] > 0 and figures["start_processor_seconds"][0] > 0
    assert figures["search_processor_milliseconds"] >= 0
