"""
Training objective of the paper (arXiv 2502.16451, fig. 1c).

Contrastive terms between and within the modalities, over pairs and their augmented copies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig

from modeling_clac import ClacModel
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.loss_clac import (
    IGNORE_INDEX,
    answered_mask,
    duplicate_mask,
    info_nce_loss,
    jensen_shannon_loss,
    sigmoid_loss,
)
from modeling_clac.modeling_clac import MAX_LOGIT_SCALE, ClacProjection
from train.pretraining.collator import Chunk, CrystalLabels, Labels, TextLabels
from train.pretraining.length_buckets import pool_text_in_buckets


class View(StrEnum):
    """The views of a pair that are embedded. A prime marks an augmented copy, as in the terms of a recipe."""

    CRYSTAL = "crystal"
    CRYSTAL_COPY = "crystal'"
    TEXT = "text"
    TEXT_COPY = "text'"
    # A second, short text of the pair, which may also describe other crystals.
    PHRASE = "phrase"

    @property
    def original(self) -> View:
        """The view without augmentation."""
        return View(self.value.removesuffix("'"))

    @property
    def intra(self) -> str:
        """Name of the embedding of the view by the head for terms within its modality."""
        return f"intra {self}"


# Name of a term, such as "crystal'-text" -> the two views that it contrasts.
TERMS: dict[str, tuple[View, View]] = {
    f"{left}-{right}": (left, right)
    for left, right in (
        (View.CRYSTAL, View.TEXT),
        (View.CRYSTAL_COPY, View.TEXT),
        (View.CRYSTAL, View.TEXT_COPY),
        (View.CRYSTAL_COPY, View.TEXT_COPY),
        (View.CRYSTAL, View.CRYSTAL_COPY),
        (View.TEXT, View.TEXT_COPY),
        (View.CRYSTAL, View.PHRASE),
    )
}
LOSSES = ("info_nce", "jensen_shannon", "sigmoid")
# Key of all terms between crystals and texts, which share one temperature and one bias.
_INTER = "inter"

# Initial bias of the pairwise losses. That of SigLIP (arXiv 2303.15343, sec. 3.2) makes all pairs unlikely. The
# Jensen-Shannon loss gives pairs and negatives equal weight, so it starts undecided.
_START_BIAS = {"sigmoid": -10.0, "jensen_shannon": 0.0}
# From the same source. InfoNCE starts from the scale of the model.
_START_SCALE = 10.0


@dataclass(frozen=True)
class ObjectiveSettings:
    """
    Settings of the objective.

    Attributes:
        loss: Loss of every term, one of `LOSSES`.
        terms: Names in `TERMS`; their losses are averaged.
        prior_weight: Weight of prior matching; 0 for none.
        mlm_weight: Weight of the masked-language-model loss on the augmented texts; 0 for none.

    Raises:
        ClacInputError: The loss or a term is unknown, there is no term, a weight is negative, or `mlm_weight` is set
            without a term that has augmented texts.
    """

    loss: str = "info_nce"
    terms: tuple[str, ...] = ("crystal-text",)
    prior_weight: float = 0.0
    mlm_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ClacInputError(f"loss={self.loss!r}: choose one of {', '.join(LOSSES)}")
        unknown = [term for term in self.terms if term not in TERMS]
        if unknown or not self.terms:
            raise ClacInputError(f"terms={list(self.terms)}: choose from {', '.join(TERMS)}")
        for name in ("prior_weight", "mlm_weight"):
            if getattr(self, name) < 0:
                raise ClacInputError(f"{name}={getattr(self, name)} must not be negative")
        if self.mlm_weight and not self.copies_texts:
            raise ClacInputError(f"mlm_weight={self.mlm_weight} needs a term with text', such as crystal-text'")

    @property
    def copies_crystals(self) -> bool:
        """Whether a term uses copies of crystals."""
        return self._contrasts(View.CRYSTAL_COPY)

    @property
    def copies_texts(self) -> bool:
        """Whether a term uses copies of texts."""
        return self._contrasts(View.TEXT_COPY)

    @property
    def phrases(self) -> bool:
        """Whether a term uses phrases."""
        return self._contrasts(View.PHRASE)

    def _contrasts(self, view: View) -> bool:
        return any(view in TERMS[term] for term in self.terms)


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient


class PriorDiscriminator(nn.Module):
    """
    Prior matching (Hjelm et al. 2019, arXiv 1808.06670, eq. 7; used by CLIP-Lite, arXiv 2112.07133).

    A discriminator D separates samples z of a prior from embeddings by maximising E[log D(z)] + E[log(1 - D(f(x)))],
    which the encoder f minimises. The prior is uniform on the unit sphere. The gradient is reversed between D and f, so
    that one optimiser step trains both.

    Args:
        dim: Dimension of the embeddings.
        hidden_size: Size of the hidden layers.
    """

    def __init__(self, dim: int, hidden_size: int = 256):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size), nn.ReLU()
        )
        self.output = nn.Linear(hidden_size, 1)

    def forward(self, embeds: Tensor) -> Tensor:
        """
        Compute the cross-entropy of the discriminator, 2 log 2 if it can only guess.

        Args:
            embeds: Unit vectors, `(B, D)`.

        Returns:
            A scalar.
        """
        samples = F.normalize(torch.randn_like(embeds), dim=-1)
        fake = self.output(self.layers(_ReverseGradient.apply(embeds)))
        real = self.output(self.layers(samples))
        return F.softplus(-real).mean() + F.softplus(fake).mean()


class MaskedLanguageModelHead(nn.Module):
    """
    Masked-language-model head of BERT (arXiv 1810.04805).

    A dense layer, GELU and LayerNorm; the output layer is the transposed matrix of word embeddings.

    Args:
        config: Configuration of the text tower.
    """

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, labels: Tensor, word_embeddings: Tensor) -> Tensor:
        """
        Compute the loss of each text.

        Args:
            hidden: Hidden states, `(B, L, H)`.
            labels: Original ids of the masked tokens, `IGNORE_INDEX` elsewhere, `(B, L)`.
            word_embeddings: Word embeddings, `(V, H)`.

        Returns:
            `(B,)`, the cross-entropy summed over the masked tokens of each text.
        """
        chosen = labels != IGNORE_INDEX
        states = self.norm(F.gelu(self.dense(hidden[chosen])))
        losses = F.cross_entropy(states @ word_embeddings.T + self.bias, labels[chosen], reduction="none").float()
        return losses.new_zeros(len(labels)).index_add(0, chosen.nonzero()[:, 0], losses)


class ContrastiveObjective(nn.Module):
    """
    A [`ClacModel`] with the parts that only training needs.

    These are the heads of the intra-modal terms, biases, prior discriminators and the language-model head. `forward`
    computes the loss of a batch of pairs.

    Most memory is used by `embed`, while `contrast` needs all pairs at once. A batch that is too large for one pass
    therefore goes through `embed` in chunks, see `train.pretraining.gradcache`.

    Args:
        model: The model to train.
        settings: Terms and losses.
    """

    def __init__(self, model: ClacModel, settings: ObjectiveSettings):
        super().__init__()
        self.model, self.settings = model, settings
        config: Any = model.config
        dim, dropout = config.projection_dim, float(config.projection_dropout)
        scales, heads, biases = {}, {}, {}
        if "crystal-crystal'" in settings.terms:
            heads[View.CRYSTAL.value] = ClacProjection(model.graph_model.output_size, dim, dropout)
        if "text-text'" in settings.terms:
            heads[View.TEXT.value] = ClacProjection(model.text_output_size, dim, dropout)
        start = config.logit_scale_init_value if settings.loss == "info_nce" else _START_SCALE
        # A phrase says less than a narrative, so it has a separate temperature.
        kinds = (*heads, *((View.PHRASE.value,) if settings.phrases else ()))
        for name in kinds:
            scales[name] = nn.Parameter(torch.tensor(math.log(start)))
        if settings.loss != "info_nce":
            for name in (_INTER, *kinds):
                biases[name] = nn.Parameter(torch.tensor(_START_BIAS[settings.loss]))
            with torch.no_grad():
                model.logit_scale.fill_(math.log(start))
        self.heads, self.scales, self.biases = nn.ModuleDict(heads), nn.ParameterDict(scales), nn.ParameterDict(biases)
        matched = (View.CRYSTAL.value, View.TEXT.value) if settings.prior_weight else ()
        self.discriminators = nn.ModuleDict({kind: PriorDiscriminator(dim) for kind in matched})
        self.mlm_head = MaskedLanguageModelHead(config.text_config) if settings.mlm_weight else None

    def forward(self, chunk: Chunk, labels: Labels | None = None) -> dict[str, Tensor]:
        """
        Compute the losses of a chunk or, without labels, only its embeddings.

        Args:
            chunk: Inputs of the towers.
            labels: Labels of the pairs of the chunk.

        Returns:
            With labels, `loss` and each term by its name, all scalar; without, the outputs of [`embed`].
        """
        outputs = self.embed(chunk)
        return outputs if labels is None else self.contrast(outputs, labels)

    def embed(self, chunk: Chunk) -> dict[str, Tensor]:
        """
        Embed the pairs of a chunk.

        Args:
            chunk: Inputs of the towers.

        Returns:
            Unit vectors `(B, D)` for each [`View`], and for `View.intra` of views with a term within their modality;
            `(B, K, D)` for the K phrases of each pair; `mlm`, `(B,)`, the cross-entropy summed over the masked tokens
            of each text.

        Raises:
            ValueError: The chunk lacks phrases or masked tokens that the objective needs.
        """
        model, graphs, tokens = self.model, chunk.graphs, chunk.tokens
        pooled_crystals = model.graph_model(**graphs).pooler_output
        text_output = pool_text_in_buckets(model, tokens)
        known = {name: graphs[name] for name in ("atomic_numbers", "batch", "num_atoms", "density")}
        crystals = model.embed_crystals(pooled_crystals, **known, occupancy=graphs.get("occupancy"))
        texts = model.embed_text(text_output.pooler_output, tokens.get("token_kinds"), tokens.get("token_values"))
        outputs = {
            **_originals_and_copies((View.CRYSTAL, View.CRYSTAL_COPY), crystals, chunk.size),
            **_originals_and_copies((View.TEXT, View.TEXT_COPY), texts, chunk.size),
        }
        for views, pooled in (
            ((View.CRYSTAL, View.CRYSTAL_COPY), pooled_crystals),
            ((View.TEXT, View.TEXT_COPY), text_output.pooler_output),
        ):
            original, copy = views
            if original in self.heads:
                names = (original.intra, copy.intra)
                outputs |= _originals_and_copies(names, self.heads[original](pooled), chunk.size)
        if self.settings.phrases:
            if chunk.phrases is None:
                raise ValueError("a term has phrases, but the batch has none")
            phrases = chunk.phrases
            # Separate from the texts, to avoid padding them to the length of the texts.
            pooled_phrases = pool_text_in_buckets(model, phrases).pooler_output
            embeds = model.embed_text(pooled_phrases, phrases.get("token_kinds"), phrases.get("token_values"))
            outputs[View.PHRASE] = embeds.float().unflatten(0, (chunk.size, -1))
        if self.mlm_head is not None:
            if chunk.mlm_labels is None:
                raise ValueError("mlm_weight is set, but the batch has no mlm_labels")
            words = model.get_input_embeddings().weight
            hidden: Any = text_output.last_hidden_state
            outputs["mlm"] = self.mlm_head(hidden[chunk.size :], chunk.mlm_labels, words)
        return outputs

    def contrast(self, outputs: dict[str, Tensor], labels: Labels) -> dict[str, Tensor]:
        """
        Compute the losses of a batch.

        Args:
            outputs: Outputs of [`embed`] for the whole batch of this process.
            labels: Labels of the same pairs.

        Returns:
            `loss` and each term by its name, all scalar.
        """
        excluded: dict[str, tuple[Tensor, Tensor | None]] = {
            _INTER: _excluded_negatives(labels.crystals, labels.texts),
            View.CRYSTAL: (duplicate_mask(labels.crystals.identity), None),
            View.TEXT: (duplicate_mask(labels.texts.identity), None),
        }
        losses = {}
        for term in self.settings.terms:
            left, right = TERMS[term]
            if right is View.PHRASE:
                losses[term] = self._contrast_phrases(outputs[left], outputs[right], labels)
            elif left.original is right.original:
                losses[term] = self._contrast(left, outputs[left.intra], outputs[right.intra], *excluded[left])
            else:
                losses[term] = self._contrast(_INTER, outputs[left], outputs[right], *excluded[_INTER])
        total = torch.stack(list(losses.values())).mean()
        for kind, discriminator in self.discriminators.items():
            losses[f"prior {kind}"] = discriminator(outputs[kind])
            total = total + self.settings.prior_weight * losses[f"prior {kind}"]
        if self.mlm_head is not None:
            losses["mlm"] = outputs["mlm"].sum() / labels.num_masked.clamp(min=1)
            total = total + self.settings.mlm_weight * losses["mlm"]
        return {"loss": total, **losses}

    def _contrast_phrases(self, crystal_embeds: Tensor, phrase_embeds: Tensor, labels: Labels) -> Tensor:
        """Average the loss over the K phrases, `(B, K, D)`. Phrases of the same pair are not contrasted."""
        assert labels.phrases is not None
        losses = []
        for index in range(phrase_embeds.shape[1]):
            excluded = _excluded_negatives(labels.crystals, labels.phrases.phrase(index))
            losses.append(self._contrast(View.PHRASE, crystal_embeds, phrase_embeds[:, index], *excluded))
        return torch.stack(losses).mean()

    def loss_parameters(self) -> list[nn.Parameter]:
        """List the parameters that only [`contrast`] uses: temperatures, biases and discriminators."""
        parts = (self.scales, self.biases, self.discriminators)
        return [self.model.logit_scale, *(parameter for part in parts for parameter in part.parameters())]

    def _contrast(self, kind: str, x: Tensor, y: Tensor, ignore: Tensor, ignore_reverse: Tensor | None) -> Tensor:
        scale = self.model.logit_scale if kind == _INTER else self.scales[kind]
        scale = scale.float().clamp(max=MAX_LOGIT_SCALE).exp()
        if self.settings.loss == "info_nce":
            return info_nce_loss(x, y, scale, ignore, ignore_reverse)
        pairwise = {"jensen_shannon": jensen_shannon_loss, "sigmoid": sigmoid_loss}[self.settings.loss]
        return pairwise(x, y, scale, self.biases[kind].float(), ignore)


def _originals_and_copies(names: tuple[str, str], embeds: Tensor, size: int) -> dict[str, Tensor]:
    """Split embeddings into the first `size` rows and the copies that follow, if any."""
    return dict(zip(names, embeds.float().split(size), strict=False))


def _excluded_negatives(crystals: CrystalLabels, texts: TextLabels) -> tuple[Tensor, Tensor]:
    """
    Find the pairs that are excluded from the negatives of a term between crystals and texts.

    Returns:
        Two bool masks, `(B, world_size * B)`: local crystals by all texts, and local texts by all crystals.
    """
    duplicates = duplicate_mask(crystals.identity, texts.identity)
    by_crystal, by_text = answered_mask(texts.conditions, crystals.failing, texts.formula, crystals.formula)
    return duplicates | by_crystal, duplicates | by_text


__all__ = [
    "LOSSES",
    "TERMS",
    "ContrastiveObjective",
    "MaskedLanguageModelHead",
    "ObjectiveSettings",
    "PriorDiscriminator",
    "View",
]
