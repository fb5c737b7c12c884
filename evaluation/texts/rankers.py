"""Ways of ranking the crystals of a pool for texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from modeling_clac.inference.embedder import ClacEmbedder

# Returns the scores of the crystals of a pool for texts, `(texts, n)`; larger is better.
Ranker = Callable[[Sequence[str]], np.ndarray]


def embedding_ranker(embedder: ClacEmbedder, crystals: np.ndarray) -> Ranker:
    """
    Rank by the cosine of the embeddings.

    Args:
        embedder: Embedder of a checkpoint.
        crystals: Embeddings of the crystals, `(n, dim)`.
    """
    return lambda texts: np.asarray(embedder.encode_text(list(texts)) @ crystals.T)


__all__ = ["Ranker", "embedding_ranker"]
