"""Forward passes in threads: order of the results, errors, and the number of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from modeling_clac import ClacEmbedder
from modeling_clac.inference.forward_passes import forward_passes

MODEL = SimpleNamespace(device=torch.device("cpu"))


@pytest.fixture(params=[1, 2, 3, 9])
def num_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def in_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


@pytest.mark.parametrize("size", [0, 1, 2, 40])
def test_results_keep_the_order_of_the_batches(num_threads: int, size: int) -> None:
    def forward(batch: int) -> int:
        time.sleep(0.002 * (batch % 3))
        return batch**2

    assert list(forward_passes(forward, iter(range(size)), MODEL)) == [(batch, batch**2) for batch in range(size)]


def test_workers_share_the_threads_of_torch(num_threads: int) -> None:
    seen: dict[str, int] = {}
    together = threading.Barrier(min(num_threads, 4))

    def forward(batch: int) -> None:
        together.wait(10)
        seen[threading.current_thread().name] = torch.get_num_threads()

    list(forward_passes(forward, iter(range(3 * together.parties)), MODEL))
    assert len(seen) == together.parties
    assert set(seen.values()) == {num_threads // together.parties}
    assert torch.get_num_threads() == num_threads == in_a_new_thread()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("clac-forward")]


def test_a_single_batch_has_the_threads_of_one_worker(num_threads: int) -> None:
    """Threads of one small operation wait for each other, the longer the busier the machine is."""
    ((_, found),) = forward_passes(lambda _: (threading.current_thread(), torch.get_num_threads()), iter([0]), MODEL)
    assert found == (threading.current_thread(), num_threads // min(num_threads, 4))
    assert torch.get_num_threads() == num_threads == in_a_new_thread()
    with pytest.raises(ZeroDivisionError):
        list(forward_passes(lambda batch: 1 // batch, iter([0]), MODEL))
    assert torch.get_num_threads() == num_threads


def test_a_model_with_offloaded_layers_runs_one_batch_at_a_time(num_threads: int) -> None:
    model = SimpleNamespace(device=torch.device("cpu"), hf_device_map={"": "cpu"})
    running = threading.Lock()

    def forward(batch: int) -> int:
        assert running.acquire(blocking=False)
        time.sleep(0.002)
        running.release()
        return torch.get_num_threads()

    assert {threads for _, threads in forward_passes(forward, iter(range(8)), model)} == {num_threads}


@pytest.mark.parametrize("size", [1, 6])
def test_the_autocast_of_the_caller_applies(num_threads: int, size: int) -> None:
    def dtype(_: int) -> torch.dtype:
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    with torch.autocast("cpu", torch.bfloat16):
        assert {found for _, found in forward_passes(dtype, iter(range(size)), MODEL)} == {torch.bfloat16}
    assert {found for _, found in forward_passes(dtype, iter(range(size)), MODEL)} == {torch.float32}


def test_few_batches_are_read_ahead(num_threads: int) -> None:
    read: list[int] = []

    def batches() -> Iterator[int]:
        for batch in count():
            read.append(batch)
            yield batch

    passes = forward_passes(lambda batch: batch, batches(), MODEL)
    for place in range(100):
        assert next(passes) == (place, place)
        assert read[-1] <= place + 8 * min(num_threads, 4)
    passes.close()
    assert torch.get_num_threads() == num_threads == in_a_new_thread()


@pytest.mark.parametrize("place", [0, 1, 7])
def test_errors_reach_the_caller(num_threads: int, place: int) -> None:
    def forward(batch: int) -> int:
        return 1 // (batch - place)

    done = []
    with pytest.raises(ZeroDivisionError):
        for batch, _ in forward_passes(forward, iter(range(20)), MODEL):
            done.append(batch)
    assert done == list(range(place))

    def batches() -> Iterator[int]:
        yield from range(place)
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        list(forward_passes(lambda batch: batch, batches(), MODEL))
    assert torch.get_num_threads() == num_threads == in_a_new_thread()


def test_calls_from_several_threads_at_once() -> None:
    before = torch.get_num_threads()

    def work(offset: int) -> list[int]:
        torch.set_num_threads(3)
        passes = forward_passes(lambda batch: (time.sleep(0.001), batch)[1], iter(range(offset, offset + 20)), MODEL)
        return [result for _, result in passes]

    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(4))) == [list(range(offset, offset + 20)) for offset in range(4)]
        assert in_a_new_thread() == 3
    finally:
        torch.set_num_threads(before)


def test_embeddings_do_not_depend_on_the_number_of_threads(small_checkpoint, cifs: list[str], num_threads: int) -> None:
    embedder = ClacEmbedder.from_pretrained(small_checkpoint)
    embeds = embedder.encode_crystals(cifs, batch_size=3)
    assert not torch.is_inference_mode_enabled()
    torch.set_num_threads(1)
    expected = embedder.encode_crystals(cifs, batch_size=3)
    if num_threads <= 4:  # each worker has one thread
        np.testing.assert_array_equal(embeds, expected)
    np.testing.assert_allclose(embeds, expected, rtol=1e-3, atol=1e-5)
