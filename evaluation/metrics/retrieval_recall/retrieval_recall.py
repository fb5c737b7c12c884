"""Top-k accuracy and mean reciprocal rank of retrieval between two sets of embeddings, as an `evaluate` metric."""

# `evaluate` parses the imports of this file line by line, so each import must fit on one line.
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores

_DESCRIPTION = """
Row i of the predictions (query embeddings) matches row i of the references (key embeddings). Each query ranks all keys
by inner product; a key with the same score as the matching key is ranked before it.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: Query embeddings, `(N, D)`.
    references: Key embeddings, `(N, D)`.
    top: The k of the top-k accuracies. Default: (1, 3, 10).

Returns:
    `top_1`, `top_3`, `top_10` (one for each k), the share of queries whose matching key is among the k best, and
    `mrr`, the mean reciprocal rank. All values are between 0 and 1.

Examples:
    >>> metric = evaluate.load("evaluation/metrics/retrieval_recall")
    >>> metric.compute(predictions=[[1.0, 0.0], [0.0, 1.0]], references=[[1.0, 0.0], [0.0, 1.0]], top=(1,))
    {'top_1': 1.0, 'mrr': 1.0}
"""


class RetrievalRecall(evaluate.Metric):
    """Retrieval metric; `evaluate` shows `_DESCRIPTION` and `_KWARGS_DESCRIPTION` to users."""

    def _info(self) -> evaluate.MetricInfo:
        vector = datasets.Sequence(datasets.Value("float32"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({"predictions": vector, "references": vector}),
        )

    def _compute(self, *, predictions: Any, references: Any, top: Sequence[int] = (1, 3, 10)) -> dict[str, float]:
        queries = np.asarray(predictions, dtype=np.float32)
        keys = np.asarray(references, dtype=np.float32)
        return retrieval_scores(retrieval_ranks(queries, keys), tuple(top))
