"""The errors that invalid user input raises."""

from __future__ import annotations


class ClacInputError(ValueError):
    """Invalid user input: one line saying where, what is wrong and how to fix it."""


class InvalidStructureError(ClacInputError):
    """A structure that cannot become a graph."""


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


__all__ = ["ClacInputError", "InvalidStructureError", "first_line", "one_line"]
