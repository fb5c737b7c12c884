"""Checkpoints of a pre-training run, written atomically."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors.torch import load_file

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import recover, replaced_directory


@dataclass
class Progress:
    """
    The progress of a run.

    Attributes:
        phase: Number of finished phases.
        epoch: Number of finished epochs of the current phase.
        batch: Number of finished batches of the current epoch.
        step: Total number of steps, of all phases.
        phase_step: Number of steps of the current phase.
        best: Highest validation score so far, see `validate`; -1 before the first.
        loss_sum: Sum of the losses of the current epoch, including those before the run was resumed.
        losses: Their number.
        seconds: Time of training and validation, including earlier parts of a resumed run.
        finished: Whether all epochs of the last phase are done.
    """

    phase: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    phase_step: int = 0
    best: float = -1.0
    loss_sum: float = 0.0
    losses: int = 0
    seconds: float = 0.0
    finished: bool = False


def save_model(model: ClacModel, processor: ClacProcessor, directory: Path, training: dict[str, Any]) -> None:
    """
    Write a checkpoint for `from_pretrained`.

    Args:
        model: The model to save.
        processor: Its processor.
        directory: Directory to create or replace.
        training: Recipe, commit, versions and scores, for `training.json`.
    """
    with replaced_directory(directory) as new:
        model.save_pretrained(new)
        processor.save_pretrained(new)
        (new / "training.json").write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")


def save_state(accelerator: Accelerator, directory: Path, progress: Progress, recipe: dict[str, Any]) -> None:
    """
    Save weights, optimiser, schedule, random states and progress. Every process calls this function.

    Args:
        accelerator: Accelerator of the run.
        directory: Directory to create or replace.
        progress: Progress of the run.
        recipe: Arguments of the run, with which a resumed run is compared.
    """
    with replaced_directory(directory, accelerator.is_main_process, accelerator.wait_for_everyone) as new:
        accelerator.save_state(str(new))
        if accelerator.is_main_process:
            state = {"state": asdict(progress), "arguments": recipe}
            (new / "state.json").write_text(json.dumps(state), encoding="utf-8")


def load_state(accelerator: Accelerator, directory: Path, recipe: dict[str, Any]) -> Progress:
    """
    Restore the state that [`save_state`] wrote.

    Args:
        accelerator: Accelerator of the run.
        directory: Directory of the state.
        recipe: Arguments of the resumed run.

    Raises:
        ClacInputError: The run in `directory` was started with another recipe.
    """
    stored = _stored(directory)
    changed = [k for k, v in recipe.items() if stored["arguments"].get(k) != v]
    if changed:
        raise ClacInputError(
            f"{directory}: was started with another {', '.join(changed)} "
            f"({', '.join(repr(stored['arguments'].get(k)) for k in changed)}); resume with the same recipe"
        )
    accelerator.load_state(str(directory))
    return Progress(**stored["state"])


def load_weights(model: ClacModel, directory: Path) -> None:
    """Restore only the weights of the model from the state that [`save_state`] wrote."""
    prefix = "model."
    state = load_file(directory / "model.safetensors")
    model.load_state_dict({name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)})


def stored_progress(directory: Path) -> Progress:
    """Read the progress that [`save_state`] wrote."""
    return Progress(**_stored(directory)["state"])


def _stored(directory: Path) -> dict[str, Any]:
    recover(directory)
    stored: dict[str, Any] = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    return stored


__all__ = ["Progress", "load_state", "load_weights", "save_model", "save_state", "stored_progress"]
