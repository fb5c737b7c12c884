"""Reports of maps of embeddings: a markdown table, static figures, and a page to explore that works offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation.reports.figures import SETTINGS, write_report
from evaluation.reports.tables import markdown_table

_PAGE_WIDTH = 7.0  # inches
# Palette of Okabe and Ito; unknown is light grey.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A900")
_UNKNOWN = "#DDDDDD"
_SERIES = {"crystal": "o", "text": "^"}
# Orders of labels that are not by frequency.
_ORDERED = {
    "crystal system": ("cubic", "hexagonal", "trigonal", "tetragonal", "orthorhombic", "monoclinic", "triclinic"),
    "band gap": ("no gap", "up to 1 eV", "1 to 3 eV", "above 3 eV"),
}


def map_markdown(result: Mapping[str, Any]) -> str:
    """Return the tables in markdown, with their caption and the command that produced them."""
    spaces = result["spaces"]
    rows: list[tuple[str, ...]] = []
    for label, key in (
        ("modality gap", "gap"),
        ("cosine of a crystal and its text", "pairs"),
        ("cosine of a crystal and another text", "others"),
        ("cosine of two crystals", "crystals"),
        ("cosine of two texts", "texts"),
    ):
        rows.append((label, *(f"{own['modality_gap'][key]:.3f}" for own in spaces.values())))
    cosines = markdown_table(("", *spaces), rows)
    rows = []
    for colouring, kinds in next(iter(spaces.values()))["purity"].items():
        for kind in kinds:
            found = [own["purity"][colouring][kind] for own in spaces.values()]
            chance = found[0]["chance"]
            cells = [_with_interval(own) for own in found]
            own_row = (colouring, kind, f"{found[0]['points']:,}", *cells, "" if chance is None else f"{chance:.3f}")
            rows.append(own_row)
    purities = markdown_table(("purity", "neighbours", "points", *spaces, "chance"), rows)
    before = result["before"]
    caption = (
        f"{result['model']} (weights {result['fingerprint']}), {result['pool']:,} crystals of the split "
        f"{result['split']} and their narratives; before training: text encoder {before['text_model']}, graph tower "
        "and projections with random weights. Modality gap: distance of the mean crystal and the mean text. Purity: "
        f"share of the {result['arguments']['purity_neighbors']} nearest neighbours with the same label, in the full "
        f"space, with 95 % intervals. Seed {result['seed']}, commit {result['commit'] or 'unknown'}."
    )
    return "\n".join([cosines, "", purities, "", caption, "", f"    {result['command']}", ""])


def _with_interval(entry: Mapping[str, Any]) -> str:
    if entry["purity"] is None:
        return ""
    return f"{entry['purity']:.3f} [{entry['interval'][0]:.3f}, {entry['interval'][1]:.3f}]"


def label_colours(colouring: str, labels: np.ndarray) -> dict[str, str]:
    """
    Choose a colour for each label.

    Args:
        colouring: Key of the labels, such as `crystal system`.
        labels: Label of each crystal, empty if unknown.

    Returns:
        Colours by label, in the order of the legend; the unknown come first, so that they are drawn below.
    """
    names, counts = np.unique(labels[labels != ""].astype(str), return_counts=True)
    found = names[np.argsort(-counts, kind="stable")].tolist()
    order = [own for own in _ORDERED.get(colouring, ()) if own in found]
    order = [*order, *(own for own in found if own not in order and own != "other")]
    colours = {"": _UNKNOWN} if (labels == "").any() else {}
    if "other" in found:
        colours["other"] = "#AAAAAA"
    return colours | {own: _PALETTE[place % len(_PALETTE)] for place, own in enumerate(order)}


def map_figure(points: Mapping[str, np.ndarray], colouring: str, labels: np.ndarray) -> Figure:
    """
    Draw the maps of all models in one colouring.

    Args:
        points: By model the places of crystals, then texts, `(2n, 2)`.
        colouring: Key of the labels.
        labels: Label of each crystal, `(n,)`.
    """
    colours = label_colours(colouring, labels)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(_PAGE_WIDTH, 3.7), layout="constrained")
        for panel, (name, own) in zip(figure.subplots(1, len(points)), points.items(), strict=True):
            for marker, places in zip(_SERIES.values(), np.split(own, 2), strict=True):
                for label, colour in colours.items():
                    rows = labels == label
                    panel.scatter(*places[rows].T, s=5, c=colour, marker=marker, linewidths=0, alpha=0.75)
            panel.set_title(f"{name} training", loc="left")
            panel.set_xticks([])
            panel.set_yticks([])
            panel.set_xlabel("UMAP 1")
            panel.set_ylabel("UMAP 2")
        handles = [
            Line2D([], [], linestyle="", marker=marker, color="0.3", markersize=3.5, label=f"{kind}s")
            for kind, marker in _SERIES.items()
        ]
        handles += [
            Line2D([], [], linestyle="", marker="s", color=colour, markersize=3.5, label=label or "unknown")
            for label, colour in sorted(colours.items(), key=lambda entry: entry[0] in ("", "other"))
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, title=colouring)
    return figure


def map_page(
    points: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], names: Sequence[str], title: str
) -> str:
    """
    Write a page with one map that can be zoomed; a menu chooses the model and the colouring.

    Args:
        points: By model the places of crystals, then texts, `(2n, 2)`.
        labels: By colouring the label of each crystal, `(n,)`.
        names: Name of each crystal.
        title: Title of the page.

    Returns:
        HTML that contains the script of plotly, so that it works offline.
    """
    figure, groups = go.Figure(), []
    for model, own in points.items():
        for colouring, values in labels.items():
            start = len(figure.data)
            for label, colour in label_colours(colouring, values).items():
                rows = np.flatnonzero(values == label).tolist()
                for kind, places in zip(_SERIES, np.split(own, 2), strict=True):
                    symbol = "circle" if kind == "crystal" else "triangle-up"
                    figure.add_trace(
                        go.Scattergl(
                            x=places[rows, 0],
                            y=places[rows, 1],
                            mode="markers",
                            name=label or "unknown",
                            legendgroup=label,
                            showlegend=kind == "crystal",
                            marker={
                                "color": colour,
                                "size": 6,
                                "symbol": symbol,
                            },
                            text=[f"{kind}: {names[row]}" for row in rows],
                            hovertemplate="%{text}<extra>" + (label or "unknown") + "</extra>",
                            visible=False,
                        )
                    )
            groups.append((f"{colouring}, {model} training", range(start, len(figure.data))))
    buttons = [
        {
            "label": label,
            "method": "update",
            "args": [{"visible": [place in shown for place in range(len(figure.data))]}],
        }
        for label, shown in groups
    ]
    first = next(place for place, (label, _) in enumerate(groups) if "after" in label)
    for place in groups[first][1]:
        figure.data[place].visible = True
    hidden = {"visible": False}
    figure.update_layout(
        title={"text": title},
        xaxis=hidden,
        yaxis={**hidden, "scaleanchor": "x"},
        height=800,
        updatemenus=[{"buttons": buttons, "active": first, "x": 0, "xanchor": "left", "y": 1.06}],
        legend={"itemsizing": "constant"},
    )
    page: str = figure.to_html(include_plotlyjs=True, config={"displaylogo": False, "responsive": True})
    return page


def write_map(
    result: dict[str, Any],
    points: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    names: Sequence[str],
    files: Mapping[str, bytes],
    path: Path,
) -> list[Path]:
    """
    Write the report.

    Args:
        result: Result of `evaluation.embedding_map`.
        points: By model the places of crystals, then texts, `(2n, 2)`.
        labels: By colouring the label of each crystal, `(n,)`.
        names: Name of each crystal.
        files: Further files, by name.
        path: File of the result (JSON).

    Returns:
        The files, see `write_report`.
    """
    figures = {colouring: map_figure(points, colouring, own) for colouring, own in labels.items()}
    first, *others = figures
    page = map_page(points, labels, names, f"{result['model']}: {result['pool']:,} crystals and their texts")
    return write_report(
        path,
        result,
        map_markdown(result),
        figures[first],
        _file_name(first),
        {_file_name(own): figures[own] for own in others},
        {**files, "map.html": page.encode()},
    )


def _file_name(colouring: str) -> str:
    return f"map_{colouring.replace(' ', '_')}"


__all__ = ["label_colours", "map_figure", "map_markdown", "map_page", "write_map"]
