"""Reports of the evaluation of probabilities: a markdown table and a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report

LABELS = {"generated": "generated", "development": "written, development", "frozen": "written, frozen"}
_STYLES = {"generated": ("#0072B2", "o"), "development": ("#009E73", "^"), "frozen": ("#D55E00", "s")}
_HEADER = ("phrases", "number", "pairs", "base rate", "ECE", "ECE above 0.05", "Brier", "Brier skill")


def calibration_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each set of phrases: scores with 95 % intervals."""
    for kind, scores in result["phrases"].items():
        cells = [
            f"{scores[name]:.{decimals}f} [{scores['intervals'][name][0]:.{decimals}f}, "
            f"{scores['intervals'][name][1]:.{decimals}f}]"
            for name, decimals in (("ece", 4), ("ece_above", 3), ("brier", 4), ("brier_skill", 3))
        ]
        yield (
            LABELS[kind],
            f"{scores['num_groups']:,}",
            f"{scores['num_pairs']:,}",
            f"{scores['base_rate']:.3f}",
            *cells,
        )


def calibration_markdown(result: dict[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    lines = ["| " + " | ".join(_HEADER) + " |", "|---|" + "---:|" * (len(_HEADER) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in calibration_rows(result)]
    fitted = result["fitted"]
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in fitted["validation"]["log_loss"].items())
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), {result['num_crystals']:,} crystals of the split "
        f"{result['split']}, seed {result['seed']}, commit {result['commit'] or 'unknown'}. Intervals: 95 %, bootstrap "
        f"over the phrases. Fitted on {fitted['validation']['num_phrases']:,} generated phrases and "
        f"{fitted['validation']['num_crystals']:,} crystals of validation (base rate {fitted['base_rate']:.3f}, commit "
        f"{fitted['commit']}), where the scores had these cross-validated log losses: {losses}."
    )
    return "\n".join([*lines, "", caption, "", f"    {result['command']}", ""])


def reliability_figure(result: dict[str, Any]) -> Figure:
    """
    Draw the share of right pairs against the predicted probability, with 95 % intervals.

    Args:
        result: Result of `evaluation.calibration`.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 3.1), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="0.4", linestyle=":", label="perfect calibration")
        for kind, (colour, marker) in _STYLES.items():
            bins = [entry for entry in result["phrases"][kind]["bins"] if entry["count"] >= 20]
            right = [entry["right"] for entry in bins]
            errors = [
                [max(0.0, entry["right"] - entry["low"]) for entry in bins],
                [max(0.0, entry["high"] - entry["right"]) for entry in bins],
            ]
            axes.errorbar(
                [entry["predicted"] for entry in bins],
                right,
                yerr=errors,
                color=colour,
                marker=marker,
                elinewidth=0.8,
                capsize=1.5,
                label=f"{LABELS[kind]} ({result['phrases'][kind]['num_groups']:,} phrases)",
            )
        axes.set_xlabel("predicted probability")
        axes.set_ylabel("share of right pairs")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.legend(loc="upper left", frameon=False)
    return figure


def write_calibration(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `reliability.png` and `.svg`; see `write_report`."""
    return write_report(path, result, calibration_markdown(result), reliability_figure(result), "reliability")
