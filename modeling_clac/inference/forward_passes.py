"""Run a network on many batches, in several threads on a CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

# More threads would wait for the Python interpreter lock instead of computing.
_MAX_WORKERS = 4
# Batches that a thread gets at a time: enough for all threads to end at about the same time.
_BATCHES_EACH = 8
_STARTING = threading.Lock()


def forward_passes(forward: Callable[[T], R], batches: Iterator[T], model: Any) -> Iterator[tuple[T, R]]:
    """
    Run a network on batches and yield the results in order.

    The operations of message passing are too small to be divided among the cores of a CPU: threads of one operation
    wait for each other, and if another program keeps a core, they wait for most of the time. Therefore several threads
    run the network and share the cores that torch uses, with one thread of torch each on up to four cores, and so does
    a single batch. They take turns with the reading of batches, because both need the Python interpreter lock. On an
    accelerator the next batch is read while the network runs.

    Args:
        forward: runs the network on a batch; may be called from several threads at once.
        batches: read ahead by as many as the threads take at a time, so inputs of any length fit in memory.
        model: the network, a `PreTrainedModel`.

    Yields:
        Each batch with what `forward` returns.
    """
    if model.device.type != "cpu":
        yield from ((batch, forward(batch)) for batch in _one_ahead(batches))
        return
    # The hooks that load offloaded layers cannot run in two threads at once.
    num_workers = 1 if hasattr(model, "hf_device_map") else min(torch.get_num_threads(), _MAX_WORKERS)
    if num_workers == 1:
        yield from ((batch, forward(batch)) for batch in batches)
        return
    first = list(islice(batches, 2))
    if len(first) < 2:
        for batch in first:
            with _fewer_threads(num_workers):
                result = forward(batch)
            yield batch, result
        return
    autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def work(batch: T) -> R:
        with torch.autocast("cpu", dtype, enabled=autocast):
            return forward(batch)

    batches = chain(first, batches)
    with _workers(num_workers) as pool:
        while group := list(islice(batches, _BATCHES_EACH * num_workers)):
            yield from zip(group, pool.map(work, group), strict=True)


def _one_ahead(batches: Iterator[T]) -> Iterator[T]:
    """Yield the same batches; a thread reads the next one while the caller works on the last."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, batches, None)
            yield batch


@contextmanager
def _fewer_threads(num_workers: int) -> Iterator[None]:
    """Give the operations of the calling thread as many threads of torch as those of one of several workers have."""
    num_threads = torch.get_num_threads()
    with _STARTING:
        torch.set_num_threads(num_threads // num_workers)
    try:
        yield
    finally:
        with _STARTING:
            torch.set_num_threads(num_threads)


@contextmanager
def _workers(num_workers: int) -> Iterator[ThreadPoolExecutor]:
    """Start threads that share the cores of the calling thread's torch."""
    num_threads = torch.get_num_threads()
    started = threading.Barrier(num_workers + 1)
    pool = ThreadPoolExecutor(num_workers, "clac-forward", _use_threads, (num_threads // num_workers,))
    try:
        # The number set in one thread becomes the default of threads that start later. Therefore start all workers
        # first, then restore the default.
        with _STARTING:
            for _ in range(num_workers):
                pool.submit(started.wait)
            started.wait()
            torch.set_num_threads(num_threads)
        yield pool
    finally:
        started.abort()
        pool.shutdown(cancel_futures=True)


def _use_threads(num_threads: int) -> None:
    # Reading the number initializes it to the default. Otherwise torch would do so later and override the setting.
    torch.get_num_threads()
    torch.set_num_threads(num_threads)


__all__ = ["forward_passes"]
