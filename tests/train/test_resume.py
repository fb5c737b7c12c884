"""Runs that are stopped or crash: their checkpoints, and how they resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modeling_clac import ClacEmbedder
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import only_writer, recover, replaced_directory
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.pretraining import SMALL, arguments, launch
from train import pretrain
from train.pretrain import train


@pytest.fixture(scope="module")
def finished(bert_directory, tmp_path_factory) -> Path:
    """A run of two epochs of four steps, uninterrupted."""
    output = tmp_path_factory.mktemp("finished")
    assert train(arguments(bert_directory, output)).step == 8
    return output


def assert_same_weights(one: Path, other: Path) -> None:
    expected, result = (load_file(path / "last" / "model.safetensors") for path in (one, other))
    assert expected.keys() == result.keys()
    assert all(torch.equal(expected[name], result[name]) for name in expected)


@pytest.mark.parametrize("steps", [3, 4, 5])
def test_resumed_run_ends_with_the_same_weights(bert_directory, finished, tmp_path, steps) -> None:
    """Stopped inside an epoch or at its end, and resumed: the weights equal those of the uninterrupted run."""
    progress = train(arguments(bert_directory, tmp_path, max_steps=steps))
    assert (progress.finished, progress.step) == (False, steps)
    assert train(arguments(bert_directory, tmp_path, resume=True)).finished
    assert_same_weights(finished, tmp_path)
    # The loss is that of the epoch, not of its part after the stop.
    losses = [
        [json.loads(line)["loss"] for line in (path / "log.jsonl").read_text().splitlines()]
        for path in (finished, tmp_path)
    ]
    assert losses[1] == losses[0]


_KILLED = """
import json, os, signal, sys
import torch
from modeling_clac.utils import atomic_files
from train import pretrain
from train.pretraining.arguments import PretrainArguments

place, count, arguments = sys.argv[1], int(sys.argv[2]), PretrainArguments(**json.loads(sys.argv[3]))
module, name = {"step": (pretrain, "gradcache_backward"), "write": (torch, "save"), "rename": (os, "rename"),
                "exchange": (atomic_files, "_exchange"), "validation": (pretrain, "validate")}[place]
if place == "rename":  # as on a file system that cannot exchange two directories
    atomic_files._exchange = lambda one, other: False
real, calls = getattr(module, name), 0

def deadly(*args, **kwargs):
    global calls
    calls += place != "rename" or str(args[0]).endswith(("last", "last.new"))
    if calls == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

