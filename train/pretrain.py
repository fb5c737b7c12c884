"""
Contrastive pre-training of a CLaC model.

    python -m train.pretrain train/recipes/clac-mini.yaml --output_dir runs/clac-mini
    accelerate launch -m train.pretrain train/recipes/clac-ps.yaml
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup
from transformers.utils import logging as transformers_logging

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import only_writer, recover, replaced_file
from modeling_clac.utils.provenance import provenance
from train.pretraining.arguments import PretrainArguments, recipe_of
from train.pretraining.bank import fill_bank
from train.pretraining.batch_stream import BatchStream
from train.pretraining.batches import PairBatches, StreamedBatches, build_batches
from train.pretraining.checkpoints import Progress, load_state, load_weights, save_model, save_state, stored_progress
from train.pretraining.collator import Batch
from train.pretraining.gradcache import gradcache_backward
from train.pretraining.initial_model import build_model, starting_encoder
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.objective_settings import FACTS
from train.pretraining.optimization import freeze, make_accelerator, make_optimizer
from train.pretraining.starting_encoder import average_with
from train.pretraining.stopping import StopRequest
from train.pretraining.training_data import TrainingData, load_training_data
from train.pretraining.validation import ValidationSet, load_validation, validate


@dataclass
class TrainingRun:
    """
    The state of a training run on one process.

    Attributes:
        recipe: Arguments of the whole run.
        arguments: Arguments of the current phase.
        accelerator: Accelerator that all processes share.
        processor: Processor of crystals and texts.
        validation: Crystals and texts of the validation split.
        data: The training crystals; `None` if they are streamed.
        batches: Training batches of this process.
        stream: The batches in their order, prepared here or by other processes.
        objective: Model and losses, wrapped if there are several processes.
        optimizer: Optimiser of the objective.
        scheduler: Schedule of the learning rates.
        progress: Progress of the run.
        start: Progress when this process started; not zero in a resumed run.
        started_at: Time of the monotonic clock when this process started, in seconds.
        stopping: Whether to stop before the next batch.
    """

    recipe: PretrainArguments
    arguments: PretrainArguments
    accelerator: Accelerator
    processor: ClacProcessor
    validation: ValidationSet
    data: TrainingData | None
    batches: PairBatches | StreamedBatches
    stream: BatchStream
    objective: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    progress: Progress
    start: Progress
    started_at: float
    stopping: bool = False

    @property
    def output(self) -> Path:
        """Directory of the run."""
        return Path(self.arguments.output_dir)

    @property
    def model(self) -> ClacModel:
        """The model, unwrapped."""
        return self.accelerator.unwrap_model(self.objective).model

    @property
    def total_steps(self) -> int:
        """Steps of all epochs of the phase."""
        return self.arguments.num_epochs * len(self.batches)

    @property
    def epoch_is_complete(self) -> bool:
        """Whether all batches of the current epoch are done."""
        return self.progress.batch == len(self.batches)

    @property
    def phase_is_complete(self) -> bool:
        """Whether all epochs of the phase are done."""
        return self.progress.epoch == self.arguments.num_epochs

    def save(self) -> None:
        """Write the checkpoint `last`, from which `--resume` continues."""
        save_state(self.accelerator, self.output / "last", self.progress, recipe_of(self.recipe))


def train(arguments: PretrainArguments) -> Progress:
    """
    Run pre-training until it is finished or stopped. A stopped run continues with `--resume`.

    Raises:
        ClacInputError: The recipe is invalid for the model, the data or the run in `output_dir`, another process trains
            in `output_dir`, or the loss is not finite.
    """
    accelerator = make_accelerator(arguments.mixed_precision, arguments.report_to)
    with ExitStack() as stack:
        if accelerator.is_main_process:
            stack.enter_context(only_writer(Path(arguments.output_dir), "output_dir"))
        stop = stack.enter_context(StopRequest())
        run = set_up(arguments, accelerator)
        while True:
            bar = tqdm(
                total=run.total_steps,
                initial=run.progress.phase_step,
                desc=arguments.phase_name(run.progress.phase) or "pre-training",
                disable=not run.accelerator.is_main_process,
            )
            while not (run.phase_is_complete or run.stopping):
                run_epoch(run, stop, bar)
            bar.close()
            if run.stopping or run.progress.finished:
                break
            run = next_phase(run)
        finish(run)
    return run.progress


# -------------------- set-up
def set_up(recipe: PretrainArguments, accelerator: Accelerator) -> TrainingRun:
    """
    Build the model and the validation set, and start with the first phase or the one to resume.

    Args:
        recipe: Arguments of the whole run.
        accelerator: A new accelerator.
    """
    if not accelerator.is_main_process:
        transformers_logging.set_verbosity_error()
    check_output(recipe, accelerator)
    set_seed(recipe.seed)
    model, processor = build_model(recipe)
    if accelerator.device.type == "cpu":
        # Attention in one matrix product is a quarter of a step faster than in blocks: texts are short.
        model.text_model.set_attn_implementation("eager")
    validation = load_validation(recipe, processor, accelerator.is_main_process)
    accelerator.print(f"validation: {len(validation.crystals):,} crystals{_skipped_note(validation.skipped)}")
    data = None if recipe.streaming else load_training_data(recipe, processor, accelerator.is_main_process)
    if data is not None:
        accelerator.print(f"train: {len(data.records):,} crystals{_skipped_note(data.skipped)}")
    progress = stored_progress(Path(recipe.output_dir) / "last") if recipe.resume else Progress()
    if recipe.report_to != "none":
        accelerator.init_trackers(Path(recipe.output_dir).name, recipe_of(recipe))
    return start_phase(recipe, accelerator, model, processor, validation, data, progress, resume=recipe.resume)


def next_phase(run: TrainingRun) -> TrainingRun:
    """Start the next phase with the weights of this one."""
    model, done, previous = run.model, run.progress, run.accelerator.unwrap_model(run.objective)
    run.objective, run.optimizer, run.scheduler = run.accelerator.free_memory(
        run.objective, run.optimizer, run.scheduler
    )
    # A new accelerator does not know the schedule of the phase before.
    accelerator = make_accelerator(run.recipe.mixed_precision, "none")
    accelerator.trackers = run.accelerator.trackers
    progress = Progress(phase=done.phase + 1, step=done.step, seconds=done.seconds)
    # As if each phase were a run of its own, so that a resumed run draws the same numbers.
    set_seed(run.recipe.seed + progress.phase)
    following = start_phase(run.recipe, accelerator, model, run.processor, run.validation, run.data, progress, previous)
    following.start, following.started_at = run.start, run.started_at
    return following


def start_phase(
    recipe: PretrainArguments,
    accelerator: Accelerator,
    model: ClacModel,
    processor: ClacProcessor,
    validation: ValidationSet,
    data: TrainingData | None,
    progress: Progress,
    previous: ContrastiveObjective | None = None,
    resume: bool = False,
) -> TrainingRun:
    """
    Build batches, objective and optimiser of a phase.

    Args:
        recipe: Arguments of the whole run.
        accelerator: A new accelerator.
        model: The model, with the weights at the start of the phase unless it is resumed.
        processor: Its processor.
        validation: The validation set.
        data: The training crystals; `None` if they are streamed.
        progress: Progress of the run.
        previous: Objective of the phase before; `None` for the first one and if the phase is resumed.
        resume: Whether to restore weights, optimiser and schedule from the checkpoint `last`.
    """
    arguments = recipe.phase(progress.phase)
    show_progress = accelerator.is_main_process
    batches = build_batches(
        arguments, processor, accelerator.process_index, accelerator.num_processes, show_progress, data
    )
    bank, num_facts = None, 0
    if isinstance(batches, PairBatches):
        num_facts = batches.vocabulary.facts.shape[1] if batches.vocabulary else 0
        if arguments.graph_is_frozen:
            if resume:
                # The bank holds the outputs of the graph tower as it is in this phase.
                load_weights(model, Path(recipe.output_dir) / "last")
            facts = batches.vocabulary.facts if batches.vocabulary and FACTS in arguments.terms else None
            model.to(accelerator.device)
            bank = fill_bank(model, processor, batches.crystals, batches.records, show_progress, facts)
    encoder = starting_encoder(model, recipe, accelerator.device) if arguments.language_weight else None
    bare = ContrastiveObjective(model, arguments.objective_settings(), bank, num_facts, encoder)
    if previous is not None:
        bare.take_over(previous)
    freeze(bare, arguments)
    objective: nn.Module = bare
    optimizer = make_optimizer(objective, arguments)
    total_steps = arguments.num_epochs * len(batches)
    warmup_steps = math.ceil(arguments.warmup_ratio * total_steps)
    scheduler = get_cosine_schedule_with_warmup(optimizer, warmup_steps, total_steps)
    # The scheduler is not prepared: accelerate would step it once per process for each batch.
    objective, optimizer = accelerator.prepare(objective, optimizer)
    accelerator.register_for_checkpointing(scheduler)

    if resume:
        progress = restore(recipe, accelerator)
        accelerator.print(
            f"resumed at epoch {progress.epoch}, batch {progress.batch} (step {progress.phase_step} of {total_steps})"
        )
    if accelerator.is_main_process:
        Path(recipe.output_dir).mkdir(parents=True, exist_ok=True)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    name = recipe.phase_name(progress.phase)
    accelerator.print(
        f"{f'phase {name}: ' if name else ''}{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, "
        f"{trained / 1e6:.1f} M of them trained, {len(batches)} steps per epoch, "
        f"up to {(len(bank) if bank else arguments.batch_size * accelerator.num_processes) - 1} negatives per pair, "
        f"precision {accelerator.mixed_precision}, {accelerator.num_processes} process(es)"
    )
    objective.train()
    return TrainingRun(
        recipe,
        arguments,
        accelerator,
        processor,
        validation,
        data,
        batches,
        BatchStream(batches, arguments.num_epochs, arguments.batch_workers),
        objective,
        optimizer,
        scheduler,
        progress,
        start=replace(progress),
        started_at=time.monotonic(),
    )


def check_output(arguments: PretrainArguments, accelerator: Accelerator) -> None:
    """
    Check that `output_dir` fits `resume`.

    Raises:
        ClacInputError: `output_dir` holds a run and `resume` is not set, or the reverse.
    """
    last = Path(arguments.output_dir) / "last"
    if accelerator.is_main_process:
        recover(last)
    accelerator.wait_for_everyone()
    if last.exists() and not arguments.resume:
        raise ClacInputError(
            f"{last.parent}: already holds a run; add --resume to continue it or choose another output_dir"
        )
    if arguments.resume and not last.exists():
        raise ClacInputError(f"{last.parent}: nothing to resume from (no checkpoint `last` found)")


def restore(arguments: PretrainArguments, accelerator: Accelerator) -> Progress:
    """Restore weights, optimiser and progress, and remove log entries of epochs that will be repeated."""
    output = Path(arguments.output_dir)
    progress = load_state(accelerator, output / "last", recipe_of(arguments))
    log = output / "log.jsonl"
    if accelerator.is_main_process:
        recover(output / "best")
        if log.exists():
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= progress.step]
            with replaced_file(log) as new:
                new.write_text("".join(kept), encoding="utf-8")
    return progress


# -------------------- epoch
def run_epoch(run: TrainingRun, stop: StopRequest, bar: tqdm) -> None:
    """Train for the rest of the epoch, then validate and save. Return early if the run is stopped."""
    arguments, progress = run.arguments, run.progress
    for batch in run.stream.epoch(progress.epoch, progress.batch):
        loss = training_step(run, batch)
        progress.loss_sum += loss
        progress.losses += 1
        progress.step += 1
        progress.phase_step += 1
        progress.batch += 1
        progress.seconds = round(run.start.seconds + time.monotonic() - run.started_at, 1)
        bar.update()
        bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        run.stopping = stop.agreed(run.accelerator) or progress.step - run.start.step == arguments.max_steps
        if run.stopping and not run.epoch_is_complete:
            return
        if arguments.save_steps and progress.step % arguments.save_steps == 0 and not run.epoch_is_complete:
            run.save()
    mean_loss = progress.loss_sum / progress.losses
    progress.epoch, progress.batch, progress.loss_sum, progress.losses = progress.epoch + 1, 0, 0.0, 0
    is_last_phase = progress.phase == run.recipe.num_phases - 1
    progress.finished = run.phase_is_complete and is_last_phase
    if run.phase_is_complete and arguments.text_average:
        average_with(run.model.text_model, starting_encoder(run.model, arguments), arguments.text_average)
    if run.accelerator.is_main_process:
        end_epoch(run, mean_loss)
    run.accelerator.wait_for_everyone()
    run.save()


def training_step(run: TrainingRun, batch: Batch) -> float:
    """Take one optimiser step and return the loss of the batch."""
    loss = gradcache_backward(run.objective, run.accelerator, batch.to(run.accelerator.device))["loss"]
    norm = run.accelerator.clip_grad_norm_(run.objective.parameters(), run.arguments.max_grad_norm)
    require_finite(run, batch, loss.item(), float(norm))
    run.optimizer.step()
    run.scheduler.step()
    run.optimizer.zero_grad()
    return loss.item()


def require_finite(run: TrainingRun, batch: Batch, loss: float, norm: float) -> None:
    """
    Check the loss and its gradient before the weights are changed.

    Raises:
        ClacInputError: The loss or the norm of its gradient is NaN or infinite.
    """
    if math.isfinite(loss) and math.isfinite(norm):
        return
    step, names = run.progress.step + 1, batch.material_ids
    file = run.output / f"bad-batch-{run.accelerator.process_index}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"step": step, "material_id": names}) + "\n", encoding="utf-8")
    raise ClacInputError(
        f"step {step}: the loss ({loss}) or its gradient ({norm}) is not finite; the batch holds "
        f"{', '.join(names[:4])}, ... (all {len(names)} in {file}); lower the learning rates and start again, or "
        "remove the faulty crystal and continue from the last checkpoint with --resume"
    )


def end_epoch(run: TrainingRun, mean_loss: float) -> None:
    """Validate, log, and save the checkpoint `best` if the score has improved; on the main process only."""
    progress = run.progress
    # Before the text tower is trained, there is nothing to retrieve with it.
    texts = run.arguments.objective_settings().texts
    scores = validate(run.model, run.processor, run.validation) if texts else {}
    entry: dict[str, Any] = {}
    if run.recipe.phases:
        entry["phase"] = run.recipe.phase_name(progress.phase)
    entry |= {"epoch": progress.epoch, "step": progress.step, "seconds": progress.seconds}
    entry |= {"loss": mean_loss, **scores}
    with (run.output / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
    line = f"epoch {progress.epoch}: loss {mean_loss:.3f}"
    if scores:
        line += (
            f", validation top-1 {scores['text_to_crystal_top_1']:.3f} / {scores['crystal_to_text_top_1']:.3f}, "
            f"top-10 {scores['text_to_crystal_top_10']:.3f} (text to crystal / crystal to text)"
        )
    run.accelerator.print(line)
    run.accelerator.log(entry, step=progress.step)
    # An averaged text tower is what the recipe asks for, even if narratives are matched less often. In phases, which
    # build on each other, narratives are matched long before the phrases of the vocabulary: the newest model counts.
    wanted = bool(run.recipe.phases) or (run.phase_is_complete and bool(run.arguments.text_average))
    if scores and (scores["top_1"] > progress.best or wanted):
        progress.best = scores["top_1"]
        training = {**provenance(recipe_of(run.recipe)), "validation": entry}
        if run.arguments.init_checkpoint is not None:
            training["started_from"] = resolve_checkpoint(run.arguments.init_checkpoint).training_record()
        save_model(run.model, run.processor, run.output / "best", training)


# -------------------- finish
def finish(run: TrainingRun) -> None:
    """Save a stopped run, report the speed, and end the processes."""
    progress = run.progress
    if not progress.finished:
        run.save()
        run.accelerator.print(
            f"stopped and saved at step {progress.phase_step} of {run.total_steps}; continue with --resume"
        )
    if isinstance(run.batches, StreamedBatches) and run.batches.skipped:
        run.accelerator.print(f"process 0{_skipped_note(run.batches.skipped)}")
    steps, seconds = progress.step - run.start.step, progress.seconds - run.start.seconds
    pairs = steps * run.arguments.batch_size * run.accelerator.num_processes
    run.accelerator.print(f"{pairs / max(seconds, 1e-9):.1f} pairs/s")
    # The gradient reducer holds the process group; freeing it later can cause a deadlock.
    run.objective, run.optimizer, run.scheduler = run.accelerator.free_memory(
        run.objective, run.optimizer, run.scheduler
    )
    run.accelerator.end_training()


def _skipped_note(skipped: Sequence[str]) -> str:
    return f", {len(skipped)} skipped; the first: {skipped[0]}" if skipped else ""


if __name__ == "__main__":
    run_script(PretrainArguments, train)
