"""Options that several commands have, and what the shell completes them with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ..errors_clac import ClacInputError

_ON_ERROR = ("raise", "skip")


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """For `autocompletion`: the choices that begin with what was typed."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


Model = Annotated[
    str | None, typer.Option(help="Checkpoint directory or Hub id (owner/name); default the bundled clac-mini.")
]
FineTuned = Annotated[str, typer.Option("--model", help="Fine-tuned checkpoint: directory or Hub id (owner/name).")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of a table.")]
OnError = Annotated[
    str, typer.Option(help="What to do with an unusable structure: raise or skip.", autocompletion=one_of(*_ON_ERROR))
]
MaxAtoms = Annotated[int | None, typer.Option(help="Refuse larger cells; default 10,000 atoms.")]


def check_policy(on_error: str, max_atoms: int | None) -> None:
    """
    Check the options for unusable and large structures before anything heavy is imported.

    Raises:
        ClacInputError: an option has an impossible value.
    """
    if on_error not in _ON_ERROR:
        raise ClacInputError(f"--on-error {on_error}: choose {' or '.join(_ON_ERROR)}")
    if max_atoms is not None and max_atoms < 1:
        raise ClacInputError(f"--max-atoms {max_atoms}: must be at least 1")


__all__ = ["FineTuned", "Json", "MaxAtoms", "Model", "OnError", "check_policy", "one_of"]
