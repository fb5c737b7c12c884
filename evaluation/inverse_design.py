"""
Inverse design by search: a text states one or two target properties, and crystals are ranked by it.

    python -m evaluation.inverse_design --split test --output runs/inverse-design/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from evaluation.metrics.intervals import mean_interval
from evaluation.reports.inverse_design import design_markdown, write_design
from evaluation.retrieval import describe_model
from evaluation.texts.rankers import Ranker, embedding_ranker, search_ranker, without_values
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.columns import ESTIMATED_PROPERTIES
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.narrator.phrases import join_words, number, with_article
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance
from train.calibrate import split_embeddings

TOP = (3, 10, 100)
WAYS = ("embeddings", "estimates")
# Ends of the range of targets: quantiles of the training values.
_TAIL = 0.05
_SHOWN_HITS = 10


@dataclass
class InverseDesignArguments:
    """Arguments of the evaluation of inverse design."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(
        default="validation", metadata={"help": "Split whose crystals are ranked: validation, or test to report."}
    )
    tasks: str = field(
        default="band_gap,density,formation_energy_per_atom,bulk_modulus_vrh,refractive_index,band_gap+density,"
        "bulk_modulus_vrh+density,band_gap+refractive_index",
        metadata={"help": "Properties, or pairs joined by +, separated by commas."},
    )
    targets: int = field(default=25, metadata={"help": "Number of targets of each task."})
    ways: str = field(
        default=",".join(WAYS),
        metadata={
            "help": "How crystals are ranked (commas): by embeddings alone; or as `clac search` would with estimates "
            "instead of the values of the properties."
        },
    )
    seed: int = field(default=0, metadata={"help": "Seed of the targets of pairs and of the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, pareto.png and .svg go to the same directory."},
    )


@dataclass(frozen=True)
class Target:
    """
    What is sought.

    Attributes:
        values: Value of each property.
        text: Text that states them.
    """

    values: tuple[float, ...]
    text: str


def target_text(columns: Sequence[str], values: Sequence[float]) -> str:
    """Write the text that states the values of properties, such as "crystal with a band gap of 2.50 eV"."""
    parts = []
    for column, value in zip(columns, values, strict=True):
        row = PROPERTIES[column]
        shown = f"{number(value, row.decimals)} {row.unit}".strip()
        parts.append(f"{with_article(row.label)} of {shown}")
    return f"crystal with {join_words(parts)}"


def draw_targets(train: FactTable, columns: Sequence[str], count: int, seed: int) -> list[Target]:
    """
    Choose targets: evenly spaced quantiles of the training values of one property, or the values of training crystals
    drawn at random for several, so that they go together.

    Args:
        train: Facts of the training crystals.
        columns: The properties.
        count: Number of targets.
        seed: Seed of the draw.

    Returns:
        The targets, rounded to the decimals of the texts.

    Raises:
        ClacInputError: If fewer training crystals have all values.
    """
    values = np.stack([train.number(column) for column in columns], axis=1)
    values = values[~np.isnan(values).any(axis=1)]
    if len(values) < count:
        raise ClacInputError(
            f"{'+'.join(columns)}: only {len(values):,} training crystals have a value, fewer than --targets {count}"
        )
    if len(columns) == 1:
        chosen = np.quantile(values, np.linspace(_TAIL, 1 - _TAIL, count), axis=0)
    else:
        chosen = values[np.random.default_rng(seed).choice(len(values), count, replace=False)]
    decimals = [PROPERTIES[column].decimals for column in columns]
    rounded = [tuple(round(float(v), d) for v, d in zip(row, decimals, strict=True)) for row in chosen]
    return [Target(row, target_text(columns, row)) for row in rounded]


def design_errors(values: np.ndarray, target: Sequence[float], scales: np.ndarray) -> np.ndarray:
    """
    Compute how far crystals are from a target.

    Args:
        values: `(n, p)`, values of p properties.
        target: `(p,)`.
        scales: `(p,)`, units of the differences.

    Returns:
        `(n,)`, mean of |value - target| / scale over the properties.
    """
    found: np.ndarray = (np.abs(values - np.asarray(target)) / scales).mean(axis=1)
    return found


