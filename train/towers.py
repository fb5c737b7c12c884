"""The model that a run of pre-training starts from."""

from __future__ import annotations

from copy import deepcopy

from torch import nn
from transformers import AutoTokenizer

from modeling_clac import ClacFeatureExtractor, ClacModel, ClacProcessor
from modeling_clac.embedder import ClacEmbedder
from modeling_clac.processing_clac import read_formulas
from modeling_clac.structures_clac import ClacInputError
from train.recipe import PretrainArguments


def build_model(arguments: PretrainArguments) -> tuple[ClacModel, ClacProcessor]:
    """
    Pretrained text tower, fresh graph tower and projections, and the processor that fits them; or a checkpoint's.

    Raises:
        ClacInputError: there is no such text tower or checkpoint, or the checkpoint has another graph tower.
    """
    if arguments.init_checkpoint is not None:
        return _continued_model(arguments, arguments.init_checkpoint)
    graph_config = arguments.graph_config()
    text_model = arguments.text_model_path or arguments.text_model
    try:
        model = ClacModel.from_text_graph_pretrained(
            text_model,
            graph_config,
            text_layers=arguments.text_layers,
            text_dropout=arguments.text_dropout,
            text_pooling=arguments.text_pooling,
            projection_dim=arguments.projection_dim,
        )
        tokenizer = AutoTokenizer.from_pretrained(text_model)
    except (OSError, ValueError) as error:
        raise ClacInputError(f"text_model {text_model}: {str(error).splitlines()[0]}") from None
    # The checkpoint names the model, not the place it was read from.
    model.config.text_config._name_or_path = arguments.text_model
    if arguments.split_formulas:
        tokenizer = read_formulas(tokenizer)
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)
    return model, ClacProcessor(ClacFeatureExtractor.from_graph_config(graph_config), tokenizer)


def _continued_model(arguments: PretrainArguments, checkpoint: str) -> tuple[ClacModel, ClacProcessor]:
    embedder = ClacEmbedder.from_pretrained(checkpoint, device="cpu")
    model, config = embedder.model, embedder.model.config.graph_config
    if arguments.graph_composition_readout and not config.composition_readout:
        model = add_composition_readout(model)
        config = model.config.graph_config
    for name, value in arguments.graph_settings().items():
        if getattr(config, name) != value:
            raise ClacInputError(
                f"graph_{name}={value}, but {checkpoint} was made with {getattr(config, name)}; "
                "leave it out of the recipe, or start from fresh towers"
            )
    return model.train(), embedder.processor


def add_composition_readout(model: ClacModel) -> ClacModel:
    """The same model with a fresh composition readout. The projection does not use it yet, so all embeddings stay."""
    config = deepcopy(model.config)
    config.graph_config.composition_readout = True
    wider = ClacModel(config)
    weights = model.state_dict()
    added = wider.graph_model.output_size - model.graph_model.output_size
    for layer in ("shortcut", "hidden"):
        name = f"crystal_projection.{layer}.weight"
        weights[name] = nn.functional.pad(weights[name], (0, added))
    wider.load_state_dict(weights, strict=False)
    return wider
