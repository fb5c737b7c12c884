"""Length bucketing inside a batch: texts of similar length pass through the text tower together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutputWithPooling

from modeling_clac import ClacModel

# Tokens per bucket on a CPU: few enough that the activations of a layer fit in the cache, and enough to keep the cores
# busy. An accelerator is faster with the whole batch in one bucket.
CPU_BUCKET_TOKENS = 1024


def pool_text_in_buckets(
    model: ClacModel, tokens: dict[str, Tensor], bucket_size: int | None = None
) -> BaseModelOutputWithPooling:
    """
    Pool texts like `ClacModel.pool_text`, but in buckets of similar length, each padded to its own longest text.

    A batch keeps the crystals of a chemical system together, whatever the length of their texts. Padded to the longest
    text, more than a third of the batch would be padding.

    Args:
        model: The model whose text tower is used.
        tokens: Inputs of the text tower, `(B, L)` each, with `attention_mask`, padded on the right.
        bucket_size: Texts per bucket. Default: about `CPU_BUCKET_TOKENS` on a CPU, otherwise all texts.

    Returns:
        `pooler_output` `(B, text_output_size)`; `last_hidden_state` `(B, L, H)`, zero beyond the longest text of a
        bucket.
    """
    mask = tokens["attention_mask"]
    length = mask.shape[1]
    # A single look-up for all buckets, since its gradient is as large as the vocabulary.
    words = model.get_input_embeddings()(tokens["input_ids"])
    hidden, pooled = [], []
    order = by_length(mask)
    for bucket, longest in split_by_length(mask, order, bucket_size):
        output: Any = model.pool_text(
            **{name: values[bucket, :longest] for name, values in tokens.items()}, inputs_embeds=words[bucket, :longest]
        )
        hidden.append(F.pad(output.last_hidden_state, (0, 0, 0, length - longest)))
        pooled.append(output.pooler_output)
    back = torch.argsort(order)
    return BaseModelOutputWithPooling(last_hidden_state=torch.cat(hidden)[back], pooler_output=torch.cat(pooled)[back])


def by_length(attention_mask: Tensor) -> Tensor:
    """Rows of a mask `(B, L)`, the shortest text first, `(B,)`."""
    return torch.argsort(attention_mask.sum(dim=1), stable=True)


def split_by_length(
    attention_mask: Tensor, order: Tensor, bucket_size: int | None = None
) -> Iterator[tuple[Tensor, int]]:
    """
    Split texts into buckets of similar length.

    Args:
        attention_mask: `(B, L)`, 0 for padding, on the right.
        order: Rows of the mask as [`by_length`] orders them, `(B,)`.
        bucket_size: Texts per bucket. Default: about `CPU_BUCKET_TOKENS` on a CPU, otherwise all texts.

    Yields:
        Rows of a bucket and the number of tokens of its longest text.
    """
    lengths = attention_mask.sum(dim=1)
    size = bucket_size or len(lengths)
    if bucket_size is None and lengths.device.type == "cpu":
        size = max(1, CPU_BUCKET_TOKENS * len(lengths) // int(lengths.sum()))
    for bucket in order.split(size):
        yield bucket, int(lengths[bucket].max())


__all__ = ["CPU_BUCKET_TOKENS", "by_length", "pool_text_in_buckets", "split_by_length"]
