"""Arguments of pre-training in groups; recipes and flags set them by name in one flat list."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from modeling_clac import ClacGraphConfig
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.errors_clac import ClacInputError, check_on_error
from modeling_clac.utils.arguments import convert_values
from train.pretraining.objective_settings import CONCEPTS, FACTS, ObjectiveSettings
from train.pretraining.pairs import Copies, TextStyle

# Parts of the model that a phase may leave unchanged, with the names of their parameters.
FROZEN_PARTS: dict[str, tuple[str, ...]] = {
    "graph_model": ("graph_model.",),
    "text_model": ("text_model.",),
    "text_embeddings": ("text_model.embeddings.",),
    "crystal_projection": ("crystal_projection.",),
    "projections": ("crystal_projection.", "text_projection."),
    "shared_facts": tuple(f"{name}." for name in SHARED_FACTS),
}
# Arguments that may change when a run is resumed: the result does not depend on them.
PLACES = {"output_dir", "text_model_path", "resume", "save_steps", "max_steps", "report_to", "batch_workers"}


@dataclass(kw_only=True)
class ModelArguments:
    """The towers and the space they share."""

    text_model: str = field(metadata={"help": "BERT-type text encoder to start from: a directory or a Hub id."})
    text_model_path: str | None = field(
        default=None, metadata={"help": "Load text_model from this directory instead of the Hub (no network)."}
    )
    init_checkpoint: str | None = field(
        default=None,
        metadata={
            "help": "Start from the weights of this CLaC checkpoint instead of text_model and a new graph tower."
        },
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
        default=None, metadata={"help": "Append volume per atom, density and bond order to the pooled atom features."}
    )
    graph_composition_readout: bool | None = field(
        default=None, metadata={"help": "Append the embedded composition to the pooled atom features."}
    )
    graph_symmetry_readout: bool | None = field(
        default=None, metadata={"help": "Append embeddings of the space group to the pooled atom features."}
    )
    graph_pattern_readout: bool | None = field(
        default=None, metadata={"help": "Append the number of elements and their sorted amounts."}
    )
    text_layers: list[int] | None = field(
        default=None, metadata={"help": "Keep only these layers of the text encoder. Default: all."}
    )
    text_pooling: str = field(default="cls", metadata={"help": "cls or mean."})
    text_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the text tower; new texts in every epoch also regularise."}
    )
    split_formulas: bool = field(default=True, metadata={"help": "Let the tokenizer split formulas into elements."})
    token_values: bool | None = field(
        default=None, metadata={"help": "Give the text tower the values of numbers and formulas. Default: false."}
    )
    shared_composition: bool | None = field(
        default=None,
        metadata={"help": "Embed the compositions of crystals and formulas with the same weights. Default: false."},
    )
    shared_stoichiometry: bool | None = field(
        default=None,
        metadata={
            "help": "Embed the amounts of elements in crystals and formulas with the same weights. Default: false."
        },
    )
    shared_density: bool | None = field(
        default=None,
        metadata={"help": "Embed the densities of crystals and in texts with the same weights. Default: false."},
    )
    projection_dim: int = field(default=256, metadata={"help": "Dimension of the shared space."})

    def __post_init__(self) -> None:
        _require_at_least_one(self, "projection_dim")
        _require_share(self, "text_dropout")
        shared = [name for name in SHARED_FACTS if getattr(self, name)]
        if shared and self.token_values is False:
            raise ClacInputError(f"{' and '.join(shared)} need token_values; set it to true")
        self.graph_config()

    def graph_settings(self) -> dict[str, Any]:
        """Return the fields of `ClacGraphConfig` that are set."""
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
        Build the configuration of the graph tower.

        Raises:
            ClacInputError: A size is not positive, or the name of an encoder or pooling is unknown.
        """
        try:
            return ClacGraphConfig(**self.graph_settings())
        except (ValueError, TypeError) as error:
            raise ClacInputError(f"graph_{str(error).strip().splitlines()[-1].strip()}") from None


