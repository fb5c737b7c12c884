"""
Prediction intervals of fine-tuned regression heads, by split conformal prediction.

A head is stored with its predictions for the validation crystals. For crystals like these, the interval of a new
prediction contains the true value with the stated probability, whatever the distribution of the errors (Vovk, Gammerman
and Shafer, "Algorithmic Learning in a Random World", 2005; Lei et al., doi 10.1080/01621459.2017.1307116).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors_clac import ClacInputError, first_line
from .checkpoints import Checkpoint
from .domain import CrystalDomain

UNCERTAINTY_FILE = "uncertainty.json"
# Probability that an interval contains the true value.
COVERAGE = 0.9


@dataclass(frozen=True)
class ValidationPredictions:
    """
    Predictions of a head for its validation crystals.

    Attributes:
        names: Names of the crystals.
        gold: True values, `(num_crystals,)`.
        predicted: Predicted values, `(num_crystals,)`, in the same unit.
        domain: Elements and packing of the training crystals.
    """

    names: tuple[str, ...]
    gold: np.ndarray
    predicted: np.ndarray
    domain: CrystalDomain

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> ValidationPredictions | None:
        """
        Load the predictions stored with a checkpoint.

        Args:
            checkpoint: The checkpoint.

        Returns:
            The predictions, or `None` if the checkpoint has none, or those of other weights.

        Raises:
            ClacInputError: If the file is damaged.
        """
        file = checkpoint.file(UNCERTAINTY_FILE)
        if file is None:
            return None
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["fingerprint"] != checkpoint.fingerprint:
                return None
            rows = content["validation"]
            names, gold, predicted = (rows[column] for column in ("names", "gold", "predicted"))
            values = np.array([gold, predicted], dtype=np.float64)
            if values.shape != (2, len(names)) or not np.isfinite(values).all() or not names:
                raise ValueError("the columns of validation do not fit each other")
            domain = CrystalDomain.from_json(content["crystals"])
            return cls(tuple(map(str, names)), values[0], values[1], domain)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClacInputError(
                f"{file}: damaged ({first_line(error)}); fine-tune the head again, or delete the file"
            ) from None

    def to_json(self, fingerprint: str) -> dict[str, Any]:
        """
        Return the content of `uncertainty.json`.

        Args:
            fingerprint: Fingerprint of the weights.
        """
        rows = {"names": list(self.names), "gold": self.gold.tolist(), "predicted": self.predicted.tolist()}
        return {"fingerprint": fingerprint, "crystals": self.domain.to_json(), "validation": rows}


@dataclass(frozen=True)
class Intervals:
    """
    Prediction intervals of one head or an ensemble of several.

    The half-width is q for a single head, and q·(s + s0) for an ensemble whose predictions have the standard deviation
    s. s0, the mean of s over the validation crystals, keeps the interval wide where all members agree by chance. q is
    the conformal quantile of the residuals of the validation crystals, divided by s + s0 for an ensemble.

    Attributes:
        members: Validation predictions of each head, for the same crystals.
        coverage: Probability that the interval contains the true value.

    Raises:
        ClacInputError: If the coverage is not between 0 and 1, the heads were validated on different crystals, or there
            are too few crystals for the coverage.
    """

    members: Sequence[ValidationPredictions]
    coverage: float = COVERAGE

    def __post_init__(self) -> None:
        if not 0.0 < self.coverage < 1.0:
            raise ClacInputError(f"coverage {self.coverage:g}: must be between 0 and 1, such as {COVERAGE}")
        first = self.members[0]
        for member in self.members[1:]:
            if member.names != first.names or not np.array_equal(member.gold, first.gold):
                raise ClacInputError(
                    "the models were validated on different crystals or properties; combine heads that were fine-tuned "
                    "on the same data"
                )
        if not math.isfinite(self.quantile):
            raise ClacInputError(
                f"coverage {self.coverage:g}: too high for {len(first.names)} validation crystals; at most "
                f"{len(first.names) / (len(first.names) + 1):.3g}"
            )

    @property
    def quantile(self) -> float:
        """The conformal quantile q."""
        center, spread = combined(self._predicted)
        return conformal_quantile(np.abs(self.members[0].gold - center) / self._scale(spread), self.coverage)

    def half_widths(self, spread: np.ndarray) -> np.ndarray:
        """
        Compute the half-widths of intervals.

        Args:
            spread: Standard deviation of the members' predictions, `(num_crystals,)`; zeros for a single head.

        Returns:
            `(num_crystals,)`, in the unit of the property.
        """
        return self.quantile * self._scale(spread)

    @property
    def _predicted(self) -> np.ndarray:
        return np.stack([member.predicted for member in self.members])

    def _scale(self, spread: np.ndarray) -> np.ndarray:
        if len(self.members) == 1:
            return np.ones_like(spread)
        return spread + combined(self._predicted)[1].mean()


def combined(predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Combine the predictions of an ensemble.

    Args:
        predicted: Predictions `(num_members, num_crystals)`.

    Returns:
        Their mean and sample standard deviation, each `(num_crystals,)`; zeros for a single member.
    """
    spread = predicted.std(axis=0, ddof=1) if len(predicted) > 1 else np.zeros(predicted.shape[1])
    return predicted.mean(axis=0), spread


def conformal_quantile(residuals: np.ndarray, coverage: float) -> float:
    """
    Return the ⌈(n + 1)·coverage⌉-th smallest of n residuals; infinity if n is too small.

    A new residual, exchangeable with these, is at most that large with a probability of at least `coverage`.

    Args:
        residuals: Absolute residuals, `(n,)`.
        coverage: Probability, 0-1.
    """
    place = math.ceil((len(residuals) + 1) * coverage - 1e-9)
    return float(np.sort(residuals)[place - 1]) if place <= len(residuals) else math.inf


def no_intervals(checkpoint: Checkpoint) -> str:
    """Return the message that a checkpoint has no intervals, and how to get them."""
    return (
        f"{checkpoint}: no interval is known ({UNCERTAINTY_FILE} missing, or of other weights); heads fine-tuned by "
        "train.finetune_property have one"
    )


__all__ = [
    "COVERAGE",
    "UNCERTAINTY_FILE",
    "Intervals",
    "ValidationPredictions",
    "combined",
    "conformal_quantile",
    "no_intervals",
]
