"""The benchmark of large indexes, on small ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.benchmarks.scale import ScaleArguments, run
from modeling_clac.errors_clac import ClacInputError


def test_sizes_are_measured_and_drawn(tmp_path: Path) -> None:
    ways = ["clac", "clac with torch"]
    arguments = ScaleArguments(str(tmp_path / "scale.json"), counts=[300, 900], ways=ways, dim=32, queries=2)
    result = run(arguments)
    assert json.loads((tmp_path / "scale.json").read_text()) == result
    found = result["sizes"]["900"]["ways"]["clac"]
    assert found["filtered_rows"]["oxides"] > found["filtered_rows"]["lithium, gap above 3 eV"]
    assert len(found["query_ms"]["wall"]) == 2 and found["size_gb"] > 900 * 2 * 32 / 1e9
    assert found["memory_understood_gb"]["peak"] >= found["memory_understood_gb"]["resident"]
    assert result["sizes"]["900"]["ways"]["clac with torch"]["filtered_rows"] == found["filtered_rows"]
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[2].startswith("| 300 | exact |") and len({line.count("|") for line in lines}) == 1
    assert all((tmp_path / f"scale.{kind}").stat().st_size > 1000 for kind in ("png", "svg"))


def test_unknown_ways_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClacInputError, match="--ways grep: must be among clac"):
        run(ScaleArguments(str(tmp_path / "scale.json"), counts=[10], ways=["grep"]))
