"""
Overview figure of the README: two towers, one embedding space, and the actual results of the query in `make demo`.

    python -m evaluation.overview_figure --output_dir docs
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.index import bundled_index
from modeling_clac.utils.arguments import run_script

QUERY = "lithium oxide solid electrolyte for batteries"
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#999999"


@dataclass
class OverviewArguments:
    """Arguments of the figure."""

    output_dir: str = field(default="docs", metadata={"help": "Directory for overview.png and overview.svg."})


def _box(axes: Any, x: float, y: float, text: str, color: str, width: float = 2.1) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, 0.95, boxstyle="round,pad=0.06", facecolor=color, alpha=0.14, edgecolor=color, linewidth=1.2
        )
    )
    axes.text(x + width / 2, y + 0.475, text, ha="center", va="center", fontsize=8)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=color, linewidth=1.2))


def draw() -> plt.Figure:
    """Draw the figure, 7 inches wide; the map shows the first two principal components of the bundled embeddings."""
    index, embedder = bundled_index(), ClacEmbedder.from_pretrained()
    query = embedder.encode_text(QUERY)[0]
    hits = index.search(query, k=4)
    center = index.embeds.mean(axis=0)
    _, _, axes_of_space = np.linalg.svd(index.embeds - center, full_matrices=False)
    flat = (index.embeds - center) @ axes_of_space[:2].T
    best = flat[[hit.row for hit in hits]]

    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.9), width_ratios=[1.25, 1], layout="constrained")
    left.set(xlim=(0, 8.1), ylim=(0, 4.2))
    left.axis("off")
    _box(left, 0.1, 2.8, "crystal\n(CIF)", _BLUE, 1.5)
    _box(left, 2.3, 2.8, "graph tower\nPaiNN, CGCNN", _BLUE)
    _box(left, 0.1, 0.5, "sentence", _ORANGE, 1.5)
    _box(left, 2.3, 0.5, "text tower\nany BERT", _ORANGE)
    _box(left, 5.5, 1.65, "one space:\nnear = they belong\ntogether", _GREY, 2.4)
    for y, color in ((3.27, _BLUE), (0.97, _ORANGE)):
        _arrow(left, (1.7, y), (2.25, y), color)
        _arrow(left, (4.5, y), (5.45, 2.35 if y > 2 else 1.9), color)
    left.text(0.1, 0.05, f"“{QUERY}”", fontsize=7, color=_ORANGE, style="italic")

    right.scatter(*flat.T, s=1, color=_GREY, alpha=0.35, linewidths=0, rasterized=True)
    right.scatter(*best.T, s=28, color=_BLUE, zorder=3, label="best answers")
    answers = "\n".join(f"{hit.rank}  {hit.record['formula']}" for hit in hits)
    right.text(0.02, 0.98, f"answers\n{answers}", transform=right.transAxes, va="top", fontsize=7.5, color=_BLUE)
    right.set(xticks=[], yticks=[])
    right.set_title(f"{len(index):,} crystals, a plane of the space", fontsize=8)
    return figure


def run(arguments: OverviewArguments) -> None:
    """Draw the figure and write it as PNG and SVG."""
    output = Path(arguments.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    figure = draw()
    for suffix in ("png", "svg"):
        figure.savefig(output / f"overview.{suffix}", dpi=200)
        print(f"wrote {output / f'overview.{suffix}'}")


if __name__ == "__main__":
    run_script(OverviewArguments, run)
