"""Reports of attention: a markdown table, heatmaps of all heads, one head with its tokens, and shares of attention."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS, write_report
from evaluation.reports.tables import markdown_table

_COLOURS = {"before": "#999999", "after": "#0072B2"}
_PAGE_WIDTH = 7.0  # inches
_HEADER = ("attention on", "layer", "texts", "before", "after", "change", "share of tokens")


def attention_markdown(result: Mapping[str, Any]) -> str:
    """Return the table in markdown, with its caption and the command that produced it."""
    rows = []
    for label, own in result["shares"].items():
        for layer, change in enumerate(own["change"]):
            cells = [
                label,
                str(layer + 1),
                f"{own['texts']:,}",
                *(_with_interval(own[name]["layers"][layer]) for name in ("before", "after")),
                _with_interval(change, sign="+"),
                f"{own['tokens']:.3f}",
            ]
            rows.append(cells)
    before = result["before"]
    layers = "" if before["layers"] is None else f", layers {', '.join(map(str, before['layers']))}"
    caption = (
        f"{result['model']} (weights {result['fingerprint']}) and its text encoder before joint training "
        f"({before['text_model']}{layers}). {result['texts']:,} narratives of the split {result['split']}. Share of "
        "the attention of all words, mean over the heads, with 95 % bootstrap intervals over the texts; even attention "
        f"would give the share of tokens. Seed {result['seed']}, commit {result['commit'] or 'unknown'}."
    )
    return "\n".join([markdown_table(_HEADER, rows), "", caption, "", f"    {result['command']}", ""])


def _with_interval(entry: Mapping[str, Any], sign: str = "") -> str:
    low, high = entry["interval"]
    return f"{entry['share']:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _scale(maps: Mapping[str, np.ndarray]) -> PowerNorm:
    """One scale of colours for all maps; by square roots, since most weights are small."""
    return PowerNorm(0.5, vmin=0.0, vmax=max(float(own.max()) for own in maps.values()))


def heads_figure(maps: Mapping[str, np.ndarray]) -> Figure:
    """
    Draw the attention of each layer and head, before and after training, for one sentence.

    Args:
        maps: By model `(layers, heads, L, L)`.
    """
    layers, heads = next(iter(maps.values())).shape[:2]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(_PAGE_WIDTH, 0.62 * len(maps) * layers + 0.4), layout="constrained")
        panels = figure.subplots(len(maps) * layers, heads, squeeze=False)
        for row in range(layers):
            for place, (name, own) in enumerate(maps.items()):
                for head in range(heads):
                    panel = panels[len(maps) * row + place][head]
                    panel.imshow(own[row, head], cmap="Blues", norm=_scale(maps), interpolation="nearest")
                    panel.set_xticks([])
                    panel.set_yticks([])
                    if head == 0:
                        panel.set_ylabel(f"layer {row + 1}\n{name}", fontsize=5)
                    if row == place == 0:
                        panel.set_title(f"head {head + 1}", fontsize=5)
    return figure


def sentence_figure(maps: Mapping[str, np.ndarray], tokens: list[str]) -> Figure:
    """
    Draw the head whose attention training changed most, with the tokens of the sentence.

    Args:
        maps: By model `(layers, heads, L, L)`.
        tokens: The tokens, `L`.
    """
    change = np.abs(maps["after"] - maps["before"]).sum(axis=(2, 3))
    layer, head = np.unravel_index(int(change.argmax()), change.shape)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(_PAGE_WIDTH, 3.9), layout="constrained")
        for panel, (name, own) in zip(figure.subplots(1, len(maps)), maps.items(), strict=True):
            image = panel.imshow(own[layer, head], cmap="Blues", norm=_scale(maps), interpolation="nearest")
            panel.set_title(f"{name}, layer {layer + 1}, head {head + 1}", loc="left")
            panel.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=4.5)
            panel.set_yticks(range(len(tokens)), tokens, fontsize=4.5)
            panel.tick_params(length=1)
        figure.colorbar(image, ax=figure.axes, shrink=0.6, label="attention")
    return figure


def shares_figure(result: Mapping[str, Any]) -> Figure:
    """
    Draw the share of attention of each class of tokens, one panel per layer, with 95 % intervals.

    Args:
        result: Result of `evaluation.attention`.
    """
    shares = result["shares"]
    layers = len(next(iter(shares.values()))["change"])
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 1.1 * layers + 0.9), layout="constrained")
        panels = figure.subplots(layers, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        places = np.arange(len(shares))
        for layer, panel in enumerate(panels):
            for offset, (name, colour) in zip((-0.2, 0.2), _COLOURS.items(), strict=True):
                entries = [own[name]["layers"][layer] for own in shares.values()]
                values = np.array([entry["share"] for entry in entries])
                ends = np.array([entry["interval"] for entry in entries])
                errors = np.clip([values - ends[:, 0], ends[:, 1] - values], 0.0, None)
                panel.bar(places + offset, values, 0.36, yerr=errors, color=colour, error_kw={"elinewidth": 0.7})
            tokens = [own["tokens"] for own in shares.values()]
            panel.plot(places, tokens, linestyle="", marker="_", markersize=14, color="black")
            panel.set_title(f"layer {layer + 1}", loc="left")
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.set_ylim(bottom=0)
        panels[-1].set_xticks(places, [label.replace(" ", "\n") for label in shares], fontsize=6)
        handles: list[Artist] = [Patch(color=colour, label=name) for name, colour in _COLOURS.items()]
        handles.append(Line2D([], [], color="black", marker="_", linestyle="", markersize=10, label="even"))
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        figure.supylabel("share of attention", fontsize=7)
    return figure


def write_attention(result: dict[str, Any], maps: Mapping[str, np.ndarray], path: Path) -> list[Path]:
    """Write `result` to `path` (JSON), its table, and the figures `shares`, `heads`, `sentence`; see `write_report`."""
    more = {"heads": heads_figure(maps), "sentence": sentence_figure(maps, result["tokens"])}
    return write_report(path, result, attention_markdown(result), shares_figure(result), "shares", more)


__all__ = [
    "attention_markdown",
    "heads_figure",
    "sentence_figure",
    "shares_figure",
    "write_attention",
]
