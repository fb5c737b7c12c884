"""The files of a checkpoint, in a directory or on the Hub, and the towers whose weights it contains."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from .errors_clac import ClacInputError, first_line

MODEL_TYPE = "clac"
TOWERS = ("text", "graph")

# As `huggingface_hub.utils.validate_repo_id` has it.
_HUB_ID = re.compile(r"(?!.*(?:--|\.\.|\.git$))\b[\w.-]+\b/\b[\w.-]{1,96}\b", re.ASCII)
_WEIGHTS, _SHARDS = "model.safetensors", "model.safetensors.index.json"


def is_hub_id(name: str | os.PathLike[str]) -> bool:
    """
    Return whether a name has the form of a Hub id, `owner/name`.

    Relative paths can have that form as well; wherever both are accepted, an existing path is read as a path.
    """
    return _HUB_ID.fullmatch(str(name)) is not None


def checkpoint_file(
    source: str | os.PathLike[str], name: str, *, subfolder: str = "", variant: str | None = None, **hub: Any
) -> Path | None:
    """
    Find one file of a checkpoint. A file on the Hub is downloaded unless it is in the cache.

    Args:
        source: Directory or Hub id of the checkpoint.
        name: Name of the file.
        subfolder: Folder of the file within the checkpoint.
        variant: Variant of the weights, such as `"fp16"` for `model.fp16.safetensors`; other files have none.
        hub: `revision`, `token`, `cache_dir` and `local_files_only`, for a Hub id.

    Returns:
        Path of the file, or `None` if the checkpoint has no such file.

    Raises:
        ClacInputError: If the directory does not exist, or the Hub cannot be reached or denies access.
    """
    if variant and name in (_WEIGHTS, _SHARDS):
        start, _, ending = name.rpartition(".")
        name = f"{start}.{variant}.{ending}"
    if Path(source).is_dir():
        file = Path(source, subfolder, name)
        return file if file.is_file() else None
    if Path(source).exists():
        raise ClacInputError(f"{source}: is a file; give the directory of a checkpoint")
    if not is_hub_id(source):
        raise ClacInputError(f"{source}: no such checkpoint directory (a Hub id is written owner/name)")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(str(source), name, subfolder=subfolder or None, **hub))
    except EntryNotFoundError as error:
        # Offline, a file that is not in the cache does not exist, provided that the checkpoint itself is cached.
        if isinstance(error, LocalEntryNotFoundError) and not _is_cached(str(source), **hub):
            raise _not_downloaded(source, error) from None
        return None
    except (OSError, ValueError) as error:
        raise _not_downloaded(source, error) from None


def _is_cached(source: str, cache_dir: Any = None, revision: str | None = None, **_: Any) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(source, "config.json", cache_dir, revision), str)


def _not_downloaded(source: object, error: Exception) -> ClacInputError:
    return ClacInputError(
        # The advice of the Hub, such as to log in or to request access, comes after the first line.
        f"{source}: no such directory, and it could not be downloaded from the Hub ({' '.join(str(error).split())})"
    )


def checkpoint_config(source: str | os.PathLike[str], **hub: Any) -> dict[str, Any]:
    """
    Read the `config.json` of a checkpoint.

    Args:
        source: Directory or Hub id of the checkpoint.
        hub: `revision`, `token`, `cache_dir` and `local_files_only`, for a Hub id.

    Raises:
        ClacInputError: If the file is missing or damaged.
    """
    file = checkpoint_file(source, "config.json", **hub)
    if file is None:
        raise ClacInputError(f"{source}: no CLaC checkpoint in it (config.json missing)")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ClacInputError(f"{source}: its config.json is damaged; save or download the checkpoint again")
    return config


def require_clac(source: object, config: dict[str, Any]) -> None:
    """
    Check that a configuration is that of a CLaC checkpoint.

    Args:
        source: What the message calls the checkpoint.
        config: Its `config.json`.

    Raises:
        ClacInputError: If the checkpoint is of another model type.
    """
    if config.get("model_type") != MODEL_TYPE:
        raise ClacInputError(
            f"{source}: not a CLaC checkpoint but one of model type {config.get('model_type')}; choose another one"
        )


def weight_files(source: str | os.PathLike[str], **hub: Any) -> list[Path]:
    """
    Find the safetensors files of a checkpoint: a single file, or the shards in the order of their index.

    Args:
        source: Directory or Hub id of the checkpoint.
        hub: `revision`, `token`, `cache_dir` and `local_files_only`, for a Hub id.

    Returns:
        Paths of the files.

    Raises:
        ClacInputError: If there are no weights, or a shard is missing.
    """
    whole = checkpoint_file(source, _WEIGHTS, **hub)
    if whole is not None:
        return [whole]
    found = {name: checkpoint_file(source, name, **hub) for name in dict.fromkeys(_weight_map(source, **hub).values())}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        raise ClacInputError(
            f"{source}: {missing[0]} is missing but listed in {_SHARDS}; save or download the checkpoint again"
        )
    return [file for file in found.values() if file is not None]


def tensor_names(source: str | os.PathLike[str], **hub: Any) -> set[str]:
    """
    Return the names of the tensors of a checkpoint. Only headers are read, and shards are not downloaded.

    Args:
        source: Directory or Hub id of the checkpoint.
        hub: `revision`, `token`, `cache_dir` and `local_files_only`, for a Hub id.

    Returns:
        Names of the tensors.

    Raises:
        ClacInputError: If there are no weights, or they are damaged.
    """
    whole = checkpoint_file(source, _WEIGHTS, **hub)
    if whole is None:
        return set(_weight_map(source, **hub))
    try:
        with safe_open(whole, framework="numpy") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise ClacInputError(f"{whole}: damaged ({first_line(error)}); save or download it again") from None


def _weight_map(source: str | os.PathLike[str], **hub: Any) -> dict[str, str]:
    """Names of the tensors of a sharded checkpoint -> names of their files."""
    index = checkpoint_file(source, _SHARDS, **hub)
    if index is None:
        raise ClacInputError(f"{source}: no weights found ({_WEIGHTS} missing); save or download the checkpoint again")
    try:
        return dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClacInputError(f"{index}: damaged ({first_line(error)}); save or download it again") from None


def towers_of(tensors: set[str]) -> tuple[str, ...]:
    """Return the towers, `"text"` and `"graph"`, to which the named tensors belong."""
    return tuple(tower for tower in TOWERS if any(name.startswith(f"{tower}_model.") for name in tensors))


def require_tower(source: str | os.PathLike[str], tower: str, **hub: Any) -> None:
    """
    Check that a checkpoint contains the weights of a tower. Only the headers of its files are read.

    Args:
        source: Directory or Hub id of the checkpoint.
        tower: `"text"` or `"graph"`.
        hub: `revision`, `token`, `cache_dir` and `local_files_only`, for a Hub id.

    Raises:
        ClacInputError: If the checkpoint has no such tower or does not exist.
    """
    if tower not in towers_of(tensor_names(source, **hub)):
        raise lacks_tower(source, tower)


def lacks_tower(source: object, tower: str) -> ClacInputError:
    """
    Return the error for a checkpoint without a tower.

    Args:
        source: Directory or Hub id of the checkpoint.
        tower: `"text"` or `"graph"`, the missing tower.

    Returns:
        The error, to be raised by the caller.
    """
    other = TOWERS[1 - TOWERS.index(tower)]
    return ClacInputError(
        f"{source}: the checkpoint has no {tower} tower; use a whole CLaC checkpoint or one fine-tuned on its {tower} "
        f"tower (fine-tuning on the {other} tower saves that tower only)"
    )


__all__ = [
    "MODEL_TYPE",
    "TOWERS",
    "checkpoint_config",
    "checkpoint_file",
    "is_hub_id",
    "lacks_tower",
    "require_clac",
    "require_tower",
    "tensor_names",
    "towers_of",
    "weight_files",
]
