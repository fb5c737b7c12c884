"""Pipelines of transformers for crystals."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import pipeline

from modeling_clac import ClacEmbedder, ClacInputError, CrystalIndex, search_text
from modeling_clac.search.index import bundled_index


@pytest.fixture(scope="module")
def embedder() -> ClacEmbedder:
    return ClacEmbedder.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def retrieval():
    return pipeline("crystal-retrieval", device="cpu")


@pytest.fixture(scope="module")
def zero_shot():
    return pipeline("zero-shot-crystal-classification", model="clac-mini", device="cpu")


def test_retrieval_is_the_search_of_the_package(retrieval, embedder) -> None:
    texts = ["lead-free halide perovskite", "wide-gap nitride"]
    found = retrieval(texts, top_k=3)
    expected = [search_text(bundled_index(), embedder, text, 3) for text in texts]
    assert found == [hits.to_records() for hits in expected]
    assert retrieval(texts[0], top_k=3) == found[0] and "marks" in found[0][0]
    by_cosine = search_text(bundled_index(), embedder, texts[0], 3, understanding=False)
    assert retrieval(texts[0], top_k=3, understanding=False) == by_cosine.to_records()
    assert len(retrieval(texts[0])) == 10


def test_retrieval_among_other_crystals(small_checkpoint, cifs, tmp_path) -> None:
    embedder = ClacEmbedder.from_pretrained(small_checkpoint, device="cpu")
    index = CrystalIndex.build(embedder, cifs[:6])
    index.save(tmp_path / "index")
    of_pipeline = pipeline("crystal-retrieval", model=str(small_checkpoint), index=tmp_path / "index", device="cpu")
    expected = [record["material_id"] for record in search_text(index, embedder, "an oxide", 6).to_records()]
    assert [record["material_id"] for record in of_pipeline("an oxide")] == expected
    assert [record["material_id"] for record in of_pipeline("an oxide", index=cifs[:6])] == expected
    with pytest.raises(ClacInputError, match="was built with another"):
        pipeline("crystal-retrieval", model=str(small_checkpoint), device="cpu")("an oxide")


def test_zero_shot_scores(zero_shot, embedder, structure_nacl, cifs) -> None:
    labels = ["an ionic insulator", "a metal", "a nitride"]
    found = zero_shot(structure_nacl, candidate_labels=labels)
    assert [entry["score"] for entry in found] == sorted((entry["score"] for entry in found), reverse=True)
    assert sum(entry["score"] for entry in found) == pytest.approx(1.0)
    crystal, texts = embedder.encode_crystals([structure_nacl]), embedder.encode_text(labels)
    logits = embedder.logits(crystal, texts)[0].astype(float)
    softmax = np.exp(logits) / np.exp(logits).sum()
    assert {entry["label"]: entry["score"] for entry in found} == pytest.approx(dict(zip(labels, softmax, strict=True)))
    probabilities = embedder.probability(crystal, texts)[0]
    own = {entry["label"]: entry["probability"] for entry in found}
    assert own == pytest.approx(dict(zip(labels, probabilities, strict=True)))
    same = zero_shot(structure_nacl, candidate_labels="an ionic insulator, a metal, a nitride")
    assert same == found
    several = zero_shot(cifs[:2], candidate_labels=["oxide", "nitride"], hypothesis_template="The crystal is an {}.")
    assert len(several) == 2 and {entry["label"] for entry in several[0]} == {"oxide", "nitride"}


def test_arguments_are_checked(zero_shot, retrieval, structure_nacl) -> None:
    with pytest.raises(ClacInputError, match="candidate_labels: none given"):
        zero_shot(structure_nacl)
    with pytest.raises(ClacInputError, match=r"no \{\} in it"):
        zero_shot(structure_nacl, candidate_labels=["oxide"], hypothesis_template="The crystal")
    with pytest.raises(TypeError, match="topk is not an argument"):
        retrieval("an oxide", topk=3)
    with pytest.raises(ClacInputError, match="cannot read a structure"):
        zero_shot(3, candidate_labels=["oxide"])
