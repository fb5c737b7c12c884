"""
Maps of the embeddings of crystals and texts in one plane (UMAP, arXiv 1802.03426), before and after training.

    python -m evaluation.embedding_map --before DIR --output runs/map/result.json
"""

from __future__ import annotations

import datetime
import importlib.util
import io
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.pool_texts import query_texts
from evaluation.metrics.embedding_space import modality_gap, nearest_neighbours, purity
from evaluation.reports.embedding_map import map_markdown, write_map
from evaluation.retrieval import describe_model, read_split, sample_pool
from evaluation.texts.before_training import model_before_training, text_encoder_before
from modeling_clac.concepts.elements import ANION_NAMES
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.crystal_facts import facts_of
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError, check_on_error
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.narrator.applications import USES, uses_of_table
from modeling_clac.structures_clac import parse_structure
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance

# Classes of the band gap, by their upper ends in eV.
GAPS = {"no gap": 0.0, "up to 1 eV": 1.0, "1 to 3 eV": 3.0, "above 3 eV": np.inf}
# More anions and uses would have colours that nobody can tell apart.
_MOST_LABELS = 7
# Least number of crystals of a map.
_LEAST = 4
COLOURINGS = ("crystal system", "anion", "band gap", "use")


@dataclass
class MapArguments:
    """Arguments of the maps of embeddings."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    before: str | None = field(
        default=None,
        metadata={
            "help": "Text encoder before joint training: a directory or a Hub id, or `random`. Default: `text_model` "
            "of the training recipe. The graph tower before training has random weights."
        },
    )
    before_layers: str | None = field(
        default=None, metadata={"help": "Its layers in the text tower, such as `0,2,4`. Default: all."}
    )
    split: str = field(default="test", metadata={"help": "Split of the crystals."})
    data: str | None = field(
        default=None, metadata={"help": "Data with this split, see `evaluation.retrieval`. Default: the bundled."}
    )
    pool: int = field(default=1024, metadata={"help": "Number of crystals; a larger split is sampled."})
    neighbors: int = field(default=15, metadata={"help": "Neighbours that UMAP takes as near."})
    min_dist: float = field(default=0.1, metadata={"help": "Least distance of points in the map."})
    purity_neighbors: int = field(default=10, metadata={"help": "Neighbours whose labels are compared and stored."})
    batch_size: int = field(default=64, metadata={"help": "Crystals or texts per batch."})
    on_error: str = field(
        default="raise", metadata={"help": "Invalid crystals: raise an error, or skip and count them."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of pool, narratives, UMAP and bootstrap."})
    output: str | None = field(
        default=None,
        metadata={
            "help": "FILE.json for the result; table.md, the figures, map.html, coordinates.parquet and "
            "neighbours.parquet go to the same directory."
        },
    )


def colour_labels(records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """
    Label crystals for the colours of a map.

    Args:
        records: Records with the columns of the bundled crystals.

    Returns:
        For each of `COLOURINGS` the labels, `(n,)` text; empty where unknown. A crystal has the commonest of its uses
        and no anion if it has several; rare anions and uses are `other`.
    """
    crystals = [parse_structure(record["cif"], str(record["material_id"])) for record in records]
    facts = facts_of(crystals, [record["space_group_number"] for record in records])
    table = FactTable.from_table(pa.Table.from_pylist([dict(record) for record in records]), facts)
    has = {symbol: table.label("anions", symbol) == 1 for symbol in ANION_NAMES}
    anions = [[symbol for symbol, rows in has.items() if rows[row]] for row in range(len(records))]
    uses = [own[USES] for own in uses_of_table(table)]
    frequency = Counter(use for own in uses for use in own)
    vocabulary = load_vocabulary()
    use_names = [vocabulary[max(own, key=lambda use: (frequency[use], use))].name if own else "" for own in uses]
    gaps = [record.get("band_gap") for record in records]
    return {
        "crystal system": np.array([record["crystal_system"] or "" for record in records], dtype=object),
        "anion": _commonest([ANION_NAMES[own[0]] if len(own) == 1 else "" for own in anions]),
        "band gap": np.array(
            ["" if gap is None else next(own for own, high in GAPS.items() if gap <= high) for gap in gaps],
            dtype=object,
        ),
        "use": _commonest(use_names),
    }


def _commonest(labels: Sequence[str]) -> np.ndarray:
    kept = {label for label, _ in Counter(filter(None, labels)).most_common(_MOST_LABELS)}
    return np.array([label if not label or label in kept else "other" for label in labels], dtype=object)


def reduce_to_plane(embeds: np.ndarray, neighbors: int, min_dist: float, seed: int) -> np.ndarray:
    """
    Reduce embeddings to two dimensions by UMAP with the cosine distance.

    Args:
        embeds: `(n, dim)`.
        neighbors: Number of neighbours that UMAP takes as near.
        min_dist: Least distance of points in the map.
        seed: Seed, for which the result is the same on one machine.

    Returns:
        `(n, 2)` float32.
    """
    from umap import UMAP  # compiles code for seconds when imported

    reducer = UMAP(n_neighbors=neighbors, min_dist=min_dist, metric="cosine", random_state=seed, n_jobs=1)
    return np.asarray(reducer.fit_transform(embeds), dtype=np.float32)


def describe_space(
    crystals: np.ndarray, texts: np.ndarray, labels: Mapping[str, np.ndarray], number: int, seed: int
) -> tuple[dict[str, Any], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """
    Measure gap and purity of a space of embeddings.

    Args:
        crystals: Unit vectors `(n, dim)`.
        texts: Unit vectors of their texts, `(n, dim)`.
        labels: Labels of the crystals by colouring.
        number: Number of neighbours.
        seed: Seed of the bootstrap.

    Returns:
        `modality_gap` and `purity` by colouring, for `crystals` among crystals, `texts` among texts and `across`,
        crystals among the texts of others; and the neighbours (rows and cosines) by the same names.
    """
    neighbours = {
        "crystals": nearest_neighbours(crystals, crystals, number, without_own=True),
        "texts": nearest_neighbours(texts, texts, number, without_own=True),
        "across": nearest_neighbours(crystals, texts, number, without_own=True),
    }
    found = {
        colouring: {kind: purity(rows, own, seed) for kind, (rows, _) in neighbours.items()}
        for colouring, own in labels.items()
    }
    return {"modality_gap": modality_gap(crystals, texts, seed), "purity": found}, neighbours


def _parquet(columns: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), buffer, compression="zstd")
    return buffer.getvalue()


def _neighbour_columns(
    model: str, ids: np.ndarray, found: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("model", "kind", "material_id", "rank", "neighbour", "cosine")
    }
    for kind, (rows, cosines) in found.items():
        number, size = rows.shape
        columns["model"] += [model] * (number * size)
        columns["kind"] += [kind] * (number * size)
        columns["material_id"] += np.repeat(ids, size).tolist()
        columns["rank"] += np.tile(np.arange(1, size + 1), number).tolist()
        columns["neighbour"] += ids[rows.ravel()].tolist()
        columns["cosine"] += cosines.ravel().astype(float).tolist()
    return columns


def _encode(
    embedder: ClacEmbedder, records: Sequence[Mapping[str, Any]], arguments: MapArguments
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Embed the crystals of records; also returns row and reason of those that were skipped."""
    found: tuple[np.ndarray, list[tuple[int, str]]] = embedder.encode_crystals(
        [record["cif"] for record in records],
        names=[str(record["material_id"]) for record in records],
        batch_size=arguments.batch_size,
        on_error=arguments.on_error,
        return_skipped=True,
    )
    return found


