"""Report of the ablation of the search: a table in markdown, and a figure of the column width of a paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report
from evaluation.reports.tables import markdown_table
from evaluation.texts.query_sets import CATEGORIES

# Palette of Okabe and Ito, as in the other figures.
_COLOUR = "#D55E00"


def search_ablation_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each search: what is left out, its score, the difference, and the score of each category."""
    for place, row in enumerate(result["rows"]):
        low, high = row["difference_interval"]
        difference = "" if place == 0 else f"{_signed(row['difference'])} [{_signed(low)}, {_signed(high)}]"
        yield row["without"], f"{row['share']:.3f}", difference, *(f"{own:.2f}" for own in row["groups"].values())


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def search_ablation_markdown(result: dict[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    categories = [CATEGORIES[own] for own in result["rows"][0]["groups"]]
    table = markdown_table(
        ["without", "share of the possible", "difference", *categories], list(search_ablation_rows(result))
    )
    before = result["before"]
    caption = (
        f"{result['queries']} realistic queries of the development half, {result['pool']:,} crystals of the split "
        f"{result['split']}, {result['model']} (weights {result['fingerprint']}"
        + (f"; before: {before['fingerprint']}" if before else "")
        + f"), seed {result['seed']}, commit {result['commit'] or 'unknown'}. Share of the possible precision@10. "
        "Differences from the whole search on the same queries, with 95 % intervals by bootstrap over queries."
    )
    return "\n\n".join([table, caption, f"    {result['command']}", ""])


def print_search_ablation(result: dict[str, Any]) -> None:
    """Print the table."""
    print(search_ablation_markdown(result))


def search_ablation_figure(result: dict[str, Any]) -> Figure:
    """
    Draw what is lost without each part, with 95 % intervals.

    Args:
        result: Result of `evaluation.search_ablation`.
    """
    rows = result["rows"][1:]
    losses = np.array([-row["difference"] for row in rows])
    bounds = np.array([row["difference_interval"] for row in rows])
    errors = np.abs(np.stack([losses + bounds[:, 1], -bounds[:, 0] - losses]))
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 0.7 + 0.2 * len(rows)), layout="constrained")
        panel = figure.subplots()
        panel.barh(np.arange(len(rows)), losses, 0.7, xerr=errors, color=_COLOUR, error_kw={"elinewidth": 0.7})
        panel.set_yticks(np.arange(len(rows)), [row["without"] for row in rows])
        panel.invert_yaxis()
        panel.axvline(0, color="0.4", linewidth=0.6)
        figure.suptitle(
            f"share of the possible precision@10 lost without a part, of {result['rows'][0]['share']:.3f}", size=7
        )
        panel.grid(axis="x", color="0.9", linewidth=0.5)
        panel.set_axisbelow(True)
    return figure


def write_search_ablation(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `search-ablation.png` and `.svg`; see `write_report`."""
    return write_report(
        path, result, search_ablation_markdown(result), search_ablation_figure(result), "search-ablation"
    )
