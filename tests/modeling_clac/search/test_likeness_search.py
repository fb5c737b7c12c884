"""A search for crystals like another one is the same on the command line, on the page and in Python."""

from __future__ import annotations

import json

import numpy as np
import pytest

from modeling_clac import ClacEmbedder, search_like
from modeling_clac.app.engine import Engine
from modeling_clac.app.request import SearchRequest
from modeling_clac.app.searches import find
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search.index import bundled_index
from tests.helpers.cli import Run


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(resolve_checkpoint(), bundled_index())


@pytest.mark.parametrize("text", ["without cobalt, lighter", "for a battery of a car", "lighter, for a car", ""])
def test_all_callers_find_the_same(engine: Engine, clac: Run, text: str) -> None:
    embedder = ClacEmbedder.from_pretrained()
    hits = search_like(engine.index, embedder, "mp-762018", text, k=8)
    page = find(engine, SearchRequest(text, "mp-762018", k=8), engine.index)
    done = clac("search", *([text] if text else []), "--like", "mp-762018", "-k", 8, "--json")
    command = json.loads(done.out)["hits"]
    names = [hit.record["material_id"] for hit in hits]
    assert names == [hit.record["material_id"] for hit in page.hits]
    assert names == [hit["material_id"] for hit in command]
    scores = [hit.score for hit in hits]
    np.testing.assert_allclose([hit.score for hit in page.hits], scores, atol=1e-4)
    np.testing.assert_allclose([hit["score"] for hit in command], scores, atol=1e-4)
    if text:
        assert [change.to_dict() for change in page.changes] == [hit["changes"] for hit in command]
