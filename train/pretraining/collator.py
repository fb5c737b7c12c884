"""Conversion of training pairs to the tensors of a batch, with augmented copies of crystals and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from accelerate.utils import send_to_device
from torch import Tensor

from modeling_clac import ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.narrator.concept_phrases import Phrase
from modeling_clac.quantities_clac import NOTHING
from train.pretraining.augmentation import (
    AtomMasking,
    EdgeDropping,
    FormulaHiding,
    SentenceDropShuffle,
    SiteDisplacement,
    Strain,
    TokenMasking,
)
from train.pretraining.pairs import Copies, Text, TrainingPair, answers, crystal_label, text_label


class OnDevice:
    """A dataclass of tensors with a method `to`."""

    def to(self, device: torch.device) -> Self:
        """Move all tensors to a device."""
        moved = {entry.name: send_to_device(getattr(self, entry.name), device) for entry in fields(self)}  # type: ignore[arg-type]
        return replace(self, **moved)  # type: ignore[type-var]


@dataclass(frozen=True)
class CrystalLabels(OnDevice):
    """
    Labels that determine which texts are negatives of a crystal.

    Attributes:
        identity: `(B,)` int64, equal for identical crystals, see `crystal_label`.
        answers: `(B, 2)` int64, labels of the `answers` of the crystals.
    """

    identity: Tensor
    answers: Tensor


@dataclass(frozen=True)
class TextLabels(OnDevice):
    """
    Labels that determine which crystals are negatives of a text.

    Attributes:
        identity: `(B,)` int64, equal for equal texts.
        names: `(B,)` int64, label of what a short text names, 0 for other texts.
    """

    identity: Tensor
    names: Tensor


@dataclass(frozen=True)
class Labels(OnDevice):
    """
    The labels of a batch of B pairs.

    Attributes:
        crystals: Labels of the crystals.
        texts: Labels of the texts.
        num_masked: Number of masked tokens in the batch, scalar.
        rows: `(B,)` int64, rows of the crystals among all training crystals.
        facts: `(B, T)` float32, facts of the crystals: 1, 0, grades in between, and NaN where unknown; `None` without
            a term that predicts them.
    """

    crystals: CrystalLabels
    texts: TextLabels
    num_masked: Tensor
    rows: Tensor
    facts: Tensor | None = None


@dataclass(frozen=True)
class Chunk(OnDevice):
    """
    Pairs that pass through the towers together.

    Attributes:
        size: Number of pairs, B.
        graphs: Inputs of the graph tower: B crystals, followed by their B copies if the objective has them.
        tokens: Inputs of the text tower, `(B, L)`; `(2B, L)` if copies follow the originals.
        mlm_labels: `(B, L)` int64, the masked tokens of the copies, `IGNORE_INDEX` elsewhere; `None` without copies.
    """

    size: int
    graphs: dict[str, Tensor]
    tokens: dict[str, Tensor]
    mlm_labels: Tensor | None = None


@dataclass(frozen=True)
class ConceptPhraseBatch(OnDevice):
    """
    Phrases of the vocabulary with all their right answers.

    Attributes:
        tokens: Inputs of the text tower, `(P, L)`.
        holds: `(P, n)` int8 over all training crystals: 1 the phrase holds, 0 it does not, -1 neither (unknown, or
            it holds partly).
    """

    tokens: dict[str, Tensor]
    holds: Tensor


@dataclass(frozen=True)
class Batch(OnDevice):
    """
    The pairs of one step on one process.

    Attributes:
        material_ids: Ids of the B crystals.
        chunks: The pairs in order; a single chunk unless `chunk_size` divides the batch.
        labels: Labels of all B pairs.
        concepts: Phrases of the vocabulary; `None` without a term that contrasts them.
    """

    material_ids: list[str]
    chunks: list[Chunk]
    labels: Labels
    concepts: ConceptPhraseBatch | None = None


class Collator:
    """
    Collate training pairs, with augmented copies if the objective needs them.

    Args:
        processor: Tokenizer and feature extractor of the model.
        max_text_tokens: Maximum number of tokens; longer texts are truncated.
        copies: Settings of the augmented copies. Default: no copies.
        chunk_size: Pairs per chunk; 0 for the whole batch.
        with_graphs: Whether the objective needs the graphs of the crystals.
        with_texts: Whether the objective needs the texts of the pairs.
    """

    def __init__(
        self,
        processor: ClacProcessor,
        max_text_tokens: int,
        copies: Copies | None = None,
        chunk_size: int = 0,
        with_graphs: bool = True,
        with_texts: bool = True,
    ):
        self.processor, self.max_text_tokens = processor, max_text_tokens
        self.copies, self.chunk_size = copies or Copies(), chunk_size
        self.with_graphs, self.with_texts = with_graphs, with_texts
        tokenizer: Any = processor.tokenizer
        special = frozenset(tokenizer.all_special_ids)
        self._mask_tokens = TokenMasking(tokenizer.mask_token_id, len(tokenizer), special, self.copies.token_masking)

    def tokenize(self, texts: list[str]) -> dict[str, list[list[int]]]:
        """Tokenize texts without padding. Each input of the text tower is a list of lists, one per text."""
        return dict(self.processor.tokenizer(texts, truncation=True, max_length=self.max_text_tokens))

    def concepts(self, phrases: Sequence[Phrase]) -> ConceptPhraseBatch:
        """Collate phrases of the vocabulary."""
        tokens = self._pad(self.tokenize([phrase.text for phrase in phrases]))
        # A quarter of the memory of float32: these are most of a batch, which is sent between processes.
        holds = np.stack([_decided(phrase.holds) for phrase in phrases])
        return ConceptPhraseBatch(tokens, torch.from_numpy(holds))

    def _pad(self, tokens: dict[str, list[Any]]) -> dict[str, Tensor]:
        """Pad on the right like `tokenizer.pad`, which takes a fifth of the time of a batch of phrases."""
        lengths = np.array([len(row) for row in tokens["input_ids"]])
        present = np.arange(lengths.max()) < lengths[:, None]
        padded = {}
        for name, rows in tokens.items():
            flat = torch.tensor([value for row in rows for value in row])
            filling = self.processor.tokenizer.pad_token_id if name == "input_ids" else 0
            padded[name] = torch.full(present.shape, filling, dtype=flat.dtype)
            padded[name][torch.from_numpy(present)] = flat
        return padded

    def __call__(self, pairs: Sequence[TrainingPair], generator: np.random.Generator) -> Batch:
        """
        Make a batch.

        Args:
            pairs: The pairs.
            generator: Source of random numbers for the copies.
        """
        chunk_size = self.chunk_size or len(pairs)
        chunks = [self._chunk(pairs[i : i + chunk_size], generator) for i in range(0, len(pairs), chunk_size)]
        num_masked = sum(int((c.mlm_labels != IGNORE_INDEX).sum()) for c in chunks if c.mlm_labels is not None)
        records = [pair.record for pair in pairs]
        labels = Labels(
            crystals=crystal_labels(records),
            texts=_text_labels([pair.text for pair in pairs]),
            num_masked=torch.tensor(num_masked),
            rows=torch.arange(len(pairs)),
        )
        return Batch([pair.material_id for pair in pairs], chunks, labels)

    def _chunk(self, pairs: Sequence[TrainingPair], generator: np.random.Generator) -> Chunk:
        extractor = self.processor.feature_extractor
        graphs: list[dict[str, np.ndarray]] = []
        if self.with_graphs:
            graphs = self._graphs(pairs)
        tokens = {key: [pair.tokens[key] for pair in pairs] for key in pairs[0].tokens}
        if self.copies.crystals:
            graphs += self._copy_crystals(pairs, generator)
        masked: list[np.ndarray] = []
        if self.copies.texts:
            copied, masked = self._copy_texts(pairs, generator)
            tokens = {key: rows + copied[key] for key, rows in tokens.items()}
        padded = self._pad(tokens) if self.with_texts else {}
        return Chunk(
            size=len(pairs),
            graphs=dict(extractor.collate(graphs)) if graphs else {},
            tokens=padded,
            mlm_labels=_padded_labels(masked, padded["input_ids"].shape[1]) if masked else None,
        )

    def _graphs(self, pairs: Sequence[TrainingPair]) -> list[dict[str, np.ndarray]]:
        new = [pair for pair in pairs if pair.graph is None]
        built = iter(self.build_graphs([pair.crystal for pair in new], [pair.material_id for pair in new]))
        return [next(built) if pair.graph is None else pair.graph for pair in pairs]

    def build_graphs(self, crystals: Sequence[Crystal], names: Sequence[str]) -> list[dict[str, np.ndarray]]:
        """Build the graphs of crystals."""
        return self.processor.feature_extractor.graphs(list(crystals), list(names)) if crystals else []

    def _copy_crystals(
        self, pairs: Sequence[TrainingPair], generator: np.random.Generator
    ) -> list[dict[str, np.ndarray]]:
        strain, displace = Strain(self.copies.strain), SiteDisplacement(self.copies.site_displacement)
        mask, drop = AtomMasking(self.copies.atom_masking), EdgeDropping(self.copies.edge_dropping)
        moved: list[Crystal] = [displace(strain(pair.crystal, generator), generator) for pair in pairs]
        graphs = self.build_graphs(moved, [f"copy of {pair.material_id}" for pair in pairs])
        return [drop(mask(graph, generator), generator) for graph in graphs]

    def _copy_texts(
        self, pairs: Sequence[TrainingPair], generator: np.random.Generator
    ) -> tuple[dict[str, list[list[int]]], list[np.ndarray]]:
        """Tokenize the copies of the texts, mask some tokens, and return the tokens and their labels."""
        shuffle, hide = SentenceDropShuffle(self.copies.sentence_dropping), FormulaHiding(self.copies.formula_hiding)
        changed = [hide(shuffle(pair.text.text, generator), str(pair.record["formula"]), generator) for pair in pairs]
        tokens = self.tokenize(changed)
        masked = [self._mask_tokens(np.array(ids), generator) for ids in tokens["input_ids"]]
        tokens["input_ids"] = [ids.tolist() for ids, _ in masked]
        # The value of a masked token must be hidden as well.
        tokens["token_kinds"] = [
            np.where(labels == IGNORE_INDEX, kinds, NOTHING).tolist()
            for kinds, (_, labels) in zip(tokens["token_kinds"], masked, strict=True)
        ]
        return tokens, [labels for _, labels in masked]


def crystal_labels(records: Sequence[dict[str, Any]]) -> CrystalLabels:
    """Label the crystals of records."""
    return CrystalLabels(
        identity=torch.tensor([crystal_label(record) for record in records]),
        answers=torch.tensor([[text_label(name) for name in answers(record)] for record in records]),
    )


def _decided(holds: np.ndarray) -> np.ndarray:
    """Code what holds as 1, what does not as 0, and everything else as -1, in int8."""
    return np.where(holds == 1, 1, np.where(holds == 0, 0, -1)).astype(np.int8)


def _padded_labels(rows: Sequence[np.ndarray], length: int) -> Tensor:
    padded = [np.pad(row, (0, length - len(row)), constant_values=IGNORE_INDEX) for row in rows]
    return torch.from_numpy(np.stack(padded))


def _text_labels(texts: Sequence[Text]) -> TextLabels:
    return TextLabels(
        identity=torch.tensor([text_label(own.text) for own in texts]),
        names=torch.tensor([text_label(own.names) if own.names else 0 for own in texts]),
    )


__all__ = [
    "Batch",
    "Chunk",
    "Collator",
    "ConceptPhraseBatch",
    "CrystalLabels",
    "Labels",
    "OnDevice",
    "TextLabels",
    "crystal_labels",
]
