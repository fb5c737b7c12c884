"""Test the text data sets with generated sources, invalid sources and, where available, the real ones."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_scripts import ner, pac
from datasets_scripts.common.cards import make_card
from datasets_scripts.common.records import Records
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.hub import plan_upload
from tests.conftest import ROOT

TEXT_DATA = Path(os.environ.get("CLAC_TEXT_DATA") or ROOT.parent / "shared" / "data" / "text")
needs_text_data = pytest.mark.skipif(
    not TEXT_DATA.is_dir(), reason="text data not found; set CLAC_TEXT_DATA to the directory with ner_matscholar"
)
MODULES = {"ner": ner, "pac": pac}


def sentence(number: int, tokens: list[str], tags: list[str], **more: Any) -> dict[str, Any]:
    return {"id": f"s-{number}", "tokens": tokens, "ner_tags": tags, **more}


def ner_rows() -> dict[str, list[dict[str, Any]]]:
    return {
        "train": [
            sentence(0, ["TiO2", "thin", "films"], ["B-MAT", "B-DSC", "I-DSC"]),
            sentence(1, ["annealed", " ", "steel"], ["B-SMT", "O", "I-MAT"]),
            sentence(2, [], []),
        ],
        "validation": [sentence(3, ["band", "gap"], ["B-PRO", "I-PRO"])],
        "test": [sentence(4, ["XRD", "of", "CuO"], ["B-CMT", "O", "B-MAT"])],
    }


def pac_rows() -> dict[str, list[dict[str, Any]]]:
    texts = {
        "train": ["Borate glass.", "A steel.", "A test  ABSTRACT."],
        "validation": ["Silica glass.", " "],
        "test": ["A test abstract."],
    }
    numbers = iter(range(10))
    return {
        split: [{"id": f"a-{next(numbers)}", "text": text, "label": int("glass" in text)} for text in of_split]
        for split, of_split in texts.items()
    }


ROWS: dict[str, Callable[[], dict[str, list[dict[str, Any]]]]] = {"ner": ner_rows, "pac": pac_rows}
FOLDERS = {"ner": ("matscholar", "ner_matscholar"), "pac": ("glass", "pac_glass")}


def write(directory: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for split, records in rows.items():
        pq.write_table(pa.Table.from_pylist(records), directory / f"{split}.parquet")


def build(kind: str, data_dir: Path | None, output: Path, name: str | None = None) -> Any:
    module = MODULES[kind]
    arguments_class = module.NerArguments if kind == "ner" else module.PacArguments
    given_dir = None if data_dir is None else str(data_dir)
    return module.build(arguments_class(name or FOLDERS[kind][0], str(output), given_dir))


def load(directory: Path, cache: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(directory), cache_dir=str(cache))


def test_sentences_keep_words_and_tag_names(tmp_path) -> None:
    write(tmp_path / "ner_matscholar", ner_rows())
    report = build("ner", tmp_path, tmp_path / "out")
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert list(loaded) == list(SPLITS)
    names = loaded["train"].features["ner_tags"].feature.names
    assert names[0] == "O" and len(names) == 15 and names[1:3] == ["B-MAT", "I-MAT"]
    assert loaded["train"]["tokens"][:] == [["TiO2", "thin", "films"], ["annealed", "steel"]]
    tags = [[names[number] for number in row] for row in loaded["train"]["ner_tags"]]
    assert tags == [["B-MAT", "B-DSC", "I-DSC"], ["B-SMT", "I-MAT"]]
    assert list(report.counts.values()) == [5, 1, 1, 1]  # read, empty, blank, I- without its B-


def test_abstracts_of_two_splits_stay_in_test(tmp_path) -> None:
    write(tmp_path / "pac_glass", pac_rows())
    report = build("pac", tmp_path, tmp_path / "out")
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded["train"]["text"][:] == ["Borate glass.", "A steel."]
    assert loaded["test"]["text"][:] == ["A test abstract."]
    assert loaded["train"].features["label"].names == ["non_glass", "glass"]
    assert loaded["train"]["label"][:] == [1, 0]
    assert report.counts["abstracts left out of train because they are also in test"] == 1
    assert report.counts["abstracts without text left out"] == 1


def test_batteries_keep_the_masked_text(tmp_path) -> None:
    more = {"source": "arxiv", "doi": "10.1/x"}
    rows = {
        split: [
            {"id": split, "text": f"{split} sodium", "text_masked": f"{split} [ION]", "label": 1, "title": "?", **more}
        ]
        for split in SPLITS
    }
    write(tmp_path / "pac_battery", rows)
    build("pac", tmp_path, tmp_path / "out", "battery")
    (row,) = load(tmp_path / "out", tmp_path / "cache")["validation"]
    assert row == {
        "id": "validation",
        "text": "validation sodium",
        "text_masked": "validation [ION]",
        "label": 1,
        **more,
    }


@pytest.mark.parametrize("kind", MODULES)
def test_cards_and_builds_are_reproducible(kind, tmp_path) -> None:
    name, folder = FOLDERS[kind]
    write(tmp_path / folder, ROWS[kind]())
    report = build(kind, tmp_path, tmp_path / "out")
    again = make_card(tmp_path / "out", MODULES[kind].card_of(name, tmp_path / "out"), report)
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8") == again
    build(kind, tmp_path, tmp_path / "other")
    for file in (tmp_path / "out").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()
    assert len(plan_upload(tmp_path / "out", "me/set", "dataset").files) == 4


def test_card_counts_agree_with_the_files(tmp_path) -> None:
    write(tmp_path / "ner_matscholar", ner_rows())
    build("ner", tmp_path, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---")[1])["license"] == "unknown"
    for row in (
        "| `MAT` | material | 1 | 0 | 1 |",
        "| all | | 3 | 1 | 2 |",
        "| `train` | 2 |",
        "| blank tokens left out | 1 |",
    ):
        assert row in card
    file = tmp_path / "out" / "test.parquet"
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    assert "| `MAT` | material | 1 | 0 | 0 |" in make_card(
        tmp_path / "out", ner.card_of("matscholar", tmp_path / "out")
    )


def orphans_by_hand(tags: list[str]) -> int:
    """Count orphans with a loop that keeps track of the current entity type."""
    open_type, found = None, 0
    for tag in tags:
        kind = tag[2:] or None
        found += tag[0] == "I" and kind != open_type
        open_type = kind
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["O", "B-MAT", "I-MAT", "B-PRO", "I-PRO"]), max_size=8))
def test_count_of_orphans(tags) -> None:
    assert ner.count_orphans(tags) == orphans_by_hand(tags)


def spoil_column(rows, name):
    return {split: [{k: v for k, v in row.items() if k != name} for row in of] for split, of in rows.items()}


def spoil_value(rows, name, value):
    rows["validation"][0][name] = value
    return rows


BAD_ROWS = [
    ("ner", lambda rows: spoil_column(rows, "tokens"), "missing columns tokens"),
    (
        "ner",
        lambda rows: spoil_value(rows, "ner_tags", ["B-PRO", "B-XYZ"]),
        "row 1: tag 2 is 'B-XYZ'; must be one of O, B-MAT",
    ),
    ("ner", lambda rows: spoil_value(rows, "ner_tags", ["B-PRO"]), "lists of equal length"),
    ("ner", lambda rows: spoil_value(rows, "tokens", ["a", None]), "token 2 is None; expected text"),
    ("ner", lambda rows: spoil_value(rows, "id", "s-0"), "duplicate id s-0 (first seen in"),
    ("ner", lambda rows: spoil_value(rows, "id", ""), "id is ''; expected non-empty text"),
    ("ner", lambda rows: rows | {"test": [sentence(4, [""], ["O"])]}, "split test has no usable row"),
    ("pac", lambda rows: spoil_column(rows, "label"), "missing columns label"),
    ("pac", lambda rows: spoil_value(rows, "label", 2), "label is 2; must be from 0 to 1 (non_glass, glass)"),
    ("pac", lambda rows: spoil_value(rows, "label", None), "label is None"),
    ("pac", lambda rows: spoil_value(rows, "text", None), "text is None; expected text"),
]


@pytest.mark.parametrize(("kind", "spoil", "message"), BAD_ROWS, ids=[message for _, _, message in BAD_ROWS])
def test_rows_that_cannot_be_used_are_one_line(kind, spoil, message, tmp_path) -> None:
    write(tmp_path / FOLDERS[kind][1], spoil(ROWS[kind]()))
    with pytest.raises(ClacInputError) as caught:
        build(kind, tmp_path, tmp_path / "out")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def damage(file: Path) -> None:
    """Overwrite the pages of the first column with zeros; the footer, which is read first, is kept."""
    content = bytearray(file.read_bytes())
    content[4:30] = bytes(26)
    file.write_bytes(content)


def no_utf8(file: Path) -> None:
    table = pq.read_table(file)
    for name in ("text", "tokens"):
        if name in table.column_names:
            bad = pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
            column = bad if name == "text" else pa.ListArray.from_arrays(range(len(table) + 1), bad)
            table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, file)


BAD_FILES = [
    (damage, "damaged"),
    (no_utf8, "is not valid UTF-8"),
    (lambda file: file.write_text("id,text\n"), "not a Parquet file"),
    (lambda file: file.unlink(), "no such file"),
]


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize(("spoil", "message"), BAD_FILES, ids=[message for _, message in BAD_FILES])
def test_files_that_cannot_be_read_are_one_line(kind, spoil, message, tmp_path) -> None:
    write(tmp_path / FOLDERS[kind][1], ROWS[kind]())
    spoil(tmp_path / FOLDERS[kind][1] / "test.parquet")
    with pytest.raises(ClacInputError) as caught:
        build(kind, tmp_path, tmp_path / "out")
    assert message in str(caught.value) and "test.parquet" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", MODULES)
def test_missing_sources_and_invalid_output_directories(kind, tmp_path) -> None:
    folder = FOLDERS[kind][1]
    with pytest.raises(ClacInputError, match=f"DIR/{folder}/.*https://github.com/M3RG-IITD/MatSciBERT"):
        build(kind, None, tmp_path / "out")
    with pytest.raises(ClacInputError, match="no such directory"):
        build(kind, tmp_path, tmp_path / "out")
    with pytest.raises(ClacInputError, match="--name steel: must be one of"):
        build(kind, tmp_path, tmp_path / "out", "steel")
    write(tmp_path / folder, ROWS[kind]())
    before = (tmp_path / folder / "test.parquet").read_bytes()
    with pytest.raises(ClacInputError, match="contains the source files"):
        build(kind, tmp_path, tmp_path / folder)
    assert (tmp_path / folder / "test.parquet").read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(ClacInputError, match="cannot be written"):
        build(kind, tmp_path, tmp_path / "file")


@pytest.mark.parametrize("kind", MODULES)
def test_existing_files_survive_a_failure(kind, tmp_path) -> None:
    write(tmp_path / FOLDERS[kind][1], ROWS[kind]())
    build(kind, tmp_path, tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    damage(tmp_path / FOLDERS[kind][1] / "test.parquet")
    with pytest.raises(ClacInputError):
        build(kind, tmp_path, tmp_path / "out")
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_from_the_command_line(tmp_path, script) -> None:
    command = ("datasets_scripts.ner", "--name", "matscholar", "--output_dir", tmp_path / "out")
    done = script(*command)
    assert done.code == 2 and len(done.err.strip().splitlines()) == 1, done.err
    assert done.err.startswith("error: --data_dir is required") and not (tmp_path / "out").exists()
    write(tmp_path / "ner_matscholar", ner_rows())
    done = script(*command, "--data_dir", tmp_path)
    assert done.code == 0 and "blank tokens left out" in done.out, done.err


# Rows by split and entities by split, as stated by the sources, and orphans.
REAL_NER = {
    "matscholar": ([4401, 511, 546], [20384, 2341, 2502], 1),
    "sofc": ([568, 135, 173], [2962, 650, 978], 0),
    "sofc-slot": ([568, 135, 173], [2768, 563, 931], 0),
}
# Rows and those of the second class; one abstract of glass was in train and test.
REAL_PAC = {"glass": ([899, 300, 300], [295, 99, 98], 1), "battery": ([268, 90, 90], [134, 45, 45], 0)}


@needs_text_data
@pytest.mark.parametrize("name", REAL_NER)
def test_real_sentences(name, tmp_path) -> None:
    rows, entities, orphans = REAL_NER[name]
    report = build("ner", TEXT_DATA, tmp_path / "out", name)
    loaded = load(tmp_path / "out", tmp_path / "cache")
    names = loaded["train"].features["ner_tags"].feature.names
    assert [len(loaded[split]) for split in SPLITS] == rows
    for split, expected in zip(SPLITS, entities, strict=True):
        assert sum(names[tag][0] == "B" for tags in loaded[split]["ner_tags"] for tag in tags) == expected
    assert list(report.counts.values()) == [sum(rows), 0, 0, orphans]
    assert make_card(tmp_path / "out", ner.card_of(name, tmp_path / "out"), report) == (
        tmp_path / "out" / "README.md"
    ).read_text(encoding="utf-8")


@needs_text_data
@pytest.mark.parametrize("name", REAL_PAC)
def test_real_abstracts(name, tmp_path) -> None:
    rows, second, shared = REAL_PAC[name]
    report = build("pac", TEXT_DATA, tmp_path / "out", name)
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert [len(loaded[split]) for split in SPLITS] == rows
    assert [sum(loaded[split]["label"]) for split in SPLITS] == second
    assert report.counts["abstracts left out of train because they are also in test"] == shared
    assert not set(loaded["train"]["text"]) & set(loaded["test"]["text"])
    if name == "battery":
        counts = Counter((row["source"], row["label"]) for row in loaded["train"])
        assert len(counts) == 6 and all(counts[source, 0] == counts[source, 1] for source, _ in counts)
    else:
        # Letters that are broken byte sequences in the source.
        assert any("α" in text for text in loaded["test"]["text"])


def test_a_build_that_was_killed_between_two_files_is_completed_when_it_is_read(tmp_path) -> None:
    """The files are complete in a folder of their own; a reader renames the rest."""
    directory, complete = tmp_path / "out", tmp_path / "out" / ".complete"
    complete.mkdir(parents=True)
    for split, folder in (("train", directory), ("validation", complete), ("test", complete)):
        pq.write_table(pa.table({"material_id": [f"new {split}"], "formula": ["NaCl"]}), folder / f"{split}.parquet")
    pq.write_table(pa.table({"material_id": ["old"], "formula": ["NaCl"]}), directory / "test.parquet")
    found = [record["material_id"] for _, record in Records(directory).rows()]
    assert sorted(found) == ["new test", "new train", "new validation"]
    assert sorted(path.name for path in directory.iterdir()) == ["test.parquet", "train.parquet", "validation.parquet"]
