"""The CLaC model: a graph tower and a text tower with projections into one space."""

from __future__ import annotations

import inspect
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import ModelOutput, can_return_tuple

from .configuration_clac import ClacConfig, ClacGraphConfig
from .descriptors_clac import (
    PATTERN_SIZE,
    CompositionReadout,
    GeometryReadout,
    SymmetryReadout,
    graph_composition,
    pattern_features,
)
from .errors_clac import ClacInputError, first_line
from .formulas_clac import ELEMENTS
from .graph_encoders_clac import GRAPH_ENCODERS, init_clac_layer, pool_atoms
from .loaded_weights_clac import HEAD_MODULES, require_fitting_weights
from .loss_clac import info_nce_loss
from .projection_clac import ClacProjection, SharedComposition, SharedDensity, SharedFact, SharedStoichiometry
from .quantity_embedding_clac import QuantityEmbedding, text_composition, text_density

# CLIP's bound: a larger scale makes training unstable (arXiv 2103.00020, sec. 2.5).
MAX_LOGIT_SCALE = math.log(100.0)
# Auto classes of the text heads, for checkpoints of both towers; a graph head has no Auto class of its own.
HEADS = {
    "AutoModelForSequenceClassification": "heads_clac.ClacForSequenceClassification",
    "AutoModelForTokenClassification": "heads_clac.ClacForTokenClassification",
}


@dataclass
class ClacOutput(ModelOutput):
    """
    Output of [`ClacModel`]. With one modality only, the fields of the other one and the logits are `None`.

    Args:
        loss (`torch.Tensor`, *optional*): Scalar, the contrastive loss, with `return_loss=True`.
        logits_per_crystal (`torch.Tensor`): `(num_crystals, num_texts)`, logit scale times cosine similarity.
        logits_per_text (`torch.Tensor`): `(num_texts, num_crystals)`, the transpose of `logits_per_crystal`.
        crystal_embeds (`torch.Tensor`): `(num_crystals, projection_dim)`, unit vectors.
        text_embeds (`torch.Tensor`): `(num_texts, projection_dim)`, unit vectors.
        graph_model_output (`BaseModelOutputWithPooling`): Output of [`ClacModel.get_crystal_features`].
        text_model_output (`BaseModelOutputWithPooling`): Output of [`ClacModel.get_text_features`].
    """

    loss: Tensor | None = None
    logits_per_crystal: Tensor | None = None
    logits_per_text: Tensor | None = None
    crystal_embeds: Tensor | None = None
    text_embeds: Tensor | None = None
    graph_model_output: BaseModelOutputWithPooling | None = None
    text_model_output: BaseModelOutput | None = None

    def to_tuple(self) -> tuple[Any, ...]:
        """Convert to a tuple of all values that are not `None`."""
        towers = ("graph_model_output", "text_model_output")
        return tuple(getattr(self, k).to_tuple() if k in towers else self[k] for k in self.keys())


# Parts of checkpoints that a model of one tower, or a text tower without its own pooler, has no use for.
OF_THE_TEXT_TOWER = r"^(text_model|text_values|text_composition)\."
OF_THE_GRAPH_TOWER = r"^graph_model\."
OF_BOTH_TOWERS = (
    r"^((crystal_projection|text_projection|shared_composition|shared_stoichiometry|shared_density)\.|logit_scale$)"
)
OF_HEADS = rf"^({'|'.join(HEAD_MODULES)})\."
OF_OLD_ENCODERS = r"^text_model\.(pooler\.|embeddings\.position_ids$)"


