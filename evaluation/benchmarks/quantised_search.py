"""
A search by meaning with weights in int8: which answers stay, how large the model is, and CPU time of a query.

    python -m evaluation.benchmarks.quantised_search

Linear layers are quantised dynamically: weights in int8, activations in int8 with the range of each batch.
"""

from __future__ import annotations

import io
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from evaluation.benchmarks.common import write_figures
from modeling_clac.data.bundled import SPLITS, bundled_files, read_table
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import read_yaml, require_at_least, run_script
from modeling_clac.utils.paths import DEFAULT_MODEL

QUERIES = Path(__file__).parents[1] / "queries" / "development.yaml"


@dataclass
class QuantisedArguments:
    """Arguments of the benchmark of int8 weights."""

    model: str = field(default=str(DEFAULT_MODEL), metadata={"help": "Checkpoint: a directory or a Hub id."})
    queries: int = field(default=0, metadata={"help": "Queries of the development set; 0: all."})
    crystals: int = field(default=0, metadata={"help": "Crystals of the validation split; 0: all."})
    k: int = field(default=10, metadata={"help": "Answers of a query that are compared."})
    threads: int = field(default=1, metadata={"help": "Threads of torch."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


def quantised(model: nn.Module) -> nn.Module:
    """Return a copy of a model whose linear layers have weights in int8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch points to its successor, a package of its own
        copy: nn.Module = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    return copy


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k largest scores of each row, best first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean share of the answers `(num_queries, k)` that two searches have in common."""
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(one.tolist(), other.tolist(), strict=True)]))


def size_of(model: nn.Module) -> int:
    """Return the size of the saved weights in bytes."""
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    return stream.tell()


@torch.inference_mode()
def run(arguments: QuantisedArguments) -> dict[str, Any]:
    """
    Search the crystals of the validation split with both models, print a table, and return the figures.

    The crystals are embedded by each model as well, so that all of a search is in int8.

    Raises:
        ClacInputError: If an argument is out of range, or there is no checkpoint.
    """
    require_at_least(arguments, 1, "k", "threads")
    require_at_least(arguments, 0, "queries", "crystals")
    torch.set_num_threads(arguments.threads)
    texts = [entry["text"] for entry in read_yaml(QUERIES)][: arguments.queries or None]
    validation = bundled_files()[SPLITS.index("validation")]
    cifs = read_table(validation)["cif"].to_pylist()[: arguments.crystals or None]
    whole = ClacEmbedder.from_pretrained(arguments.model)
    found: dict[str, dict[str, Any]] = {}
    for name, model in {"float32": whole.model, "int8": quantised(whole.model)}.items():
        embedder = ClacEmbedder(model, whole.processor)
        crystals = embedder.encode_crystals(cifs)
        embedder.encode_text(texts[:1])
        started = time.process_time()  # which does not depend on what else the machine does
        for text in texts:
            embedder.encode_text([text])
        seconds = time.process_time() - started
        queries = embedder.encode_text(texts)
        found[name] = {
            "megabytes": size_of(model) / 1e6,
            "milliseconds": 1000 * seconds / len(texts),
            "answers": best(queries @ crystals.T, arguments.k),
            "embeds": np.concatenate([queries, crystals]),
        }
    one, other = found["float32"], found["int8"]
    cosines = (one["embeds"] * other["embeds"]).sum(axis=1)
    figures = {
        "queries": len(texts),
        "crystals": len(cifs),
        "overlap": overlap(one["answers"], other["answers"]),
        "same_first": float(np.mean(one["answers"][:, 0] == other["answers"][:, 0])),
        "smallest_cosine": float(cosines.min()),
        **{key: {name: found[name][key] for name in found} for key in ("megabytes", "milliseconds")},
        "arguments": asdict(arguments),
    }
    table = Table(title=f"{len(texts)} phrases, {len(cifs):,} crystals, {arguments.threads} thread(s)")
    for column in ("weights", "MB", "CPU ms a phrase", f"same of {arguments.k} answers", "same first answer"):
        table.add_column(column, justify="left" if column == "weights" else "right")
    for name, shares in (
        ("float32", ("", "")),
        ("int8", (f"{figures['overlap']:.3f}", f"{figures['same_first']:.3f}")),
    ):
        table.add_row(name, f"{found[name]['megabytes']:.1f}", f"{found[name]['milliseconds']:.1f}", *shares)
    Console().print(table)
    write_figures(figures, arguments.output)
    return figures


if __name__ == "__main__":
    run_script(QuantisedArguments, run)
