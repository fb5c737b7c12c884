"""Two writers, two readers and random kills in one place: what a reader may never see."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

# Forked: a new interpreter would take longer than a round.
_FORK = multiprocessing.get_context("fork")
_ROUND = 0.12  # s


def _write(write: Callable[[int], object], version: int, done: Any, errors: Any, ready: Any) -> None:
    ready.value = 1
    while True:
        try:
            write(version)
            done.value += 1
        except Exception:
            errors.value += 1
        version ^= 2


def _read(read: Callable[[], object], results: Any, ready: Any) -> None:
    seen: Counter[str] = Counter()
    ready.value = 1
    until = time.monotonic() + _ROUND
    while time.monotonic() < until:
        seen[_outcome(read)] += 1
    results.put(seen)


def _outcome(read: Callable[[], object]) -> str:
    try:
        read()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "whole"


def two_writers(
    write: Callable[[int], object], read: Callable[[], object], reset: Callable[[], object], rounds: int, seed: int = 0
) -> dict[str, Counter[str]]:
    """
    Write to one place with two processes that are killed at random moments, while two others read from it.

    Args:
        write: Writes one of the contents 0 to 3.
        read: Reads what was written; raises an error if it is missing, damaged or a mixture.
        reset: Makes the place ready to be written to again after a loss.
        rounds: Number of rounds. In each one, both writers are started and killed.
        seed: Seed of the moments.

    Returns:
        Counts of what the readers saw meanwhile (`reads`), of what was there after each round (`after`), and of
        `writes` that succeeded or failed.
    """
    generator = random.Random(seed)
    counts: dict[str, Counter[str]] = {"reads": Counter(), "after": Counter(), "writes": Counter()}
    write(0)
    for _ in range(rounds):
        results = _FORK.SimpleQueue()
        # Without a lock, which a killed process would keep.
        done, errors, ready = ([_FORK.RawValue("i", 0) for _ in range(4)] for _ in range(3))
        writers = [_FORK.Process(target=_write, args=(write, n, done[n], errors[n], ready[n])) for n in range(2)]
        readers = [_FORK.Process(target=_read, args=(read, results, ready[2 + n])) for n in range(2)]
        for process in (*writers, *readers):
            process.start()
        while not all(value.value for value in ready):
            time.sleep(0.001)
        for process in writers:
            time.sleep(generator.uniform(0.2, 0.5) * _ROUND)
            process.kill()
        for _ in readers:
            counts["reads"] += results.get()
        for process in (*writers, *readers):
            process.join()
        counts["writes"]["done"] += sum(value.value for value in done)
        counts["writes"]["failed"] += sum(value.value for value in errors)
        counts["after"][_outcome(read)] += 1
        if _outcome(read) != "whole":
            reset()
            write(0)
    return counts


__all__ = ["two_writers"]