class ClacPreTrainedModel(PreTrainedModel):
    """Base class of all models: initialisation of weights, and settings of `from_pretrained`."""

    config_class = ClacConfig
    base_model_prefix = "clac"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    # Patterns of the weights of other models that a checkpoint may hold as well.
    _of_other_models: tuple[str, ...] = ()
    # Keeps Trainer from rescaling a loss that is already a mean over the batch.
    accepts_loss_kwargs = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, ClacModel):
            init.constant_(module.logit_scale, math.log(self.config.logit_scale_init_value))
        elif isinstance(module, SharedFact):
            init.zeros_(module.log_gain)
        elif getattr(module, "starts_at_zero", False):
            init.zeros_(module.weight)  # type: ignore[arg-type]
        elif getattr(module, "is_clac_layer", False):
            init_clac_layer(module)  # type: ignore[arg-type]
        else:
            super()._init_weights(module)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Load a checkpoint, whose weights must fit its configuration.

        Args:
            pretrained_model_name_or_path: Directory or Hub id of the checkpoint.
            args: See `PreTrainedModel.from_pretrained`.
            kwargs: See `PreTrainedModel.from_pretrained`.

        Returns:
            The model.

        Raises:
            ClacInputError: If the file is damaged, or weights are missing, unexpected, of another shape, or not finite.
                Only a new head of `heads_clac` may be missing, which is then initialised.
        """
        wants_info = kwargs.pop("output_loading_info", False)
        other_shapes = kwargs.pop("ignore_mismatched_sizes", False)
        try:
            # The error of transformers for weights of another shape does not name them.
            loaded: Any = super().from_pretrained(
                pretrained_model_name_or_path, *args, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
            )
        except SafetensorError as error:
            raise ClacInputError(
                f"{pretrained_model_name_or_path}: damaged weights ({first_line(error)}); save or download it again"
            ) from None
        model, info = loaded
        others = re.compile("|".join((*cls._of_other_models, OF_HEADS)))
        info["unexpected_keys"] = {name for name in info["unexpected_keys"] if not others.search(name)}
        require_fitting_weights(model, pretrained_model_name_or_path, info, other_shapes)
        return (model, info) if wants_info else model


class ClacGraphModel(ClacPreTrainedModel):
    """
    The graph tower of CLaC: a graph network with pooling and optional readouts.

    Args:
        config (`ClacGraphConfig`): Configuration of the model.

    Attributes:
        output_size (`int`): Number of features per crystal.
    """

    config_class = ClacGraphConfig  # type: ignore[assignment]
    base_model_prefix = "graph_model"
    main_input_name = "atomic_numbers"
    # The sums over neighbours recompute their messages anyway, see `sum_messages`.
    supports_gradient_checkpointing = False
    # The tower is small, and its edges would have to be copied to each device.
    _no_split_modules = ["ClacGraphModel"]
    # transformers would take `_keys_to_ignore_on_load_unexpected` of a tower for the whole model as well.
    _of_other_models = (OF_THE_TEXT_TOWER, OF_BOTH_TOWERS)

    def __init__(self, config: ClacGraphConfig):
        super().__init__(config)
        self.encoder = GRAPH_ENCODERS[config.encoder](config)
        self.readout = GeometryReadout(config) if config.geometry_readout else None
        self.composition = None
        if config.composition_readout:
            self.composition = CompositionReadout(config.max_atomic_number, config.hidden_size)
        self.symmetry = SymmetryReadout(config.hidden_size) if config.symmetry_readout else None
        pooled_size = config.hidden_size * (2 if config.pooling == "mean_max" else 1)
        readouts = [readout for readout in (self.readout, self.composition) if readout is not None]
        self.output_size: int = pooled_size + sum(readout.output_size for readout in readouts)
        self.output_size += config.hidden_size if config.symmetry_readout else 0
        self.output_size += PATTERN_SIZE if config.pattern_readout else 0
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        embedding: nn.Embedding = self.encoder.embedding  # type: ignore[assignment]
        return embedding

    @can_return_tuple
    def forward(
        self,
        atomic_numbers: Tensor,
        edge_index: Tensor,
        edge_vector: Tensor,
        batch: Tensor,
        num_atoms: Tensor,
        volume_per_atom: Tensor | None = None,
        density: Tensor | None = None,
        occupancy: Tensor | None = None,
        space_group: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        r"""
        Compute features of atoms and crystals.

        Args:
            atomic_numbers: `(N,)` int64.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edge_vector: `(E, 3)` float, r_j + S·L - r_i in Å.
            batch: `(N,)` int64, graph of each atom.
            num_atoms: `(B,)` int64.
            volume_per_atom: `(B,)` in Å³, used by the geometry readout only.
            density: `(B,)` in g/cm³, used by the geometry readout only.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.
            space_group: `(B,)` int64, 0 if unknown; used by the symmetry readout only.
            kwargs: Ignored, except for `return_dict`.

        Returns:
            A `BaseModelOutputWithPooling` with `last_hidden_state` `(N, hidden_size)`, the atom features, and
            `pooler_output` `(B, output_size)`, the crystal features.

        Raises:
            ValueError: If the geometry readout misses `volume_per_atom` or `density`, or the symmetry readout
                `space_group`.
        """
        atoms = self.encoder(atomic_numbers, edge_index, edge_vector, occupancy)
        pooled = pool_atoms(atoms, batch, num_atoms.shape[0], self.config.pooling, occupancy)
        if self.readout is not None:
            if volume_per_atom is None or density is None:
                raise ValueError(
                    "volume_per_atom or density is missing; the geometry readout of this model needs both, and "
                    "ClacFeatureExtractor returns them"
                )
            geometry = self.readout(atoms, edge_index, edge_vector, batch, volume_per_atom, density, occupancy)
            pooled = torch.cat([pooled, geometry], dim=-1)
        if self.composition is not None or self.config.pattern_readout:
            fractions = graph_composition(atomic_numbers, batch, num_atoms, self.config.max_atomic_number, occupancy)
            if self.composition is not None:
                pooled = torch.cat([pooled, self.composition(fractions)], dim=-1)
            if self.config.pattern_readout:
                pooled = torch.cat([pooled, pattern_features(fractions).to(pooled.dtype)], dim=-1)
        if self.symmetry is not None:
            if space_group is None:
                raise ValueError(
                    "space_group is missing; the symmetry readout of this model needs it, and a ClacFeatureExtractor "
                    "with symmetry=True returns it"
                )
            pooled = torch.cat([pooled, self.symmetry(space_group).to(pooled.dtype)], dim=-1)
        return BaseModelOutputWithPooling(last_hidden_state=atoms, pooler_output=pooled)


def pool_tokens(hidden: Tensor, attention_mask: Tensor | None, pooling: str) -> Tensor:
    """
    Pool token features to text features.

    Args:
        hidden: `(B, L, F)`, features of the tokens.
        attention_mask: `(B, L)`, 0 for padding; `None` if there is no padding.
        pooling: `"cls"` for the first attended token, `"mean"` for the mean over the attended tokens.

    Returns:
        `(B, F)`.
    """
    if attention_mask is None:
        return hidden[:, 0] if pooling == "cls" else hidden.mean(dim=1)
    if pooling == "cls":
        first = attention_mask.long().argmax(dim=1)
        return hidden[torch.arange(hidden.shape[0], device=hidden.device), first]
    weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def without_pooler(config: Any) -> dict[str, bool]:
    """
    Return the arguments that build an encoder without a pooler of its own; CLaC pools the tokens itself.

    Args:
        config: Configuration of the encoder.

    Returns:
        Keyword arguments for `AutoModel.from_config`.
    """
    signature = inspect.signature(MODEL_MAPPING[type(config)])  # type: ignore[arg-type]
    return {"add_pooling_layer": False} if "add_pooling_layer" in signature.parameters else {}


def first_position(encoder: nn.Module) -> int | None:
    """
    Return the position id of the first token of a text; `None` if the encoder takes no absolute positions.

    Args:
        encoder: A BERT-type encoder.

    Returns:
        0 for BERT; RoBERTa and its descendants count from the id after that of the padding.
    """
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, nn.Embedding) or "position_ids" not in inspect.signature(encoder.forward).parameters:
        return None
    return 0 if table.padding_idx is None else table.padding_idx + 1


def load_text_encoder(
    name_or_path: str, text_layers: Sequence[int] | None = None, text_dropout: float | None = None
) -> PreTrainedModel:
    """
    Load a BERT-type encoder in float32, optionally with some of its layers only.

    Args:
        name_or_path: Directory or Hub id (`"allenai/scibert_scivocab_uncased"`, `"m3rg-iitd/matscibert"`, ...).
        text_layers: Keep only these transformer layers, in this order. Default: all.
        text_dropout: Dropout of the hidden states. Default: the encoder's own. If given, the dropout of attention
            weights is set to 0, since it rules out fused attention and takes a third more time on a CPU.

    Returns:
        The encoder.

    Raises:
        ValueError: If the encoder has no such layer.
    """
    encoder = AutoModel.from_pretrained(name_or_path, dtype=torch.float32)
    if text_layers is not None:
        layers = encoder.encoder.layer
        wrong = [index for index in text_layers if not 0 <= index < len(layers)]
        if wrong or not text_layers:
            raise ValueError(f"text_layers={list(text_layers)}: the encoder has layers 0 to {len(layers) - 1}")
        encoder.encoder.layer = nn.ModuleList(layers[index] for index in text_layers)
        encoder.config.num_hidden_layers = len(text_layers)
    if text_dropout is not None:
        encoder.config.hidden_dropout_prob, encoder.config.attention_probs_dropout_prob = text_dropout, 0.0
    return encoder


class ClacTextModel(ClacPreTrainedModel):
    """
    The text tower of CLaC: a BERT-type encoder with embeddings of the quantities in the text, and pooling.

    [`ClacModel`] and the text heads in `heads_clac` are subclasses, so that each has the whole text tower.

    Args:
        config (`ClacConfig`): Configuration of the model.

    Attributes:
        text_output_size (`int`): Number of features per text.
    """

    _keys_to_ignore_on_load_unexpected = [OF_THE_GRAPH_TOWER, OF_BOTH_TOWERS, OF_HEADS, OF_OLD_ENCODERS]
    _no_split_modules = [
        *("QuantityEmbedding", "CompositionReadout", "ClacProjection"),
        *("SharedComposition", "SharedStoichiometry", "SharedDensity"),
    ]

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        text_config: Any = config.text_config
        self.text_model = AutoModel.from_config(text_config, **without_pooler(text_config))
        self._first_position = first_position(self.text_model)
        self.text_values = QuantityEmbedding(text_config.hidden_size) if config.token_values else None
        self.text_composition = None
        self.text_output_size: int = text_config.hidden_size
        if config.token_values:
            self.text_composition = CompositionReadout(len(ELEMENTS), config.projection_dim // 2)
            self.text_output_size += self.text_composition.output_size
        self.post_init()

    def load_text_encoder_weights(self, encoder: PreTrainedModel) -> None:
        """
        Copy the weights of an encoder, except for its pooler.

        Args:
            encoder: An encoder of the same architecture, see [`load_text_encoder`].
        """
        weights = {name: value for name, value in encoder.state_dict().items() if not name.startswith("pooler.")}
        self.text_model.load_state_dict(weights)

    def get_input_embeddings(self) -> nn.Module:
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.text_model.set_input_embeddings(value)

    def pool_text(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        r"""
        Encode and pool texts.

        Args:
            input_ids: `(B, L)` int64, token ids. Not used with `inputs_embeds`.
            attention_mask: `(B, L)`, 0 for padding.
            token_type_ids: `(B, L)` int64, segment of each token.
            token_kinds: `(B, L)` int64, kinds of the tokens of numbers and formulas, see [`ClacTokenizer`].
            token_values: `(B, L)` float, values of the tokens of numbers and formulas, see [`ClacTokenizer`]. A model
                with `token_values` in its configuration needs both `token_kinds` and `token_values`; others ignore
                them.
            inputs_embeds: `(B, L, H)`, word embeddings of the tokens. Default: those of `input_ids`.
            kwargs: Arguments of the encoder, such as `output_hidden_states`, `output_attentions` and `position_ids`.
                Default of the last: the attended tokens of each text in their order.

        Returns:
            A `BaseModelOutputWithPooling` with `last_hidden_state` `(B, L, H)`, `pooler_output`
            `(B, text_output_size)`, `hidden_states` and `attentions`. With `token_values` in the configuration,
            `pooler_output` is the pooled tokens followed by the embedded composition of the formulas.

        Raises:
            ValueError: If there are neither `input_ids` nor `inputs_embeds`, or the model needs `token_kinds` and
                `token_values` and one is missing.
        """
        if input_ids is None and inputs_embeds is None:
            raise ValueError("input_ids is missing; give input_ids or inputs_embeds")
        words: Tensor = self.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        inputs: dict[str, Tensor | None] = {"attention_mask": attention_mask, "inputs_embeds": words}
        if self.text_values is not None:
            if token_kinds is None or token_values is None:
                raise ValueError(
                    "token_kinds or token_values is missing; the text tower of this model needs both, and "
                    "ClacTokenizer and ClacProcessor return them"
                )
            inputs["inputs_embeds"] = words + self.text_values(token_kinds, token_values).to(words.dtype)
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        if attention_mask is not None and self._first_position is not None:
            # Encoders count from the first column, which is padding if texts are padded on the left.
            places = attention_mask.long().cumsum(dim=1) - 1
            inputs["position_ids"] = places.clamp(min=0) + self._first_position
        output = self.text_model(**{**inputs, **kwargs}, return_dict=True)
        hidden = output.last_hidden_state
        pooled = pool_tokens(hidden, attention_mask, self.config.text_pooling)
        if self.text_values is not None and self.text_composition is not None:
            assert token_kinds is not None and token_values is not None
            pooled = pooled + self.text_values.pool(hidden, token_kinds).to(pooled.dtype)
            composition = self.text_composition(text_composition(token_kinds, token_values))
            pooled = torch.cat([pooled, composition.to(pooled.dtype)], dim=-1)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden,
            pooler_output=pooled,
            hidden_states=output.get("hidden_states"),
            attentions=output.get("attentions"),
        )

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        """
        Encode and pool texts.

        Args:
            input_ids: See [`ClacTextModel.pool_text`].
            attention_mask: See [`ClacTextModel.pool_text`].
            token_type_ids: See [`ClacTextModel.pool_text`].
            token_kinds: See [`ClacTextModel.pool_text`].
            token_values: See [`ClacTextModel.pool_text`].
            inputs_embeds: See [`ClacTextModel.pool_text`].
            kwargs: See [`ClacTextModel.pool_text`].

        Returns:
            See [`ClacTextModel.pool_text`].
        """
        return self.pool_text(
            input_ids, attention_mask, token_type_ids, token_kinds, token_values, inputs_embeds, **kwargs
        )


class ClacModel(ClacTextModel):
    """
    The CLaC model: a graph tower and a text tower, projected into one embedding space (arXiv 2502.16451).

    Args:
        config (`ClacConfig`): Configuration of the model.
    """

    _keys_to_ignore_on_load_unexpected = [OF_OLD_ENCODERS]
    _keep_in_fp32_modules_strict = ["logit_scale", "log_gain"]

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        graph_config: Any = config.graph_config
        self.graph_model = ClacGraphModel(graph_config)
        dim, dropout = config.projection_dim, float(config.projection_dropout)
        self.crystal_projection = ClacProjection(self.graph_model.output_size, dim, dropout)
        self.text_projection = ClacProjection(self.text_output_size, dim, dropout)
        self.shared_composition = SharedComposition(len(ELEMENTS), dim) if config.shared_composition else None
        self.shared_stoichiometry = SharedStoichiometry(len(ELEMENTS), dim) if config.shared_stoichiometry else None
        self.shared_density = SharedDensity(dim) if config.shared_density else None
        self.logit_scale = nn.Parameter(torch.tensor(math.log(config.logit_scale_init_value)))
        self.post_init()

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Save the model, see `PreTrainedModel.save_pretrained`, with the code of the text heads in `heads_clac`.

        So `AutoModelForTokenClassification` and `AutoModelForSequenceClassification` put a new head on the checkpoint
        where this package is not installed.
        """
        heads = Path(__file__).with_name(f"{next(iter(HEADS.values())).partition('.')[0]}.py")
        if self._auto_class is not None and heads.is_file():
            self.config.auto_map = {**(getattr(self.config, "auto_map", None) or {}), **HEADS}
            Path(save_directory).mkdir(parents=True, exist_ok=True)
            for file in (str(heads), *get_relative_import_files(heads)):
                shutil.copy(file, save_directory)
        return super().save_pretrained(save_directory, *args, **kwargs)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the towers. The logit scale, the first parameter of the model, stays in float32."""
        return self.text_model.dtype

    @classmethod
    def from_text_graph_pretrained(
        cls,
        text_model_name_or_path: str,
        graph_config: ClacGraphConfig | PreTrainedConfig | dict[str, Any] | None = None,
        text_layers: Sequence[int] | None = None,
        text_dropout: float | None = None,
        graph_model_name_or_path: str | None = None,
        **kwargs: Any,
    ) -> ClacModel:
        r"""
        Create a model with a pretrained text encoder and new projections.

        Args:
            text_model_name_or_path: Directory or Hub id of any BERT-type encoder, see [`load_text_encoder`].
            graph_config: Configuration of a new graph tower. Default: `ClacGraphConfig()`.
            text_layers: Keep only these layers of the encoder, see [`load_text_encoder`].
            text_dropout: Dropout of the encoder, see [`load_text_encoder`].
            graph_model_name_or_path: Directory or Hub id of a [`ClacGraphModel`] to use instead of a new graph tower.
            kwargs: Fields of [`ClacConfig`].

        Returns:
            The model.
        """
        encoder = load_text_encoder(text_model_name_or_path, text_layers, text_dropout)
        graph_model = None
        if graph_model_name_or_path is not None:
            graph_model = ClacGraphModel.from_pretrained(graph_model_name_or_path, dtype=torch.float32)
            graph_config = graph_model.config
        config = ClacConfig(text_config=encoder.config, graph_config=graph_config or ClacGraphConfig(), **kwargs)
        model = cls(config)
        model.load_text_encoder_weights(encoder)
        if graph_model is not None:
            model.graph_model.load_state_dict(graph_model.state_dict())
        return model

    @can_return_tuple
    def get_text_features(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        r"""
        Embed texts.

        Args:
            input_ids: `(B, L)` int64, token ids. Not used with `inputs_embeds`.
            attention_mask: `(B, L)`, 0 for padding.
            token_type_ids: `(B, L)` int64, segment of each token.
            token_kinds: `(B, L)` int64, kinds of the tokens of numbers and formulas, see [`ClacTokenizer`].
            token_values: `(B, L)` float, values of the tokens of numbers and formulas, see [`ClacTokenizer`]. A model
                with `token_values` in its configuration needs both `token_kinds` and `token_values`; others ignore
                them.
            kwargs: `inputs_embeds` `(B, L, H)`, and arguments of the encoder, such as `output_hidden_states` and
                `output_attentions`.

        Returns:
            A `BaseModelOutputWithPooling` with `pooler_output` `(B, projection_dim)`, unit vectors, and
            `last_hidden_state` `(B, L, H)` with the hidden size H of the encoder.

        Raises:
            ValueError: If an input is missing, see [`ClacTextModel.pool_text`].
        """
        output = self.pool_text(input_ids, attention_mask, token_type_ids, token_kinds, token_values, **kwargs)
        output.pooler_output = self.embed_text(output.pooler_output, token_kinds, token_values)
        return output

    def embed_text(self, pooled: Tensor | None, token_kinds: Tensor | None, token_values: Tensor | None) -> Tensor:
        """
        Project pooled texts into the shared space and add the shared facts.

        Args:
            pooled: `(B, text_output_size)`, `pooler_output` of [`ClacTextModel.pool_text`].
            token_kinds: `(B, L)` int64, see [`ClacTokenizer`].
            token_values: `(B, L)` float, see [`ClacTokenizer`]. Without both, no shared facts are added.

        Returns:
            Unit vectors `(B, projection_dim)`.
        """
        embeds: Tensor = self.text_projection(pooled)
        if token_kinds is None or token_values is None:
            return embeds
        for shared in (self.shared_composition, self.shared_stoichiometry):
            if shared is not None:
                embeds = shared(embeds, text_composition(token_kinds, token_values))
        if self.shared_density is not None:
            embeds = self.shared_density(embeds, text_density(token_kinds, token_values))
        return embeds

    def embed_crystals(
        self,
        pooled: Tensor | None,
        atomic_numbers: Tensor,
        batch: Tensor,
        num_atoms: Tensor,
        density: Tensor | None = None,
        occupancy: Tensor | None = None,
    ) -> Tensor:
        """
        Project pooled crystals into the shared space and add the shared facts.

        Args:
            pooled: `(B, output_size)`, `pooler_output` of [`ClacGraphModel`].
            atomic_numbers: `(N,)` int64.
            batch: `(N,)` int64, graph of each atom.
            num_atoms: `(B,)` int64.
            density: `(B,)` in g/cm³, used by the shared density only.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.

        Returns:
            Unit vectors `(B, projection_dim)`.

        Raises:
            ValueError: If the shared density misses `density`.
        """
        fractions = graph_composition(atomic_numbers, batch, num_atoms, len(ELEMENTS), occupancy)
        return self.project_crystals(pooled, fractions, density)

    def project_crystals(self, pooled: Tensor | None, fractions: Tensor, density: Tensor | None = None) -> Tensor:
        """
        Project pooled crystals into the shared space and add the shared facts.

        Args:
            pooled: `(B, output_size)`, `pooler_output` of [`ClacGraphModel`].
            fractions: `(B, 119)`, atomic fractions, see [`graph_composition`].
            density: `(B,)` in g/cm³, used by the shared density only.

        Returns:
            Unit vectors `(B, projection_dim)`.

        Raises:
            ValueError: If the shared density misses `density`.
        """
        embeds: Tensor = self.crystal_projection(pooled)
        for shared in (self.shared_composition, self.shared_stoichiometry):
            if shared is not None:
                embeds = shared(embeds, fractions)
        if self.shared_density is not None:
            if density is None:
                raise ValueError(
                    "density is missing; the shared density of this model needs it, and ClacFeatureExtractor returns it"
                )
            embeds = self.shared_density(embeds, density)
        return embeds

    @can_return_tuple
    def get_crystal_features(
        self,
        atomic_numbers: Tensor,
        edge_index: Tensor,
        edge_vector: Tensor,
        batch: Tensor,
        num_atoms: Tensor,
        volume_per_atom: Tensor | None = None,
        density: Tensor | None = None,
        occupancy: Tensor | None = None,
        space_group: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        r"""
        Embed crystals.

        Args:
            atomic_numbers: `(N,)` int64.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edge_vector: `(E, 3)` float, r_j + S·L - r_i in Å.
            batch: `(N,)` int64, graph of each atom.
            num_atoms: `(B,)` int64.
            volume_per_atom: `(B,)` in Å³, used by the geometry readout only.
            density: `(B,)` in g/cm³, used by the geometry readout and the shared density only.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.
            space_group: `(B,)` int64, 0 if unknown; used by the symmetry readout only.
            kwargs: Ignored, except for `return_dict`.

        Returns:
            A `BaseModelOutputWithPooling` with `pooler_output` `(B, projection_dim)`, unit vectors, and
            `last_hidden_state` `(N, hidden_size)`, the atom features of the graph tower.

        Raises:
            ValueError: If the model needs `volume_per_atom`, `density` or `space_group` and it is missing.
        """
        output = self.graph_model(
            atomic_numbers,
            edge_index,
            edge_vector,
            batch,
            num_atoms,
            volume_per_atom,
            density,
            occupancy,
            space_group,
            return_dict=True,
        )
        output.pooler_output = self.embed_crystals(
            output.pooler_output, atomic_numbers, batch, num_atoms, density, occupancy
        )
        return output

    @can_return_tuple
    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor | None = None,
        atomic_numbers: Tensor | None = None,
        edge_index: Tensor | None = None,
        edge_vector: Tensor | None = None,
        batch: Tensor | None = None,
        num_atoms: Tensor | None = None,
        volume_per_atom: Tensor | None = None,
        density: Tensor | None = None,
        occupancy: Tensor | None = None,
        space_group: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        return_loss: bool | None = None,
        **kwargs: Any,
    ) -> ClacOutput:
        r"""
        Embed texts, crystals or both, and compute the similarities of all pairs.

        Args:
            input_ids: `(num_texts, L)` int64, token ids. `None` without texts.
            atomic_numbers: `(N,)` int64. `None` without crystals.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edge_vector: `(E, 3)` float, r_j + S·L - r_i in Å.
            batch: `(N,)` int64, graph of each atom.
            num_atoms: `(num_crystals,)` int64.
            volume_per_atom: `(num_crystals,)` in Å³, used by the geometry readout only.
            density: `(num_crystals,)` in g/cm³, used by the geometry readout and the shared density only.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.
            space_group: `(num_crystals,)` int64, 0 if unknown; used by the symmetry readout only.
            attention_mask: `(num_texts, L)`, 0 for padding.
            token_type_ids: `(num_texts, L)` int64, segment of each token.
            token_kinds: `(num_texts, L)` int64, see [`ClacModel.get_text_features`].
            token_values: `(num_texts, L)` float, see [`ClacModel.get_text_features`].
            return_loss: Also compute the contrastive loss; text i must then belong to crystal i, so there are no
                labels. Default: `False`. In training mode, the negatives are the rows of all processes: all must
                compute the loss, with equally many pairs. In evaluation mode they are those of the process.
            kwargs: `inputs_embeds`, and arguments of the text encoder, such as `output_hidden_states` and
                `output_attentions`.

        Returns:
            A [`ClacOutput`].

        Raises:
            ValueError: If there are neither texts nor crystals, `return_loss` is set and the numbers of texts and
                crystals differ, an input is missing that the model needs, or there are `labels`.
        """
        if "labels" in kwargs:
            raise ValueError("the model takes no labels, since text i belongs to crystal i; give return_loss=True")
        graph_output = text_output = crystal_embeds = text_embeds = None
        if atomic_numbers is not None:
            if edge_index is None or edge_vector is None or batch is None or num_atoms is None:
                raise ValueError(
                    "edge_index, edge_vector, batch or num_atoms is missing; crystals need all, and "
                    "ClacFeatureExtractor returns them"
                )
            graph_output = self.get_crystal_features(
                atomic_numbers,
                edge_index,
                edge_vector,
                batch,
                num_atoms,
                volume_per_atom,
                density,
                occupancy,
                space_group,
                return_dict=True,
            )
            crystal_embeds = graph_output.pooler_output
        if input_ids is not None or kwargs.get("inputs_embeds") is not None:
            text_output = self.get_text_features(
                input_ids, attention_mask, token_type_ids, token_kinds, token_values, return_dict=True, **kwargs
            )
            text_embeds = text_output.pooler_output
        if crystal_embeds is None and text_embeds is None:
            raise ValueError("there is nothing to embed; give input_ids, atomic_numbers, or both")
        loss = logits = None
        if crystal_embeds is not None and text_embeds is not None:
            # Always in float32: half precision does not resolve logits near 100.
            scale = self.logit_scale.float().clamp(max=MAX_LOGIT_SCALE).exp()
            logits = scale * crystal_embeds.float() @ text_embeds.float().T
        if return_loss:
            num_crystals, num_texts = (
                0 if embeds is None else embeds.shape[0] for embeds in (crystal_embeds, text_embeds)
            )
            if crystal_embeds is None or text_embeds is None or num_crystals != num_texts:
                raise ValueError(
                    f"the loss needs pairs, got {num_crystals} crystals, {num_texts} texts; give one text for each "
                    "crystal"
                )
            loss = info_nce_loss(crystal_embeds.float(), text_embeds.float(), scale, gather=self.training)
        return ClacOutput(
            loss=loss,
            logits_per_crystal=logits,
            logits_per_text=None if logits is None else logits.T,
            crystal_embeds=crystal_embeds,
            text_embeds=text_embeds,
            graph_model_output=graph_output,
            text_model_output=text_output,
        )


__all__ = [
    "ClacGraphModel",
    "ClacModel",
    "ClacOutput",
    "ClacPreTrainedModel",
    "ClacTextModel",
    "load_text_encoder",
    "pool_tokens",
    "without_pooler",
]
