"""Checkpoints of a run: what they hold, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import recover, replaced_directory


def save_model(model: ClacModel, processor: ClacProcessor, directory: Path, training: dict[str, Any]) -> None:
    """A checkpoint that loads with `from_pretrained`, and `training.json`: where it comes from."""
    with replaced_directory(directory) as new:
        model.save_pretrained(new)
        processor.save_pretrained(new)
        (new / "training.json").write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")


def save_state(accelerator: Accelerator, directory: Path, state: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Weights, optimiser, schedule, random states and the place in the data; called by every process."""
    with replaced_directory(directory, accelerator.is_main_process, accelerator.wait_for_everyone) as new:
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
