"""
Fine-tuning heads on one tower of CLaC.

The heads on the text tower predict tags of words and classes of texts, those on the graph tower properties and classes
of crystals. Their parts have the same names as in [`ClacModel`], so that a whole checkpoint initialises the tower.
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
from transformers.utils import can_return_tuple, logging

from .checkpoint_files_clac import checkpoint_file, require_tower, tensor_names
from .configuration_clac import SHARED_FACTS, ClacConfig
from .crf_clac import LinearChainCrf
from .errors_clac import ClacInputError, first_line
from .graph_encoders_clac import use_clac_init
from .loss_clac import IGNORE_INDEX
from .modeling_clac import (
    OF_BOTH_TOWERS,
    OF_OLD_ENCODERS,
    OF_THE_GRAPH_TOWER,
    OF_THE_TEXT_TOWER,
    ClacGraphModel,
    ClacPreTrainedModel,
    ClacTextModel,
    load_text_encoder,
)

logger = logging.get_logger(__name__)

_HUB_OPTIONS = ("revision", "token", "cache_dir", "subfolder", "local_files_only", "variant")
# Margin of the Viterbi tag over the others where another tag has the largest marginal.
_MARGIN = 1e-3
_ONE_CLASS = "single_label_classification"


class _ClacHead(ClacPreTrainedModel):
    """A head on one tower. The other weights of a whole checkpoint are ignored."""

    tower: str

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
        Load the tower, and the head if there is one, from a CLaC checkpoint.

        Args:
            pretrained_model_name_or_path: Directory or Hub id of a whole CLaC checkpoint, or of one fine-tuned on this
                tower.
            args: See `PreTrainedModel.from_pretrained`.
            kwargs: See `PreTrainedModel.from_pretrained`.

        Returns:
            The model.

        Raises:
            ClacInputError: If the checkpoint has no weights of the tower, which would stay random.
        """
        hub = {name: value for name, value in kwargs.items() if name in _HUB_OPTIONS}
        if pretrained_model_name_or_path is not None and not _is_adapter(pretrained_model_name_or_path, hub):
            require_tower(pretrained_model_name_or_path, cls.tower, **hub)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        """Save the model, see `PreTrainedModel.save_pretrained`."""
        # The configuration of a whole checkpoint also names the code of the whole model, which is not saved here.
        self.config.auto_map = {}
        return super().save_pretrained(save_directory, *args, **kwargs)


def _is_adapter(source: Any, hub: dict[str, Any]) -> bool:
    """Whether a checkpoint holds the weights of an adapter, which names the checkpoint that it belongs to."""
    return checkpoint_file(source, "adapter_config.json", **hub) is not None


