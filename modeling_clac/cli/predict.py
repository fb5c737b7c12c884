"""The commands `clac ner` and `clac predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors_clac import ClacInputError, ErrorPolicy, one_line
from .options import (
    STRUCTURES,
    Disorder,
    FineTuned,
    Json,
    MaxAtoms,
    OnError,
    Strict,
    check_policy,
    reading_options,
)
from .support import (
    StructureInput,
    be_quiet,
    note,
    nothing_left,
    open_checkpoint,
    print_json,
    reading_json,
    report_reading,
    short_names,
)


def ner(
    text: Annotated[str, typer.Argument(help="Text of one or more sentences.")],
    model: FineTuned,
    as_json: Json = False,
) -> None:
    """Find named entities in a text with a fine-tuned model."""
    if not text.strip():
        raise ClacInputError("the text is empty; write a phrase or a sentence")
    checkpoint = open_checkpoint(model, whole=False)
    from ..inference.tagger import tag_words
    from .printing import print_rows

    be_quiet()
    (entities,) = tag_words(checkpoint, [text])
    if as_json:
        units = {"start": "characters", "end": "characters", "score": "probability"}
        print_json(model=checkpoint.name, text=text, entities=entities, units=units)
    elif entities:
        rows = [
            (one_line(entry["text"]), entry["type"], f"{entry['score']:.3f}", f"{entry['start']}-{entry['end']}")
            for entry in entities
        ]
        print_rows(("entity", "type", "score", "characters"), rows)
    else:
        note("no entity found")


def predict(
    files: Annotated[list[Path], typer.Argument(help=STRUCTURES)],
    model: FineTuned,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Predict a property or the class of crystals with a fine-tuned model."""
    check_policy(on_error, max_atoms, disorder)
    checkpoint = open_checkpoint(model, whole=False)
    from ..heads_clac import ClacForGraphClassification, ClacForGraphRegression
    from ..inference.predictor import load_finetuned, predict_crystals

    be_quiet()
    structures, errors = StructureInput(files, reading_options(max_atoms, disorder, strict)), ErrorPolicy(on_error)
    fine_tuned = load_finetuned(checkpoint, ClacForGraphRegression, ClacForGraphClassification)
    found, skipped = predict_crystals(
        fine_tuned,
        structures,
        on_error=errors,
        max_atoms=structures.options.max_atoms,
        disorder=disorder,
        strict=strict,
    )
    reasons = [left_out.reason for left_out in skipped]
    if not found:
        raise ClacInputError(nothing_left(reasons))
    report_reading(structures.notes, errors.warned, reasons)
    predictions = [{"file": structures.names[place], **prediction} for place, prediction in found.items()]
    config = fine_tuned.config
    regression = isinstance(fine_tuned, ClacForGraphRegression)
    unit = config.target_unit or "unknown"
    if as_json:
        units = {"value": unit} if regression else {"probability": "softmax over the labels"}
        document = {"target": config.target_name, "predictions": predictions, "units": units}
        print_json(model=checkpoint.name, **document, **reading_json(errors.warned, reasons))
    else:
        column = f"{config.target_name or 'value'}\n{unit}" if regression else config.target_name or "label"
        _print_predictions(column, predictions)


def _print_predictions(column: str, predictions: list[dict[str, Any]]) -> None:
    """Print a table of predictions."""
    from .printing import print_rows

    files = short_names([entry["file"] for entry in predictions])
    rows: list[tuple[str, ...]]
    if "value" in predictions[0]:
        rows = [(file, f"{entry['value']:.4g}") for file, entry in zip(files, predictions, strict=True)]
        print_rows(("file", column), rows)
    else:
        rows = [
            (file, entry["label"], f"{entry['probability']:.3f}")
            for file, entry in zip(files, predictions, strict=True)
        ]
        print_rows(("file", column, "probability"), rows)


__all__ = ["ner", "predict"]
