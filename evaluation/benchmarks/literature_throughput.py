"""
Throughput of literature matching, compared with searching each paragraph for each formula.

    python -m evaluation.benchmarks.literature_throughput --corpus paragraphs.parquet --output literature.json

The catalogue contains the bundled compositions and randomly generated ones. The alternative searches for each formula
as a string; it is slow, so only a few paragraphs are timed.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pymatgen.core import Composition
from rich.console import Console
from rich.table import Table

from datasets_scripts.common.records import Report
from datasets_scripts.entity_linking.corpus import Corpus, Paragraph
from datasets_scripts.entity_linking.matching import Catalogue, match_document
from evaluation.benchmarks.common import write_figures
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.formulas_clac import ELEMENTS
from modeling_clac.utils.arguments import require_at_least, run_script


@dataclass
class LiteratureBenchmarkArguments:
    """Arguments of the literature benchmark."""

    corpus: list[str] = field(metadata={"help": "Files of paragraphs: parquet or JSON lines."})
    formulas: int = field(default=150_000, metadata={"help": "Distinct compositions in the catalogue."})
    paragraphs: int = field(default=10_000, metadata={"help": "Paragraphs to read."})
    compared: int = field(default=20, metadata={"help": "Paragraphs to search formula by formula."})
    output: str | None = field(default=None, metadata={"help": "JSON file for the figures."})


def make_formulas(number: int) -> list[str]:
    """Return distinct reduced formulas: the bundled ones, then random ones with three elements."""
    found = dict.fromkeys(bundled_crystals()["formula"].to_pylist())
    draw = random.Random(0)
    symbols = [symbol for symbol in ELEMENTS[:83] if symbol not in ("He", "Ne", "Ar", "Kr", "Xe")]
    while len(found) < number:
        amounts = {symbol: draw.randint(1, 9) for symbol in draw.sample(symbols, 3)}
        found[Composition(amounts).reduced_formula] = None
    return list(found)[:number]


def read_documents(files: list[Path], number: int) -> Iterator[list[Paragraph]]:
    """Yield documents until they contain `number` paragraphs."""
    left = number
    for document in Corpus(files, on_error="skip").documents(Report()):
        yield document[:left]
        left -= len(document)
        if left <= 0:
            return


def run(arguments: LiteratureBenchmarkArguments) -> None:
    """
    Measure both methods, print a table, and write the figures to `--output` if given.

    Raises:
        ClacInputError: If an argument is less than 1, or the corpus cannot be read.
    """
    require_at_least(arguments, 1, "formulas", "paragraphs", "compared")
    formulas = make_formulas(arguments.formulas)
    documents = list(read_documents([Path(name) for name in arguments.corpus], arguments.paragraphs))
    texts = [paragraph.text for document in documents for paragraph in document]
    if not texts:
        raise ClacInputError(f"{', '.join(arguments.corpus)}: no paragraphs found")
    started = time.perf_counter()
    catalogue = Catalogue({"formula": formula, "material_id": formula} for formula in formulas)
    catalogue_seconds = time.perf_counter() - started

    started = time.perf_counter()
    pairs = sum(1 for document in documents for _ in match_document(document, catalogue, Report()))
    seconds = time.perf_counter() - started

    few = list(itertools.islice(texts, arguments.compared))
    started = time.perf_counter()
    for text in few:
        for formula in formulas:
            formula in text  # noqa: B015 - only the time is of interest
    slow = (time.perf_counter() - started) / len(few)

    rate = len(texts) / seconds
    table = Table(title=f"{len(texts):,} paragraphs, {len(catalogue):,} compositions, one core")
    for name in ("method", "paragraphs/s", "ratio"):
        table.add_column(name, justify="left" if name == "method" else "right")
    table.add_row("index of compositions", f"{rate:,.0f}", "1")
    table.add_row("search for each formula", f"{1 / slow:,.1f}", f"1/{rate * slow:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"{pairs:,} pairs; building the catalogue took {catalogue_seconds:.1f} s (not included)")
    figures = {
        "paragraphs": len(texts),
        "compositions": len(catalogue),
        "paragraphs_per_second": rate,
        "ratio_to_formula_by_formula": rate * slow,
        "catalogue_seconds": catalogue_seconds,
        "pairs": pairs,
    }
    write_figures(figures, arguments.output)


if __name__ == "__main__":
    run_script(LiteratureBenchmarkArguments, run)
