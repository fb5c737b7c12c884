"""
All evaluations of a checkpoint, and a page that shows them.

    python -m evaluation.report --model runs/clac-mini/best -o report/

Each part runs as a process of its own and keeps its files in a folder. The same command continues after an interruption
and computes only what is missing. A part that fails is named, and the others go on. The page `index.html` needs no
other file; `results.json` has all numbers; `model-card.md` and `model-index.yaml` are for the card of the checkpoint.
"""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from huggingface_hub import ModelCardData

from evaluation.reports.model_index import eval_results, results_table
from evaluation.reports.page import report_page
from evaluation.reports.parts import (
    LOG,
    RESULT,
    Part,
    PartResult,
    is_finished,
    read_part,
    record_part,
    report_parts,
)
from modeling_clac.errors_clac import ClacInputError, one_line
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import json_bytes, only_writer, write_files
from modeling_clac.utils.paths import DEFAULT_MODEL
from modeling_clac.utils.provenance import git_commit

PAGE = "index.html"


@dataclass
class ReportArguments:
    """Arguments of the report."""

    output_dir: str = field(
        default="report", metadata={"help": "Directory for the page and the folders of the parts.", "aliases": ["-o"]}
    )
    model: str = field(default=DEFAULT_MODEL.name, metadata={"help": "Checkpoint: a directory or a Hub id."})
    before: str = field(
        default="random",
        metadata={
            "help": "Text encoder that the checkpoint was trained from (directory or Hub id), for attention and maps "
            "before training; random: random weights."
        },
    )
    before_layers: str | None = field(
        default=None, metadata={"help": "Its layers in the text tower, such as `0,2,4`. Default: all."}
    )
    sentence_encoder: str | None = field(
        default=None, metadata={"help": "Directory or Hub id of a plain sentence encoder to compare with."}
    )
    paragraphs: str | None = field(
        default=None, metadata={"help": "Data set of datasets_scripts.literature, for paragraphs of papers as queries."}
    )
    parts: list[str] = field(default_factory=list, metadata={"help": "Compute only these parts. Default: all."})
    include: list[str] = field(
        default_factory=list,
        metadata={"help": "Also show these folders, with result.json, table.md and figures of other evaluations."},
    )
    page_only: bool = field(default=False, metadata={"help": "Compute nothing; write the page from what is there."})


