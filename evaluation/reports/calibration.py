"""Reports of the evaluation of probabilities: a markdown table and a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from evaluation.reports.figures import reliability_diagram, write_report

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
    series = (
        (f"{LABELS[kind]} ({own['num_groups']:,} phrases)", style, own["bins"])
        for kind, style in _STYLES.items()
        for own in [result["phrases"][kind]]
    )
    return reliability_diagram(series, "predicted probability", "share of right pairs")


def write_calibration(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `reliability.png` and `.svg`; see `write_report`."""
    return write_report(path, result, calibration_markdown(result), reliability_figure(result), "reliability")