class _ClacTextHead(_ClacHead, ClacTextModel):
    tower = "text"
    # With `token_values=False` in a configuration that the caller gives, the tower is the encoder alone.
    _keys_to_ignore_on_load_unexpected = [
        *(OF_THE_GRAPH_TOWER, OF_BOTH_TOWERS, OF_OLD_ENCODERS, r"^(text_values|text_composition)\.")
    ]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Load the text tower, and the head if there is one, from a CLaC checkpoint.

        Checkpoints that were fine-tuned without the quantity embeddings are loaded without them (`token_values=False`).

        Args:
            pretrained_model_name_or_path: Directory or Hub id of a whole CLaC checkpoint, or of one fine-tuned on its
                text tower.
            args: See `PreTrainedModel.from_pretrained`.
            kwargs: See `PreTrainedModel.from_pretrained`.

        Returns:
            The model.

        Raises:
            ClacInputError: If the checkpoint has no weights of the text tower, which would stay random.
        """
        hub = {name: value for name, value in kwargs.items() if name in _HUB_OPTIONS}
        source = pretrained_model_name_or_path
        if source is not None and not args and not _is_adapter(source, hub):
            names = tensor_names(pretrained_model_name_or_path, **hub)
            if not any(name.startswith("text_values.") for name in names):
                without = dict.fromkeys(("token_values", *SHARED_FACTS), False)
                config = kwargs.get("config") or ClacConfig.from_pretrained(source, **hub)
                if config.token_values:
                    logger.warning(
                        f"{pretrained_model_name_or_path}: no weights for quantities (text_values); the text tower is "
                        "loaded without them, as for heads that were fine-tuned on word pieces only"
                    )
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
        Put a new head on a BERT-type encoder without CLaC's training.

        Args:
            directory: Directory or Hub id of the encoder.
            text_layers: Keep only these layers, in this order. Default: all.
            text_pooling: `"mean"` or `"cls"`.
            text_dropout: Dropout of the encoder, see [`load_text_encoder`].
            config: Fields of [`ClacConfig`], such as `id2label` and `use_crf`.

        Returns:
            The model.

        Raises:
            ClacInputError: If there is no such encoder, it has no such layer, or it is a CLaC checkpoint.
        """
        try:
            if AutoConfig.from_pretrained(directory).model_type == ClacConfig.model_type:
                raise ClacInputError(f"{directory}: this is a CLaC checkpoint; load it with from_pretrained")
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
        input_ids: Tensor | None,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None,
        token_kinds: Tensor | None,
        token_values: Tensor | None,
        options: dict[str, Any],
    ) -> BaseModelOutputWithPooling:
        """Run the text tower. Entries of the batch that are not options of the encoder are ignored."""
        known = ("inputs_embeds", "output_hidden_states", "output_attentions", "position_ids")
        return self.pool_text(
            input_ids,
            attention_mask,
            token_type_ids,
            token_kinds,
            token_values,
            **{name: options[name] for name in known if name in options},
        )


class ClacForTokenClassification(_ClacTextHead):
    """
    The text tower with a token classification head on top: a linear layer on each token and, with `use_crf`, a CRF.

    The CRF runs over the words of a text, each represented by its first word piece.

    Args:
        config (`ClacConfig`): Configuration of the model. `id2label` sets the tags.
    """

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))
        self.classifier = nn.Linear(self.text_model.config.hidden_size, _num_labels(config))
        self.crf = LinearChainCrf(_num_labels(config)) if config.use_crf else None
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
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
            input_ids: `(B, L)` int64, token ids.
            attention_mask: `(B, L)`, 0 for padding.
            token_type_ids: `(B, L)` int64, segment of each token.
            token_kinds: `(B, L)` int64, kinds of the tokens of numbers and formulas, see [`ClacTokenizer`].
            token_values: `(B, L)` float, values of the tokens of numbers and formulas, see [`ClacTokenizer`].
            labels: `(B, L)` int64, tags; -100 for tokens without one, which are all but the first piece of each word.
            word_mask: `(B, L)` bool, the tokens that the CRF decodes. Default: those with labels; without labels all
                attended tokens except the first and the last, [CLS] and [SEP]. Ignored without a CRF.
            kwargs: `inputs_embeds`, `output_hidden_states`, `output_attentions` and `position_ids` for the encoder;
                others are ignored.

        Returns:
            A `TokenClassifierOutput` with `logits` `(B, L, num_labels)`, `hidden_states` and `attentions`; with
            `labels` also `loss`, the mean negative log-likelihood per labelled token, 0 if there is none. With a CRF it
            is the likelihood of the tags of each row as one sequence. With a CRF in evaluation mode, the logits of
            decoded tokens are log marginal probabilities, where the tag of the Viterbi path is raised just above the
            others if it is not the largest: their argmax is the path, and their softmax a probability.

        Raises:
            ValueError: If a label is out of range, or the model needs `token_kinds` and `token_values` and one is
                missing.
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
                word_mask = _inner(logits, attention_mask) if labels is None else labels != IGNORE_INDEX
            logits = _decoded(self.crf, logits, word_mask.bool())
        return TokenClassifierOutput(
            loss=loss, logits=logits, hidden_states=output.hidden_states, attentions=output.attentions
        )