@dataclass(kw_only=True)
class DataArguments:
    """Crystals and their texts."""

    dataset: str = field(
        default="modeling_clac/assets/mp-crystals",
        metadata={"help": "Crystals with properties: a directory or a Hub id."},
    )
    limit: int = field(default=0, metadata={"help": "Use only this many first crystals of each split; 0: all."})
    validation_size: int = field(default=1024, metadata={"help": "Maximum number of validation crystals."})
    on_error: str = field(default="raise", metadata={"help": "What to do with unusable crystals: raise or skip."})
    streaming: bool = field(default=False, metadata={"help": "Read the data during training instead of at the start."})
    steps_per_epoch: int = field(default=0, metadata={"help": "With streaming: number of batches per epoch."})
    shuffle_buffer: int = field(default=4096, metadata={"help": "With streaming: size of the shuffle buffer, in rows."})
    text_column: str | None = field(
        default=None, metadata={"help": "Column that holds the narratives. Default: generate them from the properties."}
    )
    narrative_keep_min: float = field(default=0.3, metadata={"help": "Smallest share of the facts in a narrative."})
    narrative_keep_max: float = field(default=0.6, metadata={"help": "Largest share of the facts in a narrative."})
    masked_probability: float = field(
        default=0.1, metadata={"help": "Probability of a narrative without formula and element names."}
    )
    short_probability: float = field(
        default=0.12, metadata={"help": "Probability of a short text: a formula, a crystal system or an application."}
    )
    concept_phrases: int = field(
        default=128, metadata={"help": "Phrases of the vocabulary per step, for the term crystal-concept."}
    )
    descriptions: str | None = field(
        default=None,
        metadata={"help": "Parquet file with a description of crystals by material_id, as a second kind of narrative."},
    )
    description_probability: float = field(
        default=0.0, metadata={"help": "Probability of a description, or its beginning, where there is one."}
    )
    substituted: int = field(
        default=0,
        metadata={"help": "Number of crystals to add in which elements are exchanged for others of their family."},
    )
    twin_share: float = field(
        default=0.0, metadata={"help": "Share of a batch that is replaced by expanded versions of its other crystals."}
    )
    max_text_tokens: int = field(
        default=160, metadata={"help": "Maximum number of tokens; longer texts are truncated in training."}
    )

    def __post_init__(self) -> None:
        _require_at_least_one(self, "max_text_tokens", "shuffle_buffer", "validation_size", "concept_phrases")
        _require_not_negative(self, "limit", "steps_per_epoch", "substituted")
        _require_share(self, "masked_probability", "short_probability", "twin_share", "description_probability")
        if bool(self.description_probability) != (self.descriptions is not None):
            raise ClacInputError("descriptions and description_probability go together; set both or none")
        check_on_error(self.on_error, ("raise", "skip"))
        kinds = ("short_probability", "masked_probability", "description_probability")
        if sum(getattr(self, name) for name in kinds) > 1:
            raise ClacInputError(f"{', '.join(kinds[:-1])} and {kinds[-1]} add up to more than 1; lower them")
        if not 0 <= self.narrative_keep_min <= self.narrative_keep_max <= 1:
            raise ClacInputError(
                f"narrative_keep_min={self.narrative_keep_min}, narrative_keep_max={self.narrative_keep_max}: "
                "expected 0 <= min <= max <= 1"
            )
        if self.text_column is not None and self.twin_share:
            raise ClacInputError("twin_share cannot be used with text_column; remove one of them")
        if self.substituted and (self.streaming or self.text_column is not None):
            raise ClacInputError("substituted cannot be used with streaming or text_column; remove one of them")
        if self.streaming and not self.steps_per_epoch:
            raise ClacInputError("streaming needs steps_per_epoch, since the number of rows is unknown")


