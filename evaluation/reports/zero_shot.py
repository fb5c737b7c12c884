"""Reports of the zero-shot questions: tables in markdown, accuracies and calibration as figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evaluation.multiple_choice.replies import VIEWS
from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, figure_bytes, reliability_diagram
from evaluation.reports.tables import markdown_table
from modeling_clac.utils.atomic_files import json_bytes, write_files

WAY_LABELS = {
    "statement": "CLaC, statement",
    "wordings": "CLaC, wordings",
    "held_out_wordings": "CLaC, held-out wordings",
    "sentence_encoder": "sentence encoder, narrative",
    "text_only": "text only",
    "majority": "majority",
    "chance": "chance",
}
MODEL_WAYS = {"chat": "chat", "free": "free answer", "likelihood": "likelihood"}
# Palette of Okabe and Ito.
_STYLES = {
    "statement": ("#56B4E9", "^"),
    "wordings": ("#0072B2", "o"),
    "held_out_wordings": ("#009E73", "s"),
    "sentence_encoder": ("#D55E00", "D"),
    "majority": ("#E69F00", "|"),
}


def level_label(level: str) -> str:
    """Write a kind and difficulty such as `space_group, hard` in words; easy is left out."""
    return level.replace("_", " ").removesuffix(", easy")


def zero_shot_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind and difficulty: questions, then the accuracy of each way, balanced for CLaC."""
    ways = {**result["similarity"], **result["baselines"]}
    for level, own in result["similarity"]["wordings"]["levels"].items():
        yield (
            level_label(level),
            f"{own['questions']:,}",
            f"{own['accuracy']:.3f} [{own['interval'][0]:.3f}, {own['interval'][1]:.3f}]",
            f"{own['balanced_accuracy']:.3f} [{own['balanced_interval'][0]:.3f}, {own['balanced_interval'][1]:.3f}]",
            *(f"{ways[way]['levels'][level]['accuracy']:.3f}" for way in _others(ways)),
        )
    mean = result["similarity"]["wordings"]["mean"]
    yield "mean", f"{result['questions']:,}", f"{mean:.3f}", "", *(f"{ways[way]['mean']:.3f}" for way in _others(ways))


def _others(ways: dict[str, Any]) -> list[str]:
    return [way for way in WAY_LABELS if way in ways and way != "wordings"]


def language_model_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each language model and view, with the accuracy of CLaC on the same questions."""
    for own in result["language_models"]:
        yield (
            f"{own['model']}, {MODEL_WAYS[own['way']]}",
            VIEWS[own["view"]],
            f"{own['answered']:,} of {own['questions']:,}",
            f"{own['parse_failures']:,}",
            f"{own['too_long']:,}",
            f"{own['mean']:.3f}",
            f"{own['similarity']['mean']:.3f}",
        )


def zero_shot_markdown(result: dict[str, Any]) -> str:
    """Return the tables in markdown, with their caption and the command that produced them."""
    ways = {**result["similarity"], **result["baselines"]}
    header = ["questions", "number", "CLaC, wordings", "balanced", *(WAY_LABELS[way] for way in _others(ways))]
    blocks = [markdown_table(header, list(zero_shot_rows(result)))]
    if result["language_models"]:
        header = ["language model", "sees", "answered", "not readable", "too long", "mean accuracy", "CLaC on the same"]
        blocks.append(markdown_table(header, list(language_model_rows(result))))
    held_out = result["similarity"]["held_out_wordings"]["covered"]
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), {result['questions']:,} questions on "
        f"{result['crystals']:,} crystals of the split {result['split']}, seed {result['seed']}, commit "
        f"{result['commit'] or 'unknown'}. Accuracy, and balanced accuracy as the mean over the right statements, with "
        f"95 % bootstrap intervals over the questions. Centring and scale are chosen on "
        f"{result['chosen_on'] or 'no other split'}. {held_out:.0%} of the options have held-out wordings; the others "
        "keep their statement. Language models are not given questions on the composition; replies that cannot be read "
        "count as wrong."
    )
    return "\n\n".join([*blocks, caption, f"    {result['command']}", ""])


def print_zero_shot(result: dict[str, Any]) -> None:
    """Print the tables."""
    print(zero_shot_markdown(result))


def accuracy_figure(result: dict[str, Any]) -> Figure:
    """
    Draw the accuracy for each kind of question, with 95 % intervals, and chance as a line.

    Args:
        result: Result of `evaluation.zero_shot`.
    """
    ways = {**result["similarity"], **result["baselines"]}
    drawn = [way for way in _STYLES if way in ways]
    levels = list(ways["wordings"]["levels"])
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 0.9 + 0.3 * len(levels)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(levels))
        chance = [ways["chance"]["levels"][level]["accuracy"] for level in levels]
        axes.barh(places, chance, 0.8, color="0.9", label="chance")
        for step, way in enumerate(drawn):
            colour, marker = _STYLES[way]
            own = [ways[way]["levels"][level] for level in levels]
            values = np.array([entry["accuracy"] for entry in own])
            bounds = np.array([entry["interval"] for entry in own])
            axes.errorbar(
                values,
                places + 0.62 * ((step + 0.5) / len(drawn) - 0.5),
                xerr=np.maximum([values - bounds[:, 0], bounds[:, 1] - values], 0.0),
                linestyle="",
                color=colour,
                marker=marker,
                elinewidth=0.7,
                label=WAY_LABELS[way],
            )
        axes.set_yticks(places, [level_label(level) for level in levels])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.01)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel("accuracy")
        axes.grid(axis="x", color="0.85", linewidth=0.5)
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def calibration_figure(result: dict[str, Any]) -> Figure:
    """
    Draw how often the chosen option is right against its probability, with 95 % intervals.

    Args:
        result: Result of `evaluation.zero_shot`.
    """
    series = (
        (f"{WAY_LABELS[way]} (ECE {own['calibration']['ece']:.3f})", _STYLES[way], own["calibration"]["bins"])
        for way, own in result["similarity"].items()
    )
    return reliability_diagram(series, "probability of the chosen option", "share of right answers")


def write_zero_shot(result: dict[str, Any], path: Path) -> list[Path]:
    """
    Write a result with its table and figures.

    Args:
        result: Result of `evaluation.zero_shot`.
        path: File of the result; `table.md`, `zero-shot` and `calibration` (`.png`, `.svg`) go to its directory.

    Returns:
        The files.

    Raises:
        ClacInputError: If the files cannot be written.
    """
    contents = {path: json_bytes(result), path.with_name("table.md"): zero_shot_markdown(result).encode()}
    for name, figure in (("zero-shot", accuracy_figure(result)), ("calibration", calibration_figure(result))):
        contents |= {path.with_name(f"{name}.{kind}"): figure_bytes(figure, kind) for kind in ("png", "svg")}
    write_files(contents)
    return list(contents)
