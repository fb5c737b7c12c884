"""
Train the estimates of properties that nobody has computed on the train split of the bundled crystals.

    python -m train.estimates

Writes `modeling_clac/assets/estimates`. The width of the kernel is fixed; the penalty of each property is chosen by
cross-validation within the train split, with all polymorphs of a formula in one fold. The validation split shows the
errors; the test split is not used, `python -m evaluation.estimates` measures the result on it.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Element
from safetensors.numpy import save
from scipy.stats import spearmanr
from sklearn.model_selection import GroupKFold
from sklearn.svm import SVR

from modeling_clac.data.bundled import bundled_counts
from modeling_clac.data.facts.estimates import (
    ESTIMATED,
    ESTIMATES,
    Estimated,
    PropertyEstimator,
    descriptors,
    is_alloy,
    kernel,
    values_and_errors,
)
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.utils.arguments import require_positive, run_script
from modeling_clac.utils.atomic_files import json_bytes, write_files
from modeling_clac.utils.provenance import provenance

# Share of the true values that lie within the stated error.
COVERAGE = 0.68
_FOLDS = 10
_PENALTIES = (3.0, 10.0, 30.0)
_INSENSITIVE = 0.05  # standard deviations
# Of pymatgen, the volume and the radius of an atom first, see `descriptors`.
_PROPERTIES = (
    "molar_volume",
    "atomic_radius",
    "atomic_radius_calculated",
    "average_ionic_radius",
    "X",
    "row",
    "group",
    "mendeleev_no",
    "ionization_energy",
    "electron_affinity",
    "atomic_mass",
    "melting_point",
    "boiling_point",
    "density_of_solid",
    "bulk_modulus",
    "velocity_of_sound",
    "thermal_conductivity",
)
_CM3_PER_MOL = 1.6605391  # Å³ per atom


@dataclass
class EstimatesArguments:
    """Arguments of the training of estimates."""

    width: float = field(default=0.5, metadata={"help": "Width of the kernel, divided by the number of descriptors."})
    alloys: int = field(
        default=300, metadata={"help": "Alloys of the train split that are added to the band gaps with the gap 0."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the choice of alloys."})
    output: str | None = field(default=None, metadata={"help": "File .safetensors. Default: that of the package."})


def element_properties() -> np.ndarray:
    """
    Read the properties of the elements from pymatgen.

    Returns:
        `(119, num_properties)`; unknown values are the medians of the elements. The last columns are the number of
        valence electrons and whether the element is a metal.
    """
    table = np.full((119, len(_PROPERTIES) + 2), np.nan)
    for number in range(1, 104):
        element = Element.from_Z(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values that are unknown
            values = [getattr(element, name, None) for name in _PROPERTIES]
        table[number, : len(values)] = [np.nan if value is None else float(value) for value in values]
        group, inner = element.group, element.is_lanthanoid or element.is_actinoid
        table[number, -2] = 3 if inner else group if group <= 12 else group - 10
        table[number, -1] = element.is_metal
    table[:, 0] *= _CM3_PER_MOL
    return np.where(np.isnan(table), np.nanmedian(table, axis=0), table)


def train_property(
    how: Estimated, matrix: np.ndarray, values: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, dict[str, Any]]:
    """
    Train the regressions of a property and of its error.

    Args:
        how: How the property is estimated.
        matrix: Kernel of the training crystals, `(n, n)`.
        values: Their values, `(n,)`.
        groups: Formula of each crystal; crystals of one formula stay in one fold.

    Returns:
        Weights `(n, 2)`, constants `(2,)`, the factor of the errors, and the chosen penalty with the cross-validated
        R² of the transformed values.
    """
    target = how.transform(values)
    center, scale = target.mean(), target.std()
    scaled = (target - center) / scale
    outside = {penalty: _out_of_fold(matrix, scaled, groups, penalty) for penalty in _PENALTIES}
    penalty = min(_PENALTIES, key=lambda own: float(((outside[own] - scaled) ** 2).mean()))
    residuals = np.abs(outside[penalty] - scaled)
    # Far below the usual error, the logarithm of an error is chance.
    log_errors = np.log(np.maximum(residuals, 0.1 * residuals.mean()))
    sizes = _out_of_fold(matrix, log_errors, groups, 1.0)
    value, error = values_and_errors(how, outside[penalty] * scale + center, sizes + np.log(scale), 1.0)
    factor = float(np.quantile(np.abs(value - values) / error, COVERAGE))
    of_value, of_error = _fit(matrix, scaled, penalty), _fit(matrix, log_errors, 1.0)
    return (
        np.stack([of_value[0] * scale, of_error[0]], axis=1),
        np.array([of_value[1] * scale + center, of_error[1] + np.log(scale)]),
        factor,
        {"penalty": penalty, "cross_validated_r2": float(1 - ((outside[penalty] - scaled) ** 2).mean())},
    )


def _fit(matrix: np.ndarray, target: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    model = SVR(kernel="precomputed", C=penalty, epsilon=_INSENSITIVE).fit(matrix, target)
    weights = np.zeros(len(target))
    weights[model.support_] = model.dual_coef_[0]
    return weights, float(model.intercept_[0])


def _out_of_fold(matrix: np.ndarray, target: np.ndarray, groups: np.ndarray, penalty: float) -> np.ndarray:
    predicted = np.empty(len(target))
    for fitted, held_out in GroupKFold(_FOLDS).split(matrix, groups=groups):
        weights, offset = _fit(matrix[np.ix_(fitted, fitted)], target[fitted], penalty)
        predicted[held_out] = matrix[np.ix_(held_out, fitted)] @ weights + offset
    return predicted


def known_values(table: FactTable, name: str, alloys: int = 0, seed: int = 0) -> np.ndarray:
    """
    Return the values of a property to learn from.

    Args:
        table: Facts of the training crystals.
        name: The property.
        alloys: Number of crystals of metals without a value that get the band gap 0: the source of the gaps has
            insulators only, and an estimator that never saw a metal would find a gap in each.
        seed: Seed of their choice.

    Returns:
        `(n,)`, NaN where unknown.
    """
    values = table.number(name).copy()
    if name == "band_gap" and alloys:
        rows = np.flatnonzero(is_alloy(table) & np.isnan(values))
        values[np.random.default_rng(seed).permutation(rows)[:alloys]] = 0.0
    return values


def scores(name: str, value: np.ndarray, error: np.ndarray, gold: np.ndarray) -> dict[str, Any]:
    """
    Compare estimates with known values.

    Args:
        name: The property.
        value: Estimates, `(n,)`.
        error: Their stated errors, `(n,)`.
        gold: Known values, `(n,)`.

    Returns:
        `number`, mean absolute error `mae`, `r2` on the scale that is learnt (the logarithm of moduli and optical
        constants), Spearman's `rank_correlation`, and `coverage`, the share of values
        within the stated error, over the crystals with a value and an estimate.
    """
    known = ~np.isnan(value) & ~np.isnan(gold)
    value, error, gold = value[known], error[known], gold[known]
    transform = ESTIMATED[name].transform
    misses, spread = transform(value) - transform(gold), transform(gold)
    return {
        "number": int(known.sum()),
        "mae": float(np.abs(value - gold).mean()),
        "r2": float(1 - (misses**2).mean() / spread.var()),
        "rank_correlation": float(spearmanr(value, gold).statistic),
        "coverage": float((np.abs(value - gold) <= error).mean()),
    }


def train(table: FactTable, arguments: EstimatesArguments) -> PropertyEstimator:
    """
    Train the estimator.

    Args:
        table: Facts of the training crystals.
        arguments: Width, number of alloys and seed.
    """
    elements = element_properties()
    values = {name: known_values(table, name, arguments.alloys, arguments.seed) for name in ESTIMATED}
    labelled = np.flatnonzero(~np.isnan(np.stack(list(values.values()))).all(axis=0))
    described = descriptors(table.take(labelled), elements)
    mean, scale = np.nanmean(described, axis=0), np.nanstd(described, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    empty = np.zeros((0, 0))
    estimator = PropertyEstimator(elements, mean, scale, empty, 0.0, empty, empty, empty, {})
    # Rounded as they are stored, so that the weights fit what is read.
    crystals = estimator.standardised(table.take(labelled)).astype(np.float16).astype(np.float64)
    gamma = arguments.width / crystals.shape[1]
    matrix = kernel(crystals, crystals, gamma)
    groups = np.array(table.table["formula"].to_pylist())[labelled]
    weights = np.zeros((len(labelled), 2 * len(ESTIMATED)))
    offsets, factors, chosen = np.zeros(2 * len(ESTIMATED)), np.zeros(len(ESTIMATED)), {}
    for place, (name, how) in enumerate(ESTIMATED.items()):
        own = values[name][labelled]
        rows = np.flatnonzero(~np.isnan(own))
        columns = slice(2 * place, 2 * place + 2)
        weights[rows, columns], offsets[columns], factors[place], chosen[name] = train_property(
            how, matrix[np.ix_(rows, rows)], own[rows], groups[rows]
        )
        chosen[name]["crystals"] = len(rows)
        print(f"{name}: {len(rows):,} crystals, {chosen[name]}")
    record = {"properties": list(ESTIMATED), "coverage": COVERAGE, "gamma": gamma, "training": chosen}
    return PropertyEstimator(elements, mean, scale, crystals, gamma, weights, offsets, factors, record)


def run(arguments: EstimatesArguments) -> None:
    """
    Train the estimates, print their errors on the validation split, and write them.

    Raises:
        ClacInputError: If an argument is out of range.
    """
    require_positive(arguments, "width")
    table, counts = FactTable.bundled(), bundled_counts()
    first, second = counts["train"], counts["train"] + counts["validation"]
    estimator = train(table.take(np.arange(first)), arguments)
    validation = table.take(np.arange(first, second))
    measured = {
        name: scores(name, value, error, validation.number(name))
        for name, (value, error) in estimator.estimate(validation).items()
    }
    for name, own in measured.items():
        print(f"{name} on validation: " + ", ".join(f"{score} {value:.3f}" for score, value in own.items()))
    origin = provenance({name: value for name, value in asdict(arguments).items() if name != "output"})
    record = {**estimator.record, "validation": measured, "recipe": origin["recipe"], "commit": origin["commit"]}
    arrays: dict[str, np.ndarray] = {
        "elements": estimator.elements.astype(np.float32),
        "mean": estimator.mean.astype(np.float32),
        "scale": estimator.scale.astype(np.float32),
        "crystals": estimator.crystals.astype(np.float16),
        "weights": estimator.weights.astype(np.float32),
        "offsets": estimator.offsets.astype(np.float32),
        "factors": estimator.factors.astype(np.float32),
    }
    path = Path(arguments.output) if arguments.output else ESTIMATES
    write_files({path: save(arrays), path.with_suffix(".json"): json_bytes(record)})
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    run_script(EstimatesArguments, run)
