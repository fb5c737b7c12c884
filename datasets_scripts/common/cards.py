"""Data set cards with counts and columns taken from the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
from huggingface_hub import DatasetCardData

from datasets_scripts.common.records import Report
from modeling_clac.data.bundled import SPLITS
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import replaced_file
from modeling_clac.utils.cards import card_text, escaped

_SIZES = (("n<1K", 1e3), ("1K<n<10K", 1e4), ("10K<n<100K", 1e5), ("100K<n<1M", 1e6), ("1M<n<10M", 1e7))

PAPER = (
    "Park, Kumaran, Hsu, Olivetti, Li (2025), Contrastive Learning of English Language and Crystal Graphs for "
    "Multimodal Representation of Materials Knowledge, arXiv 2502.16451"
)
# Meanings and units of the columns that all our data sets share.
COLUMNS = {
    "material_id": "identifier in the source",
    "source": "origin of the structure and its properties",
    "cif": "structure as CIF in space group P1",
    "formula": "reduced formula",
    "chemsys": "element symbols joined by `-`",
    "elements": "list of element symbols, sorted",
    "nsites": "atoms in the cell of `cif`",
    "space_group_number": "space group number",
    "space_group_symbol": "space group symbol (Hermann-Mauguin)",
    "crystal_system": "cubic, hexagonal, trigonal, tetragonal, orthorhombic, monoclinic or triclinic",
    **{column: row.meaning for column, row in PROPERTIES.items()},
    "is_oxide": "contains oxygen and another element",
    "split": "train, validation or test; no formula is in two splits",
}


def size_category(rows: int) -> str:
    """Return the name that the Hub gives to data sets with this number of rows."""
    return next((name for name, limit in _SIZES if rows < limit), "n>10M")


@dataclass(frozen=True)
class CardText:
    """
    The parts of a card that cannot be derived from the files.

    Attributes:
        title: Name of the data set.
        summary: One paragraph that describes the data set.
        provenance: How it was made, with the command.
        limits: Known limits and unsuitable uses.
        licence: Identifier of the licence on the Hub.
        citations: One line each.
        columns: Meanings of columns that other data sets do not have.
        tags: Tags for the Hub.
        language: Language of the texts, as its ISO code; `None` if there are none.
        details: Additional sections in Markdown.
    """

    title: str
    summary: str
    provenance: str
    limits: str
    licence: str = "cc-by-4.0"
    citations: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ("materials-science", "crystals")
    language: str | None = None
    details: str = ""


def split_files(directory: Path) -> dict[str, list[Path]]:
    """Return the Parquet files of each split that has any, with the standard splits first."""
    found: dict[str, list[Path]] = {}
    for file in sorted(directory.glob("*.parquet")):
        found.setdefault(file.name.split("-")[0].removesuffix(".parquet"), []).append(file)
    order = [*[name for name in SPLITS if name in found], *sorted(set(found) - set(SPLITS))]
    return {name: found[name] for name in order}


def make_card(directory: Path, text: CardText, report: Report | None = None) -> str:
    """
    Make the card of the data set in a directory.

    Args:
        directory: Directory with the Parquet files.
        text: Parts of the card that cannot be derived from the files.
        report: Counts to list.

    Returns:
        The card in Markdown, with metadata for the Hub.

    Raises:
        ClacInputError: If the directory has no Parquet files, their columns differ, or a column has no description.
    """
    splits = split_files(directory)
    if not splits:
        raise ClacInputError(f"{directory}: no Parquet files found; build the data set first")
    meanings = {**COLUMNS, **text.columns}
    counts, schema = {}, None
    for name, files in splits.items():
        counts[name] = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
        for file in files:
            own = pq.ParquetFile(file).schema_arrow
            if schema is not None and own.names != schema.names:
                raise ClacInputError(f"{file}: its columns differ from those of the other files; rebuild the data set")
            schema = own
    assert schema is not None
    unknown = [name for name in schema.names if name not in meanings]
    if unknown:
        raise ClacInputError(f"{directory}: no description of the columns {', '.join(unknown)}; add one to the card")
    total = sum(counts.values())
    metadata = DatasetCardData(
        language=text.language,
        license=text.licence,
        size_categories=[size_category(total)],
        pretty_name=text.title,
        tags=list(text.tags),
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": _pattern(name, files)} for name, files in splits.items()],
            }
        ],
    )
    lines = [f"# {escaped(text.title)}", ""]
    lines += [text.summary.strip(), "", "| split | rows |", "|---|---:|"]
    lines += [f"| `{name}` | {count:,} |" for name, count in counts.items()]
    lines += ["", "## Columns", "", "| column | type | meaning, unit |", "|---|---|---|"]
    lines += [f"| `{entry.name}` | {entry.type} | {meanings[entry.name]} |" for entry in schema]
    if text.details:
        lines += ["", text.details.strip()]
    lines += ["", "## How it was made", "", text.provenance.strip(), ""]
    if report is not None and report.counts:
        lines += [
            "| count | |",
            "|---|---:|",
            *(f"| {name} | {number:,} |" for name, number in report.counts.items()),
            "",
        ]
    lines += ["## Limits", "", text.limits.strip(), ""]
    if text.citations:
        lines += ["## Cite", "", *(f"* {citation}" for citation in text.citations), ""]
    return card_text(metadata, "\n".join(lines))


def write_card(directory: Path, text: CardText, report: Report | None = None) -> None:
    """Write the card of the data set in a directory as `README.md`; see `make_card`."""
    card = make_card(directory, text, report)
    with replaced_file(directory / "README.md") as new:
        new.write_text(card, encoding="utf-8")


def _pattern(split: str, files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{split}-*.parquet"


__all__ = ["COLUMNS", "CardText", "make_card", "size_category", "split_files", "write_card"]
