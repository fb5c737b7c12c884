"""Files of concepts: the form of an entry, and reading and checking it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import yaml

from ..errors_clac import ClacInputError, one_line
from .expressions import Expression
from .fact_functions import nearest, number_names
from .families import regular_wordings
from .names import expand_names
from .spelling import key

KINDS = (
    "element",
    "element-group",
    "anion",
    "oxyanion",
    "group",
    "class",
    "structure-type",
    "structural",
    "symmetry",
    "crystal-system",
    "space-group",
    "band",
    "attribute",
    "use",
    "name",
)
_REQUIRED = ("id", "kind", "name", "test")
_TEXTS = (*_REQUIRED, "partly", "opposite", "sort", "source", "ambiguous", "reason")
_LISTS = ("implies", "accepts", "refuses")
_LINES = ("wordings", "superlatives")
_KNOWN = frozenset((*_TEXTS, *_LISTS, *_LINES))
# In a block of lines that are not read as they are: comments, and blanks that say nothing.
_UNEVEN = re.compile(r"[#\t\r]|  |^ | $", re.M)


class Sort(NamedTuple):
    """The order that a superlative of a concept means: the name of a number, and whether the largest comes first."""

    number: str
    descending: bool


@dataclass(frozen=True, eq=False)
class Concept:
    """
    A concept of the field.

    Attributes:
        id: Unique, in kebab-case.
        kind: One of `KINDS`.
        name: How explanations write it.
        test: Expression on facts.
        listed: How people say it, in the order of the file.
        partly: Expression; where `test` fails and this holds, the concept holds with grade 0.5.
        implies: Ids of wider concepts.
        opposite: Id of the other pole, such as soft for stiff.
        sort: The order that its superlatives mean.
        superlatives: Wordings of the extreme, such as "stiffest".
        source: Where the definition comes from.
        ambiguous: What else its wordings may mean.
        accepts: Formulas of compounds that the test must accept.
        refuses: Formulas of compounds that the test must refuse.
        reason: Why a compound suits a use.
        file: Name of the file.
        line: Line of the entry in the file, from 1.
    """

    id: str
    kind: str
    name: str
    test: Expression
    listed: tuple[str, ...]
    partly: Expression | None = None
    implies: tuple[str, ...] = ()
    opposite: str | None = None
    sort: Sort | None = None
    superlatives: tuple[str, ...] = ()
    source: str | None = None
    ambiguous: str | None = None
    accepts: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    reason: str | None = None
    file: str = ""
    line: int = 0

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The wordings of the file, then the regular ones; some may be the same but for their spelling."""
        return (*self.listed, *regular_wordings({"kind": self.kind, "id": self.id}))

    @cached_property
    def _spelled(self) -> dict[str, str]:
        spelled: dict[str, str] = {}
        for wording in self.lines:
            spelled.setdefault(key(wording), wording)
        return spelled

    @property
    def wordings(self) -> tuple[str, ...]:
        """How people say it: those of the file, then the regular ones."""
        return tuple(self._spelled.values())

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the wordings, in their order."""
        return tuple(self._spelled)

    def check_wordings(self) -> None:
        """
        Compare the wordings with each other.

        Raises:
            ClacInputError: If two of the file are the same but for their spelling, or one has no words.
        """
        for wording in self.listed:
            spelling = key(wording)
            other = self._spelled[spelling]
            if other != wording:
                raise ClacInputError(f"{self.place}: the wordings {other!r} and {wording!r} are the same; remove one")
            if not spelling:
                raise ClacInputError(f"{self.place}: the wording {wording!r} has no words")

    @property
    def place(self) -> str:
        """Where the concept stands, for error messages."""
        return f"{self.file}:{self.line}: concept {self.id}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions of the concept."""
        return (self.test,) if self.partly is None else (self.test, self.partly)


class Entry(NamedTuple):
    """A mapping in a file of concepts, and the line on which it begins, from 1."""

    line: int
    values: dict[str, str | list[str]]


