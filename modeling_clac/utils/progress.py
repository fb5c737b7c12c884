"""Progress bars of long work."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm

# Shorter work ends before a bar could be read.
_LONG = 256


def progress_bar(description: str, total: int | None, show: bool | None = None) -> Any:
    """
    A `tqdm` bar that leaves nothing behind.

    Args:
        description: what is going on.
        total: how many items there are, if that is known.
        show: whether to show it; default on long work at a terminal.
    """
    # disable=None leaves the decision to whether the output is a terminal.
    disable = (None if total is None or total >= _LONG else True) if show is None else not show
    return tqdm(total=total, desc=description, disable=disable, leave=False)


__all__ = ["progress_bar"]
