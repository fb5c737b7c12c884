"""The commands `clac classify`, `clac ner` and `clac predict`."""

from __future__ import annotations

import math
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
    Model,
    OnError,
    Strict,
    check_policy,
    reading_options,
)
from .support import (
    StructureInput,
    be_quiet,
    load_embedder,
    note,
    nothing_left,
    open_checkpoint,
    print_json,
    read_one,
    reading_json,
    report_reading,
    short_names,
    warnings_json,
)


def classify(
    file: Annotated[Path, typer.Argument(help="File with one structure, FILE#NAME, or - for standard input.")],
    labels: Annotated[str, typer.Option(help='Comma-separated descriptions, such as "metal, oxide, nitride".')],
    template: Annotated[str, typer.Option(help='Sentence with {} for the label, such as "The crystal is {}."')] = "{}",
    model: Model = None,
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Find the description that fits a crystal best, by zero-shot classification."""
    check_policy("raise", max_atoms, disorder)
    names = [label.strip() for label in labels.split(",")]
    if not all(names):
        raise ClacInputError(f"--labels {labels!r}: a label is empty; separate the labels by single commas")
    if len(names) < 2:
        raise ClacInputError(f"--labels {labels!r}: give at least two labels, separated by commas")
    if len({name.lower() for name in names}) < len(names):
        raise ClacInputError(f"--labels {labels!r}: a label is given twice; remove the duplicate")
    if "{}" not in template:
        raise ClacInputError(f"--template {template!r}: no {{}} in the template; put {{}} where the label belongs")
    checkpoint = open_checkpoint(model)
    from .printing import print_rows

    embedder = load_embedder(checkpoint)
    parsed, warned = read_one(file, reading_options(max_atoms, disorder, strict))
    crystal = embedder.encode_crystals([parsed], names=[str(file)])
    report_reading([], warned, [])
    texts = embedder.encode_text([template.replace("{}", name) for name in names])
    cosines = embedder.similarity(crystal, texts)[0].tolist()
    logits = embedder.logits(crystal, texts)[0].tolist()
    weights = [math.exp(logit - max(logits)) for logit in logits]
    ranked = sorted(zip(names, weights, cosines, strict=True), key=lambda row: -row[1])
    results = [{"label": name, "probability": w / sum(weights), "cosine": cosine} for name, w, cosine in ranked]
    if as_json:
        units = {"probability": "softmax over the labels", "cosine": "cosine"}
        doubts = warnings_json(warned)
        print_json(file=str(file), model=checkpoint.name, labels=results, warnings=doubts, units=units)
    else:
        rows = [(row["label"], f"{row['probability']:.3f}", f"{row['cosine']:.3f}") for row in results]
        print_rows(("label", "probability", "cosine"), rows)


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


__all__ = ["classify", "ner", "predict"]
