"""The command `clac classify`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors_clac import ClacInputError, ErrorPolicy
from ..utils.json_text import plain
from .options import (
    STRUCTURES,
    Disorder,
    Json,
    MaxAtoms,
    Model,
    OnError,
    Strict,
    TableOutput,
    check_policy,
    reading_options,
)
from .support import (
    StructureInput,
    load_embedder,
    named,
    note,
    note_crystals,
    nothing_left,
    open_checkpoint,
    print_json,
    reading_json,
    report_reading,
    short_names,
)

if TYPE_CHECKING:
    import numpy as np

    from ..data.graph_batches import CrystalGraph
    from ..inference.calibration import Calibration
    from ..inference.embedder import ClacEmbedder

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
    base_rate: Annotated[
        float | None,
        typer.Option(
            help="Share of pairs of crystal and label that fit from the start. Default: that of pairs drawn at random."
        ),
    ] = None,
    output: TableOutput = None,
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
    if base_rate is not None and not 0.0 < base_rate < 1.0:
        raise ClacInputError(f"--base-rate {base_rate:g}: must be between 0 and 1")
    if output is not None:
        from ..utils.row_files import check_output

        check_output(output)
    checkpoint = open_checkpoint(model)
    from ..inference.calibration import Calibration, no_calibration

    calibration = Calibration.from_checkpoint(checkpoint)
    if calibration is None and len(names) == 1:
        raise ClacInputError(no_calibration(checkpoint))
    embedder = load_embedder(checkpoint)
    texts = embedder.encode_text([template.replace("{}", name) for name in names])
    structures, errors = StructureInput(files, reading_options(max_atoms, disorder, strict)), ErrorPolicy(on_error)
    crystals: list[dict[str, Any]] = []
    for batch, embeds in embedder.embed_batches(structures, errors=errors, options=structures.options):
        crystals += _classified(embedder, calibration, batch, embeds, names, texts, base_rate)
    skipped = [left_out.reason for left_out in errors.skipped]
    if not crystals:
        raise ClacInputError(nothing_left(skipped))
    report_reading(structures.notes, errors.warned, skipped)
    label_notes = {}
    if calibration is None:
        note(f"no probabilities; {no_calibration(checkpoint)}")
    else:
        found = {name: calibration.vocabulary.label_note(name) for name in names}
        label_notes = {name: line for name, line in found.items() if line is not None}
    for name, line in label_notes.items():
        note(f"label {name!r}: {line}")
    note_crystals(crystals)
    described = {
        **named(checkpoint),
        "template": template,
        "base_rate": None if calibration is None else base_rate or calibration.base_rate,
        "label_notes": label_notes,
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
        print(f"{output}: {len(crystals):,} crystals, {len(names)} labels")
    else:
        _print(crystals, calibrated=calibration is not None, several=len(names) > 1)


def _classified(
    embedder: ClacEmbedder,
    calibration: Calibration | None,
    batch: list[CrystalGraph],
    embeds: np.ndarray,
    names: list[str],
    texts: np.ndarray,
    base_rate: float | None,
) -> Iterator[dict[str, Any]]:
    """Yield for each crystal its file, its labels, best first, and a note if it is far from training."""
    import numpy as np

    logits = embedder.logits(embeds, texts).astype(float)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = {"softmax": weights / weights.sum(axis=1, keepdims=True), "cosine": embedder.similarity(embeds, texts)}
    notes: list[str | None] = [None] * len(batch)
    if calibration is not None:
        scores["probability"] = calibration.probabilities(embeds, texts, base_rate)
        notes = calibration.crystal_notes([graph.crystal for graph in batch], embeds)
    for row, graph in enumerate(batch):
        own = {kind: scores[kind][row].tolist() if kind in scores else [None] * len(names) for kind in _UNITS}
        order = np.argsort(-scores["cosine"][row], kind="stable").tolist()
        ranked = [{"label": names[place], **{kind: own[kind][place] for kind in _UNITS}} for place in order]
        yield {"file": graph.name, "labels": ranked, "note": notes[row]}


def _labels(labels: str, template: str) -> list[str]:
    names = [label.strip() for label in labels.split(",")]
    if not all(names):
        raise ClacInputError(f"--labels {labels!r}: a label is empty; separate the labels by single commas")
    if len({name.lower() for name in names}) < len(names):
        raise ClacInputError(f"--labels {labels!r}: a label is given twice; remove the duplicate")
    if "{}" not in template:
        raise ClacInputError(f"--template {template!r}: no {{}} in the template; put {{}} where the label belongs")
    return names


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
