"""Checkpoints that are whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.structures_clac import ClacInputError

# Less than this left on the disk after a failed write, and the disk is what failed: the tensor writers tell of it in
# exceptions of their own kinds.
_FULL = 1 << 20  # bytes


def recover(directory: Path) -> None:
    """Puts back what a crash between the two renamings of [`replaced_directory`] left under its old name."""
    old = directory.with_name(directory.name + ".old")
    if old.exists() and not directory.exists():
        os.rename(old, directory)  # noqa: PTH104


@contextmanager
def replaced_directory(directory: Path, accelerator: Accelerator | None = None) -> Iterator[Path]:
    """
    Yields a new directory that takes the place of `directory` when the block ends without an exception; else it is
    removed. With an accelerator all processes enter, write into the one directory, and leave together.

    Raises:
        ClacInputError: it cannot be written; `directory` is as it was.
    """
    new, old = directory.with_name(directory.name + ".new"), directory.with_name(directory.name + ".old")
    main = accelerator is None or accelerator.is_main_process

    def wait() -> None:
        if accelerator is not None:
            accelerator.wait_for_everyone()

    try:
        if main:
            recover(directory)
            for leftover in (new, old):
                shutil.rmtree(leftover, ignore_errors=True)
            new.mkdir(parents=True)
        wait()
        yield new
        wait()
    except Exception as error:
        full = new.exists() and shutil.disk_usage(new).free < _FULL
        shutil.rmtree(new, ignore_errors=True)
        if not full and not isinstance(error, OSError):
            raise
        reason = "the disk is full" if full else getattr(error, "strerror", None) or error
        kept = "; what was there before is kept" if directory.exists() else ""
        raise ClacInputError(f"{directory}: cannot be written, {reason}{kept}") from None
    if main:
        if directory.exists():
            os.rename(directory, old)  # noqa: PTH104 - one system call each, see `recover`
        os.rename(new, directory)  # noqa: PTH104
        shutil.rmtree(old, ignore_errors=True)
    wait()


def save_model(model: ClacModel, processor: ClacProcessor, directory: Path, training: dict[str, Any]) -> None:
    """A checkpoint that loads with `from_pretrained`, and `training.json`: where it comes from."""
    with replaced_directory(directory) as new:
        model.save_pretrained(new)
        processor.save_pretrained(new)
        (new / "training.json").write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")


def training_record(checkpoint: Path) -> dict[str, Any]:
    """
    `training.json` of a checkpoint: recipe, commit, versions, validation scores, and what it started from.

    Raises:
        ClacInputError: the checkpoint has none, so pre-training did not write it.
    """
    file = checkpoint / "training.json"
    if not file.is_file():
        raise ClacInputError(f"{checkpoint}: no training.json in it; give a checkpoint that train.pretrain wrote")
    return json.loads(file.read_text(encoding="utf-8"))


def save_state(accelerator: Accelerator, directory: Path, state: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Weights, optimiser, schedule, random states and the place in the data; called by every process."""
    with replaced_directory(directory, accelerator) as new:
        accelerator.save_state(str(new))
        if accelerator.is_main_process:
            (new / "state.json").write_text(json.dumps({"state": state, "arguments": arguments}), encoding="utf-8")


def load_state(accelerator: Accelerator, directory: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    """
    Back to where [`save_state`] was; returns the state.

    Raises:
        ClacInputError: the run in `directory` was started with other arguments.
    """
    recover(directory)
    stored = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    changed = [k for k, v in arguments.items() if stored["arguments"].get(k) != v]
    if changed:
        raise ClacInputError(
            f"{directory}: was started with another {', '.join(changed)} "
            f"({', '.join(repr(stored['arguments'].get(k)) for k in changed)}); resume with the same recipe"
        )
    accelerator.load_state(str(directory))
    return stored["state"]
