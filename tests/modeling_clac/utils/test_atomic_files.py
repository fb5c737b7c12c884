"""Atomic file and directory writes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from safetensors import SafetensorError

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils import atomic_files
from modeling_clac.utils.atomic_files import (
    locked,
    read_whole,
    recover,
    recover_files,
    replaced_directory,
    replaced_file,
    replaced_files,
)
from tests.helpers.two_writers import two_writers

ROUNDS = int(os.environ.get("CLAC_ROUNDS", "5"))


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def write(directory: Path, text: str, error: Exception | None = None) -> None:
    with replaced_directory(directory) as new:
        (new / "a").write_text(text)
        if error is not None:
            raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path, error) -> None:
    directory = tmp_path / "last"
    write(directory, "before")
    with pytest.raises(ClacInputError, match=r"last: cannot be written \(.*; its previous content is kept") as caught:
        write(directory, "after", error)
    assert "\n" not in str(caught.value)
    assert (directory / "a").read_text() == "before" and names(tmp_path) == ["last"]


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path) -> None:
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "last", "after", ZeroDivisionError())
    assert names(tmp_path) == []


def test_directory_and_file_are_replaced_whole(tmp_path) -> None:
    for text in ("one", "two"):
        write(tmp_path / "last", text)
        with replaced_file(tmp_path / "sub" / "file") as new:
            new.write_text(text)
    assert (tmp_path / "last" / "a").read_text() == (tmp_path / "sub" / "file").read_text() == "two"
    assert names(tmp_path) == ["last", "sub"] and names(tmp_path / "sub") == ["file"]


def test_recover_puts_back_what_a_crash_left(tmp_path) -> None:
    write(tmp_path / "last.old", "before")
    recover(tmp_path / "last")
    assert (tmp_path / "last" / "a").read_text() == "before" and names(tmp_path) == ["last"]


def test_several_files_are_replaced_together_and_others_are_kept(tmp_path) -> None:
    (tmp_path / "mine").write_text("kept")
    for text in ("one", "two"):
        with replaced_files(tmp_path) as new:
            for name in ("a", "b"):
                (new / name).write_text(text)
            assert not (tmp_path / "a").exists() or (tmp_path / "a").read_text() == "one"
    assert names(tmp_path) == ["a", "b", "mine"] and (tmp_path / "b").read_text() == "two"
    with pytest.raises(ZeroDivisionError), replaced_files(tmp_path) as new:
        (new / "a").write_text("three")
        raise ZeroDivisionError
    with pytest.raises(ClacInputError, match=r"cannot be written \(No space left"), replaced_files(tmp_path):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == ["a", "b", "mine"] and (tmp_path / "a").read_text() == "two"


def test_files_that_a_killed_process_completed_are_recovered(tmp_path) -> None:
    def write() -> None:
        with replaced_files(tmp_path, "-7") as new:
            for name in ("a", "b"):
                (new / name).write_text("one")

    def killed_at_the_second_file(self: Path, target: Path) -> None:
        os._exit(9) if self.name == "b" else os.replace(self, target)  # noqa: PTH105

    def run() -> None:
        Path.replace = killed_at_the_second_file  # type: ignore[assignment, method-assign]
        write()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == 9 and (tmp_path / "a").exists() and not (tmp_path / "b").exists()
    recover_files(tmp_path)
    assert names(tmp_path) == ["a", "b"] and (tmp_path / "b").read_text() == "one"


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_two_writers_of_a_directory(tmp_path, monkeypatch, exchange) -> None:
    if not exchange:
        monkeypatch.setattr(atomic_files, "_exchange", lambda one, other: False)
    directory = tmp_path / "last"

    def write_version(version: int) -> None:
        with replaced_directory(directory) as new:
            for name in ("a", "b", "c"):
                (new / name).write_text(str(version))

    def read() -> None:
        texts = read_whole(directory, lambda: [(directory / name).read_text() for name in ("a", "b", "c")])
        assert len(set(texts)) == 1, "a mixture"

    counts = two_writers(write_version, read, lambda: None, ROUNDS)
    assert counts["after"] == Counter({"whole": ROUNDS}) and set(counts["reads"]) == {"whole"}
    assert counts["writes"]["done"] and not counts["writes"]["failed"]


def test_a_lock_excludes_others_and_leaves_no_file(tmp_path) -> None:
    lock, inside = tmp_path / "lock", []

    def work() -> None:
        with locked(lock, 60, "wait"):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    with locked(lock, 0, "wait"):
        for thread in threads:
            thread.start()
        with (
            pytest.raises(ClacInputError, match="another process is writing to it; go away"),
            locked(lock, 0, "go away"),
        ):
            pass
        assert not inside
    for thread in threads:
        thread.join()
    assert names(tmp_path) == []
