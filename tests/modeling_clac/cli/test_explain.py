"""The command `clac explain` and its page."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    file = tmp_path / "salt.cif"
    file.write_text(cif())
    return file


def test_the_page_has_the_words_and_works_offline(clac: Run, salt: Path, small_checkpoint: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    text = "a cubic <halide> & salt"
    result = clac("explain", salt, text, "-o", page, "--model", small_checkpoint, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert [own["word"] for own in document["words"]] == text.split()
    assert document["completeness"]["text"]["gap"] == pytest.approx(0.0, abs=2e-3)
    assert set(document["elements"]) == {"Na", "Cl"}
    written = page.read_text(encoding="utf-8")
    assert "&lt;halide&gt;" in written and "<halide>" not in written
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=.https?:", written)
    assert "scatter3d" in written
    # Each word has its number below it, not only where a mouse points.
    for own in document["words"]:
        assert f"{own['attribution']:+z.3f}".replace("-", "−") in written


def test_the_command_of_the_documentation_writes_its_page(clac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lines = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8").splitlines()
    command = next(shlex.split(line) for line in lines if line.startswith("clac explain "))
    monkeypatch.chdir(tmp_path)
    result = clac(*command[1:])
    assert result.code == 0, result.err
    assert all(kind in result.out for kind in ("words", "atoms", "bonds", "crystal"))
    written = (tmp_path / command[-1]).read_text(encoding="utf-8")
    assert f"Why {command[2]} and the text match" in written
    assert all(f">{word}</b>" in written for word in command[3].split())


def test_the_table_names_the_parts(clac: Run, salt: Path, small_checkpoint: Path):
    result = clac("explain", salt, "cubic salt", "--model", small_checkpoint)
    assert result.code == 0
    assert result.out.startswith("cosine ")
    assert all(word in result.out for word in ("words", "atoms", "bonds", "cubic", "Cl–Na"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.cif", "salt"], "neither a file nor the id"),
        (["SALT", "  "], "the text is empty"),
        (["SALT", "salt", "-o", "page.txt"], "ending in .html"),
        (["SALT", "salt", "-o", "none/page.html"], "parent directory does not exist"),
        (["SALT", "salt " * 400], "shorten it"),
    ],
)
def test_invalid_input_is_one_line(clac: Run, salt: Path, small_checkpoint: Path, arguments: list[str], message: str):
    words = [str(salt) if word == "SALT" else word for word in arguments]
    assert_one_line(clac("explain", *words, "--model", small_checkpoint), message)
