"""Damaged and hostile files give a finite graph or an input error, in bounded time and memory."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .campaign import VALID, Worker
from .hostile import hostile_files
from .mutations import damaged, seeds


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.stop()


@given(st.sampled_from(seeds()), st.randoms(use_true_random=False), st.sampled_from(["keep", "keep", "keep", "order"]))
@settings(max_examples=2_000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_damaged_files(worker: Worker, path, random: Random, disorder: str):
    text = damaged(random, path.read_bytes().decode("utf-8", "surrogateescape"))
    content = text.encode("utf-8", "surrogatepass") if random.randrange(3) == 0 else text
    outcome, seconds = worker.examine(content, disorder)
    assert outcome in VALID, f"{path.name}: {outcome} after {seconds:.1f} s"


@pytest.mark.parametrize("name, text", [pytest.param(*file, id=file[0]) for file in hostile_files()])
def test_hostile_files(worker: Worker, name: str, text: str):
    outcome, seconds = worker.examine(text)
    assert outcome in VALID, f"{name}: {outcome} after {seconds:.1f} s"
