"""The arguments of pre-training: what a recipe may set, and what it may not."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from modeling_clac import ClacGraphConfig
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.errors_clac import ClacInputError, check_on_error
from train.pretraining.objective import ObjectiveSettings
from train.pretraining.pairs import Copies, TextStyle

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
    streaming: bool = field(
        default=False, metadata={"help": "Read the data as training goes instead of all at the start."}
    )
    steps_per_epoch: int = field(default=0, metadata={"help": "With streaming: batches that make an epoch."})
    shuffle_buffer: int = field(default=4096, metadata={"help": "With streaming: rows to draw the next one from."})
    validation_size: int = field(default=1024, metadata={"help": "At most so many crystals to validate on."})

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
        default=None, metadata={"help": "Keep these layers of the text encoder only; default all."}
    )
    text_pooling: str = field(default="cls", metadata={"help": "cls or mean."})
    text_dropout: float = field(
        default=0.1, metadata={"help": "Dropout of the text tower; texts drawn anew every epoch already regularise."}
    )
    split_formulas: bool = field(default=True, metadata={"help": "Let the tokenizer split formulas into elements."})
    token_values: bool | None = field(
        default=None, metadata={"help": "Let the text tower read numbers and formulas. Default no."}
    )
    shared_composition: bool | None = field(
        default=None, metadata={"help": "Embed compositions of crystals and of formulas by one map. Default no."}
    )
    shared_stoichiometry: bool | None = field(
        default=None, metadata={"help": "Likewise by one that tells amounts of elements apart. Default no."}
    )
    shared_density: bool | None = field(
        default=None, metadata={"help": "Embed densities of crystals and in texts by one map. Default no."}
    )
    projection_dim: int = field(default=256, metadata={"help": "Size of the shared space."})

    text_column: str | None = field(
        default=None, metadata={"help": "Take narratives from this column of the data; default: write them."}
    )
    narrative_keep_min: float = field(default=0.3, metadata={"help": "Least share of the facts a narrative tells."})
    narrative_keep_max: float = field(default=0.6, metadata={"help": "Largest share of the facts a narrative tells."})
    masked_probability: float = field(default=0.1, metadata={"help": "Narratives without formula and elements."})
    short_probability: float = field(default=0.12, metadata={"help": "Texts of a formula, a crystal system, or a use."})
    query_probability: float = field(default=0.0, metadata={"help": "Search phrases: a few traits, a class, a use."})
    phrases_per_crystal: int = field(
        default=1, metadata={"help": "Short texts of each crystal in a batch, for a term that has them."}
    )
    twin_share: float = field(
        default=0.0, metadata={"help": "Share of a batch that is expanded versions of its other crystals."}
    )
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
        for name in (
            "num_epochs",
            "batch_size",
            "max_text_tokens",
            "projection_dim",
            "shuffle_buffer",
            "validation_size",
            "phrases_per_crystal",
        ):
            if getattr(self, name) < 1:
                raise ClacInputError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("learning_rate", "text_learning_rate", "max_grad_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ClacInputError(f"{name}={getattr(self, name)} must be positive")
        for name in ("chunk_size", "save_steps", "max_steps", "limit", "steps_per_epoch", "weight_decay"):
            if getattr(self, name) < 0:
                raise ClacInputError(f"{name}={getattr(self, name)} must not be negative")
        shares = ("masked_probability", "short_probability", "query_probability", "text_dropout", "warmup_ratio")
        for name in (*shares, "twin_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ClacInputError(f"{name}={getattr(self, name)} must be a share, 0 to 1")
        if self.short_probability + self.query_probability + self.masked_probability > 1:
            raise ClacInputError("short_probability, query_probability and masked_probability add up to more than 1")
        if self.objective_settings().phrases and not self.short_probability + self.query_probability:
            raise ClacInputError("a term with phrases needs short_probability or query_probability, their shares")
        shared = [name for name in SHARED_FACTS if getattr(self, name)]
        if shared and self.token_values is False:
            raise ClacInputError(f"{' and '.join(shared)} need token_values")
        if self.text_column is not None and self.twin_share:
            raise ClacInputError("twin_share needs texts that are written here, so leave text_column out")
        if self.streaming and not self.steps_per_epoch:
            raise ClacInputError("streaming needs steps_per_epoch, since the number of rows is not known")
        check_on_error(self.on_error, ("raise", "skip"))
        if not 0 <= self.narrative_keep_min <= self.narrative_keep_max <= 1:
            raise ClacInputError("narrative_keep_min and narrative_keep_max must be shares, 0 <= min <= max <= 1")
        if self.report_to not in ("none", "trackio"):
            raise ClacInputError(f"report_to={self.report_to!r}: choose none or trackio")
        if self.mixed_precision not in ("auto", "bf16", "no"):
            raise ClacInputError(f"mixed_precision={self.mixed_precision!r}: choose auto, bf16 or no")
        self.objective_settings()
        self.copies()
        self.graph_config()

    def objective_settings(self) -> ObjectiveSettings:
        return ObjectiveSettings(self.loss, tuple(self.terms), self.prior_weight, self.mlm_weight)

    def copies(self) -> Copies:
        settings = self.objective_settings()
        names = {entry.name for entry in fields(Copies)} - {"crystals", "texts"}
        strengths = {name: getattr(self, name) for name in names}
        return Copies(settings.copies_crystals, settings.copies_texts, **strengths)

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

    def text_style(self) -> TextStyle:
        """The style of the texts; narratives only where phrases have a term of their own."""
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
        """The style of the phrases beside the texts, for a term that has them."""
        if not self.objective_settings().phrases:
            return None
        short = self.short_probability / (self.short_probability + self.query_probability)
        return TextStyle(1.0, 1.0, masked=0.0, short=short, query=1.0 - short)


def recipe_of(arguments: PretrainArguments) -> dict[str, Any]:
    """The arguments that decide what is computed, without places on this machine and switches of this run."""
    return {name: value for name, value in asdict(arguments).items() if name not in PLACES}
