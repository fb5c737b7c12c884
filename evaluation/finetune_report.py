"""
Compares fine-tuned encoders: joins the `results.json` of several runs into one table and one figure.

    python -m evaluation.finetune_report --results runs/ner/clac/results.json runs/ner/scibert/results.json \\
        --output_dir evaluation/results/ner-matscholar

All results have to be of one task and one data set, scored alike; anything else is refused. Means and deviations are
computed anew from the runs.
"""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.reports.figures import figure_bytes
from evaluation.reports.finetuning import FIGURES, TYPE_PREFIX, entity_types, with_deviation
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import json_bytes, write_files

# By task: name of the metric in the results, and in tables.
METRICS = {
    "ner": {
        "micro_f1": "micro F1",
        "macro_f1": "macro F1",
        "micro_precision": "precision",
        "micro_recall": "recall",
        "accuracy": "accuracy",
    },
    "pac": {"accuracy": "accuracy", "macro_f1": "macro F1"},
    "property": {"mae": "MAE", "rmse": "RMSE", "r2": "R²"},
}
_ERRORS = ("mae", "rmse")  # in the unit of the target
# Of the recipe: what has to be equal for scores to be comparable.
_SAME = ("text_column", "ignore_types", "limit")


@dataclass
class ReportArguments:
    """Arguments of the report."""

    results: list[str] = field(metadata={"help": "Files results.json of train.finetune_*, in the order of the table."})
    output_dir: str = field(metadata={"help": "Where result.json, table.md and the figure go."})


def read_results(path: Path) -> dict[str, Any]:
    """
    One `results.json`, checked.

    Raises:
        ClacInputError: it cannot be read, or is no result of a fine-tuning.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClacInputError(f"{path}: cannot be read ({first_line(error)})") from None
    except ValueError as error:
        raise ClacInputError(f"{path}: not JSON ({error})") from None
    problem = _problem(result)
    if problem is not None:
        raise ClacInputError(f"{path}: not a results.json of train.finetune_ner, _pac or _property: {problem}")
    return result


def _problem(result: Any) -> str | None:
    """Why something is no result of a fine-tuning, in a few words."""
    if not isinstance(result, dict):
        return "it is no table of keys"
    missing = [key for key in ("task", "dataset", "encoder", "runs") if not result.get(key)]
    if missing:
        return f"{', '.join(missing)} missing"
    if result["task"] not in METRICS:
        return f"task is {result['task']!r}, not {', '.join(METRICS)}"
    if not isinstance(result["runs"], list) or not all(
        isinstance(run, dict) and "seed" in run for run in result["runs"]
    ):
        return "runs are no list of entries with a seed"
    seeds = [run["seed"] for run in result["runs"]]
    if len(set(seeds)) < len(seeds):
        return f"a seed is there twice ({', '.join(map(str, seeds))})"
    names = _metric_names(result["runs"][0])
    for run in result["runs"]:
        for split in HELD_OUT:
            scores = run.get(split)
            for name in METRICS[result["task"]]:
                if not isinstance(scores, dict) or not _is_number(scores.get(name)):
                    return f"seed {run['seed']} has no number {split}/{name}"
            for name, value in scores.items():
                if not _is_number(value):
                    return f"seed {run['seed']}: {split}/{name} is {value!r}, not a number"
        if _metric_names(run) != names:
            return f"seed {run['seed']} has other metrics than seed {seeds[0]}"
    if result["task"] == "property" and not _is_number(_baseline(result, "mean").get("mae")):
        return "baseline 'mean' missing, which the errors are compared with"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _metric_names(run: dict[str, Any]) -> dict[str, set[str]]:
    return {split: set(run.get(split) or {}) for split in HELD_OUT}


def _baseline(result: dict[str, Any], name: str) -> dict[str, Any]:
    return ((result.get("baselines") or {}).get(name) or {}).get("test") or {}


def join_results(paths: Sequence[Path]) -> dict[str, Any]:
    """
    The results of several encoders as one.

    Returns:
        `task`, `dataset`, `target`, `baselines`, `counts`, and `encoders`: a list with name, recipe, commit, command,
        seeds, runs, and `mean` and `std` (sample deviation, `None` of one run) by split and metric.

    Raises:
        ClacInputError: a file is none, two are of different tasks or data sets or were scored differently, or a name is
            there twice.
    """
    if not paths:
        raise ClacInputError("--results: give at least one results.json")
    results = [read_results(path) for path in paths]
    first = results[0]
    for path, result in zip(paths[1:], results[1:], strict=True):
        for name, (one, other) in _comparable(first, result).items():
            if one != other:
                raise ClacInputError(
                    f"{path}: {name} is {_short(other)}, but {_short(one)} in {paths[0]}; only results of one task and "
                    "one data set, scored alike, can be compared"
                )
    names = [result["encoder"] for result in results]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ClacInputError(
                f"{paths[place]}: encoder {name} is that of {paths[names.index(name)]}, too; give another `name` to one"
            )
    return {
        "task": first["task"],
        "dataset": first["dataset"],
        "target": first.get("target"),
        "encoders": [_encoder(result) for result in results],
        "baselines": first.get("baselines") or {},
        "counts": _rows(first),
    }


def _comparable(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> value in each of what has to be equal, the plainest first."""
    found = {name: (one.get(name), other.get(name)) for name in ("task", "dataset", "target")}
    for name in _SAME:
        found[f"recipe {name}"] = (one.get("recipe") or {}).get(name), (other.get("recipe") or {}).get(name)
    found["number of rows"] = _rows(one), _rows(other)
    for split in HELD_OUT:
        found[f"set of {split} metrics"] = sorted(one["runs"][0][split]), sorted(other["runs"][0][split])
    # Computed from the same rows by the same rule, so a difference means other rows or another column.
    found["baseline"] = _rounded(one.get("baselines") or {}), _rounded(other.get("baselines") or {})
    return found


