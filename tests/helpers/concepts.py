"""Small vocabularies."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.vocabulary import Vocabulary

_NOUNS = ("kind", "sort", "class", "family", "clan", "type", "set", "lot")


def small_vocabulary(*entries: dict[str, Any]) -> Vocabulary:
    """Make a vocabulary. Concepts without wordings get eight: the id and a noun."""
    full = [
        {"name": entry["id"], "wordings": "\n".join(f"{entry['id']} {noun}" for noun in _NOUNS), **entry}
        for entry in entries
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "concepts.yaml"
        path.write_text(yaml.safe_dump(full), encoding="utf-8")
        return Vocabulary(read_concepts(path))
