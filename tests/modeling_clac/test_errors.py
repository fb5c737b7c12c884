"""Messages of libraries, quoted on one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from modeling_clac.errors_clac import ClacInputError, InvalidStructureError, first_line, one_line


@pytest.mark.parametrize(
    ("error", "first", "whole"),
    [
        (ValueError("no such row"), "no such row", "no such row"),
        (ValueError("\n  no  such\trow \n\nTry another one."), "no such row", "no such row Try another one."),
        (ValueError(""), "ValueError", "ValueError"),
        (KeyError("cif"), "'cif'", "'cif'"),
        (OSError("Can't load the model.\nIf you ..."), "Can't load the model.", "Can't load the model. If you ..."),
        (OSError(errno.ENOENT, os.strerror(errno.ENOENT), "a.cif"), *[os.strerror(errno.ENOENT)] * 2),
    ],
)
def test_a_message_becomes_one_line(error: Exception, first: str, whole: str):
    assert first_line(error) == first
    assert one_line(error) == whole


def test_long_messages_are_cut():
    assert first_line(ValueError("x" * 999)) == "x" * 197 + "..."
    assert one_line(ValueError("x\n" * 99), limit=10) == "x x x x..."
    assert one_line(ValueError("x" * 10), limit=10) == "x" * 10


def test_structure_errors_are_input_errors():
    assert issubclass(InvalidStructureError, ClacInputError)
    with pytest.raises(FileNotFoundError) as caught:
        Path("no-such-directory/a.cif").read_bytes()
    assert first_line(caught.value) == os.strerror(errno.ENOENT)
