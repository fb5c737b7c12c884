"""Many batches through a network, while the next ones are being read."""

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

# More take turns in Python instead of computing.
_MAX_WORKERS = 4
_STARTING = threading.Lock()


def forward_passes(forward: Callable[[T], R], batches: Iterator[T], model: Any) -> Iterator[tuple[T, R]]:
    """
    Apply a network to batches, in their order.

    Batches are read by the calling thread. On a CPU several threads run the network, which share the cores that torch
    uses: the operations of message passing are too small to be divided among cores. A single batch is run by the
    calling thread.

    Args:
        forward: applies the network to a batch; called from several threads at once, under the autocast of the caller.
        batches: read a few ahead, so that many fit in memory.
        model: the network, a `PreTrainedModel`.

    Yields:
        Each batch with what `forward` returns.
    """
    first = list(islice(batches, 2))
    if len(first) < 2:
        for batch in first:
            yield batch, forward(batch)
        return
    kind = model.device.type
    # The hooks that load offloaded layers cannot be run twice at a time.
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
    """Threads that share the cores of the calling thread's torch."""
    num_threads = torch.get_num_threads()
    started = threading.Barrier(num_workers + 1)
    pool = ThreadPoolExecutor(num_workers, "clac-forward", _use_threads, (num_threads // num_workers,))
    try:
        # A number that is set in one thread becomes the default of threads that start later. So all workers start now,
        # and then the default is set again.
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
    # Asking for the number first takes over the default, which torch would else do later and undo what is set here.
    torch.get_num_threads()
    torch.set_num_threads(num_threads)


__all__ = ["forward_passes"]
