"""Initial model of a pre-training run."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel

from modeling_clac import ClacConfig, ClacFeatureExtractor, ClacGraphConfig, ClacModel, ClacProcessor
from modeling_clac.configuration_clac import SHARED_FACTS
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.tokenization_clac import read_formulas
from train.pretraining.arguments import ModelArguments
from train.pretraining.starting_encoder import load_starting_encoder


def build_model(arguments: ModelArguments) -> tuple[ClacModel, ClacProcessor]:
    """
    Build the model and its processor: a pretrained text tower with a new graph tower and projections, or a checkpoint.

    Raises:
        ClacInputError: The text encoder or the checkpoint does not exist, or the checkpoint does not fit the recipe.
    """
    if arguments.init_checkpoint is not None:
        return _continued_model(arguments, arguments.init_checkpoint)
    graph_config = arguments.graph_config()
    text_model = arguments.text_model_path or arguments.text_model
    options: dict[str, Any] = {name: bool(getattr(arguments, name)) for name in SHARED_FACTS}
    try:
        model = ClacModel.from_text_graph_pretrained(
            text_model,
            graph_config,
            text_layers=arguments.text_layers,
            text_dropout=arguments.text_dropout,
            text_pooling=arguments.text_pooling,
            projection_dim=arguments.projection_dim,
            token_values=bool(arguments.token_values),
            **options,
        )
        tokenizer = AutoTokenizer.from_pretrained(text_model)
    except (OSError, ValueError) as error:
        raise ClacInputError(f"text_model {text_model}: {first_line(error)}") from None
    # The saved configuration names the model, not the directory it was loaded from.
    model.config.text_config._name_or_path = arguments.text_model
    if arguments.split_formulas:
        tokenizer = read_formulas(tokenizer)
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)
    return model, ClacProcessor(ClacFeatureExtractor.from_graph_config(graph_config), tokenizer)


def starting_encoder(
    model: ClacModel, arguments: ModelArguments, device: torch.device | None = None
) -> PreTrainedModel:
    """
    Load the text encoder as it is before training.

    Args:
        model: The model whose text tower was made from it.
        arguments: The recipe, which names the encoder.
        device: Where it is to be. Default: the CPU.

    Raises:
        ClacInputError: The encoder does not exist, or is not the one of the tower, as after another `init_checkpoint`.
    """
    source = arguments.text_model_path or arguments.text_model
    encoder: Any = load_starting_encoder(model.config.text_config, source, arguments.text_layers)
    return encoder if device is None else encoder.to(device)


def _continued_model(arguments: ModelArguments, checkpoint: str) -> tuple[ClacModel, ClacProcessor]:
    embedder = ClacEmbedder.from_pretrained(checkpoint, device="cpu")
    model, config = embedder.model, embedder.model.config.graph_config
    wanted = {
        "composition_readout": bool(arguments.graph_composition_readout),
        "token_values": bool(arguments.token_values),
        **{name: bool(getattr(arguments, name)) for name in SHARED_FACTS},
    }
    if any(flag and not getattr(model.config, name, getattr(config, name, None)) for name, flag in wanted.items()):
        model = add_inputs(model, **wanted)
        config = model.config.graph_config
    given = {f"graph_{name}": (value, getattr(config, name)) for name, value in arguments.graph_settings().items()}
    for name in ("token_values", *SHARED_FACTS):
        if getattr(arguments, name) is not None:
            given[name] = (getattr(arguments, name), getattr(model.config, name))
    for name, (value, made_with) in given.items():
        if value != made_with:
            raise ClacInputError(
                f"{name}={value}, but {checkpoint} was made with {made_with}; "
                f"remove {name} from the recipe, or train without init_checkpoint"
            )
    return model.train(), embedder.processor


def add_inputs(
    model: ClacModel,
    composition_readout: bool = False,
    token_values: bool = False,
    **shared: bool,
) -> ClacModel:
    """
    Add new, untrained inputs to a trained model.

    The projections ignore a new composition readout and new quantity embeddings at first, so these leave all embeddings
    unchanged.

    Args:
        model: The trained model.
        composition_readout: Whether to add a `CompositionReadout`.
        token_values: Whether to add a `QuantityEmbedding`.
        shared: Which of the `SHARED_FACTS` to add, see `SharedFact`.

    Returns:
        A new model with the weights of `model`.
    """
    config: ClacConfig = deepcopy(model.config)  # type: ignore[assignment]
    graph_config: ClacGraphConfig = config.graph_config  # type: ignore[assignment]
    graph_config.composition_readout |= composition_readout
    config.token_values |= token_values
    for name, flag in shared.items():
        setattr(config, name, getattr(config, name) or flag)
    wider = ClacModel(config)
    weights = model.state_dict()
    added = {
        "crystal": wider.graph_model.output_size - model.graph_model.output_size,
        "text": wider.text_output_size - model.text_output_size,
    }
    for kind, size in added.items():
        for layer in ("shortcut", "hidden"):
            name = f"{kind}_projection.{layer}.weight"
            weights[name] = nn.functional.pad(weights[name], (0, size))
    wider.load_state_dict(weights, strict=False)
    return wider
