"""Tables in markdown, shared by the reports."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """
    Format a table in markdown, the first column to the left and the others to the right.

    Args:
        header: Names of the columns.
        rows: Cells.
    """
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


__all__ = ["markdown_table"]
