"""Append-only file of results that took long or cost money. It survives a crash at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modeling_clac.errors_clac import ClacInputError, first_line


class JsonLines:
    """
    A JSON Lines file that one run at a time reads once and then appends to.

    Each entry is on the disk before `append` returns. A line that was cut off by a crash is dropped when the file is
    opened again.

    Args:
        path: Path to the file; it is created if it does not exist.
        read: Called with each stored entry, in order. A `ValueError`, `KeyError` or `TypeError` marks it as invalid.

    Raises:
        ClacInputError: If another run has opened the file, it cannot be written, or an entry is invalid.
    """

    def __init__(self, path: Path, read: Callable[[Any], None]):
        self.path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._file = path.open("a+b")
        except Timeout:
            raise ClacInputError(
                f"{path}: another run is writing to this file; wait for it or choose another --output_dir"
            ) from None
        except OSError as error:
            raise ClacInputError(f"{path}: cannot be written ({first_line(error)})") from None
        try:
            self._read(read)
        except ClacInputError:
            self.close()
            raise

    def _read(self, read: Callable[[Any], None]) -> None:
        self._file.seek(0)
        end = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                read(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise ClacInputError(
                    f"{self.path}: line {number} is not a valid entry; restore the file or delete the line"
                ) from None
            end += len(line)
        self._file.truncate(end)
        self._file.seek(end)

    def append(self, entry: Any) -> None:
        """
        Append an entry.

        Raises:
            ClacInputError: If it cannot be written.
        """
        try:
            self._file.write(_encoded(entry) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ClacInputError(
                f"{self.path}: cannot be written ({first_line(error)}); earlier entries are kept"
            ) from None

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _encoded(entry: Any) -> bytes:
    try:
        return json.dumps(entry, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, which is kept as `\\ud83d`
        return json.dumps(entry).encode()


__all__ = ["JsonLines"]
