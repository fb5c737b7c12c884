"""What was read of a text so far. The readers of single parts add to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .query import Comparison, Literal, SortKey


@dataclass
class State:
    """What was read of a text so far."""

    text: str
    shown: str
    free: list[bool]
    touched: list[bool]
    literals: list[Literal] = field(default_factory=list)
    sort: list[tuple[int, SortKey]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    rest_end: int = -1

    def mark(self, start: int, end: int) -> None:
        self.free[start:end] = [False] * (end - start)

    def add(self, literals: Iterable[Literal]) -> None:
        for literal in literals:
            self.literals.append(literal)
            self.mark(literal.start, literal.end)


__all__ = ["State"]
