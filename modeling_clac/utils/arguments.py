"""Command-line arguments of scripts: one dataclass per script, set by a YAML recipe, by flags, or by both."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from transformers import HfArgumentParser
from transformers.utils import logging as transformers_logging

from ..errors_clac import ClacInputError, first_line, one_line
from .streams import prepare_streams

T = TypeVar("T")


def parse_arguments(kind: type[T], argv: Sequence[str] | None = None) -> T:
    """
    Parse `[RECIPE.yaml] [--flag value ...]` into a dataclass. Flags override the recipe.

    Args:
        kind: The dataclass of the arguments.
        argv: The words of the command line. Default: those of this process.

    Raises:
        ClacInputError: The recipe is missing or not YAML, or has an unknown key or a value of the wrong type.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = HfArgumentParser(kind)  # type: ignore[arg-type]
    if words and words[0].endswith((".yaml", ".yml")):
        values = _read_recipe(Path(words.pop(0)), kind)
        parser.set_defaults(**values)
        for action in parser._actions:
            if action.dest in values:
                action.required = False
    (arguments,) = parser.parse_args_into_dataclasses(words)
    return arguments


def run_script(kind: type[T], run: Callable[[T], object]) -> None:
    """
    Run a script with the arguments of the command line. Invalid input prints one line to stderr and exits with code 2.

    Args:
        kind: The dataclass of the arguments.
        run: The function that does the work.
    """
    prepare_streams(lasting=True)
    transformers_logging.disable_progress_bar()
    try:
        run(parse_arguments(kind))
    except ClacInputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def require_at_least(arguments: Any, least: float, *names: str) -> None:
    """
    Check that arguments are not below a minimum.

    Args:
        arguments: The dataclass that holds them.
        least: The minimum.
        names: Names of the arguments to check. Arguments that are `None` pass.

    Raises:
        ClacInputError: An argument is below the minimum.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and not value >= least:
            raise ClacInputError(f"--{name} {value}: must be at least {least}")


def require_positive(arguments: Any, *names: str) -> None:
    """
    Check that arguments are positive.

    Args:
        arguments: The dataclass that holds them.
        names: Names of the arguments to check. Arguments that are `None` pass.

    Raises:
        ClacInputError: An argument is zero or negative.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            raise ClacInputError(f"--{name} {value}: must be positive")


def convert_values(kind: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """
    Convert YAML values to the types of the fields of a dataclass.

    Args:
        kind: The dataclass.
        values: Mapping of names of fields to values.
        where: Where the values come from, in error messages.

    Raises:
        ClacInputError: A key is not a field, or a value has the wrong type.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ClacInputError(
            f"{where}: unknown key {', '.join(map(repr, unknown))}; expected {', '.join(sorted(known))}"
        )
    hints = get_type_hints(kind)
    return {name: _converted(value, hints[name], f"{where}: {name}") for name, value in values.items()}


def read_yaml(path: Path) -> Any:
    """
    Read a YAML file.

    Raises:
        ClacInputError: The file cannot be read or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClacInputError(f"{path}: cannot be read ({first_line(error)})") from None
    except yaml.YAMLError as error:
        raise ClacInputError(f"{path}: not YAML ({one_line(error)})") from None


def arguments_table(kind: type) -> str:
    """Format the fields of an argument dataclass as a Markdown table of name, default and help."""
    lines = ["| argument | default | |", "|---|---|---|"]
    for entry in dataclasses.fields(kind):
        value = entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()
        default = (
            "required"
            if value is dataclasses.MISSING
            else f"`{yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}`"
        )
        lines.append(f"| `{entry.name}` | {default} | {entry.metadata['help']} |")
    return "\n".join(lines)


def _read_recipe(path: Path, kind: type) -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ClacInputError(f"{path}: expected 'key: value' lines")
    return convert_values(kind, values, str(path))


def _converted(value: Any, hint: Any, where: str) -> Any:
    """Convert a YAML value to the declared type of its field: YAML reads `1e-3` as text and `5` as an integer."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, list) and any(get_origin(kind) is list for kind in kinds):
        return value
    for kind in (bool, int, float, str):
        if kind in kinds and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
    if float in kinds and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    expected = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds if kind is not type(None))
    raise ClacInputError(f"{where} is {value!r}, expected {expected}")
