"""Command-line options for property ranges, derived from `PROPERTIES`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import typer

from ..data.properties import PROPERTIES

_PANEL = "Property ranges (crystals with unknown values are excluded)"


def with_property_ranges(command: Callable[..., None]) -> Callable[..., None]:
    """
    Add the options to a command.

    Args:
        command: Function that receives the options as keyword arguments, such as `band_gap_min`.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    bounds = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(None, help=row.unit_name, rich_help_panel=_PANEL),
            annotation=float | None,
        )
        for row in sorted(PROPERTIES.values(), key=lambda row: row.priority)
        for name in row.range_options.values()
    ]
    # typer reads the options from the signature.
    command.__signature__ = signature.replace(parameters=[*own, *bounds])  # type: ignore[attr-defined]
    return command


def given_ranges(options: Mapping[str, float | None]) -> dict[str, tuple[float | None, float | None]]:
    """
    Collect the given options.

    Args:
        options: Values by option name, `None` if an option was not given.

    Returns:
        Mapping of columns to (minimum, maximum).
    """
    ranges = {}
    for column, row in PROPERTIES.items():
        names = row.range_options
        low, high = options.get(names.get("min", "")), options.get(names.get("max", ""))
        if (low, high) != (None, None):
            ranges[column] = low, high
    return ranges


__all__ = ["given_ranges", "with_property_ranges"]
