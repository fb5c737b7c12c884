"""Heads that only the objective needs: for words, for a prior of the embeddings, and for facts of crystals."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel

from modeling_clac.loss_clac import IGNORE_INDEX
from train.pretraining.length_buckets import by_length, split_by_length

# Initial scale s of [`FactHead`].
_FACT_SCALE = 20.0


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


class LanguageHead(nn.Module):
    """
    Prediction of the hidden states of the text encoder as it was before training (distillation, Hinton et al. 2015,
    arXiv 1503.02531), so that the tower keeps what it knows of language besides what it learns of crystals.

    The prediction is linear: the hidden states may turn and take up more, but what they held can still be read.

    Args:
        encoder: The encoder before training. It is not part of the module, and does not change.
    """

    def __init__(self, encoder: PreTrainedModel):
        super().__init__()
        size = encoder.config.hidden_size
        self.map = nn.Linear(size, size)
        with torch.no_grad():
            self.map.weight.copy_(torch.eye(size))
            self.map.bias.zero_()
        # In a tuple, so that it has no place in checkpoints and among the parameters.
        self._encoder = (encoder.eval().requires_grad_(False),)

    def forward(self, hidden: Tensor, words: Tensor, attention_mask: Tensor) -> Tensor:
        """
        Compute the loss of each text.

        Args:
            hidden: Hidden states of the tower, `(B, L, H)`.
            words: Word embeddings of the tokens, `(B, L, H)`.
            attention_mask: `(B, L)`, 0 for padding.

        Returns:
            `(B,)`, 1 - cos between predicted and true hidden states, averaged over the tokens of each text.
        """
        order = by_length(attention_mask)
        losses = []
        for rows, longest in split_by_length(attention_mask, order):
            mask = attention_mask[rows, :longest]
            with torch.no_grad():
                target = self._encoder[0](inputs_embeds=words[rows, :longest].detach(), attention_mask=mask)
            predicted = self.map(hidden[rows, :longest]).float()
            distances = 1.0 - F.cosine_similarity(predicted, target.last_hidden_state.float(), dim=-1)
            losses.append((distances * mask).sum(dim=1) / mask.sum(dim=1))
        return torch.cat(losses)[torch.argsort(order)]


class FactHead(nn.Module):
    """
    Prediction of facts from the embeddings of crystals: the logit of fact c is s w_c · x + b_c.

    Each fact has a direction w_c in the shared space, as the texts that state it will have. So the space gets its order
    from facts of all crystals, without the cost of the text tower.

    Args:
        dim: Dimension of the embeddings.
        num_facts: Number of facts.
    """

    def __init__(self, dim: int, num_facts: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_facts, dim) / dim**0.5)
        self.bias = nn.Parameter(torch.zeros(num_facts))
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FACT_SCALE)))

    def forward(self, crystals: Tensor, targets: Tensor) -> Tensor:
        """
        Compute the cross-entropy.

        Args:
            crystals: Unit vectors, `(B, dim)`.
            targets: `(B, num_facts)`, 1 where a fact holds, 0 where not, NaN where unknown, grades in between.

        Returns:
            Scalar, the sum over the facts, averaged over the crystals.
        """
        logits = self.log_scale.exp() * F.linear(crystals, self.weight) + self.bias
        known = ~targets.isnan()
        losses = F.binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none")
        return (losses * known).sum() / len(crystals)


__all__ = ["FactHead", "LanguageHead", "MaskedLanguageModelHead", "PriorDiscriminator"]
