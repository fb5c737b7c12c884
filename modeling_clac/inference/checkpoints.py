"""What a checkpoint is: found once, in a directory or on the Hub, and read once; without torch or transformers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from ..checkpoint_files_clac import TOWERS, checkpoint_file, lacks_tower, tensor_names, towers_of, weight_files
from ..errors_clac import ClacInputError, first_line
from ..utils import paths

Kind = Literal["whole", "text head", "graph head"]

# Arguments of `from_pretrained` that say which files of a Hub id are meant.
HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only")
_MODEL_TYPE = "clac"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """
    A model in a directory or on the Hub. Its files are read when they are first needed, and only once.

    Attributes:
        source: directory or Hub id, as `from_pretrained` takes it.
        hub: `revision`, `token`, `cache_dir` and `local_files_only` of a Hub id, where given.
    """

    source: str
    hub: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.source

    @property
    def name(self) -> str:
        """What results call it: the Hub id, or the last part of the directory."""
        return Path(self.source).resolve().name if Path(self.source).is_dir() else self.source

    def file(self, name: str) -> Path | None:
        """
        One of its files, downloaded where necessary; `None` if it has none of that name.

        Raises:
            ClacInputError: the Hub cannot be reached or refuses.
        """
        return checkpoint_file(self.source, name, **self.hub)

    @cached_property
    def config(self) -> dict[str, Any]:
        """
        `config.json`.

        Raises:
            ClacInputError: it is missing or damaged.
        """
        file = self.file("config.json")
        if file is None:
            raise ClacInputError(f"{self.source}: no CLaC checkpoint in it (config.json missing)")
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            config = None
        if not isinstance(config, dict):
            raise ClacInputError(f"{self.source}: its config.json is damaged; save or download the checkpoint again")
        return config

    @property
    def is_clac(self) -> bool:
        """Whether it is a checkpoint of CLaC, not of another model such as a plain text encoder."""
        return self.config.get("model_type") == _MODEL_TYPE

    @property
    def architecture(self) -> str:
        """Name of the class that saved it, such as `ClacModel`; empty if `config.json` does not say."""
        return next(iter(self.config.get("architectures") or ()), "")

    @property
    def kind(self) -> Kind:
        """Whether it is a whole model, or a head that was fine-tuned on the text or the graph tower."""
        if not self.architecture.startswith("ClacFor"):
            return "whole"
        return "graph head" if self.architecture.startswith("ClacForGraph") else "text head"

    @cached_property
    def towers(self) -> tuple[str, ...]:
        """
        The towers, `text` and `graph`, whose weights it holds.

        Raises:
            ClacInputError: it has no weights, or they are damaged.
        """
        return towers_of(tensor_names(self.source, **self.hub))

    @cached_property
    def weights(self) -> list[Path]:
        """
        Its safetensors files: one, or the shards in the order of their index.

        Raises:
            ClacInputError: there are none, or a shard is missing.
        """
        return weight_files(self.source, **self.hub)

    @cached_property
    def fingerprint(self) -> str:
        """
        First 16 hexadecimal digits of the sha256 of its weights, which tell what made a vector.

        Raises:
            ClacInputError: as `weights`.
        """
        digest = hashlib.sha256()
        for path in self.weights:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()[:16]

    @cached_property
    def training(self) -> dict[str, Any] | None:
        """
        `training.json`: recipe, seed, commit, versions and scores; `None` if training did not write this checkpoint.

        Raises:
            ClacInputError: it is damaged.
        """
        file = self.file("training.json")
        if file is None:
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ClacInputError(f"{file}: not readable as JSON ({first_line(error)})") from None

    def training_record(self) -> dict[str, Any]:
        """
        `training`, where there must be one.

        Raises:
            ClacInputError: training did not write this checkpoint.
        """
        if self.training is None:
            raise ClacInputError(f"{self.source}: no training.json in it; give a checkpoint that train.pretrain wrote")
        return self.training

    @contextmanager
    def loading(self) -> Iterator[None]:
        """
        Explains what libraries raise inside the block, where they load parts of this checkpoint.

        Raises:
            ClacInputError: a file is missing or damaged, or the parts do not fit together.
        """
        try:
            yield
        except ClacInputError:
            raise
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ClacInputError(
                f"{self.source}: cannot be loaded ({first_line(error)}); save or download the checkpoint again"
            ) from None

    def require_towers(self, *towers: str) -> None:
        """
        Checks that the checkpoint has the weights of these towers, without which they would be random.

        Raises:
            ClacInputError: it has not.
        """
        for tower in towers:
            if tower not in self.towers:
                raise lacks_tower(self.source, tower)

    def require_whole(self) -> None:
        """
        Checks that the checkpoint embeds both crystals and texts.

        Raises:
            ClacInputError: it was fine-tuned, or lacks a tower.
        """
        if self.kind != "whole":
            raise ClacInputError(
                f"{self.source}: fine-tuned, so it has one tower only; use it with `clac ner` or `clac predict`"
            )
        self.require_towers(*TOWERS)


def resolve_checkpoint(
    name: str | os.PathLike[str] | Checkpoint | None = None,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool | None = None,
    any_model: bool = False,
) -> Checkpoint:
    """
    Finds a checkpoint by its directory or Hub id.

    Args:
        name: directory or Hub id (`owner/name`); default the bundled `clac-mini`. A `Checkpoint` is returned as it is.
        revision: branch, tag or commit of a Hub id.
        token: of the Hub.
        cache_dir: where downloaded files are kept.
        local_files_only: use the files in the cache only.
        any_model: accept models of other types, see `Checkpoint.is_clac`.

    Raises:
        ClacInputError: there is no such directory, the Hub has no such checkpoint or cannot be reached, or it is not a
            CLaC checkpoint.
    """
    if isinstance(name, Checkpoint):
        return name
    if name is None and not paths.DEFAULT_MODEL.is_dir():
        raise ClacInputError("this installation has no bundled checkpoint; name one, on the command line with --model")
    values = (revision, token, cache_dir, local_files_only)
    given = {option: value for option, value in zip(HUB_OPTIONS, values, strict=True) if value is not None}
    checkpoint = Checkpoint(str(paths.DEFAULT_MODEL if name is None else name), given)
    if not checkpoint.is_clac and not any_model:
        found = checkpoint.config.get("model_type")
        raise ClacInputError(f"{checkpoint}: not a CLaC checkpoint but one of model type {found}; choose another one")
    return checkpoint


__all__ = ["HUB_OPTIONS", "Checkpoint", "Kind", "resolve_checkpoint"]
