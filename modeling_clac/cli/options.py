"""Options shared by several commands, with their shell completion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ..errors_clac import ClacInputError

_ON_ERROR = ("raise", "skip")


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """Return a function for `autocompletion` that lists the choices beginning with the typed text."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


Model = Annotated[
    str | None, typer.Option(help="Checkpoint directory or Hub id (owner/name). Default: the bundled clac-mini.")
]
FineTuned = Annotated[str, typer.Option("--model", help="Directory or Hub id (owner/name) of a fine-tuned checkpoint.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
OnError = Annotated[
    str, typer.Option(help="What to do with an invalid structure: raise or skip.", autocompletion=one_of(*_ON_ERROR))
]
MaxAtoms = Annotated[int | None, typer.Option(help="Maximum number of atoms in a cell. Default: 10,000.")]


def check_policy(on_error: str, max_atoms: int | None) -> None:
    """
    Check the options for invalid and large structures before heavy libraries are imported.

    Args:
        on_error: Value of `--on-error`.
        max_atoms: Value of `--max-atoms`.

    Raises:
        ClacInputError: If a value is not allowed.
    """
    if on_error not in _ON_ERROR:
        raise ClacInputError(f"--on-error {on_error}: choose {' or '.join(_ON_ERROR)}")
    if max_atoms is not None and max_atoms < 1:
        raise ClacInputError(f"--max-atoms {max_atoms}: must be at least 1")


__all__ = ["FineTuned", "Json", "MaxAtoms", "Model", "OnError", "check_policy", "one_of"]
