"""Fine-tuned checkpoints: loading them as what they are, and properties and classes of crystals from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from .. import registration  # noqa: F401  tokenizers are found by the registered configuration
from ..data.crystal_table import read_crystals
from ..errors_clac import ClacInputError, InvalidStructureError
from ..feature_extraction_clac import ClacFeatureExtractor
from ..heads_clac import ClacForGraphClassification, ClacForGraphRegression
from ..structures_clac import MAX_ATOMS
from .checkpoints import Checkpoint, resolve_checkpoint

# What each class was fine-tuned for, in words.
_TASKS = {
    "ClacModel": "contrastive pre-training",
    "ClacForTokenClassification": "tags of words",
    "ClacForSequenceClassification": "classes of texts",
    "ClacForGraphRegression": "a property of crystals",
    "ClacForGraphClassification": "classes of crystals",
}
# Bounds the memory of a batch of crystals, whatever their sizes; one crystal may be larger.
_ATOMS_PER_BATCH = 4096


def load_finetuned(name: str | os.PathLike[str] | Checkpoint, *kinds: type) -> Any:
    """
    The model of a checkpoint in evaluation mode.

    Args:
        name: checkpoint, its directory or its Hub id.
        kinds: classes of `heads_clac`, one of which it must be of.

    Raises:
        ClacInputError: there is no such checkpoint, it is damaged, or it was trained for something else, which would
            leave the head with random weights.
    """
    by_name: dict[str, Any] = {kind.__name__: kind for kind in kinds}
    checkpoint = resolve_checkpoint(name)
    found = checkpoint.architecture
    if found in by_name:
        with checkpoint.loading():
            return by_name[found].from_pretrained(checkpoint.source, **checkpoint.hub, dtype=torch.float32).eval()
    wanted = " or ".join(_TASKS[kind] for kind in by_name)
    raise ClacInputError(f"{checkpoint}: made for {_TASKS.get(found, found or 'an unknown task')}, not for {wanted}")


def predict_crystals(
    model: Any,
    structures: Sequence[Any],
    names: Sequence[str],
    on_error: str = "raise",
    batch_size: int = 32,
    max_atoms: int | None = MAX_ATOMS,
) -> tuple[dict[int, dict[str, Any]], list[tuple[int, str]]]:
    """
    Properties or classes of crystals.

    Args:
        model: a fine-tuned checkpoint, its directory or its Hub id, or a `ClacForGraphRegression` or
            `ClacForGraphClassification` in memory.
        structures: see [`parse_structure`]. names: how messages call them.
        on_error: `"raise"` or `"skip"`. batch_size: crystals at a time. max_atoms: larger cells are refused.

    Returns:
        By place in the input, `value` in the model's `config.target_unit`, or `label` and `probability`; and what was
        skipped, (place, reason).

    Raises:
        ClacInputError: the checkpoint was not fine-tuned on crystals.
        InvalidStructureError: a structure is unusable and `on_error="raise"`.
    """
    if not isinstance(model, (ClacForGraphRegression, ClacForGraphClassification)):
        model = load_finetuned(model, ClacForGraphRegression, ClacForGraphClassification)
    config = model.config
    extractor = ClacFeatureExtractor.from_graph_config(config.graph_config)
    crystals, skipped = read_crystals(structures, names, max_atoms, on_error)
    graphs: dict[int, dict[str, np.ndarray]] = {}
    for place, crystal in crystals.items():
        try:
            graphs[place] = extractor.graph(crystal, names[place])
        except InvalidStructureError as error:
            if on_error == "raise":
                raise
            skipped.append((place, str(error)))
    found: dict[int, dict[str, Any]] = {}
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for places in _batches({place: len(graph["atomic_numbers"]) for place, graph in graphs.items()}, batch_size):
            inputs = extractor.collate([graphs[place] for place in places]).to(model.device)
            logits = model(**inputs).logits.float().cpu()
            if isinstance(model, ClacForGraphRegression):
                found.update({place: {"value": value} for place, value in zip(places, logits.tolist(), strict=True)})
                continue
            scores, labels = logits.softmax(dim=-1).max(dim=-1)
            for place, label, score in zip(places, labels.tolist(), scores.tolist(), strict=True):
                found[place] = {"label": config.id2label[label], "probability": score}
    model.train(was_training)
    return found, sorted(skipped)


def _batches(sizes: dict[int, int], batch_size: int) -> Iterator[list[int]]:
    """Places in batches bounded in crystals and atoms."""
    batch: list[int] = []
    atoms = 0
    for place, size in sizes.items():
        if batch and (len(batch) == batch_size or atoms + size > _ATOMS_PER_BATCH):
            yield batch
            batch, atoms = [], 0
        batch.append(place)
        atoms += size
    if batch:
        yield batch


__all__ = ["load_finetuned", "predict_crystals"]
