"""
Build data sets of abstracts in two classes: about glasses or not, and about lithium-ion or sodium-ion batteries.

    python -m datasets_scripts.pac --name glass --data_dir text-data --output_dir runs/pac-glass
    python -m datasets_scripts.pac --name battery --data_dir text-data --output_dir runs/pac-battery

Splits are those of the source, except for abstracts that are in two splits: these stay in test, or else in validation,
and are removed from the other split. The card lists their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Features, Value

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

_EMPTY = "abstracts without text left out"
_SHARED = "abstracts left out of {} because they are also in {}"
# Shared abstracts are removed from the first split of each pair, so that no test abstract is seen in training.
_PAIRS = (("train", "test"), ("validation", "test"), ("train", "validation"))


@dataclass(frozen=True)
class PacSource:
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
        labels: Meanings of the classes by name, in the order of the class labels.
        columns: Meanings of additional text columns of the source.
    """

    folder: str
    address: str
    title: str
    summary: str
    limits: str
    licence: str
    citations: Sequence[str]
    labels: Mapping[str, str]
    columns: Mapping[str, str]

    @property
    def features(self) -> Features:
        """Columns and class names."""
        text = Value("string")
        label = ClassLabel(names=list(self.labels))
        return Features({"id": text, "text": text, "label": label, **dict.fromkeys(self.columns, text)})


SOURCES = {
    "glass": PacSource(
        folder="pac_glass",
        address="https://github.com/M3RG-IITD/MatSciBERT, folder cls/datasets/glass_non_glass",
        title="Abstracts about glasses",
        summary=(
            "Abstracts of papers, labelled by whether they are about inorganic glasses. Greek letters, arrows and "
            "dashes, which are broken byte sequences in the original, have been repaired."
        ),
        limits=(
            "No licence is stated with the data, and the abstracts belong to their publishers: keep copies private. "
            "Nearly all abstracts about metallic glasses are labelled `non_glass`. In about twenty abstracts, a "
            "character was lost before the repair."
        ),
        licence="unknown",
        citations=(
            "Venugopal et al. (2021), Patterns 2, 100290",
            "Gupta et al. (2022), npj Computational Materials 8, 102, for the splits",
        ),
        labels={"non_glass": "about something else", "glass": "about inorganic glasses"},
        columns={},
    ),
    "battery": PacSource(
        folder="pac_battery",
        address="a non-public collection of abstracts from arXiv, OpenAlex and Crossref",
        title="Abstracts about lithium-ion or sodium-ion batteries",
        summary=(
            "Abstracts of papers about batteries without their titles, labelled by the ion that the title names (for "
            "some papers from arXiv: the abstract). In `text_masked`, words that name an ion are replaced by `[ION]` "
            "and formulas are kept, which makes the task harder. Both classes are equally frequent within each source, "
            "so that the source does not reveal the label. This is not the data set of arXiv 2502.16451, which is not "
            "public."
        ),
        limits=(
            "The labels were assigned by a rule and not checked individually. The unmasked text usually names the ion, "
            "so the task is easy. The test split is small, and accuracies have a standard error of two to four "
            "percentage points. Abstracts from Crossref are cut at 500 characters. Metadata from arXiv and OpenAlex "
            "are CC0; abstracts from Crossref are as provided by their publishers."
        ),
        licence="other",
        citations=("Park et al. (2025), arXiv 2502.16451, for the task",),
        labels={"li_ion": "lithium-ion", "na_ion": "sodium-ion"},
        columns={
            "text_masked": "the abstract with `[ION]` instead of words that name an ion",
            "source": "source of the abstract",
            "doi": "DOI of the paper",
        },
    ),
}


@dataclass
class PacArguments:
    """Arguments of the builder."""

    name: str = field(metadata={"help": f"One of {', '.join(SOURCES)}."})
    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    data_dir: str | None = field(
        default=None, metadata={"help": "Directory with the folders pac_glass and pac_battery."}
    )


def build(arguments: PacArguments) -> Report:
    """
    Build one data set with the columns `id`, `text`, `label` (class label) and, for batteries, `text_masked`, `source`
    and `doi`.

    Returns:
        Counts of what was read and left out.

    Raises:
        ClacInputError: If the name is unknown, or the source is missing, damaged or has an invalid row.
    """
    if arguments.name not in SOURCES:
        raise ClacInputError(f"--name {arguments.name}: must be one of {', '.join(SOURCES)}")
    source = SOURCES[arguments.name]
    directory = source_directory(arguments.data_dir, arguments.output_dir, source.folder, source.address)
    report = Report({"abstracts read": 0, _EMPTY: 0, **{_SHARED.format(*pair): 0 for pair in _PAIRS}})
    rows: Rows = {split: [] for split in SPLITS}
    for split, where, record in source_rows(directory, list(source.features)):
        report.count("abstracts read")
        _check(where, record, source)
        if all(record[name].strip() for name in _texts(source)):
            rows[split].append(record)
        else:
            report.count(_EMPTY)
    for loser, keeper in _PAIRS:
        kept = {_words(record) for record in rows[keeper]}
        unique = [record for record in rows[loser] if _words(record) not in kept]
        report.count(_SHARED.format(loser, keeper), len(rows[loser]) - len(unique))
        rows[loser] = unique
    write_set(Path(arguments.output_dir), rows, source.features, card_text(arguments.name, rows), report)
    return report


def _check(where: str, record: dict[str, Any], source: PacSource) -> None:
    label, last = record["label"], len(source.labels) - 1
    if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label <= last:
        raise ClacInputError(f"{where}: label is {label!r}; must be from 0 to {last} ({', '.join(source.labels)})")
    for name in _texts(source):
        if not isinstance(record[name], str):
            raise ClacInputError(f"{where}: {name} is {record[name]!r}; expected text; fix the file")


def _texts(source: PacSource) -> list[str]:
    return ["text", *(name for name in source.columns if name == "text_masked")]


def _words(record: dict[str, Any]) -> str:
    """Normalise case and whitespace, so that copies of an abstract compare equal."""
    return " ".join(record["text"].lower().split())


def card_text(name: str, rows: Rows) -> CardText:
    """Return the parts of the card that cannot be read from the files, with the number of abstracts of each class."""
    source = SOURCES[name]
    counts = {
        label: {split: sum(record["label"] == number for record in records) for split, records in rows.items()}
        for number, label in enumerate(source.labels)
    }
    table = count_table(("class", "meaning"), counts, source.labels)
    return CardText(
        title=source.title,
        language="en",
        summary=source.summary,
        details=f"## Classes\n\n{table}",
        provenance=(
            f"`python -m datasets_scripts.pac --name {name}` from {source.address}. The splits are those of the "
            "source, except for the rows that the table counts."
        ),
        limits=source.limits,
        licence=source.licence,
        citations=source.citations,
        columns={
            "id": "identifier of the abstract",
            "text": "the abstract",
            "label": f"class label, {', '.join(f'{number} {label}' for number, label in enumerate(source.labels))}",
            **source.columns,
        },
        tags=("materials-science", "text-classification"),
    )


def card_of(name: str, directory: Path) -> CardText:
    """Return the card text of a data set that exists in a directory."""
    rows, _ = read_set(directory)
    return card_text(name, rows)


def main(arguments: PacArguments) -> None:
    """Build the data set and print the counts."""
    print_report(build(arguments), arguments.output_dir)


if __name__ == "__main__":
    run_script(PacArguments, main)
