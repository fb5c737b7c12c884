"""Atomic file and directory writes: a temporary sibling is written first, then renamed to the final name."""

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

# A write that fails with less free space than this failed because the disk is full. The error alone does not tell,
# since tensor writers raise exceptions of their own types.
_FULL = 1 << 20  # bytes
_NO_SPACE = os.strerror(errno.ENOSPC)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """
    Write a file atomically. Missing parent directories are created.

    Args:
        path: The file to create or replace.

    Yields:
        The temporary file to write. It replaces `path` if the block succeeds, and is removed if the block raises.

    Raises:
        ClacInputError: The file cannot be written. `path` is unchanged.
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
    """Restore a directory that a crash between the two renames of [`replaced_directory`] left under its old name."""
    old = directory.with_name(directory.name + ".old")
    if old.exists() and not directory.exists():
        os.rename(old, directory)  # noqa: PTH104


@contextmanager
def replaced_directory(directory: Path, main: bool = True, wait: Callable[[], object] = lambda: None) -> Iterator[Path]:
    """
    Write a directory atomically.

    Args:
        directory: The directory to create or replace.
        main: Whether this process creates and renames the directory, if several processes write into it.
        wait: A barrier for these processes.

    Yields:
        The temporary directory to fill. It replaces `directory` if the block succeeds, and is removed if the block
        raises.

    Raises:
        ClacInputError: The directory cannot be written. `directory` is unchanged.
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
        kept = "; its previous content is kept" if directory.exists() else ""
        raise ClacInputError(f"{directory}: cannot be written ({reason}){kept}") from None
    if main:
        if directory.exists():
            os.rename(directory, old)  # noqa: PTH104 - one system call each, see `recover`
        os.rename(new, directory)  # noqa: PTH104
        shutil.rmtree(old, ignore_errors=True)
    wait()


def write_json(result: dict[str, Any], path: Path) -> None:
    """
    Write `result` to `path` atomically.

    Raises:
        ClacInputError: The file cannot be written.
    """
    write_files({path: json_bytes(result)})


def json_bytes(result: dict[str, Any]) -> bytes:
    """Encode `result` as indented JSON."""
    return (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode()


def write_files(contents: dict[Path, bytes]) -> None:
    """
    Write each file atomically.

    Args:
        contents: File -> content.

    Raises:
        ClacInputError: A file cannot be written.
    """
    for file, content in contents.items():
        with replaced_file(file) as new:
            new.write_bytes(content)


__all__ = ["json_bytes", "recover", "replaced_directory", "replaced_file", "write_files", "write_json"]
