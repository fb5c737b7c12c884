"""The errors that invalid user input raises."""

from __future__ import annotations


class ClacInputError(ValueError):
    """Invalid user input: one line saying where, what is wrong and how to fix it."""


class InvalidStructureError(ClacInputError):
    """A structure that cannot become a graph."""


__all__ = ["ClacInputError", "InvalidStructureError"]
