"""The ways of searching that the benchmark of large indexes compares, each measured in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.benchmarks.scale_data import Clusters
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.search.filters import Filters
from modeling_clac.search.index import CrystalIndex
from modeling_clac.search.index_files import EMBEDDINGS, GRAPH
from modeling_clac.search.neighbors import build_graph
from modeling_clac.search.text_search import ranked_hits
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import Query
from modeling_clac.search.vector_files import open_vectors

# Filters that many crystals pass, and few.
FILTERS = {"oxides": Filters(["O"]), "lithium, gap above 3 eV": Filters(["Li"], ranges={"band_gap": (3, None)})}
UNDERSTOOD = ("lead-free halide perovskite", "layered sulfides lighter than 4 g/cm3", "hard ceramic")


@dataclass(frozen=True)
class WayArguments:
    """
    What to measure.

    Attributes:
        way: One of `WAYS`.
        directory: Directory of the synthetic index.
        queries: Number of queries.
        k: Number of crystals to find.
        seed: Seed of the vectors.
        threads: Number of threads.
    """

    way: str
    directory: str
    queries: int
    k: int
    seed: int
    threads: int


def memory_gb() -> dict[str, float]:
    """Return the resident memory of this process in GB, and the part of it that is not mapped from files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {name: int(lines[key].split()[0]) / 1e6 for name, key in (("resident", "VmRSS"), ("own", "RssAnon"))}


def milliseconds(call: Callable[[Any], Any], inputs: Any) -> dict[str, list[float]]:
    """
    Time a call for each input, after one that is not counted.

    Args:
        call: Function of an input.
        inputs: The inputs.

    Returns:
        `wall`, and `cpu`, the time of all threads, which does not depend on what else the machine does.
    """
    call(inputs[0])
    found: dict[str, list[float]] = {"wall": [], "cpu": []}
    for value in inputs:
        started, used = time.perf_counter(), time.process_time()
        call(value)
        found["wall"].append(1000 * (time.perf_counter() - started))
        found["cpu"].append(1000 * (time.process_time() - used))
    return found


def _seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def _search(index: CrystalIndex, k: int, filters: Filters, query: np.ndarray) -> Any:
    return index.search(query, k, filters)


def _ranked(index: CrystalIndex, k: int, vocabulary: Vocabulary, read: Query, query: np.ndarray) -> Any:
    return ranked_hits(index, query, read, vocabulary, k)


def _clac(arguments: WayArguments, queries: np.ndarray) -> dict[str, Any]:
    """Exact search in the index of this package, with filters, and with constraints that are read from a text."""
    directory = Path(arguments.directory)
    load, index = _seconds(lambda: CrystalIndex.load(directory))
    loaded = memory_gb()
    k = arguments.k
    first, _ = _seconds(lambda: index.search(queries[0], k))
    found: dict[str, Any] = {
        "load_s": load,
        "first_query_s": first,
        "memory_loaded_gb": loaded,
        "query_ms": milliseconds(lambda query: index.search(query, k), queries),
        "memory_gb": memory_gb(),
        "filtered_ms": {name: milliseconds(partial(_search, index, k, own), queries) for name, own in FILTERS.items()},
        "filtered_rows": {name: int(index.mask(own).sum()) for name, own in FILTERS.items()},
    }
    vocabulary = load_vocabulary()
    read = {text: understand(text, vocabulary) for text in UNDERSTOOD}
    found["first_understood_s"], _ = _seconds(
        lambda: ranked_hits(index, queries[0], read[UNDERSTOOD[0]], vocabulary, k)
    )
    found["understood_ms"] = {
        text: milliseconds(partial(_ranked, index, k, vocabulary, own), queries[:8]) for text, own in read.items()
    }
    found["memory_understood_gb"] = memory_gb()
    found["size_gb"] = sum(path.stat().st_size for path in directory.iterdir() if path.name != GRAPH) / 1e9
    return found


