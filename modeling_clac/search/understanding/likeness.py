"""Searches for crystals like another one, but lighter or without an element: bounds, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...concepts.elements import ELEMENT_NAMES
from ...concepts.quantities import QUANTITIES, written_number
from ...data.properties import NUMERIC_COLUMNS
from .checks import contradictions
from .parser import understand
from .query import ConceptTerm, Constraint, ElementTerm, FormulaTerm, Literal, Query, RangeTerm, SortKey
from .ranking import literal_grade

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary
    from ...crystal_clac import Crystal
    from ...data.facts.fact_table import FactTable

# Relative difference of volumes up to which crystals of one formula and space group are taken for the same.
_SAME_VOLUME = 0.05
_SYMBOLS = tuple(ELEMENT_NAMES)
# Numbers that every table of changes has.
_ALWAYS = ("density", "band_gap")


@dataclass(frozen=True)
class Reference:
    """
    The crystal that others are compared with.

    Attributes:
        name: As the user named it.
        facts: Its facts, a table of one row.
        notes: Where its properties come from, one line each.
    """

    name: str
    facts: FactTable
    notes: tuple[str, ...] = ()

    @classmethod
    def of_row(cls, name: str, row: int, facts: FactTable) -> Reference:
        """
        Return a crystal of an index as a reference.

        Args:
            name: Its name.
            row: Its row.
            facts: Facts of the crystals of the index.
        """
        return cls(name, facts.take([row]))

    @classmethod
    def of_crystal(cls, name: str, crystal: Crystal, facts: FactTable) -> Reference:
        """
        Return a crystal from a file as a reference.

        Properties that do not follow from its structure are those of the crystal of the index with its formula, its
        space group and its volume, if there is one.

        Args:
            name: Its name.
            crystal: The crystal.
            facts: Facts of the crystals of the index.
        """
        from ...data.facts.fact_table import FactTable
        from ...data.structure_facts import describe_crystal

        record: dict[str, Any] = describe_crystal(crystal)
        row = _same_crystal(record, facts)
        if row is None:
            return cls(name, FactTable.from_records([record]))
        values = {column: _value(facts.number(column)[row]) for column in NUMERIC_COLUMNS if column not in record}
        notes: tuple[str, ...] = ()
        if any(value is not None for value in values.values()):
            other = facts.table["material_id"][row].as_py() if "material_id" in facts else f"row {row}"
            notes = (f"{name}: properties of {other}, which has its formula, space group and volume",)
        return cls(name, FactTable.from_records([record | values]), notes)

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of its elements."""
        return _elements(self.facts, 0)


def _same_crystal(record: Mapping[str, Any], facts: FactTable) -> int | None:
    """Return the row of the crystal of the same formula, space group and volume."""
    if record["space_group_number"] is None:
        return None
    volume = record["volume"] / record["nsites"]
    differences = np.abs(facts.number("volume_per_atom") / volume - 1.0)
    same = (facts.formula_is([record["formula"]]) == 1) & (differences <= _SAME_VOLUME)
    rows = np.flatnonzero(same & (facts.number("space_group_number") == record["space_group_number"]))
    return int(rows[differences[rows].argmin()]) if len(rows) else None


def rows_of_compound(name: str, facts: FactTable, vocabulary: Vocabulary) -> list[int]:
    """
    Find the crystals of a compound by its name or formula.

    Args:
        name: Name of a compound, such as `quicklime`, or formula.
        facts: Facts of crystals.
        vocabulary: The concepts that the name may stand for.

    Returns:
        Rows of the crystals, the most stable one first; empty if the text is not the name of one compound, or if it has
        no crystal.
    """
    query = understand(name, vocabulary)
    literals = [literal for constraint in query.constraints for literal in constraint.literals]
    if query.rest or query.sort or len(literals) != 1 or literals[0].negated:
        return []
    term = literals[0].term
    if isinstance(term, ElementTerm) and term.symbol in _SYMBOLS:
        holds = facts.formula_is([term.symbol])
    elif isinstance(term, FormulaTerm) or (isinstance(term, ConceptTerm) and term.kind_of_concept == "name"):
        holds = literal_grade(literals[0], facts, vocabulary)
    else:
        return []
    rows = np.flatnonzero(holds == 1)
    return [
        int(row) for row in rows[np.lexsort((facts.number("nsites")[rows], facts.number("energy_above_hull")[rows]))]
    ]


def relative_to(query: Query, reference: Reference, vocabulary: Vocabulary) -> Query:
    """
    Replace the comparatives of a query by bounds.

    Args:
        query: A query, such as that of "without cobalt, lighter".
        reference: The crystal that it speaks of.
        vocabulary: The concepts that it names.

    Returns:
        The query: "lighter" is a density below that of the crystal. If its value is unknown, hits are only ordered by
        the quantity; if no value can be better, an equal one is enough. Notes say so.
    """
    constraints = list(query.constraints)
    sort: list[SortKey] = []
    notes = list(query.notes)
    for key in query.sort:
        if not key.relative:
            sort.append(key)
            continue
        quantity = QUANTITIES[key.column]
        value = float(reference.facts.number(key.column)[0])
        if np.isnan(value):
            sort.append(replace(key, relative=False))
            notes.append(f"the {quantity.label} of {reference.name} is unknown; hits are ordered by it instead")
            continue
        bound = _bound(value, key.descending, quantity.decimals)
        low, high = (bound, None) if key.descending else (None, bound)
        best = quantity.high if key.descending else quantity.low
        if value == best:
            notes.append(
                f"the {quantity.label} of {reference.name} is {written_number(value)}, which is the best value"
            )
        constraints.append(Constraint((Literal(RangeTerm(key.column, low, high, strict=value != best)),)))
    query = replace(query, constraints=tuple(constraints), sort=tuple(sort), notes=(*notes, *reference.notes))
    return replace(query, contradictions=tuple(contradictions(query, vocabulary)))


