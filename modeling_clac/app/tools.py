"""What an assistant may ask of an index of crystals: searches, records, similar crystals, descriptions that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors_clac import ClacInputError, InvalidStructureError
from .engine import Engine

if TYPE_CHECKING:
    import numpy as np

    from ..crystal_clac import Crystal
    from ..inference.checkpoints import Checkpoint
    from ..search.hits import Hits
    from ..search.index import CrystalIndex

MOST_HITS = 50
MOST_LABELS = 50
MOST_CONCEPTS = 100
LONGEST_TEXT = 5_000  # characters
LARGEST_CIF = 1_000_000  # characters
MAX_ATOMS = 500


class Tools:
    """
    Read-only tools over one index. No argument names a file, so nothing else of the machine can be read.

    Args:
        checkpoint: The checkpoint of the index.
        index: The index.

    Raises:
        ClacInputError: In all methods, if an argument is invalid; the message says what to do.
    """

    def __init__(self, checkpoint: Checkpoint, index: CrystalIndex):
        self.engine, self.index = Engine(checkpoint, index), index

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        elements: Sequence[str] = (),
        exclude_elements: Sequence[str] = (),
        crystal_system: str | None = None,
        space_group: str | None = None,
        formula: str | None = None,
        ranges: Mapping[str, Sequence[float | None]] | None = None,
        strict: bool = False,
    ) -> dict[str, Any]:
        """
        Find crystals by a description.

        Args:
            text: The description, in English.
            k: Number of crystals.
            elements: Elements that must be present.
            exclude_elements: Elements that must be absent.
            crystal_system: The crystal system.
            space_group: Number or symbol of the space group.
            formula: The composition.
            ranges: Column -> (minimum, maximum) in the unit of the column; `None` leaves an end open.
            strict: Whether to return only crystals that meet all constraints for sure.

        Returns:
            `read_as`, the constraints as they were understood; `not_read`, words that were not; `notes`; `num_crystals`
            searched; `units` of the columns; and `hits`, with a `mark` for each constraint.
        """
        from ..search.filters import Filters
        from ..search.text_search import ranked_hits

        _check_text(text)
        _check_count("k", k, MOST_HITS)
        bounds = {name: _bounds(name, pair) for name, pair in (ranges or {}).items()}
        filters = Filters(elements, exclude_elements, crystal_system, space_group, formula, bounds)
        query = self.engine.understand(text)
        vector = self.engine.text_encoder.encode_text([text])[0]
        hits = ranked_hits(self.index, vector, query, self.engine.vocabulary, k, filters=filters, strict=strict)
        assert hits.query is not None
        read = hits.query.to_dict()
        return {
            "read_as": read["read_as"],
            "not_read": read["not_read"],
            "notes": read["notes"],
            **self._document(hits),
        }

    def crystal(self, material_id: str, cif: bool = False) -> dict[str, Any]:
        """
        Return what is known of a crystal.

        Args:
            material_id: Its id.
            cif: Whether to return the structure as CIF.
        """
        from ..data.properties import UNITS
        from ..data.sources import licence_text, source_link

        row = self.index.stored.row_of(material_id)
        record = self.index.record(row)
        facts = self.index.facts.take([row])
        found: dict[str, Any] = {
            "record": record,
            "concepts": [concept.name for concept in self.engine.vocabulary.describe(facts, 0)],
            "link": source_link(record),
            "licence": licence_text(record),
            "units": {name: unit for name, unit in UNITS.items() if name in record},
        }
        if cif:
            from ..data.structure_writing import cif_text

            found["cif"] = cif_text(self.index.structure(row), material_id)
        return found

    def similar(self, material_id: str | None = None, cif: str | None = None, k: int = 10) -> dict[str, Any]:
        """
        Find the crystals nearest to one of the index or to a structure.

        Args:
            material_id: Id of a crystal of the index, which is not among the results.
            cif: A structure, as CIF.
            k: Number of crystals.
        """
        _check_count("k", k, MOST_HITS)
        row = None
        if material_id is not None and cif is None:
            row = self.index.stored.row_of(material_id)
        vector, notes = self._embedded(material_id, cif)
        hits = self.index.search(vector, k + (row is not None))
        kept = [place for place, hit in enumerate(hits) if hit.row != row][:k]
        found = self._document(hits)
        ranked = [{**found["hits"][place], "rank": rank} for rank, place in enumerate(kept, start=1)]
        return {"notes": notes, **found, "hits": ranked}

    def classify(self, labels: Sequence[str], material_id: str | None = None, cif: str | None = None) -> dict[str, Any]:
        """
        Estimate how well descriptions fit a crystal.

        Args:
            labels: Descriptions in English.
            material_id: Id of a crystal of the index.
            cif: Another structure, as CIF.

        Returns:
            `labels`, best first, each with its `cosine` and, if the checkpoint has a calibration, its `probability`;
            and `notes`, what was read with doubt.
        """
        if not labels:
            raise ClacInputError("labels: none given; give at least one description")
        _check_count("number of labels", len(labels), MOST_LABELS)
        for label in labels:
            _check_text(label)
        vector, notes = self._embedded(material_id, cif)
        texts = self.engine.text_encoder.encode_text(list(labels))
        cosines = texts @ vector
        calibration = self.engine.calibration
        found = [{"label": label, "cosine": float(value)} for label, value in zip(labels, cosines, strict=True)]
        if calibration is not None:
            for entry, value in zip(found, calibration.probabilities(vector[None], texts)[0], strict=True):
                entry["probability"] = float(value)
        return {"labels": sorted(found, key=lambda entry: -float(entry["cosine"])), "notes": notes}

    def understand(self, text: str) -> dict[str, Any]:
        """
        Read a description as constraints, without a search.

        Args:
            text: The description, in English.

        Returns:
            `read_as`, `constraints`, `not_read`, `notes`, `contradictions`, and `optimade`: the same as a filter of
            OPTIMADE, with what it does not say.
        """
        from ..search.filters import Filters
        from ..search.understanding.optimade import optimade_filter

        _check_text(text)
        query = self.engine.understand(text)
        written = optimade_filter(query, self.engine.vocabulary, Filters())
        return {**query.to_dict(), "optimade": written.to_dict()}

    def concepts(self, words: str, k: int = 20) -> list[dict[str, Any]]:
        """
        Look up concepts of the vocabulary.

        Args:
            words: Words of an id, a name or a wording.
            k: Number of concepts.

        Returns:
            Id, kind, name, the number of crystals that meet each, and some wordings.
        """
        from ..concepts.spelling import key

        _check_text(words)
        _check_count("k", k, MOST_CONCEPTS)
        wanted = key(words)
        vocabulary = self.engine.vocabulary
        found = [each for each in vocabulary if any(wanted in spelled for spelled in (key(each.id), *each.keys))]
        exact = [each for each in found if wanted in (key(each.id), key(each.name), *each.keys)]
        ordered = [*exact, *(each for each in found if each not in exact)][:k]
        facts = self.index.facts
        return [
            {
                "id": each.id,
                "kind": each.kind,
                "name": each.name,
                "crystals": int((vocabulary.holds(each.id, facts) == 1).sum()),
                "wordings": list(each.wordings[:8]),
            }
            for each in ordered
        ]

    # -------------------- parts
    def _document(self, hits: Hits) -> dict[str, Any]:
        from ..data.properties import UNITS

        records = hits.to_records()
        columns = {name for record in records for name in record}
        return {
            "num_crystals": len(self.index),
            "units": {"score": "cosine", **{name: unit for name, unit in UNITS.items() if name in columns}},
            "hits": records,
        }

    def _embedded(self, material_id: str | None, cif: str | None) -> tuple[np.ndarray, list[str]]:
        """Return the vector of a crystal, and what was read of its structure with doubt."""
        if (material_id is None) == (cif is None):
            raise ClacInputError("give either the id of a crystal or a structure as CIF")
        if material_id is not None:
            vector: np.ndarray = self.index.vectors[self.index.stored.row_of(material_id)]
            return vector, []
        crystal = _structure(str(cif))
        return self.engine.crystal_encoder.encode_crystals([crystal], names=["the structure"])[0], list(
            crystal.warnings
        )


def _structure(cif: str) -> Crystal:
    from ..crystal_clac import ReadingOptions
    from ..structure_files_clac import read_text

    if len(cif) > LARGEST_CIF:
        raise ClacInputError(f"cif: {len(cif):,} characters; the largest is {LARGEST_CIF:,}")
    found = list(read_text(cif, "cif", ReadingOptions(max_atoms=MAX_ATOMS), "cif"))
    if len(found) != 1:
        raise ClacInputError(f"cif: {len(found)} structures; give one")
    (only,) = found
    if isinstance(only.crystal, InvalidStructureError):
        raise only.crystal
    return only.crystal


def _check_text(text: str) -> None:
    if not text.strip():
        raise ClacInputError("the text is empty; write a phrase or a sentence")
    if len(text) > LONGEST_TEXT:
        raise ClacInputError(f"the text has {len(text):,} characters; write at most {LONGEST_TEXT:,}")


def _check_count(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ClacInputError(f"{name} is {value}; choose 1 to {most}")


def _bounds(name: str, pair: Sequence[float | None]) -> tuple[float | None, float | None]:
    if len(pair) != 2:
        raise ClacInputError(f"ranges: {name} has {len(pair)} bounds; give [minimum, maximum], null for an open end")
    return pair[0], pair[1]


__all__ = ["Tools"]
