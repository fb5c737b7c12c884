"""Reports of inverse design: a markdown table, and Pareto fronts for two properties."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report
from evaluation.reports.tables import markdown_table
from modeling_clac.data.properties import PROPERTIES

_ORDER = ("embeddings", "estimates", "nearest composition", "random", "best possible")
_HITS = {"embeddings": ("#0072B2", "o"), "estimates": ("#009E73", "s"), "nearest composition": ("#D55E00", "^")}
_LABELS = {"estimates": "search with estimates"}


def _task_label(task: Mapping[str, Any]) -> str:
    rows = [PROPERTIES[column] for column in task["properties"]]
    if len(rows) > 1:
        return f"{' and '.join(row.label for row in rows)} (standard deviations)"
    return f"{rows[0].label} ({rows[0].unit})" if rows[0].unit else rows[0].label


def design_markdown(result: Mapping[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    ways = [way for way in _ORDER if any(way in task["ways"] for task in result["tasks"].values())]
    tops = list(next(iter(next(iter(result["tasks"].values()))["ways"].values()))["mae"])
    header = ("target", "crystals", "ranked by", *(f"MAE of {k}" for k in tops), "rank correlation", "dominating")
    rows = []
    for task in result["tasks"].values():
        digits = 3 if max(task["ways"]["random"]["mae"][k]["mean"] for k in tops) < 10 else 1
        for way in ways:
            own = task["ways"][way]
            cells = [
                _task_label(task),
                f"{task['crystals']:,}",
                _LABELS.get(way, way),
                *(_with_interval(own["mae"][k], digits) for k in tops),
                _with_interval(own["rank_correlation"], 2),
                _with_interval(own["dominating"], 3) if "dominating" in own else "",
            ]
            rows.append(cells)
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), crystals of the split {result['split']} with known "
        f"values, {result['arguments']['targets']} targets for each line, from the training crystals. Mean absolute "
        "error of the first k crystals, or of all if there are fewer; for two properties the mean of both in standard "
        "deviations of training. Rank correlation of score and nearness over all crystals. Nearest composition: by the "
        "composition of the training crystal nearest to the target. Random: expected value. Dominating: share of the "
        "crystals that are better in one property and not worse in the other than the first ten. Intervals: 95 %, "
        "bootstrap over the targets. "
        f"Seed {result['seed']}, commit {result['commit'] or 'unknown'}."
    )
    return "\n".join([markdown_table(header, rows), "", caption, "", f"    {result['command']}", ""])


def _with_interval(entry: Mapping[str, Any], digits: int) -> str:
    low, high = entry["interval"]
    return f"{entry['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def pareto_front(distances: np.ndarray) -> np.ndarray:
    """
    Find the points that no other point improves in one distance without a larger one in the other.

    Args:
        distances: `(n, 2)`.

    Returns:
        Rows of the front, by the first distance.
    """
    order = np.lexsort((distances[:, 1], distances[:, 0]))
    front, best = [], np.inf
    for row in order.tolist():
        if distances[row, 1] < best:
            front.append(row)
            best = distances[row, 1]
    return np.array(front)


def pareto_figure(result: Mapping[str, Any]) -> Figure:
    """
    Draw the distances of all crystals from the first target of each pair of properties, the Pareto front and the hits.

    Args:
        result: Result of `evaluation.inverse_design`.
    """
    pairs = [task for task in result["tasks"].values() if len(task["properties"]) == 2]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, max(1.0, 2.5 * len(pairs))), layout="constrained")
        panels = figure.subplots(max(1, len(pairs)), 1, squeeze=False)[:, 0]
        for panel, task in zip(panels, pairs, strict=False):
            distances = np.array(task["example"]["distances"])
            panel.scatter(*distances.T, s=3, color="0.75", linewidths=0, label="all crystals")
            front = distances[pareto_front(distances)]
            panel.step(*front.T, where="post", color="black", marker=".", label="Pareto front")
            for way, (colour, marker) in _HITS.items():
                if way in task["example"]["hits"]:
                    hits = distances[task["example"]["hits"][way]]
                    style = {"s": 14, "facecolors": "none", "edgecolors": colour, "linewidths": 0.9}
                    panel.scatter(*hits.T, marker=marker, label=f"first ten, {_LABELS.get(way, way)}", **style)
            names = [PROPERTIES[column] for column in task["properties"]]
            labels = [f"|Δ {row.label}| ({row.unit})" if row.unit else f"|Δ {row.label}|" for row in names]
            panel.set_xlabel(labels[0])
            panel.set_ylabel(labels[1])
            panel.set_title(task["targets"][0]["text"], loc="left", fontsize=6)
            # A little below zero, so that marks on the axes are whole.
            panel.set_xlim(left=-0.02 * distances[:, 0].max())
            panel.set_ylim(bottom=-0.02 * distances[:, 1].max())
        if pairs:
            handles, names_shown = panels[0].get_legend_handles_labels()
            figure.legend(handles, names_shown, loc="outside lower center", ncols=2, frameon=False)
        else:
            panels[0].text(0.5, 0.5, "no pair of properties", ha="center", va="center", transform=panels[0].transAxes)
            panels[0].set_axis_off()
    return figure


def write_design(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `pareto.png` and `.svg`; see `write_report`."""
    return write_report(path, result, design_markdown(result), pareto_figure(result), "pareto")


__all__ = ["design_markdown", "pareto_figure", "pareto_front", "write_design"]
