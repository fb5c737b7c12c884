"""Up to four crystals next to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..concepts.vocabulary import Vocabulary
from ..data.properties import PROPERTIES
from ..errors_clac import ClacInputError
from ..narrator.crystal_page import TITLES, title_of
from ..search.hits import shown_value
from .markup import formula, space_group, tag, text
from .results import MOST_COMPARED

if TYPE_CHECKING:
    from ..search.index import CrystalIndex

_HIDDEN_KINDS = ("element", "element-group")
_MOST_CONCEPTS = 12


def comparison_html(index: CrystalIndex, rows: Sequence[int], vocabulary: Vocabulary) -> str:
    """
    Write a table that compares crystals: symmetry, properties, concepts that only some have, and cosines.

    Args:
        index: The index.
        rows: Rows of two to four crystals.
        vocabulary: The concepts.

    Raises:
        ClacInputError: If there are fewer or more crystals.
    """
    if not 2 <= len(rows) <= MOST_COMPARED:
        raise ClacInputError(f"{len(rows)} crystals; choose 2 to {MOST_COMPARED} to compare")
    records = [index.record(row) for row in rows]
    heads = [tag("th", "", scope="col")]
    for record in records:
        name = formula(record.get("formula")) + tag("span", text(record.get("material_id") or ""), class_="id")
        heads.append(tag("th", name, scope="col"))
    lines = [
        _line("space group", [space_group(record.get("space_group_symbol")) for record in records]),
        _line("crystal system", [text(record.get("crystal_system") or "") for record in records]),
        _line("atoms in the cell", [text(record.get("nsites") or "") for record in records]),
    ]
    for column, row in PROPERTIES.items():
        values = [shown_value(row, record.get(column)) for record in records]
        if any(values):
            lines.append(_line(f"{row.label} ({row.unit})" if row.unit else row.label, [text(each) for each in values]))
    lines += _concept_lines(index, rows, vocabulary)
    vectors = index.vectors[list(rows)]
    cosines = vectors @ vectors.T
    for place, record in enumerate(records):
        label = f"cosine with {record.get('formula') or record.get('material_id')}"
        lines.append(_line(label, [f"{value:.3f}" for value in cosines[place].tolist()]))
    caption = tag("caption", f"Comparison of {len(rows)} crystals")
    table = tag("table", caption + tag("thead", tag("tr", "".join(heads))) + tag("tbody", "".join(lines)))
    return tag("div", table, class_="clac-scroll comparison", tabindex="0", role="region", aria_label="Comparison")


def _concept_lines(index: CrystalIndex, rows: Sequence[int], vocabulary: Vocabulary) -> list[str]:
    """Lines of the concepts that some of the crystals have and others do not."""
    found: list[dict[str, list[str]]] = []
    for row in rows:
        own: dict[str, list[str]] = {title: [] for title in TITLES}
        for concept in vocabulary.describe(index.facts.take([row]), 0):
            if concept.kind not in _HIDDEN_KINDS:
                own[title_of(concept.kind)].append(concept.name)
        found.append(own)
    lines = []
    for title in TITLES:
        shared = set.intersection(*(set(own[title]) for own in found))
        cells = []
        for own in found:
            names = [name for name in own[title] if name not in shared]
            more = f" and {len(names) - _MOST_CONCEPTS} more" if len(names) > _MOST_CONCEPTS else ""
            cells.append(text(", ".join(names[:_MOST_CONCEPTS]) + more))
        if any(cells):
            lines.append(_line(f"{title.lower()}, not shared", cells, "none"))
    return lines


def _line(label: str, cells: Sequence[str], missing: str = "unknown") -> str:
    empty = tag("span", missing, class_="unknown")
    return tag("tr", tag("th", text(label), scope="row") + "".join(tag("td", cell or empty) for cell in cells))


__all__ = ["comparison_html"]
