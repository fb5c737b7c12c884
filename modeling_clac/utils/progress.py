"""Progress bars for long tasks."""

from __future__ import annotations

from typing import Any

# Shorter tasks end before a bar could be read.
_LONG = 256


def progress_bar(description: str, total: int | None, show: bool | None = None) -> Any:
    """
    Create a `tqdm` bar that is cleared when it closes.

    Args:
        description: Text in front of the bar.
        total: Number of items, if known.
        show: Whether to show the bar. Default: for long tasks at a terminal.
    """
    # Imports asyncio, for which a search should not have to wait.
    from tqdm.auto import tqdm

    # With disable=None, tqdm shows the bar only at a terminal.
    disable = (None if total is None or total >= _LONG else True) if show is None else not show
    return tqdm(total=total, desc=description, disable=disable, leave=False)


__all__ = ["progress_bar"]
