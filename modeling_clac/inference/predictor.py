"""Fine-tuned checkpoints: loading them as what they are, and properties and classes of crystals from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from .. import registration  # noqa: F401  tokenizers are found by the registered configuration
from ..data.graph_batches import CrystalGraph, graph_batches
from ..errors_clac import ClacInputError, ErrorPolicy, Skipped
from ..feature_extraction_clac import ClacFeatureExtractor
from ..heads_clac import ClacForGraphClassification, ClacForGraphRegression
from ..structures_clac import MAX_ATOMS
from .checkpoints import Checkpoint, resolve_checkpoint
from .forward_passes import forward_passes

# What each class was fine-tuned for, in words.
_TASKS = {
    "ClacModel": "contrastive pre-training",
    "ClacForTokenClassification": "tags of words",
    "ClacForSequenceClassification": "classes of texts",
    "ClacForGraphRegression": "a property of crystals",
    "ClacForGraphClassification": "classes of crystals",
}


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
    structures: Any,
    names: Iterable[str] | None = None,
    on_error: str = "raise",
    batch_size: int = 32,
    max_atoms: int | None = MAX_ATOMS,
) -> tuple[dict[int, dict[str, Any]], list[Skipped]]:
    """
    Predict properties or classes of crystals.

    Args:
        model: a fine-tuned checkpoint, its directory or its Hub id, or a `ClacForGraphRegression` or
            `ClacForGraphClassification` in memory.
        structures: one or any iterable of them, see [`parse_structure`].
        names: how messages call them, one for each; default the path, or the place in the input.
        on_error: `"raise"`, `"skip"` or `"warn"`.
        batch_size: crystals in a batch; large crystals make smaller batches.
        max_atoms: cells with more atoms are refused; `None` accepts any size.

    Returns:
        By place in the input, `value` in the model's `config.target_unit`, or `label` and `probability`; and what was
        skipped, a list of (place, reason).

    Raises:
        ClacInputError: the checkpoint was not fine-tuned on crystals.
        InvalidStructureError: a structure is unusable and `on_error="raise"`.
    """
    if not isinstance(model, (ClacForGraphRegression, ClacForGraphClassification)):
        model = load_finetuned(model, ClacForGraphRegression, ClacForGraphClassification)
    extractor = ClacFeatureExtractor.from_graph_config(model.config.graph_config, max_atoms=max_atoms)
    errors = ErrorPolicy(on_error)
    batches = graph_batches(structures, extractor, names, errors=errors, batch_size=batch_size)

    @torch.inference_mode()
    def forward(batch: list[CrystalGraph]) -> torch.Tensor:
        inputs = extractor.collate([entry.graph for entry in batch]).to(model.device)
        return model(**inputs).logits.float().cpu()

    found: dict[int, dict[str, Any]] = {}
    was_training = model.training
    model.eval()
    try:
        for batch, logits in forward_passes(forward, batches, model):
            found.update(zip([entry.place for entry in batch], _predictions(model, logits), strict=True))
    finally:
        model.train(was_training)
    return found, errors.skipped


def _predictions(model: Any, logits: torch.Tensor) -> Iterator[dict[str, Any]]:
    if isinstance(model, ClacForGraphRegression):
        yield from ({"value": value} for value in logits.tolist())
        return
    probabilities, labels = logits.softmax(dim=-1).max(dim=-1)
    for label, probability in zip(labels.tolist(), probabilities.tolist(), strict=True):
        yield {"label": model.config.id2label[label], "probability": probability}


__all__ = ["load_finetuned", "predict_crystals"]
