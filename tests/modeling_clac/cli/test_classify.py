"""The command `clac classify`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from modeling_clac import ClacEmbedder
from tests.helpers.calibration import calibrated_checkpoint
from tests.helpers.cif import cif
from tests.helpers.cli import Run, assert_one_line


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    file = tmp_path / "files" / "salt.cif"
    file.parent.mkdir()
    file.write_text(cif())
    return file


@pytest.fixture
def model(small_checkpoint: Path, cifs: list[str], tmp_path: Path) -> Path:
    embeds = ClacEmbedder.from_pretrained(small_checkpoint).encode_crystals(cifs[:12])
    return calibrated_checkpoint(small_checkpoint, tmp_path / "calibrated", embeds)


def test_one_label_has_a_probability(clac: Run, salt: Path, model: Path):
    document = json.loads(clac("classify", salt, "--labels", "salt", "--model", model, "--json").out)
    (crystal,) = document["crystals"]
    (label,) = crystal["labels"]
    embedder = ClacEmbedder.from_pretrained(model)
    expected = embedder.probability(embedder.encode_crystals([salt]), embedder.encode_text(["salt"]))
    assert label["probability"] == pytest.approx(float(expected[0, 0]), rel=1e-5)
    assert label["softmax"] == 1.0
    assert document["base_rate"] == 0.1
    assert (crystal["file"], crystal["note"], document["label_notes"]) == (str(salt), None, {})
    likely = json.loads(
        clac("classify", salt, "--labels", "salt", "--model", model, "--json", "--base-rate", "0.5").out
    )
    assert likely["crystals"][0]["labels"][0]["probability"] > label["probability"]
    assert likely["base_rate"] == 0.5
    assert_one_line(clac("classify", salt, "--labels", "salt", "--base-rate", "0"), "--base-rate 0: must be between")
    table = clac("classify", salt, "--labels", "salt", "--model", model)
    assert (table.code, table.err) == (0, "")
    assert "probability" in table.out and "relative" not in table.out


def test_several_labels_are_also_compared_with_each_other(clac: Run, salt: Path, model: Path):
    arguments = ("classify", salt, "--labels", "metal, salt,oxide", "--template", "This is a {}.", "--model", model)
    result = clac(*arguments, "--json")
    document = json.loads(result.out)
    labels = document["crystals"][0]["labels"]
    assert {row["label"] for row in labels} == {"metal", "salt", "oxide"}
    embedder = ClacEmbedder.from_pretrained(model)
    texts = embedder.encode_text([f"This is a {row['label']}." for row in labels])
    crystal = embedder.encode_crystals([salt])
    logits = embedder.logits(crystal, texts)[0].astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose([row["softmax"] for row in labels], expected, atol=1e-4)
    np.testing.assert_allclose(
        [row["probability"] for row in labels], embedder.probability(crystal, texts)[0], atol=1e-5
    )
    assert (np.diff([row["cosine"] for row in labels]) <= 1e-6).all()
    assert set(document["label_notes"]) == {"metal"}
    assert "label 'metal': far from the training texts" in result.err
    assert "relative" in clac(*arguments).out


def test_without_a_calibration(clac: Run, salt: Path, small_checkpoint: Path):
    assert_one_line(
        clac("classify", salt, "--labels", "salt", "--model", small_checkpoint), "no calibration", "train.calibrate"
    )
    result = clac("classify", salt, "--labels", "salt,metal", "--model", small_checkpoint, "--json")
    assert "no probabilities" in result.err
    (crystal,) = json.loads(result.out)["crystals"]
    assert [row["probability"] for row in crystal["labels"]] == [None, None]
    assert sum(row["softmax"] for row in crystal["labels"]) == pytest.approx(1)
    assert "probability" not in clac("classify", salt, "--labels", "a,b", "--model", small_checkpoint).out


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_files_have_one_row_for_each_crystal_and_label(clac: Run, salt: Path, model: Path, tmp_path: Path, suffix: str):
    xenon = salt.with_name("xenon.cif")
    xenon.write_text(cif().replace("Cl", "Xe"))
    output = tmp_path / f"out{suffix}"
    result = clac("classify", salt.parent, "--labels", "salt,oxide", "--model", model, "-o", output)
    assert result.code == 0, result.err
    assert f"{xenon}: far from the training crystals: a single training crystal contains Xe" in result.err
    rows = {
        ".csv": lambda: list(csv.DictReader(output.open())),
        ".parquet": lambda: pq.read_table(output).to_pylist(),
        ".json": lambda: json.loads(output.read_text())["rows"],
    }[suffix]()
    assert [Path(row["file"]).name for row in rows] == ["salt.cif"] * 2 + ["xenon.cif"] * 2
    assert {row["label"] for row in rows[:2]} == {"salt", "oxide"}
    assert all(0 < float(row["probability"]) < 1 for row in rows)
    assert "Xe" in rows[-1]["note"] and not rows[0]["note"]


def test_invalid_files_are_skipped_or_stop_the_command(clac: Run, salt: Path, model: Path, tmp_path: Path):
    salt.with_name("bad.cif").write_text("no structure")
    output = tmp_path / "out.csv"
    arguments = ("classify", salt.parent, "--labels", "salt", "--model", model, "-o", output)
    assert_one_line(clac(*arguments), "bad.cif")
    assert not output.exists()
    result = clac(*arguments, "--on-error", "skip")
    assert (result.code, len(output.read_text().splitlines())) == (0, 2)
    assert "skipped 1" in result.err


@pytest.mark.parametrize(
    ("output", "reason"), [("out.txt", "unknown format"), ("none/out.csv", "parent directory"), ("d.csv", "directory")]
)
def test_outputs_are_checked_first(clac: Run, tmp_path: Path, output: str, reason: str):
    (tmp_path / "d.csv").mkdir()
    assert_one_line(clac("classify", "x.cif", "--labels", "a", "-o", tmp_path / output), reason)


def test_search_notes_texts_and_crystals_far_from_training(clac: Run, salt: Path, model: Path, tmp_path: Path):
    salt.write_text(cif().replace("Cl", "Xe"))
    index = tmp_path / "index"
    assert clac("index", salt, "-o", index, "--model", model).code == 0
    place = ("--index", index, "--model", model)
    result = clac("search", "pancakes", *place, "--json")
    assert result.err.startswith('clac: far from the training texts: "pancakes" occurs in no training text')
    assert len(json.loads(result.out)["notes"]) == 1
    assert json.loads(clac("search", "salt", *place, "--json").out)["notes"] == []
    assert "contains Xe" in clac("search", "--like", salt, *place).err
