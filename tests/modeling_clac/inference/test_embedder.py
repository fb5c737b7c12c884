"""Embedding: order, batches, error policy and scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from datasets import Dataset

from modeling_clac import ClacEmbedder, ClacInputError, InvalidStructureError


@pytest.fixture(scope="module")
def embedder(small_checkpoint) -> ClacEmbedder:
    return ClacEmbedder.from_pretrained(small_checkpoint)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_order_and_batching(embedder, cifs, batch_size) -> None:
    crystals = embedder.encode_crystals(cifs, batch_size=batch_size)
    assert crystals.dtype == np.float32 and crystals.shape == (len(cifs), 24)
    np.testing.assert_allclose(np.linalg.norm(crystals, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(crystals[3], embedder.encode_crystals(cifs[3])[0], rtol=1e-3, atol=1e-5)
    texts = ["NaCl", "a much longer text about a mineral", "GaN", "x"] * 3
    embeds = embedder.encode_text(texts, batch_size=batch_size)
    np.testing.assert_allclose(embeds[1], embedder.encode_text(texts[1])[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(embeds[0], embeds[4], rtol=1e-3, atol=1e-5)


def test_large_crystals_make_smaller_batches(embedder, cifs, monkeypatch) -> None:
    expected = embedder.encode_crystals(cifs)
    monkeypatch.setattr("modeling_clac.data.graph_batches.ATOMS_PER_BATCH", 10)
    np.testing.assert_allclose(embedder.encode_crystals(cifs), expected, rtol=1e-3, atol=1e-5)


def test_skipped_structures_leave_the_rest_in_order(embedder, cifs) -> None:
    mixed = [cifs[0], "", cifs[1], "data_x\n", cifs[2]]
    embeds, skipped = embedder.encode_crystals(mixed, on_error="skip", return_skipped=True)
    assert [index for index, _ in skipped] == [1, 3]
    np.testing.assert_allclose(embeds, embedder.encode_crystals(cifs[:3]), rtol=1e-3, atol=1e-5)
    with pytest.raises(InvalidStructureError):
        embedder.encode_crystals(mixed)
    nothing, skipped = embedder.encode_crystals(["data_x\n"], on_error="skip", return_skipped=True)
    assert nothing.shape == (0, 24) and len(skipped) == 1


def test_cosine_and_calibrated_logits(embedder, cifs) -> None:
    crystals, texts = embedder.encode_crystals(cifs[:3]), embedder.encode_text(["a", "b"])
    cosine = embedder.similarity(texts, crystals)
    assert cosine.shape == (2, 3) and np.abs(cosine).max() <= 1 + 1e-6
    np.testing.assert_allclose(embedder.logits(texts, crystals), cosine * embedder.logit_scale, rtol=1e-6)


def test_missing_checkpoint(tmp_path) -> None:
    with pytest.raises(ClacInputError, match="no such checkpoint directory"):
        ClacEmbedder.from_pretrained(tmp_path / "nothing")
    with pytest.raises(ClacInputError, match=r"config\.json missing"):
        ClacEmbedder.from_pretrained(tmp_path)


def test_texts_are_any_iterable(embedder) -> None:
    texts = ["NaCl", "a mineral", "GaN"]
    expected = embedder.encode_text(texts)
    inputs = [
        tuple(texts),
        (text for text in texts),
        np.array(texts),
        np.array(texts, dtype=object),
        pd.Series(texts, index=[7, 8, 9]),
        pd.Series(texts, dtype="category"),
        pa.array(texts),
        pa.chunked_array([texts[:1], texts[1:]]),
        Dataset.from_dict({"text": texts})["text"],
    ]
    for given in inputs:
        np.testing.assert_array_equal(embedder.encode_text(given), expected)
    np.testing.assert_array_equal(embedder.encode_text(texts[0])[0], embedder.encode_text(texts[:1])[0])
    assert embedder.encode_text([]).shape == (0, 24)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["", "a longer text"], "index 0 is empty"),
        (["a", "b", " \n"], "index 2 is empty"),
        ("", "the text is empty"),
        (["a", None], "index 1 is missing"),
        (pd.Series(["a", np.nan, "b"], index=[5, 6, 7]), "index 1 is missing"),
        (pa.array(["a", "b", None]), "index 2 is missing"),
        (["a", 3], "index 1 is of type int; expected text"),
        ([b"a"], "index 0 is of type bytes"),
        (None, "found NoneType"),
        (3.5, "found float"),
        ({"text": "a"}, "found dict"),
    ],
)
def test_texts_that_are_not_texts(embedder, texts, message) -> None:
    with pytest.raises(ClacInputError, match=message) as error:
        embedder.encode_text(texts)
    assert "\n" not in str(error.value)


def test_similarity_of_texts_or_missing_vectors(embedder) -> None:
    embeds = embedder.encode_text(["a", "b"])
    with pytest.raises(ClacInputError, match="queries: expected embeddings; embed texts with encode_text"):
        embedder.similarity(["a"], embeds)
    broken = embeds.copy()
    broken[1, 0] = np.nan
    with pytest.raises(ClacInputError, match="keys: the embedding with index 1"):
        embedder.similarity(embeds, broken)


def test_long_texts_are_read_to_the_end(embedder) -> None:
    limit = embedder.processor.tokenizer.model_max_length
    filling = " ".join(["x"] * (limit - 40))
    first, second = f"NaCl {filling} cubic", f"NaCl {filling} cubic {filling} a hard ceramic"
    assert embedder.reading_note(first) is None
    assert "read in 2 windows" in embedder.reading_note(second)
    embeds = embedder.encode_text([first, second, "x"])
    np.testing.assert_allclose(np.linalg.norm(embeds, axis=1), 1, rtol=1e-5)
    assert np.abs(embeds[1] - embedder.encode_text(f"{second} metal")[0]).max() > 1e-5
    # A long text in the batch does not change the others.
    cut = embedder.processor(text=[second, first, "x"])
    with torch.inference_mode():
        alone = embedder.model.get_text_features(**cut.to(embedder.device)).pooler_output.cpu().numpy()
    np.testing.assert_array_equal(embeds[0], alone[1])
    np.testing.assert_array_equal(embeds[2], alone[2])
