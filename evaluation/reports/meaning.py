"""Reports of the evaluation of meaning: tables in the terminal and in markdown, and a figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report
from evaluation.reports.tables import markdown_table
from evaluation.texts.query_sets import CATEGORIES
from evaluation.texts.zero_shot import TASKS
from modeling_clac.utils.atomic_files import json_bytes, write_files

WAY_LABELS = {"embeddings": "embeddings alone", "search": "search", "estimates": "search, properties hidden"}
SET_LABELS = {
    "realistic": "realistic queries",
    "wordings": "held-out wordings, mean over concepts",
    "conjunctions": "conjunctions of held-out wordings",
}
_COLOURS = {"embeddings": "#0072B2", "search": "#D55E00", "estimates": "#E69F00"}


def meaning_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each set and each of its groups: name, number, and the score of each way."""
    for name, label in SET_LABELS.items():
        scored = result["scores"].get(name)
        if scored is None:
            continue
        first = next(iter(scored.values()))
        number = sum(group["texts"] for group in first["groups"].values())
        yield label, f"{number:,}", *(_with_interval(scored[way]["share"], scored[way]["interval"]) for way in scored)
        for group, own in first["groups"].items():
            shares = (f"{scored[way]['groups'][group]['share']:.3f}" for way in scored)
            yield f"· {CATEGORIES.get(group, group)}", f"{own['texts']:,}", *shares


def zero_shot_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each zero-shot task: name, crystals, classes, accuracies and balanced accuracies."""
    for task, own in result["scores"].get("zero_shot", {}).items():
        counts = list(own["classes"].values())
        cells = [
            cell
            for way in ("name", "held_out_wordings")
            for cell in (
                _with_interval(own[way]["accuracy"], own[way]["interval"]),
                f"{own[way]['balanced_accuracy']:.3f}",
            )
        ]
        yield TASKS[task], f"{sum(counts):,}", str(len(counts)), *cells


def pole_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each way: name, wordings, mean AUC, and the number of wordings below chance."""
    for way, own in result["scores"].get("poles", {}).items():
        number = len(own["texts"])
        yield WAY_LABELS[way], f"{number:,}", _with_interval(own["auc"], own["interval"]), str(own["flipped"])


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def meaning_markdown(result: dict[str, Any]) -> str:
    """Return the tables in markdown, with their caption and the command that produced them."""
    ways = next((list(own) for name, own in result["scores"].items() if name in SET_LABELS), [])
    header = ["share of the possible precision@10", "number", *(WAY_LABELS[way] for way in ways)]
    blocks = [markdown_table(header, list(meaning_rows(result)))] if ways else []
    if result["scores"].get("poles"):
        header = ["ends of a property, held-out wordings", "number", "own end ahead of the other (AUC)", "below chance"]
        blocks.append(markdown_table(header, list(pole_rows(result))))
    if result["scores"].get("zero_shot"):
        header = ["zero-shot", "crystals", "classes"]
        header += [f"{score}, {way}" for way in ("names", "held-out wordings") for score in ("accuracy", "balanced")]
        blocks.append(markdown_table(header, list(zero_shot_rows(result))))
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), {result['pool']:,} crystals of the split "
        f"{result['split']}, {result['half']} half of the realistic queries, {result['vocabulary']['concepts']:,} "
        f"concepts with {result['vocabulary']['wordings']:,} wordings, seed {result['seed']}, commit "
        f"{result['commit'] or 'unknown'}. Crystals for which the answer is unknown are not searched. Intervals: 95 %, "
        "bootstrap over texts, concepts or crystals."
    )
    return "\n\n".join([*blocks, caption, f"    {result['command']}", ""])


def print_meaning(result: dict[str, Any]) -> None:
    """Print the tables."""
    print(meaning_markdown(result))


def meaning_figure(result: dict[str, Any]) -> Figure:
    """
    Draw the share of the possible precision@10, one bar for each way, one panel for each set.

    Args:
        result: Result of `evaluation.meaning`.
    """
    sets = {name: result["scores"][name] for name in SET_LABELS if name in result["scores"]}
    with matplotlib.rc_context(SETTINGS):
        sizes = [1 + len(next(iter(scored.values()))["groups"]) for scored in sets.values()]
        figure = Figure(figsize=(COLUMN_WIDTH, 0.6 + 0.24 * sum(sizes)), layout="constrained")
        panels = figure.subplots(len(sets), 1, sharex=True, squeeze=False, height_ratios=sizes)[:, 0]
        for panel, (name, scored) in zip(panels, sets.items(), strict=True):
            first = next(iter(scored.values()))
            groups = list(first["groups"])
            places = np.arange(1 + len(groups))
            height = 0.8 / len(scored)
            for place, (way, own) in enumerate(scored.items()):
                shares = [own["share"], *(own["groups"][group]["share"] for group in groups)]
                low, high = own["interval"]
                errors = [[own["share"] - low, *[0.0] * len(groups)], [high - own["share"], *[0.0] * len(groups)]]
                offset = (place - (len(scored) - 1) / 2) * height
                panel.barh(
                    places + offset,
                    shares,
                    height,
                    xerr=errors,
                    color=_COLOURS[way],
                    alpha=0.85,
                    error_kw={"elinewidth": 0.7},
                    label=WAY_LABELS[way],
                )
            panel.set_yticks(places, ["all", *(CATEGORIES.get(group, group) for group in groups)])
            panel.invert_yaxis()
            panel.set_title(SET_LABELS[name].split(",")[0], loc="left")
            panel.grid(axis="x", color="0.9", linewidth=0.5)
            panel.set_axisbelow(True)
        panels[-1].set_xlim(0, 1)
        panels[-1].xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        panels[-1].set_xlabel("share of the possible precision@10")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def write_meaning(result: dict[str, Any], path: Path) -> list[Path]:
    """
    Write `result` to `path` (JSON), with `table.md` and, unless only zero-shot classes were scored, `meaning.png` and
    `.svg`; see `write_report`.
    """
    if not any(name in result["scores"] for name in SET_LABELS):
        files = {path.with_name("table.md"): meaning_markdown(result).encode(), path: json_bytes(result)}
        write_files(files)
        return list(files)
    return write_report(path, result, meaning_markdown(result), meaning_figure(result), "meaning")
