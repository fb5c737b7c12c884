"""Independent pieces of work, done by one process, several, or a Ray cluster, with the same results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ..errors_clac import ClacInputError, InvalidStructureError
from .progress import progress_bar

T = TypeVar("T")
EXECUTORS = ("local", "ray")
_PROBLEMS = {error.__name__: error for error in (ClacInputError, InvalidStructureError)}


def check_executor(executor: str) -> None:
    """
    Check the name of an executor.

    Raises:
        ClacInputError: If it is unknown, or Ray is not installed.
    """
    if executor not in EXECUTORS:
        raise ClacInputError(f"--executor {executor}: must be one of {', '.join(EXECUTORS)}")
    if executor == "ray":
        try:
            import ray.data  # noqa: F401
        except ImportError:
            raise ClacInputError("--executor ray requires Ray: pip install 'clac-crystals[ray]'") from None


def each_result(
    work: Callable[[T], Any], items: Sequence[T], executor: str, workers: int | None = None, description: str = "parts"
) -> Iterator[Any]:
    """
    Call a function for each item, and yield the results in the order of the items.

    Args:
        work: Function of an importable module, or a `partial` of one. Other processes get a copy of it.
        items: The items.
        executor: `local`, or `ray` for a Ray cluster (a local one is started if none is running).
        workers: Number of items at a time. Default: one with `local`, as many as there are cores with `ray`.
        description: What the items are, for the progress bar.

    Raises:
        ClacInputError: If `work` raises it, the executor is unknown, or Ray is not installed.
    """
    check_executor(executor)
    by = _by_ray if executor == "ray" else _by_processes
    results = by(work, items, workers)
    with progress_bar(description, len(items), None if len(items) > 1 else False) as bar:
        for result in results:
            yield result
            bar.update()


def _by_processes(work: Callable[[T], Any], items: Sequence[T], workers: int | None) -> Iterator[Any]:
    if workers is None or workers == 1 or len(items) <= 1:
        yield from map(work, items)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, because the threads of pyarrow and torch do not survive a fork.
    with ProcessPoolExecutor(min(workers, len(items)), get_context("spawn"), _use_one_thread) as pool:
        yield from pool.map(work, items)


def _use_one_thread() -> None:
    # Before torch is imported: processes that share the cores would wait for each other's threads.
    os.environ["OMP_NUM_THREADS"] = "1"


def _by_ray(work: Callable[[T], Any], items: Sequence[T], workers: int | None) -> Iterator[Any]:
    if not items:
        return
    import pickle

    import ray
    import ray.cloudpickle
    import ray.data

    def one(row: dict[str, Any]) -> dict[str, bytes | str]:
        # Ray Data transfers Arrow rows, so that items, results and errors are encoded.
        try:
            result = work(pickle.loads(row["item"]))
        except ClacInputError as error:
            return {"result": b"", "error": type(error).__name__, "message": str(error)}
        return {"result": pickle.dumps(result), "error": "", "message": ""}

    # The size of a cluster that runs is given.
    started: dict[str, Any] = (
        {} if workers is None or ray.is_initialized() or "RAY_ADDRESS" in os.environ else {"num_cpus": workers}
    )
    ray.init(ignore_reinit_error=True, log_to_driver=False, **started)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    encoded = [{"item": ray.cloudpickle.dumps(item)} for item in items]
    for row in ray.data.from_items(encoded, override_num_blocks=len(encoded)).map(one, concurrency=workers).iter_rows():
        if row["error"]:
            raise _PROBLEMS.get(row["error"], ClacInputError)(row["message"])
        yield pickle.loads(row["result"])


__all__ = ["EXECUTORS", "check_executor", "each_result"]
