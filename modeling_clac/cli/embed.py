"""The commands `clac index` and `clac embed`, which write embeddings of crystals to disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors_clac import ClacInputError
from .options import Json, MaxAtoms, Model, OnError, check_policy
from .support import load_embedder, named, note_skipped, nothing_left, open_checkpoint, print_json

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint


def make_index(
    sources: Annotated[
        list[str],
        typer.Argument(help="CIF files, directories of CIF files, parquet files with a `cif` column, or mp-crystals."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write. An existing index is replaced.")],
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    as_json: Json = False,
) -> None:
    """Build an index of crystals for `clac search --index`."""
    check_policy(on_error, max_atoms)
    checkpoint = open_checkpoint(model)
    from ..crystal_clac import MAX_ATOMS, ReadingOptions
    from ..data.crystal_table import crystal_table
    from ..search.index import CrystalIndex, check_target

    check_target(output)
    embedder = load_embedder(checkpoint)
    limit = max_atoms or MAX_ATOMS
    table, crystals, skipped = crystal_table(sources, ReadingOptions(limit), on_error)
    if not table.num_rows:
        raise ClacInputError(nothing_left(skipped))
    index = CrystalIndex.build(embedder, table, crystals=crystals, max_atoms=limit, on_error=on_error)
    index.save(output)
    skipped += [left_out.reason for left_out in index.skipped]
    _report(as_json, output, len(index), index.embeds.shape[1], checkpoint, skipped)


def embed(
    files: Annotated[list[Path], typer.Argument(help="CIF files, or directories of CIF files.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    as_json: Json = False,
) -> None:
    """Write embeddings of crystals to a parquet file."""
    check_policy(on_error, max_atoms)
    # Protects a CIF that shell completion inserted after -o.
    if output.suffix.lower() != ".parquet":
        raise ClacInputError(f"{output}: the output must be a parquet file; give a file name that ends in .parquet")
    if not output.resolve().parent.is_dir():
        raise ClacInputError(f"{output}: its parent directory does not exist; create it first")
    if output.is_dir():
        raise ClacInputError(f"{output}: is a directory; give a file name")
    checkpoint = open_checkpoint(model)
    import numpy as np

    from ..crystal_clac import MAX_ATOMS, ReadingOptions
    from ..data.crystal_table import crystal_files, write_embeddings
    from ..errors_clac import ErrorPolicy

    errors = ErrorPolicy(on_error)
    names, crystals, rows = [], [], []
    batches = load_embedder(checkpoint).embed_batches(
        crystal_files(files), errors=errors, options=ReadingOptions(max_atoms or MAX_ATOMS)
    )
    for batch, embeds in batches:
        names += [entry.name for entry in batch]
        crystals += [entry.crystal for entry in batch]
        rows.append(embeds)
    skipped = [left_out.reason for left_out in errors.skipped]
    if not rows:
        raise ClacInputError(nothing_left(skipped))
    vectors = np.concatenate(rows)
    write_embeddings(
        output, names, crystals, vectors, {f"clac_{key}": value for key, value in named(checkpoint).items()}
    )
    _report(as_json, output, len(crystals), vectors.shape[1], checkpoint, skipped)


def _report(as_json: bool, output: Path, count: int, dim: int, checkpoint: Checkpoint, skipped: Sequence[str]) -> None:
    note_skipped(skipped)
    if as_json:
        written = {"output": str(output), "num_crystals": count, "dim": dim}
        print_json(**written, **named(checkpoint), skipped=skipped, units={})
    else:
        print(f"{output}: {count:,} {'crystal' if count == 1 else 'crystals'}, {dim} dimensions")


__all__ = ["embed", "make_index"]
