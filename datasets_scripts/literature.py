"""
Build crystal-text pairs from papers by finding the materials mentioned in paragraphs and matching them with crystals.

    python -m datasets_scripts.literature --corpus paragraphs.parquet --output_dir runs/literature

A corpus consists of Parquet or JSON Lines files with `doi`, `title` and `text`, and optionally `doc_id`, `licence`,
`source` and `date`. `python -m datasets_scripts.paragraphs` downloads abstracts from OpenAlex and arXiv.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from datasets_scripts.common.cards import PAPER, CardText, write_card
from datasets_scripts.common.records import Records, Report, require_shards, split_of
from datasets_scripts.common.shards import ShardWriter, build_shards, read_reports, shard_file, write_report
from datasets_scripts.entity_linking.corpus import Corpus
from datasets_scripts.entity_linking.matching import Catalogue, match_document
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError, check_on_error
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import git_commit

_PAIR_COLUMNS: dict[str, pa.DataType] = {
    "text": pa.string(),
    "doi": pa.string(),
    "title": pa.string(),
    "licence": pa.string(),
    "corpus": pa.string(),
    "date": pa.string(),
    "matched": pa.string(),
    "matched_as": pa.string(),
    "matched_start": pa.int32(),
    "matched_end": pa.int32(),
    "polymorph": pa.string(),
    "paragraph": pa.int64(),
}
_MEANINGS = {
    "text": "the paragraph, with subscripts of formulas as plain digits",
    "doi": "DOI of the paper",
    "title": "title of the paper",
    "licence": "licence of the paragraph, as stated in the corpus",
    "corpus": "source of the paragraph",
    "date": "date of the paper, as stated in the corpus",
    "matched": "the words that mention the material",
    "matched_as": "`formula`, `name`, or `abbreviation` introduced in the document",
    "matched_start": "position of the first character of `matched` in `text`",
    "matched_end": "position after the last character of `matched` in `text`",
    "polymorph": "`only one`: a single crystal has this composition; `stated`: the text specifies the polymorph; "
    "`most stable`: it does not, and the most stable one was chosen",
    "paragraph": "number of the paragraph in the corpus",
}
_MATCHES = "matches"
_QUALITY = Path(__file__).resolve().parent.parent / "evaluation" / "results" / "literature" / "result.json"


@dataclass
class LiteratureArguments:
    """Arguments of the literature pairs."""

    corpus: list[str] = field(metadata={"help": "Parquet or JSON Lines files of paragraphs, read in this order."})
    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    crystals: str = field(
        default=str(ASSETS / "mp-crystals"),
        metadata={"help": "Parquet file or directory with crystals and properties."},
    )
    max_materials: int = field(default=6, metadata={"help": "Leave out paragraphs that mention more materials."})
    max_per_crystal: int = field(default=32, metadata={"help": "Maximum number of paragraphs per crystal."})
    max_per_paper: int = field(default=8, metadata={"help": "Maximum number of pairs per paper."})
    similarity: float = field(
        default=0.8,
        metadata={"help": "Jaccard similarity of 5-word shingles above which paragraphs count as duplicates."},
    )
    max_characters: int = field(default=20_000, metadata={"help": "Leave out longer paragraphs."})
    seed: int = field(
        default=0, metadata={"help": "Seed of the choice of pairs within the limits, and of splits by formula."}
    )
    on_error: str = field(
        default="raise", metadata={"help": "What to do about invalid rows: raise, or skip and count them."}
    )
    shard: int | None = field(default=None, metadata={"help": "Match only the papers of this shard, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Number of shards into which the papers are divided."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Number of parallel processes with local."})

    def __post_init__(self) -> None:
        check_on_error(self.on_error, ("raise", "skip"))
        require_at_least(self, 1, "max_materials", "max_per_crystal", "max_per_paper", "max_characters", "workers")
        if not 0.0 < self.similarity <= 1.0:
            raise ClacInputError(f"--similarity {self.similarity}: must be above 0 and at most 1")


_MATCH_SCHEMA = pa.schema(
    [("crystal", pa.int64()), *((name, kind) for name, kind in _PAIR_COLUMNS.items()), ("document", pa.string())]
)


def match_shard(arguments: LiteratureArguments, shard: int) -> Report:
    """Write the matches of the papers of one shard and the report of the shard."""
    report = Report()
    catalogue = Catalogue(record for _, record in Records(Path(arguments.crystals)).rows())
    if catalogue.unread:
        report.count("crystals left out: formula cannot be read", catalogue.unread)
    corpus = Corpus([Path(file) for file in arguments.corpus], arguments.max_characters, arguments.on_error)
    directory = Path(arguments.output_dir) / _MATCHES
    # Every shard reads the whole corpus, so only the first one counts it.
    read = Report()
    with (
        ShardWriter(directory, shard, arguments.num_shards, _MATCH_SCHEMA) as writer,
        tqdm(desc="paragraphs", unit="", disable=None) as bar,
    ):
        for document in corpus.documents(read):
            bar.update(len(document))
            if zlib.crc32(document[0].document.encode()) % arguments.num_shards != shard:
                continue
            for paragraph, pair in match_document(document, catalogue, report, arguments.max_materials):
                row = {
                    "crystal": pair.row,
                    "text": pair.text,
                    "doi": paragraph.doi,
                    "title": paragraph.title,
                    "licence": paragraph.licence,
                    "corpus": paragraph.source,
                    "date": paragraph.date,
                    "matched": pair.mention.text,
                    "matched_as": pair.mention.kind,
                    "matched_start": pair.mention.start,
                    "matched_end": pair.mention.end,
                    "polymorph": pair.how,
                    "paragraph": paragraph.position,
                    "document": paragraph.document,
                }
                report.count("pairs found")
                writer.add("pairs", row)
    if shard == 0:
        report.merge(read)
    write_report(directory, shard, arguments.num_shards, report)
    return report


def join_matches(arguments: LiteratureArguments, report: Report) -> None:
    """
    Remove near-duplicates and pairs above the limits, and write the data set.

    The matches of all shards are first sorted in the order of the corpus, so the number of shards does not matter.

    Args:
        arguments: Arguments of the script.
        report: Report to update.
    """
    matches = _read_matches(arguments)
    kept = _within_caps(_distinct(matches, arguments.similarity, report), arguments, report)
    records = Records(Path(arguments.crystals))
    wanted = {row["crystal"] for row in kept}
    crystals = {place: record for place, (_, record) in enumerate(records.rows()) if place in wanted}
    own = pq.ParquetFile(records.files[0]).schema_arrow.remove_metadata()
    columns = [entry for entry in own if entry.name not in (*_PAIR_COLUMNS, "split")]
    schema = pa.schema([*columns, *_PAIR_COLUMNS.items(), ("split", pa.string())])
    with ShardWriter(Path(arguments.output_dir), 0, 1, schema) as writer:
        for row in kept:
            record = crystals[row["crystal"]]
            given = record.get("split")
            split = given if given in SPLITS else split_of(record["formula"], arguments.seed)
            report.count(split)
            report.count(f"polymorph: {row['polymorph']}")
            report.count(f"matched as: {row['matched_as']}")
            writer.add(split, {**record, **{name: row[name] for name in _PAIR_COLUMNS}, "split": split})


def _read_matches(arguments: LiteratureArguments) -> list[dict[str, Any]]:
    directory = Path(arguments.output_dir) / _MATCHES
    files = [shard_file(directory, "pairs", shard, arguments.num_shards) for shard in range(arguments.num_shards)]
    rows = [row for file in files if file.exists() for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["paragraph"], row["matched_start"]))


def _distinct(matches: Iterable[dict[str, Any]], similarity: float, report: Report) -> Iterator[dict[str, Any]]:
    """Yield matches, omitting paragraphs that nearly repeat an earlier one (MinHash, locality-sensitive hashing)."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise ClacInputError("removing duplicates requires datasketch: pip install 'clac-crystals[data]'") from None
    index = MinHashLSH(threshold=similarity, num_perm=64)
    repeated: dict[int, bool] = {}
    for row in matches:
        paragraph = row["paragraph"]
        if paragraph not in repeated:
            words = row["text"].lower().split()
            sketch = MinHash(num_perm=64)
            sketch.update_batch([" ".join(words[k : k + 5]).encode() for k in range(max(1, len(words) - 4))])
            repeated[paragraph] = bool(index.query(sketch))
            if repeated[paragraph]:
                report.count("paragraphs left out: near-duplicate")
            else:
                index.insert(str(paragraph), sketch)
        if not repeated[paragraph]:
            yield row


