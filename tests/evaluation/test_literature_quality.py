"""Evaluation of literature pairs: sampling, confidence intervals, judgements, and recall of explained names."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from datasets_scripts.entity_linking.formulas import composition_of
from datasets_scripts.literature import quality_text
from evaluation.literature_quality import (
    JUDGEMENTS,
    QualityArguments,
    draw,
    explained_names,
    name_recall,
    read_judgements,
    share_with_interval,
)
from modeling_clac.errors_clac import ClacInputError


@pytest.mark.parametrize(("right", "total"), [(0, 10), (5, 10), (185, 200), (200, 200)])
def test_intervals_match_scipy(right: int, total: int) -> None:
    expected = binomtest(right, total).proportion_ci(method="wilson")
    found = share_with_interval(right, total)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_drawn_pairs_contain_surrounding_text(tmp_path: Path) -> None:
    text = "Much has been said. Crystals of NaCl are cubic."
    row = {
        "doi": "10.1/x",
        "paragraph": 0,
        "text": text,
        "matched": "NaCl",
        "matched_start": text.index("NaCl"),
        "matched_end": text.index("NaCl") + 4,
        "formula": "NaCl",
        "polymorph": "only one",
        "space_group_symbol": "Fm-3m",
    }
    pq.write_table(pa.Table.from_pylist([row | {"paragraph": number} for number in range(9)]), tmp_path / "a.parquet")
    drawn = draw(QualityArguments(str(tmp_path), [], number=4))
    assert len(drawn) == 4 and len({entry["paragraph"] for entry in drawn}) == 4
    assert all("«" not in entry["surroundings"] and "of NaCl are" in entry["surroundings"] for entry in drawn)
    assert draw(QualityArguments(str(tmp_path), [], number=4)) == drawn


def test_recall_of_explained_names(tmp_path: Path) -> None:
    text = "We compare barium titanate (BaTiO3) with unknownium oxide (MgO) here."
    found = list(explained_names(text))
    assert [composition for _, _, composition in found] == [composition_of("BaTiO3"), composition_of("MgO")]
    assert [bare[:end].split()[-2:] for bare, end, _ in found] == [["barium", "titanate"], ["unknownium", "oxide"]]
    assert "(BaTiO3)" not in found[0][0] and "(MgO)" not in found[1][0]
    corpus = tmp_path / "c.jsonl"
    corpus.write_text(json.dumps({"doi": "10.1/x", "title": "T", "text": text}) + "\n")
    understood, total, missed = name_recall([corpus])
    assert (understood, total) == (1, 2) and missed["unknownium oxide"] == 1


def test_committed_judgements_are_complete_and_contain_no_text() -> None:
    rows = read_judgements(JUDGEMENTS)
    assert len(rows) == 200
    assert all(len(row["matched"]) < 60 and "surroundings" not in row and "text" not in row for row in rows)
    result = json.loads((JUDGEMENTS.parent / "result.json").read_text())
    assert result["precision"]["share"] == pytest.approx(sum(row["right"] for row in rows) / len(rows))
    assert "0.925" in quality_text(JUDGEMENTS.parent / "result.json")


def test_missing_judgement_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('{"right": true}\n{"right": null}\n')
    with pytest.raises(ClacInputError, match="line 2: `right` is None, expected true or false"):
        read_judgements(tmp_path / "j.jsonl")
    with pytest.raises(ClacInputError, match="cannot read judgements"):
        read_judgements(tmp_path / "nothing.jsonl")
