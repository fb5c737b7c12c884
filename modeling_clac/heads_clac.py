"""
Fine-tuning heads on one tower of CLaC: tags of words and classes of texts on the text tower, properties and classes of
crystals on the graph tower. Parts keep the names that they have in [`ClacModel`], so a whole checkpoint fills them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput, TokenClassifierOutput
from transformers.utils import can_return_tuple

from .checkpoint_files_clac import require_tower, tensor_names
from .configuration_clac import SHARED_FACTS, ClacConfig
from .crf_clac import LinearChainCrf
from .errors_clac import ClacInputError, first_line
from .graph_encoders_clac import use_clac_init
from .loss_clac import IGNORE_INDEX
from .modeling_clac import ClacGraphModel, ClacPreTrainedModel, ClacTextModel, load_text_encoder

_HUB_OPTIONS = ("revision", "token", "cache_dir", "subfolder")
# By how much the Viterbi tag exceeds the others where another one has the larger marginal.
_MARGIN = 1e-3
# The label of what carries none.


class _ClacHead(ClacPreTrainedModel):
    """A head on the tower `tower`; what else a whole checkpoint holds is left alone."""

    tower: str
    _keys_to_ignore_on_load_unexpected = [
        r"^(text_model|graph_model|crystal_projection|text_projection|text_values|text_composition)\.",
        r"^(shared_composition|shared_stoichiometry|shared_density)\.",
        r"^logit_scale$",
    ]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, LinearChainCrf):
            for table in module.parameters():
                init.zeros_(table)
        else:
            super()._init_weights(module)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """
        As `PreTrainedModel.from_pretrained`, from a whole CLaC checkpoint or one with this tower.

        Raises:
            ClacInputError: the checkpoint has no weights of the tower, which would stay random.
        """
        hub = {name: value for name, value in kwargs.items() if name in _HUB_OPTIONS}
        if pretrained_model_name_or_path is not None:
            require_tower(pretrained_model_name_or_path, cls.tower, **hub)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        """As `PreTrainedModel.save_pretrained`."""
        # A configuration read from a whole checkpoint names the code of the whole model too, which is not saved here.
        self.config.auto_map = {}
        return super().save_pretrained(save_directory, *args, **kwargs)


class _ClacTextHead(_ClacHead, ClacTextModel):
    tower = "text"

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Load from a whole CLaC checkpoint, or from one that was fine-tuned on its text tower.

        Heads that were saved before the quantity embeddings became part of them are loaded as they were trained:
        without `token_values`.

        Raises:
            ClacInputError: The checkpoint has no weights of the text tower, which would stay random.
        """
        if pretrained_model_name_or_path is not None and not args:
            hub = {name: value for name, value in kwargs.items() if name in _HUB_OPTIONS}
            names = tensor_names(pretrained_model_name_or_path, **hub)
            if not any(name.startswith("text_values.") for name in names):
                without = dict.fromkeys(("token_values", *SHARED_FACTS), False)
                if kwargs.get("config") is None:
                    kwargs |= without
                else:
                    kwargs["config"] = deepcopy(kwargs["config"])
                    kwargs["config"].update(without)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    @classmethod
    def from_text_pretrained(
        cls,
        directory: str,
        text_layers: Sequence[int] | None = None,
        text_pooling: str = "mean",
        text_dropout: float | None = None,
        **config: Any,
    ) -> Any:
        """
        Put a fresh head on a BERT-type encoder that has not seen CLaC's training.

        Args:
            directory: Of the encoder, or its Hub id.
            text_layers: Keep these layers only, in this order.
            text_pooling: `"mean"` or `"cls"`.
            text_dropout: See [`load_text_encoder`].
            config: Fields of [`ClacConfig`], such as `id2label` and `use_crf`.

        Raises:
            ClacInputError: There is no such encoder, it lacks a layer, or it is a CLaC checkpoint.
        """
        try:
            if AutoConfig.from_pretrained(directory).model_type == ClacConfig.model_type:
                raise ClacInputError(f"{directory}: is a CLaC checkpoint; load it with from_pretrained")
            encoder = load_text_encoder(str(directory), text_layers, text_dropout)
            model = cls(ClacConfig(text_config=encoder.config, text_pooling=text_pooling, **config))
            model.load_text_encoder_weights(encoder)
        except ClacInputError:
            raise
        except (OSError, ValueError) as error:
            raise ClacInputError(f"{directory}: {first_line(error)}") from None
        return model

    def _read(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None,
        token_kinds: Tensor | None,
        token_values: Tensor | None,
        options: dict[str, Any],
    ) -> BaseModelOutputWithPooling:
        """Output of the text tower; other entries of a batch than options of the encoder are left alone."""
        known = ("output_hidden_states", "output_attentions", "position_ids")
        return self.pool_text(
            input_ids,
            attention_mask,
            token_type_ids,
            token_kinds,
            token_values,
            **{name: options[name] for name in known if name in options},
        )


