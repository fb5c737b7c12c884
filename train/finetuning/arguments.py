"""Arguments that the fine-tuning scripts share: what a recipe may set, and what it may not."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.paths import DEFAULT_MODEL

# Arguments that may differ between a run and its continuation, because no seed's result depends on them.
PLACES = {"output_dir", "model_path", "name", "seeds", "resume", "push_to_hub", "licence"}


@dataclass
class FinetuneArguments:
    """Arguments of every fine-tuning; a recipe sets them by name."""

    output_dir: str = field(metadata={"help": "Where `seed-0`, `seed-1`, ... and `results.json` go."})
    dataset: str = field(metadata={"help": "Directory or Hub id with the splits train, validation and test."})
    # No paths as defaults: results record the arguments, and would name the place of this installation.
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint to start from: a directory or a Hub id; default the bundled one."}
    )
    model_path: str | None = field(
        default=None, metadata={"help": "Read model from this directory instead; results keep the name `model`."}
    )
    name: str | None = field(default=None, metadata={"help": "The encoder's name in reports; default that of model."})
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2], metadata={"help": "One run for each seed."})
    num_epochs: int = field(default=10, metadata={"help": "Passes over the training split, at most."})
    early_stopping_patience: int = field(
        default=3, metadata={"help": "Stop after so many epochs without a better validation score; 0: never."}
    )
    batch_size: int = field(default=16, metadata={"help": "Rows a step."})
    learning_rate: float = field(default=5e-5, metadata={"help": "Peak rate of the tower's last layer."})
    head_learning_rate: float = field(default=1e-3, metadata={"help": "Peak rate of the head, which starts fresh."})
    layer_decay: float = field(
        default=1.0, metadata={"help": "Rate of a layer over that of the layer above it; 1: the same for all."}
    )
    freeze_layers: int = field(
        default=0, metadata={"help": "Keep the embeddings and the first so many layers as they are; -1: the tower."}
    )
    warmup_ratio: float = field(default=0.1, metadata={"help": "Share of the steps with a rising rate; it falls then."})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay of weight matrices."})
    dropout: float = field(default=0.1, metadata={"help": "Dropout of the head, and of a text tower."})
    mixed_precision: str = field(
        default="auto", metadata={"help": "bf16, no, or auto: bf16 where the hardware computes in it."}
    )
    limit: int = field(default=0, metadata={"help": "Use only the first so many usable rows of each split; 0: all."})
    resume: bool = field(default=False, metadata={"help": "Continue what a stopped run left in output_dir."})
    push_to_hub: str | None = field(
        default=None, metadata={"help": "owner/name: send the seed that is best on validation there, privately."}
    )
    licence: str = field(default="apache-2.0", metadata={"help": "Licence of the weights, for their card."})

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
            raise ClacInputError(f"freeze_layers={self.freeze_layers}: give -1 (the whole tower), 0 or more layers")
        if self.mixed_precision not in ("auto", "bf16", "no"):
            raise ClacInputError(f"mixed_precision={self.mixed_precision!r}: choose auto, bf16 or no")
        wrong = [seed for seed in self.seeds if not isinstance(seed, int) or not 0 <= seed < 2**32]
        if not self.seeds or wrong or len(set(self.seeds)) < len(self.seeds):
            raise ClacInputError(f"seeds={self.seeds}: give different whole numbers from 0 on")
        if self.push_to_hub is not None and self.push_to_hub.count("/") != 1:
            raise ClacInputError(f"push_to_hub={self.push_to_hub!r}: names of the Hub are written owner/name")

    @property
    def source(self) -> str:
        """Where the weights to start from are."""
        return self.model_path or self.model or str(DEFAULT_MODEL)

    @property
    def model_name(self) -> str:
        return self.model or DEFAULT_MODEL.name

    @property
    def encoder(self) -> str:
        """The encoder's name in reports."""
        return self.name or Path(self.model_name).name

    @property
    def dataset_name(self) -> str:
        """A Hub id as it is, of a directory its last part."""
        return Path(self.dataset).resolve().name if Path(self.dataset).exists() else self.dataset


@dataclass
class TextArguments(FinetuneArguments):
    """Arguments of a fine-tuned text tower."""

    text_layers: list[int] | None = field(
        default=None, metadata={"help": "Keep these layers of a plain encoder only; default all."}
    )
    text_pooling: str | None = field(
        default=None, metadata={"help": "cls or mean; default that of the checkpoint, mean for a plain encoder."}
    )
    split_formulas: bool = field(
        default=False,
        metadata={"help": "Let the tokenizer of a plain encoder split formulas into elements, as a checkpoint's does."},
    )
    max_length: int | None = field(
        default=None, metadata={"help": "Tokens the tower reads at once; default as many as it can."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text_pooling not in (None, "cls", "mean"):
            raise ClacInputError(f"text_pooling={self.text_pooling!r}: choose cls or mean")
        if self.max_length is not None and self.max_length < 3:
            raise ClacInputError(f"max_length={self.max_length} leaves no room between the special tokens")


def recipe_of(arguments: FinetuneArguments) -> dict[str, Any]:
    """The arguments that decide what is computed for a seed, without places on this machine."""
    kept = {name: value for name, value in asdict(arguments).items() if name not in PLACES}
    return {**kept, "model": arguments.model_name, "dataset": arguments.dataset_name}


__all__ = ["FinetuneArguments", "TextArguments", "recipe_of"]
