"""What `clac ner` and `clac predict` compute and print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.utils import logging

from ..data.crystal_table import crystal_files
from ..heads_clac import ClacForGraphClassification, ClacForGraphRegression
from ..inference.checkpoints import Checkpoint
from ..inference.predictor import load_finetuned, predict_crystals
from ..inference.tagger import tag_words
from ..structures_clac import MAX_ATOMS
from .printing import print_rows


def _be_quiet() -> None:
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def find_entities(text: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """The document that `clac ner --json` prints, see [`tag_words`]."""
    _be_quiet()
    (entities,) = tag_words(checkpoint, [text])
    units = {"start": "characters", "end": "characters", "score": "probability"}
    return {"text": text, "entities": entities, "units": units}


def print_entities(document: dict[str, Any]) -> None:
    """Prints the entities of [`find_entities`] as a table."""
    rows = [
        (
            " ".join(entity["text"].split()),
            entity["type"],
            f"{entity['score']:.3f}",
            f"{entity['start']}-{entity['end']}",
        )
        for entity in document["entities"]
    ]
    print_rows(("entity", "type", "score", "characters"), rows)


def predict_files(
    files: Sequence[Path], checkpoint: Checkpoint, on_error: str, max_atoms: int | None
) -> tuple[dict[str, Any], list[str]]:
    """The document that `clac predict --json` prints, see [`predict_crystals`], and why files were skipped."""
    _be_quiet()
    paths = crystal_files(files)
    model = load_finetuned(checkpoint, ClacForGraphRegression, ClacForGraphClassification)
    found, skipped = predict_crystals(model, paths, on_error=on_error, max_atoms=max_atoms or MAX_ATOMS)
    predictions = [{"file": str(paths[place]), **prediction} for place, prediction in found.items()]
    reasons = [left_out.reason for left_out in skipped]
    config = model.config
    if isinstance(model, ClacForGraphRegression):
        units = {"value": config.target_unit or "unknown"}
    else:
        units = {"probability": "softmax over the labels"}
    document = {"target": config.target_name, "predictions": predictions, "skipped": reasons, "units": units}
    return document, reasons


def print_predictions(document: dict[str, Any]) -> None:
    """Prints the predictions of [`predict_files`] as a table; files by name where that tells them apart."""
    predictions = document["predictions"]
    target = document["target"] or "value"
    files = [Path(entry["file"]).name for entry in predictions]
    if len(set(files)) < len(files):
        files = [entry["file"] for entry in predictions]
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if "value" in predictions[0]:
        header = ("file", f"{target}\n{document['units']['value']}")
        rows = [(file, f"{entry['value']:.4g}") for file, entry in zip(files, predictions, strict=True)]
    else:
        header = ("file", document["target"] or "label", "probability")
        rows = [
            (file, entry["label"], f"{entry['probability']:.3f}")
            for file, entry in zip(files, predictions, strict=True)
        ]
    print_rows(header, rows)


__all__ = ["find_entities", "predict_files", "print_entities", "print_predictions"]
