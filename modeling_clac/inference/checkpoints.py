"""Find and read checkpoints in a directory or on the Hub, without torch or transformers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from safetensors import SafetensorError

from ..checkpoint_files_clac import (
    MODEL_TYPE,
    TOWERS,
    checkpoint_config,
    checkpoint_file,
    lacks_tower,
    require_clac,
    tensor_names,
    towers_of,
    weight_files,
)
from ..errors_clac import ClacInputError, first_line
from ..utils import paths
from ..utils.atomic_files import file_state, read_whole

T = TypeVar("T")

Kind = Literal["whole", "text head", "graph head"]

# Arguments of `from_pretrained` for downloads from the Hub.
HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "variant")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """
    A model in a directory or on the Hub. Each file is read once, when it is first needed.

    Attributes:
        source: Directory or Hub id, as for `from_pretrained`.
        hub: Options of a Hub id: `revision`, `token`, `cache_dir` and `local_files_only`, and the `variant` of the
            weights, if given.
    """

    source: str
    hub: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.source

    @property
    def name(self) -> str:
        """Name in results and messages: the Hub id, or the name of the directory."""
        return Path(self.source).resolve().name if Path(self.source).is_dir() else self.source

    def file(self, name: str) -> Path | None:
        """
        Return the path of a file, which is downloaded if necessary, or `None` if the checkpoint has no such file.

        Args:
            name: Name of the file.

        Raises:
            ClacInputError: If the Hub cannot be reached or denies access.
        """
        return checkpoint_file(self.source, name, **self.hub)

    @cached_property
    def config(self) -> dict[str, Any]:
        """
        The content of `config.json`.

        Raises:
            ClacInputError: If the file is missing or damaged.
        """
        return checkpoint_config(self.source, **self.hub)

    @property
    def is_clac(self) -> bool:
        """Whether it is a checkpoint of CLaC, not of another model such as a plain text encoder."""
        return self.config.get("model_type") == MODEL_TYPE

    @property
    def architecture(self) -> str:
        """Class of the model, such as `ClacModel`; empty if `config.json` does not name it."""
        return next(iter(self.config.get("architectures") or ()), "")

    @property
    def kind(self) -> Kind:
        """`"whole"` for a model with both towers, `"text head"` or `"graph head"` for a fine-tuned tower."""
        if not self.architecture.startswith("ClacFor"):
            return "whole"
        return "graph head" if self.architecture.startswith("ClacForGraph") else "text head"

    @cached_property
    def towers(self) -> tuple[str, ...]:
        """
        The towers, `text` and `graph`, that the checkpoint has weights for.

        Raises:
            ClacInputError: If the weights are missing or damaged.
        """
        return towers_of(tensor_names(self.source, **self.hub))

    @cached_property
    def weights(self) -> list[Path]:
        """
        The safetensors files: a single file, or the shards in the order of their index.

        Raises:
            ClacInputError: If the weights or a shard are missing.
        """
        return weight_files(self.source, **self.hub)

    @cached_property
    def fingerprint(self) -> str:
        """
        The first 16 hexadecimal digits of the SHA-256 of the weights. Identifies the source of embeddings.

        Raises:
            ClacInputError: If the weights or a shard are missing.
        """

        def read() -> str:
            digest = hashlib.sha256()
            for path in self.weights:
                with path.open("rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
            return digest.hexdigest()[:16]

        return self._read(read)

    @cached_property
    def training(self) -> dict[str, Any] | None:
        """
        The content of `training.json`: recipe, seed, commit, versions and scores. `None` if the file is missing.

        Raises:
            ClacInputError: If the file is damaged.
        """
        file = self.file("training.json")
        if file is None:
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ClacInputError(
                f"{file}: not valid JSON ({first_line(error)}); save or download the checkpoint again"
            ) from None

    def training_record(self) -> dict[str, Any]:
        """
        Return `training`, which must exist.

        Raises:
            ClacInputError: If the checkpoint has no `training.json`.
        """
        if self.training is None:
            raise ClacInputError(f"{self.source}: training.json missing; give a checkpoint written by train.pretrain")
        return self.training

    @property
    def hub_of_files(self) -> dict[str, Any]:
        """Options of a Hub id for files that are not weights."""
        return {name: value for name, value in self.hub.items() if name != "variant"}

    def load(self, read: Callable[[], T]) -> T:
        """
        Load the checkpoint with a library, whose errors are converted.

        Args:
            read: Loads from `source`. It is called again if a training run replaces the directory meanwhile, so that no
                result is made of the files of two checkpoints.

        Returns:
            The result of `read`.

        Raises:
            ClacInputError: If a file is missing or damaged, if the files do not match each other, or if the weights
                have changed since `load` or `fingerprint` read them first.
        """
        try:
            return self._read(read)
        except ClacInputError:
            raise
        except (
            OSError,
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RuntimeError,
            TypeError,
            ValueError,
            SafetensorError,
        ) as error:
            raise ClacInputError(
                f"{self.source}: cannot load the checkpoint ({first_line(error)}); save or download it again"
            ) from None

    def _read(self, read: Callable[[], T]) -> T:
        result, states = read_whole(Path(self.source), lambda: (read(), [file_state(file) for file in self.weights]))
        # What was loaded and its fingerprint belong to the same weights.
        if self.__dict__.setdefault("_states", states) != states:
            raise ClacInputError(f"{self.source}: has changed since it was opened; open it again")
        return result

    def require_towers(self, *towers: str) -> None:
        """
        Check that the checkpoint has the weights of the given towers. Missing towers would have random weights.

        Args:
            towers: Names of towers, `text` or `graph`.

        Raises:
            ClacInputError: If the weights of a tower are missing.
        """
        for tower in towers:
            if tower not in self.towers:
                raise lacks_tower(self.source, tower)

    def require_whole(self) -> None:
        """
        Check that the checkpoint can embed both crystals and texts.

        Raises:
            ClacInputError: If the checkpoint was fine-tuned or lacks a tower.
        """
        if self.kind != "whole":
            raise ClacInputError(
                f"{self.source}: fine-tuned checkpoint with a single tower; use it with `clac ner` or `clac predict`"
            )
        self.require_towers(*TOWERS)


def resolve_checkpoint(
    name: str | os.PathLike[str] | Checkpoint | None = None,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool | None = None,
    variant: str | None = None,
    any_model: bool = False,
) -> Checkpoint:
    """
    Find a checkpoint by its directory, its Hub id or the name of the bundled one.

    Args:
        name: Directory or Hub id (`owner/name`). A `Checkpoint` is returned unchanged. Default: the bundled
            `clac-mini`.
        revision: Branch, tag or commit of a Hub id.
        token: Access token of the Hub.
        cache_dir: Directory of downloaded files. Default: the cache of huggingface_hub.
        local_files_only: Whether to use only files in the cache, without downloads.
        variant: Variant of the weights, such as `"fp16"` for `model.fp16.safetensors`.
        any_model: Whether to accept other models than CLaC, see `Checkpoint.is_clac`.

    Raises:
        ClacInputError: If there is no such directory, if the Hub has no such checkpoint or cannot be reached, or if it
            is not a CLaC checkpoint.
    """
    if isinstance(name, Checkpoint):
        return name
    if name is None and not paths.DEFAULT_MODEL.is_dir():
        raise ClacInputError(
            "this installation has no bundled checkpoint; give a directory or Hub id (--model on the command line)"
        )
    values = (revision, token, cache_dir, local_files_only, variant)
    given = {option: value for option, value in zip(HUB_OPTIONS, values, strict=True) if value is not None}
    checkpoint = Checkpoint(str(paths.DEFAULT_MODEL if name is None else paths.source_of(name)), given)
    config = checkpoint.config
    if not any_model:
        require_clac(checkpoint, config)
    return checkpoint


__all__ = ["HUB_OPTIONS", "Checkpoint", "Kind", "resolve_checkpoint"]
