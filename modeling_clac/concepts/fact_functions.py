"""The functions of expressions: what each tests or counts on the facts of a table, and the arguments it takes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.facts.chemistry import ANIONIC_IDS
from ..data.facts.columns import FACT_COLUMNS
from ..data.facts.compositions import NUMBERS
from ..data.facts.derived import DERIVED
from ..data.properties import NUMERIC_COLUMNS
from ..formula_grammar_clac import ATOMIC_NUMBERS
from ..formulas_clac import read_formula
from .elements import GROUPS
from .logic import Array, both, either, negated, packed, truth, unpacked
from .patterns import read_pattern
from .structure_types import STRUCTURE_TYPES
from .symmetry import CRYSTAL_SYSTEMS, POINT_GROUPS, SYMMETRY_FLAGS, bravais_lattice, centring

if TYPE_CHECKING:
    from ..data.facts.fact_table import FactTable

# Functions whose truth values depend on numbers that may be estimates.
_OF_NUMBERS = frozenset(("concept", "known"))


@dataclass
class Scope:
    """
    A table, and what was computed on it.

    Attributes:
        facts: The table.
        concept: Function that returns the values of another concept.
        cache: Truth values of the calls that were evaluated, packed.
        labels: The same of calls that do not depend on numbers that may be estimates. Default: `cache`.
    """

    facts: FactTable
    concept: Callable[[str], Array]
    cache: dict[tuple[str, ...], Array] = field(default_factory=dict)
    labels: dict[tuple[str, ...], Array] | None = None

    def truth_of(self, call: tuple[str, ...], evaluate: Callable[[], Array]) -> Array:
        """
        Return the values of a call, which is evaluated if they are not kept.

        Args:
            call: Function and arguments.
            evaluate: Returns `(n,)` float32: 1 holds, 0 does not, NaN unknown, values between them are grades.
        """
        cache = self.cache if self.labels is None or call[0] in _OF_NUMBERS else self.labels
        codes = cache.get(call)
        if codes is None:
            codes = cache[call] = packed(evaluate())
        return unpacked(codes)


class Function(NamedTuple):
    """A function of the language: what it takes, what it returns, and its evaluation."""

    evaluate: Callable[[Scope, tuple[str, ...]], Array]
    # Returns what is wrong with an argument, or an empty text. Arguments are texts.
    check: Callable[[str], str]
    usage: str
    is_number: bool = False
    arguments: tuple[int, int] = (1, 1000)


def element_set(names: Iterable[str]) -> frozenset[str]:
    """Return the symbols of elements and groups of elements, such as `Fe` and `rare_earth`."""
    return frozenset[str]().union(*(GROUPS.get(name, {name}) for name in names))


@lru_cache(maxsize=4096)
def _numbers_of(names: tuple[str, ...]) -> list[int]:
    """Atomic numbers of elements and groups of elements. Not to be changed."""
    return [ATOMIC_NUMBERS[symbol] for symbol in sorted(element_set(names))]


def _any_element(scope: Scope, names: tuple[str, ...]) -> Array:
    present = scope.facts.compositions.has_any(_numbers_of(names))
    return truth(present, ~scope.facts.known_composition)


def _all_elements(scope: Scope, names: tuple[str, ...]) -> Array:
    return both(_any_element(scope, (name,)) for name in names)


def _only_elements(scope: Scope, names: tuple[str, ...]) -> Array:
    others = frozenset(ATOMIC_NUMBERS) - element_set(names)
    return negated(_any_element(scope, tuple(others)))


def _share(scope: Scope, names: tuple[str, ...]) -> Array:
    return _total(scope, names, "shares")


def _amount(scope: Scope, names: tuple[str, ...]) -> Array:
    return _total(scope, names, "amounts")


def _total(scope: Scope, names: tuple[str, ...], of: str) -> Array:
    chosen = np.zeros(NUMBERS)
    chosen[_numbers_of(names)] = 1
    total = scope.facts.compositions.total(chosen, of)
    return np.where(scope.facts.known_composition, total, np.nan)


def _label(column: str) -> Callable[[Scope, tuple[str, ...]], Array]:
    return lambda scope, values: either(scope.facts.label(column, value) for value in values)


def _only_anions(scope: Scope, names: tuple[str, ...]) -> Array:
    """Simple anions of these elements, and neither others nor oxyanions, hydroxide or other anions of several atoms."""
    facts, listed = scope.facts, element_set(names)
    others = [facts.label("anions", value) for value in facts.values("anions") if value not in listed]
    ions = [facts.label("ions", value) for value in sorted(ANIONIC_IDS)]
    return both(
        [_anion(scope, names), *map(negated, others), *map(negated, ions), negated(facts.label("classes", "oxysalt"))]
    )


def _anion(scope: Scope, names: tuple[str, ...]) -> Array:
    return either(scope.facts.label("anions", symbol) for symbol in sorted(element_set(names)))


def _space_group(scope: Scope, values: tuple[str, ...]) -> Array:
    return _in_groups(scope, frozenset(int(value) for value in values))


def _in_groups(scope: Scope, groups: frozenset[int]) -> Array:
    number = scope.facts.number("space_group_number")
    return truth(np.isin(number, sorted(groups)), np.isnan(number))


def _symmetry(groups: Mapping[str, Iterable[int]]) -> Callable[[Scope, tuple[str, ...]], Array]:
    """What follows from the space group; `groups` holds the numbers by name."""
    return lambda scope, values: _in_groups(scope, frozenset[int]().union(*(groups[value] for value in values)))


def _groups_by(name_of: Callable[[int], str]) -> dict[str, frozenset[int]]:
    groups: dict[str, set[int]] = {}
    for number in range(1, 231):
        groups.setdefault(name_of(number), set()).add(number)
    return {name: frozenset(numbers) for name, numbers in groups.items()}


def _starting(column: str) -> Callable[[Scope, tuple[str, ...]], Array]:
    """Members that begin with the arguments: `coordination(Ti, 6)` is `Ti:6:octahedron` or `Ti:6:`."""

    def evaluate(scope: Scope, values: tuple[str, ...]) -> Array:
        symbols, number = element_set(values[:1]), values[1]
        members = [member for member in scope.facts.values(column) if _matches(member, symbols, number)]
        # No member: the label of an absent value, 0 where the column is known.
        return either(scope.facts.label(column, member) for member in members or [""])

    return evaluate


def _matches(member: str, symbols: frozenset[str], wanted: str) -> bool:
    symbol, number, shape = (*member.split(":"), "", "")[:3]
    return symbol in symbols and wanted in (number, shape)


def _oxidation(scope: Scope, values: tuple[str, ...]) -> Array:
    state = float(values[1])
    sign = f"{state:+g}"
    return either(scope.facts.label("oxidation_states", symbol + sign) for symbol in sorted(element_set(values[:1])))


def _formula(scope: Scope, values: tuple[str, ...]) -> Array:
    return scope.facts.formula_is(values)


def _pattern(scope: Scope, values: tuple[str, ...]) -> Array:
    found = np.zeros(len(scope.facts), dtype=bool)
    for value in values:
        pattern = read_pattern(value)
        assert pattern is not None, value
        found |= scope.facts.matches(pattern)
    return truth(found, ~scope.facts.known_composition)


def _known(scope: Scope, values: tuple[str, ...]) -> Array:
    known = [~np.isnan(scope.facts.number(value)) for value in values]
    return np.all(known, axis=0).astype(np.float32)


def _other_concept(scope: Scope, values: tuple[str, ...]) -> Array:
    return either(scope.concept(value) for value in values)


def _check_element(name: str) -> str:
    if name in ATOMIC_NUMBERS or name in GROUPS:
        return ""
    return f"unknown element or group of elements {name}{nearest(name, (*GROUPS, *ATOMIC_NUMBERS))}"


def _one_of(known: Iterable[str], what: str) -> Callable[[str], str]:
    names = tuple(known)
    return lambda value: "" if value in names else f"unknown {what} {value}{nearest(value, names)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question with the known names that resemble a name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _check_group(value: str) -> str:
    return "" if value.isdigit() and 1 <= int(value) <= 230 else f"space group {value} is not between 1 and 230"


def _check_any(value: str) -> str:
    return "" if value.strip() else "an empty argument"


def _check_formula(value: str) -> str:
    return "" if read_formula(value) else f"{value} is not a chemical formula"


def _check_pattern(value: str) -> str:
    return "" if read_pattern(value) else f"{value} is not a pattern of letters and element symbols, such as ABX3"


def _check_number_name(name: str) -> str:
    return "" if name in number_names() else f"unknown number {name}{nearest(name, number_names())}"


def number_names() -> tuple[str, ...]:
    """List the names of numbers that an expression can compare."""
    stored = (name for name, kind in FACT_COLUMNS.items() if str(kind).startswith(("int", "float", "double")))
    return tuple(dict.fromkeys((*NUMERIC_COLUMNS, *stored, *DERIVED)))


def _check_coordination(value: str) -> str:
    return "" if value.isdigit() else _check_element(value)


def _check_state(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return _check_element(value)
    return ""


def _check_polyhedron(value: str) -> str:
    return "" if value.islower() and value not in GROUPS else _check_element(value)


_LATTICES, _CENTRINGS = _groups_by(bravais_lattice), _groups_by(centring)
_ELEMENTS = "elements or groups of elements"
FUNCTIONS: dict[str, Function] = {
    "element": Function(_any_element, _check_element, _ELEMENTS),
    "elements": Function(_all_elements, _check_element, _ELEMENTS),
    "only": Function(_only_elements, _check_element, _ELEMENTS),
    "share": Function(_share, _check_element, _ELEMENTS, is_number=True),
    "amount": Function(_amount, _check_element, _ELEMENTS, is_number=True),
    "anion": Function(_anion, _check_element, _ELEMENTS),
    "only_anion": Function(_only_anions, _check_element, _ELEMENTS),
    "ion": Function(_label("ions"), _check_any, "ids of ions"),
    "class_": Function(_label("classes"), _check_any, "ids of classes"),
    "type": Function(_label("structure_types"), _one_of(STRUCTURE_TYPES, "structure type"), "ids of structure types"),
    "system": Function(_symmetry(CRYSTAL_SYSTEMS), _one_of(CRYSTAL_SYSTEMS, "crystal system"), "crystal systems"),
    "space_group": Function(_space_group, _check_group, "numbers of space groups"),
    "point_group": Function(_symmetry(POINT_GROUPS), _one_of(POINT_GROUPS, "point group"), "symbols of point groups"),
    "lattice": Function(_symmetry(_LATTICES), _one_of(_LATTICES, "Bravais lattice"), "Bravais lattices such as cF"),
    "centring": Function(_symmetry(_CENTRINGS), _one_of(_CENTRINGS, "centring"), "letters of centrings"),
    "flag": Function(_symmetry(SYMMETRY_FLAGS), _one_of(SYMMETRY_FLAGS, "flag"), "properties of the space group"),
    "coordination": Function(_starting("coordination"), _check_coordination, "an element, a number", arguments=(2, 2)),
    "polyhedron": Function(_starting("coordination"), _check_polyhedron, "an element, a polyhedron", arguments=(2, 2)),
    "oxidation": Function(_oxidation, _check_state, "an element, a number", arguments=(2, 2)),
    "formula": Function(_formula, _check_formula, "formulas"),
    "pattern": Function(_pattern, _check_pattern, "patterns such as ABX3"),
    "prototype": Function(_label("prototype"), _check_any, "AFLOW labels of prototypes"),
    "pearson": Function(_label("pearson"), _check_any, "Pearson symbols"),
    "known": Function(_known, _check_number_name, "names of numbers"),
    "material": Function(_label("material_id"), _check_any, "ids of materials"),
    "concept": Function(_other_concept, _check_any, "ids of concepts"),
}

__all__ = ["FUNCTIONS", "Function", "Scope", "element_set", "nearest", "number_names"]
