"""Results as files for the browser. Nothing stays on the disk of the server."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..data.properties import UNITS
from ..errors_clac import ClacInputError
from ..search.export import SUFFIXES, write_hits
from ..utils.json_text import json_text
from .searches import Found

_KINDS = {
    ".csv": "text/csv;charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".zip": "application/zip",
}


@dataclass(frozen=True)
class Download:
    """
    A file to download.

    Attributes:
        name: Its name.
        kind: Its media type.
        content: Its bytes.
    """

    name: str
    kind: str
    content: bytes

    def to_json(self) -> str:
        """Write the file as JSON, from which the page makes it."""
        return json.dumps(
            {"name": self.name, "kind": self.kind, "content": base64.b64encode(self.content).decode("ascii")}
        )


def download(found: Found, suffix: str) -> Download:
    """
    Write results to a file.

    Args:
        found: The result of a search.
        suffix: One of `.csv`, `.parquet`, `.json`, and `.zip` (CIFs).

    Raises:
        ClacInputError: If there is no such format, or the index has no structures for an archive.
    """
    if suffix not in SUFFIXES:
        raise ClacInputError(f"{suffix}: choose one of {', '.join(SUFFIXES)}")
    if suffix == ".zip":
        found.index.stored.require_structures()
    document = {
        "text": found.request.text,
        "like": found.request.like or None,
        "query": None if found.query is None else found.query.to_dict(),
        "notes": list(found.notes),
        "command": found.request.command(),
        "model": found.index.model_name,
        "model_fingerprint": found.index.model_fingerprint,
        "num_crystals": len(found.index),
        "hits": found.hits.to_records(),
        "units": {"score": "cosine", **UNITS},
    }
    with TemporaryDirectory() as directory:
        path = Path(directory) / f"clac-hits{suffix}"
        write_hits(found.hits, path, json_text(document))
        return Download(path.name, _KINDS[suffix], path.read_bytes())


__all__ = ["Download", "download"]
