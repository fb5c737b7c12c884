"""Standard output and standard error that a command can always write to."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def prepare_streams(lasting: bool = False) -> None:
    """
    Prevent errors of standard output and standard error that have nothing to do with the work of a command.

    A console that cannot print characters such as Å gets UTF-8, and what has no character is escaped. A stream that is
    closed is replaced by one that drops its text.

    Args:
        lasting: Whether the work goes on without output after the reader of a pipe has ended, as that of a training run
            should.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
            continue
        if not isinstance(stream, io.TextIOWrapper):
            continue
        try:
            "Å³−ε─…".encode(stream.encoding)
        except UnicodeEncodeError:
            stream.reconfigure(encoding="utf-8")
        stream.reconfigure(errors="backslashreplace")
        if lasting and stream is getattr(sys, f"__{name}__"):
            stream.flush()
            raw = io.BufferedWriter(_Lasting(stream.fileno(), "w", closefd=False))
            interactive = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
            setattr(sys, name, io.TextIOWrapper(raw, stream.encoding, "backslashreplace", **interactive))


class _Lasting(io.FileIO):
    """A file that drops what is written after the reader of the pipe has ended."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(content)


__all__ = ["prepare_streams"]
