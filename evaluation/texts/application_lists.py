"""Lists of materials and applications, the table of expectations, and uses of the vocabulary with their crystals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import read_yaml

# 2 for what a material is known for, 1 for what it is also used or studied for.
GRADES = (0, 1, 2)


@dataclass(frozen=True)
class NamedTexts:
    """
    An application.

    Attributes:
        name: Its name.
        texts: Texts whose mean embedding stands for it.
    """

    name: str
    texts: tuple[str, ...]


def read_materials(path: Path) -> list[tuple[str, Path]]:
    """
    Read a list of materials.

    Args:
        path: YAML list of entries with `name` and `file`, or a directory, whose files are named by their stems.

    Returns:
        Pairs of name and structure file.

    Raises:
        ClacInputError: If the list is invalid or a name occurs twice.
    """
    if path.is_dir():
        found = [(file.stem, file) for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."]
    else:
        found = [(own["name"], path.parent / own["file"]) for own in _entries(path, {"name", "file"}, {"name", "file"})]
    _require_unique(path, [name for name, _ in found])
    return found


def read_applications(path: Path, vocabulary: Vocabulary) -> list[NamedTexts]:
    """
    Read a list of applications.

    Args:
        path: YAML list of entries with `name`, and optionally `wordings` and `concepts`, ids of the vocabulary.
        vocabulary: The vocabulary.

    Raises:
        ClacInputError: If the list is invalid, names an unknown concept, or a name occurs twice.
    """
    found = []
    for entry in _entries(path, {"name"}, {"name", "wordings", "concepts"}):
        texts = [entry["name"], *entry.get("wordings", [])]
        for concept in entry.get("concepts", []):
            if concept not in vocabulary.concepts:
                raise ClacInputError(
                    f"{path}: {entry['name']}: no concept has the id {concept!r}; see `clac concepts` for the ids"
                )
            texts += vocabulary.wordings(concept)
        found.append(NamedTexts(entry["name"], tuple(dict.fromkeys(texts))))
    _require_unique(path, [own.name for own in found])
    return found


def _entries(path: Path, required: set[str], known: set[str]) -> list[dict[str, Any]]:
    entries = read_yaml(path)
    if not isinstance(entries, list) or not entries:
        raise ClacInputError(f"{path}: expected a list of entries with {', '.join(sorted(known))}")
    for place, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not required <= set(entry) <= known:
            raise ClacInputError(f"{path}: entry {place}: expected the keys {', '.join(sorted(known))}")
        for name, value in entry.items():
            texts = value if name in ("wordings", "concepts") else [value]
            if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
                raise ClacInputError(f"{path}: entry {place}: {name}: expected text, found {value!r}")
    return entries


def _require_unique(path: Path, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ClacInputError(f"{path}: {repeated[0]} occurs twice; give each entry a name of its own")
    if not names:
        raise ClacInputError(f"{path}: no structures found")


def read_expectations(path: Path, materials: Sequence[str], applications: Sequence[str]) -> np.ndarray:
    """
    Read the grades of materials for applications.

    Args:
        path: YAML table: material, then application, then 0, 1 or 2. Applications that are not named have the grade 0;
            `why` states a reason.
        materials: Names of the materials.
        applications: Names of the applications.

    Returns:
        Grades, `(materials, applications)`; NaN for materials that the table lacks.

    Raises:
        ClacInputError: If the table names something unknown or has another grade.
    """
    table = read_yaml(path)
    if not isinstance(table, dict):
        raise ClacInputError(f"{path}: expected a table of materials")
    grades = np.full((len(materials), len(applications)), np.nan)
    for name, own in table.items():
        if name not in materials:
            raise ClacInputError(f"{path}: {name}: not one of the materials ({', '.join(materials)})")
        row = materials.index(name)
        grades[row] = 0
        for application, grade in (own if isinstance(own, dict) else {"": own}).items():
            if application == "why":
                continue
            if application not in applications or grade not in GRADES:
                raise ClacInputError(
                    f"{path}: {name}: {application}: {grade!r}; expected an application ({', '.join(applications)}) "
                    "and a grade 0, 1 or 2"
                )
            grades[row, applications.index(application)] = grade
    return grades


def choose_uses(
    vocabulary: Vocabulary, table: FactTable, number: int, num_materials: int, seed: int
) -> tuple[list[str], list[int], np.ndarray]:
    """
    Choose uses of the vocabulary and crystals for which they hold.

    Uses that another one implies, hold for more than one crystal in five, or hold for fewer than three are not chosen.

    Args:
        vocabulary: The vocabulary.
        table: Facts of the crystals.
        number: Number of uses.
        num_materials: Number of crystals.
        seed: Seed of the draw.

    Returns:
        Ids of the uses; rows of the crystals; and whether each use holds for each crystal, `(crystals, uses)`: 1 holds,
        0 not, anything else undecided.

    Raises:
        ClacInputError: If there are too few.
    """
    uses = [concept.id for concept in vocabulary if concept.kind == "use"]
    wider = frozenset[str]().union(*(vocabulary.wider(own) for own in uses))
    truths = {own: vocabulary.holds(own, table) for own in uses if own not in wider}
    usable = [own for own, truth in truths.items() if 3 <= (truth == 1).sum() <= len(table) / 5]
    generator = np.random.default_rng(seed)
    chosen = sorted(generator.permutation(usable)[:number].tolist())
    rows: list[int] = []
    for step in range(num_materials * max(1, number)):
        if len(rows) == num_materials or not chosen:
            break
        # In turn, so that each use holds for some crystals.
        holding = np.flatnonzero(truths[chosen[step % len(chosen)]] == 1)
        left = [row for row in holding.tolist() if row not in rows]
        if left:
            rows.append(int(generator.choice(left)))
    if len(chosen) < number or len(rows) < num_materials:
        raise ClacInputError(
            f"only {len(chosen)} uses and {len(rows)} crystals can be chosen; give smaller --num_uses and "
            "--num_materials"
        )
    return chosen, rows, np.stack([truths[own][rows] for own in chosen], axis=1)


__all__ = ["GRADES", "NamedTexts", "choose_uses", "read_applications", "read_expectations", "read_materials"]
