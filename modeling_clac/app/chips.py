"""What was understood of a text, as chips; a chip that is removed or inverted gives another text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..search.understanding.query import Constraint, Query
from .markup import tag, text

Read = Callable[[str], Query]


@dataclass(frozen=True)
class Chip:
    """
    A part of a reading.

    Attributes:
        label: Its wording.
        kind: `constraint`, `comparison`, `order` or `rest`, a word that is compared by meaning only.
        without: The text without it.
        inverted: The text with its opposite; `None` if there is none that would be read as that.
    """

    label: str
    kind: str
    without: str
    inverted: str | None


def chips(query: Query, read: Read) -> list[Chip]:
    """
    Cut a reading into chips.

    Args:
        query: The reading.
        read: Reads a text, to check that an opposite is understood.
    """
    found = []
    for place, constraint in enumerate(query.constraints):
        others = query.constraints[:place], query.constraints[place + 1 :]
        without = replace(query, constraints=(*others[0], *others[1]))
        opposite = replace(query, constraints=(*others[0], *_opposite(constraint), *others[1]))
        found.append(Chip(constraint.label, "constraint", _written(without), _checked(opposite, read)))
    for place, comparison in enumerate(query.comparisons):
        rest = query.comparisons[:place] + query.comparisons[place + 1 :]
        found.append(Chip(comparison.label, "comparison", _written(replace(query, comparisons=rest)), None))
    for place, key in enumerate(query.sort):
        before, after = query.sort[:place], query.sort[place + 1 :]
        turned = replace(query, sort=(*before, replace(key, descending=not key.descending), *after))
        without = replace(query, sort=(*before, *after))
        found.append(Chip(key.label, "order", _written(without), _checked(turned, read)))
    for place, word in enumerate(query.rest):
        rest_words = query.rest[:place] + query.rest[place + 1 :]
        found.append(Chip(word, "rest", _written(replace(query, rest=rest_words)), None))
    return found


def _opposite(constraint: Constraint) -> tuple[Constraint, ...]:
    """Neither of the literals holds."""
    return tuple(
        replace(constraint, literals=(replace(literal, negated=not literal.negated),))
        for literal in constraint.literals
    )


def _written(query: Query) -> str:
    return " · ".join([*query.labels, *query.rest])


def _checked(query: Query, read: Read) -> str | None:
    written = _written(query)
    found = read(written)
    return written if found.labels == query.labels and not found.contradictions else None


def chips_html(found: list[Chip], like: str = "") -> str:
    """
    Write chips as a list with buttons, which carry the text that they give.

    Args:
        found: The chips.
        like: Name of the crystal that the text speaks of; empty if there is none.
    """
    if not found and not like:
        return ""
    items = []
    if like:
        whole = " · ".join(chip.label for chip in found)
        remove = _button("×", whole, f"Remove similar to {like}", "Remove", data_part="like")
        items.append(tag("li", tag("span", text(f"similar to {like}"), class_="label") + remove, class_="chip"))
    for chip in found:
        content = tag("span", text(chip.label), class_="label")
        if chip.inverted is not None:
            label = f"Search for the opposite of {chip.label}"
            content += _button("⇄", chip.inverted, label, "Search for the opposite")
        content += _button("×", chip.without, f"Remove {chip.label}", "Remove")
        title = "not read as a constraint: compared by meaning only" if chip.kind == "rest" else None
        items.append(tag("li", content, class_=f"chip {chip.kind}", title=title))
    return tag("span", "Understood:", class_="chips-title") + tag("ul", "".join(items), class_="chips")


def _button(sign: str, given: str, label: str, title: str, **more: str) -> str:
    return tag("button", sign, type="button", data_text=given, title=title, aria_label=label, **more)


__all__ = ["Chip", "chips", "chips_html"]
