"""
Convert structures to batches of graphs, for embedding, indexing, prediction and training.

Structures are read as batches are consumed, so that inputs of any length fit in memory. An [`ErrorPolicy`] decides
what happens to invalid structures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..crystal_clac import Crystal, ReadingOptions
from ..errors_clac import ErrorPolicy, InvalidStructureError
from ..structures_clac import DEFAULT_OPTIONS, ParsedStructure, count_structures, parse_each
from ..utils.progress import progress_bar

if TYPE_CHECKING:  # imports torch, which reading tables does not need
    from ..feature_extraction_clac import ClacFeatureExtractor

# Bounds the memory of a batch. A single crystal may exceed it.
ATOMS_PER_BATCH = 4096


def parse_structures(
    structures: Any,
    names: Iterable[str] | None = None,
    *,
    errors: ErrorPolicy,
    options: ReadingOptions = DEFAULT_OPTIONS,
    show_progress: bool | None = None,
) -> Iterator[tuple[int, str, Crystal]]:
    """
    Parse structures without building graphs.

    Args:
        structures: A structure or an iterable of structures, see [`parse_structure`].
        names: Name of each structure in messages. Default: its path, or its index in the input.
        errors: What to do with structures that cannot be parsed.
        options: How to read the structures.
        show_progress: Whether to show a progress bar. Default: only for long work in a terminal.

    Yields:
        Index in the input, name and crystal of each valid structure.

    Raises:
        InvalidStructureError: If a structure cannot be parsed and the policy is `"raise"`.
    """
    with progress_bar("reading crystals", count_structures(structures), show_progress) as bar:
        for place, name, crystal in parse_each(structures, names, options):
            if isinstance(crystal, InvalidStructureError):
                errors.apply(place, crystal)
            else:
                errors.record(name, crystal.warnings)
                yield place, name, crystal
            bar.update()


class CrystalGraph(NamedTuple):
    """
    A crystal and its graph.

    Attributes:
        place: Index in the input, from 0.
        name: Name in messages.
        crystal: The crystal.
        graph: Arrays of the graph, see [`ClacFeatureExtractor.graphs`].
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
    options: ReadingOptions | None = None,
) -> Iterator[list[CrystalGraph]]:
    """
    Convert structures to batches of graphs, in input order.

    Edges are built for many crystals at once, which takes half the time of one crystal at a time. The batches are the
    same.

    Args:
        structures: A structure or an iterable of structures, see [`parse_structure`]. At most one batch is read ahead.
        extractor: Feature extractor that builds the graphs.
        names: Name of each structure in messages. Default: its path, or its index in the input.
        errors: What to do with invalid structures.
        batch_size: Maximum number of crystals in a batch. Batches of large crystals are smaller.
        options: How to read the structures. Default: as the extractor does.

    Yields:
        Batches of one or more valid crystals.

    Raises:
        InvalidStructureError: If a structure is invalid and the policy is `"raise"`.
    """
    options = options or extractor.reading_options
    batch: list[CrystalGraph] = []
    waiting: list[ParsedStructure] = []  # parsed, without edges
    atoms = 0  # in `batch` and `waiting`

    def build() -> None:
        nonlocal atoms
        batch.extend(_with_graphs(waiting, extractor, errors))
        waiting.clear()
        atoms = sum(len(entry.crystal) for entry in batch)

    for entry in parse_each(structures, names, options):
        waiting.append(entry)
        atoms += 0 if isinstance(entry.crystal, InvalidStructureError) else len(entry.crystal)
        if atoms < ATOMS_PER_BATCH and len(batch) + len(waiting) < batch_size:
            continue
        # Only their edges show which of the waiting structures are usable.
        build()
        if atoms > ATOMS_PER_BATCH and len(batch) > 1:
            yield batch[:-1]
            batch, atoms = batch[-1:], len(batch[-1].crystal)
        if atoms >= ATOMS_PER_BATCH or len(batch) >= batch_size:
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
            errors.record(name, crystal.warnings)
            yield CrystalGraph(place, name, crystal, graph)


__all__ = ["CrystalGraph", "graph_batches", "parse_structures"]
