"""
Coordinates of the map of `clac app`: the embeddings of an index reduced to a plane by UMAP (arXiv 1802.03426).

    python -m evaluation.index_map --index modeling_clac/assets/mp-index
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.embedding_map import reduce_to_plane
from modeling_clac.app.map_view import write_map
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search.index import BUNDLED_INDEX, CrystalIndex
from modeling_clac.search.index_files import MAP
from modeling_clac.utils.arguments import require_at_least, run_script


@dataclass
class IndexMapArguments:
    """Arguments of the map of an index."""

    index: str | None = field(default=None, metadata={"help": "Directory of the index. Default: the bundled one."})
    neighbors: int = field(default=15, metadata={"help": "Neighbours that UMAP takes as near."})
    min_dist: float = field(default=0.1, metadata={"help": "Least distance of points in the map."})
    seed: int = field(default=0, metadata={"help": "Seed of UMAP."})


def run(arguments: IndexMapArguments) -> None:
    """
    Reduce the embeddings of an index, and store the coordinates with it.

    Raises:
        ClacInputError: If an argument or the index is invalid, or umap-learn is not installed.
    """
    require_at_least(arguments, 2, "neighbors")
    if not 0.0 <= arguments.min_dist <= 1.0:
        raise ClacInputError(f"--min_dist {arguments.min_dist}: must be between 0 and 1")
    if importlib.util.find_spec("umap") is None:
        raise ClacInputError("umap-learn is not installed; install it with: pip install 'clac-crystals[maps]'")
    directory = Path(arguments.index or BUNDLED_INDEX)
    index = CrystalIndex.load(directory)
    if len(index) <= arguments.neighbors:
        raise ClacInputError(f"{directory}: {len(index)} crystals are too few for {arguments.neighbors} neighbours")
    points = reduce_to_plane(index.embeds, arguments.neighbors, arguments.min_dist, arguments.seed)
    write_map(directory, points, index.model_fingerprint)
    print(f"{directory / MAP}: {len(index):,} crystals")


if __name__ == "__main__":
    run_script(IndexMapArguments, run)
