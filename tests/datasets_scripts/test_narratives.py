"""Test the narratives script: narrator, unreliable servers, budgets, batches, interruptions and shards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_scripts.llm import generation
from datasets_scripts.llm.check_text import text_problems
from datasets_scripts.llm.journal import Answer, Journal, Request
from datasets_scripts.narratives import NarrativeArguments, build
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import narrate
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.chat_server import ChatServer, Misbehaviour, right_answer


@pytest.fixture(autouse=True)
def key(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")


def ask(server: ChatServer, output: Path, **options: Any) -> None:
    defaults = {"backend": "openai", "base_url": server.url, "limit": 20, "concurrency": 8, "retries": 12}
    build(NarrativeArguments(str(output), **{**defaults, **options}))


def rows_of(output: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(output.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def journal_lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in output.glob("journal-*.jsonl") for line in file.read_text().splitlines()]


# -------------------- checking
def test_every_narrative_of_the_narrator_passes(records) -> None:
    for place, record in enumerate(with_uses(records)):
        assert text_problems(narrate(record, seed=place), record) == []


RECORD = {
    "formula": "TiO2", "elements": ["O", "Ti"], "crystal_system": "tetragonal", "space_group_symbol": "P4_2/mnm",
    "space_group_number": 136, "density": 4.2134, "volume": 62.41, "nsites": 6, "band_gap": 1.78,
    "formation_energy_per_atom": -3.312, "energy_above_hull": 0.025,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "TiO2 is tetragonal, P4_2/mnm (no. 136), with 4.21 g/cm³ and a gap of 1.8 eV.",
        "TiO₂ lies 25 meV/atom above the hull; its formation energy is -3.31 eV per atom.",
        "O2Ti, 4213 kg/m³, 10.4 Å³/atom, 6 atoms in 62.4 Å³, 2 elements.",
        "TiO2 is worth a look for UV filters. In no other way.",
    ],
)
def test_right_texts_pass(text: str) -> None:
    assert text_problems(text, RECORD) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("A tetragonal oxide.", "the formula TiO2 is missing"),
        ("TiO2 with 4.3 g/cm³.", "the number 4.3 g/cm³ is not in the record"),
        ("TiO2 with a gap of 1.87 eV.", "1.87 eV"),
        ("TiO2, formation energy 3.312 eV/atom.", "3.312 eV/atom"),
        ("TiO2 with a gap of 4.21 eV.", "4.21 eV"),
        ("TiO2 is cubic.", "it is tetragonal, not cubic"),
        ("TiO2 in I4_1/amd.", "its space group is P4_2/mnm, not I4_1/amd"),
        ("TiO2, unlike SrTiO3.", "is not its formula"),
        ("TiO2 melts at 2116 K.", "2116"),
        ("TiO2 with a gap of 1e400 eV.", "the number 1e400 eV is not in the record"),
        ("TiO2 \ud83d.", "half a character (U+D83D)"),
    ],
)
def test_wrong_texts_fail(text: str, problem: str) -> None:
    assert any(problem in found for found in text_problems(text, RECORD))


@given(
    st.text(max_size=80),
    st.sampled_from(["", "TiO2 with 1e400 eV ", "9" * 400 + " eV ", "0e5 GPa -0.0 eV ", "1e-400 eV "]),
)
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_checked(text: str, start: str) -> None:
    assert all("\n" not in problem or "\n" in text for problem in text_problems(start + text, RECORD))


# -------------------- narrator backend
@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in sixteen of the bundled crystals, in the files of their splits."""
    folder = tmp_path_factory.mktemp("sample")
    for path in CRYSTALS.glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.take(list(range(0, len(table), 16))), folder / path.name)
    return folder


