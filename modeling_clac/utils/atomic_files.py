"""Files and directories that are whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors_clac import ClacInputError, first_line

# Less than this left on the disk after a failed write, and the disk is what failed; so it is where one of the tensor
# writers, which raise exceptions of their own kinds, says so.
_FULL = 1 << 20  # bytes
_NO_SPACE = os.strerror(errno.ENOSPC)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """
    Yields the name of a new file that takes the place of `path` when the block ends without an exception; else it is
    removed. Missing parent directories are made.

    Raises:
        ClacInputError: it cannot be written; `path` is as it was.
    """
    # A sibling, so that the last step is a rename within one file system.
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield new
        new.replace(path)
    except OSError as error:
        raise ClacInputError(f"{path}: cannot be written ({first_line(error)})") from None
    finally:
        with suppress(OSError):
            new.unlink()


def recover(directory: Path) -> None:
    """Puts back what a crash between the two renamings of [`replaced_directory`] left under its old name."""
    old = directory.with_name(directory.name + ".old")
    if old.exists() and not directory.exists():
        os.rename(old, directory)  # noqa: PTH104


@contextmanager
def replaced_directory(directory: Path, main: bool = True, wait: Callable[[], object] = lambda: None) -> Iterator[Path]:
    """
    Yields a new directory that takes the place of `directory` when the block ends without an exception; else it is
    removed.

    Args:
        directory: The directory to replace.
        main: Whether this process renames, if several processes write into the directory together.
        wait: Called to wait for all of these processes.

    Raises:
        ClacInputError: it cannot be written; `directory` is as it was.
    """
    new, old = directory.with_name(directory.name + ".new"), directory.with_name(directory.name + ".old")
    try:
        if main:
            recover(directory)
            for leftover in (new, old):
                shutil.rmtree(leftover, ignore_errors=True)
            new.mkdir(parents=True)
        wait()
        yield new
        wait()
    except Exception as error:
        full = _NO_SPACE in str(error) or (new.exists() and shutil.disk_usage(new).free < _FULL)
        shutil.rmtree(new, ignore_errors=True)
        if not full and not isinstance(error, OSError):
            raise
        reason = "the disk is full" if full else first_line(error)
        kept = "; what was there before is kept" if directory.exists() else ""
        raise ClacInputError(f"{directory}: cannot be written, {reason}{kept}") from None
    if main:
        if directory.exists():
            os.rename(directory, old)  # noqa: PTH104 - one system call each, see `recover`
        os.rename(new, directory)  # noqa: PTH104
        shutil.rmtree(old, ignore_errors=True)
    wait()


def write_json(result: dict[str, Any], path: Path) -> None:
    """
    Writes `result` to `path`, whole or not at all.

    Raises:
        ClacInputError: the place cannot be written to.
    """
    write_files({path: json_bytes(result)})


def json_bytes(result: dict[str, Any]) -> bytes:
    return (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode()


def write_files(contents: dict[Path, bytes]) -> None:
    for file, content in contents.items():
        with replaced_file(file) as new:
            new.write_bytes(content)


__all__ = ["json_bytes", "recover", "replaced_directory", "replaced_file", "write_files", "write_json"]
