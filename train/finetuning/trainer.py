"""Fine-tuning of one seed with the Trainer of transformers: layer-wise learning rates, frozen layers and resuming."""

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

# Parameter names of one layer: BERT and DistilBERT, PaiNN, CGCNN and its norms.
_LAYER = re.compile(r"\.(?:layer|interactions|convolutions|norms)\.(\d+)\.")
# All weights of a tower. The quantity embeddings belong to the text tower.
_TOWERS = ("text_model.", "text_values.", "text_composition.", "graph_model.")
# The quantity embeddings that are added to the word embeddings; the others enter after the last layer.
_QUANTITIES_IN = re.compile(r"^text_values\.(?:kind|fraction|root|number)\.")
# Embedding tables and CRF transitions, which have no weight decay.
_TABLES = re.compile(r"embedding|^crf\.|^text_values\.(?:kind|fraction|root)\.|^text_composition\.")
_STATE = "trainer_state.json"
RECIPE = "recipe.json"
# Rows are sorted by length in pools of this many batches: similar lengths within a batch, new batches every epoch.
_POOL = 32
_TRAINER_METRICS = {"loss", "choice", "runtime", "samples_per_second", "steps_per_second", "model_preparation_time"}


@dataclass
class Task:
    """
    A fine-tuning task: its data, model and scores.

    Attributes:
        kind: `ner`, `pac` or `property`.
        build: Builds a new model for a seed.
        processor: Tokenizer or processor that is saved with the model.
        splits: Model inputs of each split, row by row.
        collate: Makes a batch from rows.
        lengths: Lengths of the training rows, for batches of similar length; `None` if rows are not padded.
        score: (split, predictions, labels) -> metrics.
        choose: Validation metrics, with `loss` -> a number that is largest for the best epoch.
        shown: Metric that is printed after each epoch.
        predict: (logits, labels) -> predictions to keep. Default: the logits.
        counts: Numbers of rows used, changed and left out, for the results.
        baselines: Scores of the baselines by name and split, for the results.
        target: Name and unit of the predicted property, for the results.
        finish: (model of the best epoch, directory it was saved in) -> adds files to the directory.
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
    finish: Callable[[Any, Path], None] | None = None


def best_of(score: float, loss: float) -> float:
    """Combine a score with a loss that breaks ties; valid for scores over fewer than 10^6 rows."""
    return score - 1e-6 * loss / (1.0 + loss)


def _depth(name: str, num_layers: int) -> int:
    """Depth of a parameter: 0 for the embeddings, 1 for the first layer, `num_layers` for the last layer and beyond."""
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
    Freeze the embeddings and the first layers of the tower.

    Args:
        model: A model with one tower.
        count: Number of layers; -1 for the whole tower, 0 for nothing, not even the embeddings.

    Raises:
        ClacInputError: The tower has fewer layers.
    """
    num_layers = _num_layers(model)
    if count > num_layers:
        raise ClacInputError(
            f"freeze_layers={count}: the tower has {num_layers} layers; use -1 to freeze the whole tower"
        )
    for name, parameter in model.named_parameters():
        if name.startswith(_TOWERS) and count and (count == -1 or _depth(name, num_layers + 1) <= count):
            parameter.requires_grad_(False)


def parameter_groups(model: nn.Module, arguments: FinetuneArguments) -> list[dict[str, Any]]:
    """
    Group the parameters that are not frozen by learning rate and weight decay.

    The head has `head_learning_rate`. Layer k of n (0 are the embeddings) has
    `learning_rate` · `layer_decay`^(n - k). Biases, norms and embeddings have no weight decay.
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
    A sampler whose batches hold rows of similar length. Its order depends only on seed and epoch.

    Args:
        lengths: Length of each row.
        batch_size: Rows of a batch; the last batch may be smaller.
        seed: Seed of the order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int):
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; the Trainer calls this before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(len(self.lengths))
        # The incomplete batch is drawn before sorting, so that it does not always hold the longest or shortest rows.
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
    """
    A Trainer for a [`Task`]. It evaluates on the validation split and keeps the epoch with the largest `choice`.

    Args:
        task: The data, the model and its scores.
        arguments: Arguments of the script.
        seed: Seed of weights and order.
        work: Directory for the checkpoints of the Trainer.
    """

    def __init__(self, task: Task, arguments: FinetuneArguments, seed: int, work: Path):
        self.task = task
        self.arguments = arguments
        self.seconds_before = 0.0
        self.started_at = time.monotonic()
        # Before Trainer creates the directory, so that nothing is written if the model or a layer is missing.
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
        # It prints every metric of every epoch.
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            groups = parameter_groups(self.model, self.arguments)  # type: ignore[arg-type]
            self.optimizer = torch.optim.AdamW(groups, lr=self.arguments.learning_rate, fused=True)
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        # The `group_by_length` of Trainer also shuffles the evaluation, and its order changes when a run is resumed.
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
    """Build the arguments of the Trainer, which uses an accelerator if one is available."""
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
        # The best and the last checkpoint. With 1, Trainer deletes the last one at the end.
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
    # On several GPUs, Trainer would split each batch by rows, which a batched graph does not have.
    training._n_gpu = min(training.n_gpu, 1)
    return training


def _score(task: Task, split: str, found: EvalPrediction) -> dict[str, float]:
    return task.score(split, found.predictions, found.label_ids)  # type: ignore[arg-type]


def run_seed(task: Task, arguments: FinetuneArguments, seed: int, work: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """
    Train one seed, or resume it from the last complete checkpoint in `work`, and score its best epoch on test.

    Args:
        task: The data, the model and its scores.
        arguments: Arguments of the script.
        seed: Seed of weights and order.
        work: Directory for checkpoints and for `recipe.json`, with which a resumed run is compared.

    Returns:
        The model of the best epoch, and the entry of `runs` in the results.

    Raises:
        ClacInputError: The model cannot be built or has fewer layers than `freeze_layers`, or the loss is not finite.
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
        print(f"seed {seed}: resuming after epoch {round(state.epoch or 0)}", flush=True)
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
    """Find the last complete checkpoint in `work`, and remove incomplete ones that a killed run left."""
    steps = {int(path.name.rpartition("-")[2]): path for path in work.glob(f"{PREFIX_CHECKPOINT_DIR}-*")}
    for _, path in sorted(steps.items(), reverse=True):
        try:
            # Trainer writes its state last, so a checkpoint with a state is complete.
            TrainerState.load_from_json(str(path / _STATE))
        except (OSError, ValueError):
            shutil.rmtree(path)
        else:
            return path
    return None


def _has_ended(state: TrainerState, arguments: FinetuneArguments) -> bool:
    """Whether all epochs of a run are done. Trainer would otherwise train one more."""
    callbacks: Any = state.stateful_callbacks
    stopping = callbacks.get(EarlyStoppingCallback.__name__, {})
    worse = stopping.get("attributes", {}).get("early_stopping_patience_counter", 0)
    return state.global_step >= state.max_steps or 0 < arguments.early_stopping_patience <= worse


def _metrics(logged: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Select the metrics of the task, without those that Trainer adds."""
    own = {name.removeprefix(prefix): value for name, value in logged.items() if name.startswith(prefix)}
    return {name: value for name, value in own.items() if name not in _TRAINER_METRICS}


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