def test_narrator_builds_a_loadable_data_set(tmp_path, sample) -> None:
    output = tmp_path / "set"
    build(NarrativeArguments(str(output), input=str(sample), seed=1))
    loaded = load_dataset(str(output), cache_dir=str(tmp_path / "cache"))
    source = load_dataset(str(sample), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {name: len(split) for name, split in source.items()}
    assert loaded["test"]["material_id"] == source["test"]["material_id"]
    assert loaded["test"][0]["text"] == narrate(source["test"][0], seed=(1, source["test"][0]["material_id"]))
    formulas = [set(split["formula"]) for split in loaded.values()]
    assert not formulas[0] & formulas[1] and not formulas[0] & formulas[2] and not formulas[1] & formulas[2]
    card = (output / "README.md").read_text()
    assert f"| `train` | {len(source['train']):,} |" in card and "| `band_gap` | double | eV |" in card


@pytest.mark.parametrize("workers", [1, 2])
def test_shards_are_the_bytes_of_one_process(tmp_path, monkeypatch, workers) -> None:
    monkeypatch.setenv("CLAC_LAZY_IMPORT", "1")  # as in the processes of the command
    pq.write_table(pq.read_table(CRYSTALS / "validation.parquet").slice(0, 100), tmp_path / "in.parquet")
    options = {"input": str(tmp_path / "in.parquet"), "num_shards": 3}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    build(NarrativeArguments(str(whole), workers=workers, **options))
    for shard in (2, 0, 1):
        assert not (parts / "README.md").exists()
        build(NarrativeArguments(str(parts), shard=shard, **options))
    files = sorted(path.name for path in whole.iterdir())
    assert "validation-00001-of-00003.parquet" in files and "README.md" in files
    assert files == sorted(path.name for path in parts.iterdir())
    assert all((whole / name).read_bytes() == (parts / name).read_bytes() for name in files)


def test_splits_by_formula_where_the_input_has_none(tmp_path, sample) -> None:
    table = pq.read_table(sample / "train.parquet").drop_columns(["split"])
    pq.write_table(table, tmp_path / "in.parquet")
    build(NarrativeArguments(str(tmp_path / "out"), input=str(tmp_path / "in.parquet")))
    found: dict[str, set[str]] = {}
    for row in rows_of(tmp_path / "out"):
        found.setdefault(row["formula"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in found.values())
    counts = [sum(1 for splits in found.values() if name in splits) for name in SPLITS]
    assert counts[0] > counts[2] > counts[1] > 0


# -------------------- openai backend
def test_unreliable_server_loses_nothing(tmp_path) -> None:
    """With hundreds of requests, every record occurs once, in order, and no response is paid for twice."""
    trouble = Misbehaviour(
        latency=0.002, too_many=0.05, broken=0.05, dropped=0.03, truncated_json=0.03, invalid_json=0.02, no_choice=0.02
    )
    with ChatServer(trouble) as server:
        ask(server, tmp_path / "out", limit=200, input=str(CRYSTALS / "train.parquet"), concurrency=32)
    assert sum(server.statuses.values()) > 400
    assert all(server.statuses[kind] for kind in ("too_many", "broken", "dropped", "truncated_json", "no_choice"))
    assert set(server.served.values()) == {1} and len(server.served) == 400
    assert server.most_at_once <= 32
    rows = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet").to_pylist()
    source = pq.read_table(CRYSTALS / "train.parquet").to_pylist()[:200]
    assert [row["material_id"] for row in rows] == [record["material_id"] for record in source]
    assert all(row["formula"] in row["description"] and row["applications"] in row["text"] for row in rows)
    assert {(row["attempts"], row["prompt_tokens"], row["finish_reason"]) for row in rows} == {(2, 200, "stop")}


def test_wrong_texts_are_requested_again_then_rejected(tmp_path) -> None:
    with ChatServer(Misbehaviour(wrong_number=0.3, cut_off=0.1, filtered=0.05)) as server:
        ask(server, tmp_path / "out", limit=60, max_reasks=1)
    rows = rows_of(tmp_path / "out")
    rejected = [row for row in rows if row["split"] == "rejected"]
    assert len(rows) == 60 and 4 < len(rejected) < 30
    reasons = " ".join(row["rejected_because"] for row in rejected)
    assert "98765.4 GPa is not in the record" in reasons and "content filter" in reasons and "cut off" in reasons
    assert all(row["rejected_because"] is None and row["attempts"] in (2, 3, 4) for row in rows if row not in rejected)
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| `rejected` | {len(rejected)} |" in card and "| repeated requests |" in card
    assert load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "c"), split="rejected").num_rows == len(
        rejected
    )


