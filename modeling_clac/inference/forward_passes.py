"""Run a network on batches while the next batches are being read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

# More threads would wait for the Python interpreter lock instead of computing.
_MAX_WORKERS = 4
_STARTING = threading.Lock()


def forward_passes(forward: Callable[[T], R], batches: Iterator[T], model: Any) -> Iterator[tuple[T, R]]:
    """
    Run a network on batches and yield the results in order.

    The calling thread reads the batches. On a CPU, several threads run the network and share the cores that torch uses,
    because the operations of message passing are too small to be divided among cores. A single batch is run in the
    calling thread.

    Args:
        forward: Function that runs the network on a batch. It is called from several threads at once, with the autocast
            settings of the caller.
        batches: The batches. Only a few are read ahead, so that inputs of any length fit in memory.
        model: The network, a `PreTrainedModel`.

    Yields:
        Each batch with the result of `forward`.
    """
    first = list(islice(batches, 2))
    if len(first) < 2:
        for batch in first:
            yield batch, forward(batch)
        return
    kind = model.device.type
    # The hooks that load offloaded layers are not thread-safe.
    in_parallel = kind == "cpu" and not hasattr(model, "hf_device_map")
    num_workers = min(torch.get_num_threads(), _MAX_WORKERS) if in_parallel else 1
    autocast, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)

    def work(batch: T) -> R:
        with torch.autocast(kind, dtype, enabled=autocast):
            return forward(batch)

    running: deque[tuple[T, Future[R]]] = deque()
    with _workers(num_workers) as pool:
        for batch in chain(first, batches):
            running.append((batch, pool.submit(work, batch)))
            if len(running) > num_workers + 1:
                done, future = running.popleft()
                yield done, future.result()
        for done, future in running:
            yield done, future.result()


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
