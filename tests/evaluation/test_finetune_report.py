"""Report on fine-tuned encoders, from synthetic results."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.projections.polar import PolarAxes

from evaluation.finetune_report import ReportArguments, join_results, report_markdown, run
from evaluation.reports.figures import COLUMN_WIDTH
from evaluation.reports.finetuning import FIGURES, with_deviation
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import ROOT

TYPES = {
    "matscholar": "MAT PRO DSC CMT SMT APL SPL".split(),
    "slots": (
        "anode_material cathode_material conductivity current_density degradation_rate device electrolyte_material "
        "fuel_used interlayer_material open_circuit_voltage power_density resistance support_material thickness "
        "time_of_operation voltage working_temperature"
    ).split(),
    "two": ["MAT", "PRO"],
}
BASELINES: dict[str, dict[str, Any]] = {
    "ner": {},
    "pac": {"TF-IDF + logistic regression": {"test": {"accuracy": 0.903, "macro_f1": 0.881}}},
    "property": {
        "mean": {"test": {"mae": 0.8, "rmse": 1.2, "r2": 0.0}},
        "random forest": {"test": {"mae": 0.2, "rmse": 0.4, "r2": 0.7}},
    },
}
FILES = {"ner": "entities", "pac": "abstracts", "property": "property"}


def result(task: str, encoder: str = "clac-mini", seeds: int = 3, types: str = "matscholar", **changed: Any) -> dict:
    draw = np.random.default_rng(sum(encoder.encode()))

    def scores() -> dict[str, float]:
        if task == "property":
            return {"mae": 0.3 + 0.02 * draw.random(), "rmse": 0.5, "r2": 0.7}
        found = {"accuracy": 0.9 + 0.05 * draw.random(), "macro_f1": 0.8 + 0.05 * draw.random()}
        if task == "ner":
            found |= {"micro_f1": 0.8 + 0.05 * draw.random(), "micro_precision": 0.8, "micro_recall": 0.8}
            found |= {f"f1/{name}": 0.6 + 0.3 * draw.random() for name in TYPES[types]}
        return found

    runs = [
        {"seed": seed, "best_epoch": 2, "train_seconds": 1.5, "validation": scores(), "test": scores()}
        for seed in range(seeds)
    ]
    return {
        "task": task,
        "dataset": f"runs/{task}",
        "target": {"name": "band_gap", "unit": "eV"} if task == "property" else None,
        "encoder": encoder,
        "recipe": {"text_column": "text", "ignore_types": ["device"]},
        "commit": "0123abc",
        "command": f"python -m train.finetune_{task} recipe.yaml",
        "seeds": list(range(seeds)),
        "runs": runs,
        # Wrong on purpose: the report computes its own means.
        "mean": {"test": {"accuracy": 7.0}},
        "std": {},
        "baselines": BASELINES[task],
        "counts": {"train": 1000, "validation": 100, "test": 200, "windows": 3},
        **changed,
    }


def write(directory: Path, *results: Any) -> list[str]:
    directory.mkdir(exist_ok=True)
    paths = [directory / f"results-{place}.json" for place in range(len(results))]
    for path, content in zip(paths, results, strict=True):
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return [str(path) for path in paths]


def make(tmp_path: Path, *results: Any) -> dict[str, Any]:
    return run(ReportArguments(write(tmp_path / "in", *results), str(tmp_path / "out")))


@pytest.mark.parametrize("task", FILES)
def test_files_and_their_numbers(task, tmp_path) -> None:
    given = [result(task), result(task, "SciBERT")]
    make(tmp_path, *given)
    names = {"result.json", "table.md", f"{FILES[task]}.png", f"{FILES[task]}.svg"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    joined = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    table = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    metric = {"ner": "micro_f1", "pac": "accuracy", "property": "mae"}[task]
    for one, entry in zip(given, joined["encoders"], strict=True):
        assert entry["runs"] == one["runs"] and entry["encoder"] == one["encoder"]
        for split in ("validation", "test"):
            values = [seed[split][metric] for seed in one["runs"]]
            mean, deviation = statistics.fmean(values), statistics.stdev(values)
            assert entry["mean"][split][metric] == pytest.approx(mean)
            assert entry["std"][split][metric] == pytest.approx(deviation)
            assert f"| {mean:.3f} ± {deviation:.3f} |" in table
        assert one["command"] in table
    assert "seeds 0, 1, 2" in table and "1,000 train / 100 validation / 200 test rows" in table and "0123abc" in table
    for name, scores in BASELINES[task].items():
        assert f"| {name} (baseline) | {scores['test'][metric]:.3f} |" in table
    # All rows of a table have the same number of cells as its header.
    for block in re.findall(r"((?:^\|.*\n)+)", table, flags=re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_every_type_has_a_row_in_both_splits(tmp_path) -> None:
    report = make(tmp_path, result("ner"), result("ner", "SciBERT"))
    table = report_markdown(report)
    for name in TYPES["matscholar"]:
        rows = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
        means = [f"{entry['mean']['test'][f'f1/{name}']:.3f} ±" for entry in report["encoders"]]
        assert len(rows) == 2 and all(mean in rows[0] for mean in means)
    assert "Not scored: device" in table


def test_one_seed_has_no_deviation(tmp_path) -> None:
    report = make(tmp_path, result("pac", seeds=1))
    assert report["encoders"][0]["std"]["test"]["accuracy"] is None
    assert "±" not in report_markdown(report).split("Data set")[0]


@pytest.mark.parametrize(
    ("mean", "sd", "digits", "text"),
    [
        (0.8421, 0.0042, 0, "0.842 ± 0.004"),
        (0.0123456, 0.0004, 3, "0.0123 ± 0.0004"),
        (123.4, 5.6, 3, "123 ± 6"),
        (0.5, None, 0, "0.500"),
        (0.0, 0.0, 3, "0.000 ± 0.000"),
    ],
)
def test_means_are_formatted_with_their_deviation(mean, sd, digits, text) -> None:
    assert with_deviation(mean, sd, digits) == text


def figure_of(task: str, *results: dict[str, Any], directory: Path) -> Any:
    return FIGURES[task][1](join_results([Path(path) for path in write(directory, *results)]))


@pytest.mark.parametrize("types", ["matscholar", "slots"])
def test_radar_draws_every_type_and_encoder(types, tmp_path) -> None:
    given = [result("ner", name, types=types) for name in ("clac-mini", "SciBERT", "MiniLM without crystals")]
    figure = figure_of("ner", *given, directory=tmp_path)
    (panel,) = figure.axes
    assert isinstance(panel, PolarAxes) and figure.get_figwidth() == COLUMN_WIDTH
    labels = [label.get_text().replace("\n", " ") for label in panel.get_xticklabels()]
    assert labels == [name.replace("_", " ") for name in TYPES[types]]
    for line, one in zip(panel.get_lines(), given, strict=True):
        means = [np.mean([seed["test"][f"f1/{name}"] for seed in one["runs"]]) for name in TYPES[types]]
        np.testing.assert_allclose(line.get_ydata(), [*means, means[0]])
    assert panel.get_ylim()[0] <= min(min(line.get_ydata()) for line in panel.get_lines()) and panel.get_ylim()[1] == 1
    (legend,) = figure.legends
    entries = [text.get_text() for text in legend.get_texts()]
    micro = [[seed["test"]["micro_f1"] for seed in one["runs"]] for one in given]
    assert entries == [
        f"{one['encoder']}, micro F1 {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
        for one, values in zip(given, micro, strict=True)
    ]
    # All labels are inside the figure and do not overlap.
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in panel.get_xticklabels()]
    for place, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, labels[place]
        assert not any(box.overlaps(other) for other in boxes[:place]), labels[place]
        assert not box.overlaps(legend.get_window_extent()), labels[place]


def test_two_entity_types_are_drawn_as_bars(tmp_path) -> None:
    (panel,) = figure_of("ner", result("ner", types="two"), directory=tmp_path).axes
    assert not isinstance(panel, PolarAxes) and panel.get_title(loc="left") == "micro F1"


def test_bars_of_abstracts_and_their_baseline(tmp_path) -> None:
    given = result("pac")
    figure = figure_of("pac", given, result("pac", "SciBERT"), directory=tmp_path)
    for panel, metric in zip(figure.axes, ("accuracy", "macro_f1"), strict=True):
        assert len(panel.patches) == 2 and panel.get_xlim() == (0, 1)
        assert panel.patches[0].get_width() == pytest.approx(np.mean([seed["test"][metric] for seed in given["runs"]]))
        baseline = BASELINES["pac"]["TF-IDF + logistic regression"]["test"][metric]
        assert any(list(line.get_xdata()) == [baseline, baseline] for line in panel.get_lines())
    (text,) = figure.legends[0].get_texts()
    assert text.get_text() == "TF-IDF + logistic regression (accuracy 0.903, macro F1 0.881)"


def test_errors_of_properties_are_shares_of_the_mean_predictor(tmp_path) -> None:
    given = result("property", "pre-trained")
    (panel,) = figure_of("property", given, result("property", "from scratch"), directory=tmp_path).axes
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["pre-trained", "from scratch", "random forest", "mean"]
    widths = [bar.get_width() for bar in panel.patches]
    assert widths[2:] == pytest.approx([0.25, 1.0])
    assert widths[0] == pytest.approx(np.mean([seed["test"]["mae"] for seed in given["runs"]]) / 0.8)
    assert "0.200 eV" in [text.get_text() for text in panel.texts]


@pytest.mark.parametrize("task", FILES)
def test_figures_are_reproducible_and_contain_text(task, tmp_path) -> None:
    make(tmp_path, result(task))
    svg = tmp_path / "out" / f"{FILES[task]}.svg"
    before = svg.read_bytes()
    make(tmp_path, result(task))
    assert svg.read_bytes() == before
    assert "clac-mini" in " ".join(ElementTree.fromstring(before).itertext())


def report_in_a_process(results: Path, output: Path) -> subprocess.CompletedProcess[str]:
    words = ["-m", "evaluation.finetune_report", "--results", str(results), "--output_dir", str(output)]
    environment = os.environ | {"CLAC_LAZY_IMPORT": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def test_another_process_writes_the_same_bytes(tmp_path) -> None:
    make(tmp_path, result("ner"))
    before = (tmp_path / "out" / "entities.svg").read_bytes()
    done = report_in_a_process(tmp_path / "in" / "results-0.json", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "entities.svg").read_bytes() == before


def without(task: str, name: str) -> dict[str, Any]:
    content = result(task)
    del content["runs"][1]["test"][name]
    return content


def spoilt(task: str, name: str, value: Any) -> dict[str, Any]:
    content = result(task)
    content["runs"][1]["test"][name] = value
    return content


UNREADABLE = [
    ("{", "not JSON"),
    ("[]", "expected a JSON object"),
    ({"task": "ner"}, "missing dataset, encoder, runs"),
    (result("pac") | {"task": "retrieval"}, "unknown task 'retrieval', expected ner, pac, property"),
    (result("pac", runs=[]), "missing runs"),
    (result("pac", runs=[3]), "runs: expected a list of objects with a seed"),
    (result("pac", runs=[*result("pac")["runs"], result("pac")["runs"][0]]), "duplicate seeds (0, 1, 2, 0)"),
    (without("pac", "accuracy"), "seed 1: test/accuracy is missing or not a number"),
    (without("ner", "f1/MAT"), "seed 1 has different metrics from seed 0"),
    (json.dumps(result("property", baselines={})), "missing baseline 'mean'"),
    (spoilt("pac", "macro_f1", float("nan")), "seed 1: test/macro_f1 is missing or not a number"),
    (spoilt("ner", "f1/MAT", None), "test/f1/MAT is None, not a number"),
]


@pytest.mark.parametrize(("content", "message"), UNREADABLE, ids=[message for _, message in UNREADABLE])
def test_invalid_results_are_one_line_errors(content, message, tmp_path) -> None:
    with pytest.raises(ClacInputError) as caught:
        make(tmp_path, content)
    assert message in str(caught.value) and "results-0.json" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


OTHERS = [
    (result("pac"), result("ner", "b"), "task is"),
    (result("pac"), result("pac", "b", dataset="runs/other"), 'dataset is "runs/other"'),
    (result("property"), result("property", "b", target={"name": "density", "unit": "g/cm³"}), "target is"),
    (result("pac"), result("pac", "b", recipe={"text_column": "text_masked"}), 'recipe text_column is "text_masked"'),
    (
        result("ner"),
        result("ner", "b", recipe={"text_column": "text", "ignore_types": []}),
        "recipe ignore_types is []",
    ),
    (result("pac"), result("pac", "b", counts={"train": 10, "validation": 100, "test": 200}), "number of rows is"),
    (result("ner"), result("ner", "b", types="two"), "set of validation metrics is"),
    (result("pac"), result("pac", "b", baselines={}), "baseline is {}"),
    (result("pac"), result("pac"), "duplicate encoder clac-mini (first seen in"),
]


@pytest.mark.parametrize(("one", "other", "message"), OTHERS, ids=[message for _, _, message in OTHERS])
def test_incomparable_results_are_errors(one, other, message, tmp_path) -> None:
    with pytest.raises(ClacInputError) as caught:
        make(tmp_path, one, other)
    assert message in str(caught.value) and "results-1.json" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_windows_may_differ(tmp_path) -> None:
    counts = {"train": 1000, "validation": 100, "test": 200, "windows": 7}
    assert len(make(tmp_path, result("ner"), result("ner", "b", counts=counts))["encoders"]) == 2


def test_errors_on_the_command_line_keep_existing_files(tmp_path, script) -> None:
    make(tmp_path, result("pac"))
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    words = ("--results", tmp_path / "none.json", "--output_dir", tmp_path / "out")
    done = script("evaluation.finetune_report", *words)
    assert done.code == 2 and done.err.startswith("error: ") and "cannot be read" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
