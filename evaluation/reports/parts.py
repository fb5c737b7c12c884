"""The parts of the report on a checkpoint: evaluations with their commands, and rough durations on two CPU cores."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.utils.atomic_files import write_json

RESULT, RECORD, TABLE, LOG = "result.json", "part.json", "table.md", "log.txt"
MODEL, FOLDER = "{model}", "{folder}"


@dataclass(frozen=True)
class Part:
    """
    A part of the report, which one command computes.

    Attributes:
        name: Folder of its files in the folder of the report.
        title: Heading.
        about: What the numbers mean, in a sentence or two.
        module: Module to run.
        words: Arguments. `{model}` stands for the checkpoint and `{folder}` for the folder of the report.
        minutes: Rough duration.
        package: Package that it needs, as `pip` names it, and as Python imports it.
        calibrated: Whether it needs a checkpoint with calibrated probabilities.
        data: Whether it only prepares data for other parts, and is not shown.
    """

    name: str
    title: str
    about: str
    module: str
    words: tuple[str, ...]
    minutes: float
    package: tuple[str, str] | None = None
    calibrated: bool = False
    data: bool = False

    def command(self, model: str, folder: Path) -> list[str]:
        """Return the arguments of `python -m`, for a checkpoint and the folder of the report."""
        named = {MODEL: model, FOLDER: str(folder)}
        words = [word.replace(FOLDER, named[FOLDER]) if word != MODEL else model for word in self.words]
        output = ["--output_dir", str(folder / self.name)] if self.data else self._output(folder)
        return [self.module, *words, *output]

    def _output(self, folder: Path) -> list[str]:
        return ["--output", str(folder / self.name / RESULT)]

    def hindrance(self, calibrated: bool) -> str | None:
        """Return why the part cannot be computed here, or `None`."""
        if self.package is not None and importlib.util.find_spec(self.package[1]) is None:
            return f"{self.package[0]} is not installed"
        if self.calibrated and not calibrated:
            return "the checkpoint has no calibrated probabilities"
        return None


def report_parts(
    before: Sequence[str] = (), sentence_encoder: str | None = None, paragraphs: str | None = None
) -> list[Part]:
    """
    List the parts in the order in which they are computed and shown.

    Args:
        before: Arguments that say what the checkpoint was trained from, see `evaluation.attention`.
        sentence_encoder: Plain sentence encoder, see `evaluation.zero_shot`.
        paragraphs: Paragraphs of papers, see `evaluation.retrieval_protocols`.
    """
    model = ("--model", MODEL)
    encoder = () if sentence_encoder is None else ("--sentence_encoder", sentence_encoder)
    papers = () if paragraphs is None else ("--paragraphs", paragraphs)
    return [
        Part(
            "retrieval",
            "Retrieval",
            "Which crystal a text describes, and which text describes a crystal, among the 1,024 test crystals.",
            "evaluation.retrieval",
            (*model, "--split", "test", "--pool", "1024"),
            2.5,
        ),
        Part(
            "retrieval-protocols",
            "Retrieval as other papers report it",
            "The same with pools of 512 and 1,024 crystals, and with texts of other origin.",
            "evaluation.retrieval_protocols",
            (*model, *papers),
            4,
        ),
        Part(
            "zero-shot",
            "Zero-shot questions",
            "Multiple-choice questions about test crystals, answered by similarity without any training on them.",
            "evaluation.zero_shot",
            (*model, *encoder),
            6,
        ),
        Part(
            "meaning",
            "Meaning of texts",
            "Realistic queries, held-out wordings and their conjunctions: the share of the possible precision@10.",
            "evaluation.meaning",
            (*model, "--split", "test", "--half", "frozen", "--ways", "embeddings,search"),
            4,
        ),
        Part(
            "applications",
            "Materials and applications",
            "Six materials against six applications; rings mark what was expected before the first run.",
            "evaluation.applications",
            model,
            1,
        ),
        Part(
            "applications-large",
            "Materials and applications, larger",
            "Forty test crystals against twenty uses of the vocabulary.",
            "evaluation.applications",
            (*model, "--large"),
            1,
        ),
        Part(
            "inverse-design",
            "Inverse design",
            "Texts that state target properties rank crystals with known values.",
            "evaluation.inverse_design",
            (*model, "--split", "test"),
            4,
        ),
        Part(
            "attention",
            "Attention",
            "Which tokens the text tower attends to, before and after training.",
            "evaluation.attention",
            (*model, *before),
            2,
        ),
        Part(
            "map",
            "Maps of the embeddings",
            "Crystals and their narratives in one plane, before and after training. The plane distorts distances; the "
            "table is measured in the full space.",
            "evaluation.embedding_map",
            (*model, *before),
            3,
            package=("umap-learn", "umap"),
        ),
        Part(
            "calibration",
            "Probabilities",
            "How often a crystal fits a text that is given this probability.",
            "evaluation.calibration",
            model,
            2,
            calibrated=True,
        ),
        Part(
            "domain",
            "Inputs outside the training domain",
            "Share of inputs that are marked as far from what the checkpoint was trained on.",
            "evaluation.domain",
            model,
            2,
            calibrated=True,
        ),
        Part(
            "benchmark-data",
            "Data of the open benchmark",
            "",
            "datasets_scripts.benchmark",
            (),
            2,
            data=True,
        ),
        Part(
            "open-benchmark",
            "The open benchmark",
            "Scores by the plain cosine on the data set on which other models can be scored.",
            "evaluation.open_benchmark",
            (*model, "--benchmark", f"{FOLDER}/benchmark-data"),
            5,
        ),
    ]


def is_finished(part: Part, folder: Path, command: Sequence[str], fingerprint: str) -> bool:
    """
    Whether the files of a part are those of this command and these weights.

    Args:
        part: The part.
        folder: Folder of the report.
        command: From `Part.command`.
        fingerprint: Fingerprint of the weights.
    """
    try:
        record = json.loads((folder / part.name / RECORD).read_text(encoding="utf-8"))
        same = record["command"] == list(command) and (part.data or record["fingerprint"] == fingerprint)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(same) and (folder / part.name / ("README.md" if part.data else RESULT)).is_file()


def record_part(part: Part, folder: Path, command: Sequence[str], fingerprint: str, seconds: float) -> None:
    """Note in the folder of a part what its files were computed with; see `is_finished`."""
    record = {"command": list(command), "fingerprint": fingerprint, "seconds": round(seconds, 1)}
    write_json(record, folder / part.name / RECORD)


@dataclass(frozen=True)
class PartResult:
    """
    What a folder of results holds.

    Attributes:
        name: Name of the folder.
        title: Heading.
        about: What the numbers mean.
        content: Content of `result.json`; `None` if there is none.
        table: Tables in markdown; empty if there are none.
        figures: PNG files.
        seconds: Duration; `None` if unknown.
        problem: Why it is missing or incomplete; `None` if it is not.
    """

    name: str
    title: str
    about: str
    content: dict[str, Any] | None
    table: str
    figures: tuple[Path, ...]
    seconds: float | None = None
    problem: str | None = None


def read_part(directory: Path, title: str | None = None, about: str = "", problem: str | None = None) -> PartResult:
    """
    Read a folder of results; a folder that does not exist gives an empty result.

    Args:
        directory: Folder with `result.json`, `table.md` and figures.
        title: Heading. Default: the name of the folder.
        about: What the numbers mean.
        problem: Why the part is missing or incomplete.

    Raises:
        ClacInputError: If `result.json` is damaged.
    """
    content, seconds, table = None, None, ""
    for name in (RESULT, RECORD):
        file = directory / name
        if not file.is_file():
            continue
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ClacInputError(f"{file}: not valid JSON ({first_line(error)}); delete it and run again") from None
        if name == RESULT:
            content = found
        else:
            seconds = found.get("seconds")
    if content is not None and (directory / TABLE).is_file():
        table = (directory / TABLE).read_text(encoding="utf-8")
    figures = tuple(sorted(directory.glob("*.png"))) if content is not None else ()
    return PartResult(directory.name, title or directory.name, about, content, table, figures, seconds, problem)


__all__ = [
    "LOG",
    "RESULT",
    "Part",
    "PartResult",
    "is_finished",
    "read_part",
    "record_part",
    "report_parts",
]
