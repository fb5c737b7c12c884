"""Properties of the Materials Project, through its own client: more than its OPTIMADE server gives."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from datasets_scripts.common.records import Report
from datasets_scripts.databases.attributes import number_at
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.errors_clac import ClacInputError, one_line
from modeling_clac.utils.atomic_files import replaced_file

# Our column -> path in a summary.
SUMMARY = {column: row.mp_summary for column, row in PROPERTIES.items() if row.mp_summary}
_AT_ONCE = 200  # materials a request: their ids have to fit into an address


def read_summary(summary: Mapping[str, Any]) -> dict[str, float]:
    """The property columns that a summary gives."""
    found = {column: number_at(summary, path) for column, path in SUMMARY.items()}
    return {column: value for column, value in found.items() if value is not None}


def add_summaries(
    records: list[dict[str, Any]], key: str | None, directory: Path, report: Report, endpoint: str | None = None
) -> None:
    """
    Adds properties to the records whose ids are those of the project; what a summary gives counts.

    Args:
        records: rows, changed in place. key: of the user. directory: keeps the answers, so that a run that was cut asks
            only for what is missing. endpoint: another server with the same interface; default `MP_API_ENDPOINT`, or
            that of the project.

    Raises:
        ClacInputError: no key, the client is not installed, or the server refuses. What has arrived is kept.
    """
    if not key:
        raise ClacInputError("--mp_properties: set MP_API_KEY to your key (https://materialsproject.org/api)")
    try:
        from mp_api.client import MPRester
        from mp_api.client.core import MPRestError
    except ImportError:
        raise ClacInputError("--mp_properties needs the package mp-api: pip install 'clac-crystals[mp]'") from None
    stored: dict[str, dict[str, float]] = {}
    files = sorted(directory.glob("summary-*.json"))
    for file in files:
        stored |= json.loads(file.read_text(encoding="utf-8"))
    asked = [record["material_id"] for record in records if record["material_id"].startswith("mp-")]
    missing = [material for material in asked if material not in stored]
    if missing:
        fields = sorted({path.split(".")[0] for path in SUMMARY.values()})
        try:
            client = MPRester(
                key,
                endpoint=endpoint or os.environ.get("MP_API_ENDPOINT"),
                use_document_model=False,
                mute_progress_bars=True,
            )
            with client:
                for start in tqdm(range(0, len(missing), _AT_ONCE), desc="summaries", disable=None):
                    chunk = missing[start : start + _AT_ONCE]
                    answers = client.materials.summary.search(material_ids=chunk, fields=["material_id", *fields])
                    # Those without an answer, too: a withdrawn material is not asked for again.
                    page: dict[str, dict[str, float]] = {material: {} for material in chunk}
                    page |= {str(answer["material_id"]): read_summary(answer) for answer in answers}
                    with replaced_file(directory / f"summary-{len(files):05d}.json") as new:
                        new.write_text(json.dumps(page), encoding="utf-8")
                    files.append(directory / f"summary-{len(files):05d}.json")
                    stored |= page
        except (MPRestError, ValueError, OSError) as error:
            raise ClacInputError(f"the Materials Project refuses ({one_line(error)}); run again to go on") from None
    for record in records:
        properties = stored.get(record["material_id"])
        if properties:
            record.update(properties)
            report.count("crystals with a summary of the Materials Project")


__all__ = ["SUMMARY", "add_summaries", "read_summary"]
