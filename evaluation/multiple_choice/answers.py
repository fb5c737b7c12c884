"""Answers to questions: adjustment on validation, credits, and scores by kind and difficulty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets_scripts.multiple_choice.baselines import TextOnly, best_credit
from datasets_scripts.multiple_choice.drawing import KINDS, LEVELS
from evaluation.metrics.calibration import reliability
from evaluation.metrics.intervals import mean_interval
from evaluation.multiple_choice.question_set import ChoiceQuestion

_CENTRINGS = (0.0, 0.5, 1.0)
_SCALES = np.geomspace(1.0, 300.0, 60)


@dataclass(frozen=True)
class Adjustment:
    """
    What is chosen on validation questions of a kind.

    Attributes:
        centring: Share of the mean cosine of an option, over the validation crystals, that is subtracted. Texts such as
            "oxide" are close to many crystals.
        scale: Factor of the scores before the softmax that gives probabilities.
    """

    centring: float = 0.0
    scale: float = 1.0

    def scores(self, cosines: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return the scores of the options of a question, `(options,)`."""
        return cosines - self.centring * means

    def probabilities(self, cosines: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return the probabilities of the options of a question, `(options,)`."""
        return softmax(self.scale * self.scores(cosines, means))


def softmax(values: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def choose_adjustment(
    cosines: Sequence[np.ndarray], means: Sequence[np.ndarray], answers: Sequence[int], scale: float
) -> Adjustment:
    """
    Choose the adjustment of a kind of question: the centring by accuracy, then the scale by log loss.

    Args:
        cosines: Cosines of the options of each validation question.
        means: Mean cosines of the same options.
        answers: Place of the right option of each question.
        scale: Scale without validation questions.
    """
    if not cosines:
        return Adjustment(0.0, scale)
    stacked, middle, right = np.stack(cosines), np.stack(means), np.asarray(answers)

    def accuracy(centring: float) -> float:
        return float(((stacked - centring * middle).argmax(axis=1) == right).mean())

    centring = max(_CENTRINGS, key=accuracy)  # the smallest of equals
    scores = stacked - centring * middle
    rows = np.arange(len(right))
    losses = [-np.log(softmax(factor * scores)[rows, right] + 1e-12).mean() for factor in _SCALES]
    return Adjustment(centring, float(_SCALES[int(np.argmin(losses))]))


def credits_of(questions: Sequence[ChoiceQuestion], scores: Sequence[Any]) -> np.ndarray:
    """
    Score answers by the option with the best score; n options that tie count as 1/n.

    Args:
        questions: The questions.
        scores: Scores of the options of each question.

    Returns:
        Credits from 0 to 1, `(n,)`.
    """
    return np.array([best_credit(list(own), q.answer) for q, own in zip(questions, scores, strict=True)], dtype=float)


def text_credits(fitted: Sequence[ChoiceQuestion], questions: Sequence[ChoiceQuestion]) -> dict[str, np.ndarray]:
    """
    Answer questions without the crystal.

    Args:
        fitted: Questions of the training split.
        questions: Questions to answer.

    Returns:
        Credits `(n,)` of `chance`; of the `majority`, the statement that is right most often; and of `text_only`, a
        naive Bayes classifier of the options.
    """
    right: dict[tuple[str, str], dict[str, int]] = {level: {} for level in LEVELS}
    models = {level: TextOnly(1 / KINDS[level[0]].size) for level in LEVELS}
    for question in fitted:
        own, statement = right[question.level], question.options[question.answer]
        own[statement] = own.get(statement, 0) + 1
        models[question.level].fit(question.options, question.answer)
    return {
        "chance": np.array([1 / len(question.options) for question in questions]),
        "majority": credits_of(questions, [[right[q.level].get(option, 0) for option in q.options] for q in questions]),
        "text_only": credits_of(questions, [models[q.level].scores(q.options) for q in questions]),
    }


def balanced(credits: np.ndarray, classes: np.ndarray, resamples: int, seed: int) -> tuple[float, tuple[float, float]]:
    """
    Compute the balanced accuracy, the mean of the accuracies of each class, with its 95 % bootstrap interval.

    Args:
        credits: Credits of the answers, `(n,)`.
        classes: Class of the right answer, `(n,)` integers from 0.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.
    """
    number = int(classes.max()) + 1

    def score(rows: np.ndarray) -> float:
        counts = np.bincount(classes[rows], minlength=number)
        sums = np.bincount(classes[rows], credits[rows], minlength=number)
        return float((sums[counts > 0] / counts[counts > 0]).mean())

    generator, size = np.random.default_rng(seed), len(credits)
    samples = [score(generator.integers(0, size, size)) for _ in range(resamples)]
    low, high = np.percentile(samples, [2.5, 97.5])
    return score(np.arange(size)), (float(low), float(high))


def scores_by_level(
    questions: Sequence[ChoiceQuestion], credits: np.ndarray, resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """
    Score the answers to the questions of each kind and difficulty.

    Args:
        questions: The questions.
        credits: Credits of the answers, `(n,)`.
        resamples: Number of bootstrap samples over the questions.
        seed: Seed of the resampling.

    Returns:
        By `kind, difficulty`: the number of `questions`, the `accuracy` with its 95 % `interval`, and the
        `balanced_accuracy`, the mean over the right statements, with its `balanced_interval`.
    """
    found = {}
    for level in LEVELS:
        rows = [row for row, question in enumerate(questions) if question.level == level]
        if not rows:
            continue
        own = credits[rows]
        names = [questions[row].options[questions[row].answer] for row in rows]
        classes = np.unique(names, return_inverse=True)[1]
        middle, around = balanced(own, classes, resamples, seed)
        found[", ".join(level)] = {
            "questions": len(rows),
            "accuracy": float(own.mean()),
            "interval": mean_interval(own, resamples, seed),
            "balanced_accuracy": middle,
            "balanced_interval": around,
        }
    return found


def calibration_of(
    questions: Sequence[ChoiceQuestion], probabilities: Sequence[np.ndarray], resamples: int, seed: int
) -> dict[str, Any]:
    """
    Compare the probability of the chosen option with how often it is right, over all questions.

    Args:
        questions: The questions.
        probabilities: Probabilities of the options of each question.
        resamples: Number of bootstrap samples over the questions.
        seed: Seed of the resampling.

    Returns:
        See `reliability`.
    """
    predicted = np.array([own.max() for own in probabilities])
    right = np.array([own.argmax() == question.answer for question, own in zip(questions, probabilities, strict=True)])
    return reliability(predicted, right, np.arange(len(questions)), resamples, seed)


def mean_of_levels(scored: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the accuracy averaged over kinds and difficulties."""
    return float(np.mean([own["accuracy"] for own in scored.values()]))


__all__ = [
    "Adjustment",
    "calibration_of",
    "choose_adjustment",
    "credits_of",
    "mean_of_levels",
    "scores_by_level",
    "softmax",
    "text_credits",
]
