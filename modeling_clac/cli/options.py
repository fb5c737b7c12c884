"""Options shared by several commands, with their shell completion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors_clac import ClacInputError

if TYPE_CHECKING:
    from ..crystal_clac import ReadingOptions

_ON_ERROR = ("raise", "skip")
_DISORDER = ("keep", "refuse", "order")  # as in `ReadingOptions`, whose module imports numpy
# What the arguments for structures accept.
STRUCTURES = (
    "CIF, POSCAR, extended XYZ, JSON, CSV or parquet files, zip archives or folders of them, patterns, FILE#NAME, or -."
)


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """Return a function for `autocompletion` that lists the choices beginning with the typed text."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def elements_from(incomplete: str) -> list[str]:
    """List the element symbols that begin with the typed text, for `autocompletion`."""
    from ..formulas_clac import ELEMENTS  # too slow to import for `clac --help`

    return [symbol for symbol in ELEMENTS if symbol.startswith(incomplete)]


Model = Annotated[
    str | None, typer.Option(help="Checkpoint directory or Hub id (owner/name). Default: the bundled clac-mini.")
]
FineTuned = Annotated[str, typer.Option("--model", help="Directory or Hub id (owner/name) of a fine-tuned checkpoint.")]
Ensemble = Annotated[
    list[str],
    typer.Option(
        "--model", help="Directory or Hub id of a fine-tuned checkpoint. Several form an ensemble: repeat the option."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
OnError = Annotated[
    str, typer.Option(help="What to do with an invalid structure: raise or skip.", autocompletion=one_of(*_ON_ERROR))
]
TableOutput = Annotated[Path | None, typer.Option("--output", "-o", help="File to write: .csv, .parquet or .json.")]
MaxAtoms = Annotated[int | None, typer.Option(help="Maximum number of atoms in a cell. Default: 10,000.")]
Disorder = Annotated[
    str,
    typer.Option(
        help="What to do with mixed and partly occupied sites: keep, refuse or order.",
        autocompletion=one_of(*_DISORDER),
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Treat warnings about structures as errors.")]

Concepts = Annotated[
    list[Path] | None,
    typer.Option(
        "--concepts",
        metavar="FILE",
        help="YAML file of your own concepts, in addition to the vocabulary; can be repeated.",
    ),
]


def check_policy(on_error: str, max_atoms: int | None, disorder: str = "keep") -> None:
    """
    Check the options for invalid, large and disordered structures before heavy libraries are imported.

    Args:
        on_error: Value of `--on-error`.
        max_atoms: Value of `--max-atoms`.
        disorder: Value of `--disorder`.

    Raises:
        ClacInputError: If a value is not allowed.
    """
    if on_error not in _ON_ERROR:
        raise ClacInputError(f"--on-error {on_error}: choose {' or '.join(_ON_ERROR)}")
    if max_atoms is not None and max_atoms < 1:
        raise ClacInputError(f"--max-atoms {max_atoms}: must be at least 1")
    if disorder not in _DISORDER:
        raise ClacInputError(f"--disorder {disorder}: choose keep, refuse or order")


def reading_options(max_atoms: int | None, disorder: str, strict: bool) -> ReadingOptions:
    """
    Return how structures are read.

    Args:
        max_atoms: Value of `--max-atoms`.
        disorder: Value of `--disorder`.
        strict: Value of `--strict`.
    """
    from ..crystal_clac import MAX_ATOMS, ReadingOptions

    return ReadingOptions(max_atoms or MAX_ATOMS, disorder, strict)


__all__ = [
    "STRUCTURES",
    "Concepts",
    "Disorder",
    "Ensemble",
    "FineTuned",
    "Json",
    "MaxAtoms",
    "Model",
    "OnError",
    "Strict",
    "TableOutput",
    "check_policy",
    "elements_from",
    "one_of",
    "reading_options",
]
