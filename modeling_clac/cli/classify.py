"""The command `clac classify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors_clac import ClacInputError, ErrorPolicy
from .options import STRUCTURES, Disorder, Json, MaxAtoms, Model, OnError, Strict, check_policy, reading_options
from .support import (
    StructureInput,
    load_embedder,
    named,
    note,
    nothing_left,
    open_checkpoint,
    plain,
    print_json,
    reading_json,
    report_reading,
    short_names,
)

_UNITS = {
    "probability": "calibrated, of each label for itself",
    "softmax": "relative to the labels",
    "cosine": "cosine",
}


def classify(
    files: Annotated[list[Path], typer.Argument(help=STRUCTURES)],
    labels: Annotated[
        str, typer.Option(help='One description, or several separated by commas, such as "metal, oxide, nitride".')
    ],
    template: Annotated[str, typer.Option(help='Sentence with {} for the label, such as "The crystal is {}."')] = "{}",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write: .csv, .parquet or .json.")
    ] = None,
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Estimate how probable it is that descriptions fit crystals, by zero-shot classification."""
    check_policy(on_error, max_atoms, disorder)
    names = _labels(labels, template)
    if output is not None:
        from ..utils.row_files import check_output

        check_output(output)
    checkpoint = open_checkpoint(model)
    import numpy as np

    from ..inference.calibration import Calibration, no_calibration

    calibration = Calibration.from_checkpoint(checkpoint)
    if calibration is None:
        if len(names) == 1:
            raise ClacInputError(no_calibration(checkpoint))
        note(f"no probabilities; {no_calibration(checkpoint)}")
    embedder = load_embedder(checkpoint)
    texts = embedder.encode_text([template.replace("{}", name) for name in names])
    structures, errors = StructureInput(files, reading_options(max_atoms, disorder, strict)), ErrorPolicy(on_error)
    crystals: list[dict[str, Any]] = []
    for batch, embeds in embedder.embed_batches(structures, errors=errors, options=structures.options):
        scores = {"cosine": embedder.similarity(embeds, texts), "softmax": _softmax(embedder.logits(embeds, texts))}
        notes: list[str | None] = [None] * len(batch)
        if calibration is not None:
            scores["probability"] = calibration.probabilities(embeds, texts)
            notes = calibration.crystal_notes([entry.crystal for entry in batch], embeds)
        for row, (entry, found) in enumerate(zip(batch, notes, strict=True)):
            own = {name: values[row].tolist() for name, values in scores.items()}
            ranked = [
                {"label": names[place], **{name: own[name][place] if name in own else None for name in _UNITS}}
                for place in np.argsort(-np.array(own["cosine"]), kind="stable").tolist()
            ]
            crystals.append({"file": entry.name, "labels": ranked, "note": found})
    skipped = [left_out.reason for left_out in errors.skipped]
    if not crystals:
        raise ClacInputError(nothing_left(skipped))
    report_reading(structures.notes, errors.warned, skipped)
    text_notes = [] if calibration is None else [calibration.vocabulary.note(name) for name in names]
    for place, found in enumerate(text_notes):
        if found is not None:
            note(f"label {names[place]!r}: {found}")
    for entry in crystals:
        if entry["note"] is not None:
            note(f"{entry['file']}: {entry['note']}")
    described = {
        **named(checkpoint),
        "template": template,
        "base_rate": None if calibration is None else calibration.base_rate,
        "label_notes": {name: found for name, found in zip(names, text_notes, strict=False) if found is not None},
        "units": _UNITS,
        **reading_json(errors.warned, skipped),
    }
    if output is not None:
        from ..utils.row_files import write_rows

        rows = [
            {"file": entry["file"], **scored, "note": entry["note"]} for entry in crystals for scored in entry["labels"]
        ]
        write_rows(output, rows, plain(described))
    if as_json:
        print_json(crystals=crystals, **described)
    elif output is not None:
        print(f"{output}: {len(crystals):,} {'crystal' if len(crystals) == 1 else 'crystals'}, {len(names)} labels")
    else:
        _print(crystals, calibrated=calibration is not None, several=len(names) > 1)


def _labels(labels: str, template: str) -> list[str]:
    names = [label.strip() for label in labels.split(",")]
    if not all(names):
        raise ClacInputError(f"--labels {labels!r}: a label is empty; separate the labels by single commas")
    if len({name.lower() for name in names}) < len(names):
        raise ClacInputError(f"--labels {labels!r}: a label is given twice; remove the duplicate")
    if "{}" not in template:
        raise ClacInputError(f"--template {template!r}: no {{}} in the template; put {{}} where the label belongs")
    return names


def _softmax(logits: Any) -> Any:
    """Softmax of each row of `(num_crystals, num_labels)`."""
    import numpy as np

    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _print(crystals: list[dict[str, Any]], calibrated: bool, several: bool) -> None:
    """Print one row for each crystal and label."""
    from .printing import print_rows

    names = short_names([entry["file"] for entry in crystals])
    headers = {"probability": "probability", "softmax": "relative\nto labels", "cosine": "cosine"}
    columns = [name for name in headers if {"probability": calibrated, "softmax": several}.get(name, True)]
    rows = [
        (name, scored["label"], *(f"{scored[column]:.3f}" for column in columns))
        for name, entry in zip(names, crystals, strict=True)
        for scored in entry["labels"]
    ]
    print_rows(("file", "label", *(headers[column] for column in columns)), rows, num_texts=2)


__all__ = ["classify"]
