"""Embedding: order, batches, error policy and scores."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_empty_text(embedder) -> None:
    with pytest.raises(ClacInputError, match="empty"):
        embedder.encode_text([""])
