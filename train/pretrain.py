"""
Contrastive pre-training of a CLaC model.

    python -m train.pretrain train/recipes/clac-mini.yaml --output_dir runs/clac-mini
    accelerate launch -m train.pretrain train/recipes/clac-ps.yaml
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, DistributedDataParallelKwargs, set_seed
from torch import nn
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup
from transformers.utils import logging as transformers_logging

from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.narrator.narratives import narrate
from modeling_clac.structures_clac import Crystal
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import recover, replaced_file
from modeling_clac.utils.provenance import provenance
from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores
from train.pretraining.arguments import PretrainArguments, recipe_of
from train.pretraining.batches import PairBatches, StreamedBatches
from train.pretraining.checkpoints import load_state, save_model, save_state
from train.pretraining.collator import Collator
from train.pretraining.gradcache import gradcache_backward
from train.pretraining.initial_model import build_model
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.pairs import first_records, given_text, parse_crystals
from train.pretraining.stopping import StopRequest

# Rate of the gains of shared facts, in learning rates.
GAIN_RATE = 10.0


def choose_precision(requested: str) -> str:
    """`auto` -> bf16 where matrix units compute in it; a CPU without them emulates it, at half the speed of float32."""
    if requested != "auto":
        return requested
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "no"


def make_accelerator(arguments: PretrainArguments) -> Accelerator:
    """For any number of processes; they exchange gradients where they are, without copying them, and no buffers."""
    return Accelerator(
        mixed_precision=choose_precision(arguments.mixed_precision),
        log_with=None if arguments.report_to == "none" else arguments.report_to,
        dataloader_config=DataLoaderConfiguration(dispatch_batches=False),
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=False)],
    )


def make_optimizer(objective: nn.Module, arguments: PretrainArguments) -> torch.optim.Optimizer:
    """AdamW over [`parameter_groups`], in one pass over memory: most weights are words, of which a batch has few."""
    return torch.optim.AdamW(parameter_groups(objective, arguments), fused=True)


def parameter_groups(objective: nn.Module, arguments: PretrainArguments) -> list[dict[str, Any]]:
    """
    AdamW groups: a lower rate for the text tower, a higher one for the gains of shared facts, which are single numbers
    that have far to go; no decay for biases, norms, embeddings, gains and the temperature.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in objective.named_parameters():
        rate = arguments.learning_rate
        if name.startswith("model.text_model."):
            rate = arguments.text_learning_rate
        elif name.endswith(".log_gain"):
            rate = GAIN_RATE * arguments.learning_rate
        decay = parameter.ndim == 2 and "embedding" not in name
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": arguments.weight_decay if decay else 0.0}
        for (rate, decay), parameters in groups.items()
    ]


def validate(
    model: ClacModel,
    processor: ClacProcessor,
    crystals: list[Crystal],
    records: list[dict[str, Any]],
    text_column: str | None = None,
) -> dict[str, float]:
    """
    Retrieval among the validation crystals, with one narrative for each, a fixed one or that of a column of the data,
    and with formula and crystal system as a short query. The mean of the three top-1 scores chooses the best
    checkpoint: narratives alone are answered long before short queries are.
    """
    embedder = ClacEmbedder(model, processor)
    crystal_embeds = embedder.encode_crystals(crystals, show_progress=False)
    texts = [
        given_text(record, text_column) if text_column else narrate(record, ("validation", record["material_id"]))
        for record in records
    ]
    text_embeds = embedder.encode_text(texts)
    short_embeds = embedder.encode_text([f"{record['formula']}, {record['crystal_system']}" for record in records])
    model.train()
    scores = {
        **{f"text_to_crystal_{k}": v for k, v in _scores(text_embeds, crystal_embeds).items()},
        **{f"crystal_to_text_{k}": v for k, v in _scores(crystal_embeds, text_embeds).items()},
    }
    scores["short_to_crystal_top_1"] = _scores(short_embeds, crystal_embeds)["top_1"]
    chosen_by = ("text_to_crystal_top_1", "crystal_to_text_top_1", "short_to_crystal_top_1")
    scores["top_1"] = sum(scores[name] for name in chosen_by) / len(chosen_by)
    return scores


def _scores(queries: Any, keys: Any) -> dict[str, float]:
    return retrieval_scores(retrieval_ranks(queries, keys))


def train(arguments: PretrainArguments) -> dict[str, Any]:
    """
    Runs pre-training to its end, or to a stop that `--resume` continues from. Returns the last state: `epoch`,
    `batch` (within the epoch), `step`, `best` (validation top-1), `seconds` (of all its parts) and `finished`.
    """
    with StopRequest() as stop:
        return _train(arguments, stop)


