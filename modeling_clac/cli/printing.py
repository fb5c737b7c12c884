"""Print results as tables that fit the width of the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.properties import PROPERTIES
from ..errors_clac import visible

_PIPE_WIDTH = 120


def print_hits(hits: Sequence[Any], first_columns: Sequence[str] = ()) -> list[str]:
    """
    Print search results as a table that fits the terminal, or 120 characters in a pipe. Numbers are never truncated.

    Args:
        hits: A list of `Hit`.
        first_columns: Property columns to show before all others.

    Returns:
        Headers of the columns that have values but do not fit.
    """
    from ..search.hits import known_columns  # too slow to import for `clac --help`

    console = _console()
    records = [hit.record for hit in hits]
    first = [
        ("#", [str(hit.rank) for hit in hits]),
        ("score", [f"{hit.score:.3f}" for hit in hits]),
        ("formula", [str(record.get("formula") or "") for record in records]),
        ("space\ngroup", [str(record.get("space_group_symbol") or "") for record in records]),
    ]
    last = ("material", [str(record.get("material_id") or "") for record in records])
    if any(hit.marks for hit in hits):
        first.insert(1, ("met", ["".join(mark.sign for mark in hit.marks) for hit in hits]))
    asked_for = [column for column in (hits[0].values if hits else ()) if any(hit.values[column] for hit in hits)]
    shown = [_number_column(column, hits) for column in asked_for]
    room = console.width - sum(_width(*column) for column in (*first, *shown, last))
    hidden = []
    for row, cells in known_columns(records, first_columns):
        if row.column in asked_for:
            continue
        column = (f"{row.header}\n{row.unit}", cells)
        if _width(*column) > room:
            hidden.append(row.header)
            continue
        room -= _width(*column)
        shown.append(column)
    numeric = {"#", "score", *(header for header, _ in shown)}
    _print_columns(console, [*first, *shown, last], numeric)
    return hidden


def _number_column(column: str, hits: Sequence[Any]) -> tuple[str, list[str]]:
    """Header and cells of a number that the query speaks of, which may be estimates."""
    from ..concepts.quantities import QUANTITIES

    row = PROPERTIES.get(column)
    quantity = QUANTITIES[column]
    name = row.header if row is not None and row.header else quantity.label
    return f"{name}\n{quantity.unit}", [hit.values[column] for hit in hits]


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1) -> None:
    """
    Print a table. The first columns are text, the others are numbers.

    Args:
        header: Names of the columns.
        rows: Cells of each row.
        num_texts: Number of columns that are text.
    """
    columns = [(name, [row[place] for row in rows]) for place, name in enumerate(header)]
    _print_columns(_console(), columns, numeric=set(header[num_texts:]))


def print_table(columns: Sequence[tuple[str, list[str]]], numeric: set[str]) -> None:
    """
    Print a table.

    Args:
        columns: Header and cells of each column.
        numeric: Headers of the columns of numbers.
    """
    _print_columns(_console(), columns, numeric)


def print_paragraphs(paragraphs: Sequence[str]) -> None:
    """Print paragraphs of text with lines that fit the terminal, each after an empty line."""
    import textwrap

    width = min(_console().width, _PIPE_WIDTH)
    for paragraph in paragraphs:
        print()
        print(textwrap.fill(visible(paragraph), width, break_long_words=False, break_on_hyphens=False))


def print_lines(lines: Sequence[str]) -> None:
    """Print lines that are wrapped to the terminal, and an empty one behind them."""
    import textwrap

    width = min(_console().width, _PIPE_WIDTH)
    for line in lines:
        print(textwrap.fill(visible(line), width, break_long_words=False, break_on_hyphens=False))
    if lines:
        print()


def print_description(described: Mapping[str, Any], units: Mapping[str, str]) -> None:
    """
    Print one value per line.

    Args:
        described: Values by name, possibly nested.
        units: Units by name. The name of a nested value is written as in `graph_tower.cutoff`.
    """
    for key, value in described.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for name, entry in inner:
            path = f"{key}.{name}" if name else key
            label = path.replace("_", " ").replace(".", ": ")
            print(visible(f"{label:<32}{_readable(entry)} {units.get(path, '')}".rstrip()))


def print_fields(title: str, fields: Mapping[str, str]) -> None:
    """Print a title and texts by label, wrapped to the terminal with the labels on the left."""
    import textwrap

    width = min(_console().width, _PIPE_WIDTH)
    print(visible(title))
    print()
    for label, text in fields.items():
        start = f"{label:<14}"
        print(textwrap.fill(visible(start + text), width, subsequent_indent=" " * 14, break_long_words=False))


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _console() -> Any:
    from rich.console import Console

    # Rich assumes a width of 80 characters in a pipe.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _print_columns(console: Any, columns: Sequence[tuple[str, list[str]]], numeric: set[str]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    columns = [(header, [visible(cell) for cell in cells]) for header, cells in columns]
    widths = {header: _width(header, cells) for header, cells in columns}
    # Shorten only the widest text column. Rich would shorten all columns.
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


# Width of the padding and the divider between two columns.
_GAP = 2
# Minimum width of a shortened text column.
_LEAST_TEXT = 8


def _width(header: str, cells: Sequence[str]) -> int:
    return max(map(len, (*header.split("\n"), *cells))) + _GAP


__all__ = [
    "print_description",
    "print_fields",
    "print_hits",
    "print_lines",
    "print_paragraphs",
    "print_rows",
    "print_table",
]
