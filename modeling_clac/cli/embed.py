"""The commands `clac index` and `clac embed`, which write embeddings of crystals to disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors_clac import ClacInputError
from .options import STRUCTURES, Disorder, Json, MaxAtoms, Model, OnError, Strict, check_policy, reading_options
from .support import (
    StructureInput,
    load_embedder,
    named,
    nothing_left,
    open_checkpoint,
    print_json,
    reading_json,
    report_reading,
)

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint


def make_index(
    sources: Annotated[
        list[str],
        typer.Argument(help=f"{STRUCTURES} Or mp-crystals, the bundled data set."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write. An existing index is replaced.")],
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Build an index of crystals for `clac search --index`."""
    check_policy(on_error, max_atoms, disorder)
    checkpoint = open_checkpoint(model)
    from ..data.crystal_table import crystal_table
    from ..search.index import CrystalIndex
    from ..search.index_files import check_target

    check_target(output)
    embedder = load_embedder(checkpoint)
    options = reading_options(max_atoms, disorder, strict)
    read = crystal_table(sources, options, on_error)
    if not read.table.num_rows:
        raise ClacInputError(nothing_left([left_out.reason for left_out in read.skipped]))
    index = CrystalIndex.build(
        embedder,
        read.table,
        crystals=read.crystals,
        max_atoms=options.max_atoms,
        disorder=disorder,
        strict=strict,
        on_error=on_error,
    )
    index.save(output)
    skipped = [left_out.reason for left_out in (*read.skipped, *index.skipped)]
    report_reading(read.notes, read.warned, skipped)
    _report(as_json, output, len(index), index.embeds.shape[1], checkpoint, reading_json(read.warned, skipped))


def embed(
    files: Annotated[list[Path], typer.Argument(help=STRUCTURES)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Write embeddings of crystals to a parquet file."""
    check_policy(on_error, max_atoms, disorder)
    # Protects a CIF that shell completion inserted after -o.
    if output.suffix.lower() != ".parquet":
        raise ClacInputError(f"{output}: the output must be a parquet file; give a file name that ends in .parquet")
    if not output.resolve().parent.is_dir():
        raise ClacInputError(f"{output}: its parent directory does not exist; create it first")
    if output.is_dir():
        raise ClacInputError(f"{output}: is a directory; give a file name")
    checkpoint = open_checkpoint(model)
    import numpy as np

    from ..data.crystal_table import write_embeddings
    from ..errors_clac import ErrorPolicy

    errors = ErrorPolicy(on_error)
    structures = StructureInput(files, reading_options(max_atoms, disorder, strict))
    names, crystals, rows = [], [], []
    batches = load_embedder(checkpoint).embed_batches(structures, errors=errors, options=structures.options)
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
    report_reading(structures.notes, errors.warned, skipped)
    _report(as_json, output, len(crystals), vectors.shape[1], checkpoint, reading_json(errors.warned, skipped))


def _report(
    as_json: bool, output: Path, count: int, dim: int, checkpoint: Checkpoint, reading: Mapping[str, Any]
) -> None:
    if as_json:
        written = {"output": str(output), "num_crystals": count, "dim": dim}
        print_json(**written, **named(checkpoint), **reading, units={})
    else:
        print(f"{output}: {count:,} {'crystal' if count == 1 else 'crystals'}, {dim} dimensions")


__all__ = ["embed", "make_index"]