def _train(arguments: PretrainArguments, stop: StopRequest) -> dict[str, Any]:
    accelerator = make_accelerator(arguments)
    if not accelerator.is_main_process:
        transformers_logging.set_verbosity_error()
    output = Path(arguments.output_dir)
    say = accelerator.print
    if accelerator.is_main_process:
        recover(output / "last")
    accelerator.wait_for_everyone()
    if (output / "last").exists() and not arguments.resume:
        raise ClacInputError(f"{output}: holds a run already; add --resume to continue it or choose another output_dir")
    if arguments.resume and not (output / "last").exists():
        raise ClacInputError(f"{output}: nothing to resume from (no checkpoint `last` in it)")

    set_seed(arguments.seed)
    model, processor = build_model(arguments)
    records = first_records(
        arguments.dataset,
        "validation",
        arguments.limit or arguments.validation_size,
        arguments.streaming,
        arguments.text_column,
    )
    crystals, records, skipped = parse_crystals(
        records[: arguments.validation_size], processor, arguments.on_error, accelerator.is_main_process
    )
    validation = (crystals, records)
    say(f"validation: {len(records):,} crystals{_left_out(skipped)}")
    batches = build_batches(arguments, processor, accelerator)
    if isinstance(batches, PairBatches):
        say(f"train: {len(batches.records):,} crystals{_left_out(batches.skipped)}")
    total = arguments.num_epochs * len(batches)
    objective: nn.Module = ContrastiveObjective(model, arguments.objective_settings())
    optimizer = make_optimizer(objective, arguments)
    scheduler = get_cosine_schedule_with_warmup(optimizer, math.ceil(arguments.warmup_ratio * total), total)
    # The schedule is stepped once for a joined batch, so accelerate must not multiply it by the processes.
    objective, optimizer = accelerator.prepare(objective, optimizer)
    accelerator.register_for_checkpointing(scheduler)
    state: dict[str, Any] = {"epoch": 0, "batch": 0, "step": 0, "best": -1.0, "seconds": 0.0, "finished": False}
    if arguments.resume:
        state = load_state(accelerator, output / "last", recipe_of(arguments))
        if accelerator.is_main_process:
            recover(output / "best")
            _forget_later_epochs(output / "log.jsonl", state["step"])
        say(f"resumed at epoch {state['epoch']}, batch {state['batch']} (step {state['step']} of {total})")
    if accelerator.is_main_process:
        output.mkdir(parents=True, exist_ok=True)
    if arguments.report_to != "none":
        accelerator.init_trackers(output.name, recipe_of(arguments))
    say(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, {len(batches)} steps an epoch, "
        f"{arguments.batch_size * accelerator.num_processes - 1} negatives for each pair less its duplicates, "
        f"precision {accelerator.mixed_precision}, {accelerator.num_processes} process(es)"
    )

    first_step, first_seconds = state["step"], state["seconds"]
    started_at = time.monotonic() - first_seconds
    bar = tqdm(total=total, initial=state["step"], desc="pre-training", disable=not accelerator.is_main_process)
    objective.train()
    stopping = False
    while state["epoch"] < arguments.num_epochs and not stopping:
        losses: list[float] = []
        for batch in batches.epoch(state["epoch"], state["batch"]):
            ids = batch.material_ids
            loss = gradcache_backward(objective, accelerator, batch.to(accelerator.device))["loss"]
            norm = accelerator.clip_grad_norm_(objective.parameters(), arguments.max_grad_norm)
            _require_finite(loss, norm, ids, state["step"] + 1, output, accelerator)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            state["step"] += 1
            state["batch"] += 1
            state["seconds"] = round(time.monotonic() - started_at, 1)
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            stopping = stop.agreed(accelerator)
            if state["batch"] < len(batches):
                if stopping or (arguments.max_steps and state["step"] - first_step >= arguments.max_steps):
                    break
                if arguments.save_steps and state["step"] % arguments.save_steps == 0:
                    save_state(accelerator, output / "last", state, recipe_of(arguments))
        if state["batch"] < len(batches):
            break
        state["epoch"], state["batch"] = state["epoch"] + 1, 0
        state["finished"] = state["epoch"] == arguments.num_epochs
        _end_of_epoch(accelerator, objective, processor, validation, state, losses, output, arguments)
        save_state(accelerator, output / "last", state, recipe_of(arguments))
    bar.close()
    if not state["finished"]:
        save_state(accelerator, output / "last", state, recipe_of(arguments))
        say(f"stopped at step {state['step']} of {total}; saved, continue with --resume")
    if isinstance(batches, StreamedBatches) and batches.skipped:
        say(f"rows of process 0{_left_out(batches.skipped)}")
    pairs = (state["step"] - first_step) * arguments.batch_size * accelerator.num_processes
    say(f"{pairs / max(state['seconds'] - first_seconds, 1e-9):.1f} pairs/s")
    # The gradient reducer holds the process group; freed later, it can wait for a thread that waits for it.
    objective, optimizer, scheduler = accelerator.free_memory(objective, optimizer, scheduler)
    accelerator.end_training()
    return state