def _inner(logits: Tensor, attention_mask: Tensor | None) -> Tensor:
    """`(B, L)` bool, the attended tokens except the first and the last of each row of logits `(B, L, K)`."""
    attended = torch.ones_like(logits[:, :, 0]) if attention_mask is None else attention_mask
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
    """
    The text tower with a sequence classification head on top: a linear layer on the pooled text.

    Args:
        config (`ClacConfig`): Configuration of the model. `id2label` sets the classes, `text_pooling` the pooling.
    """

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))
        self.classifier = nn.Linear(self.text_output_size, _num_labels(config))
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        token_kinds: Tensor | None = None,
        token_values: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        r"""
        Predict the classes of texts.

        Args:
            input_ids: `(B, L)` int64, token ids.
            attention_mask: `(B, L)`, 0 for padding.
            token_type_ids: `(B, L)` int64, segment of each token.
            token_kinds: `(B, L)` int64, kinds of the tokens of numbers and formulas, see [`ClacTokenizer`].
            token_values: `(B, L)` float, values of the tokens of numbers and formulas, see [`ClacTokenizer`].
            labels: `(B,)` int64, classes; `(B, num_labels)` float, 0 or 1, for `problem_type` multi-label
                classification; `(B,)` or `(B, num_labels)` float for regression. -100 for unknown ones.
            kwargs: `inputs_embeds`, `output_hidden_states`, `output_attentions` and `position_ids` for the encoder;
                others are ignored.

        Returns:
            A `SequenceClassifierOutput` with `logits` `(B, num_labels)`, `hidden_states` and `attentions`; with
            `labels` also `loss`, the mean cross-entropy, binary cross-entropy or squared error by
            `config.problem_type`; if that is `None`, by the type of the labels, and regression with one label.

        Raises:
            ValueError: If a label is out of range or the labels have another shape, or the model needs `token_kinds`
                and `token_values` and one is missing.
        """
        output = self._read(input_ids, attention_mask, token_type_ids, token_kinds, token_values, kwargs)
        logits = self.classifier(self.dropout(output.pooler_output))
        return SequenceClassifierOutput(
            loss=_class_loss(logits, labels, self.config),
            logits=logits,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )


class _ClacGraphHead(_ClacHead):
    tower = "graph"
    _keys_to_ignore_on_load_unexpected = [OF_THE_TEXT_TOWER, OF_BOTH_TOWERS]
    main_input_name = "atomic_numbers"
    supports_gradient_checkpointing = False

    def __init__(self, config: ClacConfig):
        super().__init__(config)
        graph_config: Any = config.graph_config
        self.graph_model = ClacGraphModel(graph_config)
        self.dropout = nn.Dropout(float(config.classifier_dropout))

    def get_input_embeddings(self) -> nn.Module:
        return self.graph_model.get_input_embeddings()


class ClacForGraphRegression(_ClacGraphHead):
    """
    The graph tower with a regression head on top: a small network that predicts a property of crystals.

    The head learns the standardised target, (y - target_mean) / target_std, and returns values in the target's own
    unit.

    Args:
        config (`ClacConfig`): Configuration of the model. `target_mean` and `target_std` set the scale of the target,
            `target_name` and `target_unit` describe it.
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
        occupancy: Tensor | None = None,
        space_group: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        r"""
        Predict a property of crystals.

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
            labels: `(B,)` float, in `config.target_unit`.
            kwargs: Ignored.

        Returns:
            A `SequenceClassifierOutput` with `logits` `(B,)` float32, the property in `config.target_unit`; with
            `labels` also `loss`, the mean squared error of the standardised target.

        Raises:
            ValueError: If a label is not finite, or a readout misses its input, see [`ClacGraphModel`].
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
        mean, std = float(self.config.target_mean), float(self.config.target_std)
        standardised = self.regressor(self.dropout(output.pooler_output)).squeeze(-1).float()
        loss = None
        if labels is not None:
            if not labels.isfinite().all():
                raise ValueError("a label is not a finite number; leave out crystals without a known target")
            loss = F.mse_loss(standardised, (labels.float() - mean) / std)
        return SequenceClassifierOutput(loss=loss, logits=standardised * std + mean)


