"""The commands `clac ner` and `clac predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors_clac import ClacInputError, ErrorPolicy, one_line
from ..utils.json_text import plain
from .options import (
    STRUCTURES,
    Disorder,
    Ensemble,
    FineTuned,
    Json,
    MaxAtoms,
    OnError,
    Strict,
    TableOutput,
    check_policy,
    reading_options,
)
from .support import (
    StructureInput,
    be_quiet,
    note,
    note_crystals,
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
    model: Ensemble,
    coverage: Annotated[float, typer.Option(help="Probability that an interval contains the true value.")] = 0.9,
    output: TableOutput = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Predict a property or the class of crystals with a fine-tuned model, or with an ensemble of several."""
    check_policy(on_error, max_atoms, disorder)
    if output is not None:
        from ..utils.row_files import check_output

        check_output(output)
    checkpoints = [open_checkpoint(name, whole=False) for name in model]
    from ..inference.ensemble import PropertyEnsemble

    be_quiet()
    ensemble = PropertyEnsemble.load(checkpoints, coverage)
    structures, errors = StructureInput(files, reading_options(max_atoms, disorder, strict)), ErrorPolicy(on_error)
    found = ensemble.predict(structures, errors, structures.options)
    reasons = [left_out.reason for left_out in errors.skipped]
    if not found:
        raise ClacInputError(nothing_left(reasons))
    report_reading(structures.notes, errors.warned, reasons)
    for line in ensemble.notes:
        note(line)
    predictions = [{"file": structures.names[place], **prediction} for place, prediction in found.items()]
    note_crystals(predictions)
    described = {
        "model": [checkpoint.name for checkpoint in checkpoints] if len(checkpoints) > 1 else checkpoints[0].name,
        "target": ensemble.target,
        "coverage": ensemble.coverage,
        "notes": ensemble.notes,
        "units": ensemble.units,
        **reading_json(errors.warned, reasons),
    }
    if output is not None:
        from ..utils.row_files import write_rows

        write_rows(output, predictions, plain(described))
    if as_json:
        print_json(predictions=predictions, **described)
    elif output is not None:
        print(f"{output}: {len(predictions):,} crystals")
    else:
        _print_predictions(predictions, ensemble)


def _print_predictions(predictions: list[dict[str, Any]], ensemble: Any) -> None:
    """Print a table of predictions."""
    from .printing import print_rows

    files = short_names([entry["file"] for entry in predictions])
    target = ensemble.target
    rows: list[tuple[str, ...]]
    if "label" in predictions[0]:
        rows = [
            (file, entry["label"], f"{entry['probability']:.3f}")
            for file, entry in zip(files, predictions, strict=True)
        ]
        print_rows(("file", target or "label", "probability"), rows, num_texts=2)
        return
    unit = ensemble.units["value"]
    shown = {"value": f"{target or 'value'}\n{unit}"}
    if ensemble.coverage is not None:
        percent = f"{100 * ensemble.coverage:.3g} %"
        shown |= {"low": f"from\n{percent}", "high": f"to\n{percent}"}
    if predictions[0]["spread"] is not None:
        shown["spread"] = "spread"
    rows = [
        (file, *(f"{entry[column]:.4g}" for column in shown)) for file, entry in zip(files, predictions, strict=True)
    ]
    print_rows(("file", *shown.values()), rows)


__all__ = ["ner", "predict"]