def run_part(part: Part, command: Sequence[str], folder: Path) -> str | None:
    """
    Run the command of a part, with its output in `log.txt`.

    Args:
        part: The part.
        command: Arguments of `python -m`.
        folder: Folder of the report.

    Returns:
        Why it failed, in one line, or `None`.
    """
    own = folder / part.name
    # Files of other weights or other arguments; what a failing part computes itself is kept.
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    with (own / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=log,
            stderr=subprocess.STDOUT,
            # Figures are files, so a missing display does not matter.
            env={**os.environ, "MPLBACKEND": "agg", "PYTHONUNBUFFERED": "1"},
        )
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status == 0:
        return None
    lines = (own / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    # Output that was buffered may follow the message.
    errors = [line for line in lines if line.startswith("error: ")] or lines[-1:]
    reason = one_line(errors[-1]) if errors else f"ended with status {status}"
    return f"{reason.removeprefix('error: ')} (see {own / LOG})"


def compute(
    parts: Sequence[Part], checkpoint: Checkpoint, model: str, folder: Path
) -> Iterator[tuple[Part, str, bool]]:
    """
    Compute the parts that are missing, and print which.

    Args:
        parts: The parts.
        checkpoint: The checkpoint.
        model: Its name on the command line.
        folder: Folder of the report.

    Yields:
        Each part that is not complete, why, and whether it failed; parts that cannot be computed here did not.
    """
    calibrated = checkpoint.file("calibration.json") is not None
    fingerprint = checkpoint.fingerprint
    commands = {part.name: part.command(model, folder) for part in parts}
    missing = [part for part in parts if not is_finished(part, folder, commands[part.name], fingerprint)]
    if len(missing) < len(parts):
        print(f"{len(parts) - len(missing)} of {len(parts)} parts are already finished")
    left = sum(part.minutes for part in missing if part.hindrance(calibrated) is None)
    for part in missing:
        hindrance = part.hindrance(calibrated)
        if hindrance is not None:
            print(f"{part.name}: left out, {hindrance}")
            yield part, f"left out, {hindrance}", False
            continue
        print(f"{part.name}: about {part.minutes:g} min, {left:g} min for all", flush=True)
        left -= part.minutes
        started = time.monotonic()
        problem = run_part(part, commands[part.name], folder)
        if problem is None:
            record_part(part, folder, commands[part.name], fingerprint, time.monotonic() - started)
        else:
            print(f"{part.name}: failed, {problem}", flush=True)
            yield part, f"failed, {problem}", True


def read_results(
    parts: Sequence[Part], folder: Path, include: Sequence[Path] = (), problems: Mapping[str, str] | None = None
) -> list[PartResult]:
    """
    Read what the folders hold.

    Args:
        parts: The parts of the report.
        folder: Folder of the report.
        include: Folders of other results.
        problems: Why parts are missing or incomplete, by name.

    Returns:
        The parts to show. A folder whose result is damaged is empty and says so.
    """
    found = []
    folders = [(folder / part.name, part.title, part.about) for part in parts if not part.data]
    folders += [(own, own.name.replace("-", " ").capitalize(), "") for own in include]
    for own, title, about in folders:
        try:
            found.append(read_part(own, title, about, (problems or {}).get(own.name)))
        except ClacInputError as error:
            found.append(PartResult(own.name, title, about, None, "", (), problem=str(error)))
    return found


def page_of(shown: Sequence[PartResult]) -> str:
    """
    Make the page of some results, with a summary of them.

    Args:
        shown: Parts to show.
    """
    contents = _contents(shown)
    models = {(own["model"], own["fingerprint"]) for own in contents.values() if own.get("fingerprint")}
    named = ", ".join(f"{model} (weights `{fingerprint}`)" for model, fingerprint in sorted(models))
    summary = f"{named}. Each part names its own command, seed and commit.\n\n{results_table(contents)}"
    title = f"Evaluation of {', '.join(sorted({model for model, _ in models}))}" if models else "Evaluation"
    return report_page(title, summary if models else "Nothing is computed yet.", shown)


def stored_page(folder: Path, include: Sequence[Path] = ()) -> str:
    """
    Make the page of results that are already computed.

    Args:
        folder: Folder of a report.
        include: Folders of other results; those that do not exist are left out.
    """
    return page_of(read_results(report_parts(), folder, [own for own in include if (own / RESULT).is_file()]))


def _contents(shown: Sequence[PartResult]) -> dict[str, dict[str, Any]]:
    return {part.name: part.content for part in shown if part.content is not None}


def write_outputs(shown: Sequence[PartResult], checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """
    Write the page, `results.json`, `model-card.md` and `model-index.yaml`.

    Args:
        shown: Parts to show.
        checkpoint: The checkpoint.
        folder: Folder of the report.

    Returns:
        The content of `results.json`.
    """
    contents = _contents(shown)
    entries = eval_results(contents)
    results = {
        "model": checkpoint.name,
        "fingerprint": checkpoint.fingerprint,
        "commit": git_commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "problems": {part.name: part.problem for part in shown if part.problem is not None},
        "parts": contents,
    }
    index = ModelCardData(model_name=checkpoint.name, eval_results=entries).to_yaml() if entries else ""
    write_files(
        {
            folder / PAGE: page_of(shown).encode(),
            folder / "results.json": json_bytes(results),
            folder / "model-card.md": f"{results_table(contents)}\n".encode(),
            folder / "model-index.yaml": f"{index}\n".encode(),
        }
    )
    return results


@contextmanager
def _interrupted_by_terminate() -> Iterator[None]:
    """Let SIGTERM end the part that runs, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def run(arguments: ReportArguments) -> dict[str, Any]:
    """
    Compute the missing parts and write the page.

    Raises:
        ClacInputError: If an argument or the checkpoint is invalid; nothing is written in that case. If a part fails,
            the report has the others before the error is raised.
    """
    before = ["--before", arguments.before]
    if arguments.before_layers is not None:
        before += ["--before_layers", arguments.before_layers]
    every = report_parts(before, arguments.sentence_encoder, arguments.paragraphs)
    unknown = sorted(set(arguments.parts) - {part.name for part in every})
    if unknown:
        raise ClacInputError(f"--parts {unknown[0]}: choose from {', '.join(part.name for part in every)}")
    for own in arguments.include:
        if not (Path(own) / RESULT).is_file():
            raise ClacInputError(f"--include {own}: no {RESULT} in it; give folders of results")
    checkpoint = resolve_checkpoint(arguments.model)
    checkpoint.require_whole()
    folder = Path(arguments.output_dir)
    chosen = [part for part in every if not arguments.parts or part.name in arguments.parts]
    problems: dict[str, str] = {}
    failed: list[str] = []
    stopped = False
    with only_writer(folder, "--output_dir"), _interrupted_by_terminate():
        try:
            todo = [] if arguments.page_only else chosen
            for part, problem, has_failed in compute(todo, checkpoint, arguments.model, folder):
                problems[part.name] = problem
                failed += [part.name] if has_failed else []
        except KeyboardInterrupt:
            stopped = True
        shown = read_results(every, folder, [Path(own) for own in arguments.include], problems)
        results = write_outputs(shown, checkpoint, folder)
    print(f"wrote {folder / PAGE}, results.json, model-card.md and model-index.yaml")
    if stopped:
        raise ClacInputError("stopped; run the same command again to continue")
    if failed:
        raise ClacInputError(f"{len(failed)} of {len(chosen)} parts failed: {', '.join(failed)}")
    return results


if __name__ == "__main__":
    run_script(ReportArguments, run)
