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

from ..errors_clac import ClacInputError, first_line

if TYPE_CHECKING:
    from ..inference.embedder import ClacEmbedder
    from ..inference.numpy_text_tower import NumpyTextTower
    from ..search.index import CrystalIndex


def open_index(
    index: Path | None, model: str | None, text_only: bool
) -> tuple[CrystalIndex, ClacEmbedder | NumpyTextTower]:
    """The index to search, and the embedder that made it; where texts alone are asked for, one that starts at once."""
    from ..data.bundled import bundled_crystals
    from ..search.index import BUNDLED_INDEX, CrystalIndex, bundled_index, model_fingerprint

    if index is not None:
        table = CrystalIndex.load(index)
        table.require_model(model_fingerprint(checkpoint_name(model)))
        return table, load_encoder(model, text_only)
    if BUNDLED_INDEX.is_dir():
        table = bundled_index()
        if table.model_fingerprint == model_fingerprint(checkpoint_name(model)):
            return table, load_encoder(model, text_only)
    embedder = load_embedder(model)
    crystals = bundled_crystals()
    option = "" if model is None else f" --model {model}"
    note(
        f"embedding {crystals.num_rows:,} crystals with this checkpoint; to do it once, run "
        f"`clac index mp-crystals -o DIR{option}` and search with --index DIR"
    )
    return CrystalIndex.build(embedder, crystals, model_name=model_name(model)), embedder


def load_encoder(model: str | None, text_only: bool) -> ClacEmbedder | NumpyTextTower:
    from ..inference.numpy_text_tower import NumpyTextTower

    tower = NumpyTextTower.from_checkpoint(checkpoint_name(model)) if text_only else None
    return load_embedder(model) if tower is None else tower


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


def prepare_imports(model: str | None, online: bool = False) -> None:
    """Before the first import of the package: late imports, no reports, and no network for what is on disk."""
    import warnings

    os.environ.setdefault("CLAC_LAZY_IMPORT", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not online and (model is None or Path(model).is_dir()):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def checkpoint_name(model: str | None, finetuned: bool = False) -> str:
    """A checkpoint directory with both towers or a fine-tuned one, as far as config.json tells, or a Hub id."""
    from ..utils.paths import DEFAULT_MODEL

    directory = Path(model or DEFAULT_MODEL)
    if not directory.exists() and model is None:
        raise ClacInputError("this installation has no bundled checkpoint; name one with --model")
    if not directory.exists():
        if str(model).count("/") != 1 or str(model).startswith((".", "/", "~")) or str(model).endswith("/"):
            raise ClacInputError(f"{model}: no such checkpoint directory (a Hub id is written owner/name)")
        return str(model)
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        kind, made = config.get("model_type"), config.get("architectures") or []
    except OSError:
        raise ClacInputError(f"{directory}: no CLaC checkpoint in it (config.json missing)") from None
    except (ValueError, AttributeError):
        raise ClacInputError(
            f"{directory}: its config.json is damaged; save or download the checkpoint again"
        ) from None
    if kind != "clac":
        raise ClacInputError(f"{directory}: not a CLaC checkpoint but one of model type {kind}")
    if not finetuned and any(name.startswith("ClacFor") for name in made):
        raise ClacInputError(
            f"{directory}: fine-tuned, so it has one tower only; use it with `clac ner` or `clac predict`"
        )
    return str(directory)


def load_embedder(model: str | None) -> ClacEmbedder:
    from safetensors import SafetensorError
    from transformers.utils import logging

    from ..inference.embedder import ClacEmbedder

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    checkpoint = checkpoint_name(model)
    try:
        return ClacEmbedder.from_pretrained(checkpoint)
    except ClacInputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        # Libraries explain at length; the first sentence says it.
        raise ClacInputError(
            f"{checkpoint}: the checkpoint cannot be loaded ({first_line(error)}); save or fetch it again"
        ) from None


def model_name(model: str | None) -> str:
    from ..utils.paths import DEFAULT_MODEL

    directory = Path(model or DEFAULT_MODEL)
    return directory.resolve().name if directory.is_dir() else str(model)


def check_policy(on_error: str, max_atoms: int | None) -> None:
    if on_error not in ("raise", "skip"):
        raise ClacInputError(f"--on-error {on_error}: choose raise or skip")
    if max_atoms is not None and max_atoms < 1:
        raise ClacInputError(f"--max-atoms {max_atoms}: must be at least 1")


def nothing_left(skipped: Sequence[str]) -> str:
    return f"no usable structure, {len(skipped)} skipped; {skipped[0] if skipped else 'the input is empty'}"


def report_output(
    as_json: bool, output: Path, count: int, dim: int, model: str | None, fingerprint: str, skipped: Sequence[str]
) -> None:
    note_skipped(skipped)
    if as_json:
        written = {"output": str(output), "num_crystals": count, "dim": dim}
        print_json(**written, model=model_name(model), model_fingerprint=fingerprint, skipped=skipped, units={})
    else:
        print(f"{output}: {count:,} {'crystal' if count == 1 else 'crystals'}, {dim} dimensions")


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
