"""
Text <-> crystal retrieval of a checkpoint on a held-out pool.

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

from evaluation.metrics.intervals import bootstrap_intervals
from evaluation.reports.retrieval import print_retrieval, write_retrieval
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.narrator.narratives import narrate
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance
from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores

TOP = (1, 3, 10)
CURVE = tuple(range(1, 21))
REQUIRED_COLUMNS = ("material_id", "cif", "formula", "crystal_system", "space_group_number")
QUERIES = ("narrative", "narrative_masked", "formula", "formula_crystal_system")
DIRECTIONS = ("text_to_crystal", "crystal_to_text")


@dataclass
class RetrievalArguments:
    """Arguments of the retrieval evaluation."""

    # No paths as defaults: results record the arguments, and would name the place of this installation.
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id; default the bundled one."}
    )
    split: str = field(default="test", metadata={"help": "Split whose crystals make the pool."})
    pool: int = field(default=1024, metadata={"help": "Crystals in the pool; a larger split is sampled."})
    data: str | None = field(
        default=None,
        metadata={
            "help": "Directory with {split}.parquet, or a directory or file of parquet with a split column; default "
            "the bundled crystals."
        },
    )
    seed: int = field(default=0, metadata={"help": "Seed of the pool, the wording of the texts and the bootstrap."})
    output: str | None = field(
        default=None, metadata={"help": "FILE.json for the result; table.md, retrieval.png and .svg go beside it."}
    )
    batch_size: int = field(default=64, metadata={"help": "Crystals or texts embedded at once."})
    bootstrap: int = field(default=1000, metadata={"help": "Resamples behind the intervals."})
    on_error: str = field(default="raise", metadata={"help": "Unusable crystals: raise, or skip (they are counted)."})


class Embedder(Protocol):
    """What the evaluation asks of a model; [`ClacEmbedder`] is one."""

    @property
    def encode_crystals(self) -> Callable[..., Any]: ...

    def encode_text(self, texts: list[str], *, batch_size: int, show_progress: bool | None) -> np.ndarray: ...


def query_texts(records: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, list[str]]:
    """
    The text of every record for each kind of query in `QUERIES`, as a function of the record and the seed alone.

    Raises:
        ClacInputError: a record holds nothing to narrate.
    """
    texts: dict[str, list[str]] = {name: [] for name in QUERIES}
    for record in records:
        identity = str(record["material_id"])
        try:
            texts["narrative"].append(narrate(record, seed=(seed, identity)))
            texts["narrative_masked"].append(narrate(record, seed=(seed, identity), mask_formula=True))
        except ValueError as error:
            raise ClacInputError(f"{identity}: {error}") from None
        texts["formula"].append(record["formula"])
        texts["formula_crystal_system"].append(f"{record['formula']}, {record['crystal_system']}")
    return texts


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
    Scores every kind of query in both directions over a pool of crystals.

    Text -> crystal ranks all crystals of the pool for each text. Crystal -> text ranks the distinct texts for each
    crystal: a text that several crystals share is one candidate, and right for each of them.

    Args:
        embedder: see [`Embedder`]; vectors of unit length.
        records: the pool, with `REQUIRED_COLUMNS` and whatever the narrator can tell.
        seed: of the wording of the texts and of the bootstrap.
        bootstrap: resamples behind the 95 % intervals.
        on_error: `"raise"` or `"skip"` for unusable crystals; those skipped leave the pool.

    Returns:
        `pool` (crystals ranked), `skipped` (reasons), `same_formula_and_space_group` (crystals that share both with
        another one of the pool), and `scores[query][direction]`: `top_1`, `top_3`, `top_10`, `mrr` (0-1), their
        `intervals`, the `curve` of top-k accuracies for k up to 20, the number of `candidates`, the scores of `chance`,
        and the `ceiling`: the expected scores of a perfect model, which cannot tell identical texts apart.

    Raises:
        ClacInputError: fewer than two crystals, nothing to narrate, or an unusable crystal with `on_error="raise"`.
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
        raise ClacInputError(f"a pool of {len(records)} crystal(s) leaves nothing to rank; give at least 2")
    texts = query_texts(records, seed)
    # One text has one vector: the same text in batches of different padding would differ by rounding, and rank by it.
    distinct, places = np.unique([text for kind in QUERIES for text in texts[kind]], return_inverse=True)
    text_embeds = embedder.encode_text(distinct.tolist(), batch_size=batch_size, show_progress=show_progress)
    scores: dict[str, Any] = {}
    for kind, rows in zip(QUERIES, places.reshape(len(QUERIES), -1), strict=True):
        candidates, targets = np.unique(rows, return_inverse=True)
        ranks = {
            "text_to_crystal": retrieval_ranks(text_embeds[rows], crystals),
            "crystal_to_text": retrieval_ranks(crystals, text_embeds[candidates], targets),
        }
        best = {"text_to_crystal": ideal_ranks(targets), "crystal_to_text": np.ones(len(records), dtype=np.int64)}
        sizes = {"text_to_crystal": len(records), "crystal_to_text": len(candidates)}
        scores[kind] = {
            direction: _summary(ranks[direction], best[direction], sizes[direction], bootstrap, seed)
            for direction in DIRECTIONS
        }
        scores[kind]["example"] = texts[kind][0]
    return {
        "pool": len(records),
        "skipped": [reason for _, reason in skipped],
        "same_formula_and_space_group": _sharing(records, ("formula", "space_group_number")),
        "scores": scores,
    }


def ideal_ranks(groups: np.ndarray) -> np.ndarray:
    """
    Ranks a perfect model reaches when the queries of one group are identical: it can only list the group's keys first,
    so each of the g queries gets another of the ranks 1..g. `(Q,)` group ids -> `(Q,)` int64.
    """
    seen: Counter[Any] = Counter()
    ranks = np.empty(len(groups), dtype=np.int64)
    for row, group in enumerate(groups.tolist()):
        seen[group] += 1
        ranks[row] = seen[group]
    return ranks


def _summary(ranks: np.ndarray, best: np.ndarray, candidates: int, bootstrap: int, seed: int) -> dict[str, Any]:
    # Every k once: the curve and the table come from the same resamples.
    curve = retrieval_scores(ranks, CURVE)
    intervals = bootstrap_intervals(ranks, CURVE, bootstrap, seed)
    reported = [*(f"top_{k}" for k in TOP), "mrr"]
    shown = [k for k in CURVE if k <= candidates]
    return {
        **{name: curve[name] for name in reported},
        "intervals": {name: intervals[name] for name in reported},
        "ceiling": retrieval_scores(best, TOP),
        # Chance puts the right one at every rank equally often.
        "chance": retrieval_scores(np.arange(1, candidates + 1), TOP),
        "candidates": candidates,
        "curve": {
            "k": shown,
            "accuracy": [curve[f"top_{k}"] for k in shown],
            "low": [intervals[f"top_{k}"][0] for k in shown],
            "high": [intervals[f"top_{k}"][1] for k in shown],
        },
    }


def _sharing(records: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> int:
    """Number of records that agree with another one in all the columns."""
    counts = Counter(tuple(record[column] for column in columns) for record in records)
    return sum(count for count in counts.values() if count > 1)


def read_split(data: Path, split: str) -> list[dict[str, Any]]:
    """
    The rows of one split, from `{data}/{split}.parquet` or from parquet with a `split` column.

    Raises:
        ClacInputError: the data, the split, a column or a required value is missing.
    """
    if (data / f"{split}.parquet").is_file():
        table = _read_parquet(data / f"{split}.parquet")
    else:
        paths = sorted(data.glob("*.parquet")) if data.is_dir() else [data] if data.is_file() else []
        if not paths:
            raise ClacInputError(f"{data}: no parquet file there")
        tables = [table for table in map(_read_parquet, paths) if "split" in table.column_names]
        table = pa.concat_tables(tables, promote_options="permissive") if tables else None
        known = sorted({str(s) for s in table["split"].unique().to_pylist()} if table else {p.stem for p in paths})
        if table is None or split not in known:
            raise ClacInputError(f"{data}: no split {split!r}; there is {', '.join(known)}")
        table = table.filter(pa.compute.equal(table["split"], split))
    missing = [column for column in REQUIRED_COLUMNS if column not in table.column_names]
    if missing:
        raise ClacInputError(f"{data}: split {split!r} lacks the columns {', '.join(missing)}")
    empty = [column for column in REQUIRED_COLUMNS if table[column].null_count]
    if empty:
        raise ClacInputError(f"{data}: split {split!r} has rows without {', '.join(empty)}; remove them first")
    return table.to_pylist()


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None


def sample_pool(records: list[dict[str, Any]], size: int, seed: int) -> list[dict[str, Any]]:
    """`size` records drawn without replacement, in their order; all of them when there are no more."""
    if len(records) <= size:
        return records
    rows = np.random.default_rng(seed).choice(len(records), size, replace=False)
    return [records[row] for row in np.sort(rows)]


def describe_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """
    `model` (its name), `fingerprint` (see [`Checkpoint`]), and `training`: the checkpoint's own `training.json` with
    recipe, seed and commit, or `None`.

    Raises:
        ClacInputError: the checkpoint has no weights, or its `training.json` is damaged.
    """
    return {"model": checkpoint.name, "fingerprint": checkpoint.fingerprint, "training": checkpoint.training}


def _check(arguments: RetrievalArguments) -> None:
    for name, least in (("pool", 2), ("bootstrap", 1), ("batch_size", 1)):
        if getattr(arguments, name) < least:
            raise ClacInputError(f"--{name} {getattr(arguments, name)}: must be at least {least}")
    if arguments.on_error not in ("raise", "skip"):
        raise ClacInputError(f"--on_error {arguments.on_error}: choose raise or skip")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: give the name of a .json file")


def run(arguments: RetrievalArguments) -> dict[str, Any]:
    """
    Evaluates, prints the table, and writes the result where `--output` says.

    Raises:
        ClacInputError: an argument, the data or the model is unusable; nothing has been written then.
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
