from __future__ import annotations

from pathlib import Path

import pytest

from modeling_clac.concepts.lint import lint, main
from modeling_clac.data.facts.fact_table import FactTable

GOOD = """
- id: oxide
  kind: anion
  name: oxide
  test: element(O)
  wordings: [oxide, metal oxide, oxidic, oxide phase, oxo compound, compound of oxygen, oxygen anion, oxide solid]
"""
USE = """
- id: refractory
  kind: use
  name: refractory
  test: concept(oxide) and not element(Na)
  implies: [oxide]
  accepts: [MgO, CaO, ZrO2]
  refuses: [Na2O, NaCl, LiF]
  wordings: [refractory, furnace lining, kiln brick, crucible material, fire brick, hearth stone, ladle, kiln shelf]
"""


@pytest.fixture(scope="module")
def table() -> FactTable:
    return FactTable.from_records([{"formula": formula} for formula in ("MgO", "Na2O", "NaCl", "LiF", "Si")])


def problems(tmp_path: Path, table: FactTable, *texts: str) -> tuple[list[str], list[str]]:
    paths = []
    for place, text in enumerate(texts):
        paths.append(tmp_path / f"file{place}.yaml")
        paths[-1].write_text(text, encoding="utf-8")
    found = lint(paths, table)
    assert all("\n" not in problem.message for problem in found)
    return [p.message for p in found if p.is_error], [p.message for p in found if not p.is_error]


def test_nothing_to_say_about_good_files(tmp_path, table):
    assert problems(tmp_path, table, GOOD, USE) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("id: refractory", "id: oxide", "duplicate id (first in file0.yaml:2)"),
        ("implies: [oxide]", "implies: [oxides]", "no sound concept has the id oxides"),
        ("furnace lining", "Oxides", "the wording 'Oxides' belongs to oxide (file0.yaml:2)"),
        ("furnace lining", "brick without sodium", "is a negation"),
        ("furnace lining", "sodium-free brick", "is a negation"),
        ("concept(oxide)", "concept(oxides)", "no concept has the id oxides"),
        ("element(Na)", "element(Nu)", "unknown element or group of elements Nu"),
        ("accepts: [MgO, CaO, ZrO2]", "accepts: [MgO, CaO]", "a use needs at least 3"),
        ("accepts: [MgO, CaO, ZrO2]", "accepts: [MgO, CaO, LiF]", "accepts: LiF is refused by the test"),
        ("refuses: [Na2O, NaCl, LiF]", "refuses: [Na2O, NaCl, MgO]", "refuses: MgO is accepted by the test"),
        ("refuses: [Na2O, NaCl, LiF]", "refuses: [Na2O, NaCl, Xyz]", "refuses: Xyz is not a formula"),
        ("kind: use", "kind: usage", "unknown kind usage"),
        ("not element(Na)", "True", "is not allowed"),
        (
            "concept(oxide) and not element(Na)",
            "only(Mg, O, Si)",
            "1 of the 2 crystals that meet it fail oxide",
        ),
        ("implies: [oxide]", "opposite: oxide", "opposite: 1 crystals also meet oxide"),
    ],
)
def test_errors(tmp_path, table, old, new, error):
    assert old in USE
    errors, _ = problems(tmp_path, table, GOOD, USE.replace(old, new))
    assert any(error in message for message in errors), errors


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (", ladle, kiln shelf", "", "6 wordings; at least 8 are wanted"),
        ("name: refractory", "name: lining of furnaces", "is not one of the wordings"),
        ("furnace lining", "brick above 1000 degrees", "contains a number"),
        ("furnace lining", "what lines a furnace?", "is a sentence"),
        ("not element(Na)", "element(U)", "no crystal meets the test"),
    ],
)
def test_warnings(tmp_path, table, old, new, warning):
    _, warnings = problems(tmp_path, table, GOOD, USE.replace(old, new))
    assert any(warning in message for message in warnings), warnings


def test_a_broken_test_is_said_once(tmp_path, table):
    errors, _ = problems(tmp_path, table, GOOD.replace("element(O)", "element(Q)"), USE)
    assert len(errors) == 1 and "concept oxide: test: unknown element" in errors[0]


def test_a_wording_in_a_wording_may_be_a_second_constraint(tmp_path, table):
    hot = GOOD.replace("oxide\n", "hot\n").replace("[oxide, metal oxide", "[hot, hot metal oxide")
    _, warnings = problems(tmp_path, table, GOOD, hot.replace("oxidic, oxide phase", "ardent"))
    assert any("'hot metal oxide' (oxide)" in message for message in warnings), warnings


def test_command(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("oxide", "my-oxide").replace("element(O)", "element(Oo)"), encoding="utf-8")
    assert main([str(path)]) == 1
    assert "error: mine.yaml:2: concept my-oxide: test: unknown element" in capsys.readouterr().out
