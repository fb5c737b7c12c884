"""
What the commands of `clac` share: the checkpoint and the index that are meant, notes, JSON, and errors in one line.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors_clac import ClacInputError

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint
    from ..inference.embedder import ClacEmbedder
    from ..inference.onnx_text_tower import OnnxTextTower
    from ..search.index import CrystalIndex


def open_index(
    index: Path | None, checkpoint: Checkpoint, text_only: bool
) -> tuple[CrystalIndex, ClacEmbedder | OnnxTextTower]:
    """The index to search, and the embedder that made it; for a search by text only, one that starts at once."""
    from ..data.bundled import bundled_crystals
    from ..search.index import BUNDLED_INDEX, CrystalIndex, bundled_index

    if index is not None:
        table = CrystalIndex.load(index)
        table.require_model(checkpoint.fingerprint)
        return table, load_encoder(checkpoint, text_only)
    if BUNDLED_INDEX.is_dir():
        table = bundled_index()
        if table.model_fingerprint == checkpoint.fingerprint:
            return table, load_encoder(checkpoint, text_only)
    embedder = load_embedder(checkpoint)
    crystals = bundled_crystals()
    note(
        f"embedding {crystals.num_rows:,} crystals with this checkpoint; to do it once, run "
        f"`clac index mp-crystals -o DIR --model {checkpoint}` and search with --index DIR"
    )
    return CrystalIndex.build(embedder, crystals), embedder


def load_encoder(checkpoint: Checkpoint, text_only: bool) -> ClacEmbedder | OnnxTextTower:
    from ..inference.onnx_text_tower import OnnxTextTower

    tower = OnnxTextTower.from_checkpoint(checkpoint) if text_only else None
    return load_embedder(checkpoint) if tower is None else tower


def query_vector(embedder: Any, text: str | None, like: Path | None) -> Any:
    """One unit vector `(D,)` for a text, a crystal, or halfway between both."""
    parts = []
    if like is not None:
        parts.append(embedder.encode_crystals([like])[0])
    if text is not None:
        parts.append(embedder.encode_text([text])[0])
    query = sum(parts)
    return query / (query @ query) ** 0.5


def error_message(error: Exception) -> str | None:
    """The line for an error of the user's, `None` for a bug."""
    if hasattr(error, "format_message"):  # a usage error; typer has no public name for all of them
        context = getattr(error, "ctx", None)
        return f"{error.format_message().rstrip('.')}; see `{context.command_path if context else 'clac'} --help`"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    return str(error) if isinstance(error, ClacInputError) else None


def open_checkpoint(model: str | None, whole: bool = True) -> Checkpoint:
    """
    The checkpoint that an option names; sets the environment that its libraries read when they are imported.

    Args:
        model: directory or Hub id; default the bundled checkpoint.
        whole: refuse those that were fine-tuned.
    """
    from ..checkpoint_files_clac import is_hub_id

    prepare_imports(online=model is not None and is_hub_id(model))
    from ..inference.checkpoints import resolve_checkpoint

    checkpoint = resolve_checkpoint(model)
    if whole:
        checkpoint.require_whole()
    return checkpoint


def prepare_imports(online: bool = False) -> None:
    """Before the first import of a library: late imports, no reports, and no network unless it is needed."""
    import warnings

    os.environ.setdefault("CLAC_LAZY_IMPORT", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not online:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def load_embedder(checkpoint: Checkpoint) -> ClacEmbedder:
    from transformers.utils import logging

    from ..inference.embedder import ClacEmbedder

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    return ClacEmbedder.from_pretrained(checkpoint)


def check_policy(on_error: str, max_atoms: int | None) -> None:
    if on_error not in ("raise", "skip"):
        raise ClacInputError(f"--on-error {on_error}: choose raise or skip")
    if max_atoms is not None and max_atoms < 1:
        raise ClacInputError(f"--max-atoms {max_atoms}: must be at least 1")


def nothing_left(skipped: Sequence[str]) -> str:
    return f"no usable structure, {len(skipped)} skipped; {skipped[0] if skipped else 'the input is empty'}"


def report_output(
    as_json: bool, output: Path, count: int, dim: int, checkpoint: Checkpoint, skipped: Sequence[str]
) -> None:
    note_skipped(skipped)
    if as_json:
        written = {"output": str(output), "num_crystals": count, "dim": dim}
        print_json(**written, **named(checkpoint), skipped=skipped, units={})
    else:
        print(f"{output}: {count:,} {'crystal' if count == 1 else 'crystals'}, {dim} dimensions")


def named(checkpoint: Checkpoint) -> dict[str, str]:
    """How documents name the checkpoint that made them."""
    return {"model": checkpoint.name, "model_fingerprint": checkpoint.fingerprint}


def note_skipped(skipped: Sequence[str]) -> None:
    if skipped:
        note(f"skipped {len(skipped)}:")
        for reason in skipped:
            print(f"  {reason}", file=sys.stderr)


def note(line: str) -> None:
    print(f"clac: {line}", file=sys.stderr)


def print_json(**document: Any) -> None:
    print(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False, default=str))


def _plain(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they become null."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