def _clac_graph(arguments: WayArguments, queries: np.ndarray) -> dict[str, Any]:
    """Search by the graph of neighbours, and how many of the right crystals it finds."""
    directory = Path(arguments.directory)
    build = 0.0
    if not (directory / GRAPH).is_file():
        build, _ = _seconds(lambda: build_graph(open_vectors(directory / EMBEDDINGS), directory / GRAPH))
    index = CrystalIndex.load(directory)
    k = arguments.k
    first, _ = _seconds(lambda: index.nearest(queries[0], k, None, True))
    found: dict[str, Any] = {
        "build_s": build,
        "first_query_s": first,
        "query_ms": milliseconds(lambda query: index.nearest(query, k, None, True), queries),
        "memory_gb": memory_gb(),
        "size_gb": (directory / GRAPH).stat().st_size / 1e9,
        "filtered_ms": {},
        "recall": _recall(index, queries, k, None),
        "filtered_recall": {},
    }
    for name, own in FILTERS.items():
        rows = np.flatnonzero(index.mask(own))
        found["filtered_ms"][name] = milliseconds(lambda query: index.search(query, k, own, True), queries)  # noqa: B023
        found["filtered_recall"][name] = _recall(index, queries, k, rows)
    return found


def _recall(index: CrystalIndex, queries: np.ndarray, k: int, rows: np.ndarray | None) -> float:
    shares = []
    for query in queries:
        exact, near = (index.nearest(query, k, rows, way) for way in (False, True))
        shares.append(len(np.intersect1d(exact, near)) / len(exact))
    return float(np.mean(shares))


def _faiss_flat(arguments: WayArguments, queries: np.ndarray) -> dict[str, Any]:
    """Exact search of faiss in float32."""
    import faiss

    faiss.omp_set_num_threads(arguments.threads)
    parameters: Any = faiss.SearchParameters  # whose types lack `sel`
    index = CrystalIndex.load(arguments.directory)
    vectors = index.vectors
    flat = faiss.IndexFlatIP(vectors.dim)

    def build() -> None:
        for start in range(0, len(vectors), 1 << 16):
            flat.add(np.ascontiguousarray(vectors[start : start + (1 << 16)]))

    seconds, _ = _seconds(build)
    k = arguments.k
    found: dict[str, Any] = {
        "build_s": seconds,
        "query_ms": milliseconds(lambda query: flat.search(query[None], k), queries),
        "memory_gb": memory_gb(),
        "filtered_ms": {},
    }
    for name, own in FILTERS.items():
        chosen = parameters(sel=faiss.IDSelectorBatch(np.flatnonzero(index.mask(own))))
        found["filtered_ms"][name] = milliseconds(lambda query: flat.search(query[None], k, params=chosen), queries)  # noqa: B023
    agreement = [len(np.intersect1d(flat.search(query[None], k)[1], index.nearest(query, k))) / k for query in queries]
    found["agreement_with_clac"] = float(np.mean(agreement))
    return found


def _usearch_exact(arguments: WayArguments, queries: np.ndarray) -> dict[str, Any]:
    """Exact search of usearch in the file of float16 vectors."""
    from usearch.index import MetricKind, search

    vectors = open_vectors(Path(arguments.directory) / EMBEDDINGS)
    half = queries.astype(np.float16)
    stored = np.asarray(vectors.stored)

    def nearest(query: np.ndarray) -> Any:
        return search(stored, query, arguments.k, MetricKind.Cos, exact=True, threads=arguments.threads)

    return {"query_ms": milliseconds(nearest, half), "memory_gb": memory_gb()}


WAYS: dict[str, Callable[[WayArguments, np.ndarray], dict[str, Any]]] = {
    "clac": _clac,
    "clac --ann": _clac_graph,
    "faiss flat": _faiss_flat,
    "usearch exact": _usearch_exact,
}


def measure(arguments: WayArguments) -> dict[str, Any]:
    """Measure one way."""
    described = json.loads((Path(arguments.directory) / "index.json").read_text(encoding="utf-8"))
    queries = Clusters(described["num_crystals"], described["dim"], arguments.seed).queries(arguments.queries)
    return WAYS[arguments.way](arguments, queries)


if __name__ == "__main__":
    # Without the parser of arguments, which imports transformers and with it as much memory as the index takes.
    print(json.dumps(measure(WayArguments(**json.loads(sys.argv[1])))))
