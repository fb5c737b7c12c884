"""Test the literature script: polymorphs, limits, near-duplicates, shards and invalid input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from datasets_scripts.literature import LiteratureArguments, build
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS


def crystal(
    name: str, formula: str, group: int, hull: float | None, split: str = "train", nsites: int = 0
) -> dict[str, Any]:
    return {
        "material_id": name,
        "formula": formula,
        "nsites": nsites,
        "space_group_number": group,
        "energy_above_hull": hull,
        "cif": f"data_{name}",
        "split": split,
    }


CRYSTALS_HERE = [
    crystal("rutile", "TiO2", 136, 0.03),
    crystal("anatase", "TiO2", 141, 0.0, "test"),
    crystal("wurtzite", "ZnS", 186, 0.01),
    crystal("blende", "ZnS", 216, 0.0),
    crystal("salt", "NaCl", 225, None, "validation"),
    crystal("2H", "MoS2", 194, 0.0),
    crystal("3R", "MoS2", 160, 0.001),
    crystal("6H", "SiC", 186, 0.0, nsites=12),
    crystal("4H", "SiC", 186, 0.001, nsites=8),
    crystal("3C", "SiC", 216, 0.002),
    crystal("garnet", "Li7La3Zr2O12", 142, 0.02),
]


@pytest.fixture
def crystals(tmp_path) -> Path:
    path = tmp_path / "crystals.parquet"
    pq.write_table(pa.Table.from_pylist(CRYSTALS_HERE), path)
    return path


def write_corpus(path: Path, texts: list[str], documents: list[str] | None = None, **columns: Any) -> Path:
    documents = documents or [f"d{place}" for place in range(len(texts))]
    rows = [
        {"doc_id": document, "doi": f"10.1/{document}", "title": "T", "text": text, "licence": "CC BY", **columns}
        for document, text in zip(documents, texts, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def pairs_of(texts: list[str], tmp_path: Path, crystals: Path, **options: Any) -> list[dict[str, Any]]:
    corpus = write_corpus(tmp_path / "corpus.parquet", texts, options.pop("documents", None))
    build(LiteratureArguments([str(corpus)], str(tmp_path / "out"), str(crystals), **options))
    return rows_of(tmp_path / "out")


def rows_of(output: Path) -> list[dict[str, Any]]:
    rows = [row for file in output.glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["paragraph"], row["matched_start"]))


@pytest.mark.parametrize(
    ("text", "chosen", "how"),
    [
        ("We grew films of rutile TiO2 and more.", "rutile", "stated"),
        ("TiO2 in the anatase phase absorbs.", "anatase", "stated"),
        ("TiO2 (P4_2/mnm) absorbs light.", "rutile", "stated"),
        ("Tetragonal zinc is not TiO2, which absorbs.", "anatase", "most stable"),
        ("Rutile absorbs light.", "rutile", "stated"),
        ("Wurtzite ZnS nanowires emit.", "wurtzite", "stated"),
        ("Zinc sulfide emits.", "blende", "most stable"),
        ("Cubic ZnS emits, hexagonal CdS as well.", "blende", "stated"),
        ("Layers of 3R-MoS2 slide.", "3R", "stated"),
        ("Sodium chloride dissolves.", "salt", "only one"),
        ("Films of \\beta-ZnS emit.", "blende", "stated"),
        ("Films of α-ZnS emit.", "wurtzite", "stated"),
        ("Wafers of 4H-SiC are cut.", "4H", "stated"),
        ("Wafers of 3C-SiC are cut.", "3C", "stated"),
    ],
)
def test_choice_of_polymorph(text, chosen, how, tmp_path, crystals) -> None:
    (row,) = pairs_of([text], tmp_path, crystals)
    assert (row["material_id"], row["polymorph"]) == (chosen, how)
    assert row["text"][row["matched_start"] : row["matched_end"]] == row["matched"]


def test_unavailable_polymorph_is_not_matched(tmp_path, crystals, capsys) -> None:
    rows = pairs_of(
        [
            *("Brookite is rare.", "Rock salt ZnS needs pressure.", "Films of κ-NaCl.", "A sheet of 1H-NaCl."),
            *("Wafers of 2H-SiC.", "NaCl is salt."),
        ],
        tmp_path,
        crystals,
    )
    assert [row["material_id"] for row in rows] == ["salt"]
    assert "the polymorph is not available: 5" in capsys.readouterr().out


def test_abbreviations_apply_only_to_later_paragraphs_of_the_document(tmp_path, crystals) -> None:
    texts = [
        "Garnet Li7La3Zr2O12 (LLZO) conducts ions.",
        "Pellets of LLZO were sintered in air.",
        "What is LLZO good for?",
    ]
    rows = pairs_of(texts, tmp_path, crystals, documents=["a", "a", "b"])
    assert [(row["paragraph"], row["matched_as"]) for row in rows] == [(0, "formula"), (1, "abbreviation")]
    assert {row["material_id"] for row in rows} == {"garnet"}
    assert {(row["doi"], row["licence"]) for row in rows} == {("10.1/a", "CC BY")}


def test_data_set_loads_and_its_card_lists_the_counts(tmp_path, crystals) -> None:
    rows = pairs_of(["Rutile TiO2.", "Anatase TiO2.", "NaCl and ZnS here.", "Nothing at all."], tmp_path, crystals)
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 2, "validation": 1, "test": 1}
    assert sum(len(split) for split in loaded.values()) == len(rows) == 4
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| `train` | 2 |" in card and "| paragraphs | 4 |" in card and "| `matched_as` | string |" in card


def test_near_duplicates_count_once(tmp_path, crystals) -> None:
    words = " ".join(f"word{place}" for place in range(60))
    texts = [f"NaCl {words}", f"NaCl {words} again", "NaCl is something else entirely, as this text shows."]
    assert [row["paragraph"] for row in pairs_of(texts, tmp_path, crystals)] == [0, 2]


def test_limits(tmp_path, crystals) -> None:
    texts = [f"NaCl sample number {place}: {'abc' * place} {place**5}" for place in range(12)]
    rows = pairs_of(texts, tmp_path, crystals, max_per_crystal=3)
    assert len(rows) == 3
    kept = {row["paragraph"] for row in rows}
    assert kept != {0, 1, 2}  # chosen at random
    other = tmp_path / "b"
    other.mkdir()
    rows = pairs_of(texts, other, crystals, max_per_paper=4, documents=["a"] * 6 + ["b"] * 6)
    assert [sum(row["doi"] == f"10.1/{name}" for row in rows) for name in "ab"] == [4, 4]
    third = tmp_path / "c"
    third.mkdir()
    assert len(pairs_of(["NaCl, ZnS and MoS2", "NaCl alone"], third, crystals, max_materials=2)) == 1


def test_shards_are_the_bytes_of_one_process(tmp_path, monkeypatch, crystals) -> None:
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")  # as in the processes of the command
    texts = [f"NaCl on ZnS {place} {'xyz' * place}" for place in range(20)]
    corpus = write_corpus(tmp_path / "corpus.parquet", texts)
    for name, options in (("whole", {}), ("three", {"num_shards": 3}), ("two", {"num_shards": 3, "workers": 2})):
        build(LiteratureArguments([str(corpus)], str(tmp_path / name), str(crystals), **options))
    for shard in (1, 2, 0):
        assert not (tmp_path / "parts" / "README.md").exists()
        build(LiteratureArguments([str(corpus)], str(tmp_path / "parts"), str(crystals), shard=shard, num_shards=3))
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("*.parquet")}
    assert expected
    for name in ("three", "two", "parts"):
        assert {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.parquet")} == expected
        assert (tmp_path / name / "README.md").read_bytes() == (tmp_path / "whole" / "README.md").read_bytes()


def test_bad_rows_are_skipped_and_counted(tmp_path, crystals, capsys) -> None:
    corpus = tmp_path / "corpus.jsonl"
    good = {"doi": "10.1/a", "title": "T", "text": "NaCl is good."}
    rows = [
        json.dumps(good).encode(),
        b"not json",
        json.dumps({"doi": "10.1/b", "title": "T"}).encode(),
        b'{"doi": "10.1/c", "title": "T", "text": "caf\xe9"}',
        json.dumps({**good, "doi": "10.1/d", "text": 7}).encode(),
        json.dumps({**good, "doi": "10.1/e", "text": "NaCl " * 2_000_000}).encode(),
        b'"' + b"x" * (1 << 25),
        json.dumps({**good, "doi": "10.1/f", "text": "ZnS as well, and more of it."}).encode(),
    ]
    corpus.write_bytes(b"\n".join(rows) + b"\n")
    options = {"corpus": [str(corpus)], "output_dir": str(tmp_path / "out"), "crystals": str(crystals)}
    with pytest.raises(ClacInputError, match=r"corpus.jsonl, row 2: not JSON") as caught:
        build(LiteratureArguments(**options))
    assert "\n" not in str(caught.value) and not (tmp_path / "out" / "README.md").exists()
    build(LiteratureArguments(**options, on_error="skip"))
    printed = capsys.readouterr().out
    reasons = (
        "row 3: missing text",
        "row 4: not valid UTF-8",
        "row 5: text is empty",
        "row 6: paragraph has 10,000,000 characters",
        "row 7: line is longer than",
    )
    assert all(reason in printed for reason in reasons)
    assert [row["paragraph"] for row in rows_of(tmp_path / "out")] == [0, 7]


@pytest.mark.parametrize(
    ("case", "message"),
    [("columns", "missing columns doi"), ("damaged", "not a readable Parquet file"), ("missing", "no such file")],
)
def test_unusable_files_are_one_line(case, message, tmp_path, crystals) -> None:
    corpus = tmp_path / "corpus.parquet"
    if case == "columns":
        pq.write_table(pa.table({"title": ["T"], "text": ["NaCl"]}), corpus)
    elif case == "damaged":
        corpus.write_bytes(b"PAR1 nonsense")
    with pytest.raises(ClacInputError, match=message):
        build(LiteratureArguments([str(corpus)], str(tmp_path / "out"), str(crystals)))


def test_nothing_found_writes_nothing(tmp_path, crystals) -> None:
    with pytest.raises(ClacInputError, match="no pairs found in 1 paragraphs"):
        pairs_of(["Nothing at all."], tmp_path, crystals)
    assert not (tmp_path / "out" / "README.md").exists()


def test_command_pairs_the_bundle(tmp_path, script) -> None:
    corpus = write_corpus(tmp_path / "corpus.parquet", ["Barium titanate, BaTiO3, is ferroelectric."])
    words = ["--corpus", corpus, "--output_dir", tmp_path / "out", "--crystals", CRYSTALS]
    done = script("datasets_scripts.literature", *words)
    assert done.code == 0, done.err
    assert {row["formula"] for row in rows_of(tmp_path / "out")} == {"BaTiO3"}
    bad = script("datasets_scripts.literature", *words, "--similarity", 2)
    assert bad.code == 2 and len(bad.err.splitlines()) == 1
