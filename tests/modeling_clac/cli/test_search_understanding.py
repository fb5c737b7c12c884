"""`clac search` reads its text as constraints, says so, and marks what each hit meets."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modeling_clac import ClacEmbedder
from modeling_clac.data.bundled import bundled_files
from modeling_clac.search.index import CrystalIndex
from tests.helpers.cli import Run, assert_one_line, in_new_process


def test_the_reading_stands_above_the_table(clac: Run) -> None:
    result = clac("search", "lead-free halide, gap above 3 eV, frobnicated", "-k", "3")
    assert result.code == 0
    first, second, *_ = result.out.splitlines()
    assert first == "read as: no Pb · halide · band gap > 3 eV"
    assert second == "not read: frobnicated (compared by meaning only)"
    assert "✓✓✓" in result.out
    assert "✓ met" in result.out


def test_json_carries_the_query_and_the_marks(clac: Run) -> None:
    document = json.loads(clac("search", "lead-free halide, gap above 3 eV", "-k", "3", "--json").out)
    assert document["query"]["read_as"] == "no Pb · halide · band gap > 3 eV"
    assert document["query"]["not_read"] == []
    for hit in document["hits"]:
        assert [mark["state"] for mark in hit["marks"]] == ["met", "met", "met"]
        assert hit["band_gap"] > 3 and "Pb" not in hit["elements"]
        assert hit["marks"][2]["value"] == f"{hit['band_gap']:.2f} eV"


def test_by_meaning_only(clac: Run) -> None:
    document = json.loads(clac("search", "lead-free halide", "--semantic", "--json").out)
    assert document["query"] is None
    scores = [hit["score"] for hit in document["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert "marks" not in document["hits"][0]
    assert "read as" not in clac("search", "lead-free halide", "--semantic").out


def test_options_stay_hard_filters(clac: Run) -> None:
    hits = json.loads(clac("search", "halide", "--element", "O", "--json").out)["hits"]
    assert len(hits) == 10 and all("O" in hit["elements"] for hit in hits)


def test_a_failed_constraint_moves_a_hit_down_and_strict_leaves_it_out(clac: Run) -> None:
    query = ("search", "lighter than water, contains lithium", "-k", "30", "--json")
    states = [[mark["state"] for mark in hit["marks"]] for hit in json.loads(clac(*query).out)["hits"]]
    assert states[0] == ["met", "met"] and len(states) == 30
    strict = json.loads(clac(*query, "--strict").out)["hits"]
    assert 0 < len(strict) < 30
    assert all(mark["state"] == "met" for hit in strict for mark in hit["marks"])


def test_nothing_fits(clac: Run) -> None:
    result = clac("search", "oxide with a density above 30 g/cm3", "-k", "3")
    assert result.code == 0
    assert "no crystal meets all constraints; the nearest is" in result.err
    assert "density > 30 g/cm³ is not met" in result.err
    result = clac("search", "oxide with a density above 30 g/cm3", "--strict")
    assert result.out == ""
    assert "without --strict, the nearest ones are shown" in result.err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("oxide without oxygen", "oxide without oxygen: no crystal can be both"),
        ("gap above 5 and below 2", "no band gap is both"),
        ("density below -1", "impossible, no density is below 0"),
        ("unobtainium", "unknown element 'unobtainium'"),
    ],
)
def test_contradictions_are_one_line(clac: Run, text: str, line: str) -> None:
    result = clac("search", text)
    assert result.code == 2
    assert_one_line(result, line)


def test_doubtful_readings_are_noted(clac: Run) -> None:
    assert "read 'nitirde' as 'nitride'" in clac("search", "cubic nitirde").err
    assert "only English is understood" in clac("search", "Halbleiter ohne Blei").err


def test_estimates_are_shown_as_estimates(clac: Run) -> None:
    hits = json.loads(clac("search", "nitride with a bulk modulus above 250 GPa", "-k", "10", "--json").out)["hits"]
    values = [(hit["bulk_modulus_vrh"], hit["marks"][1]) for hit in hits]
    unknown = [mark for value, mark in values if value is None]
    assert unknown and all(mark["state"] == "unknown" and mark["value"].startswith("~") for mark in unknown)
    assert all(not mark["value"].startswith("~") for value, mark in values if value is not None)


def test_own_concepts_are_read(clac: Run, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "- id: our-target\n  kind: use\n  name: our target\n  test: elements(Ga, N) and number_of_elements == 2\n"
        "  wordings: |\n    gizmonium phase\n"
    )
    document = json.loads(clac("search", "gizmonium phase", "--concepts", own, "-k", "3", "--json").out)
    assert document["query"]["read_as"] == "our target"
    assert {hit["formula"] for hit in document["hits"]} == {"GaN"}


def test_an_index_without_facts_says_so(clac: Run, small_checkpoint: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    CrystalIndex.build(
        ClacEmbedder.from_pretrained(small_checkpoint), pq.read_table(bundled_files()[-1]).slice(0, 12)
    ).save(old)
    (old / "facts.arrow").unlink()
    result = clac("search", "perovskite without lead", "--index", old, "--model", small_checkpoint)
    assert result.code == 0
    assert "this index has no facts of its crystals" in result.err
    assert result.out.startswith("read as:")


def test_a_search_imports_nothing_heavy() -> None:
    code = (
        "import clac_cli, sys\n"
        "try: clac_cli.main(['search', 'lead-free halide, gap above 3 eV', '-k', '2'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'pymatgen', 'pandas', 'pint'} & set(sys.modules)))\n"
    )
    done = in_new_process("-c", code)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
