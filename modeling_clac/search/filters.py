"""Search filters: elements, symmetry, composition and property ranges, validated on construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import gemmi
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..concepts.symmetry import CRYSTAL_SYSTEMS, space_group_number
from ..data.facts.fact_table import FactTable
from ..data.structure_facts import reduced_formula
from ..errors_clac import ClacInputError
from ..formulas_clac import find_formulas, read_formula


@dataclass
class Filters:
    """
    Conditions that a crystal must meet to be found. All of them apply.

    Attributes:
        elements: Element symbols that must all be present.
        exclude_elements: Element symbols that must not be present.
        crystal_system: One of `CRYSTAL_SYSTEMS`.
        space_group: Number (1-230) or Hermann-Mauguin symbol in any setting, such as `Fm-3m`, `P6_3/mmc` or `P21/n`.
        formula: Composition. It is reduced first, so that `TiO2` and `Ti2O4` are equivalent. Where amounts are not
            whole, atomic fractions must agree to 0.001.
        ranges: Mapping of columns to (minimum, maximum), in the unit of the column. Both bounds are inclusive; `None`
            leaves an end open. Crystals whose value is unknown are excluded.

    Raises:
        ClacInputError: If no crystal could meet a condition, for example because of an unknown symbol or an empty
            range.
    """

    elements: Sequence[str] = ()
    exclude_elements: Sequence[str] = ()
    crystal_system: str | None = None
    space_group: str | int | None = None
    formula: str | None = None
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.elements = [_element(symbol) for symbol in self.elements]
        self.exclude_elements = [_element(symbol) for symbol in self.exclude_elements]
        both = sorted(set(self.elements) & set(self.exclude_elements))
        if both:
            raise ClacInputError(f"{', '.join(both)}: both required and excluded; remove it from one of the two lists")
        if self.crystal_system is not None:
            self.crystal_system = self.crystal_system.strip().lower()
            if self.crystal_system not in CRYSTAL_SYSTEMS:
                known = ", ".join(CRYSTAL_SYSTEMS)
                raise ClacInputError(f"unknown crystal system {self.crystal_system!r}; choose one of {known}")
        if self.space_group is not None:
            self.space_group = _space_group_number(self.space_group)
        if self.formula is not None:
            self.formula = _reduced_formula(self.formula)
        for column, (low, high) in self.ranges.items():
            if any(bound is not None and np.isnan(bound) for bound in (low, high)):
                raise ClacInputError(
                    f"{column}: a bound of the range is not a number; give a number, or None for an open end"
                )
            if low is not None and high is not None and low > high:
                raise ClacInputError(f"{column}: the minimum {low:g} is above the maximum {high:g}; swap them")


class FilteredTable:
    """
    Evaluates filters on the rows of a table.

    Args:
        table: The table.
    """

    def __init__(self, table: pa.Table):
        self.table = table

    def mask(self, filters: Filters) -> np.ndarray:
        """
        Evaluate filters on every row.

        Args:
            filters: Conditions on the crystals.

        Returns:
            `(num_rows,)` bool, true where a crystal passes.

        Raises:
            ClacInputError: If a filter needs a column that the table does not have.
        """
        mask = np.ones(self.table.num_rows, dtype=bool)
        for symbol in filters.elements:
            mask &= self._has(symbol)
        for symbol in filters.exclude_elements:
            mask &= ~self._has(symbol)
        equal = {"crystal_system": filters.crystal_system, "space_group_number": filters.space_group}
        for column, value in equal.items():
            if value is not None:
                mask &= self._equals(column, value)
        if filters.formula is not None:
            mask &= self._has_formula(filters.formula)
        for column, (low, high) in filters.ranges.items():
            values = self._numbers(column)
            # Unknown values are NaN, which fails every comparison.
            mask &= (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
        return mask

    def _column(self, name: str) -> pa.ChunkedArray:
        if name not in self.table.column_names:
            raise ClacInputError(
                f"the index has no column {name}; remove the filter, or rebuild the index from a table that has it"
            )
        return self.table[name]

    def _equals(self, column: str, value: str | int) -> np.ndarray:
        return _bools(pc.equal(self._column(column), value))

    def _numbers(self, column: str) -> np.ndarray:
        values = self._column(column)
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise ClacInputError(f"column {column} of the index is not numeric, so it cannot be filtered by range")
        return np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan))

    def _has_formula(self, formula: str) -> np.ndarray:
        column = self._column("formula")
        mask = self._equals("formula", formula)
        # Whole amounts are compared exactly, others with a tolerance.
        near = self._facts.formula_is(formula) == 1
        if "." not in formula:
            near &= _bools(pc.match_substring(column, "."))
        return mask | near

    @cached_property
    def _facts(self) -> FactTable:
        return FactTable(self.table.select(["formula"]))

    def _has(self, symbol: str) -> np.ndarray:
        """`(num_rows,)` bool, true where a crystal contains the element."""
        rows, codes, numbers = self._elements
        present = np.zeros(self.table.num_rows, dtype=bool)
        if symbol in numbers:
            present[rows[codes == numbers[symbol]]] = True
        return present

    @cached_property
    def _elements(self) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
        """Row and code of each element of each crystal, and the codes of the elements."""
        column = self._column("elements")
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            raise ClacInputError("column elements of the index does not contain lists of element symbols")
        numbers: dict[str, int] = {}
        rows, codes = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int16)]
        start = 0
        for chunk in column.chunks:
            symbols = chunk.flatten().dictionary_encode()
            own = [numbers.setdefault(symbol, len(numbers)) for symbol in symbols.dictionary.to_pylist()]
            lengths = np.asarray(pc.fill_null(chunk.value_lengths(), 0))
            rows.append(np.repeat(np.arange(start, start + len(chunk), dtype=np.int32), lengths))
            codes.append(np.array(own, dtype=np.int16)[np.asarray(symbols.indices)])
            start += len(chunk)
        return np.concatenate(rows), np.concatenate(codes), numbers


def _bools(values: pa.ChunkedArray) -> np.ndarray:
    """Values as numpy, false where unknown."""
    return np.asarray(pc.fill_null(values, False), dtype=bool)


def _element(symbol: str) -> str:
    name = symbol.strip().capitalize()
    # gemmi matches the first letters of longer words, so compare with the symbol that it found.
    number = gemmi.Element(name).atomic_number
    if not number or gemmi.Element(number).name != name:
        raise ClacInputError(f"unknown element symbol {symbol!r}; give a symbol of the periodic table, such as Li")
    return name


def _space_group_number(space_group: str | int) -> int:
    number = space_group_number(str(space_group))
    if number is None:
        raise ClacInputError(f"unknown space group {space_group!r}; give a number (1-230) or a symbol such as Fm-3m")
    return number


def _reduced_formula(formula: str) -> str:
    amounts = read_formula(formula)
    # IONIC could be written with symbols of elements, but is a word.
    is_word = len(formula) > 3 and formula.isalpha() and formula.isupper() and not find_formulas(formula)
    if not amounts or is_word:
        raise ClacInputError(f"{formula!r} is not a chemical formula; write it as in LiFePO4")
    return reduced_formula(amounts)


__all__ = ["FilteredTable", "Filters"]
