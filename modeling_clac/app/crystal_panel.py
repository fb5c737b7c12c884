"""The panel of a crystal: symmetry, narrative, properties with their sources, concepts, and links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..data.properties import PROPERTIES
from ..narrator.crystal_page import TITLES, crystal_page, structure_lines, title_of
from ..search.hits import shown_value
from .markup import formula, space_group, tag, text

if TYPE_CHECKING:
    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from ..search.hits import Hit
    from ..search.index import CrystalIndex

_MOST_CONCEPTS = 20


def panel_of_row(index: CrystalIndex, row: int, hit: Hit | None = None) -> str:
    """
    Write the panel of a crystal of an index.

    Args:
        index: The index.
        row: Its row.
        hit: The crystal as a result of the search that is shown, if it is one.
    """
    record = index.record(row)
    crystal = index.structure(row) if index.stored.has_structures else None
    return panel_html(record, crystal, index.facts.take([row]), hit, row)


def panel_html(
    record: Mapping[str, Any],
    crystal: Crystal | None,
    facts: FactTable,
    hit: Hit | None = None,
    row: int | None = None,
) -> str:
    """
    Write the panel of a crystal.

    Args:
        record: Its columns.
        crystal: Its structure, if there is one.
        facts: Its facts, a table of one row.
        hit: The crystal as a result of the search that is shown, if it is one.
        row: Its row in the index; `None` for a dropped structure.
    """
    from .results import marks_html

    page = crystal_page(record, crystal, facts)
    name = str(record.get("material_id") or "")
    title = formula(record.get("formula") or name)
    group = record.get("space_group_symbol")
    parts = [tag("h2", title + tag("span", text(name), class_="id"))]
    if hit is not None and hit.marks:
        parts.append(marks_html(hit))
    buttons = ""
    if row is not None:
        buttons += tag("button", "More like this", type="button", class_="plain", data_event="like")
        if crystal is not None:
            buttons += tag("button", "CIF", type="button", class_="plain", data_event="cif")
    link = page["link"]
    if link:
        buttons += tag("a", "Page in its database", href=str(link), target="_blank", rel="noopener noreferrer")
    parts.append(tag("p", buttons, class_="actions"))
    lines = structure_lines(record, page)
    shown = [(label, text(value)) for label, value in lines.items() if value is not None and label != "symmetry"]
    if group:
        number, system = record.get("space_group_number"), record.get("crystal_system")
        rest = f" (no. {number})" if number else ""
        shown.insert(0, ("symmetry", space_group(group) + text(f"{rest}, {system}" if system else rest)))
    parts.append(tag("dl", "".join(tag("dt", text(label)) + tag("dd", value) for label, value in shown)))
    if page["narrative"]:
        parts.append(tag("p", text(page["narrative"])))
    parts.append(_properties(record, page))
    for heading in TITLES:
        names = [own["name"] for own in page["concepts"] if title_of(own["kind"]) == heading]
        if names:
            more = f" and {len(names) - _MOST_CONCEPTS} more" if len(names) > _MOST_CONCEPTS else ""
            written = f"{', '.join(names[:_MOST_CONCEPTS])}{more}"
            parts.append(tag("p", tag("strong", f"{heading}: ") + text(written)))
    parts.append(_citations(page))
    return tag("article", "".join(parts), class_="crystal", aria_label=f"Crystal {record.get('formula') or name}")


def _properties(record: Mapping[str, Any], page: Mapping[str, Any]) -> str:
    rows, sources, unknown = [], page["sources"], []
    for column, property_ in PROPERTIES.items():
        shown = shown_value(property_, record.get(column))
        if not shown:
            unknown.append(property_.label)
            continue
        origin = "from the structure" if property_.from_structure else sources.get(column, {}).get("name") or ""
        value = f"{shown} {property_.unit}".strip()
        cells = tag("th", text(property_.label), scope="row") + tag("td", text(value)) + tag("td", text(origin))
        rows.append(tag("tr", cells))
    heads = "".join(tag("th", head, scope="col") for head in ("Property", "Value", "Source"))
    table = tag("table", tag("thead", tag("tr", heads)) + tag("tbody", "".join(rows)), class_="properties")
    missing = tag("p", text(f"Unknown: {', '.join(unknown)}."), class_="unknown") if unknown else ""
    return tag("div", table, class_="clac-scroll") + missing


def _citations(page: Mapping[str, Any]) -> str:
    sources = page["sources"].values()
    cited = dict.fromkeys(citation for source in sources for citation in source["citations"])
    lines = [tag("p", text(f"Licence: {page['licence']}."))] if page["licence"] else []
    if cited:
        items = "".join(tag("li", text(citation)) for citation in cited)
        lines.append(tag("details", tag("summary", "Cite") + tag("ul", items)))
    return "".join(lines)


__all__ = ["panel_html", "panel_of_row"]
