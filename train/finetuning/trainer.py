"""Fine-tuning one seed with transformers' Trainer: rates by layer, frozen layers, batches of like length, resuming."""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import replaced_file
from train.finetuning.arguments import FinetuneArguments, recipe_of
from train.pretraining.optimization import choose_precision

# The names of one layer of each kind of tower: BERT's, DistilBERT's, PaiNN's, CGCNN's and the norms of the last.
_LAYER = re.compile(r"\.(?:layer|interactions|convolutions|norms)\.(\d+)\.")
# All weights of a tower; what the text tower adds for quantities belongs to it.
_TOWERS = ("text_model.", "text_values.", "text_composition.", "graph_model.")
# Of these, what enters with the word embeddings; the rest enters after the last layer.
_QUANTITIES_IN = re.compile(r"^text_values\.(?:kind|fraction|root|number)\.")
# Matrices whose rows are looked up: no weight decay.
_TABLES = re.compile(r"embedding|^crf\.|^text_values\.(?:kind|fraction|root)\.|^text_composition\.")
_STATE = "trainer_state.json"
RECIPE = "recipe.json"
# A pool of so many batches is sorted by length: like lengths in a batch, yet other batches in every epoch.
_POOL = 32
_TRAINERS_OWN = {"loss", "choice", "runtime", "samples_per_second", "steps_per_second", "model_preparation_time"}


@dataclass
class Task:
    """
    What a script fine-tunes on.

    Attributes:
        kind: `ner`, `pac` or `property`. build: a fresh model for a seed. processor: saved beside it.
        splits: inputs of the model, row by row. collate: rows -> a batch.
        lengths: of the training rows, for batches of like length; `None` where rows are not padded.
        score: (split, predictions, labels) -> metrics. predict: (logits, labels) -> what is kept of them.
        choose: metrics of validation with `loss` -> the number that is largest for the best epoch.
        shown: the metric for messages. counts, baselines, target: for the results.
    """

    kind: str
    build: Callable[[], PreTrainedModel]
    processor: Any
    splits: Mapping[str, Sequence[dict[str, Any]]]
    collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]
    lengths: list[int] | None
    score: Callable[[str, np.ndarray, np.ndarray], dict[str, float]]
    choose: Callable[[Mapping[str, float]], float]
    shown: str
    predict: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    counts: dict[str, int] = field(default_factory=dict)
    baselines: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    target: dict[str, str | None] | None = None


def best_of(score: float, loss: float) -> float:
    """A score that is compared first and a loss that decides between equal ones: scores of fewer than 10^6 rows."""
    return score - 1e-6 * loss / (1.0 + loss)


def _depth(name: str, num_layers: int) -> int:
    """0 for the embeddings, 1 for the first layer, ..., `num_layers` for the last one and what comes after it."""
    layer = _LAYER.search(name)
    if layer is not None:
        return int(layer[1]) + 1
    enters_first = _QUANTITIES_IN.search(name) or re.search(r"\.embeddings?\.", name)
    return 0 if enters_first else num_layers


def _num_layers(model: nn.Module) -> int:
    found = [_LAYER.search(name) for name, _ in model.named_parameters() if name.startswith(_TOWERS)]
    return 1 + max((int(layer[1]) for layer in found if layer is not None), default=-1)


def freeze_layers(model: nn.Module, count: int) -> None:
    """
    Keeps the embeddings and the first `count` layers of the tower as they are; with -1 all of it, with 0 nothing.

    Raises:
        ClacInputError: the tower has fewer layers.
    """
    num_layers = _num_layers(model)
    if count > num_layers:
        raise ClacInputError(f"freeze_layers={count}, but the tower has {num_layers} layers; -1 freezes all of it")
    for name, parameter in model.named_parameters():
        if name.startswith(_TOWERS) and count and (count == -1 or _depth(name, num_layers + 1) <= count):
            parameter.requires_grad_(False)