def _within_caps(
    matches: Iterable[dict[str, Any]], arguments: LiteratureArguments, report: Report
) -> list[dict[str, Any]]:
    """Choose at random which pairs to keep, because the first paragraphs of papers are similar."""

    def random_key(row: dict[str, Any]) -> bytes:
        return hashlib.sha256(f"{arguments.seed} {row['paragraph']} {row['crystal']}".encode()).digest()

    of_crystal: Counter[int] = Counter()
    of_paper: Counter[str] = Counter()
    kept = []
    for row in sorted(matches, key=random_key):
        if of_paper[row["document"]] >= arguments.max_per_paper:
            report.count("pairs left out: above max_per_paper")
        elif of_crystal[row["crystal"]] >= arguments.max_per_crystal:
            report.count("pairs left out: above max_per_crystal")
        else:
            of_paper[row["document"]] += 1
            of_crystal[row["crystal"]] += 1
            kept.append(row)
    return sorted(kept, key=lambda row: (row["paragraph"], row["matched_start"]))


def card_text(arguments: LiteratureArguments) -> CardText:
    """Return the parts of the card that cannot be read from the files."""
    return CardText(
        title="Crystals and paragraphs of papers",
        language="en",
        summary=(
            "Paragraphs of scientific papers, each with a crystal of a material that it mentions. Formulas, names and "
            "abbreviations that a paper introduces are recognised. Doped and non-stoichiometric materials are left out."
        ),
        provenance=(
            f"`datasets_scripts.literature`, seed {arguments.seed}, commit `{git_commit() or 'unknown'}`. Splits share "
            "no formula. A paragraph may be paired with crystals of several splits; exclude such paragraphs when you "
            "evaluate texts."
        ),
        limits=(
            "A formula in a paragraph shows that the material is mentioned, not that the paragraph describes it. If "
            "the text does not name the polymorph, the most stable one was used (column `polymorph`). Each paragraph "
            "has its own licence (column `licence`)."
        ),
        licence="other",
        citations=(PAPER,),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "scientific-papers"),
        details=quality_text(_QUALITY),
    )


