"""The page of `clac explain`: a crystal and a sentence, coloured by what made them match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ..inference.attribution import BondKind, Explanation, symbol_of
from ..inference.integrated_gradients import TOLERANCE

# Blue speaks for the match, orange against it (palette of Okabe and Ito); white is zero.
_FOR, _AGAINST = (0, 114, 178), (213, 94, 0)
_SCALE = [[0.0, f"rgb{_AGAINST}"], [0.5, "rgb(240, 240, 240)"], [1.0, f"rgb{_FOR}"]]
# Along no axis of symmetry, where atoms would hide each other.
_CAMERA = {"eye": {"x": 1.6, "y": 0.8, "z": 0.5}}
_MOST_BONDS = 150
_MOST_ROWS = 12
# Atoms of a cell with more are drawn smaller and without symbols, which would hide each other.
_LARGE_CELL = 40
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.sentence { font-size: 1.15rem; line-height: 1.3; } .sentence span { display: inline-block; text-align: center; }
.sentence b { display: block; padding: .15em .2em; border-radius: .2em; font-weight: normal; }
.sentence small { display: block; color: #555; font-size: .75rem; min-height: 1.3em; }
.columns { display: flex; flex-wrap: wrap; gap: 0 3rem; } .note { color: #555; font-size: .9rem; }
"""


