"""Multiple-choice questions as `datasets_scripts.questions` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.cards import split_files
from datasets_scripts.multiple_choice.drawing import KINDS, LEVELS
from datasets_scripts.questions import SCHEMA
from modeling_clac.errors_clac import ClacInputError, first_line

_TEXT = (pa.string(), pa.large_string())


@dataclass(frozen=True)
class ChoiceQuestion:
    """
    A question about a crystal.

    Attributes:
        question_id: Identifier.
        material_id: Crystal.
        kind: Key of `KINDS`.
        difficulty: `easy` or `hard`.
        text: The question.
        options: Statements; one of them is true.
        answer: Place of the true statement.
        formula: Reduced formula.
        cif: Structure.
    """

    question_id: str
    material_id: str
    kind: str
    difficulty: str
    text: str
    options: tuple[str, ...]
    answer: int
    formula: str
    cif: str

    @property
    def level(self) -> tuple[str, str]:
        """Kind and difficulty."""
        return self.kind, self.difficulty

    @property
    def labels(self) -> tuple[str, ...]:
        """The class that each option names."""
        return tuple(KINDS[self.kind].label(option) or option for option in self.options)


def read_questions(directory: Path, split: str) -> list[ChoiceQuestion]:
    """
    Read the questions of a split.

    Args:
        directory: Data set of `datasets_scripts.questions`.
        split: `train`, `validation` or `test`.

    Returns:
        The questions; none if the data set lacks the split.

    Raises:
        ClacInputError: If there is no data set, or a file or a row has another schema.
    """
    if directory.is_file():
        raise ClacInputError(f"{directory}: expected the directory of a data set, with a Parquet file of each split")
    files = split_files(directory) if directory.is_dir() else {}
    if not files:
        raise ClacInputError(f"{directory}: no questions found; write them with python -m datasets_scripts.questions")
    return [question for file in files.get(split, ()) for question in _read_file(file)]


def _read_file(path: Path) -> list[ChoiceQuestion]:
    try:
        found = pq.read_schema(path)
        wrong = [field.name for field in SCHEMA if not _fits(found, field)]
        if wrong:
            raise ClacInputError(
                f"{path}: not a file of questions: column {', '.join(wrong)} missing or of another type; write the "
                "file with python -m datasets_scripts.questions"
            )
        rows = pq.read_table(path, columns=SCHEMA.names).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None
    return [_question(row, f"{path}: row {place}") for place, row in enumerate(rows)]


def _fits(found: pa.Schema, field: pa.Field) -> bool:
    if field.name not in found.names:
        return False
    kind = found.field(field.name).type
    if field.type in _TEXT:
        return kind in _TEXT
    if pa.types.is_list(field.type):
        return pa.types.is_list(kind) and kind.value_type in _TEXT
    return bool(pa.types.is_integer(kind))


def _question(row: dict[str, Any], where: str) -> ChoiceQuestion:
    empty = [name for name, value in row.items() if value is None]
    if empty:
        raise ClacInputError(f"{where}: {', '.join(empty)} empty; write the questions again")
    level = row["kind"], row["difficulty"]
    if level not in LEVELS:
        raise ClacInputError(
            f"{where}: unknown kind {row['kind']!r} with difficulty {row['difficulty']!r}; write the questions with "
            "this version of datasets_scripts.questions"
        )
    kind, options = KINDS[row["kind"]], row["options"]
    if len(options) != kind.size or len(set(options)) < kind.size or not 0 <= row["answer"] < kind.size:
        raise ClacInputError(f"{where}: expected {kind.size} different options and an answer from 0 to {kind.size - 1}")
    strange = [option for option in options if kind.label(option) is None]
    if strange:
        raise ClacInputError(
            f"{where}: the option {strange[0]!r} is not of the form {kind.statement!r}; write the questions with this "
            "version of datasets_scripts.questions"
        )
    return ChoiceQuestion(
        row["question_id"],
        row["material_id"],
        *level,
        row["question"],
        tuple(options),
        row["answer"],
        row["formula"],
        row["cif"],
    )


def sample_questions(questions: Sequence[ChoiceQuestion], number: int, seed: int) -> list[ChoiceQuestion]:
    """
    Draw up to `number` questions of each kind and difficulty and keep their order; 0 keeps all.

    Args:
        questions: Questions to draw from.
        number: Largest number for each kind and difficulty.
        seed: Seed of the draw.
    """
    if not number:
        return list(questions)
    kept: set[int] = set()
    for place, level in enumerate(LEVELS):
        rows = [row for row, question in enumerate(questions) if question.level == level]
        kept.update(np.random.default_rng((seed, place)).permutation(rows)[:number].tolist())
    return [question for row, question in enumerate(questions) if row in kept]


__all__ = ["ChoiceQuestion", "read_questions", "sample_questions"]
