"""Arguments common to all fine-tuning scripts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modeling_clac.checkpoint_files_clac import is_hub_id
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.paths import DEFAULT_MODEL

# Arguments that may change when a run is resumed: the result of a seed does not depend on them.
PLACES = {"output_dir", "model_path", "name", "seeds", "resume", "push_to_hub", "licence", "text_model_path"}


@dataclass
class FinetuneArguments:
    """Arguments of every fine-tuning script; a recipe sets them by name."""

    output_dir: str = field(metadata={"help": "Directory for `seed-0`, `seed-1`, ... and `results.json`."})
    dataset: str = field(
        metadata={"help": "Data set with the splits train, validation and test: a directory or a Hub id."}
    )
    # No paths as defaults: the results record the arguments and would contain paths of this installation.
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint to start from: a directory or a Hub id. Default: the bundled one."}
    )
    model_path: str | None = field(
        default=None, metadata={"help": "Load the model from this directory instead; the results still name `model`."}
    )
    name: str | None = field(default=None, metadata={"help": "Name of the encoder in reports. Default: that of model."})
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2], metadata={"help": "Seeds; one run each."})
    num_epochs: int = field(default=10, metadata={"help": "Maximum number of passes over the training split."})
    early_stopping_patience: int = field(
        default=3, metadata={"help": "Stop after this many epochs without a better validation score; 0: never."}
    )
    batch_size: int = field(default=16, metadata={"help": "Rows per step."})
    learning_rate: float = field(default=5e-5, metadata={"help": "Peak learning rate of the last layer of the tower."})
    head_learning_rate: float = field(
        default=1e-3, metadata={"help": "Peak learning rate of the newly initialised head."}
    )
    layer_decay: float = field(
        default=1.0, metadata={"help": "Ratio of the learning rates of a layer and the one above; 1: equal rates."}
    )
    freeze_layers: int = field(
        default=0, metadata={"help": "Freeze the embeddings and this many first layers; -1: the whole tower."}
    )
    warmup_ratio: float = field(
        default=0.1, metadata={"help": "Share of the steps with a rising learning rate; it falls afterwards."}
    )
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay of weight matrices."})
    dropout: float = field(default=0.1, metadata={"help": "Dropout of the head and of a text tower."})
    mixed_precision: str = field(
        default="auto", metadata={"help": "bf16, no, or auto (bf16 if the hardware supports it)."}
    )
    limit: int = field(default=0, metadata={"help": "Use only this many first usable rows of each split; 0: all."})
    resume: bool = field(default=False, metadata={"help": "Continue the stopped run in output_dir."})
    push_to_hub: str | None = field(
        default=None,
        metadata={"help": "Upload the seed with the best validation score to this private repository, owner/name."},
    )
    licence: str = field(default="apache-2.0", metadata={"help": "License of the weights, for the model card."})

    def __post_init__(self) -> None:
        for name in ("num_epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ClacInputError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("learning_rate", "head_learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ClacInputError(f"{name}={getattr(self, name)} must be positive")
        for name in ("limit", "early_stopping_patience", "weight_decay"):
            if getattr(self, name) < 0:
                raise ClacInputError(f"{name}={getattr(self, name)} must not be negative")
        if not 0 < self.layer_decay <= 1:
            raise ClacInputError(f"layer_decay={self.layer_decay} must lie in (0, 1]")
        if not 0 <= self.warmup_ratio < 1 or not 0 <= self.dropout < 1:
            raise ClacInputError(f"warmup_ratio={self.warmup_ratio}, dropout={self.dropout}: must lie in [0, 1)")
        if self.freeze_layers < -1:
            raise ClacInputError(
                f"freeze_layers={self.freeze_layers}: expected -1 (the whole tower) or a number of layers"
            )
        if self.mixed_precision not in ("auto", "bf16", "no"):
            raise ClacInputError(f"mixed_precision={self.mixed_precision!r}: choose auto, bf16 or no")
        wrong = [seed for seed in self.seeds if not isinstance(seed, int) or not 0 <= seed < 2**32]
        if not self.seeds or wrong or len(set(self.seeds)) < len(self.seeds):
            raise ClacInputError(f"seeds={self.seeds}: expected different integers from 0 to 2^32 - 1")
        if self.push_to_hub is not None and not is_hub_id(self.push_to_hub):
            raise ClacInputError(f"push_to_hub={self.push_to_hub!r}: expected a repository id, owner/name")

    @property
    def source(self) -> str:
        """Directory or Hub id of the weights to start from."""
        return self.model_path or self.model or str(DEFAULT_MODEL)

    @property
    def model_name(self) -> str:
        """Name of the checkpoint to start from."""
        return self.model or DEFAULT_MODEL.name

    @property
    def encoder(self) -> str:
        """Name of the encoder in reports."""
        return self.name or Path(self.model_name).name

    @property
    def dataset_name(self) -> str:
        """Name of the data set in results: its Hub id, or the name of its directory."""
        return Path(self.dataset).resolve().name if Path(self.dataset).exists() else self.dataset


@dataclass
class TextArguments(FinetuneArguments):
    """Arguments for fine-tuning a text tower."""

    text_layers: list[int] | None = field(
        default=None, metadata={"help": "Keep only these layers of a plain encoder. Default: all."}
    )
    text_pooling: str | None = field(
        default=None, metadata={"help": "cls or mean. Default: that of the checkpoint; mean for a plain encoder."}
    )
    split_formulas: bool = field(
        default=False,
        metadata={
            "help": "Let the tokenizer of a plain encoder split formulas into elements, as that of a checkpoint does."
        },
    )
    text_average: float = field(
        default=0.0,
        metadata={"help": "Start with this share of the weights of the encoder that the tower was made from."},
    )
    text_model_path: str | None = field(
        default=None, metadata={"help": "Load that encoder from this directory instead of the Hub."}
    )
    max_length: int | None = field(
        default=None, metadata={"help": "Tokens per input of the tower. Default: its maximum."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text_pooling not in (None, "cls", "mean"):
            raise ClacInputError(f"text_pooling={self.text_pooling!r}: choose cls or mean")
        if not 0 <= self.text_average <= 1:
            raise ClacInputError(f"text_average={self.text_average} must lie in [0, 1]")
        if self.text_model_path is not None and not self.text_average:
            raise ClacInputError(f"text_model_path={self.text_model_path} has a use with text_average only")
        if self.max_length is not None and self.max_length < 3:
            raise ClacInputError(
                f"max_length={self.max_length} leaves no room between the special tokens; choose at least 3"
            )


def recipe_of(arguments: FinetuneArguments) -> dict[str, Any]:
    """Return the arguments that determine the result of a seed, without paths of this machine."""
    kept = {name: value for name, value in asdict(arguments).items() if name not in PLACES}
    return {**kept, "model": arguments.model_name, "dataset": arguments.dataset_name}


__all__ = ["FinetuneArguments", "TextArguments", "recipe_of"]
