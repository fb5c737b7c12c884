"""
Text <-> crystal retrieval accuracy of a checkpoint on a held-out pool.

    python -m evaluation.retrieval --model modeling_clac/assets/clac-mini --split test --pool 1024 \
        --output runs/retrieval/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.pool_texts import QUERIES, query_texts
from evaluation.metrics.pools import score_pool
from evaluation.reports.retrieval import print_retrieval, write_retrieval
from modeling_clac.errors_clac import ClacInputError, check_on_error, first_line
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance

REQUIRED_COLUMNS = ("material_id", "cif", "formula", "crystal_system", "space_group_number")


@dataclass
class RetrievalArguments:
    """Arguments of the retrieval evaluation."""

    # Defaults are not paths, because results record the arguments and would contain the path of the installation.
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(default="test", metadata={"help": "Split to take the pool from."})
    pool: int = field(default=1024, metadata={"help": "Number of crystals in the pool; a larger split is sampled."})
    data: str | None = field(
        default=None,
        metadata={
            "help": "Directory with {split}.parquet, or a parquet file or directory with a split column. Default: "
            "the bundled crystals."
        },
    )
    seed: int = field(default=0, metadata={"help": "Seed of the pool, the narratives and the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, retrieval.png and .svg go to the same directory."},
    )
    batch_size: int = field(default=64, metadata={"help": "Crystals or texts per batch."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    on_error: str = field(
        default="raise", metadata={"help": "Invalid crystals: raise an error, or skip and count them."}
    )


class Embedder(Protocol):
    """Interface of the evaluated model, which [`ClacEmbedder`] implements."""

    @property
    def encode_crystals(self) -> Callable[..., Any]: ...

    def encode_text(self, texts: list[str], *, batch_size: int, show_progress: bool | None) -> np.ndarray: ...


def evaluate_retrieval(
    embedder: Embedder,
    records: Sequence[Mapping[str, Any]],
    seed: int = 0,
    *,
    batch_size: int = 64,
    bootstrap: int = 1000,
    on_error: str = "raise",
    show_progress: bool | None = None,
) -> dict[str, Any]:
    """
    Score each kind of query in both directions over a pool of crystals.

    Args:
        embedder: Model that returns embeddings of unit length, see [`Embedder`].
        records: Crystals of the pool, with `REQUIRED_COLUMNS` and the properties that the narrator uses.
        seed: Seed of the narratives and the bootstrap.
        batch_size: Crystals or texts per batch.
        bootstrap: Number of bootstrap samples for the 95 % intervals.
        on_error: `"raise"` an error for an invalid crystal, or `"skip"` it, which removes it from the pool.
        show_progress: Whether to show progress bars. Default: the embedder decides.

    Returns:
        `pool` (number of ranked crystals), `skipped` (reasons), `same_formula_and_space_group` (number of crystals
        that share both with another crystal of the pool), and `scores[query][direction]`, see `score_pool`.

    Raises:
        ClacInputError: If there are fewer than two crystals, a record has no facts to narrate, or a crystal is
            invalid and `on_error="raise"`.
    """
    names = [str(record["material_id"]) for record in records]
    crystals, skipped = embedder.encode_crystals(
        [record["cif"] for record in records],
        names=names,
        batch_size=batch_size,
        on_error=on_error,
        return_skipped=True,
        show_progress=show_progress,
    )
    left_out = {index for index, _ in skipped}
    records = [record for index, record in enumerate(records) if index not in left_out]
    if len(records) < 2:
        raise ClacInputError(f"a pool of {len(records)} crystal(s) is too small to rank; give at least 2")
    texts = query_texts(records, seed)
    # Each distinct text is embedded once: rounding depends on the padding of the batch, so identical texts embedded
    # twice would differ slightly and no longer tie.
    distinct, places = np.unique([text for kind in QUERIES for text in texts[kind]], return_inverse=True)
    text_embeds = embedder.encode_text(distinct.tolist(), batch_size=batch_size, show_progress=show_progress)
    scores: dict[str, Any] = {}
    for kind, rows in zip(QUERIES, places.reshape(len(QUERIES), -1), strict=True):
        scores[kind] = score_pool(crystals, text_embeds, rows, bootstrap=bootstrap, seed=seed)
        scores[kind]["example"] = texts[kind][0]
    return {
        "pool": len(records),
        "skipped": [reason for _, reason in skipped],
        "same_formula_and_space_group": _sharing(records, ("formula", "space_group_number")),
        "scores": scores,
    }


def _sharing(records: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> int:
    """Count the records that share the values of all `columns` with another record."""
    counts = Counter(tuple(record[column] for column in columns) for record in records)
    return sum(count for count in counts.values() if count > 1)


def read_split(data: Path, split: str) -> list[dict[str, Any]]:
    """
    Read the rows of a split from `{data}/{split}.parquet`, or from parquet files with a `split` column.

    Args:
        data: Directory or parquet file.
        split: Name of the split.

    Raises:
        ClacInputError: If the data, the split, a required column or a required value is missing.
    """
    if (data / f"{split}.parquet").is_file():
        table = _read_parquet(data / f"{split}.parquet")
    else:
        paths = sorted(data.glob("*.parquet")) if data.is_dir() else [data] if data.is_file() else []
        if not paths:
            raise ClacInputError(f"{data}: no parquet file found")
        tables = [table for table in map(_read_parquet, paths) if "split" in table.column_names]
        table = pa.concat_tables(tables, promote_options="permissive") if tables else None
        known = sorted({str(s) for s in table["split"].unique().to_pylist()} if table else {p.stem for p in paths})
        if table is None or split not in known:
            raise ClacInputError(f"{data}: unknown split {split!r}; available splits: {', '.join(known)}")
        table = table.filter(pa.compute.equal(table["split"], split))
    missing = [column for column in REQUIRED_COLUMNS if column not in table.column_names]
    if missing:
        raise ClacInputError(f"{data}: split {split!r} has no column {', '.join(missing)}")
    empty = [column for column in REQUIRED_COLUMNS if table[column].null_count]
    if empty:
        raise ClacInputError(f"{data}: split {split!r} has rows with empty {', '.join(empty)}; remove these rows")
    return table.to_pylist()


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None


def sample_pool(records: list[dict[str, Any]], size: int, seed: int) -> list[dict[str, Any]]:
    """Draw `size` records without replacement and keep their order; return all records if there are no more."""
    if len(records) <= size:
        return records
    rows = np.random.default_rng(seed).choice(len(records), size, replace=False)
    return [records[row] for row in np.sort(rows)]


def describe_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """
    Describe a checkpoint for a result file.

    Returns:
        `model` (the name), `fingerprint` (see [`Checkpoint`]), and `training`, the contents of the `training.json` of
        the checkpoint with recipe, seed and commit, or `None`.

    Raises:
        ClacInputError: If the checkpoint has no weights, or its `training.json` is invalid.
    """
    return {"model": checkpoint.name, "fingerprint": checkpoint.fingerprint, "training": checkpoint.training}


def _check(arguments: RetrievalArguments) -> None:
    require_at_least(arguments, 2, "pool")
    require_at_least(arguments, 1, "bootstrap", "batch_size")
    check_on_error(arguments.on_error, ("raise", "skip"))
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")


def run(arguments: RetrievalArguments) -> dict[str, Any]:
    """
    Evaluate the model, print the table, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, the data or the model is invalid. Nothing is written in that case.
    """
    _check(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    records = read_split(Path(arguments.data or ASSETS / "mp-crystals"), arguments.split)
    pool = sample_pool(records, arguments.pool, arguments.seed)
    if len(pool) < arguments.pool:
        print(f"split {arguments.split!r} has {len(pool):,} crystals, fewer than --pool {arguments.pool:,}: using all")
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    model = describe_model(checkpoint)
    scores = evaluate_retrieval(
        embedder,
        pool,
        arguments.seed,
        batch_size=arguments.batch_size,
        bootstrap=arguments.bootstrap,
        on_error=arguments.on_error,
    )
    origin = provenance(asdict(arguments))
    result = {
        **model,
        "seed": arguments.seed,
        "split": arguments.split,
        "split_size": len(records),
        **scores,
        "command": shlex.join(["python", "-m", "evaluation.retrieval", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_retrieval(result)
    if arguments.output is not None:
        for path in write_retrieval(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(RetrievalArguments, run)
