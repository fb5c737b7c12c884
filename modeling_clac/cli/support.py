"""What the commands share: the checkpoint, the libraries, notes to the user, and JSON."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint
    from ..inference.embedder import ClacEmbedder


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
    """The embedder of a checkpoint, loaded without reports."""
    from ..inference.embedder import ClacEmbedder

    be_quiet()
    return ClacEmbedder.from_pretrained(checkpoint)


def be_quiet() -> None:
    """Turn off the progress bars and warnings of transformers."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def nothing_left(skipped: Sequence[str]) -> str:
    return f"no usable structure, {len(skipped)} skipped; {skipped[0] if skipped else 'the input is empty'}"


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
