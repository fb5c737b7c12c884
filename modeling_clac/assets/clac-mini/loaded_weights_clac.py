"""Check that the weights of a loaded checkpoint fit its configuration."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .errors_clac import ClacInputError

# Modules of the heads in `heads_clac`, which may be new on a checkpoint that was trained for another task.
HEAD_MODULES = ("classifier", "crf", "regressor")
_NUM_NAMED = 5


def require_fitting_weights(model: nn.Module, source: object, info: dict[str, Any], other_shapes: bool = False) -> None:
    """
    Check that a checkpoint has exactly the weights that its configuration asks for, and that they are finite.

    transformers initialises missing weights at random and ignores unexpected ones. That is meant for a new head: only
    a module of `HEAD_MODULES` may be missing, as a whole.

    Args:
        model: The loaded model.
        source: Directory or Hub id of the checkpoint.
        info: What `from_pretrained` returns with `output_loading_info=True`.
        other_shapes: Whether weights may have another shape (`ignore_mismatched_sizes`).

    Raises:
        ClacInputError: If weights are missing, unexpected, of another shape, or not finite. The message names them.
    """
    if getattr(model, "_hf_peft_config_loaded", False):
        return  # what was missing is then about the adapter, and reported by transformers
    own = set(model.state_dict())
    mismatched = {
        name: f"{name} {tuple(found)} instead of {tuple(own)}" for name, found, own in info["mismatched_keys"]
    }
    missing = set(info["missing_keys"]) - set(mismatched)
    new = {module for module in HEAD_MODULES if (names := _of(module, own)) and names <= missing | set(mismatched)}
    problems = {
        "missing": sorted(name for name in missing if _module(name) not in new),
        "unexpected": sorted(info["unexpected_keys"]),
        "of another shape": [] if other_shapes else sorted(mismatched.values()),
        "not finite": sorted(_not_finite(model)),
    }
    found = "; ".join(_listed(kind, names) for kind, names in problems.items() if names)
    if found:
        raise ClacInputError(
            f"{source}: the weights do not fit config.json ({found}); save or download the checkpoint again"
        )


def _module(name: str) -> str:
    return name.partition(".")[0]


def _of(module: str, names: set[str]) -> set[str]:
    return {name for name in names if _module(name) == module}


def _listed(kind: str, names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return f"{kind}: {', '.join(names[:_NUM_NAMED])}{more}"


@torch.no_grad()
def _not_finite(model: nn.Module) -> list[str]:
    """Names of the tensors with NaN or infinite values. Tensors without data, which are offloaded, are left out."""
    tensors = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.device.type != "meta"
    }
    # A sum is not finite if a value is not, and needs no memory.
    sums = [tensor.sum(dtype=torch.float32).cpu() for tensor in tensors.values() if tensor.dtype.itemsize > 1]
    if not sums or bool(torch.stack(sums).isfinite().all()):
        return []
    return [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]


__all__ = ["HEAD_MODULES", "require_fitting_weights"]
