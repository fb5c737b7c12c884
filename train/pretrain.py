"""
Contrastive pre-training of a CLaC model.

    python -m train.pretrain train/recipes/clac-mini.yaml --output_dir runs/clac-mini
    accelerate launch -m train.pretrain train/recipes/clac-ps.yaml
"""

from __future__ import annotations

import json
import math
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, send_to_device, set_seed
from torch import nn
from tqdm.auto import tqdm
from transformers import AutoTokenizer, get_cosine_schedule_with_warmup
from transformers.utils import logging as transformers_logging

from evaluation.ranking import retrieval_ranks, retrieval_scores
from modeling_clac import ClacFeatureExtractor, ClacGraphConfig, ClacModel, ClacProcessor
from modeling_clac.embedder import ClacEmbedder
from modeling_clac.narrator import narrate
from modeling_clac.processing_clac import read_formulas
from modeling_clac.structures_clac import ClacInputError, Crystal
from train.arguments import run_script
from train.checkpoints import load_state, save_model, save_state, training_record
from train.data import Copies, PairBatches, TextStyle, load_records, parse_crystals
from train.objective import ContrastiveObjective, ObjectiveSettings, backward_in_chunks
from train.provenance import provenance
from train.stopping import StopRequest

# Arguments that may differ between a run and its continuation, because the result does not depend on them.
PLACES = {"output_dir", "text_model_path", "resume", "save_steps", "max_steps", "report_to"}


