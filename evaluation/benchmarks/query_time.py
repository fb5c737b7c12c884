"""
Time of a query within a process: with and without understanding, and of a plain scan of the records.

    python -m evaluation.benchmarks.query_time --output evaluation/results/speed/query.json
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from evaluation.benchmarks.common import timed, write_figures
from evaluation.benchmarks.search_latency import PERCENTILES, call_milliseconds
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.index import bundled_index
from modeling_clac.search.text_search import search_text
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.ranking import Evaluation
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance

Record = Mapping[str, Any]


def _has_anions_of(record: Record, symbols: str) -> bool:
    """Whether all simple anions of a record are among these elements."""
    return bool(record["anions"]) and set(record["anions"]) <= set(symbols.split())


# Queries, and the test that a scan of the records makes for each.
QUERIES: dict[str, Callable[[Record], bool]] = {
    "contains oxygen, band gap above 3 eV": lambda r: "O" in r["elements"] and (r["band_gap"] or 0) > 3,
    "lead-free halide perovskite": lambda r: (
        "Pb" not in r["elements"] and _has_anions_of(r, "F Cl Br I") and "perovskite" in (r["structure_types"] or ())
    ),
    "space group Fd-3m spinel oxide": lambda r: (
        r["space_group_number"] == 227 and "spinel" in (r["structure_types"] or ()) and _has_anions_of(r, "O")
    ),
    "phosphates of lithium without cobalt": lambda r: (
        "Li" in r["elements"] and "Co" not in r["elements"] and "phosphate" in (r["ions"] or ())
    ),
    "stiff cubic intermetallics, bulk modulus over 200 GPa": lambda r: (
        r["crystal_system"] == "cubic"
        and "intermetallic" in (r["classes"] or ())
        and (r["bulk_modulus_vrh"] or 0) > 200
    ),
    "layered sulfides lighter than 4 g/cm3": lambda r: (
        r["dimensionality"] == 2
        and _has_anions_of(r, "S")
        and "mixed_anion" not in (r["classes"] or ())
        and r["density"] < 4
    ),
    "Li-Mn-O": lambda r: set(r["elements"]) == {"Li", "Mn", "O"},
    "less than 5 atoms in the cell, within 50 meV of the hull": lambda r: (
        r["nsites"] < 5 and r["energy_above_hull"] is not None and r["energy_above_hull"] <= 0.05
    ),
}


@dataclass
class QueryTimeArguments:
    """Arguments of the benchmark of queries."""

    k: int = field(default=10, metadata={"help": "Number of results per query."})
    queries: int = field(default=200, metadata={"help": "Timed queries of each way."})
    scans: int = field(default=24, metadata={"help": "Timed plain scans."})
    threads: int = field(default=2, metadata={"help": "Torch threads."})
    output: str | None = field(default=None, metadata={"help": "FILE.json for the result."})


def plain_scan(
    records: list[Record], embeds: np.ndarray, vector: np.ndarray, test: Callable[[Record], bool]
) -> list[int]:
    """
    Test one record after the other, and sort those that pass by the cosine.

    Args:
        records: Facts and properties of n crystals.
        embeds: `(n, dim)`.
        vector: `(dim,)` query vector.
        test: Test on a record.

    Returns:
        Rows, best first.
    """
    rows = [row for row, record in enumerate(records) if test(record)]
    return sorted(rows, key=lambda row: -float(embeds[row] @ vector))


def run(arguments: QueryTimeArguments) -> None:
    """
    Measure the times and print a table.

    Raises:
        ClacInputError: If an argument is out of range.
    """
    require_at_least(arguments, 1, "k", "queries", "scans", "threads")
    torch.set_num_threads(arguments.threads)
    embedder, index, texts = ClacEmbedder.from_pretrained(), bundled_index(), list(QUERIES)
    loaded = timed(load_vocabulary)
    vocabulary = load_vocabulary()
    facts = index.facts
    records = facts.table.to_pylist()
    # With a new vocabulary and table, nothing is known of earlier queries.
    first = [1000 * timed(partial(_rank, text, Vocabulary(vocabulary), FactTable(facts.table))) for text in texts]

    def search(text: str, understanding: bool) -> None:
        search_text(index, embedder, text, arguments.k, understanding=understanding, vocabulary=vocabulary)

    ways: dict[str, tuple[Callable[[Any], Any], int]] = {
        "understood": (lambda text: search(text, True), arguments.queries),
        "by embeddings alone": (lambda text: search(text, False), arguments.queries),
        "· encoding the text": (lambda text: embedder.encode_text([text]), arguments.queries),
        "· reading the text": (lambda text: understand(text, vocabulary), arguments.queries),
        "· ranking by facts": (lambda text: _rank(text, vocabulary, facts), arguments.queries),
        "plain scan of the records": (
            lambda text: plain_scan(records, index.embeds, embedder.encode_text([text])[0], QUERIES[text]),
            arguments.scans,
        ),
    }
    rows = {
        name: np.percentile(call_milliseconds(way, texts, times), PERCENTILES) for name, (way, times) in ways.items()
    }
    table = Table(title=f"{len(index):,} crystals, k = {arguments.k}, {arguments.threads} thread(s)")
    for column in ("query, in process, ms", *(f"{p} %" for p in PERCENTILES)):
        table.add_column(column, justify="left" if column.startswith("query") else "right")
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.1f}" for value in values))
    console = Console()
    console.print(table)
    console.print(
        f"first query of a process, reading and ranking only: {np.median(first):.1f} ms; loading the "
        f"vocabulary: {1000 * loaded:.0f} ms",
        highlight=False,
    )
    origin = provenance(asdict(arguments))
    figures = {
        "crystals": len(index),
        "milliseconds": {
            name: dict(zip(map(str, PERCENTILES), values.tolist(), strict=True)) for name, values in rows.items()
        },
        "first_query_ms": float(np.median(first)),
        "vocabulary_ms": 1000 * loaded,
        "queries": texts,
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
    }
    write_figures(figures, arguments.output)


def _rank(text: str, vocabulary: Vocabulary, facts: FactTable) -> np.ndarray:
    return Evaluation(understand(text, vocabulary), facts, vocabulary).order(np.zeros(len(facts)))


if __name__ == "__main__":
    run_script(QueryTimeArguments, run)
