"""Pairs the materials that paragraphs speak of with crystals, at a cost that grows with the text alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datasets_scripts.common.records import Report
from datasets_scripts.entity_linking.corpus import Paragraph
from datasets_scripts.entity_linking.formulas import Composition, composition_of, flatten_markup
from datasets_scripts.entity_linking.material_names import Named
from datasets_scripts.entity_linking.mentions import Mention, read_paragraph
from datasets_scripts.entity_linking.polymorphs import Candidate, choose


class Catalogue:
    """Crystals by composition: looking one up takes the same time however many there are."""

    def __init__(self, records: Iterable[Mapping[str, Any]]):
        self._crystals: dict[Composition, list[Candidate]] = {}
        self.unread = 0
        for row, record in enumerate(records):
            composition = composition_of(str(record["formula"]))
            if composition is None:
                self.unread += 1
                continue
            energy = record.get("energy_above_hull")
            candidate = Candidate(
                row,
                int(record.get("space_group_number") or 0),
                math.inf if energy is None or math.isnan(energy) else float(energy),
                str(record["material_id"]),
                int(record.get("nsites") or 0),
            )
            self._crystals.setdefault(composition, []).append(candidate)

    def __len__(self) -> int:
        """Different compositions."""
        return len(self._crystals)

    def get(self, composition: Composition) -> list[Candidate] | None:
        return self._crystals.get(composition)


@dataclass(frozen=True)
class Pair:
    """
    Attributes:
        row: of the crystal in the catalogue. text: the paragraph with flat subscripts. mention: the first of the
            material in it. how: see `Choice`.
    """

    row: int
    text: str
    mention: Mention
    how: str


def match_document(
    paragraphs: Iterable[Paragraph], catalogue: Catalogue, report: Report, max_materials: int = 6
) -> Iterator[tuple[Paragraph, Pair]]:
    """
    The pairs of one document, in the order of the text; what was left out is counted in the report.

    Args:
        max_materials: a paragraph that speaks of more materials than this describes none of them.
    """
    abbreviations: dict[str, Named] = {}
    for paragraph in paragraphs:
        text = flatten_markup(paragraph.text)
        reading = read_paragraph(text, abbreviations)
        abbreviations |= reading.abbreviations
        for reason, number in reading.left_out.items():
            report.count(f"mentions left out: {reason}", number)
        spoken_of: dict[Composition, list[Mention]] = {}
        for mention in reading.mentions:
            spoken_of.setdefault(mention.composition, []).append(mention)
        if len(spoken_of) > max_materials:
            report.count("paragraphs left out: too many materials")
            continue
        for composition, mentions in spoken_of.items():
            candidates = catalogue.get(composition)
            if candidates is None:
                report.count("materials left out: no crystal of that composition")
                continue
            choice = choose(text, mentions, candidates)
            if choice.candidate is None:
                report.count(f"materials left out: {choice.how}")
                continue
            yield paragraph, Pair(choice.candidate.row, text, mentions[0], choice.how)


__all__ = ["Catalogue", "Pair", "match_document"]