def with_compounds(query: Query, facts: FactTable, vocabulary: Vocabulary) -> Query:
    """
    Replace comparisons with compounds by bounds.

    Args:
        query: A query, such as that of "harder than titanium carbide".
        facts: Facts of the crystals among which the compounds are looked up.
        vocabulary: The concepts that the names of compounds may stand for.

    Returns:
        The query. Notes say which crystal a value is of, and which values are unknown; those are left out.
    """
    if not query.comparisons:
        return query
    constraints, notes = list(query.constraints), list(query.notes)
    for comparison in query.comparisons:
        quantity = QUANTITIES[comparison.column]
        values = facts.number(comparison.column)
        rows = rows_of_compound(comparison.compound, facts, vocabulary)
        row = next((row for row in rows if not np.isnan(values[row])), None)
        if row is None:
            notes.append(
                f"{comparison.label}: no {quantity.label} of {comparison.compound} is known here; give a number"
            )
            continue
        bound = _bound(float(values[row]), comparison.more, quantity.decimals)
        low, high = (bound, None) if comparison.more else (None, bound)
        constraints.append(Constraint((Literal(RangeTerm(comparison.column, low, high, strict=True)),)))
        which = f" of {facts.table['material_id'][row].as_py()}" if "material_id" in facts else ""
        notes.append(f"{comparison.compound}: {quantity.label}{which}")
    query = replace(query, constraints=tuple(constraints), notes=tuple(notes), comparisons=())
    return replace(query, contradictions=tuple(contradictions(query, vocabulary)))


def _bound(value: float, is_low: bool, decimals: int) -> float:
    """Round a value so that the crystal itself is outside of the bound."""
    bound = round(value, decimals)
    step = 10.0**-decimals
    if is_low and bound < value:
        bound += step
    elif not is_low and bound > value:
        bound -= step
    return round(bound, decimals)


@dataclass(frozen=True)
class Change:
    """
    What differs between a reference and a hit.

    Attributes:
        removed: Elements that only the reference has.
        added: Elements that only the hit has.
        kept: Elements of both.
        values: Numbers of reference and hit by name, `None` where unknown.
        space_groups: Symbols of the space groups of reference and hit.
    """

    removed: tuple[str, ...]
    added: tuple[str, ...]
    kept: tuple[str, ...]
    values: dict[str, tuple[float | None, float | None]]
    space_groups: tuple[str | None, str | None]

    def written(self, column: str) -> str:
        """Write both values of a number, such as `4.99 → 3.2`."""
        decimals = QUANTITIES[column].decimals
        first, second = ("?" if value is None else f"{value:.{decimals}f}" for value in self.values[column])
        return f"{first} → {second}"

    @property
    def written_space_groups(self) -> str:
        """Write both space groups, or the one that stays."""
        first, second = (group or "?" for group in self.space_groups)
        return first if first == second else f"{first} → {second}"

    def to_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        return {
            "removed": list(self.removed),
            "added": list(self.added),
            "kept": list(self.kept),
            **{column: list(pair) for column, pair in self.values.items()},
            "space_group_symbol": list(self.space_groups),
        }


def changed_columns(query: Query) -> tuple[str, ...]:
    """
    Return the numbers to show in a table of changes: density, gap, and those that the query speaks of.

    Args:
        query: The query.
    """
    terms = (literal.term for constraint in query.constraints for literal in constraint.literals)
    named = [term.column for term in terms if isinstance(term, RangeTerm)] + [key.column for key in query.sort]
    return tuple(dict.fromkeys((*_ALWAYS, *named)))


def changes(reference: Reference, facts: FactTable, rows: Iterable[int], columns: Iterable[str]) -> list[Change]:
    """
    Compare crystals with a reference.

    Args:
        reference: The reference.
        facts: Facts of the crystals.
        rows: Rows of the crystals.
        columns: Names of the numbers to compare.

    Returns:
        What changed, for each row.
    """
    columns = tuple(columns)
    own = reference.elements
    symbol = _symbol(reference.facts, 0)
    found = []
    for row in rows:
        others = _elements(facts, row)
        values = {
            column: (_value(reference.facts.number(column)[0]), _value(facts.number(column)[row])) for column in columns
        }
        found.append(
            Change(
                tuple(sorted(own - others)),
                tuple(sorted(others - own)),
                tuple(sorted(own & others)),
                values,
                (symbol, _symbol(facts, row)),
            )
        )
    return found


def _elements(facts: FactTable, row: int) -> frozenset[str]:
    present = np.flatnonzero(facts.compositions.dense([row])[0])
    return frozenset(_SYMBOLS[number - 1] for number in present.tolist())


def _symbol(facts: FactTable, row: int) -> str | None:
    if "space_group_symbol" not in facts.table.column_names:
        return None
    value = facts.table["space_group_symbol"][row].as_py()
    return None if value is None else str(value)


def _value(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


__all__ = ["Change", "Reference", "changed_columns", "changes", "relative_to", "rows_of_compound", "with_compounds"]
