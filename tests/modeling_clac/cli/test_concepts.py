from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.cli import Run, assert_one_line

OWN = """
- id: my-red-pigment
  kind: use
  name: my red pigment
  test: formula(Fe2O3, HgS) and not element(toxic)
  accepts: [Fe2O3, "Fe4O6", "Fe8O12"]
  refuses: [HgS, PbO, CdSe]
  source: a palette
  wordings: |
    my red pigment
    my red paint
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_kinds(clac: Run):
    result = clac("concepts")
    assert result.code == 0 and "element" in result.out and "wordings" in result.out


def test_one_concept(clac: Run):
    result = clac("concepts", "iron")
    assert result.code == 0 and "element(Fe)" in result.out and "of 6,317 crystals" in result.out


def test_own_concept(clac: Run, own: Path):
    result = clac("concepts", "--concepts", own)
    assert result.code == 0 and "my red pigment (my-red-pigment)" in result.out and "a palette" in result.out
    result = clac("concepts", "My red-pigments", "--concepts", own, "--json")
    (concept,) = json.loads(result.out)["concepts"]
    assert concept["id"] == "my-red-pigment" and concept["counts"]["meet"] >= 1
    assert concept["wordings"] == ["my red pigment", "my red paint"]


def test_check(clac: Run, own: Path):
    result = clac("concepts", "--concepts", own, "--check")
    assert result.code == 0 and "at least 8 are wanted" in result.out and "no errors" in result.err
    own.write_text(OWN.replace("refuses: [HgS,", "refuses: [Fe2O3,"), encoding="utf-8")
    result = clac("concepts", "--concepts", own, "--check")
    assert result.code == 2 and "refuses: Fe2O3 is accepted by the test" in result.out
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("concepts", "nothing-of-the-sort"), "no concept has the words 'nothing-of-the-sort'"),
        (("concepts", "--kind", "thing"), "--kind thing: choose one of element,"),
        (("concepts", "--check"), "name a file with --concepts FILE"),
        (("concepts", "--concepts", "absent.yaml"), "absent.yaml: No such file or directory"),
    ],
)
def test_bad_input_is_one_line(clac: Run, arguments, problem):
    result = clac(*arguments)
    assert_one_line(result, problem)


def test_broken_file(clac: Run, own: Path):
    own.write_text(OWN.replace("element(toxic)", "element(poison)"), encoding="utf-8")
    result = clac("concepts", "--concepts", own)
    assert_one_line(result, "own.yaml:2: concept my-red-pigment: test: unknown element or group of elements poison")