def parameter_groups(model: nn.Module, arguments: FinetuneArguments) -> list[dict[str, Any]]:
    """
    AdamW groups of what is not frozen: `head_learning_rate` for the head; for layer k of n (the embeddings are 0)
    `learning_rate` x `layer_decay`^(n - k); no weight decay for biases, norms and embeddings.
    """
    num_layers = _num_layers(model)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = arguments.head_learning_rate
        if name.startswith(_TOWERS):
            rate = arguments.learning_rate * arguments.layer_decay ** (num_layers - _depth(name, num_layers))
        decay = parameter.ndim == 2 and not _TABLES.search(name)
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": arguments.weight_decay if decay else 0.0}
        for (rate, decay), parameters in groups.items()
    ]


class LikeLengthSampler(Sampler[int]):
    """
    All rows once, in an order whose batches hold rows of like length; a function of seed and epoch alone.

    Args:
        lengths: of the rows. batch_size: consecutive rows that make a batch; the last one may be smaller.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int):
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(len(self.lengths))
        # The rows of the incomplete batch are drawn first, so that they are not always the longest or the shortest.
        full = len(order) - len(order) % self.batch_size
        order, rest = order[:full], order[full:]
        pool = self.batch_size * _POOL
        pools = [order[start : start + pool] for start in range(0, full, pool)]
        batches = [
            batch
            for rows in pools
            for batch in rows[np.argsort(self.lengths[rows], kind="stable")].reshape(-1, self.batch_size)
        ]
        for place in generator.permutation(len(batches)):
            yield from batches[place].tolist()
        yield from rest.tolist()


class FinetuneTrainer(Trainer):
    """Trainer of a [`Task`]; evaluation is on validation, and names the epoch to keep by the metric `choice`."""

    def __init__(self, task: Task, arguments: FinetuneArguments, seed: int, work: Path):
        self.task = task
        self.arguments = arguments
        self.seconds_before = 0.0
        self.started_at = time.monotonic()
        # Before Trainer makes the directory: nothing is written where the model or the layers cannot be had.
        model = task.build()
        freeze_layers(model, arguments.freeze_layers)
        super().__init__(
            model=model,
            args=training_arguments(arguments, seed, work),
            data_collator=task.collate,
            train_dataset=task.splits["train"],
            eval_dataset=task.splits["validation"],
            compute_metrics=partial(_score, task, "validation"),
            preprocess_logits_for_metrics=task.predict,
            callbacks=[EarlyStoppingCallback(arguments.early_stopping_patience)]
            if arguments.early_stopping_patience
            else [],
        )
        # It would print every metric of every epoch.
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            groups = parameter_groups(self.model, self.arguments)  # type: ignore[arg-type]
            self.optimizer = torch.optim.AdamW(groups, lr=self.arguments.learning_rate, fused=True)
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        # Trainer's own `group_by_length` would shuffle the evaluation, too, and differ after resuming.
        lengths = self.task.lengths or [0] * len(self.task.splits["train"])
        return LikeLengthSampler(lengths, self.args.train_batch_size, self.args.seed)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        output = super().evaluation_loop(*args, **kwargs)
        prefix = f"{kwargs['metric_key_prefix']}_"
        metrics: dict[str, float] = output.metrics  # type: ignore[assignment]
        own = {name.removeprefix(prefix): value for name, value in metrics.items()}
        choice = self.task.choose(own)
        if not math.isfinite(choice) or not math.isfinite(own["loss"]):
            raise ClacInputError(
                f"seed {self.args.seed}: loss {own['loss']} or score {choice} is not finite; lower the learning rates"
            )
        metrics[f"{prefix}choice"] = choice
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        logs["seconds"] = round(self.seconds_before + time.monotonic() - self.started_at, 1)
        super().log(logs, start_time)
        if "eval_choice" in logs:
            print(
                f"seed {self.args.seed}, epoch {round(logs['epoch'])}: validation {self.task.shown} "
                f"{logs[f'eval_{self.task.shown}']:.4f}, loss {logs['eval_loss']:.4f}, {logs['seconds']:.0f} s",
                flush=True,
            )


def training_arguments(arguments: FinetuneArguments, seed: int, work: Path) -> TrainingArguments:
    """Arguments of the Trainer; it computes on the accelerator if there is one."""
    use_cpu = not torch.accelerator.is_available()
    training = TrainingArguments(
        output_dir=str(work),
        seed=seed,
        data_seed=seed,
        num_train_epochs=arguments.num_epochs,
        per_device_train_batch_size=arguments.batch_size,
        per_device_eval_batch_size=2 * arguments.batch_size,
        learning_rate=arguments.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=arguments.warmup_ratio,
        bf16=choose_precision(arguments.mixed_precision) == "bf16",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        # The best and the last one; with 1 Trainer would remove the last one when it ends.
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="choice",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        use_cpu=use_cpu,
        dataloader_pin_memory=not use_cpu,
    )
    # On several GPUs Trainer would cut each batch by its rows, which a joined graph does not have.
    training._n_gpu = min(training.n_gpu, 1)
    return training


def _score(task: Task, split: str, found: EvalPrediction) -> dict[str, float]:
    return task.score(split, found.predictions, found.label_ids)  # type: ignore[arg-type]


def run_seed(task: Task, arguments: FinetuneArguments, seed: int, work: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """
    Trains one seed, or continues from the last whole checkpoint in `work`, and scores its best epoch once on test.
    What continues there can see its recipe in `recipe.json`.

    Returns:
        The model of the best epoch, and the entry of `runs` in the results.

    Raises:
        ClacInputError: the model cannot be built or has fewer layers than are to be frozen, or the loss is not finite.
    """
    set_seed(seed)
    trainer = FinetuneTrainer(task, arguments, seed, work)
    with replaced_file(work / RECIPE) as new:
        new.write_text(json.dumps({"recipe": recipe_of(arguments)}), encoding="utf-8")
    checkpoint = last_whole_checkpoint(work)
    if checkpoint is None:
        trainer.train()
    else:
        state = TrainerState.load_from_json(str(checkpoint / _STATE))
        trainer.seconds_before = state.log_history[-1]["seconds"]
        print(f"seed {seed}: continues after epoch {round(state.epoch or 0)}", flush=True)
        if _has_ended(state, arguments):
            trainer.state = state
            state.best_model_checkpoint = str(work / f"{PREFIX_CHECKPOINT_DIR}-{state.best_global_step}")
            trainer._load_best_model()
        else:
            trainer.train(resume_from_checkpoint=str(checkpoint))
    history = trainer.state.log_history
    best = next(entry for entry in history if entry.get("eval_choice") == trainer.state.best_metric)
    trainer.compute_metrics = partial(_score, task, "test")
    tested = trainer.predict(task.splits["test"], metric_key_prefix="test").metrics  # type: ignore[arg-type]
    return trainer.model, {  # type: ignore[return-value]
        "seed": seed,
        "best_epoch": round(best["epoch"]),
        "train_seconds": max(entry["seconds"] for entry in history if "eval_choice" in entry),
        "validation": _metrics(best, "eval_"),
        "test": _metrics(tested or {}, "test_"),
    }


def last_whole_checkpoint(work: Path) -> Path | None:
    """The last checkpoint that was written to its end; one that was not, because the run was killed, is removed."""
    steps = {int(path.name.rpartition("-")[2]): path for path in work.glob(f"{PREFIX_CHECKPOINT_DIR}-*")}
    for _, path in sorted(steps.items(), reverse=True):
        try:
            # Trainer writes its state last.
            TrainerState.load_from_json(str(path / _STATE))
        except (OSError, ValueError):
            shutil.rmtree(path)
        else:
            return path
    return None


def _has_ended(state: TrainerState, arguments: FinetuneArguments) -> bool:
    """Whether a run was stopped after its last epoch, which Trainer would otherwise add another one to."""
    callbacks: Any = state.stateful_callbacks
    stopping = callbacks.get(EarlyStoppingCallback.__name__, {})
    worse = stopping.get("attributes", {}).get("early_stopping_patience_counter", 0)
    return state.global_step >= state.max_steps or 0 < arguments.early_stopping_patience <= worse


def _metrics(logged: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The metrics of the task, without what Trainer adds to them."""
    own = {name.removeprefix(prefix): value for name, value in logged.items() if name.startswith(prefix)}
    return {name: value for name, value in own.items() if name not in _TRAINERS_OWN}


__all__ = [
    "RECIPE",
    "FinetuneTrainer",
    "LikeLengthSampler",
    "Task",
    "best_of",
    "freeze_layers",
    "last_whole_checkpoint",
    "parameter_groups",
    "run_seed",
]