setattr(module, name, deadly)
pretrain.train(arguments)
"""


def slow(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("place", "count"),
    [
        slow("step", 2),  # before the second step, one step after the first checkpoint
        ("step", 7),
        ("write", 5),  # while the files of a checkpoint are written
        slow("rename", 2),  # the next checkpoint is complete, but not renamed
        slow("rename", 3),  # the previous checkpoint is renamed, the next one is not
        slow("exchange", 1),  # both checkpoints are complete
        slow("validation", 2),
    ],
)
def test_killed_at_any_moment(bert_directory, finished, tmp_path, place, count) -> None:
    """SIGKILL, then `--resume`: weights and log equal those of the uninterrupted run."""
    options = {**SMALL, "text_model": str(bert_directory), "dataset": str(CRYSTALS), "save_steps": 1}
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    run = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    words = [sys.executable, str(script), place, str(count), json.dumps({**options, "output_dir": str(run)})]
    process = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert train(arguments(bert_directory, run, save_steps=1, resume=True)).step == 8
    assert_same_weights(finished, run)
    logs = [[json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()] for path in (finished, run)]
    assert [entry["step"] for entry in logs[1]] == [4, 8]
    for name in ("top_1", "loss"):
        assert [entry[name] for entry in logs[1]] == [entry[name] for entry in logs[0]]
    assert sorted(path.name for path in run.iterdir()) == ["best", "last", "log.jsonl"]


def test_streamed_run_resumes_with_the_same_weights(bert_directory, tmp_path) -> None:
    options = {"streaming": True, "steps_per_epoch": 4, "shuffle_buffer": 16}
    train(arguments(bert_directory, tmp_path / "whole", **options))
    assert train(arguments(bert_directory, tmp_path / "parts", max_steps=2, **options)).step == 2
    assert train(arguments(bert_directory, tmp_path / "parts", resume=True, **options)).finished
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")


def test_two_runs_in_one_directory_are_refused(bert_directory, tmp_path) -> None:
    with (
        only_writer(tmp_path / "run", "output_dir"),
        pytest.raises(ClacInputError, match="run: another process is writing to it; wait for it, or choose another"),
    ):
        train(arguments(bert_directory, tmp_path / "run", max_steps=1))
    assert not (tmp_path / "run").exists()


def test_resume_refuses_another_recipe(bert_directory, tmp_path) -> None:
    train(arguments(bert_directory, tmp_path, max_steps=1))
    with pytest.raises(ClacInputError, match="another learning_rate"):
        train(arguments(bert_directory, tmp_path, resume=True, learning_rate=1.0))
    with pytest.raises(ClacInputError, match="already holds a run"):
        train(arguments(bert_directory, tmp_path))
    with pytest.raises(ClacInputError, match="nothing to resume"):
        train(arguments(bert_directory, tmp_path / "empty", resume=True))


def test_sigterm_saves_and_the_run_continues(bert_directory, tmp_path) -> None:
    recipe = tmp_path / "recipe.yaml"
    options = {**SMALL, "text_model": str(bert_directory), "dataset": str(CRYSTALS), "num_epochs": 500}
    recipe.write_text("".join(f"{key}: {value}\n" for key, value in options.items()))
    process = launch(str(recipe), "--output_dir", str(tmp_path / "run"))
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "last").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "continue with --resume" in output
    state = json.loads((tmp_path / "run" / "last" / "state.json").read_text())["state"]
    assert 0 < state["step"] < 2000


def test_nan_loss_stops_with_the_batch_and_keeps_the_last_checkpoint(bert_directory, tmp_path, monkeypatch) -> None:
    real, calls = pretrain.gradcache_backward, 0

    def poisoned(objective, *args, **kwargs):
        nonlocal calls
        calls += 1
        losses = real(objective, *args, **kwargs)
        if calls == 6:
            next(objective.parameters()).grad.fill_(float("nan"))
        return losses

    monkeypatch.setattr(pretrain, "gradcache_backward", poisoned)
    with pytest.raises(ClacInputError, match=r"step 6: .* is not finite; the batch holds mp-") as raised:
        train(arguments(bert_directory, tmp_path))
    assert "\n" not in str(raised.value)
    bad = json.loads((tmp_path / "bad-batch-0.json").read_text())
    assert bad["step"] == 6 and len(bad["material_id"]) == 8
    assert json.loads((tmp_path / "last" / "state.json").read_text())["state"]["step"] == 4
    assert all(torch.isfinite(value).all() for value in load_file(tmp_path / "last" / "model.safetensors").values())
    assert ClacEmbedder.from_pretrained(tmp_path / "best").encode_text(["NaCl"]).shape == (1, 16)
    monkeypatch.undo()
    assert train(arguments(bert_directory, tmp_path, resume=True)).finished


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1.5 MB, with room for only one checkpoint of the small model."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk_is_one_line_and_the_previous_checkpoint_is_kept(bert_directory, small_disk) -> None:
    run = small_disk / "run"
    train(arguments(bert_directory, run, max_steps=2))
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize - 100_000))
    with pytest.raises(
        ClacInputError, match=r"last: cannot be written \(the disk is full\); its previous content is kept"
    ):
        train(arguments(bert_directory, run, max_steps=1, resume=True))
    assert sorted(path.name for path in run.iterdir()) == ["last"]
    (small_disk / "filler").unlink()
    assert train(arguments(bert_directory, run, max_steps=1, resume=True)).step == 3


def test_a_directory_is_replaced_whole_or_not_at_all(tmp_path) -> None:
    target = tmp_path / "best"
    with replaced_directory(target) as new:
        (new / "a").write_text("1")
    with pytest.raises(RuntimeError), replaced_directory(target) as new:
        (new / "a").write_text("2")
        raise RuntimeError
    assert (target / "a").read_text() == "1"
    with replaced_directory(target) as new:
        (new / "a").write_text("3")
    assert (target / "a").read_text() == "3"


def test_a_crash_between_two_renames_is_repaired(tmp_path) -> None:
    target, old = tmp_path / "best", tmp_path / "best.old"
    old.mkdir()
    (old / "a").write_text("1")
    recover(target)
    assert (target / "a").read_text() == "1" and not old.exists()
    target.rename(old)
    with pytest.raises(RuntimeError), replaced_directory(target) as new:
        (new / "a").write_text("2")
        raise RuntimeError
    assert (target / "a").read_text() == "1"
