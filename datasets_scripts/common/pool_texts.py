"""Texts for the crystals of a pool, whose right answers are known: narratives, formulas, descriptions, wordings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import narrate

QUERIES = ("narrative", "narrative_masked", "formula", "formula_crystal_system")
# Descriptions of 200 crystals of each held-out split by Robocrystallographer, see `datasets_scripts.descriptions`.
DESCRIPTIONS = Path(__file__).parents[2] / "evaluation" / "queries" / "descriptions"
_END_OF_SENTENCE = re.compile(r"(?<=[a-z)])\.\s+(?=[A-Z])")


@dataclass(frozen=True)
class LabelledText:
    """
    A text and the crystals that it describes.

    Attributes:
        text: The text.
        group: What its score is averaged in: a category, or the id of a concept.
        truth: `(n,)` float32: 1 right, 0 wrong, anything else undecided.
    """

    text: str
    group: str
    truth: np.ndarray

    @property
    def right(self) -> int:
        """Number of right crystals."""
        return int((self.truth == 1).sum())


def query_texts(records: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, list[str]]:
    """
    Write the query texts of each record. They depend only on the record and the seed.

    Args:
        records: Property records of crystals.
        seed: Seed of the narratives.

    Returns:
        For each kind of query in `QUERIES`, one text per record.

    Raises:
        ClacInputError: If a record has no facts to narrate.
    """
    texts: dict[str, list[str]] = {name: [] for name in QUERIES}
    for record in with_uses(records):
        identity = str(record["material_id"])
        try:
            texts["narrative"].append(narrate(record, seed=(seed, identity)))
            texts["narrative_masked"].append(narrate(record, seed=(seed, identity), mask_formula=True))
        except ValueError as error:
            raise ClacInputError(f"{identity}: {error}") from None
        texts["formula"].append(record["formula"])
        texts["formula_crystal_system"].append(f"{record['formula']}, {record['crystal_system']}")
    return texts


def sentences_of_description(text: str) -> tuple[str, str]:
    """
    Split a structure description.

    Args:
        text: Description by Robocrystallographer.

    Returns:
        The first sentence, which names the compound and its symmetry, and the rest, which may be empty.
    """
    first, *rest = _END_OF_SENTENCE.split(text, maxsplit=1)
    return first.rstrip(".") + ".", rest[0] if rest else ""


def read_descriptions(path: Path) -> dict[str, str]:
    """
    Read descriptions by material id.

    Raises:
        ClacInputError: If the file cannot be read, lacks a column or has an empty value.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None
    missing = [name for name in ("material_id", "description") if name not in table.column_names]
    if missing:
        raise ClacInputError(f"{path}: no column {', '.join(missing)}")
    texts = dict(zip(table["material_id"].to_pylist(), table["description"].to_pylist(), strict=True))
    empty = [str(name) for name, text in texts.items() if name is None or not (text or "").strip()]
    if empty or not texts:
        raise ClacInputError(f"{path}: no description of {empty[0] if empty else 'any crystal'}; remove empty rows")
    return texts


def held_out_texts(vocabulary: Vocabulary, table: FactTable, min_right: int = 3) -> list[LabelledText]:
    """
    Collect the held-out wordings of the concepts that hold for enough crystals of a table.

    Args:
        vocabulary: The vocabulary.
        table: Facts of the crystals.
        min_right: Least number of crystals for which the concept holds.

    Returns:
        One text for each wording; the group is the id of the concept.
    """
    texts = []
    for concept in vocabulary:
        truth = vocabulary.holds(concept.id, table)
        if (truth == 1).sum() >= min_right:
            texts += [
                LabelledText(wording, concept.id, truth) for wording in vocabulary.wordings(concept.id, held_out=True)
            ]
    return texts


__all__ = [
    "DESCRIPTIONS",
    "QUERIES",
    "LabelledText",
    "held_out_texts",
    "query_texts",
    "read_descriptions",
    "sentences_of_description",
]
