"""The model as it was before joint training: the text encoder that it started from, and an untrained graph tower."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.inference.checkpoints import Checkpoint
from modeling_clac.modeling_clac import ClacModel, load_text_encoder

RANDOM = "random"


def text_encoder_before(
    checkpoint: Checkpoint, name: str | None = None, layers: str | None = None
) -> tuple[str, list[int] | None]:
    """
    Find the name of the text encoder that a checkpoint was trained from, and its layers.

    Args:
        checkpoint: The checkpoint.
        name: Directory or Hub id of the encoder. Default: `text_model` of the training recipe.
        layers: Its layers in the tower, separated by commas. Default: all.

    Returns:
        The name and the list of layers, `None` for all.

    Raises:
        ClacInputError: If the checkpoint does not say what it was trained from, or the layers are not numbers.
    """
    recipe = (checkpoint.training or {}).get("recipe") or {}
    name = name or recipe.get("text_model")
    if not name:
        raise ClacInputError(
            f"{checkpoint.name}: its training.json names no text model; give --before DIR, or --before {RANDOM}"
        )
    try:
        chosen = None if layers is None else [int(own) for own in layers.split(",")]
    except ValueError:
        raise ClacInputError(f"--before_layers {layers}: expected numbers separated by commas, such as 0,2,4") from None
    return name, chosen


def model_before_training(model: ClacModel, name: str, layers: list[int] | None = None, seed: int = 0) -> ClacModel:
    """
    Build a model as it was before training: same configuration, new weights, pretrained text encoder.

    Args:
        model: The trained model.
        name: Directory or Hub id of the text encoder, or `"random"` for random weights.
        layers: Layers of the encoder that are in the tower. Default: all.
        seed: Seed of the new weights.

    Returns:
        The model, in evaluation mode.

    Raises:
        ClacInputError: If the encoder cannot be loaded or does not fit the text tower.
    """
    torch.manual_seed(seed)
    before = type(model)(model.config).eval()  # type: ignore[arg-type]
    if name == RANDOM:
        return before
    try:
        encoder: PreTrainedModel = load_text_encoder(name, layers)
    except (OSError, ValueError) as error:
        raise ClacInputError(
            f"--before {name}: cannot be loaded ({first_line(error)}); give a directory, such as that printed by "
            f"`make minilm`, or {RANDOM}"
        ) from None
    own, found = model.config.text_config.num_hidden_layers, encoder.config.num_hidden_layers
    if own != found:
        raise ClacInputError(
            f"--before {name}: has {found} layers, the text tower {own}; name {own} of them with --before_layers, such "
            "as 0,2,4"
        )
    try:
        before.load_text_encoder_weights(encoder)
    except RuntimeError as error:
        raise ClacInputError(f"--before {name}: does not fit the text tower ({first_line(error)})") from None
    return before


__all__ = ["RANDOM", "model_before_training", "text_encoder_before"]
