"""
Comparison of fine-tuned encoders: join the `results.json` of several runs into one table and one figure.

    python -m evaluation.finetune_report --results runs/ner/clac/results.json runs/ner/scibert/results.json \\
        --output_dir evaluation/results/ner-matscholar

All results must come from the same task, data set and scoring; other combinations raise an error. Means and standard
deviations are recomputed from the runs.
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

# Task -> metric name in the results -> label in tables.
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
# Recipe settings that must be equal for scores to be comparable.
_SAME = ("text_column", "ignore_types", "limit")


@dataclass
class ReportArguments:
    """Arguments of the report."""

    results: list[str] = field(metadata={"help": "results.json files of train.finetune_*, in the order of the table."})
    output_dir: str = field(metadata={"help": "Directory for result.json, table.md and the figure."})


def read_results(path: Path) -> dict[str, Any]:
    """
    Read and validate a `results.json`.

    Raises:
        ClacInputError: If the file cannot be read or is not a result of fine-tuning.
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
    """Return why `result` is not a valid result of fine-tuning, in a few words, or `None` if it is valid."""
    if not isinstance(result, dict):
        return "expected a JSON object"
    missing = [key for key in ("task", "dataset", "encoder", "runs") if not result.get(key)]
    if missing:
        return f"missing {', '.join(missing)}"
    if result["task"] not in METRICS:
        return f"unknown task {result['task']!r}, expected {', '.join(METRICS)}"
    if not isinstance(result["runs"], list) or not all(
        isinstance(run, dict) and "seed" in run for run in result["runs"]
    ):
        return "runs: expected a list of objects with a seed"
    seeds = [run["seed"] for run in result["runs"]]
    if len(set(seeds)) < len(seeds):
        return f"duplicate seeds ({', '.join(map(str, seeds))})"
    names = _metric_names(result["runs"][0])
    for run in result["runs"]:
        for split in HELD_OUT:
            scores = run.get(split)
            for name in METRICS[result["task"]]:
                if not isinstance(scores, dict) or not _is_number(scores.get(name)):
                    return f"seed {run['seed']}: {split}/{name} is missing or not a number"
            for name, value in scores.items():
                if not _is_number(value):
                    return f"seed {run['seed']}: {split}/{name} is {value!r}, not a number"
        if _metric_names(run) != names:
            return f"seed {run['seed']} has different metrics from seed {seeds[0]}"
    if result["task"] == "property" and not _is_number(_baseline(result, "mean").get("mae")):
        return "missing baseline 'mean', which the errors are compared with"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _metric_names(run: dict[str, Any]) -> dict[str, set[str]]:
    return {split: set(run.get(split) or {}) for split in HELD_OUT}


def _baseline(result: dict[str, Any], name: str) -> dict[str, Any]:
    return ((result.get("baselines") or {}).get(name) or {}).get("test") or {}


def join_results(paths: Sequence[Path]) -> dict[str, Any]:
    """
    Join the results of several encoders.

    Args:
        paths: `results.json` files, in the order of the table.

    Returns:
        `task`, `dataset`, `target`, `baselines`, `counts`, and `encoders`: a list with name, recipe, commit, command,
        seeds, runs, and `mean` and `std` (sample standard deviation, `None` for a single run) by split and metric.

    Raises:
        ClacInputError: If a file is invalid, if the tasks, data sets or scoring of two files differ, or if two
            encoders have the same name.
    """
    if not paths:
        raise ClacInputError("--results: give at least one results.json")
    results = [read_results(path) for path in paths]
    first = results[0]
    for path, result in zip(paths[1:], results[1:], strict=True):
        for name, (one, other) in _comparable(first, result).items():
            if one != other:
                raise ClacInputError(
                    f"{path}: {name} is {_short(other)}, but {_short(one)} in {paths[0]}; compare only results with "
                    "the same task, data set and scoring"
                )
    names = [result["encoder"] for result in results]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ClacInputError(
                f"{paths[place]}: duplicate encoder {name} (first seen in {paths[names.index(name)]}); "
                "change the `name` of one"
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
    """Return the values that must be equal, by name; the most obvious difference comes first."""
    found = {name: (one.get(name), other.get(name)) for name in ("task", "dataset", "target")}
    for name in _SAME:
        found[f"recipe {name}"] = (one.get("recipe") or {}).get(name), (other.get("recipe") or {}).get(name)
    found["number of rows"] = _rows(one), _rows(other)
    for split in HELD_OUT:
        found[f"set of {split} metrics"] = sorted(one["runs"][0][split]), sorted(other["runs"][0][split])
    # Baselines are deterministic, so a difference means that rows or columns differ.
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
    """Yield a table row for each encoder and baseline: its name, then mean ± sd of each metric."""
    for entry in report["encoders"]:
        yield (entry["encoder"], *(_cell(entry, split, name) for name in metrics))
    for baseline, scores in report["baselines"].items():
        values = [(name, (scores.get(split) or {}).get(name)) for name in metrics]
        yield (
            f"{baseline} (baseline)",
            *("" if value is None else _score(name, value, None) for name, value in values),
        )


def type_rows(report: dict[str, Any], split: str) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each entity type: its name, then mean ± sd of the F1 score of each encoder."""
    for name in entity_types(report, split):
        yield (name, *(_cell(entry, split, f"{TYPE_PREFIX}{name}") for entry in report["encoders"]))


def _cell(entry: dict[str, Any], split: str, metric: str) -> str:
    return _score(metric, entry["mean"][split][metric], entry["std"][split][metric])


def _score(metric: str, mean: float, sd: float | None) -> str:
    """Format shares with three decimals, and errors, whose scale depends on the unit, with three significant digits."""
    return with_deviation(mean, sd, 3 if metric in _ERRORS else 0)


def _header(report: dict[str, Any], metrics: Sequence[str]) -> list[str]:
    unit = (report["target"] or {}).get("unit")
    labels = METRICS[report["task"]]
    return [f"{labels[name]} / {unit}" if unit and name in _ERRORS else labels[name] for name in metrics]


def caption(report: dict[str, Any]) -> str:
    """Describe the data set, seeds and scoring in a few sentences."""
    encoders = report["encoders"]
    seeds = sorted({tuple(entry["seeds"]) for entry in encoders})
    commits = sorted({entry["commit"] or "unknown" for entry in encoders})
    rows = " / ".join(f"{number:,} {split}" for split, number in report["counts"].items())
    seed_lists = " or ".join(", ".join(map(str, entry)) for entry in seeds)
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
        f"deviation over the seeds {seed_lists}. The epoch is the best on validation; test was scored once. {kind}"
        f"Commit {', '.join(commits)}."
    )


def report_markdown(report: dict[str, Any]) -> str:
    """Return markdown tables of the scores, overall and for each entity type, with the caption and the commands."""
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
    """Print the scores on the test split that fit on the terminal, and the caption."""
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
    Write `result.json`, `table.md` and the figure of the task (PNG and SVG).

    All contents are created before the first file is written, and each file is replaced atomically.

    Returns:
        The paths of the written files.

    Raises:
        ClacInputError: If the directory is not writable.
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
    Join the results, write the files and print the table.

    Raises:
        ClacInputError: If the results cannot be read or compared, or the directory is not writable. Nothing is
            written in that case.
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
