"""Table and plot of the benchmark of large indexes."""

from __future__ import annotations

from statistics import median
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS
from evaluation.reports.tables import markdown_table

_STYLES = {
    "clac": ("#0072B2", "o", "exact"),
    "clac --ann": ("#D55E00", "s", "graph of neighbours"),
    "faiss flat": ("#009E73", "^", "faiss flat, float32"),
    "usearch exact": ("#CC79A7", "D", "usearch, exact"),
}


def scale_table(result: dict[str, Any]) -> str:
    """
    Write the figures as markdown, one row for each size and way.

    Args:
        result: Result of `evaluation.benchmarks.scale`.
    """
    header = (
        "crystals", "way", "build, s", "on disk, GB", "load, s", "memory, GB", "query, ms", "CPU, ms",
        "oxides, ms",
        "Li, gap > 3 eV, ms", "read from text, ms", "recall@10",
    )  # fmt: skip
    rows = []
    for count, size in result["sizes"].items():
        for way, found in size["ways"].items():
            filtered = list(found.get("filtered_ms", {}).values())
            understood = [value for values in found.get("understood_ms", {}).values() for value in values["wall"]]
            rows.append(
                [
                    f"{int(count):,}",
                    _STYLES[way][2],
                    _number(found.get("build_s"), 1),
                    _number(found.get("size_gb"), 2),
                    _number(found.get("load_s"), 2),
                    _number(found["memory_gb"]["resident"], 2),
                    _number(median(found["query_ms"]["wall"]), 1),
                    _number(median(found["query_ms"]["cpu"]), 1),
                    *(_number(median(values["wall"]), 1) for values in filtered),
                    *[""] * (2 - len(filtered)),
                    _number(median(understood) if understood else None, 0),
                    _number(found.get("recall"), 3),
                ]
            )
    return markdown_table(header, rows)


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def scale_figure(result: dict[str, Any]) -> Figure:
    """
    Draw time of a query, of all its threads, and memory against the number of crystals.

    Args:
        result: Result of `evaluation.benchmarks.scale`.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 4.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        for way, (colour, marker, label) in _STYLES.items():
            points = [
                (int(count), median(size["ways"][way]["query_ms"]["cpu"]), size["ways"][way]["memory_gb"]["resident"])
                for count, size in result["sizes"].items()
                if way in size["ways"]
            ]
            if points:
                counts, times, memory = zip(*points, strict=True)
                upper.plot(counts, times, color=colour, marker=marker, label=label)
                lower.plot(counts, memory, color=colour, marker=marker)
        for panel, title in ((upper, "query without filters, ms of a core"), (lower, "memory of the process, GB")):
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_title(title, loc="left")
            panel.grid(color="0.9", linewidth=0.5)
            panel.set_axisbelow(True)
        lower.set_xlabel("crystals")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


__all__ = ["scale_figure", "scale_table"]
