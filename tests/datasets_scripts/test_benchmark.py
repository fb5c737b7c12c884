"""The crystal-text benchmark: tables, card, Hub, embeddings with known scores, and invalid input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from datasets_scripts.benchmark import BenchmarkArguments, build
from datasets_scripts.common.benchmark_tables import MEANINGS, SCHEMAS, TASKS
from evaluation.metrics.embedding_files import read_embeddings, write_embeddings
from evaluation.open_benchmark import OpenBenchmarkArguments, fingerprint, read_benchmark, run
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import ROOT
from tests.helpers.hub_server import Hub
from tests.helpers.questions import small_crystals


@pytest.fixture(scope="module")
def crystals(tmp_path_factory) -> Path:
    return small_crystals(tmp_path_factory.mktemp("crystals") / "crystals.parquet")


@pytest.fixture(scope="module")
def benchmark(crystals: Path, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("benchmark")
    names = [row["material_id"] for row in pq.read_table(crystals).to_pylist() if row["split"] == "test"]
    texts = {"material_id": names[:5], "description": [f"{name} is cubic. Na(1) is bonded." for name in names[:5]]}
    pq.write_table(pa.table(texts), directory / "described.parquet")
    build(
        BenchmarkArguments(
            str(directory / "set"),
            input=str(crystals),
            pools=[8, 24],
            descriptions=str(directory / "described.parquet"),
        )
    )
    return directory / "set"


def test_tables_refer_to_each_other(benchmark: Path) -> None:
    tables = read_benchmark(benchmark)  # which checks the ids
    assert {name: pq.read_schema(benchmark / f"{name}.parquet") for name in SCHEMAS} == SCHEMAS
    texts = [row["text"] for row in tables["texts"]]
    assert len(set(texts)) == len(texts) == len({row["text_id"] for row in tables["texts"]})
    pools = {size: [row["material_id"] for row in tables["pools"] if row["pool"] == size] for size in ("8", "24")}
    assert {size: len(set(own)) for size, own in pools.items()} == {"8": 8, "24": 24}
    assert set(pools["8"]) < set(pools["24"]) == {row["material_id"] for row in tables["crystals"]}
    by_id = {row["text_id"]: row["text"] for row in tables["texts"]}
    formulas = {row["material_id"]: row["formula"] for row in tables["crystals"]}
    counts = {task: sum(row["task"] == task for row in tables["retrieval"]) for task in TASKS}
    assert counts == dict.fromkeys(TASKS, 24) | {"description": 5, "description_first": 5}
    for row in tables["retrieval"]:
        text, formula = by_id[row["text_id"]], formulas[row["material_id"]]
        assert row["task"] != "formula" or text == formula
        assert row["task"] != "narrative_masked" or formula not in text.split()
    for row in tables["phrases"]:
        assert len(row["right"]) >= 3 and not set(row["right"]) & set(row["undecided"])
    for row in tables["questions"]:
        assert 0 <= row["answer"] < len(row["options"]) == len(set(row["options"]))


def test_same_arguments_give_the_same_benchmark(benchmark: Path, crystals: Path, tmp_path: Path) -> None:
    described = str(benchmark.parent / "described.parquet")
    for folder, seed in (("again", 0), ("other", 1)):
        build(
            BenchmarkArguments(
                str(tmp_path / folder), input=str(crystals), pools=[8, 24], descriptions=described, seed=seed
            )
        )
    own = fingerprint(read_benchmark(benchmark))
    assert own == fingerprint(read_benchmark(tmp_path / "again")) != fingerprint(read_benchmark(tmp_path / "other"))


def test_card_describes_each_table(benchmark: Path) -> None:
    card = (benchmark / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["license"] == "cc-by-4.0"
    assert [config["config_name"] for config in head["configs"]] == list(SCHEMAS)
    assert sum(config.get("default", False) for config in head["configs"]) == 1
    assert set(MEANINGS) == {(name, column) for name, schema in SCHEMAS.items() for column in schema.names}
    for name in SCHEMAS:
        assert f"## `{name}`: {pq.read_metadata(benchmark / f'{name}.parquet').num_rows:,} rows" in card


def test_published_and_loaded_from_a_hub(benchmark: Path, tmp_path: Path) -> None:
    program = f"""
import datasets
from evaluation.open_benchmark import benchmark_directory, fingerprint, read_benchmark
for name in {list(SCHEMAS)}:
    print(name, datasets.load_dataset("me/benchmark", name, split="test").num_rows)
