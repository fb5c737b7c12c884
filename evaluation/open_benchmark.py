"""
Score two files of embeddings, of crystals and of texts, on the crystal-text benchmark of `datasets_scripts.benchmark`.

    python -m evaluation.open_benchmark --benchmark runs/crystal-text-benchmark --name "my model" \
        --crystals crystals.parquet --texts texts.parquet --output result.json
    python -m evaluation.open_benchmark --benchmark runs/crystal-text-benchmark --model clac-mini --write_to runs/clac

A file of embeddings is Parquet with the columns `id` (`material_id` or `text_id`) and `embedding`. With `--model`, a
checkpoint of CLaC embeds all crystals and texts; `--write_to` keeps the files, an example for other models.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.benchmark_tables import SCHEMAS, TASKS
from evaluation.metrics.embedding_files import read_embeddings, write_embeddings
from evaluation.metrics.intervals import mean_interval
from evaluation.metrics.pools import score_pool
from evaluation.metrics.precision import share_of_possible
from evaluation.multiple_choice.answers import credits_of, mean_of_levels, scores_by_level
from evaluation.multiple_choice.question_set import ChoiceQuestion
from evaluation.reports.open_benchmark import benchmark_markdown, write_benchmark
from evaluation.retrieval import describe_model
from modeling_clac.checkpoint_files_clac import is_hub_id
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance

Rows = list[dict[str, Any]]


@dataclass
class OpenBenchmarkArguments:
    """Arguments of the benchmark."""

    benchmark: str = field(metadata={"help": "Data set of datasets_scripts.benchmark: a directory or a Hub id."})
    crystals: str | None = field(default=None, metadata={"help": "Parquet file of embeddings of the crystals."})
    texts: str | None = field(default=None, metadata={"help": "Parquet file of embeddings of the texts."})
    name: str | None = field(
        default=None, metadata={"help": "Name of the model in the result. Default: that of the file or the checkpoint."}
    )
    model: str | None = field(
        default=None, metadata={"help": "Embed with this checkpoint of CLaC instead of reading the two files."}
    )
    write_to: str | None = field(
        default=None, metadata={"help": "With --model: directory for crystals.parquet and texts.parquet."}
    )
    batch_size: int = field(default=64, metadata={"help": "With --model: crystals or texts per batch."})
    seed: int = field(default=0, metadata={"help": "Seed of the bootstrap."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md and the figure go to the same directory."},
    )

    def __post_init__(self) -> None:
        require_at_least(self, 1, "batch_size", "bootstrap")
        given = [self.crystals is not None, self.texts is not None]
        if self.model is None and not all(given):
            raise ClacInputError("give --crystals and --texts, two files of embeddings, or --model")
        if self.model is not None and any(given):
            raise ClacInputError("--model embeds itself; leave out --crystals and --texts")
        if self.write_to is not None and self.model is None:
            raise ClacInputError("--write_to keeps what --model embeds; give --model, or leave it out")
        if self.output is not None and Path(self.output).suffix != ".json":
            raise ClacInputError(f"--output {self.output}: expected a file name ending in .json")


def benchmark_directory(source: str) -> Path:
    """
    Return the directory of a benchmark, which is downloaded if it is on the Hub.

    Args:
        source: Directory or Hub id.

    Raises:
        ClacInputError: If there is neither.
    """
    if Path(source).is_dir():
        return Path(source)
    if not is_hub_id(source):
        raise ClacInputError(f"--benchmark {source}: no such directory; write it with datasets_scripts.benchmark")
    import httpx2  # the HTTP client of huggingface_hub 2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, repo_type="dataset", allow_patterns=["*.parquet", "README.md"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
        raise ClacInputError(
            f"--benchmark {source}: no such directory, and it could not be downloaded ({first_line(error)})"
        ) from None


def read_benchmark(directory: Path) -> dict[str, Rows]:
    """
    Read the tables of a benchmark.

    Returns:
        Rows by the name of the table, a key of `SCHEMAS`.

    Raises:
        ClacInputError: If a table is missing, cannot be read or has another schema, or refers to an unknown id.
    """
    tables = {}
    for name, schema in SCHEMAS.items():
        path = directory / f"{name}.parquet"
        try:
            found = pq.read_schema(path)
            missing = [column for column in schema.names if column not in found.names]
            if missing:
                raise ClacInputError(f"{path}: no column {', '.join(missing)}; expected a benchmark of CLaC")
            tables[name] = pq.read_table(path, columns=schema.names).cast(schema).to_pylist()
        except FileNotFoundError:
            raise ClacInputError(f"{path}: missing; write it with python -m datasets_scripts.benchmark") from None
        except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ClacInputError(f"{path}: not a table of the benchmark ({first_line(error)})") from None
        if not tables[name]:
            raise ClacInputError(f"{path}: no rows")
    texts = {row["text_id"] for row in tables["texts"]}
    crystals = {row["material_id"] for row in tables["crystals"]}
    for name, rows in tables.items():
        for place, row in enumerate(rows):
            own = {row.get("text_id"), *row.get("options", ())} - {None}
            about = {row.get("material_id"), *row.get("right", ()), *row.get("undecided", ())} - {None}
            strange = sorted((own - texts) | (about - crystals))
            if strange:
                raise ClacInputError(f"{directory / name}.parquet: row {place}: unknown id {strange[0]}")
    return tables


def fingerprint(tables: dict[str, Rows]) -> str:
    """Return 16 hexadecimal digits that identify the texts, crystals and answers of a benchmark."""
    text = json.dumps([tables[name] for name in SCHEMAS], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def score_benchmark(
    tables: dict[str, Rows], crystals: np.ndarray, texts: np.ndarray, bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """
    Score embeddings on all parts of a benchmark.

    Args:
        tables: From `read_benchmark`.
        crystals: Unit vectors of the rows of `crystals`, `(n, dim)`.
        texts: Unit vectors of the rows of `texts`, `(t, dim)`.
        bootstrap: Number of bootstrap samples for the 95 % intervals.
        seed: Seed of the bootstrap.

    Returns:
        `retrieval`, rows with `task`, `pool`, `queries` and the scores of both directions (see `score_pool`); `phrases`
        (share of the possible precision@10, averaged over concepts, and by kind of concept); and `questions` (see
        `scores_by_level`).
    """
    crystal_rows = {row["material_id"]: place for place, row in enumerate(tables["crystals"])}
    text_rows = {row["text_id"]: place for place, row in enumerate(tables["texts"])}
    retrieval = []
    for pool in dict.fromkeys(row["pool"] for row in tables["pools"]):
        members = [crystal_rows[row["material_id"]] for row in tables["pools"] if row["pool"] == pool]
        place = {row: own for own, row in enumerate(members)}
        for task in TASKS:
            own = [
                (text_rows[row["text_id"]], place[crystal_rows[row["material_id"]]])
                for row in tables["retrieval"]
                if row["task"] == task and crystal_rows[row["material_id"]] in place
            ]
            if own:
                rows, targets = np.array(own).T
                scores = score_pool(crystals[members], texts, rows, targets, bootstrap=bootstrap, seed=seed)
                retrieval.append({"task": task, "pool": len(members), "queries": len(own), **scores})
    return {
        "retrieval": retrieval,
        "phrases": _phrases(tables["phrases"], crystal_rows, text_rows, crystals, texts, bootstrap, seed),
        "questions": _questions(tables, crystal_rows, text_rows, crystals, texts, bootstrap, seed),
    }


def _phrases(
    rows: Rows,
    crystal_rows: dict[str, int],
    text_rows: dict[str, int],
    crystals: np.ndarray,
    texts: np.ndarray,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    shares: dict[str, list[float]] = {}
    for row in rows:
        truth = np.zeros(len(crystals))
        truth[[crystal_rows[name] for name in row["right"]]] = 1
        truth[[crystal_rows[name] for name in row["undecided"]]] = np.nan
        share = share_of_possible(crystals @ texts[text_rows[row["text_id"]]], truth)
        shares.setdefault(row["concept"], []).append(share)
    means = {concept: float(np.mean(own)) for concept, own in shares.items()}
    kinds: dict[str, list[float]] = {}
    for concept, kind in {row["concept"]: row["kind"] for row in rows}.items():
        kinds.setdefault(kind, []).append(means[concept])
    every = np.array(list(means.values()))
    return {
        "phrases": len(rows),
        "concepts": len(means),
        "share": float(every.mean()),
        "interval": mean_interval(every, bootstrap, seed),
        "kinds": {kind: {"share": float(np.mean(own)), "concepts": len(own)} for kind, own in sorted(kinds.items())},
    }


def _questions(
    tables: dict[str, Rows],
    crystal_rows: dict[str, int],
    text_rows: dict[str, int],
    crystals: np.ndarray,
    texts: np.ndarray,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    written = {row["text_id"]: row["text"] for row in tables["texts"]}
    formulas = {row["material_id"]: (row["formula"], row["cif"]) for row in tables["crystals"]}
    questions = [
        ChoiceQuestion(
            row["question_id"],
            row["material_id"],
            row["kind"],
            row["difficulty"],
            row["question"],
            tuple(written[own] for own in row["options"]),
            row["answer"],
            *formulas[row["material_id"]],
        )
        for row in tables["questions"]
    ]
    scores = [
        texts[[text_rows[own] for own in row["options"]]] @ crystals[crystal_rows[row["material_id"]]]
        for row in tables["questions"]
    ]
    levels = scores_by_level(questions, credits_of(questions, scores), bootstrap, seed)
    for level, own in levels.items():
        sizes = [len(question.options) for question in questions if ", ".join(question.level) == level]
        own["chance"] = float(np.mean([1 / size for size in sizes]))
    return {"mean": mean_of_levels(levels), "levels": levels}


def _embed(arguments: OpenBenchmarkArguments, tables: dict[str, Rows]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    checkpoint = resolve_checkpoint(arguments.model)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    names = [row["material_id"] for row in tables["crystals"]]
    crystals = embedder.encode_crystals(
        [row["cif"] for row in tables["crystals"]], names=names, batch_size=arguments.batch_size
    )
    texts = embedder.encode_text([row["text"] for row in tables["texts"]], batch_size=arguments.batch_size)
    if arguments.write_to is not None:
        write_embeddings(Path(arguments.write_to) / "crystals.parquet", names, crystals)
        write_embeddings(Path(arguments.write_to) / "texts.parquet", [row["text_id"] for row in tables["texts"]], texts)
        print(f"wrote {arguments.write_to}/crystals.parquet and texts.parquet")
    return crystals, texts, describe_model(checkpoint)


def _read(arguments: OpenBenchmarkArguments, tables: dict[str, Rows]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    files = Path(str(arguments.crystals)), Path(str(arguments.texts))
    crystals = read_embeddings(files[0], [row["material_id"] for row in tables["crystals"]])
    texts = read_embeddings(files[1], [row["text_id"] for row in tables["texts"]])
    if crystals.shape[1] != texts.shape[1]:
        raise ClacInputError(
            f"{files[0]} has vectors of {crystals.shape[1]} numbers, {files[1]} of {texts.shape[1]}; give the "
            "embeddings of one model"
        )
    return crystals, texts, {"model": files[0].stem, "fingerprint": None, "training": None}


def run(arguments: OpenBenchmarkArguments) -> dict[str, Any]:
    """
    Score the embeddings, print the tables, and write the result to `--output` if given.

    Raises:
        ClacInputError: If the benchmark, a file of embeddings or the model is invalid; no result is written.
    """
    tables = read_benchmark(benchmark_directory(arguments.benchmark))
    crystals, texts, model = (_read if arguments.model is None else _embed)(arguments, tables)
    origin = provenance(asdict(arguments))
    result = {
        **model,
        "model": arguments.name or model["model"],
        "dimension": crystals.shape[1],
        "benchmark": fingerprint(tables),
        "seed": arguments.seed,
        **score_benchmark(tables, crystals, texts, arguments.bootstrap, arguments.seed),
        "command": shlex.join(["python", "-m", "evaluation.open_benchmark", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print(benchmark_markdown(result))
    if arguments.output is not None:
        for path in write_benchmark(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(OpenBenchmarkArguments, run)
