"""Reports of the crystal-text benchmark: tables in markdown and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evaluation.metrics.pools import DIRECTIONS
from evaluation.reports.figures import COLUMN_WIDTH, DIRECTION_LABELS, SETTINGS, write_report
from evaluation.reports.tables import markdown_table


def benchmark_markdown(result: Mapping[str, Any]) -> str:
    """Return the tables in markdown, with their caption and the command that produced them."""
    header = ["task", "pool", "texts"]
    header += [f"{label}, {score}" for label in DIRECTION_LABELS.values() for score in ("top-1", "top-10", "MRR")]
    rows = []
    for row in result["retrieval"]:
        cells = [row["task"].replace("_", " "), f"{row['pool']:,}", f"{row['queries']:,}"]
        for direction in DIRECTIONS:
            scores = row[direction]
            cells += [_with_interval(scores["top_1"], scores["intervals"]["top_1"])]
            cells += [f"{scores[name]:.3f}" for name in ("top_10", "mrr")]
        rows.append(cells)
    phrases = result["phrases"]
    kinds = [[f"· {kind}", str(own["concepts"]), f"{own['share']:.3f}"] for kind, own in phrases["kinds"].items()]
    average = ["all concepts", str(phrases["concepts"]), _with_interval(phrases["share"], phrases["interval"])]
    questions = [
        [
            level.replace("_", " "),
            f"{own['questions']:,}",
            _with_interval(own["accuracy"], own["interval"]),
            _with_interval(own["balanced_accuracy"], own["balanced_interval"]),
            f"{own['chance']:.3f}",
        ]
        for level, own in result["questions"]["levels"].items()
    ]
    return "\n".join(
        [
            markdown_table(header, rows),
            "",
            markdown_table(("phrases", "concepts", "share of the possible precision@10"), [average, *kinds]),
            "",
            markdown_table(("questions", "number", "accuracy", "balanced accuracy", "chance"), questions),
            "",
            _caption(result),
            "",
            f"    {result['command']}",
            "",
        ]
    )


def _caption(result: Mapping[str, Any]) -> str:
    weights = f" (weights {result['fingerprint']})" if result["fingerprint"] else ""
    return (
        f"{result['model']}{weights}, {result['dimension']} dimensions, benchmark {result['benchmark']}. Ranked by the "
        f"cosine. Intervals: 95 %, bootstrap. Seed {result['seed']}, commit {result['commit'] or 'unknown'}."
    )


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def benchmark_figure(result: Mapping[str, Any]) -> Figure:
    """
    Draw the scores of all parts: top-1 in the largest pool, phrases, and questions with their chance.

    Args:
        result: Result of `evaluation.open_benchmark`.
    """
    largest = max(row["pool"] for row in result["retrieval"])
    bars: list[tuple[str, float, tuple[float, float], float | None]] = [
        (row["task"].replace("_", " "), scores["top_1"], scores["intervals"]["top_1"], None)
        for row in result["retrieval"]
        for scores in [row["text_to_crystal"]]
        if row["pool"] == largest
    ]
    bars.append(("phrases", result["phrases"]["share"], result["phrases"]["interval"], None))
    bars += [
        (level.replace("_", " "), own["accuracy"], own["interval"], own["chance"])
        for level, own in result["questions"]["levels"].items()
    ]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 0.7 + 0.17 * len(bars)), layout="constrained")
        axes = figure.subplots()
        for place, (_, value, (low, high), chance) in enumerate(bars):
            axes.barh(place, value, height=0.6, color="#0072B2" if chance is None else "#009E73")
            axes.plot([low, high], [place, place], color="0.2", linewidth=0.9)
            if chance is not None:
                axes.plot([chance, chance], [place - 0.4, place + 0.4], color="#D55E00", linewidth=1.2)
        axes.set_yticks(range(len(bars)), [label for label, *_ in bars])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel(f"blue: top-1 among {largest:,}, share of the possible\ngreen: accuracy; line: chance")
        axes.margins(y=0.01)
        axes.grid(axis="x", color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
    return figure


def write_benchmark(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `benchmark.png` and `benchmark.svg`; see `write_report`."""
    return write_report(path, result, benchmark_markdown(result), benchmark_figure(result), "benchmark")


__all__ = ["benchmark_figure", "benchmark_markdown", "write_benchmark"]