class ClacForTokenClassification(_ClacTextHead):
    """Tags of words: the text tower, a linear layer on each piece and, with `use_crf`, a CRF over the words."""

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))
        self.classifier = nn.Linear(self.text_model.config.hidden_size, _num_labels(config))
        self.crf = LinearChainCrf(_num_labels(config)) if config.use_crf else None
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        labels: Tensor | None = None,
        word_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> TokenClassifierOutput:
        r"""
        Predict the tags of the words of texts.

        Args:
            input_ids: `(B, L)` int64.
            attention_mask: `(B, L)`.
            token_type_ids: `(B, L)`.
            token_kinds: `(B, L)` int64, see [`ClacTokenizer`].
            token_values: `(B, L)` float.
            labels: `(B, L)` int64, -100 for pieces that carry none, which are all but the first of each word.
            word_mask: `(B, L)` bool, the pieces that the CRF decodes; default those with labels, and without labels all
                attended ones but the first and last, which are [CLS] and [SEP]. Not used without a CRF.

        Returns:
            `logits` `(B, L, num_labels)`, `hidden_states`, `attentions`; with labels `loss`, the mean negative log
            likelihood per labelled piece, 0 if there is none. With a CRF that of the tags of the labelled pieces of a
            row as one sequence; and in evaluation mode the logits of decoded pieces are log marginal probabilities, in
            which the tag of the Viterbi path, where it is not the largest, is lifted just above it: their argmax is the
            path and their softmax a probability.

        Raises:
            ValueError: a label is out of range.
        """
        output = self._read(input_ids, attention_mask, token_type_ids, token_kinds, token_values, kwargs)
        logits = self.classifier(self.dropout(output.last_hidden_state))
        loss = None
        if labels is not None:
            labelled = labels != IGNORE_INDEX
            _check_labels(labels[labelled], logits.shape[2])
            if self.crf is None:
                total = F.cross_entropy(
                    logits.float().flatten(0, 1), labels.flatten(), reduction="sum", ignore_index=IGNORE_INDEX
                )
            else:
                total = -self.crf.log_likelihood(logits, labels, labelled).sum()
            loss = total / labelled.sum().clamp(min=1)
        if self.crf is not None and not self.training:
            if word_mask is None:
                word_mask = _inner(input_ids, attention_mask) if labels is None else labels != IGNORE_INDEX
            logits = _decoded(self.crf, logits, word_mask.bool())
        return TokenClassifierOutput(
            loss=loss, logits=logits, hidden_states=output.hidden_states, attentions=output.attentions
        )


def _inner(input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """`(B, L)` bool: attended places but the first and the last of each row."""
    attended = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    attended = attended.bool()
    count = attended.cumsum(dim=1)
    return attended & (count > 1) & (count < count[:, -1:])


def _decoded(crf: LinearChainCrf, logits: Tensor, mask: Tensor) -> Tensor:
    """Logits `(B, L, K)` whose argmax is the Viterbi path where the mask `(B, L)` is true."""
    marginals = crf.log_marginals(logits, mask)
    on_path = F.one_hot(crf.viterbi(logits, mask).clamp(min=0), logits.shape[2]).bool()
    others = marginals.masked_fill(on_path, -torch.inf).amax(dim=2, keepdim=True)
    lifted = torch.where(on_path, torch.maximum(marginals, others + _MARGIN), marginals)
    return torch.where(mask.unsqueeze(2), lifted, logits.float())


class ClacForSequenceClassification(_ClacTextHead):
    """Classes of texts: the text tower, pooled as the configuration says, and a linear layer."""

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))
        self.classifier = nn.Linear(self.text_output_size, _num_labels(config))
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        r"""
        Predict the class of texts.

        Args:
            input_ids: `(B, L)` int64.
            attention_mask: `(B, L)`.
            token_type_ids: `(B, L)`.
            token_kinds: `(B, L)` int64, see [`ClacTokenizer`].
            token_values: `(B, L)` float.
            labels: `(B,)` int64.

        Returns:
            `logits` `(B, num_labels)`, `hidden_states`, `attentions`; with labels `loss`, the mean cross entropy.

        Raises:
            ValueError: a label is out of range.
        """
        output = self._read(input_ids, attention_mask, token_type_ids, token_kinds, token_values, kwargs)
        logits = self.classifier(self.dropout(output.pooler_output))
        return SequenceClassifierOutput(
            loss=_class_loss(logits, labels),
            logits=logits,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )


