"""
Cross-validation of fine-tuned text classifiers.

A test split of a hundred texts is too small to distinguish encoders. Cross-validation holds out every text of the
training and validation splits once. The test split is not scored.

    python -m evaluation.cross_validation train/recipes/pac-battery-masked.yaml --seeds 0 --output_dir runs/masked-folds
"""

from __future__ import annotations

import shlex
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.model_selection import StratifiedKFold

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_directory, write_json
from modeling_clac.utils.provenance import provenance
from train import finetune_pac
from train.finetune_pac import BASELINE, ClassifiedTexts, PacArguments, bag_of_words_scores, read_classified_texts
from train.finetuning.arguments import recipe_of

RESULT = "folds.json"


@dataclass
class CrossValidationArguments(PacArguments):
    """Arguments of fine-tuning for text classification, and the number of folds."""

    folds: int = field(default=5, metadata={"help": "Number of folds; each is held out once."})
    fold_seed: int = field(default=0, metadata={"help": "Seed of the assignment of texts to folds."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds < 3:
            raise ClacInputError(f"folds={self.folds}: expected 3 or more (test, validation and training folds)")
        if self.push_to_hub is not None:
            raise ClacInputError(
                "push_to_hub: models of cross-validation cannot be published; publish a model of train.finetune_pac"
            )


def fold_rows(labels: Sequence[int], folds: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """
    Split rows into stratified folds.

    Args:
        labels: Class of each row.
        folds: Number of folds.
        seed: Seed of the shuffling.

    Yields:
        For each fold, the rows of `test` (over all folds, each row once), `validation` (the test rows of the next
        fold) and `train` (all other rows).

    Raises:
        ClacInputError: If a class has fewer texts than there are folds.
    """
    counts = {label: labels.count(label) for label in set(labels)}
    rare, number = min(counts.items(), key=lambda item: item[1])
    if number < folds:
        raise ClacInputError(f"label {rare}: {number} texts are too few for folds={folds}; use fewer folds")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    parts = [held for _, held in splitter.split(np.zeros(len(labels)), np.asarray(labels))]
    for place, test in enumerate(parts):
        validation = parts[(place + 1) % folds]
        train = np.setdiff1d(np.arange(len(labels)), np.concatenate([test, validation]))
        yield {"train": train, "validation": validation, "test": test}


def _write_fold(fold: ClassifiedTexts, text_column: str, directory: Path) -> None:
    if not directory.exists():
        with replaced_directory(directory) as new:
            for split, rows in fold.splits.items():
                texts, labels = zip(*rows, strict=True)
                columns = {text_column: texts, "label": [fold.classes[label] for label in labels]}
                Dataset.from_dict(columns).to_parquet(str(new / f"{split}.parquet"))


def run(arguments: CrossValidationArguments) -> dict[str, Any]:
    """
    Fine-tune on each fold in `output_dir/fold-N`, and update `folds.json` after each.

    Returns:
        `folds`: for each fold the number of held-out texts, the scores of the encoder (means over the seeds) and of
        TF-IDF with logistic regression trained on all other texts; the `mean` and `std` over the folds of both; and
        the mean of their `difference` with its standard error, which assumes that folds are independent.

    Raises:
        ClacInputError: If arguments or data are invalid (see `train.finetune_pac`), or a class has too few texts.
    """
    data = read_classified_texts(arguments.dataset, arguments.text_column, arguments.limit)
    texts = data.splits["train"] + data.splits["validation"]
    output, found = Path(arguments.output_dir), []
    result: dict[str, Any] = {}
    for place, parts in enumerate(fold_rows([label for _, label in texts], arguments.folds, arguments.fold_seed)):
        fold = ClassifiedTexts(data.classes, {split: [texts[row] for row in rows] for split, rows in parts.items()})
        directory = output / f"fold-{place}"
        _write_fold(fold, arguments.text_column, directory / "data")
        own = replace(
            arguments,
            dataset=str(directory / "data"),
            output_dir=str(directory / "run"),
            limit=0,
            resume=arguments.resume and any((directory / "run").glob("seed-*")),
        )
        encoder = finetune_pac.run(own)["mean"]["test"]
        # The baseline has no epoch to select, so it also trains on the validation texts.
        baseline = bag_of_words_scores(fold, ("train", "validation"), ("test",))["test"]
        found.append({"texts": len(fold.splits["test"]), "encoder": encoder, "baseline": baseline})
        result = _result(arguments, found)
        write_json(result, output / RESULT)
    _print(result)
    return result


def _result(arguments: CrossValidationArguments, folds: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(folds[0]["baseline"])
    scores = {who: {name: [fold[who][name] for fold in folds] for name in names} for who in ("encoder", "baseline")}
    difference = {
        name: [own - other for own, other in zip(scores["encoder"][name], scores["baseline"][name], strict=True)]
        for name in names
    }
    return {
        "task": "pac-folds",
        "dataset": arguments.dataset_name,
        "encoder": arguments.encoder,
        "baseline": BASELINE,
        **provenance(recipe_of(arguments)),
        "command": shlex.join(["python", "-m", "evaluation.cross_validation", *sys.argv[1:]]),
        "folds": folds,
        "mean": {who: {name: statistics.fmean(values) for name, values in of.items()} for who, of in scores.items()},
        "std": {who: {name: _deviation(values) for name, values in of.items()} for who, of in scores.items()},
        "difference": {
            name: {"mean": statistics.fmean(values), "standard_error": _standard_error(values)}
            for name, values in difference.items()
        },
    }


def _deviation(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _standard_error(values: list[float]) -> float | None:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def _print(result: dict[str, Any]) -> None:
    table = Table(box=box.SIMPLE_HEAD, title=f"{len(result['folds'])} folds, mean ± standard deviation")
    table.add_column("")
    names = list(result["mean"]["encoder"])
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for who, label in (("encoder", result["encoder"]), ("baseline", result["baseline"])):
        cells = [f"{result['mean'][who][name]:.3f} ± {result['std'][who][name]:.3f}" for name in names]
        table.add_row(label, *cells)
    cells = [f"{of['mean']:+.3f} (s.e. {of['standard_error']:.3f})" for of in result["difference"].values()]
    table.add_row("difference", *cells)
    Console().print(table)


if __name__ == "__main__":
    run_script(CrossValidationArguments, run)
