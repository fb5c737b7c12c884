"""Load fine-tuned checkpoints, and predict properties and classes of crystals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from .. import registration  # noqa: F401  AutoTokenizer needs the registered configuration
from ..crystal_clac import MAX_ATOMS, ReadingOptions
from ..data.graph_batches import CrystalGraph, graph_batches
from ..errors_clac import ClacInputError, ErrorPolicy, Skipped
from ..feature_extraction_clac import ClacFeatureExtractor
from ..heads_clac import ClacForGraphClassification, ClacForGraphRegression
from .checkpoints import Checkpoint, resolve_checkpoint
from .forward_passes import forward_passes

# Training task of each class, for messages.
_TASKS = {
    "ClacModel": "contrastive pre-training",
    "ClacForTokenClassification": "token classification",
    "ClacForSequenceClassification": "text classification",
    "ClacForGraphRegression": "regression of a crystal property",
    "ClacForGraphClassification": "crystal classification",
}


def load_finetuned(name: str | os.PathLike[str] | Checkpoint, *kinds: type) -> Any:
    """
    Load a fine-tuned model in evaluation mode.

    Args:
        name: A checkpoint, its directory or its Hub id.
        kinds: Accepted classes of `heads_clac`.

    Raises:
        ClacInputError: If the checkpoint does not exist, is damaged, or was trained for another task. In the last case
            the head would have random weights.
    """
    by_name: dict[str, Any] = {kind.__name__: kind for kind in kinds}
    checkpoint = resolve_checkpoint(name)
    found = checkpoint.architecture
    if found in by_name:
        kind = by_name[found]
        model, info = checkpoint.load(
            lambda: kind.from_pretrained(
                checkpoint.source, **checkpoint.hub, dtype=torch.float32, output_loading_info=True
            )
        )
        if info["missing_keys"]:
            raise ClacInputError(
                f"{checkpoint}: {', '.join(sorted(info['missing_keys']))} of the head are missing; save or download "
                "the checkpoint again"
            )
        return model.eval()
    wanted = " or ".join(_TASKS[kind] for kind in by_name)
    trained_for = _TASKS.get(found, found or "an unknown task")
    raise ClacInputError(f"{checkpoint}: trained for {trained_for}; expected a checkpoint trained for {wanted}")


def predict_crystals(
    model: Any,
    structures: Any,
    names: Iterable[str] | None = None,
    on_error: str | ErrorPolicy = "raise",
    batch_size: int = 32,
    max_atoms: int | None = MAX_ATOMS,
    disorder: str = "keep",
    strict: bool = False,
) -> tuple[dict[int, dict[str, Any]], list[Skipped]]:
    """
    Predict properties or classes of crystals.

    Args:
        model: A fine-tuned checkpoint, its directory or its Hub id, or a `ClacForGraphRegression` or
            `ClacForGraphClassification` in memory.
        structures: A structure or an iterable of structures, see [`parse_structure`].
        names: Name of each structure in messages. Default: its path, or its index in the input.
        on_error: What to do with an invalid structure: `"raise"`, `"skip"` or `"warn"`; or a policy, which also records
            what was read with doubt.
        batch_size: Maximum number of crystals in a batch. Batches of large crystals are smaller.
        max_atoms: Maximum number of atoms in a cell. `None` accepts any size.
        disorder: What to do with mixed and partly occupied sites: `"keep"`, `"refuse"` or `"order"`, see
            [`ReadingOptions`].
        strict: Whether a structure that was read with a warning is invalid.

    Returns:
        A tuple of the predictions and the skipped structures. The predictions map the index in the input to `value`, in
        the unit `config.target_unit` of the model, or to `label` and `probability`. The skipped structures are a list
        of (index in the input, reason).

    Raises:
        ClacInputError: If the checkpoint was not fine-tuned on crystals.
        InvalidStructureError: If a structure is invalid and `on_error="raise"`.
    """
    if not isinstance(model, (ClacForGraphRegression, ClacForGraphClassification)):
        model = load_finetuned(model, ClacForGraphRegression, ClacForGraphClassification)
    extractor = ClacFeatureExtractor.from_graph_config(model.config.graph_config)
    errors = on_error if isinstance(on_error, ErrorPolicy) else ErrorPolicy(on_error)
    options = ReadingOptions(max_atoms, disorder, strict)
    batches = graph_batches(structures, extractor, names, errors=errors, batch_size=batch_size, options=options)

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
