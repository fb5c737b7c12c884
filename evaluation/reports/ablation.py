"""Reports of the ablation: terminal output, a markdown table, and a figure of the column width of a paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.reports.figures import COLUMN_WIDTH, DIRECTION_LABELS, SETTINGS, write_report
from modeling_clac import ClacGraphConfig


@dataclass(frozen=True)
class Metric:
    """
    A metric of the ablation.

    Attributes:
        query: Kind of query in the result of `evaluate_retrieval`.
        direction: Direction of retrieval.
        score: Name of the score.
        label: Name in tables.
    """

    query: str
    direction: str
    score: str
    label: str


_PANELS = {"top_1": ("narrative", "top_1", "top-1"), "top_10": ("narrative", "top_10", "top-10")}
_PANELS["masked_top_10"] = ("narrative_masked", "top_10", "masked top-10")
METRICS = {
    f"{direction}_{panel}": Metric(query, direction, score, f"{label}, {DIRECTION_LABELS[direction]}")
    for panel, (query, score, label) in _PANELS.items()
    for direction in DIRECTION_LABELS
}
# Palette of Okabe and Ito, as in the other figures; the markers distinguish the series in greyscale prints.
_STYLES = {"text_to_crystal": ("#0072B2", "o", -0.16), "crystal_to_text": ("#D55E00", "s", 0.16)}
_LOSSES = {"info_nce": "InfoNCE", "jensen_shannon": "JSD", "sigmoid": "sigmoid"}
_ENCODERS = {"painn": "PaiNN", "cgcnn": "CGCNN"}


def variant_cells(recipe: dict[str, Any]) -> tuple[str, str, str]:
    """Describe the terms, the loss and the graph encoder of a recipe."""
    within = [kind for kind in ("crystal", "text") if f"{kind}-{kind}'" in recipe["terms"]]
    terms = " + ".join(["inter", *(f"{kind} intra" for kind in within)])
    loss = _LOSSES[recipe["loss"]] + (" + prior" if recipe["prior_weight"] else "")
    return terms, loss, _ENCODERS[recipe["graph_encoder"] or ClacGraphConfig().encoder]


def ablation_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each variant: terms, loss, encoder, number of runs, then mean ± sd of each metric."""
    recipes = {run["variant"]: run["recipe"] for run in result["runs"]}
    for variant, summary in result["summary"].items():
        numbers = (
            f"{summary[name]['mean']:.3f}" + ("" if summary[name]["sd"] is None else f" ± {summary[name]['sd']:.3f}")
            for name in METRICS
        )
        yield (*variant_cells(recipes[variant]), str(summary["runs"]), *numbers)


def caption(result: dict[str, Any]) -> str:
    """Describe the seeds, the number of steps and the pool in a few sentences."""
    runs = result["runs"]
    recipe = runs[0]["recipe"]
    steps = sorted({run["steps"] for run in runs})
    commits = sorted({run["commit"] or "unknown" for run in runs})
    minutes = sum(run["seconds"] for run in runs) / 60
    return (
        f"Mean ± standard deviation over the seeds {', '.join(map(str, result['seeds']))}. Every run takes "
        f"{' or '.join(map(str, steps))} steps of {recipe['batch_size']} pairs from the same starting point; split "
        f"{result['split']}, {result['pool']:,} crystals, chance {1 / result['pool']:.3f} for top-1 and "
        f"{min(10 / result['pool'], 1):.3f} for top-10. Masked: narratives without the formula. "
        f"{len(runs)} runs in {minutes:.0f} minutes, commit {', '.join(commits)}. So short a training ranks variants "
        "by how fast they learn; it is no forecast of where a long one ends."
    )


def ablation_markdown(result: dict[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    header = ("terms", "loss", "graph encoder", "runs", *(metric.label for metric in METRICS.values()))
    lines = ["| " + " | ".join(header) + " |", "|---|---|---|" + "---:|" * (len(header) - 3)]
    lines += ["| " + " | ".join(row) + " |" for row in ablation_rows(result)]
    return "\n".join([*lines, "", caption(result), "", f"    {result['command']}", ""])


def print_ablation(result: dict[str, Any]) -> None:
    """Print the table, one line per direction so that it fits the terminal, and the caption."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("variant", "direction"):
        table.add_column(name, no_wrap=True)
    for _, _, label in _PANELS.values():
        table.add_column(label, justify="right", no_wrap=True)
    recipes = {run["variant"]: run["recipe"] for run in result["runs"]}
    for variant, (_, _, _, _, *numbers) in zip(result["summary"], ablation_rows(result), strict=True):
        names = _short_label(recipes[variant])
        for place, label in enumerate(DIRECTION_LABELS.values()):
            table.add_row(names[place], label, *numbers[place :: len(DIRECTION_LABELS)])
    console = Console()
    console.print(table)
    console.print(caption(result), markup=False, highlight=False)


def ablation_figure(result: dict[str, Any]) -> Figure:
    """
    Draw the scores, with a row for each variant and a panel for each metric.

    Pale markers show the runs; dark markers with error bars show the mean and standard deviation over the seeds.
    """
    recipes = {run["variant"]: run["recipe"] for run in result["runs"]}
    names = list(result["summary"])
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 1.2 + 0.3 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for panel, (metric, (_, _, title)) in zip(panels, _PANELS.items(), strict=True):
            for direction, (colour, marker, shift) in _STYLES.items():
                key = f"{direction}_{metric}"
                for row, name in enumerate(names):
                    values = [run["scores"][key] for run in result["runs"] if run["variant"] == name]
                    panel.plot(
                        values, [row + shift] * len(values), marker, color=colour, alpha=0.3, markeredgewidth=0, ms=3.5
                    )
                    summary = result["summary"][name][key]
                    panel.errorbar(
                        summary["mean"],
                        row + shift,
                        xerr=summary["sd"] or 0.0,
                        fmt=marker,
                        color=colour,
                        markersize=2.8,
                        capsize=1.5,
                        elinewidth=0.8,
                        label=DIRECTION_LABELS[direction] if row == 0 else None,
                    )
            panel.set_title(title, loc="left")
            panel.margins(x=0.12)
            panel.set_xlim(0, None)
            panel.locator_params(axis="x", nbins=3)
            panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.grid(axis="x", color="0.9", linewidth=0.5)
            panel.set_axisbelow(True)
        panels[0].set_yticks(range(len(names)), ["\n".join(_short_label(recipes[name])).rstrip() for name in names])
        panels[0].invert_yaxis()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _short_label(recipe: dict[str, Any]) -> tuple[str, str]:
    """Return a short label in two lines: the terms, and the loss and the encoder if they are not the defaults."""
    within = [kind for kind in ("crystal", "text") if f"{kind}-{kind}'" in recipe["terms"]]
    first = "+ both intra" if len(within) == 2 else f"+ {within[0]} intra" if within else "inter only"
    _, loss, encoder = variant_cells(recipe)
    return first, ", ".join(word for word in (loss, encoder) if word not in ("InfoNCE", "PaiNN"))


def write_ablation(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `ablation.png` and `ablation.svg`; see `write_report`."""
    return write_report(path, result, ablation_markdown(result), ablation_figure(result), "ablation")
