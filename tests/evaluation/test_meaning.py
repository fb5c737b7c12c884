"""Scores of texts by group and concept, zero-shot classes, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from datasets_scripts.common.pool_texts import LabelledText
from evaluation.meaning import MeaningArguments, _check, over_concepts, score_texts
from evaluation.reports.meaning import meaning_markdown, write_meaning
from evaluation.texts.poles import pole_texts, score_poles
from evaluation.texts.zero_shot import classify
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from tests.helpers.concepts import small_vocabulary

SYSTEMS = {"cubic": 225, "hexagonal": 194, "trigonal": 167}


def texts() -> list[LabelledText]:
    truth = np.zeros(20, dtype=np.float32)
    truth[:4] = 1
    nothing = np.zeros(20, dtype=np.float32)
    return [
        LabelledText("good", "chloride", truth),
        LabelledText("bad", "chloride", truth),
        LabelledText("good too", "cubic", truth),
        LabelledText("no answer", "cubic", nothing),
    ]


def rank(queries):
    scores = np.linspace(1, 0, 20)
    return np.stack([scores if query.startswith("good") else -scores for query in queries])


def test_shares_are_averaged_in_groups_and_over_concepts() -> None:
    scored = score_texts(texts(), rank)
    assert scored["unanswered"] == 1
    assert scored["share"] == pytest.approx(2 / 3)
    assert scored["groups"] == {"chloride": {"share": 0.5, "texts": 2}, "cubic": {"share": 1.0, "texts": 1}}
    vocabulary = small_vocabulary(
        {"id": "chloride", "kind": "anion", "test": "element(Cl)"},
        {"id": "cubic", "kind": "crystal-system", "test": "system(cubic)"},
    )
    mean = over_concepts(scored, vocabulary)
    assert mean["share"] == 0.75 and mean["groups"]["anion"] == {"share": 0.5, "texts": 1}
    with pytest.raises(ClacInputError, match="has a right answer"):
        score_texts(texts()[3:], rank)


class Reader:
    """Embeds a text as the unit vector of the crystal system that it names."""

    def encode_text(self, texts) -> np.ndarray:
        return np.stack([np.eye(3)[[name in text for name in SYSTEMS].index(True)] for text in texts])


def test_zero_shot_classes_of_a_reader_are_right_where_its_crystals_are() -> None:
    table = FactTable.from_records(
        [{"formula": "NaCl", "space_group_number": SYSTEMS[system]} for system in [*SYSTEMS, "cubic"]]
    )
    vocabulary = small_vocabulary(
        *({"id": name, "kind": "crystal-system", "test": f"system({name})"} for name in SYSTEMS)
    )
    crystals = np.eye(3)[[0, 1, 2, 1]]  # the last one is cubic, but looks hexagonal
    found = classify(Reader(), crystals, table, vocabulary)  # type: ignore[arg-type]
    assert list(found) == ["crystal_system"]
    assert found["crystal_system"]["classes"] == {"cubic": 2, "hexagonal": 1, "trigonal": 1}
    for way in ("name", "held_out_wordings"):
        assert found["crystal_system"][way]["accuracy"] == 0.75
        assert found["crystal_system"][way]["balanced_accuracy"] == pytest.approx((0.5 + 1 + 1) / 3)


def test_poles_are_told_apart_by_their_order_alone() -> None:
    table = FactTable.from_records([{"formula": "NaCl", "density": float(value)} for value in range(1, 11)])
    vocabulary = small_vocabulary(
        {"id": "dense", "kind": "band", "test": "density > 7", "opposite": "light"},
        {"id": "light", "kind": "band", "test": "density < 4", "opposite": "dense"},
        {"id": "rocksalt", "kind": "anion", "test": "element(Cl)"},
    )
    texts = pole_texts(vocabulary, table)
    assert {own.group for own in texts} == {"dense", "light"}
    for own in texts:
        right, wrong = ([8, 9, 10], [1, 2, 3]) if own.group == "dense" else ([1, 2, 3], [8, 9, 10])
        assert (np.flatnonzero(own.truth == 1) + 1).tolist() == right
        assert (np.flatnonzero(own.truth == 0) + 1).tolist() == wrong

    def rank(queries):
        sign = np.array([1.0 if "dense" in query else -1.0 for query in queries])
        return sign[:, None] * np.arange(10)

    scored = score_poles(texts, rank)
    assert (scored["auc"], scored["flipped"], scored["interval"]) == (1.0, 0, (1.0, 1.0))
    flipped = score_poles(texts, lambda queries: -rank(queries))
    assert (flipped["auc"], flipped["flipped"]) == (0.0, len(texts))


def test_the_report_names_every_set(tmp_path: Path) -> None:
    scored = score_texts(texts(), rank)
    result = {
        "model": "clac-mini",
        "fingerprint": "abc",
        "split": "validation",
        "half": "development",
        "pool": 20,
        "seed": 0,
        "commit": "123",
        "command": "python -m evaluation.meaning",
        "vocabulary": {"concepts": 2, "wordings": 5},
        "scores": {
            "conjunctions": {"embeddings": scored, "search": scored},
            "poles": {"search": {"auc": 0.9, "interval": [0.8, 1.0], "flipped": 2, "texts": [{}] * 7}},
        },
    }
    table = meaning_markdown(result)
    assert "conjunctions of held-out wordings | 3 | 0.667" in table and "| · cubic | 1 | 1.000 | 1.000 |" in table
    assert "| search | 7 | 0.900 [0.800, 1.000] | 2 |" in table
    files = write_meaning(result, tmp_path / "result.json")
    assert {path.name for path in files} == {"result.json", "table.md", "meaning.png", "meaning.svg"}
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["pool"] == 20


@pytest.mark.parametrize("wrong", [{"half": "all"}, {"split": "train"}, {"sets": "poems"}, {"output": "result.txt"}])
def test_a_wrong_argument_is_one_line(wrong) -> None:
    with pytest.raises(ClacInputError, match=f"--{next(iter(wrong))}"):
        _check(MeaningArguments(**wrong))