def _rows(result: dict[str, Any]) -> dict[str, Any]:
    counts = result.get("counts") or {}
    return {split: counts[split] for split in ("train", *HELD_OUT) if split in counts}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(entry) for name, entry in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _encoder(result: dict[str, Any]) -> dict[str, Any]:
    runs = result["runs"]
    scores = {split: {name: [run[split][name] for run in runs] for name in runs[0][split]} for split in HELD_OUT}
    return {
        **{key: result.get(key) for key in ("encoder", "recipe", "commit", "command")},
        "seeds": [run["seed"] for run in runs],
        "runs": runs,
        "mean": {
            split: {name: statistics.fmean(values) for name, values in by_name.items()}
            for split, by_name in scores.items()
        },
        "std": {
            split: {name: statistics.stdev(values) if len(values) > 1 else None for name, values in by_name.items()}
            for split, by_name in scores.items()
        },
    }


def score_rows(report: dict[str, Any], split: str, metrics: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A row of text for each encoder and baseline: its name, then mean ± sd of every metric."""
    for entry in report["encoders"]:
        yield (entry["encoder"], *(_cell(entry, split, name) for name in metrics))
    for baseline, scores in report["baselines"].items():
        values = [(name, (scores.get(split) or {}).get(name)) for name in metrics]
        yield (
            f"{baseline} (baseline)",
            *("" if value is None else _score(name, value, None) for name, value in values),
        )


def type_rows(report: dict[str, Any], split: str) -> Iterator[tuple[str, ...]]:
    """A row of text for each entity type: its name, then mean ± sd of the F1 of every encoder."""
    for name in entity_types(report, split):
        yield (name, *(_cell(entry, split, f"{TYPE_PREFIX}{name}") for entry in report["encoders"]))


def _cell(entry: dict[str, Any], split: str, metric: str) -> str:
    return _score(metric, entry["mean"][split][metric], entry["std"][split][metric])


def _score(metric: str, mean: float, sd: float | None) -> str:
    """Shares with three decimals, errors with three digits: their size depends on the unit."""
    return with_deviation(mean, sd, 3 if metric in _ERRORS else 0)


def _header(report: dict[str, Any], metrics: Sequence[str]) -> list[str]:
    unit = (report["target"] or {}).get("unit")
    labels = METRICS[report["task"]]
    return [f"{labels[name]} / {unit}" if unit and name in _ERRORS else labels[name] for name in metrics]


def caption(report: dict[str, Any]) -> str:
    """What the numbers are of, in a few sentences."""
    encoders = report["encoders"]
    seeds = sorted({tuple(entry["seeds"]) for entry in encoders})
    commits = sorted({entry["commit"] or "unknown" for entry in encoders})
    rows = " / ".join(f"{number:,} {split}" for split, number in report["counts"].items())
    told = " or ".join(", ".join(map(str, entry)) for entry in seeds)
    target = report["target"]
    kind = (
        "Entities count when their type and both ends are right (seqeval, strict). " if report["task"] == "ner" else ""
    )
    ignored = (encoders[0]["recipe"] or {}).get("ignore_types")
    if ignored:
        kind += f"Not scored: {', '.join(ignored)}. "
    if target:
        kind += f"Target: {target['name']}. "
    return (
        f"Data set {report['dataset']}{f' ({rows} rows)' if rows else ''}; mean ± sample standard "
        f"deviation over the seeds {told}. The epoch is the best on validation; test was scored once. {kind}"
        f"Commit {', '.join(commits)}."
    )


def report_markdown(report: dict[str, Any]) -> str:
    """Tables in markdown: scores on test and validation, those of each entity type, caption, and the commands."""
    lines: list[str] = []
    metrics = list(METRICS[report["task"]])
    for split in reversed(HELD_OUT):
        rows = score_rows(report, split, metrics)
        lines += [*_markdown(["encoder", *_header(report, metrics)], rows, split.capitalize()), ""]
    if report["task"] == "ner":
        names = [entry["encoder"] for entry in report["encoders"]]
        for split in reversed(HELD_OUT):
            lines += [*_markdown(["type", *names], type_rows(report, split), f"F1 of each type, {split}"), ""]
    commands = [entry["command"] for entry in report["encoders"] if entry["command"]]
    lines += [caption(report), "", *(f"    {command}" for command in [*commands, report["command"]]), ""]
    return "\n".join(lines)


def _markdown(header: Sequence[str], rows: Iterator[tuple[str, ...]], title: str) -> list[str]:
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [f"{title}:", "", f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1), *body]


def print_report(report: dict[str, Any]) -> None:
    """Scores on test on the terminal, as many as fit, and the caption below."""
    metrics = [name for name in METRICS[report["task"]] if name not in ("micro_precision", "micro_recall")]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("encoder")
    for name in _header(report, metrics):
        table.add_column(name, justify="right", no_wrap=True)
    for row in score_rows(report, "test", metrics):
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(caption(report), markup=False, highlight=False)


def write_report(report: dict[str, Any], directory: Path) -> list[Path]:
    """
    Writes `result.json`, `table.md` and the figure of the task (PNG and SVG). All of it is made before the first file
    is written, and each file replaces its predecessor in one step.

    Raises:
        ClacInputError: the place cannot be written to.
    """
    name, draw = FIGURES[report["task"]]
    figure = draw(report)
    contents = {
        directory / "table.md": report_markdown(report).encode(),
        directory / f"{name}.png": figure_bytes(figure, "png"),
        directory / f"{name}.svg": figure_bytes(figure, "svg"),
        directory / "result.json": json_bytes(report),
    }
    write_files(contents)
    return list(contents)


def run(arguments: ReportArguments) -> dict[str, Any]:
    """
    Joins, writes and prints.

    Raises:
        ClacInputError: the results cannot be read or compared, or the place cannot be written to; then nothing is.
    """
    report = join_results([Path(path) for path in arguments.results])
    words = ["--results", *arguments.results, "--output_dir", arguments.output_dir]
    report["command"] = shlex.join(["python", "-m", "evaluation.finetune_report", *words])
    paths = write_report(report, Path(arguments.output_dir))
    print_report(report)
    for path in paths:
        print(f"wrote {path}")
    return report


if __name__ == "__main__":
    run_script(ReportArguments, run)