def test_killed_run_requests_only_what_is_missing(tmp_path) -> None:
    output = tmp_path / "out"
    with ChatServer(Misbehaviour(latency=0.02)) as server:
        words = f"--backend openai --base_url {server.url} --limit 60 --concurrency 4 --output_dir {output}".split()
        command = [sys.executable, "-m", "datasets_scripts.narratives", *words]
        for wanted in (15, 60):
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 120
            while sum(server.served.values()) < wanted and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            server.wait_until_idle()
            assert not list(output.glob("*.parquet"))
        kept = len(journal_lines(output))
        # Each kill loses at most the four pending responses.
        assert kept >= sum(server.served.values()) - 8
        before = sum(server.served.values())
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert sum(server.served.values()) - before == 120 - kept
    assert len(rows_of(output)) == 60


def test_sigterm_keeps_pending_responses(tmp_path) -> None:
    output = tmp_path / "out"
    with ChatServer(Misbehaviour(latency=0.05)) as server:
        words = f"--backend openai --base_url {server.url} --limit 200 --concurrency 4 --output_dir {output}".split()
        process = subprocess.Popen([sys.executable, "-m", "datasets_scripts.narratives", *words], cwd=ROOT)
        while sum(server.served.values()) < 10:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        assert process.returncode != 0
        assert len(journal_lines(output)) == sum(server.served.values())


def test_budget_is_a_hard_stop(tmp_path) -> None:
    with ChatServer() as server:
        for _ in range(2):  # earlier runs count towards the budget
            with pytest.raises(ClacInputError, match="--budget_tokens 5,000: "):
                ask(server, tmp_path / "a", budget_tokens=5000, max_completion_tokens=50)
        assert 2000 < 120 * sum(server.served.values()) <= 5000
        prices = {"price_input": 10.0, "price_output": 50.0, "max_completion_tokens": 50}
        with pytest.raises(ClacInputError, match=r"--budget_cost 0\.02: "):
            ask(server, tmp_path / "b", budget_cost=0.02, **prices)
        answers = [line["answer"] for line in journal_lines(tmp_path / "b")]
        spent = sum(10 * a["prompt_tokens"] + 50 * a["completion_tokens"] for a in answers) / 1e6
        assert 0.005 < spent <= 0.02
        ask(server, tmp_path / "a", budget_tokens=500_000)
    assert len(rows_of(tmp_path / "a")) == 20


def test_retry_after_is_waited_for(tmp_path) -> None:
    with ChatServer(Misbehaviour(too_many=0.5, retry_after="0.3", seed=1)) as server:
        started = time.monotonic()
        ask(server, tmp_path / "out", limit=2, concurrency=1)
        assert time.monotonic() - started >= 0.3 * server.statuses["too_many"] > 0