def dominating_share(values: np.ndarray, target: Sequence[float]) -> np.ndarray:
    """
    Compute for each crystal the share of the others that are nearer to the target in one property and not farther in
    any other; zero on the Pareto front.

    Args:
        values: `(n, p)`.
        target: `(p,)`.

    Returns:
        `(n,)`, 0-1.
    """
    distance = np.abs(values - np.asarray(target))
    not_farther = (distance[None] <= distance[:, None]).all(axis=2)
    nearer = (distance[None] < distance[:, None]).any(axis=2)
    share: np.ndarray = (not_farther & nearer).sum(axis=1) / max(1, len(values) - 1)
    return share


def composition_ranking(
    train: FactTable, columns: Sequence[str], target: Sequence[float], pool: FactTable
) -> np.ndarray:
    """
    Rank crystals by how near their composition is to that of the training crystal nearest to the target.

    Args:
        train: Facts of the training crystals.
        columns: The properties.
        target: Their values.
        pool: Facts of the n crystals.

    Returns:
        Scores `(n,)`: minus half the sum of the differences of the atomic fractions.
    """
    values = np.stack([train.number(column) for column in columns], axis=1)
    errors = design_errors(values, target, np.nanstd(values, axis=0))
    nearest = train.fractions[int(np.nanargmin(errors))]
    return np.asarray(-np.abs(pool.fractions - nearest).sum(axis=1) / 2)


def evaluate_task(
    columns: Sequence[str], rankers: Mapping[str, Ranker], train: FactTable, pool: FactTable, count: int, seed: int
) -> dict[str, Any]:
    """
    Score the rankings of one task.

    Args:
        columns: One property or several.
        rankers: Rankers of the crystals by the way.
        train: Facts of the training crystals.
        pool: Facts of the crystals.
        count: Number of targets.
        seed: Seed of the targets and the bootstrap.

    Returns:
        The number of `crystals` with all values; the `scale` of each property, by which differences of several are
        divided (1 for a single property); by way, and for `random`, `nearest composition` and `best possible`:
        `mae` of the first k by k, with `interval`s, `rank_correlation` of score and nearness, and for several
        properties the share of crystals `dominating` the first ten; and `targets` with their first hits.

    Raises:
        ClacInputError: If too few crystals have values.
    """
    targets = draw_targets(train, columns, count, seed)
    values = np.stack([pool.number(column) for column in columns], axis=1)
    rows = np.flatnonzero(~np.isnan(values).any(axis=1))
    if len(rows) < TOP[0]:
        raise ClacInputError(f"{'+'.join(columns)}: only {len(rows)} crystals of the split have a value")
    values, known = values[rows], pool.take(rows)
    spread = np.array([np.nanstd(train.number(column)) for column in columns])
    scales = spread if len(columns) > 1 else np.ones(1)
    texts = [target.text for target in targets]
    scores = {way: rank(texts)[:, rows] for way, rank in rankers.items()}
    compositions = [composition_ranking(train, columns, target.values, known) for target in targets]
    scores["nearest composition"] = np.stack(compositions)
    errors = np.stack([design_errors(values, target.values, scales) for target in targets])
    scores["best possible"] = -errors
    dominating = None
    if len(columns) > 1:
        dominating = np.stack([dominating_share(values, target.values) for target in targets])
    found = {way: _scored(own, errors, dominating, seed) for way, own in scores.items()}
    found["random"] = _random(errors, dominating, seed)
    ids = known.table["material_id"].to_pylist()
    orders = {way: np.argsort(-own, axis=1, kind="stable")[:, :_SHOWN_HITS] for way, own in scores.items()}
    return {
        "properties": list(columns),
        "crystals": len(rows),
        "scale": scales.tolist(),
        "ways": found,
        "targets": [
            {
                "text": target.text,
                "values": list(target.values),
                "hits": {way: [ids[row] for row in order[place]] for way, order in orders.items()},
            }
            for place, target in enumerate(targets)
        ],
        # Of the first target, for the figure: the distances of all crystals and the hits.
        "example": {
            "distances": np.abs(values - np.asarray(targets[0].values)).tolist(),
            "hits": {way: order[0].tolist() for way, order in orders.items()},
        },
    }


