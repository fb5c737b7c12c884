"""
From structures to batches of graphs: the one way that the embedder, the index, the predictor and training take.

Structures are read as batches are consumed, so that inputs of any length fit in memory. What happens to those that
cannot be used is up to an [`ErrorPolicy`].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors_clac import ErrorPolicy, InvalidStructureError
from ..structures_clac import MAX_ATOMS, Crystal, ParsedStructure, count_structures, parse_each
from ..utils.progress import progress_bar

if TYPE_CHECKING:  # it takes torch, which reading tables need not wait for
    from ..feature_extraction_clac import ClacFeatureExtractor

# Bounds the memory of a batch, whatever the sizes of its crystals; one crystal may be larger.
ATOMS_PER_BATCH = 4096


def parse_structures(
    structures: Any,
    names: Iterable[str] | None = None,
    *,
    errors: ErrorPolicy,
    max_atoms: int | None = MAX_ATOMS,
    show_progress: bool | None = None,
) -> Iterator[tuple[int, str, Crystal]]:
    """
    Parse structures, where graphs are not needed.

    Args:
        structures: one or any iterable of them, see [`parse_structure`].
        names: how messages call them, one for each; default the path, or the place in the input.
        errors: what to do about structures that cannot be parsed.
        max_atoms: cells with more atoms are refused; `None` accepts any size.
        show_progress: a progress bar; default on long work at a terminal.

    Yields:
        Place in the input, name and crystal.

    Raises:
        InvalidStructureError: a structure cannot be parsed, and the policy is `"raise"`.
    """
    with progress_bar("reading crystals", count_structures(structures), show_progress) as bar:
        for place, name, crystal in parse_each(structures, names, max_atoms):
            if isinstance(crystal, InvalidStructureError):
                errors.apply(place, crystal)
            else:
                yield place, name, crystal
            bar.update()


class CrystalGraph(NamedTuple):
    """
    A crystal with its graph.

    Attributes:
        place: its place in the input, from 0.
        name: how messages call it.
        crystal: its arrays.
        graph: see [`ClacFeatureExtractor.graphs`].
    """

    place: int
    name: str
    crystal: Crystal
    graph: dict[str, np.ndarray]


def graph_batches(
    structures: Any,
    extractor: ClacFeatureExtractor,
    names: Iterable[str] | None = None,
    *,
    errors: ErrorPolicy,
    batch_size: int = 32,
    max_atoms: int | None = None,
) -> Iterator[list[CrystalGraph]]:
    """
    Read structures into batches of graphs, in the order of the input.

    The batches are those of building one graph at a time, but edges are built for many crystals at once, which takes
    half the time.

    Args:
        structures: one or any iterable of them, see [`parse_structure`]; at most a batch is read ahead.
        extractor: builds the graphs.
        names: how messages call them, one for each; default the path, or the place in the input.
        errors: what to do about structures that cannot be used.
        batch_size: crystals in a batch; large crystals make smaller batches.
        max_atoms: larger cells are refused; default the limit of the extractor.

    Yields:
        Batches of one or more usable crystals.

    Raises:
        InvalidStructureError: a structure is unusable, and the policy is `"raise"`.
    """
    limit = extractor.max_atoms if max_atoms is None else max_atoms
    batch: list[CrystalGraph] = []
    waiting: list[ParsedStructure] = []  # for their edges
    atoms = 0  # of both

    def build() -> None:
        nonlocal atoms
        batch.extend(_with_graphs(waiting, extractor, errors))
        waiting.clear()
        atoms = sum(len(entry.crystal) for entry in batch)

    for entry in parse_each(structures, names, limit):
        size = 0 if isinstance(entry.crystal, InvalidStructureError) else len(entry.crystal)
        if atoms + size > ATOMS_PER_BATCH:
            # Not all that wait need be usable, so that there may still be room.
            build()
            if batch and atoms + size > ATOMS_PER_BATCH:
                yield batch
                batch, atoms = [], 0
        waiting.append(entry)
        atoms += size
        if len(batch) + len(waiting) >= batch_size:
            build()
            if len(batch) >= batch_size:
                yield batch
                batch, atoms = [], 0
    build()
    if batch:
        yield batch


def _with_graphs(
    waiting: list[ParsedStructure], extractor: ClacFeatureExtractor, errors: ErrorPolicy
) -> Iterator[CrystalGraph]:
    graphs = extractor.graphs_or_errors([entry.crystal for entry in waiting], [entry.name for entry in waiting])
    for (place, name, crystal), graph in zip(waiting, graphs, strict=True):
        if isinstance(graph, InvalidStructureError):
            errors.apply(place, graph)
        else:
            assert isinstance(crystal, Crystal)
            yield CrystalGraph(place, name, crystal, graph)


__all__ = ["CrystalGraph", "graph_batches", "parse_structures"]