@dataclass
class PretrainArguments:
    """Arguments of pre-training; a recipe sets them by name."""

    text_model: str = field(metadata={"help": "BERT-type text encoder to start from: a directory or a Hub id."})
    output_dir: str = field(metadata={"help": "Where checkpoints `last` and `best` and the log go."})
    text_model_path: str | None = field(
        default=None, metadata={"help": "Read text_model from this directory instead of the Hub (no network)."}
    )
    init_checkpoint: str | None = field(
        default=None, metadata={"help": "Start from the weights of this CLaC checkpoint, not from fresh towers."}
    )
    dataset: str = field(
        default="modeling_clac/assets/mp-crystals", metadata={"help": "Crystals with properties: directory or Hub id."}
    )
    on_error: str = field(default="raise", metadata={"help": "Unusable crystals in the data: raise or skip."})

    graph_encoder: str = field(default="painn", metadata={"help": "painn or cgcnn."})
    graph_hidden_size: int = field(default=128, metadata={"help": "Features per atom."})
    graph_num_interactions: int = field(default=3, metadata={"help": "Message-passing layers."})
    graph_num_radial: int = field(default=20, metadata={"help": "Radial basis functions."})
    graph_cutoff: float = field(default=6.0, metadata={"help": "Neighbour cutoff in Å."})
    graph_max_neighbors: int = field(default=16, metadata={"help": "Neighbours per atom; 0 keeps all."})
    graph_pooling: str = field(default="mean", metadata={"help": "mean, sum or mean_max."})
    graph_geometry_readout: bool = field(
        default=False, metadata={"help": "Append volume per atom, density and bond order to the pooled atoms."}
    )
    graph_composition_readout: bool = field(
        default=False, metadata={"help": "Append the embedded composition to the pooled atoms."}
    )
    text_layers: list[int] | None = field(
        default=None, metadata={"help": "Keep these layers of the text encoder only; default all."}
    )
    text_pooling: str = field(default="cls", metadata={"help": "cls or mean."})
    text_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the text tower; texts drawn anew every epoch already regularise."}
    )
    split_formulas: bool = field(default=True, metadata={"help": "Let the tokenizer split formulas into elements."})
    projection_dim: int = field(default=256, metadata={"help": "Size of the shared space."})

    narrative_keep_min: float = field(default=0.3, metadata={"help": "Least share of the facts a narrative tells."})
    narrative_keep_max: float = field(default=0.6, metadata={"help": "Largest share of the facts a narrative tells."})
    masked_probability: float = field(default=0.1, metadata={"help": "Narratives without formula and elements."})
    short_probability: float = field(default=0.12, metadata={"help": "Texts of a formula, with a crystal system."})
    query_probability: float = field(default=0.0, metadata={"help": "Search phrases: a few traits, a class, a use."})
    max_text_tokens: int = field(default=160, metadata={"help": "Longer texts are truncated in training."})

    loss: str = field(default="info_nce", metadata={"help": "info_nce, jensen_shannon or sigmoid."})
    terms: list[str] = field(
        default_factory=lambda: ["crystal-text"],
        metadata={"help": "Contrastive terms, such as crystal-text crystal'-text'; a prime marks the augmented copy."},
    )
    prior_weight: float = field(default=0.0, metadata={"help": "Weight of prior matching; 0: none."})
    mlm_weight: float = field(default=0.0, metadata={"help": "Weight of masked language modelling on text'; 0: none."})
    site_displacement: float = field(default=0.05, metadata={"help": "In crystal': share of the shortest distance."})
    strain: float = field(default=0.05, metadata={"help": "In crystal': largest change of each lattice vector."})
    atom_masking: float = field(default=0.15, metadata={"help": "In crystal': probability of an element to be hidden."})
    edge_dropping: float = field(default=0.1, metadata={"help": "In crystal': probability of an edge to be left out."})
    sentence_dropping: float = field(default=0.3, metadata={"help": "In text': probability of a sentence to go."})
    formula_hiding: float = field(default=0.3, metadata={"help": 'In text\': probability of "the material" instead.'})
    token_masking: float = field(default=0.15, metadata={"help": "In text': probability of a token to be masked."})

    num_epochs: int = field(default=20, metadata={"help": "Passes over the crystals."})
    batch_size: int = field(default=128, metadata={"help": "Pairs per step and process."})
    chunk_size: int = field(
        default=0, metadata={"help": "Pairs that go through the towers at once; 0: the whole batch. Saves memory only."}
    )
    learning_rate: float = field(default=1e-3, metadata={"help": "Peak rate of graph tower and projections."})
    text_learning_rate: float = field(default=1e-4, metadata={"help": "Peak rate of the text tower."})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay of weight matrices."})
    warmup_ratio: float = field(default=0.05, metadata={"help": "Share of the steps with a rising rate."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradients are clipped to this norm."})
    mixed_precision: str = field(
        default="auto", metadata={"help": "bf16, no, or auto: bf16 where the hardware computes in it."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of weights, texts and order."})

    save_steps: int = field(default=0, metadata={"help": "Also save `last` every so many steps; 0: every epoch only."})
    max_steps: int = field(default=0, metadata={"help": "Stop (resumably) after this many steps; 0: run to the end."})
    limit: int = field(default=0, metadata={"help": "Use only the first so many crystals of each split; 0: all."})
    resume: bool = field(default=False, metadata={"help": "Continue from the checkpoint `last` in output_dir."})
    report_to: str = field(default="none", metadata={"help": "none or trackio."})

    def __post_init__(self) -> None:
        for name in ("num_epochs", "batch_size", "learning_rate", "max_text_tokens", "projection_dim"):
            if getattr(self, name) <= 0:
                raise ClacInputError(f"{name}={getattr(self, name)} must be positive")
        if not 0 <= self.narrative_keep_min <= self.narrative_keep_max <= 1:
            raise ClacInputError("narrative_keep_min and narrative_keep_max must be shares, 0 <= min <= max <= 1")
        if self.report_to not in ("none", "trackio"):
            raise ClacInputError(f"report_to={self.report_to!r}: choose none or trackio")
        if self.mixed_precision not in ("auto", "bf16", "no"):
            raise ClacInputError(f"mixed_precision={self.mixed_precision!r}: choose auto, bf16 or no")
        self.objective_settings()
        self.copies()

    def objective_settings(self) -> ObjectiveSettings:
        return ObjectiveSettings(self.loss, tuple(self.terms), self.prior_weight, self.mlm_weight)

    def copies(self) -> Copies:
        settings = self.objective_settings()
        names = {entry.name for entry in fields(Copies)} - {"crystals", "texts"}
        strengths = {name: getattr(self, name) for name in names}
        return Copies(settings.copies_crystals, settings.copies_texts, **strengths)

    def text_style(self) -> TextStyle:
        return TextStyle(
            self.narrative_keep_min,
            self.narrative_keep_max,
            self.masked_probability,
            self.short_probability,
            self.query_probability,
        )


def recipe_of(arguments: PretrainArguments) -> dict[str, Any]:
    """The arguments that decide what is computed, without places on this machine and switches of this run."""
    return {name: value for name, value in asdict(arguments).items() if name not in PLACES}


def choose_precision(requested: str) -> str:
    """`auto` -> bf16 where matrix units compute in it; a CPU without them emulates it, at half the speed of float32."""
    if requested != "auto":
        return requested
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "no"


def build_model(arguments: PretrainArguments) -> tuple[ClacModel, ClacProcessor]:
    """Pretrained text tower, fresh graph tower and projections, and the processor that fits them; or a checkpoint's."""
    if arguments.init_checkpoint is not None:
        embedder = ClacEmbedder.from_pretrained(arguments.init_checkpoint, device="cpu")
        model = embedder.model
        if arguments.graph_composition_readout and not model.config.graph_config.composition_readout:
            model = add_composition_readout(model)
        return model.train(), embedder.processor
    graph_config = ClacGraphConfig(
        encoder=arguments.graph_encoder,
        hidden_size=arguments.graph_hidden_size,
        num_interactions=arguments.graph_num_interactions,
        num_radial=arguments.graph_num_radial,
        cutoff=arguments.graph_cutoff,
        max_neighbors=arguments.graph_max_neighbors or None,
        pooling=arguments.graph_pooling,
        geometry_readout=arguments.graph_geometry_readout,
        composition_readout=arguments.graph_composition_readout,
    )
    text_model = arguments.text_model_path or arguments.text_model
    try:
        model = ClacModel.from_text_graph_pretrained(
            text_model,
            graph_config,
            text_layers=arguments.text_layers,
            text_dropout=arguments.text_dropout,
            text_pooling=arguments.text_pooling,
            projection_dim=arguments.projection_dim,
        )
        tokenizer = AutoTokenizer.from_pretrained(text_model)
    except OSError as error:
        raise ClacInputError(f"text_model {text_model}: {str(error).splitlines()[0]}") from None
    # The checkpoint names the model, not the place it was read from.
    model.config.text_config._name_or_path = arguments.text_model
    if arguments.split_formulas:
        tokenizer = read_formulas(tokenizer)
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)
    return model, ClacProcessor(ClacFeatureExtractor.from_graph_config(graph_config), tokenizer)


def add_composition_readout(model: ClacModel) -> ClacModel:
    """The same model with a fresh composition readout. The projection does not use it yet, so all embeddings stay."""
    config: Any = deepcopy(model.config)
    config.graph_config.composition_readout = True
    wider = ClacModel(config)
    weights = model.state_dict()
    added = wider.graph_model.output_size - model.graph_model.output_size
    for layer in ("shortcut", "hidden"):
        name = f"crystal_projection.{layer}.weight"
        weights[name] = nn.functional.pad(weights[name], (0, added))
    wider.load_state_dict(weights, strict=False)
    return wider


def parameter_groups(objective: nn.Module, arguments: PretrainArguments) -> list[dict[str, Any]]:
    """AdamW groups: a lower rate for the text tower; no decay for biases, norms, embeddings and the temperature."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in objective.named_parameters():
        text, decay = name.startswith("model.text_model."), parameter.ndim == 2 and "embedding" not in name
        groups.setdefault((text, decay), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": arguments.text_learning_rate if text else arguments.learning_rate,
            "weight_decay": arguments.weight_decay if decay else 0.0,
        }
        for (text, decay), parameters in groups.items()
    ]


def validate(
    model: ClacModel, processor: ClacProcessor, crystals: list[Crystal], records: list[dict[str, Any]]
) -> dict[str, float]:
    """Retrieval on the whole validation split, one fixed narrative per crystal."""
    embedder = ClacEmbedder(model, processor)
    crystal_embeds = embedder.encode_crystals(crystals, show_progress=False)
    text_embeds = embedder.encode_text([narrate(r, ("validation", r["material_id"])) for r in records])
    model.train()
    scores = {
        **{f"text_to_crystal_{k}": v for k, v in _scores(text_embeds, crystal_embeds).items()},
        **{f"crystal_to_text_{k}": v for k, v in _scores(crystal_embeds, text_embeds).items()},
    }
    scores["top_1"] = (scores["text_to_crystal_top_1"] + scores["crystal_to_text_top_1"]) / 2
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
    accelerator = Accelerator(
        mixed_precision=choose_precision(arguments.mixed_precision),
        log_with=None if arguments.report_to == "none" else arguments.report_to,
        dataloader_config=DataLoaderConfiguration(dispatch_batches=False),
    )
    if not accelerator.is_main_process:
        transformers_logging.set_verbosity_error()
    output = Path(arguments.output_dir)
    say = accelerator.print
    if (output / "last").exists() and not arguments.resume:
        raise ClacInputError(f"{output}: holds a run already; add --resume to continue it or choose another output_dir")
    if arguments.resume and not (output / "last").exists():
        raise ClacInputError(f"{output}: nothing to resume from (no checkpoint `last` in it)")

    set_seed(arguments.seed)
    model, processor = build_model(arguments)
    parsed = {}
    for split in ("train", "validation"):
        records = load_records(arguments.dataset, split)[: arguments.limit or None]
        crystals, records, skipped = parse_crystals(records, processor, arguments.on_error)
        parsed[split] = (crystals, records)
        say(f"{split}: {len(records):,} crystals" + (f", {len(skipped)} left out: {skipped[:3]}" if skipped else ""))
    batches = PairBatches(
        *parsed["train"],
        processor,
        arguments.text_style(),
        arguments.batch_size,
        arguments.seed,
        arguments.max_text_tokens,
        accelerator.process_index,
        accelerator.num_processes,
        arguments.copies(),
        arguments.chunk_size,
    )
    total = arguments.num_epochs * len(batches)
    objective: nn.Module = ContrastiveObjective(model, arguments.objective_settings())
    optimizer = torch.optim.AdamW(parameter_groups(objective, arguments))
    scheduler = get_cosine_schedule_with_warmup(optimizer, math.ceil(arguments.warmup_ratio * total), total)
    # The schedule is stepped once for a joined batch, so accelerate must not multiply it by the processes.
    objective, optimizer = accelerator.prepare(objective, optimizer)
    accelerator.register_for_checkpointing(scheduler)
    state: dict[str, Any] = {"epoch": 0, "batch": 0, "step": 0, "best": -1.0, "seconds": 0.0, "finished": False}
    if arguments.resume:
        state = load_state(accelerator, output / "last", recipe_of(arguments))
        say(f"resumed at epoch {state['epoch']}, batch {state['batch']} (step {state['step']} of {total})")
    if accelerator.is_main_process:
        output.mkdir(parents=True, exist_ok=True)
    if arguments.report_to != "none":
        accelerator.init_trackers(output.name, recipe_of(arguments))
    say(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, {len(batches)} steps an epoch, "
        f"{arguments.batch_size * accelerator.num_processes - 1} negatives for each pair, "
        f"precision {accelerator.mixed_precision}, {accelerator.num_processes} process(es)"
    )

    first_step, first_seconds = state["step"], state["seconds"]
    started_at = time.monotonic() - first_seconds
    bar = tqdm(total=total, initial=state["step"], desc="pre-training", disable=not accelerator.is_main_process)
    objective.train()
    stopping = False
    while state["epoch"] < arguments.num_epochs and not stopping:
        losses = []
        for inputs in batches.epoch(state["epoch"], state["batch"]):
            inputs = send_to_device(inputs, accelerator.device)
            loss = backward_in_chunks(objective, accelerator, **inputs)["loss"]
            accelerator.clip_grad_norm_(objective.parameters(), arguments.max_grad_norm)
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
        _end_of_epoch(accelerator, objective, processor, parsed["validation"], state, losses, output, arguments)
        save_state(accelerator, output / "last", state, recipe_of(arguments))
    bar.close()
    if not state["finished"]:
        save_state(accelerator, output / "last", state, recipe_of(arguments))
        say(f"stopped at step {state['step']} of {total}; saved, continue with --resume")
    pairs = (state["step"] - first_step) * arguments.batch_size * accelerator.num_processes
    say(f"{pairs / max(state['seconds'] - first_seconds, 1e-9):.1f} pairs/s")
    accelerator.end_training()
    return state


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
        scores = validate(bare, processor, *validation)
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
                training["started_from"] = training_record(Path(arguments.init_checkpoint))
            save_model(bare, processor, output / "best", training)
    accelerator.wait_for_everyone()


if __name__ == "__main__":
    run_script(PretrainArguments, train)