class _ClacGraphHead(_ClacHead):
    tower = "graph"
    main_input_name = "atomic_numbers"

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        graph_config: Any = config.graph_config
        self.graph_model = ClacGraphModel(graph_config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))

    def get_input_embeddings(self) -> nn.Module:
        return self.graph_model.get_input_embeddings()


class ClacForGraphRegression(_ClacGraphHead):
    """
    A property of crystals: the graph tower and a small network, which learns the target in units of its spread,
    (y - target_mean) / target_std, and answers in the target's own unit.
    """

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        hidden = self.graph_model.config.hidden_size
        self.regressor = nn.Sequential(nn.Linear(self.graph_model.output_size, hidden), nn.SiLU(), nn.Linear(hidden, 1))
        use_clac_init(self.regressor)
        self.post_init()

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
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        r"""
        Predict the property of crystals. [`ClacGraphModel.forward`] describes the other inputs.

        Args:
            labels: `(B,)` float, in `config.target_unit`.

        Returns:
            `logits` `(B,)` float32, the property in `config.target_unit`; with labels `loss`, the mean squared error of
            the standardised target.

        Raises:
            ValueError: a label is not a finite number.
        """
        output = self.graph_model(
            atomic_numbers, edge_index, edge_vector, batch, num_atoms, volume_per_atom, density, return_dict=True
        )
        mean, std = float(self.config.target_mean), float(self.config.target_std)
        standardised = self.regressor(self.dropout(output.pooler_output)).squeeze(-1).float()
        loss = None
        if labels is not None:
            if not labels.isfinite().all():
                raise ValueError("a label is not a finite number; leave out the crystals whose target is not known")
            loss = F.mse_loss(standardised, (labels.float() - mean) / std)
        return SequenceClassifierOutput(loss=loss, logits=standardised * std + mean)


class ClacForGraphClassification(_ClacGraphHead):
    """Classes of crystals: the graph tower and a linear layer."""

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        self.classifier = nn.Linear(self.graph_model.output_size, _num_labels(config))
        self.post_init()

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
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        r"""
        Predict the class of crystals. [`ClacGraphModel.forward`] describes the other inputs.

        Args:
            labels: `(B,)` int64.

        Returns:
            `logits` `(B, num_labels)`; with labels `loss`, the mean cross entropy.

        Raises:
            ValueError: a label is out of range.
        """
        output = self.graph_model(
            atomic_numbers, edge_index, edge_vector, batch, num_atoms, volume_per_atom, density, return_dict=True
        )
        logits = self.classifier(self.dropout(output.pooler_output))
        return SequenceClassifierOutput(loss=_class_loss(logits, labels), logits=logits)


def _num_labels(config: ClacConfig) -> int:
    return len(config.id2label or {})


def _class_loss(logits: Tensor, labels: Tensor | None) -> Tensor | None:
    if labels is None:
        return None
    _check_labels(labels, logits.shape[1])
    return F.cross_entropy(logits.float(), labels)


def _check_labels(labels: Tensor, num_labels: int) -> None:
    """Out of range, torch would stop with an index, or on a GPU with the whole process."""
    wrong = labels[(labels < 0) | (labels >= num_labels)]
    if len(wrong):
        raise ValueError(f"label {int(wrong[0])} is out of range, the model has {num_labels} labels")


__all__ = [
    "ClacForGraphClassification",
    "ClacForGraphRegression",
    "ClacForSequenceClassification",
    "ClacForTokenClassification",
]
