"""Cards of models and data sets: metadata that the Hub reads, and Markdown in which names are only names."""

from __future__ import annotations

import re
from typing import Any

from ..errors_clac import one_line


def card_text(metadata: Any, body: str) -> str:
    """
    Write a card.

    Args:
        metadata: `ModelCardData` or `DatasetCardData` of huggingface_hub.
        body: The Markdown below the metadata.
    """
    return f"---\n{metadata.to_yaml()}\n---\n\n{body.strip()}\n"


def escaped(text: str) -> str:
    """Return a text of others as one line of Markdown in which nothing is markup."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", one_line(text))


def as_code(text: str) -> str:
    """Return a text of others as a code span, within more backticks in a row than it contains."""
    line = one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


__all__ = ["as_code", "card_text", "escaped"]
