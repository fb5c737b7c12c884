"""
Precision of the pairs in the literature data set, and recall of the names of materials.

    python -m evaluation.literature_quality --data_set runs/literature --corpus paragraphs.parquet --draw to-judge.jsonl
    python -m evaluation.literature_quality --data_set runs/literature --corpus paragraphs.parquet

The first command draws random pairs and writes them with the surrounding text. An annotator then adds `right` (true or
false) and a `note` to each. The second command reads the committed judgements, which contain no text of papers.

Precision is the share of the judged pairs whose words name a compound of the given composition, and not a part of a
compound, a doped variant or something else. Recall is measured on names that a paper explains, such as
`barium titanate (BaTiO3)`: the formula in parentheses is removed, and the name alone must be recognised.
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
from datasets_scripts.entity_linking.formulas import read_compound
from datasets_scripts.entity_linking.mentions import read_paragraph
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.formulas_clac import flatten_markup
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import json_bytes, write_files
from modeling_clac.utils.provenance import git_commit

RESULTS = Path("evaluation/results/literature")
JUDGEMENTS = RESULTS / "judgements.jsonl"
_KEPT = ("doi", "paragraph", "matched", "matched_start", "formula", "polymorph")
_SURROUNDINGS = 160
# Words with the ending of a compound name, followed by a formula in parentheses.
_EXPLAINED = re.compile(
    r"(?<![\w-])(?:[a-z]+\s)?[a-z]+(?:\([IV]+\))?\s?[a-z]*(?:ide|ate|ite|ia|ina|ica|tile|tase|ire)"
    r"\s\(([A-Z][A-Za-z0-9()]*?)\)"
)


@dataclass
class QualityArguments:
    """Arguments of the evaluation of literature pairs."""

    data_set: str = field(metadata={"help": "Directory written by datasets_scripts.literature."})
    corpus: list[str] = field(metadata={"help": "Files that the data set was built from."})
    draw: str | None = field(default=None, metadata={"help": "Write random pairs to judge to this file and exit."})
    number: int = field(default=200, metadata={"help": "Number of pairs to draw."})
    seed: int = field(default=0, metadata={"help": "Seed of the random sample."})


def pairs(directory: Path) -> list[dict[str, Any]]:
    """
    Read all pairs of the data set, in the order of the corpus.

    Raises:
        ClacInputError: If the directory contains no parquet files.
    """
    files = sorted(directory.glob("*.parquet"))
    if not files:
        raise ClacInputError(f"{directory}: no parquet files; build the data set with datasets_scripts.literature")
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["paragraph"], row["matched_start"]))


def draw(arguments: QualityArguments) -> list[dict[str, Any]]:
    """Draw random pairs, each with the text around its match."""
    found = pairs(Path(arguments.data_set))
    drawn = random.Random(arguments.seed).sample(found, min(arguments.number, len(found)))
    for row in drawn:
        first, last = max(0, row["matched_start"] - _SURROUNDINGS), row["matched_end"] + _SURROUNDINGS
        row["surroundings"] = row["text"][first:last]
    return [{name: row[name] for name in (*_KEPT, "space_group_symbol", "surroundings")} for row in drawn]


def read_judgements(file: Path) -> list[dict[str, Any]]:
    """
    Read the judged pairs from a JSON-lines file.

    Raises:
        ClacInputError: If the file cannot be read, or a line has no judgement.
    """
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ClacInputError(f"{file}: cannot read judgements ({first_line(error)})") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("right"), bool):
            raise ClacInputError(f"{file}, line {number}: `right` is {row.get('right')!r}, expected true or false")
    return rows


def share_with_interval(right: int, total: int) -> dict[str, float]:
    """
    Compute a share and its 95 % Wilson interval.

    The interval is (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), Wilson 1927, doi 10.1080/01621459.1927.10502953.

    Args:
        right: Number of successes.
        total: Number of trials n.

    Returns:
        `share` p and the ends `low` and `high` of the interval (NaN if `total` is 0), and `number`, the total.
    """
    if total == 0:
        return {"share": math.nan, "low": math.nan, "high": math.nan, "number": 0}
    z, p = 1.96, right / total
    centre, half = p + z**2 / (2 * total), z * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    return {"share": p, "low": (centre - half) / scale, "high": (centre + half) / scale, "number": total}


def explained_names(text: str) -> Iterator[tuple[str, int, Any]]:
    """Yield (text without the parenthesis, end of the name in it, composition) for each name that the text explains."""
    for found in _EXPLAINED.finditer(text):
        composition, _ = read_compound(found[1])
        if composition is not None:
            end = found.start(1) - 2
            yield text[:end] + text[found.end() :], end, composition


def name_recall(files: list[Path]) -> tuple[int, int, Counter[str]]:
    """Return the number of recognised names, the number of explained names, and a count of the missed names."""
    understood, total, missed = 0, 0, Counter[str]()
    for document in Corpus(files, on_error="skip").documents(Report()):
        for paragraph in document:
            for text, end, composition in explained_names(flatten_markup(paragraph.text).text):
                total += 1
                mentions = read_paragraph(text, {}).mentions
                if any(mention.end == end and mention.composition == composition for mention in mentions):
                    understood += 1
                else:
                    missed[" ".join(text[:end].split()[-2:])] += 1
    return understood, total, missed


def run(arguments: QualityArguments) -> None:
    """
    Draw pairs to judge, or compute, write and print precision and recall.

    Raises:
        ClacInputError: If a file or a judgement is missing.
    """
    if arguments.draw is not None:
        lines = [json.dumps(row, ensure_ascii=False) for row in draw(arguments)]
        write_files({Path(arguments.draw): ("\n".join(lines) + "\n").encode()})
        print(f"wrote {len(lines)} pairs to {arguments.draw}; add `right` and `note`, and remove `surroundings`")
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
    print("most often missed: " + ", ".join(f"{name} ({number})" for name, number in result["missed_most"]))


if __name__ == "__main__":
    run_script(QualityArguments, run)
