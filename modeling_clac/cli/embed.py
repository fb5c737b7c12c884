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
    be_quiet,
    load_embedder,
    named,
    note,
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
    executor: Annotated[str, typer.Option(help="local, or ray for a Ray cluster that shares the directory.")] = "local",
    ann: Annotated[
        bool, typer.Option("--ann", help="Also build a graph of neighbours for `clac search --ann`.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that work at a time. Default: 1, or all cores of Ray.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build an index of crystals for `clac search --index`. A build that was interrupted goes on where it stopped."""
    check_policy(on_error, max_atoms, disorder)
    from ..utils.executors import check_executor

    check_executor(executor)
    checkpoint = open_checkpoint(model)
    from ..search.index_building import BuildOptions, build_index

    be_quiet()
    built = build_index(
        sources,
        output,
        BuildOptions(checkpoint, reading_options(max_atoms, disorder, strict), on_error, ann),
        executor=executor,
        workers=workers,
        tell=note,
    )
    skipped = [left_out.reason for left_out in built.skipped]
    report_reading(built.notes, built.warned, skipped)
    _report(as_json, output, built.num_crystals, built.dim, checkpoint, reading_json(built.warned, skipped))


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
