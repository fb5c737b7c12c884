"""The tutorials and the home page run from the first block to the last, in a directory of their own."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.helpers.cli import Run

DOCS = ROOT / "docs"
PAGES = [*sorted((DOCS / "tutorials").glob("*.md")), DOCS / "index.md", DOCS / "installation.md"]
PAGES += [
    DOCS / f"{name}.md" for name in ("search", "structures", "disorder", "formulas", "vocabulary", "uses", "facts")
] + [ROOT / "README.md"]
# Pages on packages that are not needed otherwise.
PACKAGE_OF_PAGE = {"sentence-transformers": "sentence_transformers"}
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
SMALL_PRETRAINING = (
    "--text_layers 0 --limit 24 --batch_size 8 --max_text_tokens 32 --graph_hidden_size 8 --graph_num_interactions 1 "
    "--graph_num_radial 6 --graph_max_neighbors 8 --projection_dim 16 --text_model_path BERT"
)
# What makes a command quick, or spares it the network; a flag that comes last wins.
SMALL = {
    "train.pretrain": SMALL_PRETRAINING,
    "train.finetune_property": "--model CHECKPOINT --limit 16 --mixed_precision no",
    "train.finetune_ner": "--model CHECKPOINT --limit 16 --mixed_precision no",
    "evaluation.retrieval": "--pool 16 --bootstrap 10",
    "datasets_scripts.narratives": "--limit 20",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that looks like a checkout, and an earlier run for the page on publishing."""
    for name in ("modeling_clac", "train", "evaluation"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "fixtures").symlink_to(ROOT / "tests" / "fixtures")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run(
    page: Path,
    place: Path,
    clac: Run,
    bert_directory: Path,
    small_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if page.stem in PACKAGE_OF_PAGE:
        pytest.importorskip(PACKAGE_OF_PAGE[page.stem])
    places = {"BERT": str(bert_directory), "CHECKPOINT": str(small_checkpoint)}
    text = page.read_text(encoding="utf-8")
    if page.stem == "publish":  # the page starts from a model that an earlier one trained
        script(
            "train.pretrain train/recipes/clac-narratives.yaml --num_epochs 1 --output_dir runs/my-model",
            places,
            monkeypatch,
        )
    names: dict[str, object] = {}
    shown = ""
    for language, body in BLOCK.findall(text):
        if language == "python":
            exec(compile(body, page.name, "exec"), names)
        elif language == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                shown = run(words, places, clac, monkeypatch) or shown
        elif language == "yaml":
            first, *_ = body.splitlines()  # `# NAME.yaml`
            Path(first.removeprefix("# ")).write_text(body, encoding="utf-8")
        elif language == "text":
            assert_same(body, shown)


def run(words: list[str], places: dict[str, str], clac: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a line of a page prints; lines that install or send something are only checked."""
    if words[:1] == ["clac"]:
        if words[1] == "push" and "--dry-run" not in words:
            words = [*words, "--dry-run"]
        done = clac(*words[1:])
        assert done.code == 0, (words, done.err)
        return done.out
    if words[:2] == ["python", "-m"]:
        script(shlex.join(words[2:]), places, monkeypatch)
    elif words[:1] == ["make"]:
        target = next(word for word in words[1:] if not word.startswith("-"))
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), words
        if target == "demo":
            return clac("search", "lithium oxide solid electrolyte for batteries", "-k", "5").out
    else:
        assert words[:2] == ["pip", "install"], words
    return ""


def script(line: str, places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `python -m LINE` in this process, small."""
    module, *words = shlex.split(line)
    if module == "datasets_scripts.push" and "--dry_run" not in words:
        words = [*words, "--dry_run"]
    small = [places.get(word, word) for word in SMALL.get(module, "").split()]
    monkeypatch.setattr(sys, "argv", [module, *words, *small])
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def assert_same(expected: str, shown: str) -> None:
    """The same table, up to the rounding of scores and the spaces at the end of lines."""
    left, right = ([line.split() for line in text.strip().splitlines()] for text in (expected, shown))
    assert 2 < len(left) <= len(right), (expected, shown)
    for a, b in zip(left, right, strict=False):
        assert len(a) == len(b), (a, b)
        for one, other in zip(a, b, strict=True):
            if re.fullmatch(r"-?\d+\.\d+", one):
                assert float(one) == pytest.approx(float(other), abs=2e-3)
            else:
                assert one == other
