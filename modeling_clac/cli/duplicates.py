"""The commands `clac compare` and `clac dedupe`: same structure or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors_clac import ClacInputError, ErrorPolicy, visible
from .options import STRUCTURES, Disorder, Json, MaxAtoms, Model, OnError, Strict, check_policy, reading_options
from .support import (
    StructureInput,
    load_embedder,
    named,
    note,
    nothing_left,
    open_checkpoint,
    print_json,
    reading_json,
    report_reading,
    short_names,
    warnings_json,
)

if TYPE_CHECKING:
    import numpy as np

    from ..crystal_clac import Crystal
    from ..inference.checkpoints import Checkpoint

Tolerance = Annotated[
    float,
    typer.Option(help="Largest displacement of a site, in units of the cube root of the volume per atom."),
]
# Columns of `describe_crystal` that `clac compare` shows, with the decimals of numbers.
_COMPARED = {
    "formula": 0,
    "space_group_symbol": 0,
    "crystal_system": 0,
    "nsites": 0,
    "density": 3,
    "volume": 2,
}


def compare(
    first: Annotated[Path, typer.Argument(help="Structure file.")],
    second: Annotated[Path, typer.Argument(help="Structure file.")],
    site_tolerance: Tolerance = 0.3,
    model: Model = None,
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Compare two crystals: same structure, same prototype, or different."""
    _check_tolerance(site_tolerance)
    check_policy("raise", max_atoms, disorder)
    checkpoint = open_checkpoint(model)
    structures, errors = StructureInput([first, second], reading_options(max_atoms, disorder, strict)), ErrorPolicy()
    names, crystals, embeds = _embed(checkpoint, structures, errors)
    if len(crystals) != 2:
        raise ClacInputError(f"{', '.join(names)}: {len(names)} structures; give two files with one structure each")
    report_reading(structures.notes, errors.warned, [])
    from ..data.properties import UNITS
    from ..data.structure_facts import describe_crystal
    from ..search.duplicates import compare_crystals
    from .printing import print_rows

    match = compare_crystals(crystals[0], crystals[1], float(embeds[0] @ embeds[1]), site_tolerance)
    facts = [describe_crystal(crystal) for crystal in crystals]
    pairs = list(zip(names, facts, strict=True))
    verdict = _verdict(match)
    if as_json:
        described = [{"file": name, **{column: own[column] for column in _COMPARED}} for name, own in pairs]
        print_json(
            verdict=verdict,
            same=match.same,
            rms=match.rms,
            same_prototype=match.same_prototype,
            cosine=match.cosine,
            crystals=described,
            **named(checkpoint),
            warnings=warnings_json(errors.warned),
            units={"rms": "cube root of the volume per atom", "cosine": "cosine", **_units(UNITS)},
        )
        return
    rows = [
        (
            f"{column.replace('_', ' ')} {_units(UNITS).get(column, '')}".strip(),
            *(_cell(own[column], column) for own in facts),
        )
        for column in _COMPARED
    ]
    print_rows(("", *short_names(names)), rows)
    displacement = "" if match.rms is None else f", rms displacement {match.rms:.4f}"
    print(f"\n{verdict}; cosine {match.cosine:.3f}{displacement}")


def dedupe(
    files: Annotated[list[Path], typer.Argument(help=STRUCTURES)],
    unique: Annotated[
        bool, typer.Option("--unique", help="Print the first file of each structure only, one per line.")
    ] = False,
    min_cosine: Annotated[float, typer.Option(help="Pairs with a lower cosine are not matched.")] = 0.5,
    site_tolerance: Tolerance = 0.3,
    model: Model = None,
    on_error: OnError = "raise",
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Find files that hold the same structure."""
    _check_tolerance(site_tolerance)
    check_policy(on_error, max_atoms, disorder)
    if not -1.0 <= min_cosine <= 1.0:
        raise ClacInputError(f"--min-cosine {min_cosine:g}: must be from -1 to 1")
    if unique and as_json:
        raise ClacInputError("--unique and --json exclude each other; choose one")
    checkpoint = open_checkpoint(model)
    structures, errors = StructureInput(files, reading_options(max_atoms, disorder, strict)), ErrorPolicy(on_error)
    names, crystals, embeds = _embed(checkpoint, structures, errors)
    from ..data.structure_facts import crystal_formula
    from ..search.duplicates import find_duplicates
    from .printing import print_rows

    groups = find_duplicates(crystals, embeds, min_cosine, site_tolerance)
    repeated = [group for group in groups if len(group) > 1]
    skipped = [left_out.reason for left_out in errors.skipped]
    report_reading(structures.notes, errors.warned, skipped)
    if as_json:
        print_json(
            groups=[[names[place] for place in group] for group in groups],
            num_crystals=len(crystals),
            num_structures=len(groups),
            **named(checkpoint),
            **reading_json(errors.warned, skipped),
            units={},
        )
    elif unique:
        print("\n".join(visible(names[group[0]]) for group in groups))
    else:
        rows, shown = [], short_names(names)
        for number, group in enumerate(repeated, start=1):
            for place in group:
                cosine = f"{float(embeds[place] @ embeds[group[0]]):.3f}"
                rows.append((shown[place], str(number), crystal_formula(crystals[place]), cosine))
        if rows:
            print_rows(("file", "group", "formula", "cosine\nto first"), rows)
        note(f"{len(crystals):,} crystals, {len(groups):,} different structures")


def _check_tolerance(site_tolerance: float) -> None:
    if not site_tolerance > 0.0:
        raise ClacInputError(f"--site-tolerance {site_tolerance:g}: must be positive")


def _embed(
    checkpoint: Checkpoint, structures: StructureInput, errors: ErrorPolicy
) -> tuple[list[str], list[Crystal], np.ndarray]:
    """Names, crystals and embeddings `(num_crystals, dim)` of structures."""
    import numpy as np

    batches = list(load_embedder(checkpoint).embed_batches(structures, errors=errors, options=structures.options))
    if not batches:
        raise ClacInputError(nothing_left([left_out.reason for left_out in errors.skipped]))
    entries = [entry for batch, _ in batches for entry in batch]
    embeds = np.concatenate([embeds for _, embeds in batches])
    return [entry.name for entry in entries], [entry.crystal for entry in entries], embeds


def _verdict(match: Any) -> str:
    if match.same:
        return "same structure"
    return "same prototype, other elements" if match.same_prototype else "different structures"


def _units(units: Any) -> dict[str, str]:
    return {column: units[column] for column in _COMPARED if column in units}


def _cell(value: Any, column: str) -> str:
    if value is None:
        return "unknown"
    return f"{value:.{_COMPARED[column]}f}" if isinstance(value, float) else str(value)


__all__ = ["compare", "dedupe"]
