"""
GradCache (Gao et al. 2021, arXiv 2101.06983): contrastive batches larger than memory allows.

The loss needs the embeddings of all pairs, but the towers see one chunk at a time:

1. Embed every chunk without storing activations.
2. Compute the loss from all embeddings, and its gradient with respect to them: the cache.
3. Embed every chunk again, with activations, and propagate its part of the cache back through the towers.

Random states are restored before the second pass, so that dropout is the same and the gradients equal those of a single
pass over the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from train.pretraining.collator import Batch, Chunk, Labels
from train.pretraining.objective import ContrastiveObjective

# State of the CPU, and of every GPU.
RandomState = tuple[Tensor, list[Tensor]]


def gradcache_backward(objective: nn.Module, accelerator: Accelerator, batch: Batch) -> dict[str, Tensor]:
    """
    Accumulate the gradients of a batch in the parameters. A batch with one chunk takes a single ordinary pass.

    Args:
        objective: A [`ContrastiveObjective`], wrapped if there are several processes.
        accelerator: The accelerator that prepared the objective.
        batch: The batch, on the device of the objective.

    Returns:
        `loss` and each term by its name, all scalar.
    """
    if len(batch.chunks) == 1:
        losses = objective(batch.chunks[0], batch.labels, batch.concepts)
        accelerator.backward(losses["loss"])
        return losses
    embeds, states = _embed_without_graph(objective, batch.chunks)
    after = _random_state()
    losses, cache = _loss_and_cache(objective, accelerator, embeds, batch.labels)
    _backward_through_towers(objective, accelerator, batch.chunks, states, cache)
    _set_random_state(after)
    return losses


def _embed_without_graph(objective: nn.Module, chunks: Sequence[Chunk]) -> tuple[dict[str, Tensor], list[RandomState]]:
    """Compute the outputs of `ContrastiveObjective.embed` for all chunks, and the random state before each chunk."""
    outputs, states = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(_random_state())
            outputs.append(objective(chunk))
    return {name: torch.cat([output[name] for output in outputs]) for name in outputs[0]}, states


def _loss_and_cache(
    objective: nn.Module, accelerator: Accelerator, embeds: dict[str, Tensor], labels: Labels
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Compute the losses, and the gradient of the loss with respect to each of `embeds`."""
    bare: ContrastiveObjective = accelerator.unwrap_model(objective)
    leaves = {name: rows.requires_grad_() for name, rows in embeds.items()}
    with accelerator.no_sync(objective):
        with accelerator.autocast():
            losses = bare.contrast(leaves, labels)
        accelerator.backward(losses["loss"])
    cache = {name: rows.grad for name, rows in leaves.items() if rows.grad is not None}
    return {name: loss.detach() for name, loss in losses.items()}, cache


def _backward_through_towers(
    objective: nn.Module,
    accelerator: Accelerator,
    chunks: Sequence[Chunk],
    states: Sequence[RandomState],
    cache: dict[str, Tensor],
) -> None:
    bare: ContrastiveObjective = accelerator.unwrap_model(objective)
    first = 0
    for index, (chunk, state) in enumerate(zip(chunks, states, strict=True)):
        is_last = index == len(chunks) - 1
        # The processes exchange gradients only once, with the last chunk.
        with nullcontext() if is_last else accelerator.no_sync(objective):
            _set_random_state(state)
            outputs = objective(chunk)
            rows = slice(first, first + chunk.size)
            products = [(outputs[name] * gradient[rows]).sum() for name, gradient in cache.items()]
            if is_last:
                # The loss parameters already have gradients. Adding them with factor zero averages these over the
                # processes.
                products += [0.0 * parameter.sum() for parameter in bare.loss_parameters()]
            accelerator.backward(torch.stack(products).sum())
        first += chunk.size


def _random_state() -> RandomState:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _set_random_state(state: RandomState) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])


__all__ = ["gradcache_backward"]
