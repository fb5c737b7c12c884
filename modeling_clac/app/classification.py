"""What a crystal is: ranked concepts and uses, labels of the user, and its nearest relatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..concepts.vocabulary import Concept
from ..errors_clac import ClacInputError
from .markup import formula, notes, space_group, tag, text
from .tools import LONGEST_TEXT, MOST_LABELS

if TYPE_CHECKING:
    from ..data.facts.fact_table import FactTable
    from ..search.index import CrystalIndex
    from .engine import Engine

# Kinds that the structure alone does not decide.
_KINDS = ("use", "attribute", "band", "class")
_MOST_RANKED, _MOST_RELATIVES = 12, 5
_BY_FACTS = {True: "yes", False: "no", None: "not known"}


@dataclass(frozen=True)
class Ranked:
    """
    A description and how well it fits a crystal.

    Attributes:
        label: The description.
        cosine: Cosine of the two.
        probability: Calibrated probability; `None` without a calibration.
        by_facts: Whether facts of the crystal say so; `None` if they do not decide it.
    """

    label: str
    cosine: float
    probability: float | None
    by_facts: bool | None = None


def rank_labels(engine: Engine, vector: np.ndarray, labels: str) -> list[Ranked]:
    """
    Rank descriptions that a user typed.

    Args:
        engine: The models.
        vector: `(dim,)` embedding of the crystal.
        labels: Descriptions, separated by commas or lines.

    Raises:
        ClacInputError: If there are none, or too many.
    """
    if len(labels) > LONGEST_TEXT:
        raise ClacInputError(f"the labels have {len(labels):,} characters; write at most {LONGEST_TEXT:,}")
    names = list(dict.fromkeys(filter(None, (name.strip() for name in labels.replace("\n", ",").split(",")))))
    if not names:
        raise ClacInputError("no label; write descriptions separated by commas, such as: metal, oxide, for batteries")
    if len(names) > MOST_LABELS:
        raise ClacInputError(f"{len(names)} labels; write at most {MOST_LABELS}")
    return _ranked(engine, vector, names, engine.text_encoder.encode_text(names))


class ConceptRanking:
    """
    The concepts that are ranked, embedded when they are first needed.

    Args:
        engine: The models.
    """

    def __init__(self, engine: Engine):
        self.engine = engine

    @cached_property
    def concepts(self) -> list[Concept]:
        """The concepts."""
        return [each for each in self.engine.vocabulary if each.kind in _KINDS]

    @cached_property
    def _embeds(self) -> np.ndarray:
        found: np.ndarray = self.engine.text_encoder.encode_text([each.name for each in self.concepts])
        return found

    def rank(self, vector: np.ndarray, facts: FactTable) -> dict[str, list[Ranked]]:
        """
        Rank uses, and other concepts.

        Args:
            vector: `(dim,)` embedding of the crystal.
            facts: Its facts, a table of one row.

        Returns:
            The best of each by `Uses` and `Concepts`.
        """
        grades = [float(self.engine.vocabulary.holds(each.id, facts)[0]) for each in self.concepts]
        decided = [None if np.isnan(grade) else grade >= 0.5 for grade in grades]
        names = [each.name for each in self.concepts]
        ranked = _ranked(self.engine, vector, names, self._embeds, decided)
        uses = {each.name for each in self.concepts if each.kind == "use"}
        return {
            "Uses": [each for each in ranked if each.label in uses][:_MOST_RANKED],
            "Concepts": [each for each in ranked if each.label not in uses][:_MOST_RANKED],
        }


def _ranked(
    engine: Engine,
    vector: np.ndarray,
    names: Sequence[str],
    embeds: np.ndarray,
    decided: Sequence[bool | None] | None = None,
) -> list[Ranked]:
    cosines = embeds @ vector
    calibration = engine.calibration
    probabilities = None if calibration is None else calibration.probabilities(vector[None], embeds)[0]
    found = [
        Ranked(
            name,
            float(cosines[place]),
            None if probabilities is None else float(probabilities[place]),
            None if decided is None else decided[place],
        )
        for place, name in enumerate(names)
    ]
    return sorted(found, key=lambda each: -(each.cosine if each.probability is None else each.probability))


def ranked_html(title: str, ranked: Sequence[Ranked], with_facts: bool = False) -> str:
    """
    Write ranked descriptions as a table.

    Args:
        title: Caption of the table.
        ranked: The descriptions, best first.
        with_facts: Whether to show what the facts say.
    """
    calibrated = bool(ranked) and ranked[0].probability is not None
    heads = ["Description", *(["Probability"] if calibrated else []), "Cosine", *(["By facts"] if with_facts else [])]
    rows = []
    for each in ranked:
        cells = [tag("th", text(each.label), scope="row")]
        if each.probability is not None:
            cells.append(tag("td", f"{each.probability:.0%}"))
        cells.append(tag("td", f"{each.cosine:.3f}"))
        if with_facts:
            cells.append(tag("td", _BY_FACTS[each.by_facts]))
        rows.append(tag("tr", "".join(cells)))
    head = tag("tr", "".join(tag("th", name, scope="col") for name in heads))
    table = tag("table", tag("caption", text(title)) + tag("thead", head) + tag("tbody", "".join(rows)))
    return tag("div", table, class_="clac-scroll")


def relatives_html(index: CrystalIndex, vector: np.ndarray) -> str:
    """
    Write the nearest relatives of a crystal.

    Args:
        index: The crystals.
        vector: `(dim,)` embedding of the crystal.
    """
    rows = []
    for hit in index.search(vector, _MOST_RELATIVES):
        record = hit.record
        name = formula(record.get("formula")) + tag("span", text(record.get("material_id") or ""), class_="id")
        cells = tag("th", name, scope="row") + tag("td", space_group(record.get("space_group_symbol") or "unknown"))
        rows.append(tag("tr", cells + tag("td", f"{hit.score:.3f}")))
    head = tag("tr", "".join(tag("th", name, scope="col") for name in ("Crystal", "Space group", "Cosine")))
    table = tag("table", tag("caption", "Nearest relatives") + tag("thead", head) + tag("tbody", "".join(rows)))
    return tag("div", table, class_="clac-scroll")


def description_html(
    ranking: ConceptRanking, index: CrystalIndex, vector: np.ndarray, facts: FactTable, lines: Sequence[str] = ()
) -> str:
    """
    Write what a crystal is.

    Args:
        ranking: The concepts.
        index: Crystals among which relatives are found.
        vector: `(dim,)` embedding of the crystal.
        facts: Its facts, a table of one row.
        lines: Notes on the crystal, such as that it is far from everything known.
    """
    parts = [notes(lines, "warning"), relatives_html(index, vector)]
    parts += [ranked_html(title, own, with_facts=True) for title, own in ranking.rank(vector, facts).items()]
    if ranking.engine.calibration is None:
        parts.append(notes(["This checkpoint has no calibration, so that there are no probabilities."]))
    return "".join(parts)


__all__ = ["ConceptRanking", "Ranked", "description_html", "rank_labels", "ranked_html", "relatives_html"]
