"""Figures of the retrieval evaluation, and settings shared by all figures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from modeling_clac.utils.atomic_files import json_bytes, write_files

COLUMN_WIDTH = 3.4  # inches
LABELS = {
    "narrative": "narrative",
    "narrative_masked": "narrative, formula masked",
    "formula": "formula",
    "formula_crystal_system": "formula, crystal system",
}
DIRECTION_LABELS = {"text_to_crystal": "text → crystal", "crystal_to_text": "crystal → text"}
# Palette of Okabe and Ito, safe for colour-blind readers; the markers distinguish the series in greyscale prints.
_STYLES = {
    "narrative": ("#0072B2", "o"),
    "narrative_masked": ("#D55E00", "s"),
    "formula": ("#009E73", "^"),
    "formula_crystal_system": ("#CC79A7", "D"),
}
SETTINGS: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "clac",
}


def retrieval_figure(result: dict[str, Any]) -> Figure:
    """
    Draw the top-k accuracy for k = 1..20 with 95 % bands, one panel per direction.

    Args:
        result: Result of `evaluate_retrieval`.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 3.9), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True, sharey=True)
        for panel, (direction, title) in zip(panels, DIRECTION_LABELS.items(), strict=True):
            for kind, (colour, marker) in _STYLES.items():
                curve = result["scores"][kind][direction]["curve"]
                panel.plot(curve["k"], curve["accuracy"], color=colour, marker=marker)
                panel.fill_between(curve["k"], curve["low"], curve["high"], color=colour, alpha=0.2, linewidth=0)
            candidates = result["scores"]["narrative"][direction]["candidates"]
            longest = result["scores"]["narrative"][direction]["curve"]["k"]
            panel.plot(longest, [k / candidates for k in longest], color="0.4", linestyle=":")
            panel.set_title(f"{title}, {result['pool']:,} crystals", loc="left")
            panel.set_ylabel("top-k accuracy")
            panel.set_ylim(0, 1.02)
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.grid(axis="y", color="0.9", linewidth=0.5)
            panel.set_axisbelow(True)
        panels[-1].set_xlabel("k")
        panels[-1].set_xticks([1, 5, 10, 15, 20])
        handles = [
            Line2D([], [], color=colour, marker=marker, label=LABELS[kind])
            for kind, (colour, marker) in _STYLES.items()
        ]
        handles.append(Line2D([], [], color="0.4", linestyle=":", label="chance"))
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def reliability_diagram(
    series: Iterable[tuple[str, tuple[str, str], Sequence[Mapping[str, float]]]], predicted: str, share: str
) -> Figure:
    """
    Draw how often answers are right against their predicted probability, with 95 % intervals.

    Args:
        series: For each curve its label, colour and marker, and bins with `count`, `predicted`, `right`, `low`, `high`;
            bins of fewer than 20 answers are not drawn.
        predicted: Label of the horizontal axis.
        share: Label of the vertical axis.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="0.4", linestyle=":", label="perfect calibration")
        for label, (colour, marker), bins in series:
            drawn = [entry for entry in bins if entry["count"] >= 20]
            errors = [
                [max(0.0, entry["right"] - entry["low"]) for entry in drawn],
                [max(0.0, entry["high"] - entry["right"]) for entry in drawn],
            ]
            axes.errorbar(
                [entry["predicted"] for entry in drawn],
                [entry["right"] for entry in drawn],
                yerr=errors,
                color=colour,
                marker=marker,
                elinewidth=0.8,
                capsize=1.5,
                label=label,
            )
        axes.set_xlabel(predicted)
        axes.set_ylabel(share)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.01)
        axes.set_aspect("equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.legend(loc="upper left", frameon=False)
    return figure


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Render a figure as `"png"` (300 dpi) or `"svg"`; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(buffer, format=kind, dpi=300, metadata={"Date": None} if kind == "svg" else {})
    return buffer.getvalue()


def write_report(
    path: Path,
    result: dict[str, Any],
    table: str,
    figure: Figure,
    name: str,
    more_figures: Mapping[str, Figure] = MappingProxyType({}),
    more_files: Mapping[str, bytes] = MappingProxyType({}),
) -> list[Path]:
    """
    Write a result, its table and its figure. All of it is made before the first file is written, and each file replaces
    its predecessor in one step.

    Args:
        path: of the result (JSON); the other files go into its directory.
        result: of the evaluation.
        table: in markdown, for `table.md`.
        figure: for a PNG and an SVG.
        name: of the figure's files.
        more_figures: further figures, by the name of their files.
        more_files: contents of further files, by name.

    Returns:
        The files, `path` first.

    Raises:
        ClacInputError: the place cannot be written to.
    """
    contents = {path.with_name("table.md"): table.encode()}
    for own, drawn in {name: figure, **more_figures}.items():
        contents |= {path.with_name(f"{own}.{kind}"): figure_bytes(drawn, kind) for kind in ("png", "svg")}
    contents |= {path.with_name(own): content for own, content in more_files.items()}
    contents[path] = json_bytes(result)
    write_files(contents)
    return [path, *(file for file in contents if file != path)]
