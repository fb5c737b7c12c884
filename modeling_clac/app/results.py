"""The table of results: marks of the constraints, known properties, and what is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..concepts.quantities import QUANTITIES
from ..search.hits import Hit, known_columns
from .markup import formula, hidden, notes, space_group, tag, text
from .searches import Found

if TYPE_CHECKING:
    from ..search.understanding.likeness import Change

MOST_COMPARED = 4
_MOST_PROPERTIES = 6
_STATES = {"met": "met", "partly": "partly met", "unknown": "unknown", "failed": "not met"}


def results_html(found: Found) -> str:
    """
    Write the table of results.

    Args:
        found: The result of a search.
    """
    if not len(found.hits):
        passing = found.index.mask(found.request.filters).any()
        if passing and found.request.strict and found.query is not None and found.query.constraints:
            return notes(
                ["No crystal meets all constraints for sure. Without “only certain ones”, the nearest are shown."]
            )
        return notes(["No crystal passes the filters. Remove an element or widen a range."])
    records = [hit.record for hit in found.hits]
    named = tuple(found.hits[0].values)
    properties = known_columns(records, [*found.request.ranges, *named])[:_MOST_PROPERTIES]
    columns = {row.column: (row.header, row.unit) for row, _ in properties}
    for column in named:
        if column not in columns:
            columns = {column: (QUANTITIES[column].label, QUANTITIES[column].unit), **columns}
    has_marks = found.query is not None and bool(found.query.constraints)
    has_changes = bool(found.changes)
    # First, so that it is in sight where the table is wider than the screen.
    heads = [
        tag("th", "Compare", scope="col"),
        _head("#", "rank"),
        _head("Score", "score"),
        _head("Formula", "formula"),
        _head("Space group", "group"),
    ]
    heads += [_head("Constraints", "marks")] if has_marks else []
    heads += [tag("th", "Changes", scope="col")] if has_changes else []
    heads += [_head(f"{label} ({unit})" if unit else label, column) for column, (label, unit) in columns.items()]
    rows = []
    for place, hit in enumerate(found.hits):
        change = found.changes[place] if has_changes else None
        rows.append(_row(hit, list(columns), has_marks, change))
    counted = f"{len(found.hits)} of {len(found.index):,} crystals, best first. Scores are cosines, which rank."
    caption = tag("caption", tag("span", text(counted)))
    return tag(
        "div",
        tag(
            "table",
            caption + tag("thead", tag("tr", "".join(heads))) + tag("tbody", "".join(rows)),
            class_="clac-results",
        ),
        class_="clac-scroll",
        tabindex="0",
        role="region",
        aria_label="Results",
        # A link cannot carry a structure or files.
        data_link="?" if found.of_file or found.of_own else found.request.to_link(),
    )


def _head(label: str, key: str) -> str:
    button = tag("button", text(label) + tag("span", "", class_="arrow", aria_hidden="true"), type="button")
    return tag("th", button, scope="col", data_key=key, aria_sort="none")


def _row(hit: Hit, columns: Sequence[str], has_marks: bool, change: Change | None) -> str:
    record = hit.record
    name = str(record.get("formula") or record.get("material_id") or f"row {hit.row}")
    identity = str(record.get("material_id") or "")
    opened = tag(
        "button",
        formula(name),
        type="button",
        class_="open",
        data_row=hit.row,
        aria_label=f"Show {name} {identity}".strip(),
    )
    group = record.get("space_group_symbol")
    box = tag("input", "", type="checkbox", data_compare=hit.row, aria_label=f"Compare {name} {identity}".strip())
    cells = [
        tag("td", box.removesuffix("</input>"), class_="centre"),
        _cell(str(hit.rank), hit.rank),
        _cell(f"{hit.score:.3f}", hit.score),
        tag("th", opened + tag("span", text(identity), class_="id"), scope="row", data_sort=name),
        _cell(space_group(group) if group else _unknown(), record.get("space_group_number")),
    ]
    if has_marks:
        met = sum(mark.state == "met" for mark in hit.marks)
        cells.append(_cell(tag("div", marks_html(hit), class_="wide"), met))
    if change is not None:
        cells.append(tag("td", tag("div", changes_html(change), class_="wide")))
    cells += [_property(hit, column) for column in columns]
    return tag("tr", "".join(cells))


def marks_html(hit: Hit) -> str:
    """Write whether a hit meets each constraint, by a sign, words and a colour."""
    found = []
    for mark in hit.marks:
        value = f" ({mark.value})" if mark.value else ""
        sign = tag("span", mark.sign, aria_hidden="true") + hidden(f"{_STATES[mark.state]}:")
        found.append(
            tag("li", f"{sign} {text(mark.label + value)}", class_=f"mark {mark.state}", title=_STATES[mark.state])
        )
    return tag("ul", "".join(found), class_="marks")


def changes_html(change: Change) -> str:
    """Write what differs from the crystal that a search speaks of."""
    parts = [f"− {' '.join(change.removed)}"] if change.removed else []
    parts += [f"+ {' '.join(change.added)}"] if change.added else []
    for column, pair in change.values.items():
        if None not in pair and pair[0] != pair[1]:
            quantity = QUANTITIES[column]
            parts.append(f"{quantity.label} {change.written(column)} {quantity.unit}".strip())
    return tag("ul", "".join(tag("li", text(part)) for part in parts), class_="marks") if parts else "the same"


def _property(hit: Hit, column: str) -> str:
    shown, value = property_value(hit.record, hit.values, column)
    if not shown:
        return _cell(_unknown(), None)
    if shown.startswith("~"):
        return _cell(tag("span", text(shown), title="an estimate of the model") + hidden(" estimated"), value)
    return _cell(text(shown), value)


def property_value(record: Mapping[str, Any], values: Mapping[str, str], column: str) -> tuple[str, float | str | None]:
    """
    Return a property as it is shown, and to sort by; both empty if it is unknown.

    Args:
        record: Columns of the crystal.
        values: Numbers that the search speaks of, with estimates such as `~2.1`.
        column: The property.
    """
    from ..data.properties import PROPERTIES
    from ..search.hits import shown_value

    if column in PROPERTIES and (shown := shown_value(PROPERTIES[column], record.get(column))):
        return shown, record[column]
    shown = values.get(column, "")
    return shown, float(shown.removeprefix("~")) if shown else None


def _cell(content: str, value: object) -> str:
    return tag("td", content, data_sort="" if value is None or value != value else value)


def _unknown() -> str:
    return tag("span", "unknown", class_="unknown")


__all__ = ["MOST_COMPARED", "changes_html", "marks_html", "property_value", "results_html"]