def explanation_page(explanation: Explanation, title: str, facts: Mapping[str, str]) -> str:
    """
    Write a page that works offline: the sentence, the crystal to turn with the mouse, and tables.

    Args:
        explanation: The explanation.
        title: Name of the crystal.
        facts: Lines below the title by label, such as the probability and the model.

    Returns:
        HTML.
    """
    figure = crystal_figure(explanation)
    # The script of plotly is part of the page, so that it needs no network.
    drawing = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False, "responsive": True})
    crystal, words = explanation.crystal, explanation.words
    bonds = sorted(explanation.bond_kinds, key=lambda kind: -abs(kind.attribution))
    others = [*_numbers(crystal.facts), ("start of the path", _number(crystal.path.baseline))]
    gap = max(abs(crystal.path.gap), abs(words.path.gap))
    warning = (
        f" <strong>The sums miss the cosine by up to {gap:.4f}; read single numbers with care.</strong>"
        if gap > TOLERANCE
        else ""
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>",
        "<body>",
        f"<h1>Why {escape(title)} and the text match</h1>",
        _table(("", ""), [(escape(label), escape(value)) for label, value in facts.items()]),
        "<h2>Words</h2>",
        f'<p class="sentence">{_sentence(explanation)}</p>',
        "<h2>Crystal</h2>",
        drawing,
        '<div class="columns">',
        f"<div><h2>Atoms</h2>{_table(('element', 'sum'), _numbers(explanation.elements))}</div>",
        f"<div><h2>Bonds</h2>{_bond_table(bonds)}</div>",
        f"<div><h2>Whole crystal</h2>{_table(('fact', 'attribution'), others)}</div>",
        "</div>",
        '<p class="note">Blue speaks for the match, orange against it. Integrated gradients of the cosine, for the '
        "crystal with the text kept and for the words with the crystal kept. The numbers of the crystal and the start "
        f"of the path add up to the cosine, {explanation.cosine:.3f}, within {abs(crystal.path.gap):.4f}; those of the "
        f"words and their start, {_number(words.path.baseline)}, within {abs(words.path.gap):.4f}. Bonds are edges of "
        "the graph up to its cutoff, not only chemical bonds. Attributions say what the model used, not what causes "
        f"a property.{warning}</p>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def crystal_figure(explanation: Explanation) -> Any:
    """
    Draw the atoms of the cell and the bonds with the largest attributions, coloured by attribution.

    Args:
        explanation: The explanation.

    Returns:
        A plotly figure. Atoms outside the cell are small.
    """
    structure, crystal = explanation.structure, explanation.crystal
    size = 13 * min(1.0, _LARGE_CELL / len(structure)) ** (1 / 3)
    positions, largest = structure.positions, _largest(crystal.atoms)
    figure = go.Figure()
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    edges = [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and (b - a >= 0).all()]
    _lines(figure, [(a @ structure.cell, b @ structure.cell) for a, b in edges], "rgb(170, 170, 170)", 1)
    chosen = np.argsort(-np.abs(crystal.bonds))[: 2 * _MOST_BONDS]
    strongest = _largest(crystal.bonds)
    # A few steps of colour, so that one trace draws many bonds.
    by_colour: dict[tuple[str, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    outside = []
    for edge in chosen.tolist():
        source, target = crystal.edge_index[:, edge].tolist()
        start, end = positions[target], positions[target] + crystal.edge_vector[edge]
        if np.linalg.norm(end - positions[source]) > 1e-3:
            outside.append((end, source))
        else:
            end = (start + end) / 2  # the reverse bond draws the other half
        level = round(3 * float(crystal.bonds[edge] / strongest))
        by_colour.setdefault((_colour(level / 3), 2 + 2 * abs(level)), []).append((start, end))
    for (colour, width), segments in by_colour.items():
        _lines(figure, segments, colour, width)
    if outside:
        ends, atoms = zip(*outside, strict=True)
        _atoms(figure, np.array(ends), atoms, explanation, 0.4 * size, largest)
    _atoms(figure, positions, list(range(len(structure))), explanation, size, largest, inside=True)
    hidden = {"visible": False}
    figure.update_layout(
        scene={"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data", "camera": _CAMERA},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        height=480,
        showlegend=False,
    )
    return figure


def _atoms(
    figure: Any,
    positions: np.ndarray,
    atoms: Sequence[int],
    explanation: Explanation,
    size: float,
    largest: float,
    inside: bool = False,
) -> None:
    symbols = [symbol_of(explanation.structure.atomic_numbers[atom]) for atom in atoms]
    values = explanation.crystal.atoms[list(atoms)]
    figure.add_trace(
        go.Scatter3d(
            x=positions[:, 0],
            y=positions[:, 1],
            z=positions[:, 2],
            mode="markers+text" if inside and len(atoms) <= _LARGE_CELL else "markers",
            text=symbols,
            customdata=[f"{symbol}, atom {atom + 1}" for symbol, atom in zip(symbols, atoms, strict=True)],
            hovertemplate="%{customdata}: %{marker.color:+.3f}<extra></extra>",
            marker={
                "size": size,
                "color": values,
                "colorscale": _SCALE,
                "cmin": -largest,
                "cmax": largest,
                "line": {"width": 1, "color": "#444"},
                "showscale": inside,
                "colorbar": {"title": {"text": "attribution<br>of an atom"}, "thickness": 12, "len": 0.6},
            },
        )
    )


def _lines(figure: Any, segments: Iterable[tuple[np.ndarray, np.ndarray]], colour: str, width: int) -> None:
    points = [point for start, end in segments for point in (start, end, [None] * 3)]
    x, y, z = zip(*points, strict=True)
    figure.add_trace(
        go.Scatter3d(x=x, y=y, z=z, mode="lines", line={"color": colour, "width": width}, hoverinfo="skip")
    )


def _sentence(explanation: Explanation) -> str:
    text, words = explanation.text, explanation.words.words
    largest = _largest(np.array([value for *_, value in words]))
    parts, place = [], 0
    for start, end, value in words:
        parts.append(escape(text[place:start]))
        word, colour = escape(text[start:end]), _colour(value / largest, strongest=0.6)  # letters stay readable
        parts.append(f'<span><b style="background: {colour}">{word}</b><small>{_number(value)}</small></span>')
        place = end
    return "".join(parts) + escape(text[place:])


def _bond_table(bonds: Sequence[BondKind]) -> str:
    rows = [
        (own.elements, f"{own.length:.2f}", str(own.number), _number(own.attribution)) for own in bonds[:_MOST_ROWS]
    ]
    if rest := bonds[_MOST_ROWS:]:
        rows.append((f"{len(rest)} other kinds", "", "", _number(sum(own.attribution for own in rest))))
    return _table(("bond", "Å", "in the cell", "sum"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table. Cells are HTML; all columns but the first are numbers if there is a header."""
    kinds = ["", *(' class="number"' if any(header) else "" for _ in header[1:])]
    lines = ["<table>"]
    if any(header):
        cells = (f"<th{kind}>{cell}</th>" for kind, cell in zip(kinds, header, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    for row in rows:
        lines.append(f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>")
    return "\n".join([*lines, "</table>"])


def _numbers(values: Mapping[str, float]) -> list[tuple[str, str]]:
    """Rows of a table, the largest in absolute value first."""
    return [(escape(name), _number(value)) for name, value in sorted(values.items(), key=lambda own: -abs(own[1]))]


def _number(value: float) -> str:
    return f"{value:+z.3f}".replace("-", "−")


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max()) if len(values) and np.abs(values).max() > 0 else 1.0


def _colour(share: float, strongest: float = 0.85) -> str:
    """Colour of an attribution relative to the largest one, from -1 to 1, whose strength is `strongest`."""
    end = _FOR if share >= 0 else _AGAINST
    strength = min(1.0, abs(share)) * strongest
    mixed = (round(240 + (own - 240) * strength) for own in end)
    return f"rgb({', '.join(map(str, mixed))})"


__all__ = ["crystal_figure", "explanation_page"]
