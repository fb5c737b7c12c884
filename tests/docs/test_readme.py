"""The README, the evaluation page and the cards state what was measured and what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evaluation.coverage import coverage_markdown
from evaluation.domain import domain_markdown
from evaluation.estimates import estimates_markdown
from evaluation.free_text import phrases_row
from evaluation.reports.calibration import calibration_markdown
from evaluation.reports.meaning import meaning_markdown
from evaluation.reports.paper_models import models_markdown
from evaluation.reports.retrieval import retrieval_markdown
from evaluation.reports.retrieval_protocols import protocols_markdown
from evaluation.reports.search_ablation import search_ablation_markdown
from modeling_clac.inference.calibration import Calibration
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search.index import bundled_index
from modeling_clac.utils.paths import DEFAULT_MODEL
from tests.conftest import CRYSTALS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
RESULTS = ROOT / "evaluation" / "results" / "clac-mini"


def anchors(path: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and MkDocs name them."""
    headings = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_of_the_readme_lead_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if not target.startswith("https://")]
    assert len(targets) > 15
    for target in targets:
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert not anchor or anchor in anchors(ROOT / path), target


def test_numbers_of_the_readme_are_those_of_the_evaluation_page() -> None:
    summary = README.split("## How well it works")[1].split("## Limits")[0]
    numbers = re.findall(r"\b0\.\d{3}\b", summary)
    assert len(numbers) == 4
    assert [number for number in numbers if number not in EVALUATION] == []


@pytest.mark.parametrize(
    "path", [ROOT / "docs" / "evaluation.md", DEFAULT_MODEL / "README.md"], ids=["evaluation", "model card"]
)
def test_numbers_are_those_of_the_committed_result(path) -> None:
    result = json.loads((RESULTS / "result.json").read_text(encoding="utf-8"))
    rows = [line for line in retrieval_markdown(result).splitlines() if line.startswith("|")]
    assert len(rows) >= 8
    text = path.read_text(encoding="utf-8")
    assert [row for row in rows if row not in text] == []


@pytest.mark.parametrize(("name", "split"), [("development", "validation"), ("frozen", "test")])
def test_precision_of_phrases_is_that_of_the_committed_result(name: str, split: str) -> None:
    result = json.loads((RESULTS / f"phrases-{name}.json").read_text(encoding="utf-8"))
    assert (result["split"], result["fingerprint"]) == (split, resolve_checkpoint().fingerprint)
    assert phrases_row(name, result) in EVALUATION


@pytest.mark.parametrize("name", ["calibration", "domain", "coverage"])
def test_tables_of_confidence_are_those_of_the_committed_results(name: str) -> None:
    directory = RESULTS.parent / ("coverage" if name == "coverage" else f"report/{name}")
    result = json.loads((directory / "result.json").read_text(encoding="utf-8"))
    written = {"calibration": calibration_markdown, "domain": domain_markdown, "coverage": coverage_markdown}[name]
    table = written(result)
    assert (directory / "table.md").read_text(encoding="utf-8") == table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert [row for row in rows if row not in EVALUATION] == []
    assert result.get("fingerprint", resolve_checkpoint().fingerprint) == resolve_checkpoint().fingerprint


def test_the_bundled_checkpoint_is_calibrated() -> None:
    assert Calibration.from_checkpoint(resolve_checkpoint()) is not None


def cell(mean: float, std: float | None, decimals: int) -> str:
    return f"{mean:.{decimals}f}" + ("" if std is None else f" ± {std:.{decimals}f}")


# Result, row, metric and decimals; columns are encoders, then a baseline.
SUMMARY = [
    ("ner-matscholar", "entities, Matscholar | micro F1", "micro_f1", 3),
    ("ner-sofc", "entities, SOFC-Exp | micro F1", "micro_f1", 3),
    ("pac-glass", "abstracts on glass | accuracy", "accuracy", 3),
    ("pac-battery-masked", "abstracts on batteries, ion masked | accuracy", "accuracy", 3),
    ("pac-battery", "abstracts on batteries | accuracy", "accuracy", 3),
    ("property-bulk-modulus", "bulk modulus, GPa", "mae", 1),
    ("property-refractive-index", "refractive index", "mae", 3),
    ("property-formation-energy", "formation energy, eV/atom", "mae", 3),
]


@pytest.mark.parametrize(("name", "row", "metric", "decimals"), SUMMARY)
def test_summary_of_fine_tuning_is_that_of_the_committed_results(
    name: str, row: str, metric: str, decimals: int
) -> None:
    result = json.loads((ROOT / "evaluation" / "results" / name / "result.json").read_text(encoding="utf-8"))
    encoders = {entry["encoder"]: entry for entry in result["encoders"]}
    shown = ("clac-mini", "scratch") if name.startswith("property") else ("clac-mini", "MiniLM-3", "MiniLM")
    cells = [cell(encoders[e]["mean"]["test"][metric], encoders[e]["std"]["test"][metric], decimals) for e in shown]
    baseline = "random forest" if name.startswith("property") else "TF-IDF + logistic regression"
    scores = result["baselines"].get(baseline)
    cells.append(cell(scores["test"][metric], None, decimals) if scores else "")
    assert f"| {row} | {' | '.join(cells)} |" in EVALUATION


