"""Reports of the matrix of materials and applications: tables in markdown, and a matrix of dots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report
from evaluation.reports.tables import markdown_table

_LARGEST = 110.0  # points², area of the largest dot
_RINGS = {2: ("#D55E00", 1.2), 1: ("#E69F00", 0.8)}


def applications_markdown(result: dict[str, Any]) -> str:
    """Return the scores and the agreement in markdown, with their caption and the command that produced them."""
    scores = np.array(result["scores"])
    blocks = []
    if not result["large"]:
        ranks = (scores[:, None, :] > scores[:, :, None]).sum(axis=2) + 1
        header = ["material", *result["applications"]]
        rows = [
            (name, *(f"{value:.2f} ({rank})" for value, rank in zip(own, place, strict=True)))
            for name, own, place in zip(result["materials"], scores, ranks, strict=True)
        ]
        blocks.append(markdown_table(header, rows))
    blocks += _agreement(result)
    unit = "standard deviations above the mean of other crystals" if result["background"] else "cosines"
    ranked = "" if result["large"] else "; in brackets the rank among the applications of the material"
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), {len(result['materials'])} materials, "
        f"{len(result['applications'])} applications, seed {result['seed']}, commit {result['commit'] or 'unknown'}. "
        f"Scores are {unit}{ranked}."
    )
    return "\n\n".join([*blocks, caption, f"    {result['command']}", ""])


def _agreement(result: dict[str, Any]) -> list[str]:
    found = result.get("agreement")
    if found is None:
        return []
    if result["large"]:
        header = ["mean over", "number", "ROC AUC", "average precision", "of a random ranking"]
        rows = [
            (label, f"{own['number']}", *(_decimal(own[score]) for score in ("auc", "average_precision", "chance")))
            for label, own in (("materials", found["by_material"]), ("uses", found["by_use"]))
        ]
        return [
            markdown_table(header, rows),
            f"A right use is among the first three for {found['top_3']:.0%} of the materials.",
        ]
    rows = [(name, own["application"], str(own["rank"])) for name, own in found["own"].items()]
    return [
        markdown_table(["material", "its own application", "rank"], rows),
        f"Own application first or second: {found['first_or_second']} of {len(found['own'])}. Kendall's tau-b with the "
        f"expectations, mean over materials: {_decimal(found['kendall'])} (p = {_decimal(found['p_value'])}, "
        "permutations of the materials).",
    ]


def _decimal(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def print_applications(result: dict[str, Any]) -> None:
    """Print the tables."""
    print(applications_markdown(result))


def applications_figure(result: dict[str, Any]) -> Figure:
    """
    Draw a dot for each pair: its area and colour grow with the score, a ring marks what is expected.

    Args:
        result: Result of `evaluation.applications`.
    """
    scores = np.array(result["scores"])
    low, high = float(scores.min()), float(scores.max())
    share = (scores - low) / max(high - low, 1e-9)
    height, width = scores.shape
    # Large matrices have a page's width, and dots that fit their cells.
    wide = width > 8
    size = (2 * COLUMN_WIDTH + 0.2, 3.0 + 0.165 * height) if wide else (COLUMN_WIDTH, 1.6 + 0.34 * height)
    largest = 34.0 if wide else _LARGEST
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        rows, columns = (place.ravel() for place in np.indices(scores.shape))
        areas = largest * (0.04 + 0.96 * share.ravel())
        dots = axes.scatter(columns, rows, s=areas, c=scores.ravel(), cmap="viridis_r", linewidths=0)
        for row, expected in enumerate(result.get("expected") or []):
            for column, grade in enumerate(expected or []):
                # In the large matrix, 1 means undecided.
                if grade == 2 or (grade == 1 and not result["large"]):
                    colour, line = _RINGS[grade]
                    axes.scatter(
                        column,
                        row,
                        s=1.5 * largest,
                        facecolors="none",
                        edgecolors=colour,
                        linewidths=line,
                        clip_on=False,
                    )
        axes.set_xticks(
            np.arange(width), result["applications"], rotation=60 if wide else 40, ha="left", rotation_mode="anchor"
        )
        axes.set_yticks(np.arange(height), result["materials"])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_xlim(-0.5, width - 0.5)
        axes.set_ylim(height - 0.5, -0.5)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_xticks(np.arange(-0.5, width), minor=True)
        axes.set_yticks(np.arange(-0.5, height), minor=True)
        axes.grid(which="minor", color="0.92", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
        axes.set_axisbelow(True)
        label = "score (standard deviations)" if result["background"] else "cosine"
        bar = figure.colorbar(dots, ax=axes, location="bottom", shrink=0.5 if wide else 0.6, aspect=30, pad=0.02)
        bar.set_label(label)
        handles = [
            Line2D([], [], linestyle="", marker="o", color="0.6", markersize=np.sqrt(largest * (0.04 + 0.96 * part)))
            for part in (0.0, 0.5, 1.0)
        ]
        labels = [f"{low + part * (high - low):.2g}" for part in (0.0, 0.5, 1.0)]
        if result.get("expected"):
            for grade, text in ((2, "holds" if result["large"] else "own application"), (1, "also used for it")):
                if grade == 2 or not result["large"]:
                    colour, line = _RINGS[grade]
                    handles.append(
                        Line2D(
                            [],
                            [],
                            linestyle="",
                            marker="o",
                            markersize=6,
                            markerfacecolor="none",
                            markeredgecolor=colour,
                            markeredgewidth=line,
                        )
                    )
                    labels.append(text)
        figure.legend(
            handles, labels, loc="outside lower center", ncols=5 if wide else 3, frameon=False, handletextpad=0.4
        )
    return figure


def write_applications(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `applications.png` and `.svg`; see `write_report`."""
    return write_report(path, result, applications_markdown(result), applications_figure(result), "applications")