class ClacForGraphClassification(_ClacGraphHead):
    """
    The graph tower with a classification head on top: a linear layer on the pooled crystal.

    Args:
        config (`ClacConfig`): Configuration of the model. `id2label` sets the classes.
    """

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
        occupancy: Tensor | None = None,
        space_group: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        r"""
        Predict the classes of crystals.

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
            labels: `(B,)` int64, classes; `(B, num_labels)` float, 0 or 1, for `problem_type` multi-label
                classification; `(B,)` or `(B, num_labels)` float for regression. -100 for unknown ones.
            kwargs: Ignored.

        Returns:
            A `SequenceClassifierOutput` with `logits` `(B, num_labels)`; with `labels` also `loss`, see
            [`ClacForSequenceClassification`].

        Raises:
            ValueError: If a label is out of range or the labels have another shape, or a readout misses its input, see
                [`ClacGraphModel`].
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
        logits = self.classifier(self.dropout(output.pooler_output))
        return SequenceClassifierOutput(loss=_class_loss(logits, labels, self.config), logits=logits)


def _num_labels(config: ClacConfig) -> int:
    return len(config.id2label or {})


def _class_loss(logits: Tensor, labels: Tensor | None, config: Any) -> Tensor | None:
    """
    The loss of `config.problem_type`, which is set by the labels if it is not given, as in transformers.

    Labels of -100 do not count. The loss is the mean over the others, 0 if there are none.
    """
    if labels is None:
        return None
    if config.problem_type is None:
        of_classes = labels.dtype in (torch.int64, torch.int32)
        config.problem_type = (
            "regression" if logits.shape[1] == 1 else _ONE_CLASS if of_classes else "multi_label_classification"
        )
    one_class = config.problem_type == _ONE_CLASS
    if one_class and labels.is_floating_point():
        raise ValueError(f"labels are {labels.dtype}; {_ONE_CLASS} takes the number of a class, int64")
    expected = logits.shape[:1] if one_class or labels.dim() == 1 == logits.shape[1] else logits.shape
    if labels.shape != expected:
        raise ValueError(
            f"labels have the shape {tuple(labels.shape)}; {config.problem_type} of {logits.shape[1]} labels takes "
            f"{tuple(expected)}"
        )
    counts = labels != IGNORE_INDEX
    logits = logits.float()
    if one_class:
        _check_labels(labels[counts], logits.shape[1])
        terms = F.cross_entropy(logits, labels.long(), reduction="none", ignore_index=IGNORE_INDEX)
    else:
        labels = labels.float().view_as(logits)
        counts = counts.view_as(logits)
        if not labels.isfinite().all():
            raise ValueError("a label is not a finite number; use -100 for unknown ones")
        of_kind = F.mse_loss if config.problem_type == "regression" else F.binary_cross_entropy_with_logits
        terms = of_kind(logits, labels, reduction="none") * counts
    return terms.sum() / counts.sum().clamp(min=1)


def _check_labels(labels: Tensor, num_labels: int) -> None:
    """Raise an error that names the label, since torch's own error does not, and on a GPU ends the process."""
    wrong = labels[(labels < 0) | (labels >= num_labels)]
    if len(wrong):
        raise ValueError(f"label {int(wrong[0])} is out of range; the labels of the model are 0 to {num_labels - 1}")


__all__ = [
    "ClacForGraphClassification",
    "ClacForGraphRegression",
    "ClacForSequenceClassification",
    "ClacForTokenClassification",
]
