"""
Atomic file and directory writes: a temporary sibling is written first, then renamed to the final name.

One process at a time writes to a place; the others wait. A reader sees what was there before or what is there after,
also while a process is killed.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ..errors_clac import ClacInputError, first_line

T = TypeVar("T")

# A write that fails with less free space than this failed because the disk is full. The error alone does not tell,
# since tensor writers raise exceptions of their own types.
_FULL = 1 << 20  # bytes
_NO_SPACE = os.strerror(errno.ENOSPC)

# Seconds to wait for another process that writes to the same place. A write takes as long as the disk needs.
_WAIT = 600.0
# How often a directory is read that is replaced during each reading.
_READINGS = 100
_COMPLETE = ".complete"  # files that `replaced_files` has yet to rename

# Arguments of renameat2 (Linux 3.15).
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def locked(lock: Path, timeout: float, advice: str) -> Iterator[None]:
    """
    Hold a lock that processes on all machines share. The lock of a process that was killed is free.

    Args:
        lock: File of the lock. It is created, and removed afterwards.
        timeout: How long to wait for another process, in seconds.
        advice: What to do if another process holds the lock, for the error message.

    Raises:
        ClacInputError: If another process holds the lock for longer, or the file cannot be created.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    place = lock.parent
    try:
        held.acquire(timeout=timeout)
    except Timeout:
        raise ClacInputError(f"{place}: another process is writing to it; {advice}") from None
    except OSError as error:
        raise ClacInputError(f"{place}: cannot be written ({first_line(error)})") from None
    try:
        yield
    finally:
        # Before the release: whoever waits for the removed file notices, and creates another one.
        with suppress(OSError):
            lock.unlink()
        held.release()


@contextmanager
def only_writer(directory: Path, option: str) -> Iterator[None]:
    """
    Exclude other processes from a directory that a long run writes to.

    Args:
        directory: The directory. It is created, and removed again if it stays empty.
        option: Argument that names the directory, for the error message.

    Raises:
        ClacInputError: If another process writes to the directory, or it cannot be created.
    """
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClacInputError(f"{directory}: cannot be written ({first_line(error)})") from None
    try:
        with locked(directory / ".lock", 0, f"wait for it, or choose another {option}"):
            yield
    finally:
        with suppress(OSError):
            for path in made:
                path.rmdir()


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


@contextmanager
def replaced_files(directory: Path, part: str = "") -> Iterator[Path]:
    """
    Write several files of a directory together. Its other files are kept.

    A process that is killed leaves all of the files or none: what is complete is renamed by the next writer, or by
    [`recover_files`]. If several processes write at the same time, the files are those of one of them.

    Args:
        directory: The directory; it is created if it does not exist.
        part: Name of a part of the directory that has its own writers, such as a shard.

    Yields:
        A temporary directory for the files, which replace those of the same names in `directory` if the block
        succeeds.

    Raises:
        ClacInputError: The files cannot be written. Those in `directory` are unchanged.
    """
    new, complete = directory / f".new{part}", directory / f"{_COMPLETE}{part}"
    made = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _writing(directory / f".lock{part}"):
            _finish(complete)
            try:
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                yield new
                new.rename(complete)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            _finish(complete)
    except OSError as error:
        raise ClacInputError(f"{directory}: cannot be written ({first_line(error)})") from None
    finally:
        if made:
            with suppress(OSError):
                directory.rmdir()  # if it is empty


def recover_files(directory: Path) -> None:
    """Finish what a process that was killed within [`replaced_files`] had completed."""
    for complete in directory.glob(f"{_COMPLETE}*"):
        part = complete.name.removeprefix(_COMPLETE)
        # A directory that is only read may hold nothing new.
        with suppress(ClacInputError, OSError), _writing(directory / f".lock{part}"):
            _finish(complete)


def _finish(complete: Path) -> None:
    if complete.is_dir():
        for file in sorted(complete.iterdir()):
            file.replace(complete.parent / file.name)
        complete.rmdir()


def recover(directory: Path) -> None:
    """Restore a directory that a crash between the two renames of [`replaced_directory`] left under its old name."""
    if _old(directory).exists() and not directory.exists():
        # Unless its writer is at work.
        with _writing(_lock_of(directory)):
            _recover(directory)


def _recover(directory: Path) -> None:
    old = _old(directory)
    if old.exists() and not directory.exists():
        os.rename(old, directory)  # noqa: PTH104


def _old(directory: Path) -> Path:
    return directory.with_name(directory.name + ".old")


def _lock_of(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.lock")


def _writing(lock: Path) -> Any:
    return locked(lock, _WAIT, "wait for it, or write to another directory")


@contextmanager
def replaced_directory(directory: Path, main: bool = True, wait: Callable[[], object] = lambda: None) -> Iterator[Path]:
    """
    Write a directory atomically. Read it with [`read_whole`].

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
    if not main:
        with _filled(directory, main, wait) as new:
            yield new
        return
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClacInputError(f"{directory}: cannot be written ({first_line(error)})") from None
    with _writing(_lock_of(directory)), _filled(directory, main, wait) as new:
        yield new


@contextmanager
def _filled(directory: Path, main: bool, wait: Callable[[], object]) -> Iterator[Path]:
    new, old = directory.with_name(directory.name + ".new"), _old(directory)
    try:
        if main:
            _recover(directory)
            for leftover in (new, old):
                shutil.rmtree(leftover, ignore_errors=True)
            new.mkdir()
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
        if not directory.exists():
            os.rename(new, directory)  # noqa: PTH104 - one system call each, see `recover`
        elif _exchange(new, directory):
            shutil.rmtree(new, ignore_errors=True)
        else:
            os.rename(directory, old)  # noqa: PTH104
            os.rename(new, directory)  # noqa: PTH104
            shutil.rmtree(old, ignore_errors=True)
    wait()


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one system call. Return whether the system and the file system have one."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


def read_whole(directory: Path, read: Callable[[], T]) -> T:
    """
    Read a directory that may be replaced by [`replaced_directory`] meanwhile.

    Args:
        directory: The directory.
        read: Reads it. It is called again if the directory has been replaced, so that no result is made of two.

    Returns:
        The result of `read`.
    """
    for _ in range(_READINGS):
        recover(directory)
        try:
            # As long as it is open, no other directory gets its number.
            opened = os.open(directory, os.O_RDONLY)
        except FileNotFoundError:
            if not _lock_of(directory).exists():
                break
            time.sleep(0.005)  # between the two renames of a writer
            continue
        except OSError:  # not a directory, or a system that cannot open one
            break
        try:
            result = read()
        except Exception:
            if _is_at(opened, directory):
                raise
        else:
            if _is_at(opened, directory):
                return result
        finally:
            os.close(opened)
    return read()


def _is_at(opened: int, directory: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), directory.stat())
    except OSError:
        return False


def file_state(file: Path) -> tuple[int, int] | None:
    """Return the size and the time of the last change of a file, `None` if it does not exist."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


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


__all__ = [
    "file_state",
    "json_bytes",
    "locked",
    "only_writer",
    "read_whole",
    "recover",
    "recover_files",
    "replaced_directory",
    "replaced_file",
    "replaced_files",
    "write_files",
    "write_json",
]
