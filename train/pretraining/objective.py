"""
The training objective of the paper (arXiv 2502.16451, fig. 1c): contrastive terms between and within the modalities,
over pairs and their augmented copies.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig

from modeling_clac import ClacModel
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.loss_clac import answered_mask, duplicate_mask, info_nce_loss, jensen_shannon_loss, sigmoid_loss
from modeling_clac.modeling_clac import MAX_LOGIT_SCALE, ClacProjection
from train.pretraining.augmentation import IGNORED_LABEL
from train.pretraining.length_buckets import pool_texts

# Term -> the two sides; a prime marks the augmented copy. A phrase is a second, short text of the pair, which other
# crystals may answer, too.
TERMS: dict[str, tuple[str, str]] = {
    "crystal-text": ("crystal", "text"),
    "crystal'-text": ("crystal'", "text"),
    "crystal-text'": ("crystal", "text'"),
    "crystal'-text'": ("crystal'", "text'"),
    "crystal-crystal'": ("crystal", "crystal'"),
    "text-text'": ("text", "text'"),
    "crystal-phrase": ("crystal", "phrase"),
}
LOSSES = ("info_nce", "jensen_shannon", "sigmoid")

# Where the bias of the pairwise losses starts: SigLIP's (arXiv 2303.15343, sec. 3.2), which makes all pairs unlikely;
# the Jensen-Shannon loss weighs pairs and negatives alike and starts undecided.
_START_BIAS = {"sigmoid": -10.0, "jensen_shannon": 0.0}
# Same source; InfoNCE starts from the model's own scale.
_START_SCALE = 10.0


@dataclass(frozen=True)
class ObjectiveSettings:
    """
    Attributes:
        loss: one of `LOSSES`, for every term.
        terms: names in `TERMS`; their losses are averaged.
        prior_weight: weight of prior matching, 0 for none.
        mlm_weight: weight of the masked-language-model loss on the augmented texts, 0 for none.

    Raises:
        ClacInputError: an unknown loss or term, no term at all, a negative weight, or a loss on texts that no term has.
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
            raise ClacInputError("mlm_weight needs a term with text', whose tokens are masked")

    @property
    def copies_crystals(self) -> bool:
        return any("crystal'" in TERMS[term] for term in self.terms)

    @property
    def copies_texts(self) -> bool:
        return any("text'" in TERMS[term] for term in self.terms)

    @property
    def phrases(self) -> bool:
        return any("phrase" in TERMS[term] for term in self.terms)


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient


class PriorDiscriminator(nn.Module):
    """
    Prior matching (Hjelm et al. 2019, arXiv 1808.06670, eq. 7; in CLIP-Lite, arXiv 2112.07133): a discriminator D tells
    embeddings from samples z of a prior, E[log D(z)] + E[log(1 - D(f(x)))], and the encoder f works against it. The
    prior of unit vectors is the uniform one on the sphere. The gradient is reversed between D and f, so one step of one
    optimiser trains both.
    """

    def __init__(self, dim: int, hidden_size: int = 256):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size), nn.ReLU()
        )
        self.output = nn.Linear(hidden_size, 1)

    def forward(self, embeds: Tensor) -> Tensor:
        """`(B, D)` unit vectors -> scalar, the discriminator's cross-entropy; 2 log 2 when it can only guess."""
        samples = F.normalize(torch.randn_like(embeds), dim=-1)
        fake = self.output(self.layers(_ReverseGradient.apply(embeds)))
        real = self.output(self.layers(samples))
        return F.softplus(-real).mean() + F.softplus(fake).mean()


