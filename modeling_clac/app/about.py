"""The box that says what the model has not seen, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..concepts.elements import ELEMENT_NAMES
from ..data.properties import PROPERTIES
from ..inference.domain import MIN_CRYSTALS
from .markup import tag, text

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint
    from .engine import Engine


def about_html(engine: Engine) -> str:
    """
    Write what the model and the data know and do not know.

    Args:
        engine: The models and the index.
    """
    index, parts = engine.index, []
    parts.append(
        f"{len(index):,} crystals are searched with the model {engine.checkpoint.name}. Values come from the sources "
        "that each crystal names, most of them from density functional theory, whose band gaps are too small."
    )
    parts.append(_coverage(engine))
    parts += [_elements(engine), _quality(engine.checkpoint)]
    parts.append(
        "A score ranks crystals and is no probability. Words that the model has not seen, and structures that are far "
        "from all training crystals, get a note. Crystals that are not in the index are not found: a search without a "
        "good result does not mean that there is no such crystal."
    )
    return "".join(tag("p", text(part)) for part in parts if part)


def _coverage(engine: Engine) -> str:
    """Say how many values are known."""
    table = engine.index.table
    shares = []
    for column, row in PROPERTIES.items():
        if row.option and not row.from_structure and column in table.column_names:
            values = table[column].to_numpy(zero_copy_only=False)
            shares.append(f"{row.label} {(values == values).mean():.0%}")
    return f"Known values: {', '.join(shares)}. The others are unknown, and are shown as such." if shares else ""


def _elements(engine: Engine) -> str:
    calibration = engine.calibration
    counts: Mapping[str, int] = (
        {} if calibration is None else calibration.record.get("crystals", {}).get("elements", {})
    )
    if not counts:
        return ""
    rare = [symbol for symbol in ELEMENT_NAMES if counts.get(symbol, 0) < MIN_CRYSTALS]
    return (
        f"The model was trained on inorganic crystals. Fewer than {MIN_CRYSTALS} of them contain "
        f"{', '.join(rare)}; it knows next to nothing of these elements, of molecules, and of surfaces and defects."
    )


def _quality(checkpoint: Checkpoint) -> str:
    """Say how often the right crystal was found on validation, as the checkpoint states."""
    file = checkpoint.file("training.json")
    if file is None:
        return ""
    scores: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8")).get("validation") or {}
    first, ten = scores.get("text_to_crystal_top_1"), scores.get("text_to_crystal_top_10")
    if not isinstance(first, float) or not isinstance(ten, float):
        return ""
    return (
        f"On validation, the crystal of a description was the first hit for {first:.1%} of the crystals, and among "
        f"the first ten for {ten:.1%}. Searches in a few words of your own are harder than that."
    )


__all__ = ["about_html"]
