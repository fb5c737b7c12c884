"""
Errors of the estimates of properties, and how often the true value lies within the stated error.

    python -m evaluation.estimates --split test --output evaluation/results/estimates/result.json
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

from evaluation.metrics.intervals import mean_interval
from evaluation.reports.figures import SETTINGS, write_report
from modeling_clac.data.facts.estimates import ESTIMATED, PropertyEstimator, bundled_estimator
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.provenance import provenance
from train.estimates import known_values, scores

# Properties with a logarithmic axis.
_LOGARITHMIC = (
    "bulk_modulus_vrh",
    "shear_modulus_vrh",
    "dielectric_electronic",
    "dielectric_total",
    "refractive_index",
)


@dataclass
class EstimatesEvaluationArguments:
    """Arguments of the evaluation of estimates."""

    split: str = field(default="validation", metadata={"help": "Split: validation or test."})
    alternatives: bool = field(
        default=False,
        metadata={"help": "Also train extra trees and gradient boosting on the same descriptors, for comparison."},
    )
    seed: int = field(default=0, metadata={"help": "Seed of the bootstrap and of the alternatives."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md, estimates.png and .svg go to the same directory."},
    )


def alternatives(estimator: PropertyEstimator, table: FactTable, seed: int) -> dict[str, dict[str, float]]:
    """
    Train tree ensembles on the descriptors of the estimator.

    Args:
        estimator: The estimator.
        table: Facts of the crystals to estimate.
        seed: Seed of the ensembles.

    Returns:
        Mean absolute error by property and method.
    """
    train = FactTable.bundled("train")
    inputs, own = estimator.standardised(train), estimator.standardised(table)
    recipe = estimator.record["recipe"]
    found: dict[str, dict[str, float]] = {}
    for name, how in ESTIMATED.items():
        values = known_values(train, name, recipe["alloys"], recipe["seed"])
        rows, gold = ~np.isnan(values), table.number(name)
        methods = {
            "extra trees": ExtraTreesRegressor(150, min_samples_leaf=2, max_features=0.4, random_state=seed),
            "gradient boosting": HistGradientBoostingRegressor(
                max_iter=250, learning_rate=0.05, max_leaf_nodes=15, l2_regularization=1.0, random_state=seed
            ),
        }
        found[name] = {}
        for method, model in methods.items():
            predicted = how.inverse(model.fit(inputs[rows], how.transform(values[rows])).predict(own))
            found[name][method] = float(np.nanmean(np.abs(np.maximum(predicted, how.least) - gold)))
    return found


def evaluate_estimates(
    estimates: Mapping[str, tuple[np.ndarray, np.ndarray]], table: FactTable, seed: int
) -> dict[str, dict[str, Any]]:
    """
    Compare estimates with the known values of a split.

    Args:
        estimates: By property values and errors, `(n,)`.
        table: Facts of the crystals.
        seed: Seed of the bootstrap.

    Returns:
        By property: see `scores`, with the 95 % `interval` of the mean absolute error and the error `mae_of_mean` that
        the mean of the training values would have.
    """
    train = FactTable.bundled("train")
    found = {}
    for name, (value, error) in estimates.items():
        gold = table.number(name)
        known = ~np.isnan(gold) & ~np.isnan(value)
        found[name] = {
            **scores(name, value, error, gold),
            "interval": mean_interval(np.abs(value - gold)[known], seed=seed),
            "mae_of_mean": float(np.abs(np.nanmean(train.number(name)) - gold[known]).mean()),
        }
    return found


def estimates_markdown(result: Mapping[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    others = list(next(iter(result["alternatives"].values()))) if result["alternatives"] else []
    header = ["property", "crystals", "MAE", "95 %", "MAE of the mean", "R²", "rank correlation", "coverage"]
    header += [f"MAE, {other}" for other in others]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for name, own in result["properties"].items():
        row = PROPERTIES[name]
        digits = 3 if row.decimals >= 2 else 1
        low, high = own["interval"]
        cells = [
            f"{row.label} ({row.unit})" if row.unit else row.label,
            f"{own['number']:,}",
            f"{own['mae']:.{digits}f}",
            f"{low:.{digits}f} to {high:.{digits}f}",
            f"{own['mae_of_mean']:.{digits}f}",
            *(f"{own[score]:.2f}" for score in ("r2", "rank_correlation", "coverage")),
        ]
        lines.append([*cells, *(f"{result['alternatives'][name][other]:.{digits}f}" for other in others)])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    caption = (
        f"Crystals of the split {result['split']} with a known value; the estimator was trained on other formulas "
        f"(commit {result['training']['commit']}). R² on the scale that is learnt, the logarithm of "
        "moduli and optical constants. Coverage: share of the values within the stated error, which should "
        f"be {result['training']['coverage']:.2f}. Commit {result['commit'] or 'unknown'}."
    )
    return f"{table}\n\n{caption}\n\n    {result['command']}\n"


def estimates_figure(estimates: Mapping[str, tuple[np.ndarray, np.ndarray]], table: FactTable) -> Figure:
    """
    Draw estimates against known values, one panel for each property.

    Args:
        estimates: By property values and errors, `(n,)`.
        table: Facts of the crystals.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.0, 6.6), layout="constrained")
        for panel, (name, (value, error)) in zip(figure.subplots(3, 3).flat, estimates.items(), strict=False):
            gold = table.number(name)
            known = ~np.isnan(gold) & ~np.isnan(value)
            gold, value, error = gold[known], value[known], error[known]
            if name in _LOGARITHMIC:
                panel.set_xscale("log")
                panel.set_yscale("log")
                for axis in (panel.xaxis, panel.yaxis):
                    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                    axis.set_major_formatter("{x:g}")
                    axis.set_minor_formatter(NullFormatter())
            panel.errorbar(
                gold, value, yerr=error, fmt="o", markersize=1.6, color="#0072B2", ecolor="#0072B233", elinewidth=0.5
            )
            ends = [float(min(gold.min(), value.min())), float(max(gold.max(), value.max()))]
            panel.plot(ends, ends, color="0.4", linestyle=":")
            panel.set_xlim(*ends)
            panel.set_ylim(*ends)
            row = PROPERTIES[name]
            panel.set_title(f"{row.label} ({row.unit})" if row.unit else row.label, loc="left")
        figure.supxlabel("known value")
        figure.supylabel("estimate")
    return figure


def run(arguments: EstimatesEvaluationArguments) -> dict[str, Any]:
    """
    Measure the estimates, print the table, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument is invalid. Nothing is written in that case.
    """
    if arguments.split not in ("validation", "test"):
        raise ClacInputError(f"--split {arguments.split}: choose validation or test")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    estimator, table = bundled_estimator(), FactTable.bundled(arguments.split)
    estimates = estimator.estimate(table)
    origin = provenance(asdict(arguments))
    result = {
        "split": arguments.split,
        "seed": arguments.seed,
        "training": estimator.record,
        "properties": evaluate_estimates(estimates, table, arguments.seed),
        "alternatives": alternatives(estimator, table, arguments.seed) if arguments.alternatives else {},
        "command": shlex.join(["python", "-m", "evaluation.estimates", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    markdown = estimates_markdown(result)
    print(markdown)
    if arguments.output is not None:
        figure = estimates_figure(estimates, table)
        for path in write_report(Path(arguments.output), result, markdown, figure, "estimates"):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(EstimatesEvaluationArguments, run)