def test_tables_of_meaning_and_estimates_are_those_of_the_committed_results() -> None:
    results = ROOT / "evaluation" / "results"
    estimates, meaning, frozen, ablation = (
        json.loads((results / name / "result.json").read_text(encoding="utf-8"))
        for name in ("estimates", "meaning", "meaning-frozen", "search-ablation")
    )
    assert estimates_markdown(estimates).split("\n\n")[0] in EVALUATION
    assert all(block in EVALUATION for block in meaning_markdown(meaning).split("\n\n")[:3])
    assert search_ablation_markdown(ablation).split("\n\n")[0] in EVALUATION
    for way, scored in frozen["scores"]["realistic"].items():
        low, high = scored["interval"]
        assert f"{scored['share']:.3f} [{low:.3f}, {high:.3f}] ({way})" in EVALUATION
        assert "texts" not in scored
    assert {own["fingerprint"] for own in (meaning, frozen, ablation)} == {resolve_checkpoint().fingerprint}


def test_descriptions_of_structures_are_those_of_the_committed_results() -> None:
    scores = [
        json.loads((RESULTS.parent / "descriptions" / f"{split}.json").read_text(encoding="utf-8"))["scores"]
        for split in ("validation", "test")
    ]
    for kind, label in (("whole description", "whole description"), ("first sentence", "first sentence")):
        cells = [
            f"{own[kind]['top_1']:.3f} [{low:.3f}, {high:.3f}]"
            for own in scores
            for low, high in [own[kind]["intervals"]["top_1"]]
        ]
        row = next(line for line in EVALUATION.splitlines() if line.startswith(f"| {label}"))
        assert row.endswith(f"| {' | '.join(cells)} | {scores[1][kind]['top_10']:.3f} |")


@pytest.mark.parametrize("part", ["zero-shot", "applications"])
def test_tables_of_the_report_are_those_of_the_committed_results(part: str) -> None:
    directory = RESULTS.parent / "report" / part
    result = json.loads((directory / "result.json").read_text(encoding="utf-8"))
    assert result["fingerprint"] == resolve_checkpoint().fingerprint
    table, *_ = (directory / "table.md").read_text(encoding="utf-8").split("\n\n")
    assert table in EVALUATION


def test_tables_of_small_models_are_those_of_the_committed_results() -> None:
    results = RESULTS.parent
    models, splits = (
        json.loads((results / name / "result.json").read_text(encoding="utf-8"))
        for name in ("paper-models", "random-split")
    )
    table = models_markdown(models)
    assert (results / "paper-models" / "table.md").read_text(encoding="utf-8") == table
    assert table.split("\n\n")[0] in EVALUATION
    table = protocols_markdown(splits)
    assert (results / "random-split" / "table.md").read_text(encoding="utf-8") == table
    rows = [line for line in table.splitlines() if "| 1,024 | 1,024 |" in line]
    assert len(rows) == 8 and [row for row in rows if row not in EVALUATION] == []
    known = splits["splits"]["at random"]["known_formulas"]
    assert splits["splits"]["by formula"]["known_formulas"] == 0
    assert f"the formulas of {100 * known:.0f} % of the test crystals" in EVALUATION
    commits = [own["commit"] for own in models["runs"]] + [splits["commit"]]
    commits += [own["training"]["commit"] for own in splits["splits"].values()]
    assert not [commit for commit in commits if commit is None or commit.endswith("-dirty")]


def test_results_belong_to_the_bundled_weights() -> None:
    result = json.loads((RESULTS / "result.json").read_text(encoding="utf-8"))
    assert result["fingerprint"] == resolve_checkpoint().fingerprint == bundled_index().model_fingerprint
    assert (result["split"], result["pool"]) == ("test", 1024)


def test_bundled_checkpoint_is_small_and_says_where_it_comes_from() -> None:
    size = sum(path.stat().st_size for path in DEFAULT_MODEL.iterdir())
    assert size <= 70e6
    training = json.loads((DEFAULT_MODEL / "training.json").read_text(encoding="utf-8"))
    assert training["commit"] and not training["commit"].endswith("-dirty")
    card = (DEFAULT_MODEL / "README.md").read_text(encoding="utf-8")
    assert training["commit"] in card
    assert all(f"{key}: {json.dumps(value)}" in card for key, value in training["recipe"].items())


def test_no_machine_paths_in_the_checkpoint() -> None:
    for path in [*DEFAULT_MODEL.glob("*.json"), *RESULTS.glob("*.json"), CRYSTALS / "README.md"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|tmp|Users)/", text), path
