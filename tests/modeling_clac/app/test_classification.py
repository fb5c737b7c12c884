"""What a crystal is, comparisons, the map and the box about the model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from modeling_clac import ClacInputError
from modeling_clac.app.about import about_html
from modeling_clac.app.classification import ConceptRanking, description_html, rank_labels, ranked_html
from modeling_clac.app.comparison import comparison_html
from modeling_clac.app.engine import Engine
from modeling_clac.app.map_view import map_payload, principal_plane, read_map, similarity_bytes, write_map
from tests.modeling_clac.app.test_results import EVIL, tags


def test_labels_are_ranked_by_the_cosine(engine: Engine) -> None:
    vector = engine.index.embeds[3]
    ranked = rank_labels(engine, vector, "metal, oxide,metal\n for batteries")
    assert sorted(each.label for each in ranked) == ["for batteries", "metal", "oxide"]
    assert [each.cosine for each in ranked] == sorted((each.cosine for each in ranked), reverse=True)
    (expected,) = engine.text_encoder.encode_text(["oxide"])
    (oxide,) = [each for each in ranked if each.label == "oxide"]
    assert oxide.cosine == pytest.approx(float(expected @ vector), abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "message"), [(" , ", "no label"), ("a," * 60 + ",".join(map(str, range(60))), "at most 50")]
)
def test_labels_are_limited(engine: Engine, labels, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        rank_labels(engine, engine.index.embeds[0], labels)


def test_labels_are_not_html(engine: Engine) -> None:
    written = ranked_html("Your labels", rank_labels(engine, engine.index.embeds[0], EVIL))
    assert "img" not in tags(written)


def test_concepts_and_uses_are_ranked_with_what_the_facts_say(engine: Engine) -> None:
    ranking = ConceptRanking(engine)
    ranking.concepts = [each for each in ranking.concepts if each.kind == "use"][:10] + ranking.concepts[:10]
    facts = engine.index.facts.take([5])
    found = ranking.rank(engine.index.embeds[5], facts)
    for each in (*found["Uses"], *found["Concepts"]):
        (grade,) = [engine.vocabulary.holds(own.id, facts)[0] for own in ranking.concepts if own.name == each.label][:1]
        assert each.by_facts is (None if np.isnan(grade) else bool(grade >= 0.5))
    written = description_html(ranking, engine.index, engine.index.embeds[5], facts, ["far from everything"])
    tags(written)
    assert "far from everything" in written and str(engine.index.table["material_id"][5]) in written


def test_crystals_are_compared(engine: Engine) -> None:
    written = comparison_html(engine.index, [0, 1, 2], engine.vocabulary)
    tags(written)
    for row in (0, 1, 2):
        assert engine.index.record(row)["material_id"] in written
    assert "1.000" in written and "density (g/cm³)" in written
    for rows in ([0], [0, 1, 2, 3, 4]):
        with pytest.raises(ClacInputError, match="choose 2 to 4"):
            comparison_html(engine.index, rows, engine.vocabulary)


def test_the_map_has_all_crystals_and_their_values(engine: Engine, tmp_path) -> None:
    found = json.loads(json.dumps(map_payload(engine.index, tmp_path), allow_nan=False))
    count = len(engine.index)
    assert len(found["x"]) == len(found["y"]) == len(found["names"]) == len(found["systems"]) == count
    assert "principal components" in found["method"]
    assert len(found["values"]["density"]["numbers"]) == count
    assert found["system_names"][found["systems"][4]] == engine.index.record(4)["crystal_system"]


def test_stored_coordinates_belong_to_one_checkpoint(engine: Engine, tmp_path) -> None:
    points = np.random.default_rng(0).normal(size=(len(engine.index), 2)).astype(np.float32)
    write_map(tmp_path, points, engine.index.model_fingerprint)
    np.testing.assert_array_equal(read_map(tmp_path, engine.index), points)
    assert map_payload(engine.index, tmp_path)["method"].startswith("UMAP")
    write_map(tmp_path, points, "another")
    assert read_map(tmp_path, engine.index) is None
    (tmp_path / "map.safetensors").write_bytes(b"no")
    with pytest.raises(ClacInputError, match="damaged"):
        read_map(tmp_path, engine.index)


def test_principal_components_are_those_of_a_singular_value_decomposition() -> None:
    points = np.random.default_rng(1).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(principal_plane(points)), np.abs(centred @ axes[:2].T), atol=1e-9)


def test_similarities_are_bytes_from_the_lowest_to_the_highest() -> None:
    assert similarity_bytes(np.array([0.1, 0.6, 0.3])) == "AP9m"


def test_the_box_says_what_is_unknown(engine: Engine) -> None:
    written = about_html(engine)
    tags(written)
    assert "120 crystals" in written and "Known values: " in written and "band gap" in written
