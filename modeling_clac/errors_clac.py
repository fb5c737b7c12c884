"""Errors of invalid user input, and the policy for inputs that raise them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

ON_ERROR = ("raise", "skip", "warn")
# Characters that a terminal executes, or that reverse the direction of what follows. Line feeds and tabs are left.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class ClacInputError(ValueError):
    """Invalid user input. The message is one line that says where, what is wrong and how to fix it."""


class InvalidStructureError(ClacInputError):
    """A structure that cannot be converted to a graph."""


class StructureWarning(UserWarning):
    """Something that a structure states and that was not used, or that was read with doubt."""


class Skipped(NamedTuple):
    """
    An input that was skipped.

    Attributes:
        place: Index in the input, from 0.
        reason: Message of the error. It begins with the name of the input.
    """

    place: int
    reason: str


class Warned(NamedTuple):
    """
    Something that was read with doubt.

    Attributes:
        structure: Name of the structure.
        warning: One line, without the name.
    """

    structure: str
    warning: str


class ErrorPolicy:
    """
    What to do with invalid inputs, and a record of those skipped and of what was read with doubt.

    Args:
        on_error: `"raise"` stops at the first invalid input, `"skip"` leaves it out, `"warn"` leaves it out with a
            warning.

    Attributes:
        skipped: Inputs skipped so far, in input order.
        warned: What was read with doubt so far, in input order.

    Raises:
        ClacInputError: If `on_error` is none of these.
    """

    def __init__(self, on_error: str = "raise"):
        check_on_error(on_error)
        self.on_error = on_error
        self.skipped: list[Skipped] = []
        self.warned: list[Warned] = []

    def apply(self, place: int, error: ClacInputError) -> None:
        """
        Raise or record the error of an invalid input.

        Args:
            place: Index of the input, from 0.
            error: The error.

        Raises:
            ClacInputError: The given error, if the policy is `"raise"`.
        """
        if self.on_error == "raise":
            raise error
        if self.on_error == "warn":
            warnings.warn(f"skipped {error}", stacklevel=2)
        self.skipped.append(Skipped(place, str(error)))

    def record(self, name: str, doubts: Sequence[str]) -> None:
        """
        Record what was read with doubt, and emit a `StructureWarning`.

        Args:
            name: Name of the structure.
            doubts: One line each, such as the `warnings` of a [`Crystal`].
        """
        if doubts:
            self.warned += [Warned(name, doubt) for doubt in doubts]
            warnings.warn(f"{name}: {'; '.join(doubts)}", StructureWarning, stacklevel=3)


def check_on_error(on_error: str, choices: tuple[str, ...] = ON_ERROR) -> None:
    """
    Check the value of an `on_error` argument.

    Args:
        on_error: The value.
        choices: The allowed values.

    Raises:
        ClacInputError: If `on_error` is not one of the choices.
    """
    if on_error not in choices:
        raise ClacInputError(f"on_error={on_error!r}: choose {', '.join(choices[:-1])} or {choices[-1]}")


def one_line(error: object, limit: int = 200) -> str:
    """
    Return the message of a library's error on one line, to be quoted in a message of ours.

    Args:
        error: An exception. For errors of the operating system, number and file name are left out.
        limit: Maximum number of characters. Longer messages are cut.

    Returns:
        The message with white space collapsed, or the name of the exception's class if the message is empty.
    """
    return _folded(_message(error), limit)


def visible(text: str) -> str:
    r"""
    Escape the characters that a terminal would execute: a name in a file may hold `\x1b[2J`, which clears the screen.

    Args:
        text: A text from a file or a server.

    Returns:
        The text with these characters as `\x1b`.
    """
    return with_commands_as(text, lambda command: ascii(command)[1:-1])


def with_commands_as(text: str, written: Callable[[str], str]) -> str:
    """
    Replace the characters that a terminal would execute.

    Args:
        text: A text.
        written: How to write such a character.
    """
    return _COMMANDS.sub(lambda found: written(found.group()), text)


def first_line(error: object, limit: int = 200) -> str:
    """
    Return the first line of the message of a library's error. The lines after it are often lengthy advice.

    Args:
        error: An exception. For errors of the operating system, number and file name are left out.
        limit: Maximum number of characters. Longer messages are cut.

    Returns:
        The line with white space collapsed, or the name of the exception's class if the message is empty.
    """
    return _folded(_message(error).partition("\n")[0], limit)


def _message(error: object) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text.strip() or type(error).__name__


def _folded(text: str, limit: int) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


__all__ = [
    "ON_ERROR",
    "ClacInputError",
    "ErrorPolicy",
    "InvalidStructureError",
    "Skipped",
    "StructureWarning",
    "Warned",
    "check_on_error",
    "first_line",
    "one_line",
    "visible",
    "with_commands_as",
]
