"""Maps of embeddings: gap and purity against their definitions, and the files of a random model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.embedding_map import COLOURINGS, MapArguments, colour_labels, run
from evaluation.metrics.embedding_space import modality_gap, nearest_neighbours, purity
from modeling_clac.errors_clac import ClacInputError


def unit_vectors(number: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(number, 8))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_gap_follows_its_definition():
    crystals, texts = unit_vectors(20, 0), unit_vectors(20, 1)
    found = modality_gap(crystals, texts)
    assert found["gap"] == pytest.approx(np.linalg.norm(crystals.mean(axis=0) - texts.mean(axis=0)))
    cosines, off = crystals @ texts.T, ~np.eye(20, dtype=bool)
    assert found["pairs"] == pytest.approx(np.diag(cosines).mean())
    assert found["others"] == pytest.approx(cosines[off].mean())
    assert found["crystals"] == pytest.approx((crystals @ crystals.T)[off].mean())
    assert modality_gap(crystals, crystals)["gap"] == pytest.approx(0.0, abs=1e-12)


def test_purity_is_the_share_of_equal_labels():
    labels = np.array(["a", "a", "b", "", "b", "a"], dtype=object)
    neighbours = np.array([[1, 3], [2, 0], [4, 0], [0, 1], [3, 3], [1, 2]])
    found = purity(neighbours, labels)
    # Unknown labels count neither as points nor as neighbours; the fifth point has no other neighbours.
    assert found["points"] == 4
    assert found["purity"] == pytest.approx(np.mean([1.0, 0.5, 0.5, 0.5]))
    assert found["chance"] == pytest.approx((3 * 2 + 2 * 1) / (5 * 4))


def test_neighbours_are_sorted_and_not_the_point_itself():
    points = unit_vectors(12, 2)
    rows, cosines = nearest_neighbours(points, points, 5, without_own=True)
    assert rows.shape == (12, 5)
    assert all(place not in own for place, own in enumerate(rows))
    assert (np.diff(cosines, axis=1) <= 0).all()
    assert nearest_neighbours(points[:3], points[:3], 5, without_own=True)[0].shape == (3, 2)


def test_labels_are_those_of_the_records(records: list[dict[str, Any]]):
    pool = records[:12]
    labels = colour_labels(pool)
    assert tuple(labels) == COLOURINGS
    for row, record in enumerate(pool):
        assert labels["crystal system"][row] == record["crystal_system"]
        gap = record["band_gap"]
        assert (labels["band gap"][row] == "no gap") == (gap == 0)
    assert set(filter(None, labels["anion"])) - {"other"}


def test_the_files_of_a_map(small_checkpoint: Path, records: list[dict[str, Any]], tmp_path: Path):
    output = tmp_path / "out" / "result.json"
    broken = {**records[3], "material_id": "broken", "cif": "data_x"}
    pq.write_table(pa.Table.from_pylist([*records[:12], broken]), tmp_path / "validation.parquet")
    run(MapArguments(
        model=str(small_checkpoint), before="random", split="validation", data=str(tmp_path), on_error="skip",
        neighbors=4, purity_neighbors=3,
        output=str(output),
    ))  # fmt: skip
    figures = {f"map_{own.replace(' ', '_')}.{kind}" for own in COLOURINGS for kind in ("png", "svg")}
    others = {"result.json", "table.md", "map.html", "coordinates.parquet", "neighbours.parquet"}
    assert {path.name for path in output.parent.iterdir()} == figures | others
    coordinates = pq.read_table(output.with_name("coordinates.parquet"))
    assert coordinates.num_rows == 24
    assert {"x_before", "y_before", "x_after", "y_after", "crystal_system", "band_gap"} <= set(coordinates.column_names)
    neighbours = pq.read_table(output.with_name("neighbours.parquet"))
    assert neighbours.num_rows == 2 * 3 * 12 * 3
    result = json.loads(output.read_text())
    assert set(result["spaces"]) == {"before", "after"}
    assert len(result["skipped"]) == 1 and "broken" in result["skipped"][0]
    assert result["spaces"]["after"]["purity"]["crystal system"]["crystals"]["points"] == 12
    page = output.with_name("map.html").read_text(encoding="utf-8")
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=.https?:", page)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"pool": 2}, "at least 4"), ({"min_dist": 2.0}, "between 0 and 1"), ({"output": "map.html"}, "ending in .json")],
)
def test_invalid_arguments_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ClacInputError, match=message):
        run(MapArguments(**changes))
