"""
Coverage of the prediction intervals of fine-tuned heads on test crystals, for each head and for their ensemble.

    python -m evaluation.coverage --runs runs/property-bulk-modulus runs/property-formation-energy \\
        --output evaluation/results/coverage/result.json
"""

from __future__ import annotations

import datetime
import json
import math
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evaluation.domain import share
from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report
from modeling_clac.data.bundled import BUNDLED_CRYSTALS
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.conformal import COVERAGE, Intervals, ValidationPredictions, combined, no_intervals
from modeling_clac.inference.predictor import predict_crystals
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance
from train.finetuning.labelled_data import load_splits
from train.finetuning.runs import RESULTS

LEVELS = (0.5, 0.6, 0.7, 0.8, COVERAGE, 0.95)
_STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
_NAMES = {"bulk_modulus_vrh": "bulk modulus", "formation_energy_per_atom": "formation energy"}


@dataclass
class CoverageArguments:
    """Arguments of the evaluation of intervals."""

    runs: list[str] = field(metadata={"help": "Directories of runs of train.finetune_property."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, coverage.png and .svg go to the same directory."},
    )


def evaluate_intervals(directory: Path) -> dict[str, Any]:
    """
    Measure the coverage of the heads of a run on its test crystals.

    Args:
        directory: Directory of the run.

    Returns:
        `target`, `unit`, `seeds`, the numbers of `validation` and `test` crystals, the `recipe` and `commit` of the
        run, and by name of a predictor (`seed 0`, ..., `ensemble`) its `mae` and its `levels`: nominal `coverage`,
        `covered` (share of test crystals, with `interval`), mean `width` and `median_width` of the intervals, in the
        unit of the target.

    Raises:
        ClacInputError: If the directory holds no run, or a head has no intervals.
    """
    try:
        result = json.loads((directory / RESULTS).read_text(encoding="utf-8"))
        recipe, seeds = result["recipe"], result["seeds"]
    except (OSError, ValueError, KeyError) as error:
        raise ClacInputError(f"{directory}: no run of train.finetune_property ({first_line(error)})") from None
    heads = [resolve_checkpoint(directory / f"seed-{seed}") for seed in seeds]
    members = []
    for head in heads:
        member = ValidationPredictions.from_checkpoint(head)
        if member is None:
            raise ClacInputError(no_intervals(head))
        members.append(member)
    dataset, target = recipe["dataset"], recipe["target"]
    path = str(ASSETS / BUNDLED_CRYSTALS) if dataset == BUNDLED_CRYSTALS else dataset
    table = load_splits(path, ("cif", target))["test"]
    values = np.array([math.nan if value is None else float(value) for value in table[target]])
    known = np.flatnonzero(np.isfinite(values))
    cifs = table.select(known.tolist())["cif"]
    predictions = []
    for head in heads:
        found, _ = predict_crystals(head, cifs)
        predictions.append([found[row]["value"] for row in range(len(known))])
    predicted, gold = np.array(predictions), values[known]
    groups = {f"seed {seed}": [row] for row, seed in enumerate(seeds)}
    if len(seeds) > 1:
        groups["ensemble"] = list(range(len(seeds)))
    return {
        "target": target,
        "unit": recipe["target_unit"],
        "seeds": seeds,
        "num_validation": len(members[0].gold),
        "num_test": len(gold),
        "recipe": recipe,
        "commit": result["commit"],
        "predictors": {
            name: _levels([members[row] for row in rows], predicted[rows], gold) for name, rows in groups.items()
        },
    }


def _levels(members: list[ValidationPredictions], predicted: np.ndarray, gold: np.ndarray) -> dict[str, Any]:
    center, spread = combined(predicted)
    levels = []
    for coverage in LEVELS:
        half = Intervals(members, coverage).half_widths(spread)
        covered = share((np.abs(gold - center) <= half).tolist())
        levels.append(
            {
                "coverage": coverage,
                "covered": covered["noted"],
                "interval": covered["interval"],
                "width": float(2 * half.mean()),
                "median_width": float(2 * np.median(half)),
            }
        )
    return {"mae": float(np.abs(gold - center).mean()), "levels": levels}


def coverage_markdown(result: dict[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    lines = [
        "| property | predictor | MAE | coverage of 90 % intervals | mean width | median width |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for run in result["runs"]:
        for name, scores in run["predictors"].items():
            (level,) = [entry for entry in scores["levels"] if entry["coverage"] == COVERAGE]
            low, high = level["interval"]
            lines.append(
                f"| {_named(run)} | {name} | {scores['mae']:.3g} | {level['covered']:.3f} [{low:.3f}, {high:.3f}] | "
                f"{level['width']:.3g} | {level['median_width']:.3g} |"
            )
    counts = "; ".join(
        f"{_NAMES.get(run['target'], run['target'])}: {run['num_validation']} validation and {run['num_test']} test "
        f"crystals, heads of commit {run['commit']}"
        for run in result["runs"]
    )
    caption = (
        f"Test split, commit {result['commit'] or 'unknown'}. In brackets: 95 % Wilson intervals over the test "
        f"crystals. {counts}. The intervals come from the errors on validation, where the epoch was also chosen."
    )
    return "\n".join([*lines, "", caption, "", f"    {result['command']}", ""])


def _named(run: dict[str, Any]) -> str:
    name = _NAMES.get(run["target"], run["target"])
    return f"{name}, {run['unit']}" if run["unit"] else name


def coverage_figure(result: dict[str, Any]) -> Figure:
    """Draw the measured against the nominal coverage of each run's last predictor, with 95 % intervals."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 3.1), layout="constrained")
        axes = figure.subplots()
        axes.plot([0.4, 1], [0.4, 1], color="0.4", linestyle=":", label="nominal")
        lines = [
            (f"{_NAMES.get(run['target'], run['target'])}, {name}", scores["levels"])
            for run in result["runs"]
            for name, scores in list(run["predictors"].items())[:: max(1, len(run["predictors"]) - 1)]
        ]
        for (label, levels), (colour, marker), shift in zip(
            lines, _STYLES * 2, np.linspace(-0.006, 0.006, len(lines)), strict=False
        ):
            measured = np.array([entry["covered"] for entry in levels])
            ends = np.array([entry["interval"] for entry in levels]).T
            axes.errorbar(
                [entry["coverage"] + shift for entry in levels],
                measured,
                yerr=np.abs(ends - measured),
                color=colour,
                marker=marker,
                elinewidth=0.8,
                capsize=1.5,
                label=label,
            )
        axes.set_xlabel("nominal coverage")
        axes.set_ylabel("test crystals within the interval")
        axes.set_xlim(0.45, 1)
        axes.set_ylim(0.4, 1)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.legend(loc="lower right", frameon=False)
    return figure


def run(arguments: CoverageArguments) -> dict[str, Any]:
    """
    Measure the coverage of all runs, print the table, and write it to `--output` if given.

    Raises:
        ClacInputError: If an argument or a run is invalid. Nothing is written in that case.
    """
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    origin = provenance(asdict(arguments))
    result = {
        "runs": [evaluate_intervals(Path(directory)) for directory in arguments.runs],
        "command": shlex.join(["python", "-m", "evaluation.coverage", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    table = coverage_markdown(result)
    print(table)
    if arguments.output is not None:
        for path in write_report(Path(arguments.output), result, table, coverage_figure(result), "coverage"):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(CoverageArguments, run)