def _scored(scores: np.ndarray, errors: np.ndarray, dominating: np.ndarray | None, seed: int) -> dict[str, Any]:
    order = np.argsort(-scores, axis=1, kind="stable")
    sorted_errors = np.take_along_axis(errors, order, axis=1)
    with np.errstate(invalid="ignore"):
        correlations = np.array([spearmanr(own, -error).statistic for own, error in zip(scores, errors, strict=True)])
    found = {
        "mae": {str(k): _mean(sorted_errors[:, :k].mean(axis=1), seed) for k in TOP},
        "rank_correlation": _mean(np.nan_to_num(correlations), seed),  # equal scores do not correlate
    }
    if dominating is not None:
        hits = np.take_along_axis(dominating, order[:, :_SHOWN_HITS], axis=1)
        found["dominating"] = _mean(hits.mean(axis=1), seed)
    return found


def _random(errors: np.ndarray, dominating: np.ndarray | None, seed: int) -> dict[str, Any]:
    """Expected scores of a random ranking."""
    mean = _mean(errors.mean(axis=1), seed)
    found = {"mae": {str(k): mean for k in TOP}, "rank_correlation": {"mean": 0.0, "interval": (0.0, 0.0)}}
    if dominating is not None:
        found["dominating"] = _mean(dominating.mean(axis=1), seed)
    return found


def _mean(values: np.ndarray, seed: int) -> dict[str, Any]:
    return {"mean": float(values.mean()), "interval": mean_interval(values, seed=seed)}


def _check(arguments: InverseDesignArguments) -> list[tuple[str, ...]]:
    require_at_least(arguments, 2, "targets")
    tasks = [tuple(task.split("+")) for task in arguments.tasks.split(",")]
    for task in tasks:
        for column in task:
            if column not in PROPERTIES:
                raise ClacInputError(f"--tasks {column}: unknown property; choose from {', '.join(PROPERTIES)}")
        if len(task) > 2 or len(set(task)) < len(task):
            raise ClacInputError(f"--tasks {'+'.join(task)}: give one property, or two different ones")
    for option, value, known in (
        ("split", arguments.split, ("validation", "test")),
        *(("ways", own, WAYS) for own in arguments.ways.split(",")),
    ):
        if value not in known:
            raise ClacInputError(f"--{option} {value}: choose from {', '.join(known)}")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    return tasks


def run(arguments: InverseDesignArguments) -> dict[str, Any]:
    """
    Score all tasks, print the table, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument or the model is invalid. Nothing is written in that case.
    """
    tasks = _check(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    embedder, train, pool = (
        ClacEmbedder.from_pretrained(checkpoint),
        FactTable.bundled("train"),
        FactTable.bundled(arguments.split),
    )
    crystals = split_embeddings(checkpoint, embedder)[arguments.split]
    cosines = embedding_ranker(embedder, crystals)
    computed = [column for column, row in PROPERTIES.items() if not row.from_structure]
    hidden = without_values(pool, [*ESTIMATED_PROPERTIES, *computed])
    rankers: dict[str, Ranker] = {
        way: cosines if way == "embeddings" else search_ranker(cosines, hidden, load_vocabulary())
        for way in arguments.ways.split(",")
    }
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "split": arguments.split,
        "pool": len(pool),
        "seed": arguments.seed,
        "tasks": {
            "+".join(task): evaluate_task(task, rankers, train, pool, arguments.targets, arguments.seed)
            for task in tasks
        },
        "command": shlex.join(["python", "-m", "evaluation.inverse_design", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print(design_markdown(result))
    if arguments.output is not None:
        for path in write_design(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(InverseDesignArguments, run)
