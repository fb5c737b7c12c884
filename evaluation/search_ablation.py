"""
What each part of an understood search brings: the realistic queries again, with one part at a time left out.

    python -m evaluation.search_ablation --output runs/search-ablation/result.json
"""

from __future__ import annotations

import dataclasses
import datetime
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.meaning import score_texts
from evaluation.metrics.intervals import mean_interval
from evaluation.reports.search_ablation import print_search_ablation, write_search_ablation
from evaluation.retrieval import describe_model
from evaluation.texts.query_sets import CATEGORIES, LabelledText, read_realistic_queries, realistic_texts
from evaluation.texts.rankers import Ranker, embedding_ranker, search_ranker, without_values
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.columns import FACT_COLUMNS
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.understanding.query import ConceptTerm, Query, Term
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.provenance import provenance
from train.calibrate import split_embeddings

WHOLE = "whole search"
# Kinds of terms and of concepts that are left out together.
TERMS: dict[str, frozenset[str]] = {
    "elements and formulas": frozenset({"element", "formula", "pattern", "system", "element-group"}),
    "classes by chemistry": frozenset({"anion", "oxyanion", "group", "class", "attribute"}),
    "structure types": frozenset({"structure-type", "structural"}),
    "symmetry": frozenset({"symmetry", "crystal-system", "space-group", "space group", "point group"}),
    "numbers and bands": frozenset({"range", "band"}),
    "uses": frozenset({"use"}),
    "names": frozenset({"name"}),
}


@dataclass
class SearchAblationArguments:
    """Arguments of the ablation of the search."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    before: str | None = field(
        default=None, metadata={"help": "Checkpoint to compare with, in the search and by embeddings alone."}
    )
    split: str = field(
        default="validation", metadata={"help": "Split whose crystals are searched: validation or test."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the order by chance and of the bootstrap."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, search-ablation.png and .svg go to the same directory."},
    )


def without_terms(kinds: frozenset[str]) -> Callable[[Query], Query]:
    """
    Return a change of readings that leaves constraints with terms of some kinds unread; orders belong to bands.

    Args:
        kinds: Kinds of terms, such as `element`, and of concepts, such as `use`.
    """

    def change(query: Query) -> Query:
        kept = tuple(
            constraint
            for constraint in query.constraints
            if not any(_kind(literal.term) in kinds for literal in constraint.literals)
        )
        return dataclasses.replace(query, constraints=kept, sort=() if "band" in kinds else query.sort)

    return change


def without_negation(query: Query) -> Query:
    """Leave what must not hold unread."""
    kept = tuple(own for own in query.constraints if not any(literal.negated for literal in own.literals))
    return dataclasses.replace(query, constraints=kept)


def _kind(term: Term) -> str:
    return term.kind_of_concept if isinstance(term, ConceptTerm) else term.kind


def ablated_rankers(cosines: Ranker, table: FactTable, vocabulary: Vocabulary, seed: int = 0) -> dict[str, Ranker]:
    """
    Return the whole search and, by the name of what is left out, the searches without it.

    Args:
        cosines: Ranking by the embeddings.
        table: Facts of the crystals.
        vocabulary: The vocabulary.
        seed: Seed of the order of crystals that meet equally many constraints, where the embeddings are left out.
    """
    generator = np.random.default_rng(seed)

    def chance(texts: Sequence[str]) -> np.ndarray:
        return generator.random((len(texts), len(table)))

    estimates = [name for name in FACT_COLUMNS if name.startswith("estimated_")]
    of_structure = [name for name in FACT_COLUMNS if name not in estimates]
    concepts = frozenset(concept.kind for concept in vocabulary)
    return {
        WHOLE: search_ranker(cosines, table, vocabulary),
        "understanding: embeddings alone": cosines,
        "embeddings: constraints, then chance": search_ranker(chance, table, vocabulary),
        "facts of structure and coordination": search_ranker(cosines, without_values(table, of_structure), vocabulary),
        "estimates of properties": search_ranker(cosines, without_values(table, estimates), vocabulary),
        "vocabulary: all concepts": search_ranker(cosines, table, vocabulary, without_terms(concepts)),
        **{name: search_ranker(cosines, table, vocabulary, without_terms(kinds)) for name, kinds in TERMS.items()},
        "negation": search_ranker(cosines, table, vocabulary, without_negation),
    }


def ablate(rankers: Mapping[str, Ranker], texts: Sequence[LabelledText], seed: int = 0) -> list[dict[str, Any]]:
    """
    Score each search, and its difference from the whole search on the same queries.

    Args:
        rankers: The searches; the whole one is first.
        texts: Queries with right and wrong crystals.
        seed: Seed of the bootstrap.

    Returns:
        For each search `without` (its name), `share` with `interval`, `difference` with `difference_interval` (paired,
        over queries), and `groups`, the shares by category.
    """
    rows: list[dict[str, Any]] = []
    whole: np.ndarray | None = None
    for name, rank in rankers.items():
        scored = score_texts(texts, rank, seed)
        shares = np.array([own["share"] for own in scored["texts"]])
        whole = shares if whole is None else whole
        rows.append(
            {
                "without": name,
                "share": scored["share"],
                "interval": scored["interval"],
                "difference": float((shares - whole).mean()),
                "difference_interval": mean_interval(shares - whole, seed=seed),
                "groups": {own: scored["groups"][own]["share"] for own in CATEGORIES if own in scored["groups"]},
            }
        )
    return rows


def run(arguments: SearchAblationArguments) -> dict[str, Any]:
    """
    Score the searches on the development half of the realistic queries, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, the data or the model is invalid. Nothing is written in that case.
    """
    if arguments.split not in ("validation", "test"):
        raise ClacInputError(f"--split {arguments.split}: choose from validation, test")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    checkpoint = resolve_checkpoint(arguments.model)
    vocabulary, table = load_vocabulary(), FactTable.bundled(arguments.split)
    rankers = ablated_rankers(_cosines(checkpoint, arguments.split), table, vocabulary, arguments.seed)
    before = None if arguments.before is None else resolve_checkpoint(arguments.before)
    if before is not None:
        cosines = _cosines(before, arguments.split)
        rankers["training: whole search with the weights before"] = search_ranker(cosines, table, vocabulary)
        rankers["both: embeddings of the weights before"] = cosines
    texts = realistic_texts(read_realistic_queries(), table, vocabulary, "development")
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "before": None if before is None else describe_model(before),
        "split": arguments.split,
        "pool": len(table),
        "seed": arguments.seed,
        "queries": sum(own.right > 0 for own in texts),
        "rows": ablate(rankers, texts, arguments.seed),
        "command": shlex.join(["python", "-m", "evaluation.search_ablation", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_search_ablation(result)
    if arguments.output is not None:
        for path in write_search_ablation(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


def _cosines(checkpoint: Checkpoint, split: str) -> Ranker:
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    return embedding_ranker(embedder, split_embeddings(checkpoint, embedder)[split])


if __name__ == "__main__":
    run_script(SearchAblationArguments, run)
