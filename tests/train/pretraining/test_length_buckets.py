"""Length buckets in the text tower: the same outputs and gradients as with a single batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig

from modeling_clac import ClacConfig, ClacModel
from tests.conftest import small_graph_config
from train.pretraining.length_buckets import pool_text_in_buckets


@pytest.fixture(scope="module", params=[False, True], ids=["words", "values"])
def model(request, bert_config: BertConfig) -> ClacModel:
    torch.manual_seed(0)
    config = ClacConfig(
        text_config=bert_config,
        graph_config=small_graph_config(),
        projection_dim=24,
        text_pooling="mean",
        token_values=request.param,
    )
    return ClacModel(config).eval()


def tokens_of(lengths: list[int], vocabulary: int) -> dict[str, torch.Tensor]:
    """Random tokens of texts of these lengths, some of which are numbers."""
    generator = torch.Generator().manual_seed(sum(lengths))
    shape = (len(lengths), max(lengths))
    mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, vocabulary, shape, generator=generator) * mask
    kinds = torch.randint(0, 2, shape, generator=generator) * mask
    values = torch.rand(shape, generator=generator) * (kinds > 0)
    return {"input_ids": ids, "attention_mask": mask, "token_kinds": kinds, "token_values": values}


@given(lengths=st.lists(st.integers(3, 20), min_size=1, max_size=9), size=st.integers(1, 10))
@settings(max_examples=20, deadline=None)
def test_buckets_change_nothing(model: ClacModel, lengths: list[int], size: int) -> None:
    tokens = tokens_of(lengths, model.config.text_config.vocab_size)

    def outputs_and_gradients(pool, **options) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        model.zero_grad()
        output = pool(**options)
        hidden = output.last_hidden_state * tokens["attention_mask"].unsqueeze(-1)
        (output.pooler_output.pow(2).sum() + hidden.pow(3).sum()).backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        return output.pooler_output.detach(), hidden.detach(), gradients

    once = outputs_and_gradients(model.pool_text, **tokens)
    buckets = outputs_and_gradients(pool_text_in_buckets, model=model, tokens=tokens, bucket_size=size)
    assert buckets[2].keys() == once[2].keys()
    # Sums of float32 in another order.
    torch.testing.assert_close(buckets, once, rtol=1e-3, atol=1e-3)


def test_buckets_are_as_long_as_their_longest_texts(model: ClacModel) -> None:
    tokens = tokens_of([20, 4, 19, 5, 3, 18], model.config.text_config.vocab_size)
    seen = []
    hook = model.text_model.register_forward_hook(
        lambda module, args, kwargs, output: seen.append(tuple(output.last_hidden_state.shape[:2])), with_kwargs=True
    )
    pool_text_in_buckets(model, tokens, bucket_size=3)
    hook.remove()
    assert seen == [(3, 5), (3, 20)]
