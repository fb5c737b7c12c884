"""Properties from the API of the Materials Project, which offers more than its OPTIMADE server."""

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

# Our column -> path in a summary document.
SUMMARY = {column: row.mp_summary for column, row in PROPERTIES.items() if row.mp_summary}
_AT_ONCE = 200  # materials per request; their ids must fit into the URL


def read_summary(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the property columns found in a summary document."""
    found = {column: number_at(summary, path) for column, path in SUMMARY.items()}
    return {column: value for column, value in found.items() if value is not None}


def add_summaries(
    records: list[dict[str, Any]], key: str | None, directory: Path, report: Report, endpoint: str | None = None
) -> None:
    """
    Add properties to the records with Materials Project ids; values from a summary replace existing ones.

    Args:
        records: Rows, modified in place.
        key: API key of the user.
        directory: Directory in which responses are stored, so that an interrupted run requests only what is missing.
        report: Report to update.
        endpoint: URL of another server with the same API. Default: `MP_API_ENDPOINT`, or the official server.

    Raises:
        ClacInputError: If there is no key, the client is not installed, or a request fails. Stored responses are kept.
    """
    if not key:
        raise ClacInputError(
            "--mp_properties requires an API key: set MP_API_KEY to yours (https://materialsproject.org/api)"
        )
    try:
        from mp_api.client import MPRester
        from mp_api.client.core import MPRestError
    except ImportError:
        raise ClacInputError("--mp_properties requires mp-api: pip install 'clac-crystals[mp]'") from None
    stored: dict[str, dict[str, float]] = {}
    files = sorted(directory.glob("summary-*.json"))
    for file in files:
        stored |= json.loads(file.read_text(encoding="utf-8"))
    wanted = [record["material_id"] for record in records if record["material_id"].startswith("mp-")]
    missing = [material for material in wanted if material not in stored]
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
                    # Store an empty entry for withdrawn materials, so that they are not requested again.
                    page: dict[str, dict[str, float]] = {material: {} for material in chunk}
                    page |= {str(answer["material_id"]): read_summary(answer) for answer in answers}
                    with replaced_file(directory / f"summary-{len(files):05d}.json") as new:
                        new.write_text(json.dumps(page), encoding="utf-8")
                    files.append(directory / f"summary-{len(files):05d}.json")
                    stored |= page
        except (MPRestError, ValueError, OSError) as error:
            raise ClacInputError(
                f"request to the Materials Project failed ({one_line(error)}); run again to continue"
            ) from None
    for record in records:
        properties = stored.get(record["material_id"])
        if properties:
            record.update(properties)
            report.count("crystals with a summary of the Materials Project")


__all__ = ["SUMMARY", "add_summaries", "read_summary"]
