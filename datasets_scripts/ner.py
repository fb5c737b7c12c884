"""
Build data sets of named entities in materials science papers: Matscholar, and the entity types and slots of SOFC-Exp.

    python -m datasets_scripts.ner --name matscholar --data_dir text-data --output_dir runs/ner-matscholar
    python -m datasets_scripts.ner --name sofc-slot --data_dir text-data --output_dir runs/ner-sofc-slot

Splits and tags (IOB2 scheme) are those of the source. Blank tokens and empty sentences are left out. I- tags that do
not follow an entity of their type are kept. The card lists the counts of all three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Features, List, Value

from datasets_scripts.common.cards import CardText
from datasets_scripts.common.records import Report
from datasets_scripts.common.text_sets import (
    Rows,
    count_table,
    print_report,
    read_set,
    source_directory,
    source_rows,
    write_set,
)
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script

_BLANK = "blank tokens left out"
_EMPTY = "sentences without tokens left out"
_ORPHANS = "I- tags that do not follow an entity of their type (kept; training reads them as B-)"


@dataclass(frozen=True)
class NerSource:
    """
    Source of one data set.

    Attributes:
        folder: Folder in `--data_dir`.
        address: Address of the original data.
        title: Title of the card.
        summary: Summary in the card.
        limits: Limits in the card.
        licence: Licence identifier of the Hub.
        citations: References in the card, one line each.
        types: Meanings of the entity types, in the order of the tags.
        by_document: Whether the source has the column `doc_id`.
    """

    folder: str
    address: str
    title: str
    summary: str
    limits: str
    licence: str
    citations: Sequence[str]
    types: Mapping[str, str]
    by_document: bool

    @property
    def tags(self) -> list[str]:
        """Tags in the order of their class labels: O, then B- and I- of each type."""
        return ["O", *(f"{prefix}-{name}" for name in self.types for prefix in "BI")]

    @property
    def features(self) -> Features:
        """Columns and tag names."""
        text = Value("string")
        documents = {"doc_id": text} if self.by_document else {}
        return Features({"id": text, **documents, "tokens": List(text), "ner_tags": List(ClassLabel(names=self.tags))})


_SOFC_ADDRESS = "the SOFC-Exp corpus, https://github.com/boschresearch/sofc-exp_textmining_resources"
_SOFC_CITATIONS = (
    "Friedrich et al. (2020), The SOFC-Exp Corpus and Neural Approaches to Information Extraction in the Materials "
    "Science Domain, ACL, arXiv 2006.03039",
    "Gupta et al. (2022), npj Computational Materials 8, 102, for the preparation",
)
_SOFC_LIMITS = (
    "Only sentences that describe an experiment are annotated and included. All sentences of a paper are in the same "
    "split. There are few test papers, so the uncertainty of scores is larger than the number of entities suggests."
)
SOURCES = {
    "matscholar": NerSource(
        folder="ner_matscholar",
        address="https://github.com/M3RG-IITD/MatSciBERT, folder ner/datasets/NER_MATSCHOLAR",
        title="Matscholar named entities",
        summary=(
            "Sentences from 800 abstracts about inorganic materials, with seven types of entities annotated by hand. "
            "Texts are in lower case except for formulas, whose elements are in alphabetical order (`O2Si`)."
        ),
        limits=(
            "No licence is stated with the data, and the abstracts belong to their publishers: keep copies private. "
            "Papers do not write formulas in alphabetical order, so evaluate models on your own text before you rely "
            "on them."
        ),
        licence="unknown",
        citations=(
            "Weston et al. (2019), Journal of Chemical Information and Modeling 59, 3692, doi 10.1021/acs.jcim.9b00470",
            "Gupta et al. (2022), npj Computational Materials 8, 102, for the files",
        ),
        types={
            "MAT": "material",
            "PRO": "property",
            "DSC": "descriptor of a sample",
            "CMT": "characterisation method",
            "SMT": "synthesis method",
            "APL": "application",
            "SPL": "symmetry or phase label",
        },
        by_document=False,
    ),
    "sofc": NerSource(
        folder="ner_sofc",
        address=_SOFC_ADDRESS,
        title="SOFC-Exp entity types",
        summary=(
            "Sentences about experiments from 45 open-access papers on solid oxide fuel cells, with four types of "
            "entities annotated by hand."
        ),
        limits=_SOFC_LIMITS,
        licence="cc-by-4.0",
        citations=_SOFC_CITATIONS,
        types={
            "MATERIAL": "material",
            "VALUE": "number or range with its unit",
            "DEVICE": "device",
            "EXPERIMENT": "word that evokes an experiment",
        },
        by_document=True,
    ),
    "sofc-slot": NerSource(
        folder="ner_sofc_slot",
        address=_SOFC_ADDRESS,
        title="SOFC-Exp slots",
        summary=(
            "The sentences of the SOFC-Exp entity types with the role of each entity in the experiment: seventeen "
            "slots, and the words that evoke an experiment. The labels are those of the source. Published scores "
            "ignore `experiment_evoking_word`; `ignore_types` of `train.finetune_ner` does the same."
        ),
        limits=f"{_SOFC_LIMITS} Some slots have one or two entities in the test split, so their F1 is not meaningful.",
        licence="cc-by-4.0",
        citations=_SOFC_CITATIONS,
        types={
            "anode_material": "material of the anode",
            "cathode_material": "material of the cathode",
            "conductivity": "value",
            "current_density": "value",
            "degradation_rate": "value",
            "device": "cell or stack the experiment is about",
            "electrolyte_material": "material of the electrolyte",
            "experiment_evoking_word": "word that evokes the experiment",
            "fuel_used": "gas fed to the cell",
            "interlayer_material": "material between the layers",
            "open_circuit_voltage": "value",
            "power_density": "value",
            "resistance": "value",
            "support_material": "material that carries the cell",
            "thickness": "value",
            "time_of_operation": "value",
            "voltage": "value",
            "working_temperature": "value",
        },
        by_document=True,
    ),
}


@dataclass
class NerArguments:
    """Arguments of the builder."""

    name: str = field(metadata={"help": f"One of {', '.join(SOURCES)}."})
    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    data_dir: str | None = field(
        default=None, metadata={"help": "Directory with the folders ner_matscholar, ner_sofc and ner_sofc_slot."}
    )


def build(arguments: NerArguments) -> Report:
    """
    Build one data set with the columns `id`, `tokens` (words), `ner_tags` (class labels) and, for SOFC-Exp, `doc_id`.

    Returns:
        Counts of what was read and left out.

    Raises:
        ClacInputError: If the name is unknown, or the source is missing, damaged or has an invalid row.
    """
    if arguments.name not in SOURCES:
        raise ClacInputError(f"--name {arguments.name}: must be one of {', '.join(SOURCES)}")
    source = SOURCES[arguments.name]
    directory = source_directory(arguments.data_dir, arguments.output_dir, source.folder, source.address)
    report = Report({"sentences read": 0, _EMPTY: 0, _BLANK: 0, _ORPHANS: 0})
    numbers = {tag: number for number, tag in enumerate(source.tags)}
    rows: Rows = {split: [] for split in SPLITS}
    for split, where, record in source_rows(directory, list(source.features)):
        report.count("sentences read")
        tokens, tags = _words(where, record, numbers, report)
        if tokens:
            rows[split].append({**record, "tokens": tokens, "ner_tags": [numbers[tag] for tag in tags]})
        else:
            report.count(_EMPTY)
    write_set(Path(arguments.output_dir), rows, source.features, card_text(arguments.name, rows), report)
    return report


def _words(where: str, record: dict[str, Any], known: Mapping[str, int], report: Report) -> tuple[list[str], list[str]]:
    """Check the tokens and tags of a sentence, and return those that are not blank."""
    tokens, tags = record["tokens"], record["ner_tags"]
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags):
        raise ClacInputError(f"{where}: tokens and ner_tags must be lists of equal length; fix the file")
    kept: list[tuple[str, str]] = []
    for place, (token, tag) in enumerate(zip(tokens, tags, strict=True), 1):
        if not isinstance(token, str):
            raise ClacInputError(f"{where}: token {place} is {token!r}; expected text; fix the file")
        if tag not in known:
            raise ClacInputError(f"{where}: tag {place} is {tag!r}; must be one of {', '.join(known)}")
        if token.strip():
            kept.append((token, tag))
        else:
            report.count(_BLANK)
    words, their_tags = [token for token, _ in kept], [tag for _, tag in kept]
    report.count(_ORPHANS, count_orphans(their_tags))
    return words, their_tags


def count_orphans(tags: Sequence[str]) -> int:
    """Count the I- tags that do not follow a B- or I- tag of the same type."""
    return sum(tag.startswith("I-") and last[1:] != tag[1:] for last, tag in zip(["O", *tags], tags, strict=False))


def card_text(name: str, rows: Rows) -> CardText:
    """Return the parts of the card that cannot be read from the files, with the number of entities of each type."""
    source = SOURCES[name]
    counts: dict[str, Counter[str]] = {entity: Counter() for entity in source.types}
    longest = 0
    for split, records in rows.items():
        for record in records:
            longest = max(longest, len(record["tokens"]))
            for number in record["ner_tags"]:
                tag = source.tags[number]
                if tag.startswith("B-"):
                    counts[tag[2:]][split] += 1
    totals = {split: sum(by_split[split] for by_split in counts.values()) for split in SPLITS}
    table = count_table(("type", "meaning"), counts, source.types)
    total = " | ".join(f"{totals[split]:,}" for split in SPLITS)
    meanings = {
        "id": "unique identifier of the sentence",
        "doc_id": "identifier of the paper (PubMed Central)",
        "tokens": "words of the sentence",
        "ner_tags": f"class labels: 0 is `O`, then B- and I- of each type below, {len(source.tags)} in total (IOB2)",
    }
    return CardText(
        title=source.title,
        language="en",
        summary=source.summary,
        details=f"## Entities\n\n{table}\n| all | | {total} |\n\nThe longest sentence has {longest} words.",
        provenance=(
            f"`python -m datasets_scripts.ner --name {name}` from {source.address}. The splits are those of the source."
        ),
        limits=source.limits,
        licence=source.licence,
        citations=source.citations,
        columns=meanings,
        tags=("materials-science", "named-entity-recognition", "token-classification"),
    )


def card_of(name: str, directory: Path) -> CardText:
    """Return the card text of a data set that exists in a directory."""
    rows, _ = read_set(directory)
    return card_text(name, rows)


def main(arguments: NerArguments) -> None:
    """Build the data set and print the counts."""
    print_report(build(arguments), arguments.output_dir)


if __name__ == "__main__":
    run_script(NerArguments, main)
