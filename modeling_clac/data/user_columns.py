"""
Columns of tables that users bring: what follows from the structures is computed, not trusted, and the rest is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import gemmi
import pyarrow as pa
import pyarrow.compute as pc

from ..errors_clac import ClacInputError, one_line
from ..formulas_clac import read_formula
from ..structure_tables_clac import ID_COLUMNS
from .properties import PROPERTIES
from .structure_facts import STRUCTURE_COLUMNS

# Columns that pandas writes for its index.
_PANDAS_INDEX = re.compile(r"__index_level_\d+__|Unnamed: 0|")
# A stated density may refer to another temperature, and a stated composition is rounded.
_DENSITY_TOLERANCE, _FRACTION_TOLERANCE = 0.05, 0.01


def row_ids(table: pa.Table, rows: Sequence[int], numbers: Sequence[int], stem: str) -> list[str]:
    """
    Return the ids of rows: those of the table if they are unique, else the name of the file with the number of the row.

    Args:
        table: Columns of the table.
        rows: Rows that are kept, from 0.
        numbers: Their numbers in the file, from 1.
        stem: Name of the file without its suffix.
    """
    for column in ID_COLUMNS:
        if column in table.column_names:
            ids = [None if value is None else str(value).strip() for value in _plain(table[column]).to_pylist()]
            if all(ids) and len(set(ids)) == len(ids):
                return [str(ids[row]) for row in rows]
    return [f"{stem}-{number}" for number in numbers]


def own_columns(table: pa.Table, rows: Sequence[int], label: str) -> dict[str, pa.ChunkedArray]:
    """
    Return the columns of a table that do not follow from its structures.

    Args:
        table: Columns of the table.
        rows: Rows that are kept, from 0.
        label: Name of the table in error messages.

    Returns:
        The columns. Properties of `PROPERTIES` are cast to float64, with nulls for NaN and empty texts.

    Raises:
        ClacInputError: If the type of a property is not that of numbers or texts. For texts that are not numbers, see
            [`not_numbers`].
    """
    kept = pa.array(rows, pa.int64())
    columns = {}
    for name in table.column_names:
        if name in STRUCTURE_COLUMNS or name == "material_id" or _PANDAS_INDEX.fullmatch(name):
            continue
        column = _plain(table[name]).take(kept)
        columns[name] = _numbers(column, f"{label}: column {name}") if name in PROPERTIES else column
    return columns


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decode a categorical column."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def not_numbers(table: pa.Table, numbers: Mapping[int, int], label: str) -> dict[int, str]:
    """
    Find texts that are not numbers in columns of properties.

    Args:
        table: Columns of the table.
        numbers: Rows to check, from 0, with their numbers in the file, from 1.
        label: Name of the table in error messages.

    Returns:
        Row -> message of the error, for the rows with such a text.
    """
    found: dict[int, str] = {}
    for name in table.column_names:
        column = _plain(table[name]) if name in PROPERTIES else None
        if column is None or not _is_text(column.type):
            continue
        texts = column.take(pa.array(list(numbers), pa.int64())).to_pylist()
        for (row, number), text in zip(numbers.items(), texts, strict=True):
            try:
                _number(text)
            except ValueError:
                found.setdefault(
                    row,
                    f"{label}: column {name}, row {number}: {one_line(text, 40)!r} is not a number; correct it, or "
                    "rename the column",
                )
    return found


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _number(text: str | None) -> float | None:
    return float(text) if text and text.strip() else None


def _numbers(column: pa.ChunkedArray, label: str) -> pa.ChunkedArray:
    if _is_text(column.type):
        column = pa.chunked_array([pa.array(map(_number, column.to_pylist()), pa.float64())])
    try:
        column = column.cast(pa.float64())
    except pa.ArrowException:
        raise ClacInputError(f"{label} has type {column.type}; expected numbers; rename the column") from None
    return pc.if_else(pc.is_nan(column), None, column)


def contradictions(table: pa.Table, rows: Sequence[int], facts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """
    Compare what a table states about its structures with the structures.

    The number of sites and the volume are not compared, since they depend on the cell that is chosen.

    Args:
        table: Columns of the table.
        rows: Rows that are kept, from 0.
        facts: Columns of `describe_crystal` for each kept row.

    Returns:
        For each kept row, the statements that contradict the structure.
    """
    checked = {name: _plain(table[name]) for name in _CHECKS if name in table.column_names}
    found = []
    for row, fact in zip(rows, facts, strict=True):
        wrong = []
        for name, column in checked.items():
            stated = column[row].as_py()
            if stated is None or stated != stated or stated in ("", []):
                continue
            if not _CHECKS[name](stated, fact):
                wrong.append(f"{name} is stated as {_shown(stated)}; the structure has {_shown(fact[name])}")
        found.append(wrong)
    return found


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return one_line("-".join(map(str, value)) if isinstance(value, list) else value, 60)


def _same_formula(stated: Any, fact: Mapping[str, Any]) -> bool:
    wanted, found = (_fractions(read_formula(str(text))) for text in (stated, fact["formula"]))
    return wanted.keys() == found.keys() and all(
        abs(wanted[symbol] - found[symbol]) <= _FRACTION_TOLERANCE for symbol in wanted
    )


def _fractions(amounts: Mapping[str, float]) -> dict[str, float]:
    total = sum(amounts.values())
    return {symbol: amount / total for symbol, amount in amounts.items()}


def _same_elements(stated: Any, fact: Mapping[str, Any]) -> bool:
    symbols = re.findall(r"[A-Z][a-z]?", " ".join(map(str, stated)) if isinstance(stated, list) else str(stated))
    return set(symbols) == set(fact["elements"])


def _same_density(stated: Any, fact: Mapping[str, Any]) -> bool:
    try:
        return abs(float(stated) - fact["density"]) <= _DENSITY_TOLERANCE * fact["density"]
    except (TypeError, ValueError):
        return False


def _same_number(stated: Any, fact: Mapping[str, Any]) -> bool:
    try:
        return fact["space_group_number"] in (None, int(float(stated)))
    except (TypeError, ValueError):
        return False


def _same_symbol(stated: Any, fact: Mapping[str, Any]) -> bool:
    group = gemmi.find_spacegroup_by_name(str(stated).replace("_", ""))
    return group is not None and fact["space_group_number"] in (None, group.number)


def _same_system(stated: Any, fact: Mapping[str, Any]) -> bool:
    return fact["crystal_system"] in (None, str(stated).strip().lower())


_CHECKS: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "formula": _same_formula,
    "elements": _same_elements,
    "chemsys": _same_elements,
    "density": _same_density,
    "space_group_number": _same_number,
    "space_group_symbol": _same_symbol,
    "crystal_system": _same_system,
}

__all__ = ["contradictions", "not_numbers", "own_columns", "row_ids"]
