"""
Crystals embedded per second, from CIF text to vectors, by stage, and against two other ways to the same vectors: edges
of one crystal at a time and one forward pass after the other, and pymatgen's parser and neighbour search.

    python -m evaluation.benchmarks.embedding_throughput --threads 2
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.symmetry_clac import ANGLE_TOLERANCE, SYMPREC
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import DEFAULT_MODEL

STAGES = ("parse", "edges", "collate", "forward")


@dataclass
class ThroughputArguments:
    """Arguments of the throughput benchmark."""

    model: str = field(default=str(DEFAULT_MODEL), metadata={"help": "Checkpoint: a directory or a Hub id."})
    limit: int = field(default=0, metadata={"help": "Crystals drawn from the bundled data set; 0 takes all."})
    alternative: int = field(default=128, metadata={"help": "Crystals compared with pymatgen, which is slow."})
    threads: int = field(default=2, metadata={"help": "Threads of torch."})
    batch_size: int = field(default=32, metadata={"help": "Crystals a batch."})
    repeats: int = field(default=3, metadata={"help": "Runs; the median counts."})
    seed: int = field(default=0, metadata={"help": "Seed of the draw."})


@torch.inference_mode()
def stage_seconds(embedder: ClacEmbedder, cifs: Sequence[str], batch_size: int) -> dict[str, float]:
    """Seconds in each of `STAGES` for all CIFs, the stages run one after the other over all of them."""
    extractor = embedder.processor.feature_extractor
    parse, crystals = _timed(lambda: [extractor.parse(cif) for cif in cifs])
    parts = [crystals[start : start + batch_size] for start in range(0, len(crystals), batch_size)]
    edges, groups = _timed(lambda: [extractor.graphs(part) for part in parts])
    collate, batches = _timed(lambda: [extractor.collate(group).to(embedder.device) for group in groups])
    forward, _ = _timed(lambda: [_forward(embedder, batch) for batch in batches])
    return dict(zip(STAGES, (parse, edges, collate, forward), strict=True))


def _forward(embedder: ClacEmbedder, batch: Any) -> np.ndarray:
    return embedder.model.get_crystal_features(**batch).pooler_output.float().cpu().numpy()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


@torch.inference_mode()
def encode_one_by_one(embedder: ClacEmbedder, cifs: Sequence[str], batch_size: int) -> np.ndarray:
    """
    Embed with the edges of one crystal at a time, and one forward pass after the other on all threads, while the next
    batch is read. `(num_crystals, D)`.
    """
    extractor = embedder.processor.feature_extractor

    def read(start: int) -> list[dict[str, np.ndarray]]:
        return [extractor.graph(cif) for cif in cifs[start : start + batch_size]]

    rows = []
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(read, 0)
        for start in range(0, len(cifs), batch_size):
            graphs = following.result()
            following = pool.submit(read, start + batch_size)
            rows.append(_forward(embedder, extractor.collate(graphs).to(embedder.device)))
    return np.concatenate(rows)


@torch.inference_mode()
def encode_with_pymatgen(embedder: ClacEmbedder, cifs: Sequence[str], batch_size: int) -> np.ndarray:
    """The alternative: `CifParser` and `Structure.get_all_neighbors` feed the same network. `(num_crystals, D)`."""
    from pymatgen.io.cif import CifParser

    extractor = embedder.processor.feature_extractor
    rows = []
    for start in range(0, len(cifs), batch_size):
        graphs = []
        for cif in cifs[start : start + batch_size]:
            with warnings.catch_warnings():
                # The parser tells of every coordinate that it rounds.
                warnings.simplefilter("ignore")
                structure = CifParser.from_str(cif).parse_structures(primitive=False)[0]
            graphs.append(_pymatgen_graph(structure, extractor.cutoff, extractor.max_neighbors, extractor.symmetry))
        rows.append(_forward(embedder, extractor.collate(graphs).to(embedder.device)))
    return np.concatenate(rows)


def _pymatgen_graph(structure: Any, cutoff: float, max_neighbors: int | None, symmetry: bool) -> dict[str, np.ndarray]:
    """Graph arrays as `ClacFeatureExtractor.graph` gives them, but the cap cuts through shells of equal distances."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    sources, targets, vectors = [], [], []
    for target, neighbors in enumerate(structure.get_all_neighbors(cutoff)):
        for neighbor in sorted(neighbors, key=lambda n: n.nn_distance)[:max_neighbors]:
            sources.append(neighbor.index)
            targets.append(target)
            vectors.append(neighbor.coords - structure[target].coords)
    graph: dict[str, np.ndarray] = {
        "atomic_numbers": np.array(structure.atomic_numbers, dtype=np.int64),
        "edge_index": np.array([sources, targets], dtype=np.int64).reshape(2, -1),
        "edge_vector": np.array(vectors, dtype=np.float32).reshape(-1, 3),
        "volume_per_atom": np.array(structure.volume / len(structure), dtype=np.float32),
        "density": np.array(structure.density, dtype=np.float32),
    }
    if symmetry:
        found = SpacegroupAnalyzer(structure, SYMPREC, ANGLE_TOLERANCE)
        graph["space_group"] = np.array(found.get_space_group_number(), dtype=np.int64)
    return graph


