"""Reports of the retrieval evaluation: terminal output, a markdown table, and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.reports.figures import DIRECTION_LABELS, LABELS, retrieval_figure, write_report

COLUMNS = ("top_1", "top_3", "top_10", "mrr")
_HEADER = ("query", "direction", "top-1", "top-3", "top-10", "MRR", "ceiling top-1", "chance top-1")


def retrieval_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each kind of query and direction: scores with 95 % intervals, ceiling and chance."""
    for kind, directions in result["scores"].items():
        for direction, label in DIRECTION_LABELS.items():
            scores = directions[direction]
            cells = [
                f"{scores[name]:.3f} [{scores['intervals'][name][0]:.3f}, {scores['intervals'][name][1]:.3f}]"
                for name in COLUMNS
            ]
            ends = (f"{scores['ceiling']['top_1']:.3f}", f"{scores['chance']['top_1']:.4f}")
            yield (LABELS[kind], label, *cells, *ends)


def caption(result: dict[str, Any]) -> str:
    """Describe the model, the pool and the intervals in a few sentences."""
    skipped = f" {len(result['skipped'])} unusable crystals were skipped." if result["skipped"] else ""
    return (
        f"{result['model']} (weights {result['fingerprint']}), split {result['split']}, "
        f"pool of {result['pool']:,} crystals out of {result['split_size']:,}, seed {result['seed']}, "
        f"commit {result['commit'] or 'unknown'}.{skipped} Intervals: 95 %, bootstrap over the queries. "
        "Ceiling: what a perfect model scores when identical texts cannot be distinguished. "
        f"{result['same_formula_and_space_group']} crystals share formula and space group with another of the pool."
    )


def print_retrieval(result: dict[str, Any]) -> None:
    """Print the scores, with the interval of top-1 only so that they fit the terminal, and the caption."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("query", "direction", "top-1", "95 %", "top-3", "top-10", "MRR", "ceiling"):
        table.add_column(name, justify="left" if name in ("query", "direction") else "right", no_wrap=name != "query")
    for kind, directions in result["scores"].items():
        for place, (direction, label) in enumerate(DIRECTION_LABELS.items()):
            scores = directions[direction]
            low, high = scores["intervals"]["top_1"]
            first, *others = (f"{scores[name]:.3f}" for name in COLUMNS)
            ceiling = f"{scores['ceiling']['top_1']:.3f}"
            table.add_row("" if place else LABELS[kind], label, first, f"{low:.3f}-{high:.3f}", *others, ceiling)
    console = Console()
    console.print(table)
    console.print(caption(result), markup=False, highlight=False)


def retrieval_markdown(result: dict[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    lines = ["| " + " | ".join(_HEADER) + " |", "|---|---|" + "---:|" * (len(_HEADER) - 2)]
    lines += ["| " + " | ".join(row) + " |" for row in retrieval_rows(result)]
    return "\n".join([*lines, "", caption(result), "", f"    {result['command']}", ""])


def write_retrieval(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), with `table.md`, `retrieval.png` and `retrieval.svg`; see `write_report`."""
    return write_report(path, result, retrieval_markdown(result), retrieval_figure(result), "retrieval")