def build_batches(
    arguments: PretrainArguments, processor: ClacProcessor, accelerator: Accelerator
) -> PairBatches | StreamedBatches:
    """
    The training batches of this process.

    Raises:
        ClacInputError: the recipe asks for longer texts than the text tower reads, or the data set cannot be used.
    """
    if arguments.max_text_tokens > processor.tokenizer.model_max_length:
        raise ClacInputError(
            f"max_text_tokens={arguments.max_text_tokens} is more than the text tower reads; "
            f"choose at most {processor.tokenizer.model_max_length}"
        )
    collator = Collator(processor, arguments.max_text_tokens, arguments.copies(), arguments.chunk_size)
    shared: dict[str, Any] = {
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
        "phrase_style": arguments.phrase_style(),
        "num_phrases": arguments.phrases_per_crystal,
        "twins": arguments.twin_share,
        "process_index": accelerator.process_index,
        "num_processes": accelerator.num_processes,
    }
    if arguments.streaming:
        return StreamedBatches(
            arguments.dataset,
            "train",
            collator,
            arguments.text_style(),
            steps_per_epoch=arguments.steps_per_epoch,
            shuffle_buffer=arguments.shuffle_buffer,
            on_error=arguments.on_error,
            **shared,
        )
    records = first_records(arguments.dataset, "train", arguments.limit, text_column=arguments.text_column)
    crystals, records, skipped = parse_crystals(records, processor, arguments.on_error, accelerator.is_main_process)
    return PairBatches(crystals, records, collator, arguments.text_style(), skipped=skipped, **shared)


def _left_out(skipped: list[str]) -> str:
    return f", {len(skipped)} left out, such as {skipped[0]}" if skipped else ""


def _forget_later_epochs(log: Path, step: int) -> None:
    """Drops the lines of epochs that ended after the checkpoint that is resumed from; they will be run again."""
    if log.exists():
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        with replaced_file(log) as new:
            new.write_text("".join(kept), encoding="utf-8")


def _require_finite(
    loss: torch.Tensor, norm: Any, ids: list[str], step: int, output: Path, accelerator: Accelerator
) -> None:
    """
    Raises:
        ClacInputError: the loss or its gradient is NaN or infinite. The weights have not been touched by it.
    """
    if math.isfinite(loss.item()) and math.isfinite(float(norm)):
        return
    file = output / f"bad-batch-{accelerator.process_index}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"step": step, "material_id": ids}) + "\n", encoding="utf-8")
    raise ClacInputError(
        f"step {step}: the loss ({loss.item()}) or its gradient ({float(norm)}) is not finite; the batch holds "
        f"{', '.join(ids[:4])}, ... (all {len(ids)} in {file}). The last checkpoint is kept: lower the rates or leave "
        "out the crystal at fault, then --resume or start again"
    )


def _end_of_epoch(
    accelerator: Accelerator,
    objective: nn.Module,
    processor: ClacProcessor,
    validation: tuple[list[Crystal], list[dict[str, Any]]],
    state: dict[str, Any],
    losses: list[float],
    output: Path,
    arguments: PretrainArguments,
) -> None:
    """Validation retrieval on the main process, one line of log, and the checkpoint `best`."""
    bare = accelerator.unwrap_model(objective).model
    if accelerator.is_main_process:
        scores = validate(bare, processor, *validation, arguments.text_column)
        mean_loss = sum(losses) / max(len(losses), 1)
        entry = {**{key: state[key] for key in ("epoch", "step", "seconds")}, "loss": mean_loss, **scores}
        with (output / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        accelerator.print(
            f"epoch {state['epoch']}: loss {mean_loss:.3f}, validation top-1 "
            f"{scores['text_to_crystal_top_1']:.3f} / {scores['crystal_to_text_top_1']:.3f}, "
            f"top-10 {scores['text_to_crystal_top_10']:.3f} (text to crystal / crystal to text)"
        )
        accelerator.log(entry, step=state["step"])
        if scores["top_1"] > state["best"]:
            state["best"] = scores["top_1"]
            training = {**provenance(recipe_of(arguments)), "validation": entry}
            if arguments.init_checkpoint is not None:
                training["started_from"] = resolve_checkpoint(arguments.init_checkpoint).training_record()
            save_model(bare, processor, output / "best", training)
    accelerator.wait_for_everyone()


if __name__ == "__main__":
    run_script(PretrainArguments, train)
