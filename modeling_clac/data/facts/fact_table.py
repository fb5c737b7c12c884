"""Facts of many crystals as arrays, on which concepts are tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ...concepts.symmetry import SYMMETRY_FLAGS
from ...errors_clac import ClacInputError
from ..arrow_files import release_pages, take_rows
from ..bundled import bundled_counts, bundled_crystals, bundled_facts
from ..properties import NUMERIC_COLUMNS
from ..structure_facts import FRACTION_TOLERANCE
from .columns import FACT_COLUMNS
from .compositions import NUMBERS, Compositions, amounts_of
from .derived import DERIVED

if TYPE_CHECKING:
    from ...concepts.patterns import Pattern

_ESTIMATED = "estimated_"
_AT_ONCE = 1 << 16  # crystals whose compositions are a matrix
# Numbers that are kept, if all of them are more than so many bytes: as many as a query compares.
_MOST_NUMBERS, _MOST_BYTES = 6, 1 << 25
# What a table may lack: its numbers are then unknown.
_NUMBERS = frozenset((*NUMERIC_COLUMNS, *(name for name, kind in FACT_COLUMNS.items() if pa.types.is_primitive(kind))))


class FactTable:
    """
    Facts of n crystals as arrays, which are made when they are needed. Unknown facts are NaN.

    Examples:
        >>> table = FactTable.bundled()
        >>> oxides = table.label("anions", "O") == 1
        >>> hard = table.number("hardness") > 30

    Args:
        table: Columns of a table of crystals, with or without those of `FACT_COLUMNS`.

    Attributes:
        table: The table without structures.
    """

    def __init__(self, table: pa.Table):
        self.table = table.select([name for name in table.column_names if name != "cif"])
        self._numbers: dict[str, np.ndarray] = {}
        self._members: dict[str, tuple[dict[str, np.ndarray], np.ndarray]] = {}

    @classmethod
    def from_table(cls, table: pa.Table, facts: pa.Table | None = None) -> FactTable:
        """
        Make a table of facts from a table of crystals.

        Args:
            table: The crystals. Fact columns that it lacks are unknown.
            facts: Fact columns of the same crystals, in the same order, if `table` does not have them.

        Raises:
            ValueError: If the two tables differ in length.
        """
        if facts is not None:
            if facts.num_rows != table.num_rows:
                raise ValueError(f"facts of {facts.num_rows} crystals for a table of {table.num_rows}")
            table = table.drop_columns([name for name in FACT_COLUMNS if name in table.column_names])
            for name in FACT_COLUMNS:
                if name in facts.column_names:
                    table = table.append_column(name, facts[name])
        return cls(table)

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> FactTable:
        """
        Make a table of facts from records, such as those of `describe_crystal` and `crystal_facts` combined.

        Args:
            records: Mappings of column names to values.
        """
        names = list(dict.fromkeys(name for record in records for name in record if name != "cif"))
        columns = {
            name: pa.array([record.get(name) for record in records], FACT_COLUMNS.get(name), from_pandas=False)
            for name in names
        }
        return cls(pa.table(columns))

    @classmethod
    def bundled(cls, split: str | None = None) -> FactTable:
        """
        Read the facts of the bundled crystals.

        Args:
            split: `train`, `validation` or `test`. Default: all, in this order.
        """
        table = cls.from_table(bundled_crystals(with_cif=False), bundled_facts())
        if split is None:
            return table
        counts = bundled_counts()
        start = sum(list(counts.values())[: list(counts).index(split)])
        return table.take(np.arange(start, start + counts[split]))

    @property
    def known(self) -> FactTable:
        """The facts without estimates."""
        return self

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def take(self, rows: Sequence[int] | np.ndarray) -> FactTable:
        """
        Return the facts of some crystals.

        Args:
            rows: Their rows.
        """
        return FactTable(take_rows(self.table, rows))

    def __contains__(self, column: object) -> bool:
        """Whether a column is present or can be computed."""
        return column in self.table.column_names or column in DERIVED

    @cached_property
    def compositions(self) -> Compositions:
        """Compositions by their terms, which take a fortieth of the memory of [`amounts`]."""
        if "formula" in self.table.column_names:
            return Compositions.from_formulas(self.table["formula"])
        return Compositions.from_formulas(pa.nulls(len(self), pa.string()))

    @cached_property
    def amounts(self) -> np.ndarray:
        """`(n, 119)` float32, atoms of each element in the reduced formula; column = atomic number."""
        return self.compositions.dense(np.arange(len(self)))

    @cached_property
    def fractions(self) -> np.ndarray:
        """`(n, 119)` float32, atomic fractions of the elements; column = atomic number, zeros where unknown."""
        return self.compositions.dense(np.arange(len(self)), "shares")

    @property
    def known_composition(self) -> np.ndarray:
        """`(n,)` bool, whether the composition of a crystal is known."""
        return self.compositions.known

    def matches(self, pattern: Pattern) -> np.ndarray:
        """
        Test which crystals have the composition of a pattern.

        Args:
            pattern: A pattern such as ABO3.

        Returns:
            `(n,)` bool.
        """
        found = np.zeros(len(self), dtype=bool)
        rows = np.flatnonzero(self.compositions.counts == pattern.num_elements)
        for start in range(0, len(rows), _AT_ONCE):
            block = rows[start : start + _AT_ONCE]
            found[block] = pattern.matches(self.compositions.dense(block))
        return found

    def number(self, name: str) -> np.ndarray:
        """
        Return a number of each crystal.

        Args:
            name: Name of a numeric column of the table, or one of `DERIVED`, such as `hardness`.

        Returns:
            `(n,)` float64, NaN where unknown, also if a known column is missing in this table.

        Raises:
            KeyError: If no number has this name.
            ClacInputError: If the column is not numeric.
        """
        values = self._numbers.get(name)
        if values is None:
            values = self._number(name)
            if len(self._numbers) >= _MOST_NUMBERS and len(self._numbers) * values.nbytes > _MOST_BYTES:
                # The oldest one is read again when it is needed.
                self._numbers.pop(next(iter(self._numbers)), None)
            self._numbers[name] = values
        return values

    def _number(self, name: str) -> np.ndarray:
        if name in self.table.column_names:
            column = self.table[name]
            if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                values = np.empty(len(self))
                for rows, chunk in _chunks(column):
                    values[rows] = np.where(_is_null(chunk), np.nan, _numpy(chunk.cast(pa.float64()), np.float64))
                return values
            if not pa.types.is_null(column.type):
                raise ClacInputError(
                    f"column {name} of the crystals holds {column.type} instead of numbers; rebuild the index with "
                    "`clac index`, which converts it"
                )
        elif name in DERIVED:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                values = np.asarray(DERIVED[name].compute(self), dtype=np.float64)
            return np.where(np.isfinite(values), values, np.nan)
        elif name not in _NUMBERS:
            raise KeyError(f"no number has the name {name}")
        return np.full(len(self), np.nan)

    def label(self, column: str, value: str) -> np.ndarray:
        """
        Test which crystals have a value in a column.

        Args:
            column: Name of a column of strings or of lists of strings, or `flags` for the properties of the space group
                in `SYMMETRY_FLAGS`.
            value: The value, or a member of the lists.

        Returns:
            `(n,)` float32: 1 has it, 0 does not, NaN unknown.

        Raises:
            KeyError: If there is no such flag.
        """
        if column == "flags":
            groups = self.number("space_group_number")
            holds = np.isin(groups, list(SYMMETRY_FLAGS[value]))
            return np.where(np.isnan(groups), np.nan, holds).astype(np.float32)
        rows, unknown = self._rows_of(column)
        labels = np.where(unknown, np.float32(np.nan), np.float32(0))
        labels[rows.get(value, [])] = 1
        return labels

    def values(self, column: str) -> list[str]:
        """Return the distinct values of a column of strings or of lists of strings, sorted."""
        return sorted(self.rows_by_value(column))

    def rows_by_value(self, column: str) -> dict[str, np.ndarray]:
        """Return the rows of each value of a column of strings or of lists of strings."""
        return self._rows_of(column)[0]

    def _rows_of(self, column: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Rows by value, and `(n,)` bool, where the column is null."""
        if column not in self._members:
            self._members[column] = self._find_rows(column)
        return self._members[column]

    def _find_rows(self, column: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        nothing: tuple[dict[str, np.ndarray], np.ndarray] = ({}, np.ones(len(self), dtype=bool))
        if column not in self.table.column_names:
            return nothing
        data = self.table[column]
        if pa.types.is_null(data.type):
            return nothing
        unknown = np.empty(len(self), dtype=bool)
        parts: dict[str, list[np.ndarray]] = {}
        # Chunk by chunk, since numbers of all members of a column of lists take many times the memory of the result.
        for place, chunk in _chunks(data):
            null = unknown[place] = _is_null(chunk)
            rows = np.arange(place.start, place.stop, dtype=np.int32)
            if pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
                lengths = np.where(null, 0, _numpy(chunk.value_lengths().cast(pa.int64()), np.int64))
                rows, members = np.repeat(rows, lengths), chunk.flatten()
            else:
                rows, members = rows[~null], chunk.drop_null()
            encoded = members.dictionary_encode()
            codes = _numpy(encoded.indices, np.int32)
            order = np.argsort(codes, kind="stable")
            bounds = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
            for value, first, end in zip(encoded.dictionary.to_pylist(), bounds, bounds[1:], strict=False):
                parts.setdefault(value, []).append(rows[order[first:end]])
        return {value: np.concatenate(own) for value, own in parts.items()}, unknown

    def formula_is(self, formulas: Iterable[str] | str) -> np.ndarray:
        """
        Test which crystals have one of several compositions. Atomic fractions must agree to `FRACTION_TOLERANCE`.

        Args:
            formulas: The compositions; they need not be reduced.

        Returns:
            `(n,)` float32: 1 has it, 0 does not, NaN unknown.

        Raises:
            ValueError: If one of them is not a formula.
        """
        labels = np.where(self.known_composition, np.float32(0), np.float32(np.nan))
        wanted = _shares_by_elements((formulas,) if isinstance(formulas, str) else tuple(formulas))
        for elements, shares_of_formulas in wanted.items():
            rows = self.compositions.rows_with(elements)
            if len(rows):
                shares_of_rows = self.compositions.dense(rows, "shares")[:, list(elements)]
                for shares in shares_of_formulas:
                    same = np.abs(shares_of_rows - shares).max(axis=1) <= FRACTION_TOLERANCE
                    labels[rows[same]] = 1
        return labels


def _chunks(column: pa.ChunkedArray) -> Iterator[tuple[slice, pa.Array]]:
    """Yield the chunks of a column with their rows. What was read of a mapped file is released at the end."""
    start = 0
    for chunk in column.chunks:
        yield slice(start, start + len(chunk)), chunk
        start += len(chunk)
    release_pages()


def _is_null(values: pa.Array) -> np.ndarray:
    return _numpy(values.is_null().cast(pa.uint8()), np.uint8) > 0


def _numpy(values: pa.Array, dtype: type) -> np.ndarray:
    """View an array, with any values where it is null. The method `to_numpy` would import pandas."""
    if not len(values):
        return np.zeros(0, dtype=dtype)
    return np.frombuffer(values.buffers()[1], dtype=dtype)[values.offset : values.offset + len(values)]


@lru_cache(maxsize=4096)
def _shares_by_elements(formulas: tuple[str, ...]) -> dict[tuple[int, ...], list[np.ndarray]]:
    """Atomic fractions of formulas by the elements that they have, in their order."""
    found: dict[tuple[int, ...], list[np.ndarray]] = {}
    for formula in formulas:
        amounts = np.zeros(NUMBERS)
        for number, amount in amounts_of(formula):
            amounts[number] += amount
        if not amounts.any():
            raise ValueError(f"{formula!r} is not a chemical formula")
        elements = np.flatnonzero(amounts)
        shares = (amounts[elements] / amounts.sum()).astype(np.float32)
        found.setdefault(tuple(elements.tolist()), []).append(shares)
    return found


class EstimatedFacts(FactTable):
    """
    Facts whose unknown numbers are replaced by estimates.

    Args:
        known: Facts with columns such as `estimated_band_gap`. What was computed for them is not computed again.
    """

    def __init__(self, known: FactTable):
        super().__init__(known.table)
        self._known = known
        self._members = known._members
        self.compositions = known.compositions

    @property
    def known(self) -> FactTable:
        return self._known

    @staticmethod
    def exist(table: FactTable) -> bool:
        """Whether a table has estimates."""
        return any(name.startswith(_ESTIMATED) for name in table.table.column_names)

    def _number(self, name: str) -> np.ndarray:
        if f"{_ESTIMATED}{name}" not in self.table.column_names:
            # Derived numbers follow from the estimates.
            return super()._number(name) if name in DERIVED else self._known.number(name)
        values = self._known.number(name)
        return np.where(np.isnan(values), self._known._number(f"{_ESTIMATED}{name}"), values)


__all__ = ["EstimatedFacts", "FactTable"]