def _check(arguments: MapArguments) -> None:
    require_at_least(arguments, _LEAST, "pool")
    require_at_least(arguments, 2, "neighbors")
    require_at_least(arguments, 1, "purity_neighbors", "batch_size")
    check_on_error(arguments.on_error, ("raise", "skip"))
    if importlib.util.find_spec("umap") is None:
        raise ClacInputError("umap-learn is not installed; install it with: pip install 'clac-crystals[maps]'")
    if not 0.0 <= arguments.min_dist <= 1.0:
        raise ClacInputError(f"--min_dist {arguments.min_dist}: must be between 0 and 1")
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")


def run(arguments: MapArguments) -> dict[str, Any]:
    """
    Embed crystals and their narratives before and after training, draw the maps, and print and write the result.

    Raises:
        ClacInputError: If an argument, the data or a model is invalid. Nothing is written in that case.
    """
    _check(arguments)
    checkpoint = resolve_checkpoint(arguments.model)
    encoder, layers = text_encoder_before(checkpoint, arguments.before, arguments.before_layers)
    records = read_split(Path(arguments.data or ASSETS / "mp-crystals"), arguments.split)
    pool = sample_pool(records, arguments.pool, arguments.seed)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    before = model_before_training(embedder.model, encoder, layers, arguments.seed).to(embedder.device)  # type: ignore[arg-type]
    embedders = {"before": ClacEmbedder(before, embedder.processor), "after": embedder}
    after, skipped = _encode(embedder, pool, arguments)
    left_out = {row for row, _ in skipped}
    pool = [record for row, record in enumerate(pool) if row not in left_out]
    if len(pool) < _LEAST:
        raise ClacInputError(f"{len(pool)} usable crystal(s) are too few for a map; give at least {_LEAST}")
    texts = query_texts(pool, arguments.seed)["narrative"]
    labels, ids = colour_labels(pool), np.array([str(record["material_id"]) for record in pool], dtype=object)
    spaces: dict[str, Any] = {}
    points: dict[str, np.ndarray] = {}
    neighbours: dict[str, list[Any]] = {}
    for name, own in embedders.items():
        crystals = after if own is embedder else _encode(own, pool, arguments)[0]
        embeds = own.encode_text(texts, batch_size=arguments.batch_size)
        spaces[name], found = describe_space(crystals, embeds, labels, arguments.purity_neighbors, arguments.seed)
        for column, values in _neighbour_columns(name, ids, found).items():
            neighbours.setdefault(column, []).extend(values)
        near = min(arguments.neighbors, 2 * len(pool) - 1)
        points[name] = reduce_to_plane(np.concatenate([crystals, embeds]), near, arguments.min_dist, arguments.seed)
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "before": {"text_model": encoder, "layers": layers},
        "split": arguments.split,
        "pool": len(pool),
        "skipped": [reason for _, reason in skipped],
        "seed": arguments.seed,
        "spaces": spaces,
        "command": shlex.join(["python", "-m", "evaluation.embedding_map", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print(map_markdown(result))
    if arguments.output is not None:
        size = len(pool)
        coordinates = _parquet({
            "material_id": np.tile(ids, 2).tolist(),
            "formula": [record["formula"] for record in pool] * 2,
            "kind": ["crystal"] * size + ["text"] * size,
            "text": texts * 2,
            **{f"{axis}_{name}": own[:, place] for name, own in points.items() for place, axis in enumerate("xy")},
            **{colouring.replace(" ", "_"): np.tile(own, 2).tolist() for colouring, own in labels.items()},
        })  # fmt: skip
        files = {"coordinates.parquet": coordinates, "neighbours.parquet": _parquet(neighbours)}
        names = [f"{identity}, {record['formula']}" for identity, record in zip(ids, pool, strict=True)]
        for path in write_map(result, points, labels, names, files, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(MapArguments, run)
