"""Shared code of the benchmarks: drawing crystals, timing alternating runs, and reporting."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from modeling_clac.data.bundled import bundled_crystals


def draw_crystals(count: int, seed: int) -> list[str]:
    """Return the CIFs of `count` random crystals of the bundled data set, or of all in random order if it is 0."""
    cifs = bundled_crystals()["cif"].to_pylist()
    return [cifs[row] for row in np.random.default_rng(seed).permutation(len(cifs))[: count or None]]


def timed(work: Callable[[], Any]) -> float:
    """Call `work` and return its wall time in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# Arguments with local paths, which are not part of a result.
_PLACES = ("text_model_path", "output", "worker_output")


def write_figures(figures: Mapping[str, Any], output: str | None) -> None:
    """Write the figures as JSON if a path is given, without local paths among the `arguments`."""
    if output is not None:
        arguments = {name: value for name, value in figures.get("arguments", {}).items() if name not in _PLACES}
        figures = {**figures, "arguments": arguments} if arguments else figures
        path = Path(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Comparison:
    """
    Timings of several implementations of the same task; the first is ours.

    Attributes:
        seconds: Seconds of each run, by the name of the implementation.
        count: Number of crystals that a run processes.
    """

    seconds: dict[str, list[float]]
    count: int

    @classmethod
    def measure(cls, ways: Mapping[str, Callable[[], Any]], count: int, repeats: int) -> Comparison:
        """
        Time the implementations in alternating runs, so that a busy machine slows down all of them.

        Args:
            ways: Implementations by name.
            count: Number of crystals that a run processes.
            repeats: Number of runs of each.
        """
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                seconds[name].append(timed(way))
        return cls(seconds, count)

    def report(self, title: str) -> dict[str, Any]:
        """
        Print a table of rates and ratios.

        Returns:
            `count`, and `ways` with the seconds, the rate and the ratio to ours of each implementation.
        """
        ours = next(iter(self.seconds))
        table = Table(title=title, caption=f"best of {len(self.seconds[ours])} alternating runs")
        for column in ("", "seconds", "crystals/s", f"times as long as {ours}", "range"):
            table.add_column(column, justify="left" if not column else "right")
        ways = {}
        for name, runs in self.seconds.items():
            ratios = [run / own for run, own in zip(runs, self.seconds[ours], strict=True)]
            ways[name] = {
                "seconds": min(runs),
                "per_second": self.count / min(runs),
                "ratio": min(runs) / min(self.seconds[ours]),
                "ratio_median": median(ratios),
            }
            figures, spread = ways[name], f"{min(ratios):.1f}-{max(ratios):.1f}"
            table.add_row(
                name,
                f"{figures['seconds']:.3f}",
                f"{figures['per_second']:,.0f}",
                f"{figures['ratio']:.1f}",
                "" if name == ours else spread,
            )
        Console().print(table)
        return {"count": self.count, "ways": ways}
