"""Search results: a sequence of hits that converts to tables and to structures of other libraries."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import pyarrow as pa

from ..data.arrow_files import take_rows
from ..data.properties import PROPERTIES, Property
from ..data.sources import licence_text, source_link
from ..data.structure_writing import to_ase, to_pymatgen

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from pymatgen.core import Structure

    from ..crystal_clac import Crystal
    from .index import CrystalIndex
    from .understanding.query import Query
    from .understanding.ranking import Mark

# Columns of the table of hits before and after those of the index.
_FIRST, _LAST = ("rank", "score", "material_id", "formula"), ("link", "licence")
# Attributes of a hit in that table, with their types.
_ADDED: dict[str, pa.DataType] = {
    "rank": pa.int64(),
    "score": pa.float64(),
    "link": pa.string(),
    "licence": pa.string(),
}
_SHOWN_HITS = 50  # in a table for people
# Sorted by priority: a narrow table shows the first ones.
_SHOWN = sorted((row for row in PROPERTIES.values() if row.header), key=lambda row: row.priority)


@dataclass(frozen=True)
class Hit:
    """
    A crystal found by a search.

    Attributes:
        rank: Position in the result, from 1.
        score: Cosine similarity to the query, in [-1, 1].
        row: Row of the crystal in the index.
        record: Columns of the crystal, without its CIF.
        marks: Which constraints of a text that was read the crystal meets.
        values: Values of the numbers that the text speaks of, such as `2.1`, or `~2.1` for an estimate, by column.
    """

    rank: int
    score: float
    row: int
    record: dict[str, Any]
    marks: Sequence[Mark] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def link(self) -> str | None:
        """Address of the crystal in the database that it comes from; `None` if unknown."""
        return source_link(self.record)

    @property
    def licence(self) -> str | None:
        """Licence of structure and values, see [`licence_text`]; `None` if the record states no source."""
        return licence_text(self.record)


class Hits(Sequence[Hit]):
    """
    The result of a search, best hit first. It cannot be changed; a slice is a `Hits` as well.

    Examples:
        >>> hits = index.search(query, k=10)
        >>> hits.to_pandas()[["material_id", "formula", "band_gap (eV)"]]
        >>> hits[:3].to_structures()

    Args:
        hits: The hits.
        index: Index that was searched; its structures are read when they are needed.
        query: How the text was read; `None` if it was not.

    Attributes:
        query: How the text was read; `None` if it was not.
    """

    __slots__ = ("_hits", "_index", "query")

    def __init__(self, hits: Iterable[Hit], index: CrystalIndex, query: Query | None = None):
        self._hits = tuple(hits)
        self._index = index
        self.query = query

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> Hits: ...
    def __getitem__(self, place: int | slice) -> Hit | Hits:
        return Hits(self._hits[place], self._index, self.query) if isinstance(place, slice) else self._hits[place]

    def __len__(self) -> int:
        return len(self._hits)

    def __eq__(self, other: object) -> bool:
        return self._hits == tuple(other) if isinstance(other, (Hits, list, tuple)) else NotImplemented

    def to_arrow(self) -> pa.Table:
        """
        Convert to a pyarrow table with one row per hit.

        The columns are `rank`, `score`, `material_id`, `formula`, all other columns of the index, `link` (page of the
        crystal in its database) and `licence` (of its structure and values, see [`licence_text`]). The names of
        properties end with their unit, as in `band_gap (eV)`; unknown values are null.
        """
        own = take_rows(self._index.table.select(self._index.columns), [hit.row for hit in self])
        columns = dict(zip(self._names().values(), own.columns, strict=True))
        for name, kind in _ADDED.items():
            columns[name] = pa.array([getattr(hit, name) for hit in self], kind)
        return pa.table({name: columns[name] for name in self._order()})

    def to_pandas(self) -> pd.DataFrame:
        """Convert to a pandas data frame with the columns of [`Hits.to_arrow`]."""
        return self.to_arrow().to_pandas()

    def to_csv(self) -> str:
        """Write the columns of [`Hits.to_arrow`] as CSV. Unknown values are empty; lists are joined by spaces."""
        names, order = self._names(), self._order()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(order)
        for hit in self:
            row = {names[name]: hit.record[name] for name in names} | {name: getattr(hit, name) for name in _ADDED}
            writer.writerow(_csv_cell(row[name]) for name in order)
        return text.getvalue()

    def _names(self) -> dict[str, str]:
        """Map the columns of the index to their names in the table of hits."""
        # Columns that the table has anyway keep their content under another name.
        return {name: f"{name} (index)" if name in _ADDED else with_unit(name) for name in self._index.columns}

    def _order(self) -> list[str]:
        """Return the columns of the table of hits in their order."""
        own = list(self._names().values())
        first = [name for name in _FIRST if name in _ADDED or name in own]
        return [*first, *(name for name in own if name not in first), *_LAST]

    def to_records(self) -> list[dict[str, Any]]:
        """
        Convert to one mapping per hit, for JSON: `rank`, `score`, the columns of the index, `link` and `licence`, and
        `marks` if the text was read. The names are those of the data set, without units.
        """
        return [
            # Rank and score come first, and are not those of a column of the same name.
            {"rank": hit.rank, "score": hit.score}
            | hit.record
            | {"rank": hit.rank, "score": hit.score, "link": hit.link, "licence": hit.licence}
            | ({} if self.query is None else {"marks": [mark.to_dict() for mark in hit.marks]})
            for hit in self
        ]

    def to_crystals(self) -> list[Crystal]:
        """
        Return the structures as [`Crystal`] arrays.

        Raises:
            ClacInputError: If the index has no structures.
        """
        return self._index.structures([hit.row for hit in self])

    def to_structures(self) -> list[Structure]:
        """
        Return the structures as pymatgen `Structure` objects.

        Raises:
            ClacInputError: If the index has no structures.
        """
        return [to_pymatgen(crystal) for crystal in self.to_crystals()]

    def to_ase(self) -> list[Atoms]:
        """
        Return the structures as ase `Atoms`, see [`modeling_clac.data.structure_writing.to_ase`] for disorder.

        Raises:
            ClacInputError: If the index has no structures, or ase is not installed.
        """
        return [to_ase(crystal) for crystal in self.to_crystals()]

    def to_chemiscope(self) -> Any:
        """
        Return a map of the crystals with their structures, as a widget of chemiscope for notebooks. See
        [`modeling_clac.search.chemiscope_map.chemiscope_widget`].

        Raises:
            ClacInputError: If there are fewer than three crystals, the index has no structures, or chemiscope is not
                installed.
        """
        from .chemiscope_map import chemiscope_widget

        return chemiscope_widget(self.to_crystals(), self.to_arrow(), self._index.embeds[[hit.row for hit in self]])

    def __repr__(self) -> str:
        header, rows = self._cells()
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (header, *rows)]
        count = f"{len(self)} {'hit' if len(self) == 1 else 'hits'} of {len(self._index):,} crystals"
        more = [f"... and {len(self) - len(rows)} more"] if len(self) > len(rows) else []
        return "\n".join([count, *lines, *more] if rows else [count])

    def _repr_html_(self) -> str:
        """Table for notebooks."""
        header, rows = self._cells()
        links = [hit.link for hit in self[: len(rows)]]
        lines = [f"<tr>{''.join(f'<th>{html.escape(name)}</th>' for name in header)}</tr>"]
        for row, link in zip(rows, links, strict=True):
            cells = [html.escape(cell) for cell in row]
            if link:
                cells[-1] = f'<a href="{html.escape(link)}">{cells[-1]}</a>'
            lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        more = f"<p>... and {len(self) - len(rows)} more</p>" if len(self) > len(rows) else ""
        return f"<table>{''.join(lines)}</table>{more}"

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """Return header and cells of the table for people, of the first hits if there are many."""
        shown = self[:_SHOWN_HITS]
        records = [hit.record for hit in shown]
        columns = known_columns(records)
        header = ["#", "score", "formula", "space group"]
        header += [f"{row.header} ({row.unit})" if row.unit else row.header for row, _ in columns]
        rows = [
            [
                str(hit.rank),
                f"{hit.score:.3f}",
                str(hit.record.get("formula") or ""),
                str(hit.record.get("space_group_symbol") or ""),
                *(cells[place] for _, cells in columns),
                str(hit.record.get("material_id") or ""),
            ]
            for place, hit in enumerate(shown)
        ]
        return [*header, "material"], rows


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return None if value != value else value


def with_unit(column: str) -> str:
    """Return the name of a column followed by its unit, such as `band_gap (eV)`."""
    unit = PROPERTIES[column].unit if column in PROPERTIES else ""
    return f"{column} ({unit})" if unit else column


def shown_value(row: Property, value: Any) -> str:
    """Write the value of a property with its decimals; empty if it is unknown."""
    if value is None or value != value:
        return ""
    return f"{value:.{row.decimals}f}" if isinstance(value, (int, float)) else str(value)


def known_columns(
    records: Sequence[dict[str, Any]], first_columns: Sequence[str] = ()
) -> list[tuple[Property, list[str]]]:
    """
    Return the property columns to show for some crystals, with their cells; columns without any value are left out.

    Args:
        records: Records of the crystals.
        first_columns: Columns to place before all others.
    """
    found = []
    for row in sorted(_SHOWN, key=lambda row: row.column not in first_columns):
        cells = [shown_value(row, record.get(row.column)) for record in records]
        if any(cells):
            found.append((row, cells))
    return found


__all__ = ["Hit", "Hits", "known_columns", "shown_value", "with_unit"]
