"""
How often a pair of the literature data set is right, and how many of the names of materials are found.

    python -m evaluation.literature_quality --data_set runs/literature --corpus paragraphs.parquet --draw to-judge.jsonl
    python -m evaluation.literature_quality --data_set runs/literature --corpus paragraphs.parquet

The first draws pairs at random and writes them out with their surroundings, for a person to put `right` (true or false)
and a `note` to each. The second reads the judgements that are committed, which hold no text of a paper.

Precision: the share of the judged pairs in which the words name a compound of that composition, and not part of one, a
doped relative or something else. Recall: where a paper itself explains a name, as in `barium titanate (BaTiO3)`, the
bracket is taken away, and it is seen whether the name alone is understood.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from datasets_scripts.common.records import Report
from datasets_scripts.entity_linking.corpus import Corpus
from datasets_scripts.entity_linking.formulas import flatten_markup, read_compound
from datasets_scripts.entity_linking.mentions import read_paragraph
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import json_bytes, write_files
from modeling_clac.utils.provenance import git_commit

RESULTS = Path("evaluation/results/literature")
JUDGEMENTS = RESULTS / "judgements.jsonl"
_KEPT = ("doi", "paragraph", "matched", "matched_start", "formula", "polymorph")
_SURROUNDINGS = 160
# Words that end like the names of compounds do, before their formula in brackets.
_EXPLAINED = re.compile(
    r"(?<![\w-])(?:[a-z]+\s)?[a-z]+(?:\([IV]+\))?\s?[a-z]*(?:ide|ate|ite|ia|ina|ica|tile|tase|ire)"
    r"\s\(([A-Z][A-Za-z0-9()]*?)\)"
)


@dataclass
class QualityArguments:
    """Arguments of the quality of literature pairs."""

    data_set: str = field(metadata={"help": "Directory made by datasets_scripts.literature."})
    corpus: list[str] = field(metadata={"help": "The files it was made from."})
    draw: str | None = field(default=None, metadata={"help": "Write pairs to judge to this file, and stop."})
    number: int = field(default=200, metadata={"help": "Pairs to draw."})
    seed: int = field(default=0, metadata={"help": "Seed of the draw."})


def pairs(directory: Path) -> list[dict[str, Any]]:
    """All pairs of the data set, in the order of the corpus."""
    files = sorted(directory.glob("*.parquet"))
    if not files:
        raise ClacInputError(f"{directory}: no parquet files; make them with datasets_scripts.literature")
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["paragraph"], row["matched_start"]))


def draw(arguments: QualityArguments) -> list[dict[str, Any]]:
    """Pairs drawn at random, each with the text around its match."""
    found = pairs(Path(arguments.data_set))
    drawn = random.Random(arguments.seed).sample(found, min(arguments.number, len(found)))
    for row in drawn:
        first, last = max(0, row["matched_start"] - _SURROUNDINGS), row["matched_end"] + _SURROUNDINGS
        row["surroundings"] = row["text"][first:last]
    return [{name: row[name] for name in (*_KEPT, "space_group_symbol", "surroundings")} for row in drawn]


def read_judgements(file: Path) -> list[dict[str, Any]]:
    """
    Raises:
        ClacInputError: the file is missing, or a line has no judgement.
    """
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ClacInputError(f"{file}: no judgements ({error})") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("right"), bool):
            raise ClacInputError(f"{file}, line {number}: `right` is neither true nor false")
    return rows


def share_with_interval(right: int, total: int) -> dict[str, float]:
    """
    A share and Wilson's 95 % interval (1927, doi 10.1080/01621459.1927.10502953):
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if total == 0:
        return {"share": math.nan, "low": math.nan, "high": math.nan, "number": 0}
    z, p = 1.96, right / total
    centre, half = p + z**2 / (2 * total), z * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    return {"share": p, "low": (centre - half) / scale, "high": (centre + half) / scale, "number": total}


def explained_names(text: str) -> Iterator[tuple[str, int, Any]]:
    """(text without the bracket, where the name ends in it, composition) of every name that the text explains."""
    for found in _EXPLAINED.finditer(text):
        composition, _ = read_compound(found[1])
        if composition is not None:
            end = found.start(1) - 2
            yield text[:end] + text[found.end() :], end, composition


def name_recall(files: list[Path]) -> tuple[int, int, Counter[str]]:
    """Names understood, names explained, and the ones missed most."""
    understood, total, missed = 0, 0, Counter[str]()
    for document in Corpus(files, on_error="skip").documents(Report()):
        for paragraph in document:
            for text, end, composition in explained_names(flatten_markup(paragraph.text)):
                total += 1
                mentions = read_paragraph(text, {}).mentions
                if any(mention.end == end and mention.composition == composition for mention in mentions):
                    understood += 1
                else:
                    missed[" ".join(text[:end].split()[-2:])] += 1
    return understood, total, missed


def run(arguments: QualityArguments) -> None:
    """
    Raises:
        ClacInputError: files are missing, or a judgement is.
    """
    if arguments.draw is not None:
        lines = [json.dumps(row, ensure_ascii=False) for row in draw(arguments)]
        write_files({Path(arguments.draw): ("\n".join(lines) + "\n").encode()})
        print(f"{len(lines)} pairs in {arguments.draw}; add `right` and `note`, take away `surroundings`")
        return
    judged = read_judgements(JUDGEMENTS)
    stated = [row for row in judged if row["polymorph"] == "stated"]
    understood, total, missed = name_recall([Path(file) for file in arguments.corpus])
    result: dict[str, Any] = {
        "precision": share_with_interval(sum(row["right"] for row in judged), len(judged)),
        "precision_polymorph_stated": share_with_interval(sum(row["right"] for row in stated), len(stated)),
        "recall_of_explained_names": share_with_interval(understood, total),
        "missed_most": missed.most_common(10),
        "pairs": len(pairs(Path(arguments.data_set))),
        "commit": git_commit(),
    }
    write_files({RESULTS / "result.json": json_bytes(result)})
    for name in ("precision", "precision_polymorph_stated", "recall_of_explained_names"):
        value = result[name]
        print(f"{name}: {value['share']:.3f} [{value['low']:.3f}, {value['high']:.3f}] of {value['number']}")
    print("missed most: " + ", ".join(f"{name} ({number})" for name, number in result["missed_most"]))


if __name__ == "__main__":
    run_script(QualityArguments, run)