def read_concepts(path: Path, check: bool = True) -> list[Concept]:
    """
    Read a file of concepts.

    Args:
        path: A YAML file, a list of entries.
        check: Whether to compare the wordings of each concept with each other, which takes longer than reading them.

    Returns:
        The concepts, in the order of the file. Their tests are not read yet.

    Raises:
        ClacInputError: If the file is not of the form of a concept file; the message names file, line and concept.
        OSError: If the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ClacInputError(f"{path}: not UTF-8 text ({one_line(error)})") from None
    concepts = [read_concept(entry, path.name) for entry in read_entries(text, str(path.name))]
    if check:
        for concept in concepts:
            concept.check_wordings()
    return concepts


def read_entries(text: str, file: str) -> Iterator[Entry]:
    """
    Read the entries of a concept file.

    From the events of the parser, which is five times as fast as constructing objects. All values stay texts: `NO`
    and `Y` are formulas here, not truth values.

    Args:
        text: YAML, a list of mappings of names to texts or lists of texts. A block of names becomes several entries.
        file: Name of the file, for error messages.

    Raises:
        ClacInputError: If the text is not of this form, or a key occurs twice in an entry.
    """
    loader = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
    events = (event for event in yaml.parse(text, Loader=loader) if not isinstance(event, _FRAME))
    try:
        first = next(events, None)
        if first is None:
            return
        if not isinstance(first, yaml.SequenceStartEvent):
            raise _form_error(file, first)
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                rest = next(events, None)
                if rest is not None:
                    raise _form_error(file, rest)
                return
            if not isinstance(event, yaml.MappingStartEvent):
                raise _form_error(file, event)
            line = event.start_mark.line + 1
            for values in expand_names(dict(_pairs(events, file)), f"{file}:{line}"):
                yield Entry(line, values)
    except yaml.YAMLError as error:
        raise ClacInputError(f"{file}: not valid YAML ({one_line(error)})") from None


_FRAME = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)


def _form_error(file: str, event: yaml.Event) -> ClacInputError:
    line = event.start_mark.line + 1
    return ClacInputError(f"{file}:{line}: expected a list of concepts, each with {', '.join(_REQUIRED)} and wordings")


def _pairs(events: Iterator[yaml.Event], file: str) -> Iterator[tuple[str, str | list[str]]]:
    seen: set[str] = set()
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            return
        if not isinstance(event, yaml.ScalarEvent):
            raise _form_error(file, event)
        name = event.value
        if name in seen:
            raise ClacInputError(f"{file}:{event.start_mark.line + 1}: the key {name} occurs twice in one concept")
        seen.add(name)
        value = next(events)
        if isinstance(value, yaml.ScalarEvent):
            yield name, value.value
        elif isinstance(value, yaml.SequenceStartEvent):
            yield name, list(_items(events, file))
        else:
            raise ClacInputError(f"{file}:{value.start_mark.line + 1}: {name}: expected a text or a list of texts")


def _items(events: Iterator[yaml.Event], file: str) -> Iterator[str]:
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        if not isinstance(event, yaml.ScalarEvent):
            raise ClacInputError(f"{file}:{event.start_mark.line + 1}: expected a text in the list")
        yield event.value


def read_concept(entry: Entry, file: str) -> Concept:
    """
    Read an entry of a concept file.

    Args:
        entry: The entry.
        file: Name of the file, for error messages.

    Raises:
        ClacInputError: If a key is missing, unknown or of the wrong form.
    """
    values = entry.values
    name = values.get("id")
    place = f"{file}:{entry.line}: concept {name if isinstance(name, str) else 'without id'}"
    texts, lists = _fields(values, place)
    if texts["kind"] not in KINDS:
        raise ClacInputError(f"{place}: unknown kind {texts['kind']}; choose one of {', '.join(KINDS)}")
    if not lists["wordings"] and not regular_wordings(values):
        raise ClacInputError(f"{place}: no wordings; write at least one, one on a line")
    partly = texts.get("partly")
    return Concept(
        id=texts["id"],
        kind=texts["kind"],
        name=texts["name"],
        test=Expression(texts["test"], f"{place}: test"),
        listed=lists["wordings"],
        partly=None if partly is None else Expression(partly, f"{place}: partly"),
        implies=lists["implies"],
        opposite=texts.get("opposite"),
        sort=_sort(texts["sort"], place) if "sort" in texts else None,
        superlatives=lists["superlatives"],
        source=texts.get("source"),
        ambiguous=texts.get("ambiguous"),
        accepts=lists["accepts"],
        refuses=lists["refuses"],
        reason=texts.get("reason"),
        file=file,
        line=entry.line,
    )


def _fields(values: Mapping[str, str | list[str]], place: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Sort the values of an entry into texts and lists."""
    texts: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = dict.fromkeys((*_LISTS, *_LINES), ())
    for name, value in values.items():
        if name not in _KNOWN:
            known = (*_TEXTS, *_LISTS, *_LINES)
            raise ClacInputError(f"{place}: unknown key {name}{nearest(name, known)}")
        if name in _TEXTS:
            if not isinstance(value, str) or not value.strip():
                raise ClacInputError(f"{place}: {name}: expected a text")
            texts[name] = " ".join(value.split())
        elif isinstance(value, list):
            lists[name] = tuple(filter(None, (" ".join(item.split()) for item in value)))
        elif name in _LINES and _UNEVEN.search(value) is None:
            lists[name] = tuple(filter(None, value.split("\n")))
        elif name in _LINES:
            lines = (line for line in value.splitlines() if not line.lstrip().startswith("#"))
            lists[name] = tuple(filter(None, (" ".join(line.split()) for line in lines)))
        else:
            raise ClacInputError(f"{place}: {name}: expected a list in square brackets")
    for name in _REQUIRED:
        if name not in texts:
            raise ClacInputError(f"{place}: {name} is missing")
    return texts, lists


def _sort(text: str, place: str) -> Sort:
    number, _, direction = text.partition(" ")
    if number not in number_names():
        raise ClacInputError(f"{place}: sort: unknown number {number}{nearest(number, number_names())}")
    if direction not in ("ascending", "descending"):
        raise ClacInputError(f"{place}: sort: expected a number and ascending or descending, found {text!r}")
    return Sort(number, direction == "descending")


__all__ = ["KINDS", "Concept", "Entry", "Sort", "read_concept", "read_concepts", "read_entries"]
