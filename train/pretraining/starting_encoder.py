"""The text encoder that a text tower was made from, and weights between the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.modeling_clac import load_text_encoder


def load_starting_encoder(
    config: PreTrainedConfig, source: str, layers: Sequence[int] | None = None
) -> PreTrainedModel:
    """
    Load the encoder that a text tower was made from.

    Args:
        config: Configuration of the tower.
        source: Directory or Hub id of the encoder.
        layers: The layers that the tower took from it. Default: all.

    Raises:
        ClacInputError: The encoder does not exist, or is not the one of the tower.
    """
    try:
        encoder: Any = load_text_encoder(source, layers)
    except (OSError, ValueError) as error:
        raise ClacInputError(f"text_model {source}: {first_line(error)}") from None
    for size in ("hidden_size", "num_hidden_layers", "vocab_size"):
        own, wanted = getattr(encoder.config, size), getattr(config, size)
        if own != wanted:
            raise ClacInputError(
                f"text_model {source}: {size} is {own}, but {wanted} in the text tower; name the encoder that the "
                "tower was made from"
            )
    return encoder


def average_with(tower: nn.Module, encoder: nn.Module, share: float) -> None:
    """
    Mix the weights of a text tower with those of the encoder that it was made from.

    A text tower that was trained on texts about crystals forgets other language; the average of both keeps most of
    either (Wortsman et al. 2022, arXiv 2109.01903).

    Args:
        tower: The text tower, changed in place.
        encoder: The encoder.
        share: Share of the weights of the encoder, from 0 to 1.
    """
    start = encoder.state_dict()
    with torch.no_grad():
        for name, weight in tower.named_parameters():
            weight.lerp_(start[name].to(weight.device, weight.dtype), share)


__all__ = ["average_with", "load_starting_encoder"]
