"""The command `clac search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..concepts.symmetry import CRYSTAL_SYSTEMS
from ..data.properties import UNITS
from ..errors_clac import ClacInputError
from ..formulas_clac import ELEMENTS
from .options import Json, Model, one_of
from .property_ranges import given_ranges, with_property_ranges
from .support import load_embedder, named, note, open_checkpoint, print_json

if TYPE_CHECKING:
    from ..inference.checkpoints import Checkpoint
    from ..inference.embedder import ClacEmbedder
    from ..inference.onnx_text_tower import OnnxTextTower
    from ..search.index import CrystalIndex


@with_property_ranges
def search(
    text: Annotated[str | None, typer.Argument(help="Description of the crystals to find, in English.")] = None,
    like: Annotated[Path | None, typer.Option(help="CIF file of a similar crystal. Can be combined with TEXT.")] = None,
    element: Annotated[
        list[str] | None,
        typer.Option(help="Element that must be present; can be repeated.", autocompletion=one_of(*ELEMENTS)),
    ] = None,
    exclude_element: Annotated[
        list[str] | None,
        typer.Option(help="Element that must be absent; can be repeated.", autocompletion=one_of(*ELEMENTS)),
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
    model: Model = None,
    as_json: Json = False,
    **bounds: float | None,
) -> None:
    """Find crystals by a description, a similar crystal, or both."""
    if text is None and like is None:
        raise ClacInputError("nothing to search for; give a description, or a crystal with --like FILE.cif")
    if text is not None and not text.strip():
        raise ClacInputError("the description is empty; write a phrase or a sentence")
    if k < 1:
        raise ClacInputError(f"-k {k}: must be at least 1")
    checkpoint = open_checkpoint(model)
    from ..search.filters import Filters
    from .printing import print_hits

    ranges = given_ranges(bounds)
    filters = Filters(element or (), exclude_element or (), crystal_system, space_group, formula, ranges)
    table, embedder = _open_index(index, checkpoint, text_only=like is None)
    hits = table.search(_query_vector(embedder, text, like), k, filters)
    if as_json:
        print_json(
            text=text,
            like=None if like is None else str(like),
            **named(checkpoint),
            num_crystals=len(table),
            hits=[{"rank": hit.rank, "score": hit.score, **hit.record} for hit in hits],
            units={"score": "cosine", **UNITS},
        )
    elif hits:
        hidden = print_hits(hits, list(ranges))
        if hidden:
            note(f"columns hidden for lack of space: {', '.join(hidden)}; widen the terminal, or use --json to see all")
    else:
        note("no crystal passes the filters")


def _open_index(
    index: Path | None, checkpoint: Checkpoint, text_only: bool
) -> tuple[CrystalIndex, ClacEmbedder | OnnxTextTower]:
    """Return the index to search and its embedder; for searches by text only, an embedder that loads fast."""
    from ..data.bundled import bundled_crystals
    from ..search.index import BUNDLED_INDEX, CrystalIndex, bundled_index

    if index is not None:
        table = CrystalIndex.load(index)
        table.require_model(checkpoint.fingerprint)
        return table, _load_encoder(checkpoint, text_only)
    if BUNDLED_INDEX.is_dir():
        table = bundled_index()
        if table.model_fingerprint == checkpoint.fingerprint:
            return table, _load_encoder(checkpoint, text_only)
    embedder = load_embedder(checkpoint)
    crystals = bundled_crystals()
    note(
        f"embedding {crystals.num_rows:,} crystals with this checkpoint; to embed them only once, run "
        f"`clac index mp-crystals -o DIR --model {checkpoint}` and search with --index DIR"
    )
    return CrystalIndex.build(embedder, crystals), embedder


def _load_encoder(checkpoint: Checkpoint, text_only: bool) -> ClacEmbedder | OnnxTextTower:
    from ..inference.onnx_text_tower import OnnxTextTower

    tower = OnnxTextTower.from_checkpoint(checkpoint) if text_only else None
    return load_embedder(checkpoint) if tower is None else tower


def _query_vector(embedder: Any, text: str | None, like: Path | None) -> Any:
    """Embed a text or a crystal as a unit vector `(dim,)`. With both, return the normalized sum."""
    parts = []
    if like is not None:
        parts.append(embedder.encode_crystals([like])[0])
    if text is not None:
        parts.append(embedder.encode_text([text])[0])
    query = sum(parts)
    return query / (query @ query) ** 0.5


__all__ = ["search"]