class MaskedLanguageModelHead(nn.Module):
    """BERT's head (arXiv 1810.04805): dense, GELU, LayerNorm, and the transposed word embeddings as output layer."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, labels: Tensor, word_embeddings: Tensor) -> Tensor:
        """
        Args:
            hidden: `(B, L, H)`. labels: `(B, L)`, `IGNORED_LABEL` where nothing was masked. word_embeddings: `(V, H)`.

        Returns:
            `(B,)`, the cross-entropy summed over the chosen tokens of each text.
        """
        chosen = labels != IGNORED_LABEL
        states = self.norm(F.gelu(self.dense(hidden[chosen])))
        losses = F.cross_entropy(states @ word_embeddings.T + self.bias, labels[chosen], reduction="none").float()
        return losses.new_zeros(len(labels)).index_add(0, chosen.nonzero()[:, 0], losses)


class ContrastiveObjective(nn.Module):
    """
    A [`ClacModel`] with whatever training needs and use does not: heads of the intra-modal terms, biases, prior
    discriminators and the language-model head. `forward` gives the loss of a batch of pairs.

    `embed` needs the memory and `contrast` all pairs at once, so a batch too large for one pass goes through `embed` in
    chunks, see [`backward_in_chunks`].
    """

    def __init__(self, model: ClacModel, settings: ObjectiveSettings):
        super().__init__()
        self.model, self.settings = model, settings
        config: Any = model.config
        dim, dropout = config.projection_dim, float(config.projection_dropout)
        scales, heads, biases = {}, {}, {}
        if "crystal-crystal'" in settings.terms:
            heads["crystal"] = ClacProjection(model.graph_model.output_size, dim, dropout)
        if "text-text'" in settings.terms:
            heads["text"] = ClacProjection(model.text_output_size, dim, dropout)
        start = config.logit_scale_init_value if settings.loss == "info_nce" else _START_SCALE
        # A phrase says less than a narrative, so how sure it can be is learnt apart.
        kinds = (*heads, *(("phrase",) if settings.phrases else ()))
        for name in kinds:
            scales[name] = nn.Parameter(torch.tensor(math.log(start)))
        if settings.loss != "info_nce":
            for name in ("inter", *kinds):
                biases[name] = nn.Parameter(torch.tensor(_START_BIAS[settings.loss]))
            with torch.no_grad():
                model.logit_scale.fill_(math.log(start))
        self.heads, self.scales, self.biases = nn.ModuleDict(heads), nn.ParameterDict(scales), nn.ParameterDict(biases)
        matched = ("crystal", "text") if settings.prior_weight else ()
        self.discriminators = nn.ModuleDict({kind: PriorDiscriminator(dim) for kind in matched})
        self.mlm_head = MaskedLanguageModelHead(config.text_config) if settings.mlm_weight else None

    def forward(self, chunk: dict[str, Any], labels: dict[str, Any] | None = None) -> dict[str, Tensor]:
        """
        Args:
            chunk: `graphs`, inputs of the graph tower, the crystals and then their copies if a term has them; `tokens`,
                inputs of the text tower, likewise; `size`, the number B of pairs; `mlm_labels` `(B, L)` of the
                copies of the texts, see `TokenMasking`; and `phrases`, inputs of the text tower, if a term has them.
            labels: of [`contrast`]; without them only the outputs of [`embed`] are computed.

        Returns:
            With labels `loss` and every term by its name, all scalar; else the outputs of [`embed`].
        """
        outputs = self.embed(**chunk)
        return outputs if labels is None else self.contrast(outputs, **labels)

    def embed(
        self,
        graphs: dict[str, Tensor],
        tokens: dict[str, Tensor],
        size: int,
        mlm_labels: Tensor | None = None,
        phrases: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """
        What the losses need of a chunk: `crystal`, `crystal'`, `text`, `text'` and their `intra` versions, unit vectors
        `(B, D)`; `phrase`, likewise `(B, K, D)`, K of each pair; and `mlm`, `(B,)`, the summed cross-entropy of the
        masked tokens of each text.
        """
        model = self.model
        pooled_crystals = model.graph_model(**graphs).pooler_output
        text_output = pool_texts(model, tokens)
        known = {name: graphs[name] for name in ("atomic_numbers", "batch", "num_atoms", "density")}
        crystals = model.embed_crystals(pooled_crystals, **known)
        texts = model.embed_text(text_output.pooler_output, tokens.get("token_kinds"), tokens.get("token_values"))
        outputs = {
            **_views("crystal", crystals.float(), size),
            **_views("text", texts.float(), size),
        }
        for kind, pooled in (("crystal", pooled_crystals), ("text", text_output.pooler_output)):
            if kind in self.heads:
                outputs |= _views(f"intra {kind}", self.heads[kind](pooled).float(), size)
        if self.settings.phrases:
            if phrases is None:
                raise ValueError("a term has phrases, but the batch has none")
            # Apart from the texts, to whose length they would be padded.
            pooled_phrases = pool_texts(model, phrases).pooler_output
            embeds = model.embed_text(pooled_phrases, phrases.get("token_kinds"), phrases.get("token_values"))
            outputs["phrase"] = embeds.float().unflatten(0, (size, -1))
        if self.mlm_head is not None:
            if mlm_labels is None:
                raise ValueError("mlm_weight is set, but the batch has no mlm_labels")
            words = model.get_input_embeddings().weight
            hidden: Any = text_output.last_hidden_state
            outputs["mlm"] = self.mlm_head(hidden[size:], mlm_labels, words)
        return outputs

    def contrast(
        self,
        outputs: dict[str, Tensor],
        crystals: dict[str, Tensor],
        texts: dict[str, Tensor],
        num_masked: Tensor,
        phrases: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """
        Args:
            outputs: of [`embed`], for the whole batch of this process.
            crystals: `label`, `(B,)` int64, which rows share that are no negatives of each other; `failing` and
                `formula` of [`answered_mask`].
            texts: `label`, likewise; `asked` and `asked_formula` of [`answered_mask`]. phrases: also, `(B, K, ...)`.
            num_masked: scalar, the masked tokens of the batch.

        Returns:
            `loss`, and every term by its name, all scalar.
        """
        ignore: dict[str, tuple[Tensor, Tensor | None]] = {
            "inter": _no_negatives(crystals, texts),
            "crystal": (duplicate_mask(crystals["label"]), None),
            "text": (duplicate_mask(texts["label"]), None),
        }
        losses = {}
        for term in self.settings.terms:
            left, right = TERMS[term]
            if right == "phrase":
                assert phrases is not None
                losses[term] = self._contrast_phrases(outputs[left], outputs["phrase"], crystals, phrases)
                continue
            within = left.rstrip("'") == right.rstrip("'")
            kind, prefix = (left, "intra ") if within else ("inter", "")
            losses[term] = self._contrast(kind, outputs[prefix + left], outputs[prefix + right], *ignore[kind])
        total = torch.stack(list(losses.values())).mean()
        for kind, discriminator in self.discriminators.items():
            losses[f"prior {kind}"] = discriminator(outputs[kind])
            total = total + self.settings.prior_weight * losses[f"prior {kind}"]
        if self.mlm_head is not None:
            losses["mlm"] = outputs["mlm"].sum() / num_masked.clamp(min=1)
            total = total + self.settings.mlm_weight * losses["mlm"]
        return {"loss": total, **losses}

    def _contrast_phrases(
        self, crystal_embeds: Tensor, phrase_embeds: Tensor, crystals: dict[str, Tensor], phrases: dict[str, Tensor]
    ) -> Tensor:
        """The mean over the K phrases of each pair, `(B, K, D)`; one and the next are no negatives of each other."""
        losses = []
        for place in range(phrase_embeds.shape[1]):
            own = {name: rows[:, place] for name, rows in phrases.items()}
            ignore = _no_negatives(crystals, own)
            losses.append(self._contrast("phrase", crystal_embeds, phrase_embeds[:, place], *ignore))
        return torch.stack(losses).mean()

    def loss_parameters(self) -> list[nn.Parameter]:
        """Parameters of [`contrast`] alone: temperatures, biases, discriminators."""
        parts = (self.scales, self.biases, self.discriminators)
        return [self.model.logit_scale, *(parameter for part in parts for parameter in part.parameters())]

    def _contrast(self, kind: str, x: Tensor, y: Tensor, ignore: Tensor, ignore_reverse: Tensor | None) -> Tensor:
        scale = self.model.logit_scale if kind == "inter" else self.scales[kind]
        scale = scale.float().clamp(max=MAX_LOGIT_SCALE).exp()
        if self.settings.loss == "info_nce":
            return info_nce_loss(x, y, scale, ignore, ignore_reverse)
        pairwise = {"jensen_shannon": jensen_shannon_loss, "sigmoid": sigmoid_loss}[self.settings.loss]
        return pairwise(x, y, scale, self.biases[kind].float(), ignore)


def backward_in_chunks(
    objective: nn.Module, accelerator: Accelerator, chunks: list[dict[str, Any]], labels: dict[str, Any]
) -> dict[str, Tensor]:
    """
    Gradients of a batch whose activations do not fit into memory (GradCache, Gao et al. 2021, arXiv 2101.06983):
    embed all chunks without a graph, differentiate the loss with respect to the embeddings, then embed each chunk once
    more and send its share of those derivatives through. Random states are put back, so dropout repeats itself and the
    gradients are those of the batch in one pass.

    Args:
        objective: a [`ContrastiveObjective`], possibly wrapped for several processes.
        chunks: of `ContrastiveObjective.forward`. labels: of `ContrastiveObjective.contrast`, for all of them.

    Returns:
        The losses; the gradients have been added to the parameters.
    """
    bare: ContrastiveObjective = accelerator.unwrap_model(objective)
    if len(chunks) == 1:
        losses = objective(chunks[0], labels)
        accelerator.backward(losses["loss"])
        return losses
    states, embedded = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(_random_state())
            embedded.append(objective(chunk))
    after = _random_state()
    leaves = {key: torch.cat([outputs[key] for outputs in embedded]).requires_grad_() for key in embedded[0]}
    with accelerator.no_sync(objective):
        with accelerator.autocast():
            losses = bare.contrast(leaves, **labels)
        accelerator.backward(losses["loss"])
    first = 0
    for place, (chunk, state) in enumerate(zip(chunks, states, strict=True)):
        last = place == len(chunks) - 1
        with nullcontext() if last else accelerator.no_sync(objective):
            _set_random_state(state)
            outputs = objective(chunk)
            rows = slice(first, first + chunk["size"])
            products = [(outputs[key] * leaves[key].grad[rows]).sum() for key in outputs]  # type: ignore[index]
            if last:
                # What only the loss uses has its gradient already; named here, it is averaged over processes too.
                products += [0.0 * parameter.sum() for parameter in bare.loss_parameters()]
            accelerator.backward(torch.stack(products).sum())
        first += chunk["size"]
    _set_random_state(after)
    return {name: loss.detach() for name, loss in losses.items()}


def _random_state() -> tuple[Tensor, list[Tensor]]:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])


def _no_negatives(crystals: dict[str, Tensor], texts: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """`ignore` and `ignore_reverse` of a loss between crystals and texts, see `ContrastiveObjective.contrast`."""
    duplicates = duplicate_mask(crystals["label"], texts["label"])
    by_crystal, by_text = answered_mask(
        texts["asked"], crystals["failing"], texts["asked_formula"], crystals["formula"]
    )
    return duplicates | by_crystal, duplicates | by_text


def _views(kind: str, embeds: Tensor, size: int) -> dict[str, Tensor]:
    """The originals, and the augmented copies behind them if there are any."""
    return {kind: embeds[:size], **({f"{kind}'": embeds[size:]} if len(embeds) > size else {})}


__all__ = [
    "LOSSES",
    "TERMS",
    "ContrastiveObjective",
    "MaskedLanguageModelHead",
    "ObjectiveSettings",
    "PriorDiscriminator",
    "backward_in_chunks",
]
