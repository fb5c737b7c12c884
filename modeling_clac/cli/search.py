"""The command `clac search`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..concepts.symmetry import CRYSTAL_SYSTEMS
from ..data.properties import UNITS
from ..errors_clac import ClacInputError
from ..structure_sources_clac import STANDARD_INPUT, path_exists
from ..utils.json_text import json_text
from .options import Concepts, Disorder, Json, MaxAtoms, Model, check_policy, elements_from, one_of, reading_options
from .property_ranges import given_ranges, with_property_ranges
from .support import (
    file_or_row,
    load_embedder,
    named,
    note,
    open_checkpoint,
    print_json,
    read_one,
    report_reading,
    warnings_json,
)
from .understood import Reading, find_compound, read_text

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np

    from ..crystal_clac import Crystal
    from ..errors_clac import Warned
    from ..inference.checkpoints import Checkpoint
    from ..inference.embedder import ClacEmbedder
    from ..inference.onnx_text_tower import OnnxTextTower
    from ..search.filters import Filters
    from ..search.hits import Hits
    from ..search.index import CrystalIndex
    from ..search.stored_crystals import StoredCrystals


@with_property_ranges
def search(
    text: Annotated[str | None, typer.Argument(help="Description of the crystals to find, in English.")] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|ID|NAME",
            help="A similar crystal: a structure file, FILE#NAME, - (stdin), an id, or the name or formula of a "
            "compound. TEXT may say how the crystals differ from it, as in 'without cobalt, lighter'.",
        ),
    ] = None,
    element: Annotated[
        list[str] | None,
        typer.Option(help="Element that must be present; can be repeated.", autocompletion=elements_from),
    ] = None,
    exclude_element: Annotated[
        list[str] | None,
        typer.Option(help="Element that must be absent; can be repeated.", autocompletion=elements_from),
    ] = None,
    crystal_system: Annotated[
        str | None,
        typer.Option(help="Crystal system: cubic, hexagonal, trigonal, ...", autocompletion=one_of(*CRYSTAL_SYSTEMS)),
    ] = None,
    space_group: Annotated[
        str | None, typer.Option(help="Number or symbol of the space group, such as 225 or Fm-3m.")
    ] = None,
    formula: Annotated[str | None, typer.Option(help="Composition, such as TiO2.")] = None,
    k: Annotated[int, typer.Option("-k", help="Number of crystals to show.")] = 10,
    index: Annotated[
        Path | None, typer.Option(help="Directory of an index built by `clac index`. Default: the bundled data set.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write the crystals to a .csv, .parquet, .json or .zip file (CIFs)."),
    ] = None,
    model: Model = None,
    max_atoms: MaxAtoms = None,
    disorder: Disorder = "keep",
    concepts: Concepts = None,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="Compare the meaning of TEXT only, without reading constraints from it.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Show only crystals that meet all constraints; with --like, treat warnings as errors.",
        ),
    ] = False,
    optimade: Annotated[
        bool,
        typer.Option(
            "--optimade", help="Print TEXT and the filters as an OPTIMADE filter for public databases instead."
        ),
    ] = False,
    ann: Annotated[
        bool,
        typer.Option(
            "--ann",
            help="Search by the graph of neighbours that `clac index --ann` built: fast for millions of crystals.",
        ),
    ] = False,
    as_json: Json = False,
    **bounds: float | None,
) -> None:
    """Find crystals by a description, a similar crystal, or both."""
    if text is None and like is None:
        raise ClacInputError("nothing to search for; give a description, or a crystal with --like FILE or --like ID")
    if text is not None and not text.strip():
        raise ClacInputError("the description is empty; write a phrase or a sentence")
    if k < 1:
        raise ClacInputError(f"-k {k}: must be at least 1")
    check_policy("raise", max_atoms, disorder)
    if optimade and (text is None or like is not None or semantic):
        raise ClacInputError("--optimade: needs a description, and neither --like nor --semantic")
    if output is not None:
        from ..search.export import SUFFIXES, write_hits
        from ..utils.row_files import check_output

        check_output(output, SUFFIXES)
    from ..search.filters import Filters
    from .printing import print_hits

    ranges = given_ranges(bounds)
    filters = Filters(element or (), exclude_element or (), crystal_system, space_group, formula, ranges)
    if optimade and text is not None:
        _print_optimade(read_text(text, concepts), filters, as_json)
        return
    checkpoint = open_checkpoint(model)
    # What loads outside the interpreter does so while the vocabulary is read. --like may need no text tower.
    tower = ThreadPoolExecutor(1).submit(_load_text_tower, checkpoint) if like is None else None
    reading = None if text is None or semantic else read_text(text, concepts)
    saved = _saved_index(index, checkpoint)
    crystals = _bundled_crystals() if saved is None else saved.stored
    similar: Crystal | int | None = None
    warned: list[Warned] = []
    if like is not None:
        known = like == STANDARD_INPUT or path_exists(like) or like in crystals
        compound = None if known else find_compound(like, crystals, concepts)
        found = file_or_row(like, crystals, "--like") if compound is None else compound
        similar = found if isinstance(found, int) else None
        if isinstance(found, Path):
            similar, warned = read_one(found, reading_options(max_atoms, disorder, strict))
            report_reading([], warned, [])
    if output is not None and output.suffix.lower() == ".zip":
        crystals.require_structures()
    from ..search.likeness_search import counts_by_meaning

    by_meaning = similar is None or reading is None or counts_by_meaning(reading.query)
    words = text if by_meaning else None
    embedder: ClacEmbedder | OnnxTextTower | None = None
    if saved is None:
        table, embedder = _embedded(crystals, checkpoint)
    else:
        table = saved
        # The crystals of the index are embedded already.
        by_file = similar is not None and not isinstance(similar, int)
        if words is not None or by_file:
            embedder = _load_encoder(checkpoint, tower, text_only=not by_file)
    query, notes = _query(checkpoint, table, embedder, words, similar, str(like))
    if reading is None:
        hits = table.search(query, k, filters, ann)
    else:
        if similar is not None:
            reading.compare_with(similar, str(like), table)
        hits, more = reading.search(table, query, k, filters, strict, ann)
        notes = [*more, *notes]
    for line in notes:
        note(line)
    document = {
        "text": text,
        "like": like,
        "query": None if reading is None else reading.query.to_dict(),
        "notes": notes,
        **named(checkpoint),
        "num_crystals": len(table),
        "hits": _records(hits, reading, table),
        "warnings": warnings_json(warned),
        "units": {"score": "cosine", **UNITS},
    }
    if output is not None:
        write_hits(hits, output, json_text(document))
    if as_json:
        print_json(**document)
    elif hits:
        if reading is not None:
            reading.show()
        hidden = print_hits(hits, list(ranges))
        if reading is not None:
            reading.explain(hits)
            reading.show_changes(hits, table)
        if hidden:
            note(f"columns hidden for lack of space: {', '.join(hidden)}; widen the terminal, or use --json to see all")
    else:
        note("no crystal passes the filters" if reading is None else reading.nothing_found(strict))
    if output is not None:
        note(f"{output}: {len(hits)} {'crystal' if len(hits) == 1 else 'crystals'}")


def _print_optimade(reading: Reading, filters: Filters, as_json: bool) -> None:
    """Print an OPTIMADE filter, and what it does not say."""
    written = reading.optimade(filters)
    for line in reading.query.notes:
        note(line)
    if as_json:
        print_json(query=reading.query.to_dict(), optimade=written.to_dict())
        return
    print(written.filter)
    if written.in_part:
        note(f"only in part in the filter, which finds other crystals as well: {', '.join(written.in_part)}")
    if written.left_out:
        note(f"not in the filter: {', '.join(written.left_out)}")


def _records(hits: Hits, reading: Reading | None, index: CrystalIndex) -> list[dict[str, Any]]:
    records = hits.to_records()
    for record, change in zip(records, [] if reading is None else reading.changes(hits, index), strict=False):
        record["changes"] = change.to_dict()
    return records


def _saved_index(index: Path | None, checkpoint: Checkpoint) -> CrystalIndex | None:
    """Return the index to search, or `None` if the bundled crystals must be embedded with the checkpoint first."""
    from ..search.index import BUNDLED_INDEX, CrystalIndex, bundled_index

    if index is not None:
        table = CrystalIndex.load(index)
        table.require_model(checkpoint.fingerprint)
        return table
    if not BUNDLED_INDEX.is_dir():
        return None
    table = bundled_index()
    return table if table.model_fingerprint == checkpoint.fingerprint else None


def _bundled_crystals() -> StoredCrystals:
    from ..data.bundled import bundled_crystals
    from ..search.stored_crystals import StoredCrystals

    return StoredCrystals(bundled_crystals(), name="the bundled data set")


def _embedded(crystals: StoredCrystals, checkpoint: Checkpoint) -> tuple[CrystalIndex, ClacEmbedder]:
    from ..search.index import CrystalIndex

    embedder = load_embedder(checkpoint)
    note(
        f"embedding {crystals.table.num_rows:,} crystals with this checkpoint; to embed them only once, run "
        f"`clac index mp-crystals -o DIR --model {checkpoint}` and search with --index DIR"
    )
    return CrystalIndex.build(embedder, crystals.table), embedder


def _load_text_tower(checkpoint: Checkpoint) -> OnnxTextTower | None:
    from ..inference.onnx_text_tower import OnnxTextTower

    return OnnxTextTower.from_checkpoint(checkpoint)


def _load_encoder(
    checkpoint: Checkpoint, tower: Future[OnnxTextTower | None] | None, text_only: bool
) -> ClacEmbedder | OnnxTextTower:
    """Return the text tower, which may be loading already, or the whole model."""
    if not text_only:
        return load_embedder(checkpoint)
    found = _load_text_tower(checkpoint) if tower is None else tower.result()
    return load_embedder(checkpoint) if found is None else found


def _query(
    checkpoint: Checkpoint,
    index: CrystalIndex,
    embedder: Any,
    text: str | None,
    similar: Crystal | int | None,
    name: str,
) -> tuple[np.ndarray, list[str]]:
    """
    Embed a text or a crystal as a unit vector `(dim,)`; both give the normalized sum.

    Returns:
        The vector, and one line for each of the two that is far from the training data.
    """
    from ..inference.calibration import Calibration
    from ..search.likeness_search import unit_sum

    calibration = Calibration.from_checkpoint(checkpoint)
    parts, notes = [], []
    if isinstance(similar, int):
        parts.append(index.vectors[similar])
    elif similar is not None:
        embeds = embedder.encode_crystals([similar], names=[name])
        parts.append(embeds[0])
        found = [] if calibration is None else calibration.crystal_notes([similar], embeds)
        notes += [f"{name}: {line}" for line in found if line is not None]
    if text is not None:
        parts.append(embedder.encode_text([text])[0])
        line = None if calibration is None else calibration.vocabulary.note(text)
        notes += [found for found in (embedder.reading_note(text), line) if found is not None]
    return unit_sum(parts), notes


__all__ = ["search"]
