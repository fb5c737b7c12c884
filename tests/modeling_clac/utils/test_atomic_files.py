"""Atomic file and directory writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import SafetensorError

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import recover, replaced_directory, replaced_file


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
