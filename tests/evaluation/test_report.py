"""The report: missing and finished parts, failures, interruption, page, model card, and invalid input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData

import evaluation.report as report
from evaluation.report import ReportArguments, run
from evaluation.reports.model_index import eval_results, results_table
from evaluation.reports.page import markdown_html, report_page
from evaluation.reports.parts import Part, PartResult, report_parts
from modeling_clac import ClacModel
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import parse_arguments
from tests.conftest import ROOT

RESULTS = ROOT / "evaluation" / "results"
WRITER = """
import json, sys, time
from pathlib import Path
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
output = Path(words["--output"])
with (output.parent / "count").open("a") as file:
    file.write("x")
if words.get("--how") == "wait":
    time.sleep(60)
if words.get("--how") == "fail":
    print("error: a.cif cannot be read", file=sys.stderr)
    print("output that comes late")
    sys.exit(2)
(output.parent / "table.md").write_text("| a | b |\\n|---|---:|\\n| <script>alert(1)</script> | 2 |\\n")
(output.parent / "figure.png").write_bytes(b"\\x89PNG\\r\\n")
output.write_text(json.dumps({"model": words["--model"], "date": "today"}))
if words.get("--how") == "partly":
    sys.exit("error: a.cif cannot be read; the matrix has the others")
"""


def part(name: str, how: str = "work", **changes: Any) -> Part:
    words = ("--model", "{model}", "--how", how)
    return Part(name, f"Title of {name}", "About it.", "writer_of_results", words, 1.0, **changes)


@pytest.fixture
def parts(tmp_path, monkeypatch) -> list[Part]:
    """Parts that a small script computes."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "writer_of_results.py").write_text(WRITER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    found: list[Part] = []
    monkeypatch.setattr(report, "report_parts", lambda *_: found)
    return found


