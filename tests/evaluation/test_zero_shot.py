"""Zero-shot questions from end to end with random weights, and invalid input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.multiple_choice.arguments import ZeroShotArguments
from evaluation.zero_shot import run
from modeling_clac import ClacModel
from modeling_clac.errors_clac import ClacInputError
from tests.helpers.chat_server import ChatServer, Misbehaviour
from tests.helpers.questions import small_questions


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    return small_questions(tmp_path_factory.mktemp("zero-shot"))


def arguments(questions: Path, checkpoint: Path, folder: Path, **changes) -> ZeroShotArguments:
    options = {"limit": 4, "bootstrap": 20, "journal": str(folder / "replies.jsonl"), "retries": 0, "llm_questions": 2}
    output = str(folder / "result.json")
    return ZeroShotArguments(str(checkpoint), str(questions), output=output, **{**options, **changes})


def test_all_ways_are_scored_and_written(questions, small_checkpoint, bert_directory, tmp_path, capsys) -> None:
    with ChatServer(Misbehaviour(answer=lambda prompt: "A" if "cubic" in prompt else "who knows")) as server:
        result = run(
            arguments(
                questions,
                small_checkpoint,
                tmp_path,
                crystals=str(questions.parent / "crystals.parquet"),
                sentence_encoder=str(bert_directory),
                chat_model="test-model",
                base_url=server.url,
                views="formula",
            )
        )
    stored = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert stored["questions"] == result["questions"] > 10
    assert set(stored["similarity"]) == {"statement", "wordings", "held_out_wordings"}
    assert set(stored["baselines"]) == {"chance", "majority", "text_only", "sentence_encoder"}
    for own in (*stored["similarity"].values(), *stored["baselines"].values()):
        assert list(own["levels"]) == list(stored["baselines"]["chance"]["levels"])
        for level in own["levels"].values():
            assert level["interval"][0] <= level["accuracy"] <= level["interval"][1]
    chance = stored["baselines"]["chance"]["levels"]
    assert chance["crystal_system, easy"]["accuracy"] == pytest.approx(1 / 7)
    (talked,) = stored["language_models"]
    assert talked["answered"] == talked["questions"] and 0 < talked["parse_failures"] < talked["answered"]
    assert (
        list(talked["levels"]) == list(talked["similarity"]["levels"]) and "composition, easy" not in talked["levels"]
    )
    names = {path.name for path in tmp_path.iterdir()}
    assert {"table.md", "zero-shot.png", "zero-shot.svg", "calibration.png", "calibration.svg"} <= names
    assert "| crystal system | 4 |" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "test-model, chat" in capsys.readouterr().out


def test_what_was_computed_is_kept_when_a_server_is_down(questions, small_checkpoint, tmp_path) -> None:
    with ChatServer() as server:
        url = server.url
    with pytest.raises(ClacInputError, match="no valid response") as error:
        run(arguments(questions, small_checkpoint, tmp_path, limit=1, chat_model="m", base_url=url, views="formula"))
    assert "\n" not in str(error.value)
    stored = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert stored["language_models"] == [] and stored["similarity"]["wordings"]["levels"]


def test_a_checkpoint_with_one_tower_is_one_line(questions, small_checkpoint, tmp_path) -> None:
    whole = ClacModel.from_pretrained(small_checkpoint)
    shutil.copytree(small_checkpoint, tmp_path / "half")
    whole.text_model.save_pretrained(tmp_path / "half")
    with pytest.raises(ClacInputError) as error:
        run(arguments(questions, tmp_path / "half", tmp_path))
    assert "\n" not in str(error.value) and not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["options"]), "column options missing"),
        (lambda table: table.set_column(6, "answer", table["formula"]), "column answer missing or of another type"),
        (lambda table: _with(table, "kind", "hardness"), "row 0: unknown kind 'hardness'"),
        (lambda table: _with(table, "answer", 9), "row 0: expected"),
        (lambda table: _with(table, "options", ["x", "y"]), "row 0: expected"),
        (lambda table: _with(table, "cif", None), "row 0: cif empty"),
    ],
)
def test_a_file_of_another_schema_is_one_line(questions, small_checkpoint, tmp_path, change, message) -> None:
    file = next(iter(sorted(questions.glob("test*.parquet"))))
    (tmp_path / "other").mkdir()
    pq.write_table(change(pq.read_table(file)), tmp_path / "other" / file.name)
    with pytest.raises(ClacInputError, match=message) as error:
        run(arguments(tmp_path / "other", small_checkpoint, tmp_path))
    assert file.name in str(error.value) and "\n" not in str(error.value)


def _with(table: pa.Table, column: str, value: object) -> pa.Table:
    rows = table.to_pylist()
    rows[0][column] = value
    return pa.Table.from_pylist(rows, table.schema)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "train"}, "--split train"),
        ({"views": "poem"}, "--views poem"),
        ({"local_ways": "shout"}, "--local_ways shout"),
        ({"base_url": "http://localhost"}, "--chat_model"),
        ({"questions": "nowhere"}, "no questions found"),
        ({"questions": __file__}, "expected the directory of a data set"),
    ],
)
def test_a_wrong_argument_is_one_line(questions, small_checkpoint, tmp_path, changes, message) -> None:
    given = arguments(questions, small_checkpoint, tmp_path)
    for name, value in changes.items():
        setattr(given, name, value)
    with pytest.raises(ClacInputError, match=message):
        run(given)