@dataclass(kw_only=True)
class ObjectiveArguments:
    """Contrastive terms, losses and augmented copies."""

    loss: str = field(default="info_nce", metadata={"help": "info_nce, jensen_shannon or sigmoid."})
    terms: list[str] = field(
        default_factory=lambda: ["crystal-text"],
        metadata={"help": "Contrastive terms, such as crystal-text crystal'-text'; a prime marks the augmented copy."},
    )
    fact_weight: float = field(default=1.0, metadata={"help": "Weight of the term crystal-fact next to other terms."})
    prior_weight: float = field(default=0.0, metadata={"help": "Weight of prior matching; 0: none."})
    mlm_weight: float = field(
        default=0.0, metadata={"help": "Weight of the masked-language-model loss on text'; 0: none."}
    )
    language_weight: float = field(
        default=0.0,
        metadata={"help": "Weight of predicting the hidden states of the encoder as it was before training; 0: none."},
    )
    site_displacement: float = field(
        default=0.05, metadata={"help": "In crystal': largest displacement, as a share of the shortest distance."}
    )
    strain: float = field(
        default=0.05, metadata={"help": "In crystal': largest relative change of each lattice vector."}
    )
    atom_masking: float = field(default=0.15, metadata={"help": "In crystal': probability that an atom is masked."})
    edge_dropping: float = field(default=0.1, metadata={"help": "In crystal': probability that an edge is dropped."})
    sentence_dropping: float = field(
        default=0.3, metadata={"help": "In text': probability that a sentence is dropped."}
    )
    formula_hiding: float = field(
        default=0.3, metadata={"help": 'In text\': probability that "the material" replaces the formula.'}
    )
    token_masking: float = field(default=0.15, metadata={"help": "In text': probability that a token is masked."})

    def __post_init__(self) -> None:
        self.objective_settings()
        self.copies()

    def objective_settings(self) -> ObjectiveSettings:
        """
        Build the settings of the objective.

        Raises:
            ClacInputError: See `ObjectiveSettings`.
        """
        return ObjectiveSettings(
            self.loss, tuple(self.terms), self.fact_weight, self.prior_weight, self.mlm_weight, self.language_weight
        )

    def copies(self) -> Copies:
        """
        Build the settings of the augmented copies.

        Raises:
            ClacInputError: See `Copies`.
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
        metadata={"help": "Pairs in the towers at once (GradCache); 0: the whole batch. Saves memory only."},
    )
    learning_rate: float = field(
        default=1e-3, metadata={"help": "Peak learning rate of the graph tower and the projections."}
    )
    text_learning_rate: float = field(default=1e-4, metadata={"help": "Peak learning rate of the text tower."})
    frozen: list[str] = field(
        default_factory=list,
        metadata={"help": f"Parts that do not change: {', '.join(FROZEN_PARTS)}."},
    )
    frozen_text_layers: int = field(
        default=0, metadata={"help": "Number of lowest layers of the text encoder that do not change."}
    )
    text_average: float = field(
        default=0.0,
        metadata={"help": "At the end, this share of the weights of the text encoder is that of text_model."},
    )
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay of weight matrices."})
    warmup_ratio: float = field(default=0.05, metadata={"help": "Share of the steps with a rising learning rate."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradients are clipped to this norm."})
    mixed_precision: str = field(
        default="auto", metadata={"help": "bf16, no, or auto (bf16 if the hardware supports it)."}
    )

    def __post_init__(self) -> None:
        _require_at_least_one(self, "num_epochs", "batch_size")
        _require_not_negative(self, "chunk_size", "weight_decay")
        _require_share(self, "warmup_ratio", "text_average")
        _require_not_negative(self, "frozen_text_layers")
        for part in self.frozen:
            if part not in FROZEN_PARTS:
                raise ClacInputError(f"frozen={self.frozen}: choose from {', '.join(FROZEN_PARTS)}")
        _require_one_of(self, "mixed_precision", ("auto", "bf16", "no"))
        for name in ("learning_rate", "text_learning_rate", "max_grad_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ClacInputError(f"{name}={getattr(self, name)} must be positive")


@dataclass(kw_only=True)
class RunArguments:
    """Output, seed, checkpoints and resuming."""

    output_dir: str = field(metadata={"help": "Directory for the checkpoints `last` and `best` and the log."})
    seed: int = field(default=0, metadata={"help": "Seed of weights, texts and order."})
    save_steps: int = field(
        default=0, metadata={"help": "Also save `last` after this many steps; 0: only after each epoch."}
    )
    max_steps: int = field(default=0, metadata={"help": "Save and stop after this many steps; 0: run to the end."})
    resume: bool = field(default=False, metadata={"help": "Continue from the checkpoint `last` in output_dir."})
    phases: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={
            "help": "Phases of the run, one after the other: a name, and the arguments in which it differs from the "
            "recipe. Default: one phase."
        },
    )
    batch_workers: int = field(
        default=0,
        metadata={"help": "Processes that prepare batches for an accelerator; 0: the training process does."},
    )
    report_to: str = field(default="none", metadata={"help": "Experiment tracker: none or trackio."})

    def __post_init__(self) -> None:
        _require_not_negative(self, "save_steps", "max_steps", "batch_workers")
        _require_one_of(self, "report_to", ("none", "trackio"))


GROUPS = (ModelArguments, DataArguments, ObjectiveArguments, OptimizationArguments, RunArguments)
# What may differ between the phases of a run.
PHASE_GROUPS = (DataArguments, ObjectiveArguments, OptimizationArguments)
FIXED = frozenset(
    (
        "dataset",
        "limit",
        "validation_size",
        "on_error",
        "streaming",
        "text_column",
        "descriptions",
        "substituted",
        "mixed_precision",
    )
)


# Dataclass fields are collected from the last base class to the first.
@dataclass(kw_only=True)
class PretrainArguments(RunArguments, OptimizationArguments, ObjectiveArguments, DataArguments, ModelArguments):
    """
    All arguments of pre-training.

    A function that needs one group of arguments takes that group, so that its signature shows what it depends on.

    Raises:
        ClacInputError: A value is out of range, or two values are incompatible.
    """

    def __post_init__(self) -> None:
        for group in GROUPS:
            group.__post_init__(self)
        settings = self.objective_settings()
        vocabulary = sorted({CONCEPTS, FACTS} & set(settings.terms))
        if vocabulary and (self.streaming or self.chunk_size):
            raise ClacInputError(f"{vocabulary[0]} cannot be used with streaming or chunk_size; remove one of them")
        if self.graph_is_frozen and (self.streaming or self.chunk_size or self.twin_share):
            raise ClacInputError(
                "while graph_model is frozen, texts are contrasted with all training crystals; remove streaming, "
                "chunk_size and twin_share"
            )
        if self.batch_workers and self.streaming:
            raise ClacInputError("batch_workers cannot be used with streaming; remove one of them")
        # Errors in a phase are found before the first one starts.
        for index in range(len(self.phases)):
            self.phase(index)

    @property
    def graph_is_frozen(self) -> bool:
        """Whether the graph tower does not change."""
        return "graph_model" in self.frozen

    @property
    def num_phases(self) -> int:
        """Number of phases."""
        return max(len(self.phases), 1)

    def phase(self, index: int) -> PretrainArguments:
        """
        Return the arguments of a phase.

        Args:
            index: Index of the phase.

        Raises:
            ClacInputError: An argument cannot differ between phases, or is invalid.
        """
        if not self.phases:
            return self
        given = dict(self.phases[index])
        name = given.pop("name", None)
        if not isinstance(name, str):
            raise ClacInputError(f"phases: phase {index + 1} has no name; add one")
        known = {entry.name for group in PHASE_GROUPS for entry in fields(group)} - FIXED
        unknown = [key for key in given if key not in known]
        if unknown:
            raise ClacInputError(
                f"phase {name}: {unknown[0]} cannot be set for a phase; choose from {', '.join(sorted(known))}"
            )
        given = convert_values(PretrainArguments, given, f"phase {name}")
        try:
            return replace(self, **given, phases=[])
        except ClacInputError as error:
            raise ClacInputError(f"phase {name}: {error}") from None

    def phase_name(self, index: int) -> str:
        """Return the name of a phase; empty if there is only one."""
        return str(self.phases[index]["name"]) if self.phases else ""

    def text_style(self) -> TextStyle:
        """Return the style of the texts."""
        return TextStyle(
            self.narrative_keep_min,
            self.narrative_keep_max,
            self.masked_probability,
            self.short_probability,
            self.text_column,
            self.description_probability,
        )


def recipe_of(arguments: PretrainArguments) -> dict[str, Any]:
    """Return the arguments that determine the result, without paths of this machine and options of this run."""
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
            raise ClacInputError(f"{name}={getattr(arguments, name)} must be a share between 0 and 1")


def _require_one_of(arguments: Any, name: str, choices: tuple[str, ...]) -> None:
    if getattr(arguments, name) not in choices:
        *others, last = choices
        raise ClacInputError(f"{name}={getattr(arguments, name)!r}: choose {', '.join(others)} or {last}")
