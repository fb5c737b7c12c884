"""
Fine-tune a graph tower to predict a property of crystals, or train the same architecture from scratch.

    python -m train.finetune_property train/recipes/property-bulk-modulus.yaml --output_dir runs/bulk-modulus
    python -m train.finetune_property train/recipes/property-bulk-modulus.yaml --pretrained false \\
        --output_dir runs/bulk-modulus-scratch
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor

from modeling_clac import ClacConfig, ClacForGraphRegression, ClacProcessor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import BUNDLED_CRYSTALS, HELD_OUT, SPLITS
from modeling_clac.data.graph_batches import graph_batches
from modeling_clac.errors_clac import ClacInputError, ErrorPolicy, check_on_error
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.conformal import UNCERTAINTY_FILE, ValidationPredictions
from modeling_clac.inference.domain import CrystalDomain
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import write_json
from modeling_clac.utils.paths import ASSETS
from train.finetuning.arguments import FinetuneArguments
from train.finetuning.labelled_data import load_splits
from train.finetuning.runs import finetune
from train.finetuning.trainer import Task


@dataclass
class PropertyArguments(FinetuneArguments):
    """Arguments for property prediction."""

    dataset: str = field(
        default=BUNDLED_CRYSTALS, metadata={"help": "Crystals with properties: a directory or Hub id."}
    )
    target: str = field(
        default="formation_energy_per_atom",
        metadata={"help": "Column of the property; rows without a value are left out."},
    )
    target_unit: str | None = field(
        default=None, metadata={"help": "Unit of the target, for the results and the model."}
    )
    pretrained: bool = field(
        default=True,
        metadata={"help": "Start from the weights of model; false: from new weights of the same architecture."},
    )
    on_error: str = field(default="raise", metadata={"help": "What to do with unusable crystals: raise or skip."})
    batch_size: int = field(default=32, metadata={"help": "Crystals per step."})
    learning_rate: float = field(default=5e-4, metadata={"help": "Peak learning rate of the last layer of the tower."})
    mixed_precision: str = field(
        default="no", metadata={"help": "bf16, no, or auto (bf16 if the hardware supports it)."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_on_error(self.on_error, ("raise", "skip"))


@dataclass
class Crystals:
    """
    Crystals as graphs, with the values of one property.

    Attributes:
        rows: For each split, the arrays of each graph and its value as `labels`.
        names: For each split, the names of the crystals.
        domain: Elements and packing of the training crystals.
        without_value: Number of rows without a value, which are left out.
        skipped: Number of unusable crystals, which are left out.
    """

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    domain: CrystalDomain | None = None
    without_value: int = 0
    skipped: int = 0

    def values(self, split: str) -> np.ndarray:
        """Values of a split, `(n,)`."""
        return np.array([row["labels"] for row in self.rows[split]])


def read_crystals(arguments: PropertyArguments, extractor: Any) -> Crystals:
    """
    Read the crystals that have a value of the target, as graphs.

    Args:
        arguments: Name the data set and the target.
        extractor: Feature extractor of the model.

    Raises:
        ClacInputError: A split or column is missing, a value is not a finite number, a split has no values, the values
            of train are all equal, or a crystal is unusable.
    """
    bundled = ASSETS / BUNDLED_CRYSTALS
    path = str(bundled) if arguments.dataset == BUNDLED_CRYSTALS else arguments.dataset
    splits = load_splits(path, ("cif", "material_id", arguments.target))
    found = Crystals()
    for split in SPLITS:
        rows = found.rows.setdefault(split, [])
        known, unknown, names, values = [], [], [], []
        table = splits[split]
        end = len(table)
        for row, (material_id, value) in enumerate(zip(table["material_id"], table[arguments.target], strict=True)):
            if value is None or (isinstance(value, float) and math.isnan(value)):
                unknown.append(row)
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ClacInputError(
                    f"{path}: {split}, {material_id}: {arguments.target} is {value!r}, expected a finite number; "
                    "correct or remove the value"
                )
            known.append(row)
            names.append(str(material_id))
            values.append(float(value))
        errors = ErrorPolicy(arguments.on_error)
        cifs = table.select(known)["cif"]
        places: list[int] = []
        crystals: list[Crystal] = []
        for batch in graph_batches(cifs, extractor, names, errors=errors):
            rows += [{**entry.graph, "labels": values[entry.place]} for entry in batch]
            places += [entry.place for entry in batch]
            crystals += [entry.crystal for entry in batch]
            if 0 < arguments.limit <= len(rows):
                del rows[arguments.limit :]
                end = known[places[arguments.limit - 1]]
                break
        found.without_value += sum(row < end for row in unknown)
        found.skipped += len(errors.skipped)
        if not rows:
            raise ClacInputError(
                f"{path}: {split}: no crystal has a value of {arguments.target}; choose another target"
            )
        found.names[split] = [names[place] for place in places[: len(rows)]]
        if split == "train":
            found.domain = CrystalDomain.of_crystals(crystals[: len(rows)])
    if not found.values("train").std() > 0:
        raise ClacInputError(f"{path}: train: all values of {arguments.target} are equal; choose another target")
    return found


def property_scores(gold: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """
    Compute `mae` and `rmse` in the unit of the target, and `r2` (0 if all true values are equal).

    Args:
        gold: True values, `(n,)`.
        predicted: Predicted values, `(n,)`.
    """
    errors = predicted.astype(np.float64) - gold
    spread = float(((gold - gold.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "r2": 1.0 - float((errors**2).sum()) / spread if spread else 0.0,
    }


def _fractions(rows: list[dict[str, Any]]) -> np.ndarray:
    """Compute the atomic fractions of the elements, `(n, 119)`."""
    counts = [np.bincount(row["atomic_numbers"], minlength=119) for row in rows]
    return np.array([own / own.sum() for own in counts])


def baseline_scores(data: Crystals) -> dict[str, dict[str, dict[str, float]]]:
    """Score two baselines: the mean of train, and a random forest on the atomic fractions."""
    gold = data.values("train")
    forest = RandomForestRegressor(n_estimators=200, random_state=0).fit(_fractions(data.rows["train"]), gold)
    found: dict[str, dict[str, dict[str, float]]] = {"mean": {}, "random forest": {}}
    for split in HELD_OUT:
        own = data.values(split)
        found["mean"][split] = property_scores(own, np.full(len(own), gold.mean()))
        found["random forest"][split] = property_scores(own, forest.predict(_fractions(data.rows[split])))
    return found


def load_graph_model(arguments: PropertyArguments, data: Crystals) -> ClacForGraphRegression:
    """Put a new head on the graph tower of a checkpoint or, without `pretrained`, on a new tower of the same size."""
    values = data.values("train")
    config = ClacConfig.from_pretrained(
        arguments.source,
        classifier_dropout=arguments.dropout,
        target_mean=float(values.mean()),
        target_std=float(values.std()),
        target_name=arguments.target,
        target_unit=arguments.target_unit,
    )
    if not arguments.pretrained:
        return ClacForGraphRegression(config)
    return ClacForGraphRegression.from_pretrained(arguments.source, config=config, dtype=torch.float32)


def write_uncertainty(model: ClacForGraphRegression, data: Crystals, collate: Any, directory: Path) -> None:
    """
    Write the predictions for the validation crystals, from which prediction intervals are computed.

    The epoch was chosen on the same crystals, so the intervals are slightly too narrow in principle; their coverage is
    measured on the test split by `evaluation.coverage`.

    Args:
        model: The trained model.
        data: The crystals.
        collate: Makes a batch from rows.
        directory: Directory of the saved model.
    """
    assert data.domain is not None
    rows = data.rows["validation"]
    model.eval()
    with torch.inference_mode():
        batches = [collate(rows[start : start + 64]) for start in range(0, len(rows), 64)]
        logits = [
            model(**{name: values.to(model.device) for name, values in batch.items()}).logits for batch in batches
        ]
    stored = ValidationPredictions(
        tuple(data.names["validation"]),
        data.values("validation"),
        torch.cat(logits).double().cpu().numpy(),
        data.domain,
    )
    write_json(stored.to_json(resolve_checkpoint(directory).fingerprint), directory / UNCERTAINTY_FILE)


def make_task(arguments: PropertyArguments) -> Task:
    """
    Read the data and describe the task.

    Raises:
        ClacInputError: The checkpoint has no graph tower, or the data is invalid.
    """
    checkpoint = resolve_checkpoint(arguments.source)
    checkpoint.require_towers("graph")
    processor = checkpoint.load(lambda: ClacProcessor.from_pretrained(checkpoint.source))
    extractor = processor.feature_extractor
    data = read_crystals(arguments, extractor)

    def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        # `labels` come first: Trainer takes the length of the first entry as the batch size.
        labels = torch.tensor([row["labels"] for row in rows], dtype=torch.float32)
        return {"labels": labels, **extractor.collate(rows)}

    return Task(
        kind="property",
        build=lambda: load_graph_model(arguments, data),
        processor=processor,
        splits=data.rows,
        collate=collate,
        lengths=None,
        score=lambda split, predicted, _labels: property_scores(data.values(split), predicted),
        choose=lambda metrics: -metrics["mae"],
        shown="mae",
        counts={
            **{split: len(rows) for split, rows in data.rows.items()},
            "without value": data.without_value,
            "skipped": data.skipped,
        },
        baselines=baseline_scores(data),
        target={"name": arguments.target, "unit": arguments.target_unit},
        finish=lambda model, directory: write_uncertainty(model, data, collate, directory),
    )


def run(arguments: PropertyArguments) -> dict[str, Any]:
    """Fine-tune every seed, see [`finetune`]."""
    return finetune(arguments, make_task)


if __name__ == "__main__":
    run_script(PropertyArguments, run)
