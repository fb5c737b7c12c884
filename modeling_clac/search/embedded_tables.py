"""Embeddings of the structures of a table, for an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..crystal_clac import Crystal, ReadingOptions
from ..errors_clac import ClacInputError, Skipped

if TYPE_CHECKING:
    from ..inference.embedder import ClacEmbedder


class EmbeddedTable(NamedTuple):
    """
    The rows of a table whose structures could be embedded.

    Attributes:
        embeds: `(num_crystals, dim)` float32.
        table: The rows.
        crystals: Parsed crystal of each row, or `None` where its CIF was not parsed before; `None` if none was.
        skipped: Rows that were left out, by their place in the given table.
    """

    embeds: np.ndarray
    table: pa.Table
    crystals: list[Crystal | None] | None
    skipped: list[Skipped]


def embed_table(
    embedder: ClacEmbedder,
    table: pa.Table,
    crystals: Sequence[Crystal | None] | None = None,
    *,
    options: ReadingOptions,
    on_error: str = "raise",
    show_progress: bool | None = None,
) -> EmbeddedTable:
    """
    Embed the `cif` column of a table.

    Args:
        embedder: The embedder.
        table: The table.
        crystals: Parsed crystal of each row, or `None` where the CIF is not parsed yet.
        options: How to read the structures.
        on_error: What to do with an invalid structure: `"raise"`, `"skip"` or `"warn"`.
        show_progress: Whether to show a progress bar. Default: only for long work in a terminal.

    Raises:
        ClacInputError: If the table has no `cif` column.
        InvalidStructureError: If a structure is invalid and `on_error="raise"`.
    """
    if "cif" not in table.column_names:
        raise ClacInputError(f"no column `cif` in the table; found {', '.join(table.column_names) or 'no columns'}")
    names = [f"row {row + 1}" for row in range(table.num_rows)]
    for column in ("material_id", "path"):
        if column in table.column_names:
            values = table[column].to_pylist()
            names = [name if value is None else str(value) for name, value in zip(names, values, strict=True)]
    structures: Any = table["cif"]
    if crystals is not None:
        rows = zip(crystals, structures, strict=True)
        structures = [text.as_py() if crystal is None else crystal for crystal, text in rows]
    embeds, skipped = embedder.encode_crystals(
        structures,
        names=names,
        max_atoms=options.max_atoms,
        disorder=options.disorder,
        strict=options.strict,
        on_error=on_error,
        return_skipped=True,
        show_progress=show_progress,
    )
    kept = np.delete(np.arange(table.num_rows), [row for row, _ in skipped])
    chosen = None if crystals is None else [crystals[row] for row in kept.tolist()]
    return EmbeddedTable(embeds, table.take(kept), chosen, skipped)


__all__ = ["EmbeddedTable", "embed_table"]
