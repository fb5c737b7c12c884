"""Precision, processes and optimiser of pre-training."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, DistributedDataParallelKwargs
from torch import nn

from modeling_clac.errors_clac import ClacInputError
from train.pretraining.arguments import FROZEN_PARTS, OptimizationArguments
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.objective_settings import FACTS

# Learning rate of the gains of shared facts, as a multiple of `learning_rate`.
GAIN_RATE = 10.0


def choose_precision(requested: str) -> str:
    """
    Resolve the precision `auto`: bf16 if the hardware supports it, otherwise `no`.

    A CPU without bf16 matrix units emulates it at half the speed of float32.

    Args:
        requested: `bf16`, `no` or `auto`.
    """
    if requested != "auto":
        return requested
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "no"


def make_accelerator(mixed_precision: str, report_to: str = "none") -> Accelerator:
    """
    Set up one or several processes. They exchange gradients without copies, and no buffers.

    Args:
        mixed_precision: `bf16`, `no` or `auto`.
        report_to: An experiment tracker of accelerate, or `none`.
    """
    return Accelerator(
        mixed_precision=choose_precision(mixed_precision),
        log_with=None if report_to == "none" else report_to,
        dataloader_config=DataLoaderConfiguration(dispatch_batches=False),
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=False)],
    )


def freeze(objective: ContrastiveObjective, arguments: OptimizationArguments) -> None:
    """
    Let only the parameters change that the recipe does not freeze and the objective uses.

    Args:
        objective: The objective of the phase.
        arguments: What is frozen.

    Raises:
        ClacInputError: The text encoder has fewer layers than are frozen.
    """
    frozen = [prefix for part in arguments.frozen for prefix in FROZEN_PARTS[part]]
    text_config: Any = objective.model.config.text_config
    if arguments.frozen_text_layers > text_config.num_hidden_layers:
        raise ClacInputError(
            f"frozen_text_layers={arguments.frozen_text_layers}: the text encoder has {text_config.num_hidden_layers} "
            "layers"
        )
    frozen += [f"text_model.encoder.layer.{layer}." for layer in range(arguments.frozen_text_layers)]
    if set(objective.settings.terms) == {FACTS}:
        # Parameters that no term uses would have no gradients, which data parallelism does not allow.
        frozen += ["text_", "logit_scale"]
    elif not objective.settings.pairs:
        frozen.append("logit_scale")
    for name, parameter in objective.model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))


def make_optimizer(objective: nn.Module, arguments: OptimizationArguments) -> torch.optim.Optimizer:
    """
    Build AdamW over [`parameter_groups`].

    It is fused, which needs only one pass over memory: most weights are word embeddings, few of which occur in a batch.

    Args:
        objective: The module to optimise.
        arguments: Learning rates and weight decay.
    """
    return torch.optim.AdamW(parameter_groups(objective, arguments), fused=True)


def parameter_groups(objective: nn.Module, arguments: OptimizationArguments) -> list[dict[str, Any]]:
    """
    Group the parameters by learning rate and weight decay.

    The text tower has a lower learning rate. The gains of shared facts have a higher one, since they are single numbers
    that change a lot. Biases, norms, embeddings, gains and the temperature have no weight decay.

    Args:
        objective: The module to optimise.
        arguments: Learning rates and weight decay.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in _in_stored_order(objective):
        if not parameter.requires_grad:
            continue
        rate = arguments.learning_rate
        if name.startswith("model.text_model."):
            rate = arguments.text_learning_rate
        elif name.endswith(".log_gain"):
            rate = GAIN_RATE * arguments.learning_rate
        decay = parameter.ndim == 2 and "embedding" not in name
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": arguments.weight_decay if decay else 0.0}
        for (rate, decay), parameters in groups.items()
    ]


def _in_stored_order(objective: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """
    Order the parameters as in the optimiser states of earlier runs, which store them by position.

    The quantity embeddings of the text tower come before the text projection.
    """
    added = ("model.text_values.", "model.text_composition.")
    quantities = [item for item in objective.named_parameters() if item[0].startswith(added)]
    others = [item for item in objective.named_parameters() if not item[0].startswith(added)]
    place = next(i for i, (name, _) in enumerate(others) if name.startswith("model.text_projection."))
    return [*others[:place], *quantities, *others[place:]]


__all__ = ["GAIN_RATE", "choose_precision", "freeze", "make_accelerator", "make_optimizer", "parameter_groups"]
