"""Sources of texts that each describe one crystal of a pool: narratives, structure descriptions, paragraphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.cards import split_files
from datasets_scripts.common.pool_texts import query_texts, sentences_of_description
from modeling_clac.errors_clac import ClacInputError, first_line

# Name -> label, and whether the texts name the composition.
SOURCES = {
    "narrative": ("narrative", "with"),
    "narrative_masked": ("narrative, formula masked", "without"),
    "formula": ("formula", "with"),
    "formula_crystal_system": ("formula, crystal system", "with"),
    "description": ("Robocrystallographer, whole description", "with"),
    "description_first": ("Robocrystallographer, first sentence", "with"),
    "description_rest": ("Robocrystallographer, without the first sentence", "elements only"),
    "paragraph": ("paragraph of a paper", "with"),
    "paragraph_masked": ("paragraph of a paper, material masked", "without"),
}
_COLUMNS = ("material_id", "text", "matched_start", "matched_end")
_MASK = "the material"


@dataclass(frozen=True)
class QuerySource:
    """
    Texts of one source.

    Attributes:
        name: Key of `SOURCES`.
        texts: The texts.
        targets: Row of the right crystal of each text in the pool, `(len(texts),)`.
    """

    name: str
    texts: Sequence[str]
    targets: np.ndarray

    def within(self, rows: np.ndarray) -> QuerySource:
        """
        Keep the texts about some crystals.

        Args:
            rows: Sorted rows of the crystals of a smaller pool, which are counted from 0 in the result.
        """
        kept = np.flatnonzero(np.isin(self.targets, rows)).tolist()
        return QuerySource(self.name, [self.texts[place] for place in kept], np.searchsorted(rows, self.targets[kept]))


def narrator_sources(records: Sequence[Mapping[str, Any]], seed: int = 0) -> list[QuerySource]:
    """
    Narratives with and without the formula, and formulas, one text for each crystal.

    Args:
        records: Crystals of the pool.
        seed: Seed of the narratives.
    """
    rows = np.arange(len(records))
    return [QuerySource(name, texts, rows) for name, texts in query_texts(records, seed).items()]


def description_sources(records: Sequence[Mapping[str, Any]], described: Mapping[str, str]) -> list[QuerySource]:
    """
    Structure descriptions: whole, the first sentence, and the rest, which names elements but no formula.

    Args:
        records: Crystals of the pool.
        described: Descriptions by material id. Those of other crystals are left out.
    """
    rows = [row for row, record in enumerate(records) if str(record["material_id"]) in described]
    whole = [described[str(records[row]["material_id"])] for row in rows]
    parts = [sentences_of_description(text) for text in whole]
    rest = [place for place, (_, text) in enumerate(parts) if text]
    targets = np.array(rows, dtype=np.int64)
    sources = [
        QuerySource("description", whole, targets),
        QuerySource("description_first", [first for first, _ in parts], targets),
        QuerySource("description_rest", [parts[place][1] for place in rest], targets[rest]),
    ]
    return [source for source in sources if source.texts]


def read_paragraphs(directory: Path, split: str) -> list[tuple[str, str, str]]:
    """
    Read the paragraphs of a split.

    Args:
        directory: Data set of `datasets_scripts.literature`.
        split: Name of the split.

    Returns:
        Material id, paragraph, and paragraph in which "the material" stands for the words that name it.

    Raises:
        ClacInputError: If there is no data set, the split has no paragraphs, or a file has another schema.
    """
    files = split_files(directory) if directory.is_dir() else {}
    if split not in files:
        found = f"the splits {', '.join(files)}" if files else "no Parquet files"
        raise ClacInputError(
            f"{directory}: no paragraphs of the split {split} (found {found}); write them with python -m "
            "datasets_scripts.literature"
        )
    return [row for file in files[split] for row in _read_file(file)]


def _read_file(path: Path) -> list[tuple[str, str, str]]:
    try:
        missing = [name for name in _COLUMNS if name not in pq.read_schema(path).names]
        if missing:
            raise ClacInputError(
                f"{path}: no column {', '.join(missing)}; expected a data set of datasets_scripts.literature"
            )
        rows = pq.read_table(path, columns=list(_COLUMNS)).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None
    found = []
    for place, row in enumerate(rows):
        text, start, end = row["text"], row["matched_start"], row["matched_end"]
        if not isinstance(text, str) or start is None or end is None or not 0 <= start < end <= len(text):
            raise ClacInputError(
                f"{path}: row {place}: the matched words are not in the text; write the data set again"
            )
        # The same words name the material elsewhere in the paragraph.
        found.append((str(row["material_id"]), text, text.replace(text[start:end], _MASK)))
    return found


def paragraph_sources(
    records: Sequence[Mapping[str, Any]], paragraphs: Sequence[tuple[str, str, str]]
) -> list[QuerySource]:
    """
    Paragraphs of papers, as they are and with the material masked. A crystal may have several.

    Args:
        records: Crystals of the pool.
        paragraphs: From `read_paragraphs`. Those about other crystals are left out.
    """
    place = {str(record["material_id"]): row for row, record in enumerate(records)}
    own = [(place[name], text, masked) for name, text, masked in paragraphs if name in place]
    targets = np.array([row for row, _, _ in own], dtype=np.int64)
    if not own:
        return []
    return [
        QuerySource("paragraph", [text for _, text, _ in own], targets),
        QuerySource("paragraph_masked", [masked for _, _, masked in own], targets),
    ]


__all__ = [
    "SOURCES",
    "QuerySource",
    "description_sources",
    "narrator_sources",
    "paragraph_sources",
    "read_paragraphs",
]
