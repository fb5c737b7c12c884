"""The arguments of pre-training in groups; a recipe or the command line sets all of them in one flat list."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from modeling_clac import ClacGraphConfig
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.errors_clac import ClacInputError, check_on_error
from train.pretraining.objective import ObjectiveSettings
from train.pretraining.pairs import Copies, TextStyle

# Arguments that may change when a run is resumed, because the result does not depend on them.
PLACES = {"output_dir", "text_model_path", "resume", "save_steps", "max_steps", "report_to"}


@dataclass(kw_only=True)
class ModelArguments:
    """The towers and the space they share."""

    text_model: str = field(metadata={"help": "BERT-type text encoder to start from: a directory or a Hub id."})
    text_model_path: str | None = field(
        default=None, metadata={"help": "Read text_model from this directory instead of the Hub (no network)."}
    )
    init_checkpoint: str | None = field(
        default=None, metadata={"help": "Start from the weights of this CLaC checkpoint instead of fresh towers."}
    )
    graph_encoder: str | None = field(default=None, metadata={"help": "painn or cgcnn. Default painn."})
    graph_hidden_size: int | None = field(default=None, metadata={"help": "Features per atom. Default 128."})
    graph_num_interactions: int | None = field(default=None, metadata={"help": "Message-passing layers. Default 3."})
    graph_num_radial: int | None = field(default=None, metadata={"help": "Radial basis functions. Default 20."})
    graph_cutoff: float | None = field(default=None, metadata={"help": "Neighbour cutoff in Å. Default 6."})
    graph_max_neighbors: int | None = field(
        default=None, metadata={"help": "Neighbours per atom; 0 keeps all. Default 16."}
    )
    graph_pooling: str | None = field(default=None, metadata={"help": "mean, sum or mean_max. Default mean."})
    graph_geometry_readout: bool | None = field(
        default=None, metadata={"help": "Append volume per atom, density and bond order to the pooled atoms."}
    )
    graph_composition_readout: bool | None = field(
        default=None, metadata={"help": "Append the embedded composition to the pooled atoms."}
    )
    text_layers: list[int] | None = field(
        default=None, metadata={"help": "Keep only these layers of the text encoder; default all."}
    )
    text_pooling: str = field(default="cls", metadata={"help": "cls or mean."})
    text_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the text tower; new texts in every epoch already regularise."}
    )
    split_formulas: bool = field(default=True, metadata={"help": "Let the tokenizer split formulas into elements."})
    token_values: bool | None = field(
        default=None, metadata={"help": "Let the text tower read numbers and formulas. Default no."}
    )
    shared_composition: bool | None = field(
        default=None, metadata={"help": "Embed compositions of crystals and of formulas by one map. Default no."}
    )
    shared_stoichiometry: bool | None = field(
        default=None, metadata={"help": "Embed amounts of elements of crystals and of formulas by one map. Default no."}
    )
    shared_density: bool | None = field(
        default=None, metadata={"help": "Embed densities of crystals and in texts by one map. Default no."}
    )
    projection_dim: int = field(default=256, metadata={"help": "Size of the shared space."})

    def __post_init__(self) -> None:
        _require_at_least_one(self, "projection_dim")
        _require_share(self, "text_dropout")
        shared = [name for name in SHARED_FACTS if getattr(self, name)]
        if shared and self.token_values is False:
            raise ClacInputError(f"{' and '.join(shared)} need token_values")
        self.graph_config()

    def graph_settings(self) -> dict[str, Any]:
        """The fields of `ClacGraphConfig` that were given."""
        given = {
            entry.name.removeprefix("graph_"): getattr(self, entry.name)
            for entry in fields(self)
            if entry.name.startswith("graph_") and getattr(self, entry.name) is not None
        }
        if given.get("max_neighbors") == 0:
            given["max_neighbors"] = None
        return given

    def graph_config(self) -> ClacGraphConfig:
        """
        Raises:
            ClacInputError: a size is not positive, or a name is not known.
        """
        try:
            return ClacGraphConfig(**self.graph_settings())
        except (ValueError, TypeError) as error:
            raise ClacInputError(f"graph_{str(error).strip().splitlines()[-1].strip()}") from None


@dataclass(kw_only=True)
class DataArguments:
    """Crystals and the texts that are written for them."""

    dataset: str = field(
        default="modeling_clac/assets/mp-crystals", metadata={"help": "Crystals with properties: directory or Hub id."}
    )
    limit: int = field(default=0, metadata={"help": "Use only this many first crystals of each split; 0: all."})
    validation_size: int = field(default=1024, metadata={"help": "Validate on at most this many crystals."})
    on_error: str = field(default="raise", metadata={"help": "Unusable crystals in the data: raise or skip."})
    streaming: bool = field(
        default=False, metadata={"help": "Read the data during training instead of all at the start."}
    )
    steps_per_epoch: int = field(default=0, metadata={"help": "With streaming: batches of an epoch."})
    shuffle_buffer: int = field(
        default=4096, metadata={"help": "With streaming: rows from which the next one is drawn."}
    )
    text_column: str | None = field(
        default=None, metadata={"help": "Take narratives from this column of the data; default: write them."}
    )
    narrative_keep_min: float = field(default=0.3, metadata={"help": "Smallest share of the facts in a narrative."})
    narrative_keep_max: float = field(default=0.6, metadata={"help": "Largest share of the facts in a narrative."})
    masked_probability: float = field(default=0.1, metadata={"help": "Narratives without formula and elements."})
    short_probability: float = field(
        default=0.12, metadata={"help": "Short texts: a formula, a crystal system or an application."}
    )
    query_probability: float = field(
        default=0.0, metadata={"help": "Search phrases: some properties, a class or an application."}
    )
    phrases_per_crystal: int = field(
        default=1, metadata={"help": "Short texts of each crystal in a batch, for a term with phrases."}
    )
    twin_share: float = field(
        default=0.0, metadata={"help": "Share of a batch that is expanded versions of its other crystals."}
    )
    max_text_tokens: int = field(default=160, metadata={"help": "Longer texts are truncated in training."})

    def __post_init__(self) -> None:
        _require_at_least_one(self, "max_text_tokens", "shuffle_buffer", "validation_size", "phrases_per_crystal")
        _require_not_negative(self, "limit", "steps_per_epoch")
        _require_share(self, "masked_probability", "short_probability", "query_probability", "twin_share")
        check_on_error(self.on_error, ("raise", "skip"))
        if self.short_probability + self.query_probability + self.masked_probability > 1:
            raise ClacInputError("short_probability, query_probability and masked_probability add up to more than 1")
        if not 0 <= self.narrative_keep_min <= self.narrative_keep_max <= 1:
            raise ClacInputError("narrative_keep_min and narrative_keep_max must be shares, 0 <= min <= max <= 1")
        if self.text_column is not None and self.twin_share:
            raise ClacInputError("twin_share needs texts written from the records; leave text_column out")
        if self.streaming and not self.steps_per_epoch:
            raise ClacInputError("streaming needs steps_per_epoch, since the number of rows is not known")


@dataclass(kw_only=True)
class ObjectiveArguments:
    """Terms, losses and augmented copies."""

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
    sentence_dropping: float = field(
        default=0.3, metadata={"help": "In text': probability of a sentence to be left out."}
    )
    formula_hiding: float = field(
        default=0.3, metadata={"help": 'In text\': probability of "the material" in place of the formula.'}
    )
    token_masking: float = field(default=0.15, metadata={"help": "In text': probability of a token to be masked."})

    def __post_init__(self) -> None:
        self.objective_settings()
        self.copies()

    def objective_settings(self) -> ObjectiveSettings:
        """
        Raises:
            ClacInputError: see `ObjectiveSettings`.
        """
        return ObjectiveSettings(self.loss, tuple(self.terms), self.prior_weight, self.mlm_weight)

    def copies(self) -> Copies:
        """
        Raises:
            ClacInputError: see `Copies`.
        """
        settings = self.objective_settings()
        names = {entry.name for entry in fields(Copies)} - {"crystals", "texts"}
        strengths = {name: getattr(self, name) for name in names}
        return Copies(settings.copies_crystals, settings.copies_texts, **strengths)


@dataclass(kw_only=True)
class OptimizationArguments:
    """Batches, learning rates and precision."""

    num_epochs: int = field(default=20, metadata={"help": "Passes over the crystals."})
    batch_size: int = field(default=128, metadata={"help": "Pairs per step and process."})
    chunk_size: int = field(
        default=0,
        metadata={
            "help": "Pairs that go through the towers at once (GradCache); 0: the whole batch. Only saves memory."
        },
    )
    learning_rate: float = field(default=1e-3, metadata={"help": "Peak rate of graph tower and projections."})
    text_learning_rate: float = field(default=1e-4, metadata={"help": "Peak rate of the text tower."})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay of weight matrices."})
    warmup_ratio: float = field(default=0.05, metadata={"help": "Share of the steps with a rising rate."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradients are clipped to this norm."})
    mixed_precision: str = field(
        default="auto", metadata={"help": "bf16, no, or auto: bf16 where the hardware computes in it."}
    )

    def __post_init__(self) -> None:
        _require_at_least_one(self, "num_epochs", "batch_size")
        _require_not_negative(self, "chunk_size", "weight_decay")
        _require_share(self, "warmup_ratio")
        _require_one_of(self, "mixed_precision", ("auto", "bf16", "no"))
        for name in ("learning_rate", "text_learning_rate", "max_grad_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ClacInputError(f"{name}={getattr(self, name)} must be positive")


@dataclass(kw_only=True)
class RunArguments:
    """Where a run is kept, how it stops and continues."""

    output_dir: str = field(metadata={"help": "Where checkpoints `last` and `best` and the log go."})
    seed: int = field(default=0, metadata={"help": "Seed of weights, texts and order."})
    save_steps: int = field(
        default=0, metadata={"help": "Also save `last` every this many steps; 0: after every epoch only."}
    )
    max_steps: int = field(default=0, metadata={"help": "Stop (resumably) after this many steps; 0: run to the end."})
    resume: bool = field(default=False, metadata={"help": "Continue from the checkpoint `last` in output_dir."})
    report_to: str = field(default="none", metadata={"help": "none or trackio."})

    def __post_init__(self) -> None:
        _require_not_negative(self, "save_steps", "max_steps")
        _require_one_of(self, "report_to", ("none", "trackio"))


GROUPS = (ModelArguments, DataArguments, ObjectiveArguments, OptimizationArguments, RunArguments)


# Fields are collected from the last base to the first.
@dataclass(kw_only=True)
class PretrainArguments(RunArguments, OptimizationArguments, ObjectiveArguments, DataArguments, ModelArguments):
    """
    All arguments of pre-training. A function that needs one group takes that group, so its signature says what it
    depends on.

    Raises:
        ClacInputError: a value is out of range, or two values do not go together.
    """

    def __post_init__(self) -> None:
        for group in GROUPS:
            group.__post_init__(self)
        if self.objective_settings().phrases and not self.short_probability + self.query_probability:
            raise ClacInputError("a term with phrases needs short_probability or query_probability above 0")

    def text_style(self) -> TextStyle:
        """The style of the texts; narratives only if phrases have a term of their own."""
        style = TextStyle(
            self.narrative_keep_min,
            self.narrative_keep_max,
            self.masked_probability,
            self.short_probability,
            self.query_probability,
            self.text_column,
        )
        return replace(style, short=0.0, query=0.0) if self.objective_settings().phrases else style

    def phrase_style(self) -> TextStyle | None:
        """The style of the phrases, for an objective with a term for them."""
        if not self.objective_settings().phrases:
            return None
        short = self.short_probability / (self.short_probability + self.query_probability)
        return TextStyle(1.0, 1.0, masked=0.0, short=short, query=1.0 - short)


def recipe_of(arguments: PretrainArguments) -> dict[str, Any]:
    """The arguments that decide the result, without paths of this machine and switches of this run."""
    return {name: value for name, value in asdict(arguments).items() if name not in PLACES}


def _require_at_least_one(arguments: Any, *names: str) -> None:
    for name in names:
        if getattr(arguments, name) < 1:
            raise ClacInputError(f"{name}={getattr(arguments, name)} must be at least 1")


def _require_not_negative(arguments: Any, *names: str) -> None:
    for name in names:
        if getattr(arguments, name) < 0:
            raise ClacInputError(f"{name}={getattr(arguments, name)} must not be negative")


def _require_share(arguments: Any, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(arguments, name) <= 1:
            raise ClacInputError(f"{name}={getattr(arguments, name)} must be a share, 0 to 1")


def _require_one_of(arguments: Any, name: str, choices: tuple[str, ...]) -> None:
    if getattr(arguments, name) not in choices:
        *others, last = choices
        raise ClacInputError(f"{name}={getattr(arguments, name)!r}: choose {', '.join(others)} or {last}")
