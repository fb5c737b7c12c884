"""
Calibrated probabilities that a text describes a crystal, and notes on inputs that are far from the training data.

`python -m train.calibrate` fits a calibration on validation crystals and stores it with the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ..errors_clac import ClacInputError, first_line
from .checkpoints import Checkpoint
from .vocabulary import Vocabulary

if TYPE_CHECKING:  # imports gemmi, which a search by text does not need
    from ..crystal_clac import Crystal

CALIBRATION_FILE, ARRAYS_FILE = "calibration.json", "calibration.safetensors"


@dataclass(frozen=True)
class Calibration:
    """
    The calibration of a checkpoint.

    See [`calibrated`] for the equation. The probability is that of a crystal and a phrase drawn at random, see
    `base_rate`.

    Attributes:
        score: Weights (w0, w1, w2) of the score.
        shape: Weights (a, b, d) of beta calibration.
        base_rate: Share of right answers among the pairs of crystal and phrase that the calibration was fitted to.
        vocabulary: The words of the training texts.
        record: The content of `calibration.json`: also the limits of the training crystals, scores on validation,
            recipe and commit.
        arrays_file: File of the mean and of all training crystals.
    """

    score: tuple[float, float, float]
    shape: tuple[float, float, float]
    base_rate: float
    vocabulary: Vocabulary
    record: Mapping[str, Any]
    arrays_file: Path

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> Calibration | None:
        """
        Load the calibration of a checkpoint, without its arrays, which are read when they are needed.

        Args:
            checkpoint: The checkpoint.

        Returns:
            The calibration, or `None` if the checkpoint has none, or one that was fitted to other weights.

        Raises:
            ClacInputError: If the file is damaged.
        """
        file = checkpoint.file(CALIBRATION_FILE)
        if file is None:
            return None
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["fingerprint"] != checkpoint.fingerprint:
                return None
            arrays = checkpoint.file(ARRAYS_FILE)
            if arrays is None:
                raise ValueError(f"{ARRAYS_FILE} missing")
            return cls(
                _three(record["score"]),
                _three(record["shape"]),
                float(record["base_rate"]),
                Vocabulary(frozenset(record["stems"])),
                record,
                arrays,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClacInputError(_damaged(file, error)) from None

    @classmethod
    def required(cls, checkpoint: Checkpoint) -> Calibration:
        """
        Load the calibration of a checkpoint, which must exist.

        Args:
            checkpoint: The checkpoint.

        Raises:
            ClacInputError: If the checkpoint has no calibration for its weights.
        """
        found = cls.from_checkpoint(checkpoint)
        if found is None:
            raise ClacInputError(no_calibration(checkpoint))
        return found

    def probabilities(self, crystals: np.ndarray, texts: np.ndarray, base_rate: float | None = None) -> np.ndarray:
        """
        Compute the probability that each text describes each crystal.

        Args:
            crystals: Embeddings `(num_crystals, dim)`.
            texts: Embeddings `(num_texts, dim)`.
            base_rate: Share of the pairs that are right from the start, 0-1, by which the odds are multiplied
                accordingly. Default: that of the calibration.

        Returns:
            `(num_crystals, num_texts)`, in (0, 1). It never falls as the cosine rises.

        Raises:
            ClacInputError: If the base rate is not between 0 and 1.
        """
        if base_rate is not None and not 0.0 < base_rate < 1.0:
            raise ClacInputError(f"base rate {base_rate:g}: must be between 0 and 1")
        crystals, texts = np.asarray(crystals, dtype=np.float64), np.asarray(texts, dtype=np.float64)
        means = texts @ self._arrays["mean_crystal"]
        first, second, constant = self.shape
        if base_rate is not None:
            constant += _logit(base_rate) - _logit(self.base_rate)
        scores = text_scores(crystals @ texts.T, means[None, :], self.score)
        return calibrated(scores, (first, second, constant))

    def crystal_notes(self, crystals: Sequence[Crystal], embeds: np.ndarray) -> list[str | None]:
        """
        Find the crystals that are far from all training crystals.

        Args:
            crystals: The crystals.
            embeds: Their embeddings `(num_crystals, dim)`.

        Returns:
            For each crystal one line that says why, or `None`.
        """
        from .domain import CrystalDomain, neighbor_cosines

        try:
            domain, least = CrystalDomain.from_json(self.record["crystals"]), float(self.record["min_neighbor_cosine"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClacInputError(_damaged(self.arrays_file.with_name(CALIBRATION_FILE), error)) from None
        cosines = neighbor_cosines(np.asarray(embeds, dtype=np.float32), self._arrays["training_crystals"])
        notes: list[str | None] = []
        for crystal, cosine in zip(crystals, cosines.tolist(), strict=True):
            note = domain.note(crystal)
            if note is None and cosine < least:
                note = f"far from the training crystals: mean cosine {cosine:.2f} with the nearest ones"
            notes.append(note)
        return notes

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        try:
            arrays = load_file(self.arrays_file)
            crystals = arrays["training_crystals"].astype(np.float32)
            return {
                "mean_crystal": arrays["mean_crystal"].astype(np.float64),
                "training_crystals": crystals / np.linalg.norm(crystals, axis=1, keepdims=True),
            }
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ClacInputError(_damaged(self.arrays_file, error)) from None


def no_calibration(checkpoint: Checkpoint) -> str:
    """Return the message that a checkpoint has no calibration, and how to fit one."""
    return (
        f"{checkpoint}: no calibration for these weights ({CALIBRATION_FILE} missing, or fitted to others); fit one "
        f"with `python -m train.calibrate --model {checkpoint}` in a checkout of the repository"
    )


def text_scores(cosines: np.ndarray, means: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """
    Compute the score s = w0 + w1·c + w2·m of texts and crystals.

    A text whose mean cosine is high, such as "oxide", describes many crystals; "cubic HfO2" describes few. So m stands
    for how often the text is right, which the cosine alone does not show.

    Args:
        cosines: Cosine c of text and crystal, of any shape.
        means: Mean cosine m of the text with the training crystals, broadcast to that shape.
        weights: (w0, w1, w2).
    """
    constant, of_cosine, of_mean = weights
    return constant + of_cosine * np.asarray(cosines) + of_mean * np.asarray(means)


def shape_features(scores: np.ndarray) -> np.ndarray:
    """
    Compute (ln σ(s), -ln(1 - σ(s))) of scores s, the features of beta calibration.

    Args:
        scores: Scores of any shape.

    Returns:
        `(..., 2)`.
    """
    return np.stack((-np.logaddexp(0.0, -scores), np.logaddexp(0.0, scores)), axis=-1)


def calibrated(scores: np.ndarray, shape: Sequence[float]) -> np.ndarray:
    """
    Compute p = σ(a·ln σ(s) - b·ln(1 - σ(s)) + d), the beta calibration of scores s.

    Beta calibration (Kull, Silva Filho and Flach, AISTATS 2017) is Platt scaling with two slopes, one for each tail;
    with a = b = 1 and d = 0 it returns σ(s). The result never falls as the score rises if a and b are positive.

    Args:
        scores: Scores s, of any shape.
        shape: (a, b, d).

    Returns:
        Probabilities of the same shape.
    """
    first, second, constant = shape
    logits = shape_features(scores) @ np.array([first, second]) + constant
    return np.exp(-np.logaddexp(0.0, -logits))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1.0 - probability)))


def _damaged(file: Path, error: Exception) -> str:
    return f"{file}: damaged ({first_line(error)}); fit it again with `python -m train.calibrate`"


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


__all__ = [
    "ARRAYS_FILE",
    "CALIBRATION_FILE",
    "Calibration",
    "calibrated",
    "no_calibration",
    "shape_features",
    "text_scores",
]
