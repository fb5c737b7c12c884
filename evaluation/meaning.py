"""
Whether texts are understood: realistic queries, held-out wordings, conjunctions and zero-shot classes over a pool.

    python -m evaluation.meaning --split validation --half development --output runs/meaning/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datasets_scripts.common.pool_texts import LabelledText, held_out_texts
from evaluation.metrics.intervals import mean_interval
from evaluation.metrics.precision import share_of_possible
from evaluation.reports.meaning import print_meaning, write_meaning
from evaluation.retrieval import describe_model
from evaluation.texts.poles import pole_texts, score_poles
from evaluation.texts.query_sets import (
    CATEGORIES,
    HALVES,
    conjunctions,
    read_realistic_queries,
    realistic_texts,
)
from evaluation.texts.rankers import Ranker, embedding_ranker, search_ranker, without_values
from evaluation.texts.zero_shot import classify
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.columns import ESTIMATED_PROPERTIES
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance
from train.calibrate import split_embeddings

SETS = ("realistic", "wordings", "conjunctions", "poles", "zero_shot")
WAYS = ("embeddings", "search", "estimates")


@dataclass
class MeaningArguments:
    """Arguments of the evaluation of meaning."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(
        default="validation", metadata={"help": "Split whose crystals are searched: validation or test."}
    )
    half: str = field(
        default="development",
        metadata={"help": "Half of the realistic queries: development, or frozen, which is scored to report only."},
    )
    sets: str = field(default=",".join(SETS), metadata={"help": "Sets to score, separated by commas."})
    ways: str = field(
        default="embeddings,search",
        metadata={
            "help": "How crystals are ranked (commas): by embeddings alone; as `clac search` does; or as it would with "
            "estimates instead of the values of the properties."
        },
    )
    conjunctions: int = field(default=300, metadata={"help": "Number of conjunctions of held-out wordings."})
    min_right: int = field(
        default=3, metadata={"help": "Least number of right crystals of a held-out wording or a conjunction."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the conjunctions and the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, meaning.png and .svg go to the same directory."},
    )


def score_texts(texts: Sequence[LabelledText], rank: Ranker, seed: int = 0) -> dict[str, Any]:
    """
    Score the first ten results for each text, and average: in each group, and over the groups.

    Args:
        texts: Texts with right and wrong crystals.
        rank: Scores of the crystals for texts.
        seed: Seed of the bootstrap over the groups.

    Returns:
        `share` (mean over texts) with its 95 % `interval`, `groups` (name -> mean share and number of texts), and
        `texts` (text, group, number of right crystals and share of each); texts without a right crystal have no share.

    Raises:
        ClacInputError: If no text has a right crystal.
    """
    answered = [own for own in texts if own.right]
    if not answered:
        raise ClacInputError("none of the texts has a right answer among these crystals")
    scores = rank([own.text for own in answered])
    shares = np.array([share_of_possible(row, own.truth) for row, own in zip(scores, answered, strict=True)])
    groups = {
        group: {
            "share": float(np.mean(members)),
            "texts": len(members),
        }
        for group in dict.fromkeys(own.group for own in answered)
        for members in [shares[[own.group == group for own in answered]]]
    }
    return {
        "share": float(shares.mean()),
        "interval": mean_interval(shares, seed=seed),
        "unanswered": len(texts) - len(answered),
        "groups": groups,
        "texts": [
            {"text": own.text, "group": own.group, "right": own.right, "share": float(share)}
            for own, share in zip(answered, shares, strict=True)
        ],
    }


def over_concepts(scored: Mapping[str, Any], vocabulary: Vocabulary, seed: int = 0) -> dict[str, Any]:
    """
    Average the scores of wordings over concepts and over the concepts of each kind.

    Args:
        scored: Result of `score_texts` with ids of concepts as groups.
        vocabulary: The vocabulary.
        seed: Seed of the bootstrap over the concepts.

    Returns:
        `share`, the mean over concepts, with its 95 % `interval`; the number of `wordings`; `groups`, the means over
        the concepts of each kind; and `concepts`, the mean over the wordings of each.
    """
    concepts = {own: group["share"] for own, group in scored["groups"].items()}
    kinds: dict[str, list[float]] = {}
    for own, share in concepts.items():
        kinds.setdefault(vocabulary[own].kind, []).append(share)
    shares = np.array(list(concepts.values()))
    return {
        "share": float(shares.mean()),
        "interval": mean_interval(shares, seed=seed),
        "wordings": len(scored["texts"]),
        "groups": {kind: {"share": float(np.mean(own)), "texts": len(own)} for kind, own in sorted(kinds.items())},
        "concepts": concepts,
    }


def evaluate(
    rankers: Mapping[str, Ranker],
    embedder: ClacEmbedder,
    crystals: np.ndarray,
    table: FactTable,
    vocabulary: Vocabulary,
    arguments: MeaningArguments,
) -> dict[str, Any]:
    """
    Score the chosen sets in each way.

    Args:
        rankers: Rankers by the way.
        embedder: Embedder of the checkpoint.
        crystals: Embeddings of the crystals, `(n, dim)`.
        table: Their facts.
        vocabulary: The vocabulary.
        arguments: Sets, numbers and seed.

    Returns:
        By set, by way: see `score_texts`, `over_concepts` and `score_poles`; `zero_shot`: see `classify`.
    """
    chosen, seed = arguments.sets.split(","), arguments.seed
    found: dict[str, Any] = {}
    texts: dict[str, list[LabelledText]] = {}
    if "realistic" in chosen:
        texts["realistic"] = realistic_texts(read_realistic_queries(), table, vocabulary, arguments.half)
    if "wordings" in chosen:
        texts["wordings"] = held_out_texts(vocabulary, table, arguments.min_right)
    if "conjunctions" in chosen:
        texts["conjunctions"] = list(conjunctions(vocabulary, table, arguments.conjunctions, seed, arguments.min_right))
    for name, own in texts.items():
        scored = {way: score_texts(own, rank, seed) for way, rank in rankers.items()}
        if name == "wordings":
            scored = {way: over_concepts(result, vocabulary, seed) for way, result in scored.items()}
        found[name] = scored
    if "realistic" in found:
        for scored in found["realistic"].values():
            scored["groups"] = {own: scored["groups"][own] for own in CATEGORIES if own in scored["groups"]}
            if arguments.half == "frozen":
                del scored["texts"]  # nobody looks at single frozen queries
    if "poles" in chosen:
        ends = pole_texts(vocabulary, table, arguments.min_right)
        found["poles"] = {way: score_poles(ends, rank, seed) for way, rank in rankers.items()}
    if "zero_shot" in chosen:
        found["zero_shot"] = classify(embedder, crystals, table, vocabulary, seed)
    return found


def _check(arguments: MeaningArguments) -> None:
    require_at_least(arguments, 1, "conjunctions", "min_right")
    for option, value, known in (
        ("split", arguments.split, ("validation", "test")),
        ("half", arguments.half, HALVES),
        *(("sets", own, SETS) for own in arguments.sets.split(",")),
        *(("ways", own, WAYS) for own in arguments.ways.split(",")),
    ):
        if value not in known:
            raise ClacInputError(f"--{option} {value}: choose from {', '.join(known)}")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")


def run(arguments: MeaningArguments) -> dict[str, Any]:
    """
    Score the sets, print the tables, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, the data or the model is invalid. Nothing is written in that case.
    """
    _check(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    embedder, vocabulary, table = (
        ClacEmbedder.from_pretrained(checkpoint),
        load_vocabulary(),
        FactTable.bundled(arguments.split),
    )
    crystals = split_embeddings(checkpoint, embedder)[arguments.split]
    cosines = embedding_ranker(embedder, crystals)
    makers: dict[str, Callable[[], Ranker]] = {
        "embeddings": lambda: cosines,
        "search": lambda: search_ranker(cosines, table, vocabulary),
        "estimates": lambda: search_ranker(cosines, without_values(table, ESTIMATED_PROPERTIES), vocabulary),
    }
    rankers = {way: makers[way]() for way in arguments.ways.split(",")}
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "split": arguments.split,
        "half": arguments.half,
        "pool": len(table),
        "seed": arguments.seed,
        "vocabulary": {
            "concepts": len(vocabulary),
            "wordings": sum(len(concept.wordings) for concept in vocabulary),
        },
        "scores": evaluate(rankers, embedder, crystals, table, vocabulary, arguments),
        "command": shlex.join(["python", "-m", "evaluation.meaning", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_meaning(result)
    if arguments.output is not None:
        for path in write_meaning(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(MeaningArguments, run)
