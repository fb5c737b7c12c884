"""Resuming of fine-tuning, and uploading to the Hub."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modeling_clac.errors_clac import ClacInputError
from tests.conftest import ROOT
from tests.helpers.finetune_data import class_set, tagged_set
from tests.helpers.hub_server import Hub
from train import finetune_pac
from train.finetune_pac import PacArguments
from train.finetuning import runs as finetune_runs
from train.finetuning import trainer as finetune

_KILLED = """
import json, os, signal, sys
from train import finetune_pac
from train.finetuning import trainer
steps = 0

def deadly(*args, **kwargs):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

real, trainer.FinetuneTrainer.training_step = trainer.FinetuneTrainer.training_step, deadly
finetune_pac.run(finetune_pac.PacArguments(**json.loads(sys.argv[1])))
"""
_STEPS = 4  # an epoch


@pytest.fixture(scope="module")
def arguments(bert_directory, tmp_path_factory) -> PacArguments:
    """Two seeds of three epochs of four steps, with dropout, so that random states matter."""
    place = tmp_path_factory.mktemp("resume")
    options = {"seeds": [0, 1], "num_epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "dropout": 0.2}
    return PacArguments(str(place / "whole"), str(class_set(place)), str(bert_directory), **options)


@pytest.fixture(scope="module")
def whole(arguments) -> Path:
    finetune_pac.run(arguments)
    return Path(arguments.output_dir)


def scores(directory: Path) -> list[dict[str, Any]]:
    runs = json.loads((directory / "results.json").read_text())["runs"]
    return [{name: value for name, value in run.items() if name != "train_seconds"} for run in runs]


def assert_same(one: Path, other: Path) -> None:
    assert scores(one) == scores(other)
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for seed in ("seed-0", "seed-1"):
        expected, found = (load_file(place / seed / "model.safetensors") for place in (one, other))
        assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)


def test_resumed_after_a_kill(arguments, whole, tmp_path) -> None:
    """Killed in the second epoch of the second seed: the first seed is kept, the second ends with equal weights."""
    output = tmp_path / "run"
    count = 3 * _STEPS + _STEPS + 2
    options = json.dumps(asdict(replace(arguments, output_dir=str(output))))
    command = [sys.executable, "-c", _KILLED, options, str(count)]
    killed = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert json.loads((output / "results.json").read_text())["seeds"] == [0]
    before = (output / "seed-0" / "model.safetensors").stat().st_mtime_ns
    again = replace(arguments, output_dir=str(output))
    with pytest.raises(ClacInputError, match="already holds a run; add --resume"):
        finetune_pac.run(again)
    with pytest.raises(ClacInputError, match=r"started with another learning_rate \(0.001\)"):
        finetune_pac.run(replace(again, learning_rate=2e-3, resume=True))
    finetune_pac.run(replace(again, resume=True))
    assert_same(whole, output)
    assert (output / "seed-0" / "model.safetensors").stat().st_mtime_ns == before


class Stopped(Exception):
    """Stands in for a kill."""


def stop(*_: Any, **__: Any) -> Any:
    raise Stopped


def stopped_and_resumed(arguments: PacArguments, output: Path, monkeypatch: Any, place: Any, name: str) -> None:
    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(place, name, stop)
        finetune_pac.run(replace(arguments, output_dir=str(output)))
    assert (output / "seed-0.unfinished").exists() and not (output / "seed-0").exists()
    finetune_pac.run(replace(arguments, output_dir=str(output), resume=True))


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (finetune.FinetuneTrainer, "training_step"),  # before the first checkpoint
        (finetune.FinetuneTrainer, "_save_rng_state"),  # within a checkpoint
        (finetune.FinetuneTrainer, "predict"),  # after the last epoch
        (finetune_runs, "replaced_directory"),  # before the model is saved
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_resumed_wherever_it_was_stopped(arguments, whole, tmp_path, monkeypatch, place, name) -> None:
    stopped_and_resumed(arguments, tmp_path / "run", monkeypatch, place, name)
    assert_same(whole, tmp_path / "run")


def test_resumed_after_early_stopping(arguments, tmp_path, monkeypatch, capsys) -> None:
    """A run that early stopping has ended does not train another epoch."""
    still = {"freeze_layers": -1, "head_learning_rate": 1e-30, "dropout": 0.0, "early_stopping_patience": 2}
    waiting = replace(arguments, num_epochs=20, seeds=[0], **still)
    stopped_and_resumed(waiting, tmp_path / "run", monkeypatch, finetune_runs, "replaced_directory")
    said = capsys.readouterr().out
    assert said.count("seed 0, epoch") == 3 and "seed 0: resuming after epoch 3" in said
    assert scores(tmp_path / "run")[0]["best_epoch"] == 1


def test_more_seeds_are_added(arguments, whole, tmp_path) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "run"))
    more = replace(arguments, output_dir=str(output), seeds=[0, 1, 2], resume=True)
    assert finetune_pac.run(more)["seeds"] == [0, 1, 2]
    assert scores(output)[:2] == scores(whole)


@pytest.mark.slow
def test_uploads_the_best_seed_to_the_hub(bert_directory, tmp_path) -> None:
    data, output = tagged_set(tmp_path), tmp_path / "run"
    with Hub().run() as hub:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        words = ["--dataset", data, "--output_dir", output, "--model", bert_directory, "--push_to_hub", "me/tagger"]
        command = [
            sys.executable,
            "-m",
            "train.finetune_ner",
            *map(str, words),
            "--seeds",
            "0",
            "1",
            "--num_epochs",
            "1",
        ]
        environment = kept | hub.environment(str(tmp_path / "home")) | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        repository = hub.repositories["models", "me/tagger"]
        runs = json.loads((output / "results.json").read_text())["runs"]
        best = max(runs, key=lambda run: run["validation"]["micro_f1"])["seed"]
        assert f"seed {best} uploaded to {hub.url}/me/tagger" in done.stdout
        assert repository.private
        assert repository.files["model.safetensors"] == (output / f"seed-{best}" / "model.safetensors").read_bytes()
        assert {"README.md", "config.json", "tokenizer.json", "heads_clac.py"} <= repository.files.keys()
        card = repository.files["README.md"].decode()
        assert "pipeline_tag: token-classification" in card and "| micro_f1 |" in card
