"""A search as a value: written as a link, as a `clac` line and as Python, and read from a link."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from ..data.properties import PROPERTIES
from ..errors_clac import ClacInputError
from ..search.filters import Filters

MOST_HITS = 100
LONGEST_TEXT = 2_000  # characters
DEFAULT_HITS = 20
# A search without words ranks the crystals that pass the filters by this text.
ANY_CRYSTAL = "crystals"

Range = tuple[float | None, float | None]
# Parameter of a link -> column and end of its range, as the options of `clac search`.
_BOUNDS = {
    name: (column, end) for column, row in PROPERTIES.items() for end, name in row.range_options.items()
}  # fmt: skip


@dataclass(frozen=True)
class SearchRequest:
    """
    A search of the page.

    Attributes:
        text: What to look for, in English; the id of a crystal finds that crystal and similar ones.
        like: Id of the crystal that the text speaks of, or the name of a dropped file; empty if there is none.
        elements: Elements that must be present.
        exclude_elements: Elements that must be absent.
        ranges: Column -> (minimum, maximum) in its unit.
        k: Number of crystals.
        strict: Whether to show only crystals that meet all constraints for sure.

    Raises:
        ClacInputError: If the text is too long, or the number of crystals is out of range.
    """

    text: str = ""
    like: str = ""
    elements: tuple[str, ...] = ()
    exclude_elements: tuple[str, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict)
    k: int = DEFAULT_HITS
    strict: bool = False

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST_TEXT:
            raise ClacInputError(f"the text has {len(self.text):,} characters; write at most {LONGEST_TEXT:,}")
        if not 1 <= self.k <= MOST_HITS:
            raise ClacInputError(f"number of crystals: {self.k}; choose 1 to {MOST_HITS}")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not (self.text.strip() or self.like or self.elements or self.exclude_elements or self.ranges)

    @property
    def filters(self) -> Filters:
        """
        The conditions on elements and ranges.

        Raises:
            ClacInputError: If no crystal could meet them.
        """
        return Filters(self.elements, self.exclude_elements, ranges=self.ranges)

    @property
    def words(self) -> str:
        """The text that is searched for; a neutral one if there are filters only."""
        return self.text.strip() or ("" if self.like else ANY_CRYSTAL)

    def to_link(self) -> str:
        """Write the search as the query of a link, such as `?q=oxide&element=Li`."""
        values: list[tuple[str, object]] = [("q", self.text)] if self.text else []
        values += [("like", self.like)] if self.like else []
        values += [("element", symbol) for symbol in self.elements]
        values += [("exclude_element", symbol) for symbol in self.exclude_elements]
        values += [(name, f"{bound:g}") for name, bound in self._bounds()]
        values += [("k", self.k)] if self.k != DEFAULT_HITS else []
        values += [("strict", 1)] if self.strict else []
        return f"?{urlencode(values)}"

    @classmethod
    def from_link(cls, values: Iterable[tuple[str, str]]) -> SearchRequest:
        """
        Read the parameters of a link.

        Args:
            values: Names and values. Names that begin with `__` belong to gradio.

        Raises:
            ClacInputError: If a name is unknown or a value is invalid.
        """
        given: dict[str, list[str]] = {}
        for name, value in values:
            given.setdefault(name, []).append(value)
        known = {"q", "like", "element", "exclude_element", "k", "strict", *_BOUNDS}
        unknown = next((name for name in given if name not in known and not name.startswith("__")), None)
        if unknown is not None:
            raise ClacInputError(f"link: unknown parameter {unknown!r}; expected one of {', '.join(sorted(known))}")
        ranges: dict[str, Range] = {}
        for name, (column, end) in _BOUNDS.items():
            if name in given:
                low, high = ranges.get(column, (None, None))
                bound = _number(name, given[name][-1])
                ranges[column] = (bound, high) if end == "min" else (low, bound)
        request = cls(
            text=given.get("q", [""])[-1],
            like=given.get("like", [""])[-1],
            elements=tuple(given.get("element", ())),
            exclude_elements=tuple(given.get("exclude_element", ())),
            ranges=ranges,
            k=int(_number("k", given.get("k", [str(DEFAULT_HITS)])[-1])),
            strict=given.get("strict", ["0"])[-1] not in ("0", "false", ""),
        )
        _ = request.filters
        return request

    def command(self) -> str:
        """Write the search as a line for a shell."""
        parts = ["clac", "search"]
        if self.words:
            parts.append(self.words)
        parts += ["--like", self.like] if self.like else []
        for symbol in self.elements:
            parts += ["--element", symbol]
        for symbol in self.exclude_elements:
            parts += ["--exclude-element", symbol]
        for name, bound in self._bounds():
            parts.append(f"--{name.replace('_', '-')}={bound:g}")
        parts += ["-k", str(self.k)]
        parts += ["--strict"] if self.strict else []
        return shlex.join(parts)

    def python(self, of_file: bool = False) -> str:
        """
        Write the search as a program.

        Args:
            of_file: Whether `like` names a file.
        """
        filters = self._filters_code()
        options = [f"k={self.k}"]
        options += [f"filters={filters}"] if filters else []
        options += ["strict=True"] if self.strict else []
        function = "search_like" if self.like else "search_text"
        names = ["ClacEmbedder", *(["read_structures"] if of_file else []), function]
        lines = [f"from modeling_clac import {', '.join(names)}"]
        lines += ["from modeling_clac.search.filters import Filters"] if filters else []
        lines += ["from modeling_clac.search.index import bundled_index", ""]
        lines += ["embedder, index = ClacEmbedder.from_pretrained(), bundled_index()"]
        lines += [f"(structure,) = read_structures({self.like!r})"] if of_file else []
        wanted = ["structure.crystal" if of_file else repr(self.like)] if self.like else []
        wanted += [repr(self.words)] if self.words or not self.like else []
        lines.append(f"hits = {function}(index, embedder, {', '.join([*wanted, *options])})")
        return "\n".join([*lines, "print(hits)", ""])

    def _filters_code(self) -> str:
        parts = [f"elements={list(self.elements)!r}"] if self.elements else []
        parts += [f"exclude_elements={list(self.exclude_elements)!r}"] if self.exclude_elements else []
        parts += [f"ranges={dict(self.ranges)!r}"] if self.ranges else []
        return f"Filters({', '.join(parts)})" if parts else ""

    def _bounds(self) -> list[tuple[str, float]]:
        found = []
        for name, (column, end) in _BOUNDS.items():
            bound = self.ranges.get(column, (None, None))[end == "max"]
            if bound is not None:
                found.append((name, bound))
        return found


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
        if number != number or abs(number) == float("inf"):
            raise ValueError
    except ValueError:
        raise ClacInputError(f"link: {name}={value!r} is not a number; write it as in {name}=1.5") from None
    return number


__all__ = ["ANY_CRYSTAL", "DEFAULT_HITS", "LONGEST_TEXT", "MOST_HITS", "Range", "SearchRequest"]