def quality_text(file: Path) -> str:
    """
    Return the results of `evaluation.literature_quality` as a section of the card.

    Args:
        file: Result file; the section is empty if it does not exist.
    """
    if not file.is_file():
        return ""
    measured = json.loads(file.read_text(encoding="utf-8"))
    rows = [
        f"| {what} | {measured[name]['share']:.3f} | [{measured[name]['low']:.3f}, {measured[name]['high']:.3f}] | "
        f"{measured[name]['number']} |"
        for what, name in (
            ("precision: pairs whose words refer to a compound with that composition, judged by hand", "precision"),
            ("precision if the text states the polymorph", "precision_polymorph_stated"),
            ("recall: names that the papers themselves explain with a formula", "recall_of_explained_names"),
        )
    ]
    return "\n".join(
        [
            "## Quality of the matching",
            "",
            "Measured with `evaluation.literature_quality` on abstracts from condensed matter physics and on papers "
            f"about fuel cells, batteries and microscopy, at commit `{measured['commit']}`. The judgements are in "
            "`evaluation/results/literature`.",
            "",
            "| metric | value | 95 % interval | number |",
            "|---|---:|---|---:|",
            *rows,
        ]
    )


def build(arguments: LiteratureArguments) -> None:
    """
    Match the requested shards; the data set and its card are written once all shards exist.

    Raises:
        ClacInputError: If an argument, a file or a row is invalid, or a package is missing.
    """
    shards = require_shards(arguments.shard, arguments.num_shards)
    build_shards(match_shard, arguments, shards, arguments.executor, arguments.workers)
    report = read_reports(Path(arguments.output_dir) / _MATCHES, arguments.num_shards)
    if report is None:
        print("the data set will be written with the last shard")
        return
    join_matches(arguments, report)
    directory = Path(arguments.output_dir)
    if not any(directory.glob("*.parquet")):
        raise ClacInputError(
            f"--corpus: no pairs found in {report.counts.get('paragraphs', 0):,} paragraphs; nothing was written"
        )
    write_card(directory, card_text(arguments), report)
    report.show()


if __name__ == "__main__":
    run_script(LiteratureArguments, build)
