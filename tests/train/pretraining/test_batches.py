"""Batches: chemical systems together; a stream that is shuffled, divided, resumed, and never read ahead of need."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_scripts.load_test import LoadTestArguments, build
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.structures_clac import parse_structure
from tests.helpers.pretraining import assert_same_inputs
from train.pretraining.batches import PairBatches, StreamedBatches, arrange
from train.pretraining.collator import Collator
from train.pretraining.pairs import TextStyle, parse_crystals

ROWS, SHARDS = 240, 6


@pytest.fixture(scope="module")
def sharded(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("load") / "data"
    build(LoadTestArguments(str(directory), rows=ROWS, shards=SHARDS))
    return directory


def stream(sharded: Path, processor, batch_size: int = 8, steps: int = 10, **options) -> StreamedBatches:
    collator, style = Collator(processor, 48), TextStyle(0.3, 0.6, 0.1, 0.1)
    return StreamedBatches(str(sharded), "train", collator, style, batch_size, 0, steps, 32, **options)


def ids(batches: StreamedBatches, epoch: int = 0) -> list[str]:
    return [name for batch in batches.epoch(epoch) for name in batch.material_ids]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.integers(1, 9), st.integers(0, 5))
def test_arrangement(systems: list[int], batch_size: int, seed: int) -> None:
    """Whole batches, no row twice; a group that fits stays in one run of rows of equal length."""
    groups = [np.flatnonzero(np.array(systems) == system) for system in sorted(set(systems))]
    lengths = np.random.default_rng(seed).integers(1, 99, len(systems)).tolist()
    plan = arrange(groups, lengths, batch_size, np.random.default_rng(seed))
    assert len(plan) == len(systems) // batch_size and all(len(batch) == batch_size for batch in plan)
    rows = np.concatenate([*plan, np.zeros(0, dtype=int)])
    assert len(rows) == len(set(rows.tolist())) <= len(systems)


def test_neighbours_in_composition_share_a_batch() -> None:
    groups = [np.arange(4 * g, 4 * g + 4) for g in range(32)]
    plan = arrange(groups, [10] * 128, 16, np.random.default_rng(0))
    assert all(len(set((batch // 4).tolist())) == 4 for batch in plan)


def test_load_test_crystals_are_what_their_records_say(sharded) -> None:
    rows = [row for file in sorted(sharded.glob("train-*.parquet")) for row in pq.read_table(file).to_pylist()]
    assert len(rows) == ROWS == len({row["material_id"] for row in rows}) and all(row["load_test"] for row in rows)
    for row in rows[::7]:
        crystal = parse_structure(row["cif"])
        assert crystal.volume == pytest.approx(row["volume"], rel=2e-3)
        assert crystal.density == pytest.approx(row["density"], rel=5e-3)
    assert "not science" in (sharded / "README.md").read_text()
    with pytest.raises(ClacInputError, match="already exists"):
        build(LoadTestArguments(str(sharded)))


def test_an_epoch_is_a_function_of_seed_and_epoch(sharded, small_processor) -> None:
    first, again = (list(stream(sharded, small_processor).epoch(3)) for _ in range(2))
    assert [batch.material_ids for batch in first] == [batch.material_ids for batch in again]
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one.chunks[0].tokens["input_ids"], two.chunks[0].tokens["input_ids"])
    assert ids(stream(sharded, small_processor), 4) != ids(stream(sharded, small_processor), 3)


def test_twins_differ_from_their_originals_in_a_number(sharded, small_processor) -> None:
    plain = list(stream(sharded, small_processor).epoch(0))
    batches = list(stream(sharded, small_processor, twins=0.25).epoch(0))
    for batch, before in zip(batches, plain, strict=True):
        twins = [place for place, name in enumerate(batch.material_ids) if "expanded by" in name]
        assert len(twins) == 2
        kept = [place for place in range(8) if place not in twins]
        assert [batch.material_ids[place] for place in kept] == [before.material_ids[place] for place in kept]
        graphs, labels = batch.chunks[0].graphs, batch.labels.crystals.identity
        for twin in twins:
            original = batch.material_ids.index(batch.material_ids[twin].split(" expanded")[0])
            assert graphs["num_atoms"][twin] == graphs["num_atoms"][original]
            assert 0.005 < abs(float(graphs["density"][twin] / graphs["density"][original]) - 1) < 0.25
            assert labels[twin] != labels[original]
    again = list(stream(sharded, small_processor, twins=0.25).epoch(0, first_batch=8))
    assert again[0].material_ids == batches[8].material_ids


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("first", [3, 8, 9])
def test_a_stream_continues_inside_an_epoch(sharded, small_processor, on_error, first) -> None:
    whole = list(stream(sharded, small_processor, on_error=on_error).epoch(1))
    rest = list(stream(sharded, small_processor, on_error=on_error).epoch(1, first_batch=first))
    assert [batch.material_ids for batch in whole[first:]] == [batch.material_ids for batch in rest]
    assert_same_inputs(whole[first].chunks[0], rest[0].chunks[0])


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_read_different_rows(sharded, small_processor, processes) -> None:
    """Two processes divide the six files, four divide the rows; together they read each row once."""
    size = ROWS // processes
    parts = [
        ids(stream(sharded, small_processor, size // 3, 3, process_index=p, num_processes=processes))
        for p in range(processes)
    ]
    seen = [name for part in parts for name in part]
    assert len(seen) == len(set(seen)) == ROWS


def test_processes_get_texts_of_similar_length(small_processor, sharded, records) -> None:
    """At every step, from memory and from a stream, so that no process waits for another."""
    crystals, kept, _ = parse_crystals(records[:128], small_processor, "raise", show_progress=False)

    def lengths(process: int, streamed: bool) -> np.ndarray:
        shared = {"process_index": process, "num_processes": 2}
        if streamed:
            batches = stream(sharded, small_processor, 8, 8, **shared)
        else:
            collator = Collator(small_processor, 48)
            batches = PairBatches(crystals, kept, collator, TextStyle(0.3, 0.6, 0.1, 0.1), 8, 0, **shared)
        tokens = [batch.chunks[0].tokens["attention_mask"] for batch in batches.epoch(0)]
        return np.array([float(mask.sum()) for mask in tokens])

    for streamed in (False, True):
        first, second = lengths(0, streamed), lengths(1, streamed)
        assert len(first) == 8 and first.std() > 0
        apart = np.abs(first - second).mean()
        assert apart < 0.5 * np.abs(first - np.roll(second, 1)).mean()


def test_an_epoch_longer_than_the_data_starts_over_in_another_order(sharded, small_processor) -> None:
    seen = ids(stream(sharded, small_processor, 16, 30))
    assert set(Counter(seen).values()) == {2} and seen[:ROWS] != seen[ROWS:]


def broken(sharded: Path, directory: Path, share: int) -> Path:
    """Copy a data set and truncate every `share`-th CIF."""
    directory.mkdir()
    for file in sharded.iterdir():
        if file.name.startswith("train"):
            table = pq.read_table(file)
            cifs = [cif[:99] if row % share == 0 else cif for row, cif in enumerate(table["cif"].to_pylist())]
            column = table.schema.get_field_index("cif")
            cut = pa.array(cifs, table.schema.field("cif").type)
            pq.write_table(table.set_column(column, "cif", cut), directory / file.name)
        else:
            (directory / file.name).write_bytes(file.read_bytes())
    return directory


def test_unusable_rows_of_a_stream(sharded, small_processor, tmp_path) -> None:
    some = broken(sharded, tmp_path / "some", 5)
    batches = stream(some, small_processor, on_error="skip")
    assert len(ids(batches)) == 80 and 5 < len(batches.skipped) < 60
    with pytest.raises(ClacInputError, match="load-test"):
        ids(stream(some, small_processor))
    with pytest.raises(ClacInputError, match="none usable of"):
        ids(stream(broken(sharded, tmp_path / "all", 1), small_processor, on_error="skip"))


def test_missing_column(sharded, small_processor, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    table = pq.read_table(sharded / "validation.parquet").drop_columns(["formula"])
    pq.write_table(table, tmp_path / "data" / "train.parquet")
    with pytest.raises(ClacInputError, match="columns formula missing"):
        stream(tmp_path / "data", small_processor)
