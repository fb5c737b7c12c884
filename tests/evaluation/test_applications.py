"""Materials against applications: published structures, expectations, agreement, and the matrices end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from evaluation.applications import (
    FOLDER,
    ApplicationArguments,
    decided_agreement,
    expected_agreement,
    run,
    standardised,
)
from evaluation.texts.application_lists import choose_uses, read_applications, read_expectations, read_materials
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.structure_facts import describe_crystal
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.structures_clac import parse_structure

MATERIALS = dict(read_materials(FOLDER / "materials.yaml"))
APPLICATIONS = read_applications(FOLDER / "applications.yaml", load_vocabulary())
# Space group and density in g/cm³, CRC Handbook of Chemistry and Physics; Li7La3Zr2O12: Awaka et al. (2009).
KNOWN = {
    "Li7La3Zr2O12": (142, 5.11),
    "GaAs": (216, 5.32),
    "BaTiO3": (99, 6.02),
    "B4C": (166, 2.50),
    "Zr": (194, 6.52),
    "RuO2": (136, 7.05),
}


@pytest.mark.parametrize("name", KNOWN)
def test_structures_have_the_composition_symmetry_and_density_of_the_material(name: str) -> None:
    crystal = parse_structure(MATERIALS[name])
    facts = describe_crystal(crystal)
    assert not crystal.warnings
    assert facts["formula"] == name and facts["space_group_number"] == KNOWN[name][0]
    assert facts["density"] == pytest.approx(KNOWN[name][1], rel=0.03)
    assert "doi" in MATERIALS[name].read_text(encoding="utf-8") or "Wyckoff" in MATERIALS[name].read_text()


def test_every_material_has_an_application_of_its_own() -> None:
    grades = read_expectations(FOLDER / "expectations.yaml", list(MATERIALS), [own.name for own in APPLICATIONS])
    assert grades.shape == (6, 6)
    assert ((grades == 2).sum(axis=0) == 1).all() and ((grades == 2).sum(axis=1) == 1).all()
    assert all(len(own.texts) > 3 and own.texts[0] == own.name for own in APPLICATIONS)


def test_agreement_with_expectations() -> None:
    grades = np.array([[2.0, 1, 0], [0, 2, 0], [1, 0, 2], [np.nan, np.nan, np.nan]])
    scores = np.vstack([grades[:3] + np.array([0.3, 0.2, 0.1]), [9, 9, 9]])
    names, uses = ["a", "b", "c", "d"], ["x", "y", "z"]
    found = expected_agreement(scores, grades, names, uses, 0)
    assert found["own"] == {own: {"application": use, "rank": 1} for own, use in zip(names[:3], uses, strict=True)}
    assert found["first_or_second"] == 3
    assert found["kendall"] == pytest.approx(
        np.mean([kendalltau(scores[row], grades[row]).statistic for row in range(3)])
    )
    worst = expected_agreement(-scores, grades, names, uses, 0)
    assert [own["rank"] for own in worst["own"].values()] == [3, 3, 3] and worst["kendall"] < 0
    assert found["p_value"] < worst["p_value"] <= 1


def test_scores_are_standard_deviations_of_other_crystals() -> None:
    generator = np.random.default_rng(0)
    background = generator.normal([0.5, 0.1], [0.1, 0.2], (500, 2))
    np.testing.assert_allclose(standardised(np.array([[0.7, 0.5]]), background), [[2, 2]], atol=0.2)
    plain = np.array([[0.7, 0.5]])
    np.testing.assert_array_equal(standardised(plain, np.empty((0, 2))), plain)


def test_uses_are_chosen_with_crystals_for_which_they_hold() -> None:
    vocabulary, table = load_vocabulary(), FactTable.bundled("validation")
    uses, rows, truth = choose_uses(vocabulary, table, 20, 40, 0)
    assert len(set(uses)) == 20 and len(set(rows)) == 40 and truth.shape == (40, 20)
    assert (truth == 1).any(axis=1).all() and (truth == 1).any(axis=0).all()
    assert not any(own in vocabulary.wider(other) for own in uses for other in uses)
    np.testing.assert_array_equal(truth[:, 3], vocabulary.holds(uses[3], table)[rows])
    with pytest.raises(ClacInputError, match="--num_uses"):
        choose_uses(vocabulary, table, 2000, 40, 0)
    perfect = decided_agreement(truth, truth)
    assert perfect["by_use"]["auc"] == perfect["by_material"]["average_precision"] == perfect["top_3"] == 1
    drawn = decided_agreement(np.random.default_rng(0).random(truth.shape), truth)
    assert 0.3 < drawn["by_use"]["auc"] < 0.7


def test_the_small_matrix(small_checkpoint, tmp_path: Path) -> None:
    result = run(ApplicationArguments(str(small_checkpoint), background=8, output=str(tmp_path / "result.json")))
    assert np.shape(result["scores"]) == (6, 6) and len(result["agreement"]["own"]) == 6
    assert {path.name for path in tmp_path.iterdir()} >= {"table.md", "applications.png", "applications.svg"}
    assert "| Li7La3Zr2O12 | solid-state batteries |" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_the_large_matrix(small_checkpoint, tmp_path: Path) -> None:
    given = {"large": True, "split": "validation", "num_materials": 12, "num_uses": 9, "background": 4}
    result = run(ApplicationArguments(str(small_checkpoint), output=str(tmp_path / "result.json"), **given))
    assert np.shape(result["scores"]) == (12, 9) == np.shape(result["expected"])
    assert result["agreement"]["by_use"]["number"] == 9


def test_a_structure_that_cannot_be_read_leaves_the_others(small_checkpoint, tmp_path: Path) -> None:
    (tmp_path / "cifs").mkdir()
    for name in ("gaas", "zr"):
        text = (FOLDER / "structures" / f"{name}.cif").read_text(encoding="utf-8")
        (tmp_path / "cifs" / f"{name}.cif").write_text(text, encoding="utf-8")
    (tmp_path / "cifs" / "broken.cif").write_text("data_broken\n_cell_length_a wide\n", encoding="utf-8")
    given = {"materials": str(tmp_path / "cifs"), "background": 0, "output": str(tmp_path / "result.json")}
    with pytest.raises(ClacInputError, match=r"broken\.cif.*the matrix has the other materials") as error:
        run(ApplicationArguments(str(small_checkpoint), **given))
    assert "\n" not in str(error.value)
    stored = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert stored["materials"] == ["gaas", "zr"] and len(stored["skipped"]) == 1 and "agreement" not in stored


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("materials", "- {name: a}", "entry 1: expected the keys file, name"),
        ("materials", "- {name: a, file: x}\n- {name: a, file: y}", "a occurs twice"),
        ("applications", "solar cells", "expected a list"),
        ("applications", "- {name: solar cells, concepts: [sun]}", "no concept has the id 'sun'"),
        ("applications", "- {name: solar cells, wordings: PV}", "entry 1: wordings: expected text"),
        ("expectations", "Fe: {fuel cells: 1}", "Fe: not one of the materials"),
        ("expectations", "Zr: {fuel cells: 3}", "Zr: fuel cells: 3; expected"),
        ("expectations", "Zr: {sailing: 1}", "Zr: sailing: 1; expected"),
        ("expectations", "- Zr", "expected a table"),
    ],
)
def test_a_wrong_list_is_one_line(small_checkpoint, tmp_path: Path, option: str, text: str, message: str) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ClacInputError, match=message) as error:
        run(ApplicationArguments(str(small_checkpoint), background=0, **{option: str(file)}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "train"}, "--split train"),
        ({"output": "result.txt"}, "--output result.txt"),
        ({"large": True, "materials": "x"}, "--materials"),
    ],
)
def test_a_wrong_argument_is_one_line(changes, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        run(ApplicationArguments(**changes))
