"""Reports of the comparison of the paper's models: a markdown table, and figures as the paper's Fig. 3a."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evaluation.reports.figures import COLUMN_WIDTH, DIRECTION_LABELS, SETTINGS, write_report
from evaluation.reports.tables import markdown_table

ENCODERS = {"cgcnn": "CGCNN", "painn": "PaiNN"}
SHOWN_QUERIES = ("narrative", "narrative_masked", "formula")
_QUERY_LABELS = {"narrative": "narrative", "narrative_masked": "masked", "formula": "formula"}
# Name -> query, direction and score.
METRICS = {
    f"{query}_{direction}_{score}": (query, direction, score)
    for query, scores in (
        ("narrative", ("top_1", "top_10")),
        ("narrative_masked", ("top_1", "top_10")),
        ("formula", ("top_1",)),
    )
    for direction in DIRECTION_LABELS
    for score in scores
}
# Query and score of each group of bars.
_GROUPS = (("narrative", "top_1"), ("narrative", "top_10"), ("narrative_masked", "top_10"), ("formula", "top_1"))
_COLOURS = {"CGCNN": "#D55E00", "PaiNN": "#0072B2"}
_LINES = ("-", "--")


def models_markdown(result: Mapping[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    header = ["model", "runs"]
    header += [
        f"{_QUERY_LABELS[query]}, {score.replace('_', '-')}, {DIRECTION_LABELS[direction]}"
        for query, direction, score in METRICS.values()
    ]
    rows = [
        [variant, str(summary["runs"]), *(_cell(summary[name]) for name in METRICS)]
        for variant, summary in result["summary"].items()
    ]
    return "\n".join([markdown_table(header, rows), "", _caption(result), "", f"    {result['command']}", ""])


def _cell(entry: Mapping[str, Any]) -> str:
    if entry["sd"] is not None:
        return f"{entry['mean']:.3f} ± {entry['sd']:.3f}"
    low, high = entry["interval"]
    return f"{entry['mean']:.3f} [{low:.3f}, {high:.3f}]"


def _caption(result: Mapping[str, Any]) -> str:
    runs = result["runs"]
    steps = sorted({run["steps"] for run in runs})
    batches = sorted({run["recipe"]["batch_size"] for run in runs})
    commits = sorted({run["commit"] or "unknown" for run in runs})
    minutes = [run["training_seconds"] / 60 for run in runs]
    towers = "; ".join(
        f"{name}: `{source.removeprefix('random:')}`" + (" with random weights" if source.startswith("random:") else "")
        for name, source in result["towers"].items()
    )
    layers = runs[0]["recipe"]["text_layers"]
    kept = "" if layers is None else f", the layers {' and '.join(map(str, layers))} of each"
    around = (
        f"± standard deviation over the seeds {', '.join(map(str, result['seeds']))}"
        if len(result["seeds"]) > 1
        else f"intervals: 95 %, bootstrap over the queries, seed {result['seeds'][0]}"
    )
    return (
        f"Each model is trained for {' or '.join(map(str, steps))} steps of {' or '.join(map(str, batches))} pairs "
        f"({min(minutes):.0f} to {max(minutes):.0f} minutes) with all terms of the paper. Text encoders: "
        f"{towers}{kept}; those of the paper are SciBERT and MatSciBERT. Additions: formulas split into elements, "
        f"descriptors of the crystal, values of numbers, shared maps of both modalities. "
        f"Split {result['split']}, {result['pool']:,} crystals, chance {1 / result['pool']:.4f} for top-1; {around}. "
        f"Commit {', '.join(commits)}."
    )


def models_figure(result: Mapping[str, Any]) -> Figure:
    """
    Draw the accuracy of each model as bars with their intervals, one panel per direction.

    Args:
        result: Result of `evaluation.paper_models`.
    """
    models = {model: _look(model, result["towers"]) for model in result["summary"]}
    width = 0.8 / len(models)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 4.2), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True, sharey=True)
        for panel, (direction, title) in zip(panels, DIRECTION_LABELS.items(), strict=True):
            for place, (model, (colour, line)) in enumerate(models.items()):
                entries = [result["summary"][model][f"{query}_{direction}_{score}"] for query, score in _GROUPS]
                heights = np.array([entry["mean"] for entry in entries])
                around = np.abs(np.array([_bounds(entry) for entry in entries]).T - heights)
                panel.bar(
                    np.arange(len(_GROUPS)) + (place + 0.5) * width - 0.4,
                    heights,
                    width,
                    yerr=around,
                    color=colour if line == "-" else "white",
                    edgecolor=colour,
                    hatch="" if line == "-" else "////",
                    linewidth=0.8,
                    error_kw={"elinewidth": 0.8, "ecolor": "0.4"},
                    label=model,
                )
            panel.set_title(f"{title}, {result['pool']:,} crystals", loc="left")
            panel.set_ylabel("accuracy")
            panel.set_ylim(0, 1.02)
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.grid(axis="y", color="0.9", linewidth=0.5)
            panel.set_axisbelow(True)
        names = [f"{_QUERY_LABELS[query]},\n{score.replace('_', '-')}" for query, score in _GROUPS]
        panels[-1].set_xticks(range(len(_GROUPS)), names)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _bounds(entry: Mapping[str, Any]) -> tuple[float, float]:
    if entry["sd"] is None:
        return entry["interval"][0], entry["interval"][1]
    return entry["mean"] - entry["sd"], entry["mean"] + entry["sd"]


def _look(model: str, towers: Mapping[str, str]) -> tuple[str, str]:
    """Return the colour and the line of a model: the encoder of the graph, and the text encoder or the additions."""
    encoder, _, tower = model.partition(" + ")
    return (_COLOURS[encoder], _LINES[list(towers).index(tower)]) if tower in towers else ("0.2", "-")


def curves_figure(result: Mapping[str, Any]) -> Figure:
    """
    Draw the top-k accuracy of each model for narratives, k = 1..20, one panel per direction.

    Args:
        result: Result of `evaluation.paper_models`.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 4.0), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True, sharey=True)
        for panel, (direction, title) in zip(panels, DIRECTION_LABELS.items(), strict=True):
            for variant in result["summary"]:
                curves = [
                    run["scores"]["narrative"][direction]["curve"]
                    for run in result["runs"]
                    if run["variant"] == variant
                ]
                colour, line = _look(variant, result["towers"])
                panel.plot(
                    curves[0]["k"],
                    np.mean([curve["accuracy"] for curve in curves], axis=0),
                    color=colour,
                    linestyle=line,
                    label=variant,
                )
            panel.set_title(f"{title}, {result['pool']:,} crystals", loc="left")
            panel.set_ylabel("top-k accuracy")
            panel.set_ylim(0, 1.02)
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.grid(axis="y", color="0.9", linewidth=0.5)
            panel.set_axisbelow(True)
        panels[-1].set_xlabel("k")
        panels[-1].set_xticks([1, 5, 10, 15, 20])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def write_models(result: dict[str, Any], path: Path) -> list[Path]:
    """
    Write `result` to `path` (JSON), with `table.md`, the bars in `models.png` and `.svg`, and the accuracy by k in
    `curves.png` and `.svg`; see `write_report`.
    """
    figures = {"curves": curves_figure(result)}
    return write_report(path, result, models_markdown(result), models_figure(result), "models", figures)


__all__ = [
    "ENCODERS",
    "METRICS",
    "SHOWN_QUERIES",
    "curves_figure",
    "models_figure",
    "models_markdown",
    "write_models",
]