def run(arguments: ThroughputArguments) -> None:
    """
    Measures and prints.

    Raises:
        ClacInputError: an argument is out of range, or there is no checkpoint.
    """
    require_at_least(arguments, 1, "alternative", "threads", "batch_size", "repeats")
    torch.set_num_threads(arguments.threads)
    embedder = ClacEmbedder.from_pretrained(arguments.model)
    cifs = bundled_crystals()["cif"].to_pylist()
    order = np.random.default_rng(arguments.seed).permutation(len(cifs))[: arguments.limit or None]
    cifs = [cifs[row] for row in order]
    subset = cifs[: arguments.alternative]
    # The first pass pays for imports and allocations.
    embedder.encode_crystals(subset[:8])
    encode_with_pymatgen(embedder, subset[:8], arguments.batch_size)

    stages, whole, one_by_one, ours, theirs, differences = [], [], [], [], [], []
    for _ in range(arguments.repeats):
        # Side by side, so that a busy machine slows both.
        seconds, embeds = _timed(lambda: embedder.encode_crystals(cifs, batch_size=arguments.batch_size))
        whole.append(seconds)
        seconds, expected = _timed(lambda: encode_one_by_one(embedder, cifs, arguments.batch_size))
        one_by_one.append(seconds)
        differences.append(float(np.abs(embeds - expected).max()))
        stages.append(stage_seconds(embedder, cifs, arguments.batch_size))
        ours.append(_timed(lambda: embedder.encode_crystals(subset, batch_size=arguments.batch_size))[0])
        theirs.append(_timed(lambda: encode_with_pymatgen(embedder, subset, arguments.batch_size))[0])

    per_stage = {name: median(run[name] for run in stages) for name in STAGES}
    table = Table(
        title=f"{len(cifs):,} crystals, batches of {arguments.batch_size}, {arguments.threads} thread(s), "
        f"{embedder.device}, median of {arguments.repeats}"
    )
    for column in ("", "seconds", "crystals/s", "share of the stages"):
        table.add_column(column, justify="left" if not column else "right")
    for name, seconds in per_stage.items():
        share = seconds / sum(per_stage.values())
        table.add_row(name, f"{seconds:.2f}", f"{len(cifs) / seconds:,.0f}", f"{share:.0%}")
    table.add_section()
    for name, count, seconds in (
        ("encode_crystals", len(cifs), median(whole)),
        ("one crystal at a time", len(cifs), median(one_by_one)),
        (f"encode_crystals, {len(subset)} of them", len(subset), median(ours)),
        (f"with pymatgen, the same {len(subset)}", len(subset), median(theirs)),
    ):
        table.add_row(name, f"{seconds:.2f}", f"{count / seconds:,.0f}", "")
    console = Console()
    console.print(table)
    console.print(
        f"{_ratio(one_by_one, whole)} times as fast as one crystal at a time "
        f"(largest difference of an embedding {max(differences):.0e})",
        highlight=False,
    )
    console.print(
        f"{_ratio(theirs, ours)} times as fast as pymatgen CifParser + get_all_neighbors with the same network",
        highlight=False,
    )


def _ratio(slow: Sequence[float], fast: Sequence[float]) -> str:
    """Median and range of the ratios of alternating runs."""
    ratios = [own / other for own, other in zip(slow, fast, strict=True)]
    return f"{median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"


if __name__ == "__main__":
    run_script(ThroughputArguments, run)
