"""Match the materials mentioned in paragraphs with crystals; the cost depends only on the amount of text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datasets_scripts.common.records import Report
from datasets_scripts.entity_linking.corpus import Paragraph
from datasets_scripts.entity_linking.formulas import Composition, composition_of
from datasets_scripts.entity_linking.material_names import Named
from datasets_scripts.entity_linking.mentions import Mention, read_paragraph
from datasets_scripts.entity_linking.polymorphs import Candidate, choose
from modeling_clac.formulas_clac import flatten_markup


class Catalogue:
    """
    Crystals indexed by composition, for lookup in constant time.

    Args:
        records: Rows with at least `material_id` and `formula`.

    Attributes:
        unread: Number of records whose formula could not be read.
    """

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
        """Return the number of different compositions."""
        return len(self._crystals)

    def get(self, composition: Composition) -> list[Candidate] | None:
        """Return the crystals with a composition, or `None` if there are none."""
        return self._crystals.get(composition)


@dataclass(frozen=True)
class Pair:
    """
    A crystal matched with a paragraph.

    Attributes:
        row: Row of the crystal in the catalogue.
        text: Paragraph with flattened subscripts.
        mention: First mention of the material in the paragraph.
        how: How the polymorph was chosen; see `Choice`.
    """

    row: int
    text: str
    mention: Mention
    how: str


def match_document(
    paragraphs: Iterable[Paragraph], catalogue: Catalogue, report: Report, max_materials: int = 6
) -> Iterator[tuple[Paragraph, Pair]]:
    """
    Match the paragraphs of one document with crystals, in the order of the text.

    Args:
        paragraphs: Paragraphs of the document.
        catalogue: Crystals to match.
        report: Report that counts what is left out.
        max_materials: Largest number of materials in a paragraph. Paragraphs with more do not describe any of them.

    Yields:
        Paragraph and pair.
    """
    abbreviations: dict[str, Named] = {}
    for paragraph in paragraphs:
        text = flatten_markup(paragraph.text).text
        reading = read_paragraph(text, abbreviations)
        abbreviations |= reading.abbreviations
        for reason, number in reading.left_out.items():
            report.count(f"mentions left out: {reason}", number)
        mentioned: dict[Composition, list[Mention]] = {}
        for mention in reading.mentions:
            mentioned.setdefault(mention.composition, []).append(mention)
        if len(mentioned) > max_materials:
            report.count("paragraphs left out: too many materials")
            continue
        for composition, mentions in mentioned.items():
            candidates = catalogue.get(composition)
            if candidates is None:
                report.count("materials left out: no crystal with that composition")
                continue
            choice = choose(text, mentions, candidates)
            if choice.candidate is None:
                report.count(f"materials left out: {choice.how}")
                continue
            yield paragraph, Pair(choice.candidate.row, text, mentions[0], choice.how)


__all__ = ["Catalogue", "Pair", "match_document"]
