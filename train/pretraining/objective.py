"""
Training objective of the paper (arXiv 2502.16451, fig. 1c).

Contrastive terms between and within the modalities, over pairs and their augmented copies.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from modeling_clac import ClacModel
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.loss_clac import (
    answered_mask,
    answers_of,
    concept_loss,
    duplicate_mask,
    info_nce_loss,
    jensen_shannon_loss,
    sigmoid_loss,
)
from modeling_clac.modeling_clac import MAX_LOGIT_SCALE, ClacProjection
from train.pretraining.bank import CrystalBank
from train.pretraining.collator import Chunk, ConceptPhraseBatch, CrystalLabels, Labels, TextLabels
from train.pretraining.length_buckets import pool_text_in_buckets
from train.pretraining.objective_heads import FactHead, LanguageHead, MaskedLanguageModelHead, PriorDiscriminator
from train.pretraining.objective_settings import CONCEPTS, FACTS, TERMS, ObjectiveSettings, View

# Terms whose crystals are all originals, so that they can be those of a bank.
_WITH_BANK = frozenset(("crystal-text", "crystal-text'", CONCEPTS, FACTS))
# Key of all terms between crystals and texts, which share one temperature and one bias.
_INTER = "inter"

# Initial bias of the pairwise losses. That of SigLIP (arXiv 2303.15343, sec. 3.2) makes all pairs unlikely. The
# Jensen-Shannon loss gives pairs and negatives equal weight, so it starts undecided.
_START_BIAS = {"sigmoid": -10.0, "jensen_shannon": 0.0}
# From the same source. InfoNCE starts from the scale of the model.
_START_SCALE = 10.0
# Of phrases of the vocabulary. Smaller than that of pairs, since their right answers are many.
_CONCEPT_SCALE = 25.0
# Crystals of a bank whose facts are predicted in one step.
_FACT_CRYSTALS = 1024
# The encoder before training reads one in so many texts of a step, at a twelfth of the cost of the step.
_LANGUAGE_EVERY = 4


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
        bank: All training crystals, if the graph tower does not change; texts and phrases are then contrasted with all
            of them instead of with those of the batch, and the facts of some of them are predicted in each step.
        num_facts: Number of facts, for the term with facts.
        encoder: The text encoder before training, for `language_weight`.

    Raises:
        ClacInputError: A term cannot be used with or without a bank.
    """

    def __init__(
        self,
        model: ClacModel,
        settings: ObjectiveSettings,
        bank: CrystalBank | None = None,
        num_facts: int = 0,
        encoder: PreTrainedModel | None = None,
    ):
        super().__init__()
        self.model, self.settings, self.bank = model, settings, bank
        if bank is not None and (settings.loss != "info_nce" or set(settings.terms) - _WITH_BANK):
            raise ClacInputError(
                f"terms={list(settings.terms)}, loss={settings.loss!r}: while graph_model is frozen, only "
                f"{', '.join(sorted(_WITH_BANK))} with info_nce can be used"
            )
        config: Any = model.config
        dim, dropout = config.projection_dim, float(config.projection_dropout)
        self.fact_head = FactHead(dim, num_facts) if FACTS in settings.terms else None
        scales, heads, biases = {}, {}, {}
        if "crystal-crystal'" in settings.terms:
            heads[View.CRYSTAL.value] = ClacProjection(model.graph_model.output_size, dim, dropout)
        if "text-text'" in settings.terms:
            heads[View.TEXT.value] = ClacProjection(model.text_output_size, dim, dropout)
        start = config.logit_scale_init_value if settings.loss == "info_nce" else _START_SCALE
        for name in heads:
            scales[name] = nn.Parameter(torch.tensor(math.log(start)))
        if CONCEPTS in settings.terms:
            scales[CONCEPTS] = nn.Parameter(torch.tensor(math.log(_CONCEPT_SCALE)))
        if settings.loss != "info_nce":
            for name in (_INTER, *heads):
                biases[name] = nn.Parameter(torch.tensor(_START_BIAS[settings.loss]))
            with torch.no_grad():
                model.logit_scale.fill_(math.log(start))
        self.heads, self.scales, self.biases = nn.ModuleDict(heads), nn.ParameterDict(scales), nn.ParameterDict(biases)
        matched = (View.CRYSTAL.value, View.TEXT.value) if settings.prior_weight else ()
        self.discriminators = nn.ModuleDict({kind: PriorDiscriminator(dim) for kind in matched})
        self.mlm_head = MaskedLanguageModelHead(config.text_config) if settings.mlm_weight else None
        self.language_head = None
        if settings.language_weight:
            if encoder is None:
                raise ValueError("language_weight is set, but there is no encoder")
            self.language_head = LanguageHead(encoder)

    def forward(
        self, chunk: Chunk, labels: Labels | None = None, concepts: ConceptPhraseBatch | None = None
    ) -> dict[str, Tensor]:
        """
        Compute the losses of a chunk or, without labels, only its embeddings.

        Args:
            chunk: Inputs of the towers.
            labels: Labels of the pairs of the chunk.
            concepts: Phrases of the vocabulary.

        Returns:
            With labels, `loss` and each term by its name, all scalar; without, the outputs of [`embed`].
        """
        outputs = self.embed(chunk)
        if concepts is not None:
            outputs |= self._embed_phrases(concepts.tokens)
        return outputs if labels is None else self.contrast(outputs, labels, concepts)

    def embed(self, chunk: Chunk) -> dict[str, Tensor]:
        """
        Embed the pairs of a chunk.

        Args:
            chunk: Inputs of the towers.

        Returns:
            Unit vectors `(B, D)` for each [`View`], and for `View.intra` of views with a term within their modality;
            `mlm`, `(B,)`, the cross-entropy summed over the masked tokens of each text; `language`, `(B,)`, see
            [`LanguageHead`].

        Raises:
            ValueError: The chunk lacks masked tokens that the objective needs.
        """
        model, graphs, tokens = self.model, chunk.graphs, chunk.tokens
        outputs: dict[str, Tensor] = {}
        pooled: dict[View, Tensor] = {}
        if self.bank is None:
            pooled[View.CRYSTAL] = model.graph_model(**graphs).pooler_output
            known = {name: graphs[name] for name in ("atomic_numbers", "batch", "num_atoms", "density")}
            crystals = model.embed_crystals(pooled[View.CRYSTAL], **known, occupancy=graphs.get("occupancy"))
            outputs |= _originals_and_copies((View.CRYSTAL, View.CRYSTAL_COPY), crystals, chunk.size)
        text_output = None
        if self.settings.texts:
            text_output = pool_text_in_buckets(model, tokens)
            assert text_output.pooler_output is not None
            pooled[View.TEXT] = text_output.pooler_output
            texts = model.embed_text(pooled[View.TEXT], tokens.get("token_kinds"), tokens.get("token_values"))
            outputs |= _originals_and_copies((View.TEXT, View.TEXT_COPY), texts, chunk.size)
            if self.language_head is not None:
                outputs["language"] = self._language(self.language_head, text_output, tokens, chunk.size)
        for original, copy in ((View.CRYSTAL, View.CRYSTAL_COPY), (View.TEXT, View.TEXT_COPY)):
            if original in self.heads:
                names = (original.intra, copy.intra)
                outputs |= _originals_and_copies(names, self.heads[original](pooled[original]), chunk.size)
        if self.mlm_head is not None:
            if chunk.mlm_labels is None:
                raise ValueError("mlm_weight is set, but the batch has no mlm_labels")
            words = model.get_input_embeddings().weight
            hidden: Any = text_output.last_hidden_state  # type: ignore[union-attr]
            outputs["mlm"] = self.mlm_head(hidden[chunk.size :], chunk.mlm_labels, words)
        return outputs

    def _embed_phrases(self, tokens: dict[str, Tensor]) -> dict[str, Tensor]:
        output = pool_text_in_buckets(self.model, tokens)
        pooled, kinds, values = output.pooler_output, tokens.get("token_kinds"), tokens.get("token_values")
        assert pooled is not None
        outputs = {CONCEPTS: self.model.embed_text(pooled, kinds, values).float()}
        if self.language_head is not None:
            outputs["language of phrases"] = self._language(self.language_head, output, tokens, len(pooled))
        return outputs

    def _language(
        self, head: LanguageHead, output: BaseModelOutputWithPooling, tokens: dict[str, Tensor], size: int
    ) -> Tensor:
        """Loss of some of the first `size` texts and 0 for the others, `(size,)`; its mean is that of the former."""
        rows = slice(0, size, _LANGUAGE_EVERY)
        hidden = output.last_hidden_state
        assert hidden is not None
        words = self.model.get_input_embeddings()(tokens["input_ids"][rows])
        losses = head(hidden[rows], words, tokens["attention_mask"][rows])
        every = losses.new_zeros(size)
        every[rows] = losses * (size / len(losses))
        return every

    def contrast(
        self, outputs: dict[str, Tensor], labels: Labels, concepts: ConceptPhraseBatch | None = None
    ) -> dict[str, Tensor]:
        """
        Compute the losses of a batch, in float32: bf16 rounds logits by more than they differ at the end of training.

        Args:
            outputs: Outputs of [`embed`] for the whole batch of this process, and the embedded `concepts`.
            labels: Labels of the same pairs.
            concepts: Phrases of the vocabulary.

        Returns:
            `loss` and each term by its name, all scalar.
        """
        # The projections of the crystals of the bank are part of the model, and like it in the precision of the run.
        bank = None if self.bank is None else self.bank.embed(self.model)
        with torch.autocast(labels.rows.device.type, enabled=False):
            return self._losses(outputs, bank, labels, concepts)

    def _losses(
        self,
        outputs: dict[str, Tensor],
        bank: Tensor | None,
        labels: Labels,
        concepts: ConceptPhraseBatch | None,
    ) -> dict[str, Tensor]:
        excluded: dict[str, tuple[Tensor, Tensor | None]] = {
            _INTER: _excluded_negatives(labels.crystals, labels.texts),
            View.CRYSTAL: (duplicate_mask(labels.crystals.identity), None),
            View.TEXT: (duplicate_mask(labels.texts.identity), None),
        }
        losses = {}
        for term in self.settings.terms:
            if term == FACTS:
                continue
            if term == CONCEPTS:
                losses[term] = self._contrast_concepts(outputs, bank, labels, concepts)
                continue
            left, right = TERMS[term]
            if bank is not None:
                losses[term] = self._contrast_with_bank(bank, outputs[right], labels)
                continue
            if left.original is right.original:
                losses[term] = self._contrast(left, outputs[left.intra], outputs[right.intra], *excluded[left])
            else:
                losses[term] = self._contrast(_INTER, outputs[left], outputs[right], *excluded[_INTER])
        total = torch.stack(list(losses.values())).mean() if losses else torch.zeros((), device=labels.rows.device)
        if self.fact_head is not None:
            losses[FACTS] = self._predict_facts(self.fact_head, outputs, bank, labels)
            total = total + self.settings.fact_weight * losses[FACTS]
        for kind, discriminator in self.discriminators.items():
            losses[f"prior {kind}"] = discriminator(outputs[kind])
            total = total + self.settings.prior_weight * losses[f"prior {kind}"]
        if self.mlm_head is not None:
            losses["mlm"] = outputs["mlm"].sum() / labels.num_masked.clamp(min=1)
            total = total + self.settings.mlm_weight * losses["mlm"]
        if self.language_head is not None:
            # Texts and the shorter, more numerous phrases count the same.
            kept = [outputs[name].mean() for name in ("language", "language of phrases") if name in outputs]
            losses["language"] = torch.stack(kept).mean()
            total = total + self.settings.language_weight * losses["language"]
        return {"loss": total, **losses}

    def _predict_facts(self, head: FactHead, outputs: dict[str, Tensor], bank: Tensor | None, labels: Labels) -> Tensor:
        crystals, facts = outputs.get(View.CRYSTAL), labels.facts
        if bank is not None:
            assert self.bank is not None and self.bank.facts is not None
            # Some of the crystals tell as much of the projection as all of them, at a fraction of the cost.
            rows = torch.randint(len(bank), (min(_FACT_CRYSTALS, len(bank)),), device=bank.device)
            crystals, facts = bank[rows], self.bank.facts[rows]
        assert crystals is not None and facts is not None
        return head(crystals, facts)

    def _contrast_concepts(
        self,
        outputs: dict[str, Tensor],
        bank: Tensor | None,
        labels: Labels,
        concepts: ConceptPhraseBatch | None,
    ) -> Tensor:
        if concepts is None:
            raise ValueError("a term has phrases of the vocabulary, but the batch has none")
        crystals, holds = bank, concepts.holds
        if crystals is None:
            crystals, holds = outputs[View.CRYSTAL], holds[:, labels.rows]
        return concept_loss(outputs[CONCEPTS], crystals, holds, self._scale(CONCEPTS))

    def _contrast_with_bank(self, bank: Tensor, texts: Tensor, labels: Labels) -> Tensor:
        """
        InfoNCE of texts against all training crystals, and of the crystals of the batch against its texts.

        Crystals that the text describes as well are left out, see `_excluded_negatives`.
        """
        assert self.bank is not None
        own, everything = labels.texts, self.bank.labels
        same = everything.identity[labels.rows].unsqueeze(1) == everything.identity.unsqueeze(0)
        excluded = same | answers_of(own.names, everything.answers)
        places = torch.arange(len(texts), device=texts.device)
        excluded[places, labels.rows] = False
        logits = self._scale(_INTER) * texts @ bank.T
        forward = F.cross_entropy(logits.masked_fill(excluded, -torch.inf), labels.rows)
        among = logits[:, labels.rows].T
        ignore = excluded[:, labels.rows].T | duplicate_mask(own.identity)
        ignore[places, places] = False
        return (forward + F.cross_entropy(among.masked_fill(ignore, -torch.inf), places)) / 2

    def loss_parameters(self) -> list[nn.Parameter]:
        """List what only [`contrast`] uses: temperatures, biases, discriminators and the head of facts."""
        parts = [self.scales, self.biases, self.discriminators]
        if self.fact_head is not None:
            parts.append(self.fact_head)
        return [self.model.logit_scale, *(parameter for part in parts for parameter in part.parameters())]

    def take_over(self, previous: ContrastiveObjective) -> None:
        """
        Take over the trained head of facts and the temperatures from the objective of the phase before.

        Args:
            previous: The objective.
        """
        with torch.no_grad():
            for name, scale in self.scales.items():
                if name in previous.scales:
                    scale.copy_(previous.scales[name])
        if self.fact_head is not None and previous.fact_head is not None:
            self.fact_head.load_state_dict(previous.fact_head.state_dict())

    def _contrast(self, kind: str, x: Tensor, y: Tensor, ignore: Tensor, ignore_reverse: Tensor | None) -> Tensor:
        scale = self._scale(kind)
        if self.settings.loss == "info_nce":
            return info_nce_loss(x, y, scale, ignore, ignore_reverse)
        pairwise = {"jensen_shannon": jensen_shannon_loss, "sigmoid": sigmoid_loss}[self.settings.loss]
        return pairwise(x, y, scale, self.biases[kind].float(), ignore)

    def _scale(self, kind: str) -> Tensor:
        scale = self.model.logit_scale if kind == _INTER else self.scales[kind]
        return scale.float().clamp(max=MAX_LOGIT_SCALE).exp()


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
    by_crystal, by_text = answered_mask(texts.names, crystals.answers)
    return duplicates | by_crystal, duplicates | by_text


__all__ = ["ContrastiveObjective"]
