"""The command `clac concepts`: the vocabulary that searches understand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors_clac import ClacInputError
from .options import Concepts, Json
from .support import note, prepare_imports, print_json

if TYPE_CHECKING:
    import numpy as np

    from ..concepts.concept_files import Concept
    from ..concepts.vocabulary import Vocabulary
    from ..data.facts.fact_table import FactTable

_SHOWN = 40


def concepts(
    words: Annotated[
        str | None, typer.Argument(help="A concept (`spinel`), or words to look for in ids, names and wordings.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only concepts of a kind: anion, structure-type, use, ...")] = None,
    index: Annotated[
        Path | None, typer.Option(help="Directory of an index built by `clac index`. Default: the bundled data set.")
    ] = None,
    own: Concepts = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the files given with --concepts, and print what to look at.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the concepts that searches understand: their wordings, their tests, and how many crystals meet them."""
    if check and not own:
        raise ClacInputError("--check: nothing to check; name a file with --concepts FILE")
    prepare_imports()
    from ..concepts.concept_files import KINDS
    from ..concepts.vocabulary import load_vocabulary

    if kind is not None and kind not in KINDS:
        raise ClacInputError(f"--kind {kind}: choose one of {', '.join(KINDS)}")
    if check:
        _check(own or [], _facts(index), as_json)
        return
    vocabulary = load_vocabulary(own or ())
    found = [concept for concept in vocabulary if kind is None or concept.kind == kind]
    if words is not None:
        found = _matching(words, found)
        if not found:
            raise ClacInputError(f"no concept has the words {words!r}; `clac concepts` lists the kinds of concepts")
    if words is None and kind is None and not own:
        _print_kinds(vocabulary, as_json)
        return
    table = _facts(index)
    if words is None and own:
        names = {path.name for path in own}
        found = [concept for concept in found if kind is not None or concept.file in names]
    if as_json:
        print_json(concepts=[_document(concept, vocabulary.holds(concept.id, table)) for concept in found])
    elif len(found) == 1:
        _print_concept(found[0], vocabulary.holds(found[0].id, table))
    else:
        _print_list(found, vocabulary, table)


def _matching(words: str, concepts: Sequence[Concept]) -> list[Concept]:
    """Concepts with this id, name or wording; if there are none, those whose id, name or wordings contain the words."""
    from ..concepts.spelling import key

    wanted = key(words)
    exact = [concept for concept in concepts if wanted in (key(concept.id), key(concept.name), *concept.keys)]
    if exact or not wanted:
        return exact
    return [
        concept
        for concept in concepts
        if any(wanted in spelled for spelled in (key(concept.id), key(concept.name), *concept.keys))
    ]


def _facts(index: Path | None) -> FactTable:
    from ..data.facts.fact_table import FactTable

    if index is None:
        return FactTable.bundled()
    from ..search.index import CrystalIndex

    return CrystalIndex.load(index).facts


def _counts(values: np.ndarray) -> dict[str, int]:
    return {
        "meet": int((values == 1).sum()),
        "partly": int(((values > 0) & (values < 1)).sum()),
        "unknown": int((values != values).sum()),
        "crystals": len(values),
    }


def _document(concept: Concept, values: np.ndarray) -> dict[str, Any]:
    return {
        "id": concept.id,
        "kind": concept.kind,
        "name": concept.name,
        "test": concept.test.text,
        "partly": None if concept.partly is None else concept.partly.text,
        "implies": list(concept.implies),
        "opposite": concept.opposite,
        "source": concept.source,
        "ambiguous": concept.ambiguous,
        "reason": concept.reason,
        "wordings": list(concept.wordings),
        "superlatives": list(concept.superlatives),
        "file": concept.file,
        "counts": _counts(values),
    }


def _print_kinds(vocabulary: Vocabulary, as_json: bool) -> None:
    from .printing import print_rows

    kinds: dict[str, list[int]] = {}
    for concept in vocabulary:
        kinds.setdefault(concept.kind, []).append(len(concept.wordings))
    if as_json:
        print_json(kinds={kind: {"concepts": len(counts), "wordings": sum(counts)} for kind, counts in kinds.items()})
        return
    print_rows(
        ["kind", "concepts", "wordings"],
        [[kind, f"{len(counts):,}", f"{sum(counts):,}"] for kind, counts in kinds.items()],
    )
    note("`clac concepts WORDS` shows concepts, `clac concepts --kind KIND` lists those of a kind")


def _print_list(found: Sequence[Concept], vocabulary: Vocabulary, table: FactTable) -> None:
    from .printing import print_rows

    rows = []
    for concept in found[:_SHOWN]:
        counts = _counts(vocabulary.holds(concept.id, table))
        numbers = [str(len(concept.wordings)), f"{counts['meet']:,}", f"{counts['unknown']:,}"]
        rows.append([concept.id, concept.kind, concept.name, *numbers])
    print_rows(["id", "kind", "name", "wordings", "met by", "unknown"], rows, num_texts=3)
    if len(found) > _SHOWN:
        note(f"{len(found) - _SHOWN} more; use other words, --kind, or --json for all")


def _print_concept(concept: Concept, values: np.ndarray) -> None:
    counts = _counts(values)
    met = f"{counts['meet']:,} of {counts['crystals']:,} crystals"
    if counts["partly"]:
        met += f", {counts['partly']:,} partly"
    if counts["unknown"]:
        met += f", {counts['unknown']:,} unknown"
    lines = {
        "kind": concept.kind,
        "test": concept.test.text,
        "partly": concept.partly and concept.partly.text,
        "met by": met,
        "implies": ", ".join(concept.implies),
        "opposite": concept.opposite,
        "reason": concept.reason,
        "also": concept.ambiguous,
        "source": concept.source,
        "file": concept.file,
        "superlatives": ", ".join(concept.superlatives),
        "wordings": ", ".join(concept.wordings),
    }
    from .printing import print_fields

    print_fields(f"{concept.name} ({concept.id})", {label: text for label, text in lines.items() if text})


def _check(files: Sequence[Path], table: FactTable, as_json: bool) -> None:
    from ..concepts.lint import lint
    from ..concepts.vocabulary import vocabulary_files

    names = {path.name for path in files}
    bundled = [path for path in vocabulary_files() if path.name not in names]
    problems = lint([*bundled, *files], table, names)
    errors = [problem for problem in problems if problem.is_error]
    if as_json:
        print_json(
            errors=[problem.message for problem in errors],
            warnings=[problem.message for problem in problems if not problem.is_error],
        )
    else:
        for problem in problems:
            print(f"{'error' if problem.is_error else 'warning'}: {problem.message}")
    if errors:
        raise ClacInputError(f"{', '.join(names)}: {_counted(len(errors), 'error')}, such as {errors[0].message}")
    note(f"{_counted(len(problems), 'warning')}, no errors")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


__all__ = ["concepts"]