print(datasets.load_dataset("me/benchmark", split="test").column_names)
print(fingerprint(read_benchmark(benchmark_directory("me/benchmark"))))
"""
    with Hub().run() as hub:
        environment = {**os.environ, **hub.environment(str(tmp_path / "home")), "HF_DATASETS_OFFLINE": "0"}

        def python(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )

        pushed = python("-m", "datasets_scripts.push", str(benchmark), "--repo_id", "me/benchmark")
        assert pushed.returncode == 0, pushed.stderr
        files = hub.repositories["datasets", "me/benchmark"].files
        assert set(files) == {"README.md", *(f"{name}.parquet" for name in SCHEMAS)}
        loaded = python("-c", program)
    assert loaded.returncode == 0, loaded.stderr
    *counts, columns, own = loaded.stdout.splitlines()
    expected = [f"{name} {pq.read_metadata(benchmark / f'{name}.parquet').num_rows}" for name in SCHEMAS]
    assert counts == expected
    assert columns == "['text_id', 'text']"
    assert own == fingerprint(read_benchmark(benchmark))


def write(directory: Path, crystals: np.ndarray, texts: np.ndarray, tables: dict[str, list[dict[str, Any]]]) -> dict:
    write_embeddings(directory / "c.parquet", [row["material_id"] for row in tables["crystals"]], crystals)
    write_embeddings(directory / "t.parquet", [row["text_id"] for row in tables["texts"]], texts)
    return {"crystals": str(directory / "c.parquet"), "texts": str(directory / "t.parquet"), "bootstrap": 20}


def test_perfect_and_constant_embeddings(benchmark: Path, tmp_path: Path) -> None:
    tables = read_benchmark(benchmark)
    # A text is the sum of the crystals that it is right for, which have axes of their own.
    axes = np.eye(24, dtype=np.float32)
    place = {row["material_id"]: row_number for row_number, row in enumerate(tables["crystals"])}
    right: dict[str, list[str]] = {}
    for row in tables["retrieval"]:
        right.setdefault(row["text_id"], []).append(row["material_id"])
    for row in tables["phrases"]:
        right.setdefault(row["text_id"], []).extend(row["right"])
    for row in tables["questions"]:
        right.setdefault(row["options"][row["answer"]], []).append(row["material_id"])
    texts = np.full((len(tables["texts"]), 24), -1e-3, dtype=np.float32)
    for number, row in enumerate(tables["texts"]):
        for name in right.get(row["text_id"], ()):
            texts[number] += axes[place[name]]
    output = tmp_path / "out" / "result.json"
    files = write(tmp_path, 7 * axes, texts, tables)
    result = run(OpenBenchmarkArguments(str(benchmark), **files, name="perfect", output=str(output)))
    stored = json.loads(output.read_text(encoding="utf-8"))
    assert (stored["model"], stored["dimension"], stored["benchmark"]) == ("perfect", 24, fingerprint(tables))
    for row in result["retrieval"]:
        if row["task"] in ("narrative", "narrative_masked"):
            assert row["text_to_crystal"]["top_1"] == row["crystal_to_text"]["top_1"] == 1.0
    assert {(row["task"], row["pool"]) for row in result["retrieval"] if row["pool"] == 24} == {(t, 24) for t in TASKS}
    assert result["phrases"]["share"] == pytest.approx(1.0)
    assert all(own["accuracy"] == pytest.approx(1.0) for own in result["questions"]["levels"].values())
    table = (output.parent / "table.md").read_text(encoding="utf-8")
    assert "| narrative masked | 24 | 24 | 1.000" in table
    assert (output.parent / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    # All inputs at one point: ties rank last, and options that tie share the credit.
    files = write(tmp_path, np.ones((24, 3)), np.ones((len(texts), 3)), tables)
    result = run(OpenBenchmarkArguments(str(benchmark), **files))
    assert all(row["text_to_crystal"]["top_1"] == 0.0 for row in result["retrieval"])
    for own in result["questions"]["levels"].values():
        assert own["accuracy"] == pytest.approx(own["chance"])


def test_checkpoints_embed_and_keep_the_files(benchmark: Path, small_checkpoint: Path, tmp_path: Path) -> None:
    first = run(
        OpenBenchmarkArguments(
            str(benchmark), model=str(small_checkpoint), write_to=str(tmp_path / "kept"), bootstrap=20
        )
    )
    kept = {name: str(tmp_path / "kept" / f"{name}.parquet") for name in ("crystals", "texts")}
    second = run(OpenBenchmarkArguments(str(benchmark), **kept, bootstrap=20))
    assert first["fingerprint"] and second["fingerprint"] is None
    assert first["questions"] == second["questions"]
    assert first["phrases"] == second["phrases"]


def test_embeddings_are_found_by_id(tmp_path: Path) -> None:
    vectors = np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]])
    write_embeddings(tmp_path / "e.parquet", ["a", "b", "c"], vectors)
    assert read_embeddings(tmp_path / "e.parquet", ["c", "a"]) == pytest.approx(np.array([[1, 0], [0.6, 0.8]]))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"id": ["a"], "vector": [[1.0]]}, "no column embedding"),
        ({"id": ["a", "a"], "embedding": [[1.0], [1.0]]}, "the id a occurs twice"),
        ({"id": ["a"], "embedding": [[1.0]]}, "no embedding of b; embed all 2 ids"),
        ({"id": ["c"], "embedding": [[1.0]]}, "no embedding of a, nor of 1 more of the 2 ids"),
        ({"id": ["a", "b"], "embedding": ["x", "y"]}, "expected lists of numbers"),
        ({"id": ["a", "b"], "embedding": [["x"], ["y"]]}, "expected lists of numbers"),
        ({"id": ["a", "b"], "embedding": [[1.0, 2.0], [1.0]]}, "the embedding of b is not a list of 2 numbers"),
        ({"id": ["a", "b"], "embedding": [[1.0], None]}, "the embedding of b is not a list of 1 numbers"),
        ({"id": ["a", "b"], "embedding": [[1.0], [0.0]]}, "the embedding of b is zero or not finite"),
        ({"id": ["a", "b"], "embedding": [[1.0], [float("nan")]]}, "the embedding of b is zero or not finite"),
    ],
)
def test_invalid_embeddings(columns: dict[str, list], reason: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    with pytest.raises(ClacInputError, match=reason) as caught:
        read_embeddings(tmp_path / "e.parquet", ["a", "b"])
    assert "\n" not in str(caught.value)


def test_invalid_arguments(benchmark: Path, crystals: Path, tmp_path: Path) -> None:
    for options, reason in (
        ({}, "give --crystals and --texts"),
        ({"crystals": "x"}, "give --crystals and --texts"),
        ({"model": "x", "texts": "y"}, "--model embeds itself"),
        ({"crystals": "x", "texts": "y", "write_to": "z"}, "--write_to keeps what --model embeds"),
        ({"model": "x", "output": "z.csv"}, r"ending in \.json"),
    ):
        with pytest.raises(ClacInputError, match=reason):
            OpenBenchmarkArguments(str(benchmark), **options)
    with pytest.raises(ClacInputError, match="no such directory; write it with"):
        run(OpenBenchmarkArguments(str(tmp_path / "nothing"), model="clac-mini"))
    tables = read_benchmark(benchmark)
    files = write(tmp_path, np.ones((24, 3)), np.ones((len(tables["texts"]), 2)), tables)
    with pytest.raises(ClacInputError, match=r"vectors of 3 numbers, .* of 2"):
        run(OpenBenchmarkArguments(str(benchmark), **files))
    with pytest.raises(ClacInputError, match="--pools 1000: the split test has 24 crystals"):
        build(BenchmarkArguments(str(tmp_path / "new"), input=str(crystals), pools=[1000]))
    with pytest.raises(ClacInputError, match="choose from validation, test"):
        BenchmarkArguments("x", split="train")
    assert not (tmp_path / "new").exists()


def test_damaged_benchmarks(benchmark: Path, tmp_path: Path) -> None:
    with pytest.raises(ClacInputError, match=r"texts\.parquet: missing"):
        read_benchmark(tmp_path)
    for name in SCHEMAS:
        (tmp_path / f"{name}.parquet").write_bytes((benchmark / f"{name}.parquet").read_bytes())
    pq.write_table(pa.table({"pool": ["8"], "material_id": ["mp-0"]}), tmp_path / "pools.parquet")
    with pytest.raises(ClacInputError, match=r"pools\.parquet: row 0: unknown id mp-0"):
        read_benchmark(tmp_path)
    pq.write_table(pa.table({"pool": ["8"]}), tmp_path / "pools.parquet")
    with pytest.raises(ClacInputError, match="no column material_id"):
        read_benchmark(tmp_path)
    (tmp_path / "pools.parquet").write_bytes(b"nothing")
    with pytest.raises(ClacInputError, match="not a table of the benchmark"):
        read_benchmark(tmp_path)
