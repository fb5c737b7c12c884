"""Answers on the terminal: tables that fit its width."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.properties import PROPERTIES

# In the order in which a narrow terminal keeps them.
_SHOWN = sorted((row for row in PROPERTIES.values() if row.header), key=lambda row: row.priority)
_PIPE_WIDTH = 120


def print_hits(hits: Sequence[Any], asked: Sequence[str] = ()) -> list[str]:
    """
    Prints a list of `Hit` as a table that fits the terminal (120 characters in a pipe); numbers are never cut.

    Args:
        asked: columns to show before all others.

    Returns:
        Headers of the columns that have values but found no room.
    """
    console = _console()
    records = [hit.record for hit in hits]
    first = [
        ("#", [str(hit.rank) for hit in hits]),
        ("score", [f"{hit.score:.3f}" for hit in hits]),
        ("formula", [str(record.get("formula") or "") for record in records]),
        ("space\ngroup", [str(record.get("space_group_symbol") or "") for record in records]),
    ]
    last = ("material", [str(record.get("material_id") or "") for record in records])
    room = console.width - sum(_width(*column) for column in (*first, last))
    shown: list[tuple[str, list[str]]] = []
    hidden = []
    for row in sorted(_SHOWN, key=lambda row: row.column not in asked):
        values = [record.get(row.column) for record in records]
        cells = ["" if value is None or value != value else f"{value:.{row.decimals}f}" for value in values]
        column = (f"{row.header}\n{row.unit}", cells)
        if not any(cells):
            continue
        if _width(*column) > room:
            hidden.append(row.header)
            continue
        room -= _width(*column)
        shown.append(column)
    numeric = {"#", "score", *(header for header, _ in shown)}
    _print_columns(console, [*first, *shown, last], numeric)
    return hidden


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table of a name and numbers; without a header line when the header is empty."""
    columns = [(name, [row[place] for row in rows]) for place, name in enumerate(header)]
    _print_columns(_console(), columns, numeric=set(header[1:]))


def print_description(described: Mapping[str, Any], units: Mapping[str, str]) -> None:
    """Prints values by name, one a line; `units` are keyed like `graph_tower.cutoff`."""
    for key, value in described.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for name, entry in inner:
            path = f"{key}.{name}" if name else key
            label = path.replace("_", " ").replace(".", ": ")
            print(f"{label:<32}{_readable(entry)} {units.get(path, '')}".rstrip())


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _console() -> Any:
    from rich.console import Console

    # Rich takes a pipe for a terminal of 80 characters.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _print_columns(console: Any, columns: Sequence[tuple[str, list[str]]], numeric: set[str]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    widths = {header: _width(header, cells) for header, cells in columns}
    # Only text may be shortened where there is no room: the longest of it, since rich would take from all columns.
    excess = sum(widths.values()) - console.width
    longest = max((header for header in widths if header not in numeric), key=widths.__getitem__, default=None)
    for header, _ in columns:
        is_number = header in numeric
        width = widths[header] - _GAP
        table.add_column(
            header,
            justify="right" if is_number else "left",
            min_width=width if is_number else None,
            max_width=max(_LEAST_TEXT, width - excess) if excess > 0 and header == longest else None,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*row)
    console.print(table)


# Padding and the divider between two columns.
_GAP = 2
# What is left at least of text that is shortened.
_LEAST_TEXT = 8


def _width(header: str, cells: Sequence[str]) -> int:
    return max(map(len, (*header.split("\n"), *cells))) + _GAP


__all__ = ["print_description", "print_hits", "print_rows"]