def runs_of(folder: Path) -> int:
    return len((folder / "count").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """Collects tags, ids and addresses, and checks that tags are closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        self.sources += [values["src"] or ""] if "src" in values else []
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_missing_parts_are_computed_once_and_failures_are_named(parts, small_checkpoint, tmp_path, capsys) -> None:
    parts += [
        part("one"),
        part("two", "fail"),
        part("three", package=("no-such-package", "no_such_package")),
        part("four"),
    ]
    arguments = ReportArguments(str(tmp_path / "out"), str(small_checkpoint))
    with pytest.raises(ClacInputError, match="1 of 4 parts failed: two"):
        run(arguments)
    shown = capsys.readouterr().out
    assert "two: failed, a.cif cannot be read (see " in shown
    assert "three: left out, no-such-package is not installed" in shown
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 2 and "a.cif cannot be read" in page
    assert set(json.loads((tmp_path / "out" / "results.json").read_text())["parts"]) == {"one", "four"}
    # What failed is tried again, what is finished is not.
    parts[1] = part("two")
    results = run(arguments)
    assert "2 of 4 parts are already finished" in capsys.readouterr().out
    assert [runs_of(tmp_path / "out" / name) for name in ("one", "two", "four")] == [1, 1, 1]
    assert list(results["problems"]) == ["three"]
    assert list(results["parts"]) == ["one", "two", "four"]


def test_other_weights_or_arguments_are_computed_again(parts, small_checkpoint, tmp_path) -> None:
    parts += [part("one"), part("two")]
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(small_checkpoint, checkpoint)
    arguments = ReportArguments(str(tmp_path / "out"), str(checkpoint))
    run(arguments)
    count = tmp_path / "out" / "two" / "count"
    before = count.stat().st_mtime_ns
    parts[0] = part("one", "other")
    run(arguments)
    assert count.stat().st_mtime_ns == before
    record = json.loads((tmp_path / "out" / "one" / "part.json").read_text(encoding="utf-8"))
    assert "other" in record["command"]
    model = ClacModel.from_pretrained(checkpoint)
    model.logit_scale.data += 1.0
    model.save_pretrained(checkpoint)
    run(arguments)
    assert count.stat().st_mtime_ns > before


def test_what_a_failing_part_computed_is_shown(parts, small_checkpoint, tmp_path) -> None:
    parts += [part("one", "partly")]
    with pytest.raises(ClacInputError, match="1 of 1 parts failed: one"):
        run(ReportArguments(str(tmp_path / "out"), str(small_checkpoint)))
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "the matrix has the others" in page and "<table>" in page


def test_chosen_parts_and_pages_alone(parts, small_checkpoint, tmp_path) -> None:
    parts += [part("one"), part("two")]
    run(ReportArguments(str(tmp_path / "out"), str(small_checkpoint), parts=["two"]))
    assert not (tmp_path / "out" / "one").exists()
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "not computed yet" in page
    included = tmp_path / "paper-models"
    shutil.copytree(tmp_path / "out" / "two", included)
    run(ReportArguments(str(tmp_path / "out"), str(small_checkpoint), page_only=True, include=[str(included)]))
    assert "Paper models" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert runs_of(tmp_path / "out" / "two") == 1


def test_stopped_by_a_signal(small_checkpoint, tmp_path) -> None:
    program = f"""
import sys
import evaluation.report as report
from evaluation.reports.parts import Part
from modeling_clac.utils.arguments import run_script
words = ("--model", "{{model}}", "--how")
ways = {{"one": "work", "two": "wait"}}
parts = [Part(name, name, "", "writer_of_results", (*words, how), 1.0) for name, how in ways.items()]
report.report_parts = lambda *_: parts
sys.argv = ["report", "-o", {str(tmp_path / "out")!r}, "--model", {str(small_checkpoint)!r}]
run_script(report.ReportArguments, report.run)
"""
    (tmp_path / "writer_of_results.py").write_text(WRITER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = tmp_path / "out" / "two" / "count"
    for _ in range(1200):
        if started.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (2, "error: stopped; run the same command again to continue\n")
    assert "two" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert set(json.loads((tmp_path / "out" / "results.json").read_text())["parts"]) == {"one"}
    assert not (tmp_path / "out" / ".lock").exists()


def test_page_needs_no_other_file(tmp_path) -> None:
    (tmp_path / "figure.png").write_bytes(b"\x89PNG\r\n")
    shown = [
        PartResult(
            "one", "One & <two>", "About", {"date": "today"}, "| a |\n|---|\n| x |\n", (tmp_path / "figure.png",), 90
        ),
        PartResult("three", "Three", "", None, "", (), problem="failed, <b>no file</b>"),
    ]
    text = report_page("Evaluation of <model>", "| a | b |\n|---|---:|\n| 1 | 2 |", shown)
    page = Page(text)
    assert page.open == []
    assert [link.removeprefix("#") for link in page.links] == ["top", "one", "three"]
    assert set(page.ids) == {"top", "one", "three"}
    assert all(source.startswith("data:image/png;base64,") for source in page.sources) and len(page.sources) == 1
    assert "script" not in page.tags and "b" not in page.tags
    assert "prefers-color-scheme: dark" in text and "1.5 min, today" in text
    assert not re.search(r"https?://", text)


def test_html_in_tables_is_shown_not_executed() -> None:
    made = markdown_html("| a |\n|---|\n| <img src=x onerror=alert(1)> |\n")
    assert "<td>&lt;img src=x onerror=alert(1)&gt;</td>" in made


def committed(name: str, folder: str | None = None) -> dict[str, Any]:
    return json.loads((RESULTS / (folder or name) / "result.json").read_text(encoding="utf-8"))


def test_model_index_is_read_back_by_model_cards() -> None:
    results = {"retrieval": committed("clac-mini"), "meaning": committed("meaning")}
    entries = eval_results(results)
    retrieval = [entry for entry in entries if entry.task_name == "retrieval among 1,024 crystals"]
    assert len(retrieval) == 4 * 2 * 3
    scores = results["retrieval"]["scores"]["narrative"]["text_to_crystal"]
    first = next(entry for entry in retrieval if entry.metric_name == "text to crystal, top-1")
    assert (first.metric_value, first.dataset_split) == (round(scores["top_1"], 4), "test")
    data = ModelCardData(model_name="clac-mini", eval_results=entries)
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n")
    read = card.data.eval_results
    assert read is not None
    assert sorted(map(repr, read)) == sorted(map(repr, entries))
    assert eval_results({}) == []


def test_results_table_compares() -> None:
    table = results_table({"retrieval": committed("clac-mini"), "meaning": committed("meaning")})
    assert "| text → crystal among 1,024, narrative: top-1 |" in table
    assert "chance 0.0010" in table and "realistic queries" in table
    assert results_table({}) == "Not evaluated yet."


def test_commands_of_all_parts_are_valid() -> None:
    folder = Path("out")
    parts = report_parts(["--before", "random"], "encoder", "papers")
    assert len({own.name for own in parts}) == len(parts)
    assert sum(own.minutes for own in parts) <= 40
    for own in parts:
        module, *words = own.command("somewhere", folder)
        source = Path(ROOT, *module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        found = re.search(r"run_script\((\w+),", source)
        assert found is not None
        kind = getattr(__import__(module, fromlist=[found[1]]), found[1])
        arguments = parse_arguments(kind, words)
        place = str(folder / own.name)
        assert (arguments.output_dir == place) if own.data else (arguments.output == f"{place}/result.json")
        assert own.data or arguments.model == "somewhere"


def test_the_report_of_a_random_checkpoint(small_checkpoint, tmp_path) -> None:
    """A real part, in a process without a display."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "evaluation.report",
            "--model",
            small_checkpoint,
            "-o",
            tmp_path / "out",
            "--parts",
            "applications",
        ],
        cwd=ROOT,
        env={**environment, "MPLBACKEND": "TkAgg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "applications",
        "index.html",
        "model-card.md",
        "model-index.yaml",
        "results.json",
    }
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert page.open == [] and len(page.sources) == 1
    assert "own application" in (tmp_path / "out" / "model-card.md").read_text(encoding="utf-8")
    assert yaml.safe_load((tmp_path / "out" / "model-index.yaml").read_text(encoding="utf-8")) is None


