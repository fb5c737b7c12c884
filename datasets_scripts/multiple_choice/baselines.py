"""Baselines that answer the questions without the crystal: chance, majority and text only."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from datasets_scripts.common.cards import split_files
from datasets_scripts.multiple_choice.drawing import KINDS, LEVELS
from modeling_clac.data.bundled import SPLITS

FIT_SPLIT, SCORED_SPLIT = "train", "test"
# An element symbol and its number of atoms in a formula; also matches words with a capital letter.
_PIECE = re.compile(r"([A-Z][a-z]*)(\d*)")


@dataclass
class Score:
    """
    Score on the questions of one kind and difficulty. If n options tie for the best score, each counts as 1/n.

    Attributes:
        right: Number of correct answers, including fractions from ties.
        questions: Number of questions.
        by_answer: Correct answers and number of questions for each correct statement.
    """

    right: float = 0.0
    questions: int = 0
    by_answer: dict[str, list[float]] = field(default_factory=dict)

    def add(self, credit: float, answer: str) -> None:
        """Add a question with the credit for its answer and its correct statement."""
        self.right += credit
        self.questions += 1
        own = self.by_answer.setdefault(answer, [0.0, 0.0])
        own[0] += credit
        own[1] += 1

    @property
    def accuracy(self) -> float:
        """Share of correct answers; NaN without questions."""
        return self.right / self.questions if self.questions else math.nan

    @property
    def macro_accuracy(self) -> float:
        """Mean of the accuracies computed separately for each correct statement; NaN without questions."""
        shares = [right / questions for right, questions in self.by_answer.values()]
        return sum(shares) / len(shares) if shares else math.nan


@dataclass
class Baseline:
    """
    Baselines for the questions of one kind and difficulty.

    Attributes:
        kind: Kind of the questions.
        difficulty: `easy` or `hard`.
        counts: Number of questions by split.
        majority: Score of choosing the statement that is correct most often.
        text_only: Score of a naive Bayes classifier of the options.
    """

    kind: str
    difficulty: str
    counts: Counter[str] = field(default_factory=Counter)
    majority: Score = field(default_factory=Score)
    text_only: Score = field(default_factory=Score)

    @property
    def chance(self) -> float:
        """Expected accuracy of choosing an option at random."""
        return 1 / KINDS[self.kind].size


class TextOnly:
    """
    Naive Bayes classifier of the options: the log odds of being correct, summed over the features of an option.

    The features are the statement, its words and element symbols, the rank of its length, and the rank of its overlap
    with the other options. The overlap would reveal a correct answer from which all wrong ones were derived.

    Args:
        chance: Prior probability that an option is correct.
    """

    def __init__(self, chance: float):
        self.chance = chance
        self._right: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()

    def fit(self, options: Sequence[str], answer: int) -> None:
        """Update the counts with one question whose correct option is `options[answer]`."""
        for place, features in enumerate(_features(options)):
            self._seen.update(features)
            if place == answer:
                self._right.update(features)

    def scores(self, options: Sequence[str]) -> list[float]:
        """Return the log odds of each option relative to chance."""
        prior = _logit(self.chance)
        # Rounded, so that scores that differ only by rounding errors are ties.
        return [round(sum(self._log_odds(name) - prior for name in own), 6) for own in _features(options)]

    def _log_odds(self, feature: str) -> float:
        return _logit((self._right[feature] + self.chance) / (self._seen[feature] + 1))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _features(options: Sequence[str]) -> list[set[str]]:
    own = []
    for option in options:
        pieces = _PIECE.findall(option)
        own.append({option, *option.split(), *(symbol for symbol, _ in pieces), *(a + b for a, b in pieces)})
    common = [sum(len(own[i] & own[j]) for j in range(len(own)) if j != i) for i in range(len(own))]
    lengths = [len(option) for option in options]
    return [
        features | {f"place {_place(common, i)} by what is common", f"place {_place(lengths, i)} by length"}
        for i, features in enumerate(own)
    ]


def _place(values: Sequence[int], index: int) -> int:
    return sum(value < values[index] for value in values)


def best_credit(scores: Sequence[float], answer: int) -> float:
    """Return the probability of answering correctly by choosing at random among the options with the best score."""
    best = max(scores)
    return (scores[answer] == best) / sum(score == best for score in scores)


def baselines(directory: Path) -> list[Baseline]:
    """
    Compute the baselines of a data set of questions.

    The baselines are fitted on `train` and scored on `test`, or both on all questions if one of these splits is
    missing.

    Args:
        directory: Directory of the data set.
    """
    files = split_files(directory)
    both = FIT_SPLIT in files and SCORED_SPLIT in files
    fitted, scored = ([FIT_SPLIT], [SCORED_SPLIT]) if both else (list(files), list(files))
    found = {level: Baseline(*level) for level in LEVELS}
    right: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    models = {level: TextOnly(baseline.chance) for level, baseline in found.items()}
    for split in files:
        for level, options, answer in _questions(files[split]):
            found[level].counts[split] += 1
            if split in fitted:
                right[level][options[answer]] += 1
                models[level].fit(options, answer)
    for split in scored:
        for level, options, answer in _questions(files[split]):
            statement = options[answer]
            found[level].majority.add(best_credit([right[level][option] for option in options], answer), statement)
            found[level].text_only.add(best_credit(models[level].scores(options), answer), statement)
    return list(found.values())


def _questions(files: Sequence[Path]) -> Iterator[tuple[tuple[str, str], list[str], int]]:
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(columns=["kind", "difficulty", "options", "answer"]):
            for row in batch.to_pylist():
                yield (row["kind"], row["difficulty"]), row["options"], row["answer"]


def baselines_table(found: Sequence[Baseline]) -> str:
    """Return the baselines as a Markdown table, with one standard error of chance."""
    splits = [split for split in SPLITS if any(baseline.counts[split] for baseline in found)]
    heads = ["kind", "difficulty", *splits, "options", "chance", "majority", "macro", "text only"]
    lines = [f"| {' | '.join(heads)} |", "|---|---|" + "---:|" * (len(heads) - 2)]
    for one in found:
        cells = [one.kind, one.difficulty, *(f"{one.counts[split]:,}" for split in splits), f"{KINDS[one.kind].size}"]
        if one.majority.questions:
            error = math.sqrt(one.chance * (1 - one.chance) / one.majority.questions)
            values = (one.majority.accuracy, one.majority.macro_accuracy, one.text_only.accuracy)
            cells += [f"{one.chance:.3f} ± {error:.3f}", *(f"{value:.3f}" for value in values)]
        else:
            cells += [f"{one.chance:.3f}", "", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


__all__ = ["Baseline", "Score", "TextOnly", "baselines", "baselines_table", "best_credit"]
