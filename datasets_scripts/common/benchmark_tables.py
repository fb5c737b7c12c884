"""Tables of the crystal-text benchmark, which `datasets_scripts.benchmark` writes."""

from __future__ import annotations

import pyarrow as pa

_IDS = pa.list_(pa.string())
SCHEMAS = {
    "texts": pa.schema([("text_id", pa.string()), ("text", pa.large_string())]),
    "crystals": pa.schema(
        [
            ("material_id", pa.string()),
            ("formula", pa.string()),
            ("space_group_number", pa.int32()),
            ("cif", pa.large_string()),
        ]
    ),
    "pools": pa.schema([("pool", pa.string()), ("material_id", pa.string())]),
    "retrieval": pa.schema([("task", pa.string()), ("text_id", pa.string()), ("material_id", pa.string())]),
    "phrases": pa.schema(
        [
            ("text_id", pa.string()),
            ("concept", pa.string()),
            ("kind", pa.string()),
            ("right", _IDS),
            ("undecided", _IDS),
        ]
    ),
    "questions": pa.schema(
        [
            ("question_id", pa.string()),
            ("material_id", pa.string()),
            ("kind", pa.string()),
            ("difficulty", pa.string()),
            ("question", pa.string()),
            ("options", _IDS),
            ("answer", pa.int32()),
        ]
    ),
}
MEANINGS = {
    ("texts", "text_id"): "id of the text, to which the other tables refer",
    ("texts", "text"): "the text to embed; no text occurs twice",
    ("crystals", "material_id"): "identifier in the Materials Project",
    ("crystals", "formula"): "reduced formula; not an input of the crystal encoder",
    ("crystals", "space_group_number"): "space group number; not an input of the crystal encoder",
    ("crystals", "cif"): "structure to embed, as CIF in space group P1",
    ("pools", "pool"): "name of the pool, its number of crystals; larger pools contain smaller ones",
    ("pools", "material_id"): "crystal of the pool",
    ("retrieval", "task"): "kind of text, see below",
    ("retrieval", "text_id"): "the text",
    ("retrieval", "material_id"): "the crystal that it was written for",
    ("phrases", "text_id"): "the phrase",
    ("phrases", "concept"): "id of the concept that the phrase names",
    ("phrases", "kind"): "kind of the concept",
    ("phrases", "right"): "crystals for which the concept holds",
    ("phrases", "undecided"): "crystals for which it is unknown, or holds partly; leave them out",
    ("questions", "question_id"): "id of the question",
    ("questions", "material_id"): "the crystal",
    ("questions", "kind"): "kind of question",
    ("questions", "difficulty"): "`easy` or `hard`",
    ("questions", "question"): "the question, with the bounds of its classes; need not be embedded",
    ("questions", "options"): "ids of the statements to choose from; exactly one is true",
    ("questions", "answer"): "place of the true statement in `options`, from 0",
}
TASKS = {
    "narrative": "sentences on composition, symmetry, properties and uses, by the narrator of CLaC",
    "narrative_masked": "the same without formula and element names",
    "formula": "reduced formula",
    "formula_crystal_system": "reduced formula and crystal system",
    "description": "structure description by Robocrystallographer",
    "description_first": "its first sentence, which names formula and space group",
}

__all__ = ["MEANINGS", "SCHEMAS", "TASKS"]
