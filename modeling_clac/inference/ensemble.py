"""Predictions of fine-tuned graph heads with intervals, from one head or an ensemble of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..crystal_clac import ReadingOptions
from ..data.graph_batches import parse_structures
from ..errors_clac import ClacInputError, ErrorPolicy
from ..heads_clac import ClacForGraphClassification, ClacForGraphRegression
from .checkpoints import Checkpoint
from .conformal import COVERAGE, Intervals, ValidationPredictions, combined, no_intervals
from .domain import CrystalDomain
from .predictor import load_finetuned, predict_crystals


@dataclass(frozen=True)
class PropertyEnsemble:
    """
    One fine-tuned head, or several for the same property whose predictions are averaged.

    Attributes:
        models: The heads: one classifier, or one or more regression heads.
        intervals: Prediction intervals, `None` if unknown.
        domain: Elements and packing of the training crystals, `None` if unknown.
        notes: One line for each thing the checkpoints lack.
    """

    models: Sequence[Any]
    intervals: Intervals | None
    domain: CrystalDomain | None
    notes: list[str]

    @classmethod
    def load(cls, checkpoints: Sequence[Checkpoint], coverage: float = COVERAGE) -> PropertyEnsemble:
        """
        Load the heads of an ensemble.

        Args:
            checkpoints: The checkpoints.
            coverage: Probability that an interval contains the true value.

        Raises:
            ClacInputError: If a checkpoint is not a head on the graph tower, a classifier is given together with
                others, the heads predict different properties, or the coverage is impossible.
        """
        models = [load_finetuned(entry, ClacForGraphRegression, ClacForGraphClassification) for entry in checkpoints]
        if len(models) > 1:
            targets = []
            for checkpoint, model in zip(checkpoints, models, strict=True):
                if not isinstance(model, ClacForGraphRegression):
                    raise ClacInputError(f"{checkpoint}: a classifier; an ensemble consists of regression heads")
                targets.append((model.config.target_name, model.config.target_unit))
                if targets[-1] != targets[0]:
                    raise ClacInputError(
                        f"{checkpoint}: predicts {_named(*targets[-1])}, but {checkpoints[0]} {_named(*targets[0])}; "
                        "combine heads of one property"
                    )
        elif isinstance(models[0], ClacForGraphClassification):
            return cls(models, None, None, [f"{checkpoints[0]}: a classifier, whose probabilities are not calibrated"])
        members = [ValidationPredictions.from_checkpoint(checkpoint) for checkpoint in checkpoints]
        notes = [
            no_intervals(checkpoint) for checkpoint, member in zip(checkpoints, members, strict=True) if member is None
        ]
        known = [member for member in members if member is not None]
        intervals = Intervals(known, coverage) if not notes else None
        return cls(models, intervals, known[0].domain if known else None, notes)

    @property
    def target(self) -> str | None:
        """Name of the predicted property."""
        return self.models[0].config.target_name

    @property
    def coverage(self) -> float | None:
        """Probability that an interval contains the true value, `None` without intervals."""
        return None if self.intervals is None else self.intervals.coverage

    @property
    def units(self) -> dict[str, str]:
        """Units of the predictions."""
        if isinstance(self.models[0], ClacForGraphClassification):
            return {"probability": "softmax over the labels, not calibrated"}
        return dict.fromkeys(("value", "low", "high", "spread"), self.models[0].config.target_unit or "unknown")

    def predict(self, structures: Any, errors: ErrorPolicy, options: ReadingOptions) -> dict[int, dict[str, Any]]:
        """
        Predict a property or the class of crystals.

        Args:
            structures: A structure or an iterable of structures, see [`parse_structure`].
            errors: What to do with invalid structures. Records those skipped.
            options: How to read the structures.

        Returns:
            Index in the input -> `value`, `low` and `high` (ends of the interval, `None` if unknown) and `spread`
            (standard deviation of the members, `None` for a single head), in `config.target_unit`; or `label` and
            `probability`; and `note`, one line on a crystal that is far from the training crystals, else `None`.

        Raises:
            InvalidStructureError: If a structure is invalid and the policy is `"raise"`.
        """
        # Every head needs the crystals, so they are read once.
        read = list(parse_structures(structures, errors=errors, options=options))
        places, names, crystals = [row[0] for row in read], [row[1] for row in read], [row[2] for row in read]
        if not read:
            return {}
        found = []
        for model in self.models:
            # A crystal may have no graph even though it can be read.
            own = ErrorPolicy(errors.on_error)
            predictions, skipped = predict_crystals(model, crystals, names, on_error=own, max_atoms=None)
            found.append(predictions)
            if model is self.models[0]:
                errors.skipped += [left_out._replace(place=places[left_out.place]) for left_out in skipped]
        kept = list(found[0])
        notes = {row: None if self.domain is None else self.domain.note(crystals[row]) for row in kept}
        if "label" in (found[0][kept[0]] if kept else {}):
            return {places[row]: {**found[0][row], "note": notes[row]} for row in kept}
        values, spread = combined(np.array([[own[row]["value"] for row in kept] for own in found]))
        widths = None if self.intervals is None else self.intervals.half_widths(spread)
        return {
            places[row]: {
                "value": float(values[column]),
                "low": None if widths is None else float(values[column] - widths[column]),
                "high": None if widths is None else float(values[column] + widths[column]),
                "spread": float(spread[column]) if len(self.models) > 1 else None,
                "note": notes[row],
            }
            for column, row in enumerate(kept)
        }


def _named(target: str | None, unit: str | None) -> str:
    return f"{target or 'an unnamed property'} in {unit or 'an unknown unit'}"


__all__ = ["PropertyEnsemble"]
