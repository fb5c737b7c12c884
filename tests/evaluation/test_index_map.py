"""Coordinates that are stored with an index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from evaluation import index_map
from evaluation.index_map import IndexMapArguments, run
from modeling_clac import ClacInputError, CrystalIndex
from modeling_clac.app.map_view import read_map


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    embeds = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    embeds /= np.linalg.norm(embeds, axis=1, keepdims=True)
    table = pa.table({"material_id": [f"a-{number}" for number in range(30)]})
    CrystalIndex(embeds, table, "fingerprint").save(tmp_path / "index")
    return tmp_path / "index"


def test_the_coordinates_of_all_crystals_are_stored(directory, monkeypatch) -> None:
    monkeypatch.setattr(index_map, "reduce_to_plane", lambda embeds, *_: embeds[:, :2])
    run(IndexMapArguments(str(directory)))
    index = CrystalIndex.load(directory)
    np.testing.assert_allclose(read_map(directory, index), index.embeds[:, :2])
    index.save(directory)
    assert read_map(directory, index) is None, "an index that is replaced has a new map"


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"neighbors": 1}, "neighbors"), ({"min_dist": 2.0}, "between 0 and 1"), ({"neighbors": 30}, "too few")],
)
def test_invalid_arguments_are_errors(directory, changed, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        run(IndexMapArguments(str(directory), **changed))
