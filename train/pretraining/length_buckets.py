"""The texts of a batch through the text tower in several passes, each as long as its own longest text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutputWithPooling

from modeling_clac import ClacModel

# Texts of one pass on a CPU: few enough that what a layer computes stays in its caches. An accelerator would be left
# waiting by small passes and takes the batch as it is.
CPU_PASS = 8


def pool_texts(
    model: ClacModel, tokens: dict[str, Tensor], texts_per_pass: int | None = None
) -> BaseModelOutputWithPooling:
    """
    As `ClacModel.pool_text`, for texts of unequal length: a batch keeps the crystals of a chemical system together,
    however long their texts are, and padded to the longest more than a third of it would be padding. In a pass, texts
    of like length go together.

    Args:
        tokens: inputs of the text tower, `(B, L)` each, with `attention_mask`, padded on the right.
        texts_per_pass: default `CPU_PASS` on a CPU, elsewhere all.

    Returns:
        `pooler_output` `(B, text_output_size)`; `last_hidden_state` `(B, L, H)`, zero beyond the pass a text was in.
    """
    rows, length = tokens["input_ids"].shape
    size = texts_per_pass or (CPU_PASS if tokens["input_ids"].device.type == "cpu" else rows)
    lengths = tokens["attention_mask"].sum(dim=1)
    order = torch.argsort(lengths, stable=True)
    # Once: the gradient of a look-up is as large as the vocabulary.
    words = model.get_input_embeddings()(tokens["input_ids"])
    hidden, pooled = [], []
    for chosen in order.split(size):
        longest = int(lengths[chosen].max())
        output: Any = model.pool_text(
            **{name: values[chosen, :longest] for name, values in tokens.items()}, inputs_embeds=words[chosen, :longest]
        )
        hidden.append(F.pad(output.last_hidden_state, (0, 0, 0, length - longest)))
        pooled.append(output.pooler_output)
    back = torch.argsort(order)
    return BaseModelOutputWithPooling(last_hidden_state=torch.cat(hidden)[back], pooler_output=torch.cat(pooled)[back])


__all__ = ["CPU_PASS", "pool_texts"]
