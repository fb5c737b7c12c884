"""The page on fine-tuning: its commands parse, its Python runs, its arguments and results are those of the code."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets_scripts.ner import SOURCES as NER_SOURCES
from datasets_scripts.ner import NerArguments as NerDataArguments
from datasets_scripts.pac import SOURCES as PAC_SOURCES
from datasets_scripts.pac import PacArguments as PacDataArguments
from evaluation import finetune_report
from evaluation.finetune_report import ReportArguments, report_markdown
from modeling_clac import (
    DEFAULT_MODEL,
    ClacForGraphRegression,
    ClacForSequenceClassification,
    ClacForTokenClassification,
)
from modeling_clac.data.bundled import SPLITS
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import ROOT
from tests.helpers.cli import Run
from train import finetune_ner
from train.finetune_ner import NerArguments
from train.finetune_pac import PacArguments
from train.finetune_property import PropertyArguments

TEXT = (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
RECIPES = ROOT / "train" / "recipes"


def lines_of(text: str) -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines() if line]


LINES = lines_of(TEXT)
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CLASSES: dict[str, type] = {
    "datasets_scripts.ner": NerDataArguments,
    "datasets_scripts.pac": PacDataArguments,
    "train.finetune_ner": NerArguments,
    "train.finetune_pac": PacArguments,
    "train.finetune_property": PropertyArguments,
    "evaluation.finetune_report": ReportArguments,
}
COMMANDS = [line for line in LINES if line.startswith("python -m") and line.split()[2] in CLASSES]
MARKED = dict(re.findall(r"<!-- (results:\S+) -->\n(.*?)<!-- /\1 -->", TEXT, re.DOTALL))
TAGS = {0: "O", 1: "B-MAT", 2: "I-MAT"}


def test_every_script_is_told_of() -> None:
    assert {line.split()[2] for line in COMMANDS} == set(CLASSES)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_parse(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, _, script, *words = shlex.split(line, comments=True)
    arguments: Any = parse_arguments(CLASSES[script], words)
    if script.startswith("datasets_scripts"):
        assert arguments.name in {**NER_SOURCES, **PAC_SOURCES}


def test_flags_in_the_text_exist() -> None:
    text = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    flags = set(re.findall(r"`--([a-z_]+)[` ]", text))
    known = {name for kind in CLASSES.values() for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]
    assert len(flags) > 8 and flags <= known


def test_recipes_named_exist_and_all_are_named() -> None:
    named = set(re.findall(r"`((?:ner|pac|property)-[a-z-]+)`", TEXT))
    assert named == {path.stem for kind in ("ner", "pac", "property") for path in RECIPES.glob(f"{kind}-*.yaml")}


def test_recipes_leave_out_what_published_scores_leave_out() -> None:
    arguments = parse_arguments(NerArguments, [str(RECIPES / "ner-sofc-slot.yaml")])
    assert arguments.ignore_types == ["experiment_evoking_word"]


def test_the_bundled_tower_is_the_one_that_is_compared_with() -> None:
    """The line for MiniLM takes the layers that the tower was made from."""
    (line,) = (line for line in LINES if "--name MiniLM" in line)
    layers = re.search(r"--text_layers ([\d ]+)", line)
    taken = json.loads((DEFAULT_MODEL / "training.json").read_text(encoding="utf-8"))["recipe"]["text_layers"]
    assert (layers and [int(layer) for layer in layers[1].split()]) == taken


# ------------------------------------------------------------------------------------------------------ results
def results_directories() -> dict[str, Path]:
    """Reports on fine-tuning among the committed results."""
    found = {}
    for file in (ROOT / "evaluation" / "results").glob("*/result.json"):
        if json.loads(file.read_text(encoding="utf-8")).get("task") in finetune_report.METRICS:
            found[file.parent.name] = file.parent
    return found


def test_tables_of_results_are_the_committed_ones() -> None:
    told = {name.removeprefix("results:"): block for name, block in MARKED.items() if name.startswith("results:")}
    committed = results_directories()
    assert set(committed) <= set(told)
    for name, block in told.items():
        rows = [line for line in block.splitlines() if line.startswith("|")]
        if name not in committed:
            assert not rows, f"{name}: numbers without a committed result"
            continue
        report = json.loads((committed[name] / "result.json").read_text(encoding="utf-8"))
        assert (committed[name] / "table.md").read_text(encoding="utf-8") == report_markdown(report), name
        first = report_markdown(report).split("Validation:")[0]
        assert rows == [line for line in first.splitlines() if line.startswith("|")], name


# ---------------------------------------------------------------------------------- the page from beginning to end
@pytest.fixture(scope="module")
def place(small_checkpoint: Path, small_processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the page has made by the time a model is used: models, crystals and a corpus."""
    directory = tmp_path_factory.mktemp("page")
    torch.manual_seed(0)
    tagger = ClacForTokenClassification.from_pretrained(small_checkpoint, id2label=TAGS)
    classifier = ClacForSequenceClassification.from_pretrained(small_checkpoint, id2label={0: "non_glass", 1: "glass"})
    regressor = ClacForGraphRegression.from_pretrained(small_checkpoint, target_name="bulk_modulus", target_unit="GPa")
    for model, name in ((tagger, "ner-sofc"), (classifier, "pac-glass"), (regressor, "property-bulk-modulus")):
        model.save_pretrained(directory / "runs" / name / "seed-0")
        small_processor.save_pretrained(directory / "runs" / name / "seed-0")
        small_processor.tokenizer.save_pretrained(directory / "runs" / name / "seed-0")
    shutil.copytree(ROOT / "tests" / "fixtures", directory / "tests" / "fixtures")
    (directory / "my_cifs").mkdir()
    shutil.copy(ROOT / "tests" / "fixtures" / "nacl.cif", directory / "my_cifs")
    (directory / "my-corpus").mkdir()
    (directory / "runs" / "my-corpus").mkdir()
    block = "films O\nof O\nTiO2 B-MAT\nand O\nzinc B-MAT\noxide I-MAT\n"
    for split in SPLITS:
        (directory / "my-corpus" / f"{split}.txt").write_text("\n".join([block] * 4))
    return directory


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_runs(block: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    exec(compile(block, "finetuning.md", "exec"), {})


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("clac ")])
def test_the_command_runs(line: str, place: Path, clac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = clac(*shlex.split(line)[1:])
    assert done.code == 0, done.err


def test_own_corpus_to_report_and_back(
    place: Path, bert_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe of the page on the corpus of the page, in small; the report reads what it writes, a tagger too."""
    monkeypatch.chdir(place)
    (snippet,) = (block for block in PYTHON if "my-corpus" in block)
    exec(compile(snippet, "finetuning.md", "exec"), {})
    line = next(line for line in LINES if "train.finetune_ner" in line)
    words = shlex.split(line)[3:]
    small = "--num_epochs 1 --seeds 0 1 --dataset runs/my-corpus --mixed_precision no".split()
    own = ["--model", "tiny", "--model_path", str(bert_directory), "--output_dir", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["finetune_ner"])  # what the results record as the command
    arguments = parse_arguments(NerArguments, [str(ROOT / words[0]), *words[1:], *small, *own])
    result = finetune_ner.run(arguments)
    report = finetune_report.run(ReportArguments([str(tmp_path / "run" / "results.json")], str(tmp_path / "report")))
    assert report["encoders"][0]["mean"] == result["mean"] and report["encoders"][0]["std"] == result["std"]
    assert (tmp_path / "report" / "entities.svg").exists()
    tag_words = importlib.import_module("modeling_clac.inference.tagger").tag_words
    assert len(tag_words(tmp_path / "run" / "seed-0", ["films of TiO2"])) == 1


def test_table_of_folds_is_that_of_the_committed_results() -> None:
    for file in sorted((ROOT / "evaluation" / "results" / "pac-battery-masked-folds").glob("*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        cells = {
            who: f"{result['mean'][who]['accuracy']:.3f} ± {result['std'][who]['accuracy']:.3f}"
            for who in result["mean"]
        }
        ahead = result["difference"]["accuracy"]
        told = f"{ahead['mean']:+.3f} (standard error {ahead['standard_error']:.3f})".replace("-", "−")
        assert f"| {result['encoder']} | {cells['encoder']} | {told} |" in TEXT
        assert f"| {result['baseline']} | {cells['baseline']} | |" in TEXT
