"""
Check concept files: `python -m modeling_clac.concepts.lint [FILE ...]`.

Errors are what a vocabulary must not contain; warnings are what is worth a second look. One line each.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.facts.fact_table import FactTable
from ..errors_clac import ClacInputError
from .concept_files import Concept, read_concept, read_entries
from .spelling import tokens
from .vocabulary import Vocabulary, vocabulary_files

# Fewest wordings of a concept. Names of compounds are what they are.
_FEWEST = 8
_FEWEST_EXAMPLES = 3
_NEGATIONS = frozenset({"no", "not", "without", "except", "excluding", "never", "lacking"})
_FREE = re.compile(r"[\w]+-free\b")
# Kinds whose wordings contain numbers.
_NUMBERED = ("space-group", "symmetry", "structure-type", "name", "structural")


class Problem(NamedTuple):
    """
    Something that is wrong with a concept.

    Attributes:
        file: Name of the file.
        message: One line that begins with the place.
        is_error: Whether it must be corrected; otherwise it is a warning.
    """

    file: str
    message: str
    is_error: bool


def lint(paths: Sequence[Path], table: FactTable | None = None, only: Collection[str] | None = None) -> list[Problem]:
    """
    Check concept files.

    Args:
        paths: The files, which together are a vocabulary.
        table: Crystals on which the tests are evaluated. Default: tests are only read.
        only: Names of the files whose problems are of interest. Default: all.

    Returns:
        The problems, in the order of the files.
    """
    problems: list[Problem] = []
    concepts: list[Concept] = []
    for path in paths:
        problems += _read(path, concepts)
    kept: dict[str, Concept] = {}
    for concept in concepts:
        other = kept.setdefault(concept.id, concept)
        if other is not concept:
            problems.append(_error(concept, f"duplicate id (first in {other.file}:{other.line})"))
    problems += _dangling(kept)
    vocabulary = Vocabulary(kept.values())
    problems += _wordings(vocabulary, only)
    sound: list[Concept] = []
    for concept in _of_interest(vocabulary, only):
        try:
            vocabulary.check([concept])
        except ClacInputError as error:
            problems.append(Problem(concept.file, str(error), True))
        else:
            sound.append(concept)
    if table is not None:
        for concept in sound:
            try:
                problems += [*_values(concept, vocabulary, table), *_relations(concept, vocabulary, table)]
            except ClacInputError:
                continue  # it refers to a concept whose test is broken, which has been said
    if only is not None:
        problems = [problem for problem in problems if problem.file in only]
    order = {path.name: place for place, path in enumerate(paths)}
    return sorted(problems, key=lambda problem: (order.get(problem.file, -1), not problem.is_error))


def _read(path: Path, concepts: list[Concept]) -> Iterator[Problem]:
    """Read a file; an invalid entry is a problem, and the others are read."""
    try:
        for entry in read_entries(path.read_text(encoding="utf-8"), path.name):
            try:
                concepts.append(read_concept(entry, path.name))
            except ClacInputError as error:
                yield Problem(path.name, str(error), True)
    except ClacInputError as error:
        yield Problem(path.name, str(error), True)


def _error(concept: Concept, message: str) -> Problem:
    return Problem(concept.file, f"{concept.place}: {message}", True)


def _warning(concept: Concept, message: str) -> Problem:
    return Problem(concept.file, f"{concept.place}: {message}", False)


def _dangling(concepts: dict[str, Concept]) -> list[Problem]:
    """Take out the concepts that refer to others which do not exist, and those that refer to them in turn."""
    problems: list[Problem] = []
    while True:
        missing = {
            concept: [other for other in (*concept.implies, concept.opposite) if other and other not in concepts]
            for concept in concepts.values()
        }
        wrong = {concept: others for concept, others in missing.items() if others}
        if not wrong:
            return problems
        for concept, others in wrong.items():
            problems.append(_error(concept, f"implies or opposite: no sound concept has the id {', '.join(others)}"))
            del concepts[concept.id]


# -------------------- wordings
def _of_interest(vocabulary: Vocabulary, only: Collection[str] | None) -> list[Concept]:
    return [concept for concept in vocabulary if only is None or concept.file in only]


def _wordings(vocabulary: Vocabulary, only: Collection[str] | None) -> Iterator[Problem]:
    for spelled, owners in vocabulary.ids_of_keys.items():
        concepts = [vocabulary[owner] for owner in owners]
        if len(concepts) > 1 and not all(concept.ambiguous for concept in concepts):
            for concept in concepts[1:]:
                wording = concept.wordings[concept.keys.index(spelled)]
                first = concepts[0]
                yield _error(concept, f"the wording {wording!r} belongs to {first.id} ({first.file}:{first.line})")
    sequences = {
        tuple(token.key for token in tokens(wording)): concept.id
        for concept in vocabulary
        for wording in concept.wordings
    }
    longest = max(map(len, sequences), default=0)
    for concept in _of_interest(vocabulary, only):
        if concept.kind != "name" and len(concept.wordings) < _FEWEST:
            yield _warning(concept, f"{len(concept.wordings)} wordings; at least {_FEWEST} are wanted")
        spelled_name = "".join(token.key for token in tokens(concept.name))
        if spelled_name not in concept.keys:
            yield _warning(concept, f"the name {concept.name!r} is not one of the wordings")
        related = {concept.id, *vocabulary.wider(concept.id)}
        for wording in concept.wordings:
            yield from _wording(concept, wording)
        if concept.kind not in ("name", "use"):
            yield from _contained(concept, sequences, related, longest)


def _wording(concept: Concept, wording: str) -> Iterator[Problem]:
    words = tuple(token.key for token in tokens(wording))
    if _NEGATIONS & set(words) or _FREE.search(wording):
        yield _error(concept, f"{wording!r} is a negation, which searches understand by themselves")
    if concept.kind not in _NUMBERED and any(word.isdigit() for word in words):
        yield _warning(concept, f"{wording!r} contains a number")
    if wording.endswith(("?", ".", "!")):
        yield _warning(concept, f"{wording!r} is a sentence; leave out the question around the wording")


def _contained(
    concept: Concept, sequences: dict[tuple[str, ...], str], related: set[str], longest: int
) -> Iterator[Problem]:
    """Wordings that contain a wording of another concept, which may be a second constraint."""
    found = []
    for wording in concept.wordings:
        words = tuple(token.key for token in tokens(wording))
        spans = [
            (end - start, start, end)
            for start in range(len(words))
            for end in range(start + 1, min(len(words), start + longest) + 1)
            if end - start < len(words) and sequences.get(words[start:end], concept.id) not in related
        ]
        if spans:
            _, start, end = max(spans)
            found.append(f"{wording!r} ({sequences[words[start:end]]})")
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        yield _warning(concept, f"wordings contain those of other concepts: {', '.join(found[:4])}{more}")


# -------------------- values
def _values(concept: Concept, vocabulary: Vocabulary, table: FactTable) -> Iterator[Problem]:
    values = vocabulary.holds(concept.id, table)
    known = values[~np.isnan(values)]
    if concept.ambiguous is None and concept.kind != "name":
        if not len(known):
            yield _warning(concept, "the test is unknown for all crystals")
        elif not (known >= 0.5).any():
            yield _warning(concept, "no crystal meets the test")
        elif (known == 1).all() and len(known) > len(values) // 2:
            yield _warning(concept, "all crystals meet the test")
    for kind, formulas in (("accepts", concept.accepts), ("refuses", concept.refuses)):
        if concept.kind == "use" and len(formulas) < _FEWEST_EXAMPLES:
            yield _error(concept, f"{kind}: {len(formulas)} formulas; a use needs at least {_FEWEST_EXAMPLES}")
        for formula in formulas:
            yield from _example(concept, kind, formula, values, table)


def _relations(concept: Concept, vocabulary: Vocabulary, table: FactTable) -> Iterator[Problem]:
    """A crystal that meets a concept meets the wider ones, and not the other pole."""
    holds = vocabulary.holds(concept.id, table) == 1
    for wider in concept.implies:
        wrong = int((holds & (vocabulary.holds(wider, table) == 0)).sum())
        if wrong:
            yield _error(concept, f"implies: {wrong} of the {int(holds.sum())} crystals that meet it fail {wider}")
    if concept.opposite is not None:
        wrong = int((holds & (vocabulary.holds(concept.opposite, table) == 1)).sum())
        if wrong:
            yield _error(concept, f"opposite: {wrong} crystals also meet {concept.opposite}")


def _example(concept: Concept, kind: str, formula: str, values: np.ndarray, table: FactTable) -> Iterator[Problem]:
    try:
        rows = table.formula_is([formula]) == 1
    except ValueError:
        yield _error(concept, f"{kind}: {formula} is not a formula")
        return
    if not rows.any():
        return  # none of the crystals at hand
    if kind == "accepts" and not (values[rows] > 0).any():
        unknown = np.isnan(values[rows]).any()
        state = "unknown" if unknown else "refused by the test"
        yield Problem(concept.file, f"{concept.place}: accepts: {formula} is {state}", not unknown)
    if kind == "refuses" and (values[rows] == 1).any():
        yield _error(concept, f"refuses: {formula} is accepted by the test")


def _print(problems: Iterable[Problem]) -> int:
    errors = 0
    for problem in problems:
        print(f"{'error' if problem.is_error else 'warning'}: {problem.message}")
        errors += problem.is_error
    return errors


def main(arguments: Sequence[str]) -> int:
    """
    Print the problems of concept files, and how many concepts and wordings there are.

    Args:
        arguments: Names of the files of interest. Default: all files of the vocabulary.

    Returns:
        The exit code: 1 if there are errors.
    """
    given = [Path(argument) for argument in arguments]
    bundled = vocabulary_files()
    own = [path for path in given if path.name not in {other.name for other in bundled}]
    problems = lint([*bundled, *own], FactTable.bundled(), {path.name for path in given} or None)
    errors = _print(problems)
    print(f"{errors} errors, {len(problems) - errors} warnings in {len(given or bundled)} files")
    return int(errors > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))


__all__ = ["Problem", "lint", "main"]
