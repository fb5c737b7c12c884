"""The errors that invalid user input raises, and what to do about inputs that raise them."""

from __future__ import annotations

import warnings
from typing import NamedTuple

ON_ERROR = ("raise", "skip", "warn")


class ClacInputError(ValueError):
    """Invalid user input: one line saying where, what is wrong and how to fix it."""


class InvalidStructureError(ClacInputError):
    """A structure that cannot become a graph."""


class Skipped(NamedTuple):
    """
    One input that was left out.

    Attributes:
        place: its place in the input, from 0.
        reason: the message of its error, which begins with its name.
    """

    place: int
    reason: str


class ErrorPolicy:
    """
    What to do about inputs that cannot be used, and a record of those that were left out.

    Args:
        on_error: `"raise"` stops at the first one, `"skip"` leaves it out, `"warn"` leaves it out with a warning.

    Attributes:
        skipped: what was left out so far, in the order of the input.

    Raises:
        ClacInputError: `on_error` is none of these.
    """

    def __init__(self, on_error: str = "raise"):
        check_on_error(on_error)
        self.on_error = on_error
        self.skipped: list[Skipped] = []

    def apply(self, place: int, error: ClacInputError) -> None:
        """
        Deal with an input that cannot be used.

        Args:
            place: of the input, from 0.
            error: what is wrong with it.

        Raises:
            ClacInputError: `error`, if the policy is `"raise"`.
        """
        if self.on_error == "raise":
            raise error
        if self.on_error == "warn":
            warnings.warn(f"skipped {error}", stacklevel=2)
        self.skipped.append(Skipped(place, str(error)))


def check_on_error(on_error: str, choices: tuple[str, ...] = ON_ERROR) -> None:
    """
    Raises:
        ClacInputError: `on_error` is not one of the choices.
    """
    if on_error not in choices:
        raise ClacInputError(f"on_error={on_error!r}: choose {', '.join(choices[:-1])} or {choices[-1]}")


def one_line(error: object, limit: int = 200) -> str:
    """
    The message of a library's error as one line, to quote within an error of ours.

    Args:
        error: an exception; from one of the operating system the message without number and file name.
        limit: longer messages are cut to this many characters.

    Returns:
        The message with every run of white space as one space; the name of the class if there is no message.
    """
    return _folded(_message(error), limit)


def first_line(error: object, limit: int = 200) -> str:
    """As [`one_line`], from the first line of the message only: what follows is often advice at length."""
    return _folded(_message(error).partition("\n")[0], limit)


def _message(error: object) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text.strip() or type(error).__name__


def _folded(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


__all__ = [
    "ON_ERROR",
    "ClacInputError",
    "ErrorPolicy",
    "InvalidStructureError",
    "Skipped",
    "check_on_error",
    "first_line",
    "one_line",
]