@pytest.mark.parametrize(
    ("trouble", "options", "message"),
    [
        ({"refuse": 401}, {}, "go away"),
        ({"broken": 1.0}, {"retries": 1}, "no valid response after 2 attempts"),
        ({"latency": 2.0}, {"retries": 0, "timeout": 0.2}, "no valid response after 1 attempts"),
    ],
)
def test_server_that_does_not_respond(tmp_path, trouble, options, message) -> None:
    with ChatServer(Misbehaviour(**trouble)) as server, pytest.raises(ClacInputError, match=message):
        ask(server, tmp_path / "out", limit=2, **options)
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_batches(tmp_path) -> None:
    """Requests are exported, answered elsewhere with one failure, and imported until none is pending."""
    output, questions, answers = tmp_path / "out", tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    options: dict[str, Any] = {"backend": "openai", "limit": 6, "base_url": "http://127.0.0.1:9/v1"}
    exported = []
    for turn in range(4):
        imported = {"batch_import": str(answers)} if turn else {}
        build(NarrativeArguments(str(output), batch_export=str(questions), **imported, **options))
        if turn == 3:
            break
        lines = [json.loads(line) for line in questions.read_text().splitlines()]
        exported.append(len(lines))
        replies = []
        for place, line in enumerate(lines):
            message = {"message": {"content": right_answer(line["body"]["messages"][0]["content"])}}
            body = {"choices": [message | {"finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}
            failed = turn == 0 and place == 0
            response = {"status_code": 500 if failed else 200, "body": {} if failed else body}
            replies.append({"custom_id": line["custom_id"], "response": response})
        answers.write_text("".join(json.dumps(reply) + "\n" for reply in reversed(replies)))
    assert exported == [6, 6, 1]
    assert len(rows_of(output)) == 6


# -------------------- bad input
ODD = ("NaCl has a gap of 1e400 eV.", "NaCl \ud83d.", "9" * 400, "\0", "TiO2 " + "[" * 5000)


@pytest.mark.parametrize("usage", [10**30, float("inf"), "many"])
def test_an_odd_answer_is_set_aside_and_never_crashes_a_rerun(tmp_path, usage) -> None:
    """A text that nothing can be done with is rejected like a wrong one, in this run and in the next."""
    answers = iter(ODD * 1000)
    for _ in range(2):
        with ChatServer(Misbehaviour(answer=lambda _: next(answers), usage=usage)) as server:
            ask(server, tmp_path / "out", limit=5, max_reasks=1, retries=0)
    assert sum(server.served.values()) == 0  # the second run pays for nothing
    rows = rows_of(tmp_path / "out")
    assert [row["split"] for row in rows] == ["rejected"] * 5 and all(row["rejected_because"] for row in rows)
    assert len(journal_lines(tmp_path / "out")) == 10
    with Journal(next((tmp_path / "out").glob("journal-*.jsonl"))) as journal:
        assert {answer.text for _, answer in journal.items()} == set(ODD)
        assert {answer.prompt_tokens for _, answer in journal.items()} == {0}


def test_a_text_that_cannot_be_checked_is_rejected(tmp_path, monkeypatch) -> None:
    def fails(*_: Any, **__: Any) -> list[str]:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(generation, "text_problems", fails)
    with ChatServer() as server:
        ask(server, tmp_path / "out", limit=2, max_reasks=0)
    assert "cannot be checked (maximum recursion" in rows_of(tmp_path / "out")[0]["rejected_because"]


def test_journal_drops_an_incomplete_line_and_allows_a_single_writer(tmp_path) -> None:
    path, request = tmp_path / "journal.jsonl", Request("mp-1", "describe", "abc", "m")
    with Journal(path) as journal:
        journal.add(request, Answer("one", "stop"))
        assert journal.add(request, Answer("two", "stop")).text == "one"
        with pytest.raises(ClacInputError, match="another run"):
            Journal(path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    with Journal(path) as journal:
        assert len(journal) == 1 and request in journal
    assert path.read_bytes() == whole
    path.write_text("what is this\n")
    with pytest.raises(ClacInputError, match="line 1 is not a valid entry"):
        Journal(path)


@pytest.fixture
def table() -> pa.Table:
    return pq.read_table(CRYSTALS / "validation.parquet").slice(0, 12)


def replaced(table: pa.Table, column: str, values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, column, pa.array(values, kind or table.schema.field(column).type))


@pytest.mark.parametrize(
    "case", ["duplicate", "missing column", "wrong type", "text as number", "empty file", "empty id"]
)
def test_bad_input_is_one_line(tmp_path, table, case) -> None:
    ids = table["material_id"].to_pylist()
    changed, message = {
        "duplicate": (replaced(table, "material_id", [*ids[:-1], ids[0]]), f"row 12: duplicate material_id {ids[0]}"),
        "missing column": (table.drop_columns(["formula"]), "missing columns formula"),
        "wrong type": (
            replaced(table, "material_id", list(range(12)), pa.int64()),
            "column material_id has type int64; expected text",
        ),
        "text as number": (
            replaced(table, "density", ["x"] * 12, pa.string()),
            "column density has type string; expected numbers",
        ),
        "empty file": (table.slice(0, 0), "contains no rows"),
        "empty id": (replaced(table, "formula", [None, *table["formula"].to_pylist()[1:]]), "row 1: formula is empty"),
    }[case]
    pq.write_table(changed, tmp_path / "in.parquet")
    with pytest.raises(ClacInputError, match=message) as caught:
        build(NarrativeArguments(str(tmp_path / "out"), input=str(tmp_path / "in.parquet")))
    assert "\n" not in str(caught.value) and "in.parquet" in str(caught.value)
    assert not list(tmp_path.glob("out/*.parquet"))


def test_unusable_rows_are_skipped_and_counted(tmp_path, table, capsys) -> None:
    formulas = table["formula"].to_pylist()
    pq.write_table(replaced(table, "formula", [None, *formulas[1:]]), tmp_path / "in.parquet")
    build(NarrativeArguments(str(tmp_path / "out"), input=str(tmp_path / "in.parquet"), on_error="skip"))
    assert len(rows_of(tmp_path / "out")) == 11
    assert "row 1: formula is empty" in capsys.readouterr().out
    assert "| left out | 1 |" in (tmp_path / "out" / "README.md").read_text()


def test_duplicate_id_is_skipped(tmp_path, table, capsys) -> None:
    ids = table["material_id"].to_pylist()
    pq.write_table(replaced(table, "material_id", [*ids[:-1], ids[0]]), tmp_path / "in.parquet")
    build(NarrativeArguments(str(tmp_path / "out"), input=str(tmp_path / "in.parquet"), on_error="skip", num_shards=3))
    assert len(rows_of(tmp_path / "out")) == 11
    assert f"row 12: duplicate material_id {ids[0]} (first seen in" in capsys.readouterr().out


def test_damaged_and_missing_files(tmp_path) -> None:
    (tmp_path / "no.parquet").write_bytes(b"PAR1 nonsense")
    for path, message in (
        (tmp_path / "no.parquet", "not a Parquet file"),
        (tmp_path / "nowhere.parquet", "no such file"),
    ):
        with pytest.raises(ClacInputError, match=message):
            build(NarrativeArguments(str(tmp_path / "out"), input=str(path)))


def test_a_damaged_page_of_identifiers(tmp_path) -> None:
    file = tmp_path / "crystals.parquet"
    pq.write_table(pq.read_table(CRYSTALS / "validation.parquet").slice(0, 40), file, write_statistics=False)
    column = pq.ParquetFile(file).metadata.row_group(0).column(0)
    assert column.path_in_schema == "material_id"
    content = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(content)
    with pytest.raises(ClacInputError, match="damaged after row 0"):
        build(NarrativeArguments(str(tmp_path / "out"), input=str(file)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--backend gpt", "must be one of openai, narrator"),
        ("--shard 3 --num_shards 3", "from 0 to 2"),
        ("--executor cloud", "must be one of local, ray"),
        ("--budget_cost 3", "requires --price_input"),
        ("--backend openai --limit 1", "no API key found: set NO_SUCH_KEY to yours"),
    ],
)
def test_bad_arguments_are_one_line(tmp_path, script, monkeypatch, words, message) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    given = ("--output_dir", tmp_path / "out", *words.split(), "--api_key_variable", "NO_SUCH_KEY")
    done = script("datasets_scripts.narratives", *given)
    assert done.code == 2 and message in done.err and len(done.err.splitlines()) == 1
