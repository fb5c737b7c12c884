"""What reading a file may do: give crystals whose graphs and facts are finite, or name what is wrong with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from modeling_clac import ClacFeatureExtractor
from modeling_clac.crystal_clac import Crystal, ReadingOptions
from modeling_clac.data.facts.crystal_facts import facts_of
from modeling_clac.data.structure_facts import describe_crystal
from modeling_clac.data.structure_writing import cif_text
from modeling_clac.errors_clac import ClacInputError, InvalidStructureError
from modeling_clac.structures_clac import read_structures

_EXTRACTOR = ClacFeatureExtractor(symmetry=True)


def examine(content: str | bytes, disorder: str = "keep") -> str:
    """
    Read a file and do with its structures what `clac index` does.

    Args:
        content: Content of the file.
        disorder: What to do with disorder.

    Returns:
        `"graph"` if it has a valid structure, else `"input error"`.

    Raises:
        Exception: Whatever is neither.
        AssertionError: If a graph has numbers that are not finite, or a message has several lines.
    """
    outcome = "input error"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name, crystal in _structures(content, disorder):
                (graph,) = _EXTRACTOR.graphs_or_errors([crystal], [name])
                if isinstance(graph, InvalidStructureError):
                    _check_message(graph)
                    continue
                assert isinstance(crystal, Crystal)
                for key, array in graph.items():
                    assert np.isfinite(array).all(), f"{key} is not finite"
                describe_crystal(crystal)
                facts_of([crystal])
                cif_text(crystal, name)
                outcome = "graph"
        except ClacInputError as error:
            _check_message(error)
    return outcome


def _structures(content: str | bytes, disorder: str) -> Iterator[tuple[str, Crystal | InvalidStructureError]]:
    for number, (name, crystal) in enumerate(read_structures(content, ReadingOptions(disorder=disorder))):
        yield name, crystal
        if number >= 20:
            return


def _check_message(error: Exception) -> None:
    assert "\n" not in str(error), f"a message of several lines: {error}"
