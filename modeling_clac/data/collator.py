"""Batches of texts, crystals and labels for `transformers.Trainer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..errors_clac import ClacInputError
from ..feature_extraction_clac import GRAPH_ARRAYS
from ..loss_clac import IGNORE_INDEX
from ..processing_clac import ClacProcessor

_LABELS = ("labels", "label", "label_ids")


@dataclass
class DataCollatorForClac:
    """
    Make batches for a [`ClacModel`] or a fine-tuning head.

    Examples of a data set are the model inputs that `processor(text=..., structures=..., return_tensors=None)` stores
    with `Dataset.map`, or a text and a structure, which are converted here; `Trainer` then needs
    `remove_unused_columns=False`, since it drops columns that are not inputs of the model.

    Examples with a text and a crystal but without labels are pairs: the batch says `return_loss=True`, since the
    contrastive loss of [`ClacModel`] has no labels.

    Args:
        processor: The processor of the model.
        text_column: Name of the texts.
        structure_column: Name of the structures, see [`ClacFeatureExtractor`].
        max_length: Maximum number of tokens of the texts in `text_column`. Default: the limit of the tokenizer.
        pad_to_multiple_of: Pad the number of tokens to a multiple of this.

    Examples:
        >>> pairs = dataset.map(
        ...     lambda rows: processor(text=rows["text"], structures=rows["cif"], return_tensors=None),
        ...     batched=True,
        ...     remove_columns=dataset.column_names,
        ... )
        >>> collator = DataCollatorForClac(processor)
        >>> Trainer(model, arguments, collator, pairs, processing_class=processor).train()
    """

    processor: ClacProcessor
    text_column: str = "text"
    structure_column: str = "structure"
    max_length: int | None = None
    pad_to_multiple_of: int | None = None

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """
        Make a batch.

        Args:
            features: The examples, all with the same keys.

        Returns:
            The inputs of the texts, those of the crystals, `labels`, and `return_loss`, as far as they exist. Labels of
            tokens are padded with -100.

        Raises:
            ClacInputError: If there are neither texts nor crystals, or one of them is invalid.
        """
        batch = self._texts(features)
        num_inputs = len(batch)
        batch |= self._crystals(features)
        if not batch:
            raise ClacInputError(
                f"the examples have the keys {', '.join(features[0]) or '(none)'}; expected input_ids or "
                f"{self.text_column}, atomic_numbers or {self.structure_column}; in Trainer, set "
                "remove_unused_columns=False to keep columns that are not inputs of the model"
            )
        name = next((name for name in _LABELS if features[0].get(name) is not None), None)
        if name is not None:
            labels = [torch.as_tensor(feature[name]) for feature in features]
            batch["labels"] = self._joined(labels, batch)
        elif 0 < num_inputs < len(batch):
            batch["return_loss"] = True
        return batch

    def _texts(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        tokenizer: Any = self.processor.tokenizer
        options = {"pad_to_multiple_of": self.pad_to_multiple_of, "return_tensors": "pt"}
        if "input_ids" in features[0]:
            names = [name for name in tokenizer.model_input_names if name in features[0]]
            return dict(tokenizer.pad([{name: feature[name] for name in names} for feature in features], **options))
        if self.text_column not in features[0]:
            return {}
        texts = [feature[self.text_column] for feature in features]
        return dict(self.processor(text=texts, max_length=self.max_length, pad_to_multiple_of=self.pad_to_multiple_of))

    def _crystals(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        extractor: Any = self.processor.feature_extractor
        if "atomic_numbers" in features[0]:
            graphs = [{name: feature.get(name) for name in GRAPH_ARRAYS} for feature in features]
            return dict(extractor.collate(graphs))
        if self.structure_column not in features[0]:
            return {}
        return dict(extractor([feature[self.structure_column] for feature in features]))

    def _joined(self, labels: list[torch.Tensor], batch: dict[str, Any]) -> torch.Tensor:
        """Labels `(B,)`, `(B, num_labels)`, or of tokens `(B, L)` with -100 for padding."""
        lengths = [len(label) if label.dim() else None for label in labels]
        if lengths[0] is None or "input_ids" not in batch or lengths != batch["attention_mask"].sum(dim=1).tolist():
            return torch.stack(labels)
        rows = torch.full(batch["input_ids"].shape, IGNORE_INDEX, dtype=labels[0].dtype)
        left = self.processor.tokenizer.padding_side == "left"
        for row, label in zip(rows, labels, strict=True):
            row[-len(label) if left else 0 :][: len(label)] = label
        return rows


__all__ = ["DataCollatorForClac"]
