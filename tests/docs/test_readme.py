"""What the README and the cards say is what the code does and what was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evaluation.free_text import phrases_row
from evaluation.reports.retrieval import retrieval_markdown
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search.index import bundled_index
from modeling_clac.utils.paths import DEFAULT_MODEL
from tests.conftest import CRYSTALS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "evaluation" / "results" / "clac-mini"


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_python_of_the_readme_runs(block, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", [ROOT / "README.md", DEFAULT_MODEL / "README.md"], ids=["README", "model card"])
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
    assert phrases_row(name, result) in README


def test_results_belong_to_the_bundled_weights() -> None:
    result = json.loads((RESULTS / "result.json").read_text(encoding="utf-8"))
    assert result["fingerprint"] == resolve_checkpoint().fingerprint == bundled_index().model_fingerprint
    assert (result["split"], result["pool"]) == ("test", 1024)


def test_bundled_checkpoint_is_small_and_says_where_it_comes_from() -> None:
    size = sum(path.stat().st_size for path in DEFAULT_MODEL.iterdir())
    assert size <= 48e6
    training = json.loads((DEFAULT_MODEL / "training.json").read_text(encoding="utf-8"))
    assert training["commit"] and not training["commit"].endswith("-dirty")
    card = (DEFAULT_MODEL / "README.md").read_text(encoding="utf-8")
    assert training["commit"] in card
    assert all(f"{key}: {json.dumps(value)}" in card for key, value in training["recipe"].items())


def test_no_machine_paths_in_the_checkpoint() -> None:
    for path in [*DEFAULT_MODEL.glob("*.json"), *RESULTS.glob("*.json"), CRYSTALS / "README.md"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|tmp|Users)/", text), path


def test_code_beside_the_checkpoint_is_the_package() -> None:
    package = Path(DEFAULT_MODEL).parent.parent
    names = {path.name for path in DEFAULT_MODEL.glob("*.py")}
    # Fine-tuned checkpoints carry their own code beside it.
    of_heads = {"heads_clac.py", "crf_clac.py", "checkpoint_files_clac.py"}
    assert names == {path.name for path in package.glob("*_clac.py")} - of_heads
    assert all((DEFAULT_MODEL / name).read_bytes() == (package / name).read_bytes() for name in names)
