"""Reports of the comparison of retrieval protocols: a markdown table and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from evaluation.metrics.pools import DIRECTIONS
from evaluation.reports.figures import COLUMN_WIDTH, DIRECTION_LABELS, SETTINGS, write_report
from evaluation.reports.tables import markdown_table
from evaluation.texts.query_sources import SOURCES

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_MARKERS = {"text_to_crystal": "o", "crystal_to_text": "s"}


def protocols_markdown(result: Mapping[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    header = ["texts", "split", "formula", "pool", "texts scored"]
    header += [f"{label}, {score}" for label in DIRECTION_LABELS.values() for score in ("top-1", "top-10", "MRR")]
    rows = []
    for split, own in result["splits"].items():
        for row in own["rows"]:
            label, formula = SOURCES[row["source"]]
            cells = [label, split, formula, f"{row['pool']:,}", f"{row['queries']:,}"]
            for direction in DIRECTIONS:
                scores = row[direction]
                low, high = scores["intervals"]["top_1"]
                cells += [f"{scores['top_1']:.3f} [{low:.3f}, {high:.3f}]"]
                cells += [f"{scores[name]:.3f}" for name in ("top_10", "mrr")]
            rows.append(cells)
    return "\n".join([markdown_table(header, rows), "", _caption(result), "", f"    {result['command']}", ""])


def _caption(result: Mapping[str, Any]) -> str:
    splits = "; ".join(
        f"{name}: {own['model']} (weights {own['fingerprint']}), {own['split_size']:,} crystals, the formulas of "
        f"{100 * own['known_formulas']:.0f} % of which are in training"
        for name, own in result["splits"].items()
    )
    return (
        f"Split {result['split']}; {splits}. Crystal → text ranks the texts of the same kind. Several texts of one "
        "crystal are several queries, of which a perfect model gets one right at rank 1. Intervals: 95 %, bootstrap "
        f"over the queries. Seed {result['seed']}, commit {result['commit'] or 'unknown'}."
    )


def protocols_figure(result: Mapping[str, Any]) -> Figure:
    """
    Draw the top-1 accuracy of each source of texts, by size of the pool and by split.

    Args:
        result: Result of `evaluation.retrieval_protocols`.
    """
    series = list(dict.fromkeys((split, row["pool"]) for split, own in result["splits"].items() for row in own["rows"]))
    names = list(dict.fromkeys(row["source"] for own in result["splits"].values() for row in own["rows"]))
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 0.9 + 0.32 * len(names)), layout="constrained")
        axes = figure.subplots()
        for place, (split, pool) in enumerate(series):
            colour = _COLOURS[place % len(_COLOURS)]
            shift = 0.6 * ((place + 0.5) / len(series) - 0.5)
            for row in (row for row in result["splits"][split]["rows"] if row["pool"] == pool):
                for direction in DIRECTIONS:
                    scores, height = row[direction], names.index(row["source"]) + shift
                    low, high = scores["intervals"]["top_1"]
                    axes.plot([low, high], [height, height], color=colour, linewidth=0.8)
                    axes.plot(scores["top_1"], height, marker=_MARKERS[direction], color=colour, linestyle="")
        labels = [SOURCES[name][0].replace(", ", ",\n") for name in names]
        axes.set_yticks(range(len(names)), labels)
        axes.invert_yaxis()
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel("top-1 accuracy")
        axes.grid(axis="x", color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        handles = [
            Line2D([], [], color=_COLOURS[place % len(_COLOURS)], label=f"{pool:,} crystals, {split}")
            for place, (split, pool) in enumerate(series)
        ]
        handles += [
            Line2D([], [], color="0.3", linestyle="", marker=_MARKERS[direction], label=label)
            for direction, label in DIRECTION_LABELS.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def write_protocols(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `protocols.png` and `protocols.svg`; see `write_report`."""
    return write_report(path, result, protocols_markdown(result), protocols_figure(result), "protocols")


__all__ = ["protocols_figure", "protocols_markdown", "write_protocols"]
