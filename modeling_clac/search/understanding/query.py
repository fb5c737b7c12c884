"""A query as constraints: terms of several kinds, joined by "and", "or" and "not", with their places in the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...concepts.quantities import QUANTITIES, written_number


@dataclass(frozen=True)
class ConceptTerm:
    """
    A concept of the vocabulary.

    Attributes:
        id: Id of the concept.
        name: Its name.
        kind_of_concept: Its kind, such as `anion` or `structure-type`.
    """

    id: str
    name: str
    kind_of_concept: str

    kind: ClassVar[str] = "concept"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return self.name


@dataclass(frozen=True)
class ElementTerm:
    """
    An element that is present.

    Attributes:
        symbol: Symbol of the element, or `metal` for any metal.
    """

    symbol: str

    kind: ClassVar[str] = "element"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return "contains metal" if self.symbol == "metal" else self.symbol


@dataclass(frozen=True)
class FormulaTerm:
    """
    A composition.

    Attributes:
        formula: As a formula, such as `LiFePO4`.
        amounts: Elements with their amounts.
    """

    formula: str
    amounts: tuple[tuple[str, float], ...]

    kind: ClassVar[str] = "formula"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return self.formula


@dataclass(frozen=True)
class PatternTerm:
    """
    A pattern of formulas.

    Attributes:
        pattern: Such as `ABO3`.
    """

    pattern: str

    kind: ClassVar[str] = "pattern"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return f"formula {self.pattern}"


@dataclass(frozen=True)
class SystemTerm:
    """
    A chemical system: these elements and no others.

    Attributes:
        symbols: Its elements, in the order of the text.
    """

    symbols: tuple[str, ...]

    kind: ClassVar[str] = "system"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return f"{'-'.join(self.symbols)} system" if len(self.symbols) > 1 else f"only {self.symbols[0]}"


@dataclass(frozen=True)
class OnlyTerm:
    """
    No other elements than those of some groups.

    Attributes:
        names: What is allowed, as the reading writes it.
        symbols: All elements that are allowed, in alphabetical order.
    """

    names: tuple[str, ...]
    symbols: tuple[str, ...]

    kind: ClassVar[str] = "only"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        *others, last = self.names
        return f"nothing but {', '.join(others)} and {last}" if others else f"nothing but {last}"


@dataclass(frozen=True)
class CountTerm:
    """
    A number of different elements of a group.

    Attributes:
        name: The group, as the reading writes it.
        symbols: Its elements, in alphabetical order.
        low: Smallest number.
        high: Largest number; `None` if it is open.
    """

    name: str
    symbols: tuple[str, ...]
    low: int
    high: int | None = None

    kind: ClassVar[str] = "count"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        if self.high is not None and 0 < self.low < self.high:
            return f"{self.low} to {self.high} of {self.name}"
        if self.high == 0:
            return f"no {self.name}"
        if self.low == 1 and self.high is None:
            return f"any of {self.name}"
        bound = "exactly" if self.low == self.high else "at least" if self.high is None else "at most"
        return f"{bound} {self.low if self.high is None else self.high} of {self.name}"


@dataclass(frozen=True)
class RangeTerm:
    """
    A range of a number.

    Attributes:
        column: Name of the number, a key of `QUANTITIES`.
        low: Lower end in the unit of the column; `None` if it is open.
        high: Upper end.
        about: Value in the middle that is best, for "about 2 eV".
        strict: Whether the ends are excluded, for "less than 5 atoms".
    """

    column: str
    low: float | None = None
    high: float | None = None
    about: float | None = None
    strict: bool = False

    kind: ClassVar[str] = "range"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        quantity = QUANTITIES[self.column]
        unit = f" {quantity.unit}" if quantity.unit else ""
        if self.about is not None:
            return f"{quantity.label} about {written_number(self.about)}{unit}"
        low, high = (None if end is None else written_number(end) for end in (self.low, self.high))
        if low is not None and low == high:
            return f"{quantity.label} = {low}{unit}"
        if low is not None and high is not None:
            return f"{quantity.label} {low} to {high}{unit}"
        sign = (">" if high is None else "<") if self.strict else ("≥" if high is None else "≤")
        return f"{quantity.label} {sign} {low if high is None else high}{unit}"


@dataclass(frozen=True)
class SpaceGroupTerm:
    """
    A space group.

    Attributes:
        number: Its number.
        symbol: Its symbol.
    """

    number: int
    symbol: str

    kind: ClassVar[str] = "space group"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return f"space group {self.symbol}"


@dataclass(frozen=True)
class PointGroupTerm:
    """
    A point group.

    Attributes:
        symbol: Its Hermann-Mauguin symbol.
    """

    symbol: str

    kind: ClassVar[str] = "point group"

    @property
    def label(self) -> str:
        """Wording of the term in the reading."""
        return f"point group {self.symbol}"


Term = (
    ConceptTerm | ElementTerm | FormulaTerm | PatternTerm | SystemTerm | OnlyTerm | CountTerm | RangeTerm
    | SpaceGroupTerm | PointGroupTerm
)  # fmt: skip
# Concepts of these kinds are adjectives: "not cubic", but "no lead".
_ADJECTIVES = frozenset({"class", "symmetry", "crystal-system", "band", "attribute", "structural"})
_NOUNS = frozenset({"element", "formula", "pattern", "system"})


@dataclass(frozen=True)
class Literal:
    """
    A term that must hold, or must not.

    Attributes:
        term: The term.
        negated: Whether it must not hold.
        start: Index of its first character in the text.
        end: Index after its last character.
    """

    term: Term
    negated: bool = False
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def label(self) -> str:
        """Wording in the reading, such as `no Pb`."""
        if not self.negated:
            return self.term.label
        if isinstance(self.term, ElementTerm) and self.term.symbol == "metal":
            return "no metal"
        if isinstance(self.term, ConceptTerm):
            return f"{'not' if self.term.kind_of_concept in _ADJECTIVES else 'no'} {self.term.label}"
        return f"{'no' if self.term.kind in _NOUNS else 'not'} {self.term.label}"


@dataclass(frozen=True)
class Constraint:
    """
    A condition on a crystal: at least one of its literals holds.

    Attributes:
        literals: The literals.
        preferred: Whether it is a wish, for "preferably with titanium", that counts less.
    """

    literals: tuple[Literal, ...]
    preferred: bool = False

    @property
    def label(self) -> str:
        """Wording in the reading, such as `Fe or Co`."""
        if len(self.literals) > 1 and all(literal.negated for literal in self.literals):
            text = f"not both {' and '.join(literal.term.label for literal in self.literals)}"
        else:
            text = " or ".join(literal.label for literal in self.literals)
        return f"preferably {text}" if self.preferred else text

    @property
    def start(self) -> int:
        """Index of its first character in the text."""
        return min(literal.start for literal in self.literals)

    @property
    def end(self) -> int:
        """Index after its last character."""
        return max(literal.end for literal in self.literals)


@dataclass(frozen=True)
class SortKey:
    """
    An order of the hits, for "hardest" and "lowest density".

    Attributes:
        column: Name of the number.
        descending: Whether the largest value comes first.
        relative: Whether it was a comparison without the other side, such as "lighter".
    """

    column: str
    descending: bool
    relative: bool = False

    @property
    def label(self) -> str:
        """Wording in the reading, such as `highest hardness`."""
        if self.relative:
            return f"{'higher' if self.descending else 'lower'} {QUANTITIES[self.column].label}"
        return f"{'highest' if self.descending else 'lowest'} {QUANTITIES[self.column].label}"


@dataclass(frozen=True)
class Comparison:
    """
    A comparison with a compound, such as "harder than titanium carbide". Its value is known to the crystals only.

    Attributes:
        column: Name of the number.
        more: Whether it must be larger than that of the compound.
        compound: Name or formula of the compound.
        label: Wording of the comparison in the text.
    """

    column: str
    more: bool
    compound: str
    label: str


@dataclass(frozen=True)
class Query:
    """
    What a text asks for.

    Attributes:
        text: The text.
        constraints: Conditions, all of which should hold.
        sort: Orders of the hits that meet the conditions, the first one first.
        comparisons: Comparisons with compounds, which become constraints when crystals are searched.
        rest: Words that were not read. They count through the embedding only.
        notes: What the user should know of the reading, one line each.
        contradictions: Why no crystal can meet the conditions, one line each.
    """

    text: str
    constraints: tuple[Constraint, ...] = ()
    sort: tuple[SortKey, ...] = ()
    rest: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was read."""
        return bool(self.constraints or self.sort or self.comparisons)

    @property
    def labels(self) -> list[str]:
        """Wordings of the constraints, then of the comparisons and orders."""
        return [
            *(constraint.label for constraint in self.constraints),
            *(comparison.label for comparison in self.comparisons),
            *(key.label for key in self.sort),
        ]

    def render(self) -> str:
        """Write the reading in one line, such as `halide · perovskite · no Pb`. It is read in the same way again."""
        return " · ".join(self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        return {
            "read_as": self.render(),
            "constraints": [
                {
                    "label": constraint.label,
                    "preferred": constraint.preferred,
                    "any_of": [_literal_dict(literal) for literal in constraint.literals],
                }
                for constraint in self.constraints
            ],
            "comparisons": [vars(comparison) for comparison in self.comparisons],
            "sort": [{"column": key.column, "descending": key.descending} for key in self.sort],
            "not_read": list(self.rest),
            "notes": list(self.notes),
            "contradictions": list(self.contradictions),
        }


def _literal_dict(literal: Literal) -> dict[str, Any]:
    term = literal.term
    values: dict[str, Any] = {
        name: (dict(value) if name == "amounts" else value) for name, value in vars(term).items() if value is not None
    }
    return {"kind": term.kind, **values, "negated": literal.negated, "span": [literal.start, literal.end]}


def positive_terms(query: Query) -> list[Term]:
    """Return the terms that must hold for sure: those of constraints with a single literal."""
    return [
        constraint.literals[0].term
        for constraint in query.constraints
        if len(constraint.literals) == 1 and not constraint.literals[0].negated and not constraint.preferred
    ]


__all__ = [
    "Comparison",
    "ConceptTerm",
    "Constraint",
    "CountTerm",
    "ElementTerm",
    "FormulaTerm",
    "Literal",
    "OnlyTerm",
    "PatternTerm",
    "PointGroupTerm",
    "Query",
    "RangeTerm",
    "SortKey",
    "SpaceGroupTerm",
    "SystemTerm",
    "Term",
    "positive_terms",
]