def test_invalid_input(small_checkpoint, tmp_path) -> None:
    out = tmp_path / "out"
    for changes, reason in (
        ({"model": str(tmp_path / "nothing")}, "no such checkpoint directory"),
        ({"parts": ["nothing"]}, "--parts nothing: choose from retrieval, "),
        ({"include": [str(tmp_path)]}, r"no result\.json in it"),
    ):
        with pytest.raises(ClacInputError, match=reason):
            run(ReportArguments(**{"output_dir": str(out), "model": str(small_checkpoint), **changes}))
    assert not out.exists()


def test_checkpoints_with_one_tower_are_refused(small_checkpoint, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    checkpoint = tmp_path / "one-tower"
    shutil.copytree(small_checkpoint, checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    kept = {name: own for name, own in weights.items() if not name.startswith("graph_model.")}
    save_file(kept, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ClacInputError) as caught:
        run(ReportArguments(str(tmp_path / "out"), str(checkpoint)))
    assert "\n" not in str(caught.value) and "graph" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_damaged_results_are_named(parts, small_checkpoint, tmp_path) -> None:
    parts += [part("one")]
    run(ReportArguments(str(tmp_path / "out"), str(small_checkpoint)))
    (tmp_path / "out" / "one" / "result.json").write_text("{", encoding="utf-8")
    results = run(ReportArguments(str(tmp_path / "out"), str(small_checkpoint)))
    assert "not valid JSON" in results["problems"]["one"]
