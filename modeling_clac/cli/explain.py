"""The command `clac explain`: which atoms, bonds and words make a crystal and a text match."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors_clac import ClacInputError, Warned
from ..structure_sources_clac import STANDARD_INPUT
from .options import Disorder, Json, MaxAtoms, Model, Strict, check_policy, reading_options
from .support import (
    file_or_row,
    load_embedder,
    named,
    note,
    open_checkpoint,
    print_json,
    read_one,
    report_reading,
    warnings_json,
)

if TYPE_CHECKING:
    from ..crystal_clac import Crystal, ReadingOptions
    from ..inference.attribution import Explanation

_MOST_SHOWN = 5
_UNITS = {"cosine": "cosine", "attribution": "cosine", "bonds.length": "Å", "bonds.number": "bonds in the cell"}


def explain(
    name: Annotated[
        str,
        typer.Argument(metavar="FILE|ID", help="A structure file, or the id of a bundled crystal, such as mp-149."),
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Description of a crystal.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Page to write; it works offline.")
    ] = None,
    model: Model = None,
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Show which atoms, bonds and words make a crystal and a text match."""
    check_policy("raise", max_atoms, disorder)
    if not text.strip():
        raise ClacInputError('the text is empty; describe a crystal, such as "a wide-gap oxide"')
    if output is not None:
        _check_output(output)
    checkpoint = open_checkpoint(model)
    crystal, warned = _read(name, reading_options(max_atoms, disorder, strict))
    report_reading([], warned, [])
    from ..inference.attribution import explain as explain_match
    from ..inference.calibration import Calibration

    embedder = load_embedder(checkpoint)
    explanation = explain_match(embedder, crystal, text, name)
    calibration = Calibration.from_checkpoint(checkpoint)
    probability = None
    if calibration is not None:
        crystals, texts = embedder.encode_crystals([crystal]), embedder.encode_text([text])
        probability = float(calibration.probabilities(crystals, texts)[0, 0])
    if output is not None:
        from ..utils.atomic_files import write_files
        from .explanation_page import explanation_page

        title = "standard input" if name == STANDARD_INPUT else Path(name).name
        facts = {
            "cosine": f"{explanation.cosine:.3f}",
            **({} if probability is None else {"probability": f"{probability:.3f}"}),
            "model": f"{checkpoint.name} (weights {checkpoint.fingerprint})",
        }
        write_files({output: explanation_page(explanation, title, facts).encode()})
        note(f"{output}: written")
    document = _document(explanation, probability)
    if as_json:
        print_json(**named(checkpoint), **document, units=_UNITS, warnings=warnings_json(warned))
    else:
        _print(document)


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in (".html", ".htm"):
        raise ClacInputError(f"--output {output}: expected a file name ending in .html")
    if not output.resolve().parent.is_dir():
        raise ClacInputError(f"--output {output}: its parent directory does not exist; create it first")
    if output.is_dir():
        raise ClacInputError(f"--output {output}: is a directory; give a file name")


def _read(name: str, options: ReadingOptions) -> tuple[Crystal, list[Warned]]:
    from ..search.stored_crystals import StoredCrystals

    crystals = StoredCrystals.bundled()
    found = file_or_row(name, crystals)
    if isinstance(found, Path):
        return read_one(found, options)
    crystal = crystals.structures([found], options)[0]
    return crystal, [Warned(name, warning) for warning in crystal.warnings]


def _document(explanation: Explanation, probability: float | None) -> dict[str, Any]:
    crystal, words = explanation.crystal, explanation.words
    return {
        "text": explanation.text,
        "cosine": explanation.cosine,
        "probability": probability,
        "words": [{"word": explanation.text[start:end], "attribution": value} for start, end, value in words.words],
        "elements": explanation.elements,
        "atoms": crystal.atoms.tolist(),
        "bonds": [kind._asdict() for kind in explanation.bond_kinds],
        "facts": crystal.facts,
        "completeness": {
            tower: {"baseline": path.baseline, "sum": path.total, "gap": path.gap, "points": path.points}
            for tower, path in (("crystal", crystal.path), ("text", words.path))
        },
    }


def _print(document: dict[str, Any]) -> None:
    from .printing import print_rows

    probability = document["probability"]
    print(f"cosine {document['cosine']:.3f}" + ("" if probability is None else f", probability {probability:.3f}"))
    bonds = sorted(document["bonds"], key=lambda bond: -abs(bond["attribution"]))
    parts = {
        "words": [(own["word"], own["attribution"]) for own in document["words"]],
        "atoms": list(document["elements"].items()),
        "bonds": [(f"{own['elements']} {own['length']:.2f} Å (x{own['number']})", own["attribution"]) for own in bonds],
        "crystal": list(document["facts"].items()),
    }
    rows = [
        (kind, label, f"{value:+.3f}")
        for kind, own in parts.items()
        for label, value in sorted(own, key=lambda entry: -abs(entry[1]))[:_MOST_SHOWN]
    ]
    print_rows(("", "what", "attribution"), rows, num_texts=2)


__all__ = ["explain"]
