"""A drawing of a crystal for notebooks: the cell as SVG, which the mouse turns where scripts may run, and a table."""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

# Atoms are drawn up to this number, with those on faces of the cell repeated on the opposite ones.
_MOST_ATOMS = 600
# Bonds are shorter than this share of the sum of the covalent radii.
_BOND_SHARE = 1.2
_SIZE = 320  # pixels
# The first view: along the body diagonal would hide atoms behind each other.
_TILT, _TURN = 0.35, -0.45  # radians
# Turns the drawing: each element knows where it is in space, and is projected again.
_SCRIPT = """
(() => {
  const svg = document.currentScript.previousElementSibling.querySelector("svg");
  const parts = [...svg.querySelectorAll("[data-p]")].map(e => [e, e.dataset.p.split(" ").map(Number)]);
  let m = svg.dataset.m.split(" ").map(Number), last = null;
  const s = Number(svg.dataset.s), c = svg.viewBox.baseVal.width / 2;
  const at = (p, i) => [0, 3, 6].map(r => m[r] * p[i] + m[r + 1] * p[i + 1] + m[r + 2] * p[i + 2]);
  const draw = () => {
    const deep = parts.map(([e, p]) => {
      const a = at(p, 0);
      if (p.length === 3) {
        e.setAttribute("transform", `translate(${c + s * a[0]} ${c - s * a[1]})`);
        return [a[2], e];
      }
      const b = at(p, 3);
      for (const [k, v] of [["x1", c + s * a[0]], ["y1", c - s * a[1]], ["x2", c + s * b[0]], ["y2", c - s * b[1]]])
        e.setAttribute(k, v);
      return [(a[2] + b[2]) / 2, e];
    });
    deep.sort((x, y) => x[0] - y[0]).forEach(([, e]) => svg.appendChild(e));
  };
  svg.style.cursor = "grab";
  svg.onpointerdown = e => { last = [e.clientX, e.clientY]; svg.setPointerCapture(e.pointerId); };
  svg.onpointerup = () => { last = null; };
  svg.onpointermove = e => {
    if (!last) return;
    const u = (e.clientX - last[0]) / 100, v = (e.clientY - last[1]) / 100;
    const [cu, su, cv, sv] = [Math.cos(u), Math.sin(u), Math.cos(v), Math.sin(v)];
    last = [e.clientX, e.clientY];
    const t = [cu, 0, su, sv * su, cv, -sv * cu, -cv * su, sv, cv * cu];
    m = [0, 1, 2].flatMap(r => [0, 1, 2].map(k => t[3 * r] * m[k] + t[3 * r + 1] * m[3 + k] + t[3 * r + 2] * m[6 + k]));
    draw();
  };
})();
"""


def drawing(crystal: Any, caption: str = "") -> str:
    """
    Draw a crystal as HTML. Mixed and partly occupied sites are divided by their occupancies; vacancies are white.

    Args:
        crystal: A [`Crystal`].
        caption: Text below the drawing, such as its id.

    Returns:
        HTML that needs nothing else: without scripts, as in the preview of a repository, the drawing does not turn.
    """
    sites, occupants = _sites(crystal)
    places, owner = _with_images(sites, crystal.cell)
    if len(places) > _MOST_ATOMS:
        places, owner = sites[:_MOST_ATOMS], np.arange(min(len(sites), _MOST_ATOMS))
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    centre = corners.mean(axis=0) @ crystal.cell
    view = _view()
    reach = np.linalg.norm(np.concatenate([places, corners @ crystal.cell]) - centre, axis=1).max()
    scale = (_SIZE / 2 - 12) / (reach + 0.5)
    parts: list[tuple[float, str]] = []
    for start in corners:
        for axis in range(3):
            if start[axis] == 0:
                ends = np.stack([start, start + np.eye(3, dtype=int)[axis]]) @ crystal.cell - centre
                parts.append(_line(ends, view, scale, "#888", 1))
    radii = np.array([max(_radius(number) for number, _ in own) for own in occupants])[owner]
    points = places - centre
    for one, other in _bonds(points, radii):
        parts.append(_line(points[[one, other]], view, scale, "#555", 3))
    for place, site, radius in zip(points, owner, radii, strict=True):
        parts.append(_atom(place, view, scale, max(4.0, 0.45 * radius * scale), occupants[site]))
    # The scene is painted from back to front.
    body = "".join(part for _, part in sorted(parts, key=lambda entry: entry[0]))
    matrix = " ".join(f"{value:.4f}" for value in view.ravel())
    label = html.escape(f"Crystal structure of {_formula(crystal)}")
    svg = (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" height="{_SIZE}" '
        f'data-m="{matrix}" data-s="{scale:.4f}" style="touch-action:none;background:#fff">{body}</svg>'
    )
    hidden = f"the first {len(places):,} of {len(sites):,} sites" if len(sites) > len(places) else ""
    legend = "".join(_legend(number) for number in sorted(set(crystal.atomic_numbers.tolist())))
    rows = "".join(f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in _facts(crystal, caption))
    style = "display:flex;flex-wrap:wrap;gap:1em;align-items:center"
    return (
        f'<div style="{style}">{svg}<div><table>{rows}</table><p>{legend}</p><p>{hidden}</p></div></div>'
        f"<script>{_SCRIPT}</script>"
    )


def _sites(crystal: Any) -> tuple[np.ndarray, list[list[tuple[int, float]]]]:
    """Positions of the sites, in the cell, and atomic number and occupancy of each occupant."""
    fractional = np.linalg.solve(crystal.cell.T, crystal.positions.T).T
    fractional -= np.floor(fractional + 1e-4)
    found: dict[tuple[int, ...], int] = {}
    places: list[np.ndarray] = []
    occupants: list[list[tuple[int, float]]] = []
    for place, number, weight in zip(
        fractional, crystal.atomic_numbers.tolist(), crystal.weights.tolist(), strict=True
    ):
        key = tuple(np.rint(place * 1000).astype(int).tolist())
        if key not in found:
            found[key] = len(places)
            places.append(place @ crystal.cell)
            occupants.append([])
        occupants[found[key]].append((number, weight))
    return np.array(places), occupants


def _with_images(places: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the images on the opposite faces; return positions and the site of each."""
    fractional = np.linalg.solve(cell.T, places.T).T
    found, owner = [places], [np.arange(len(places))]
    for shift in np.ndindex(2, 2, 2):
        if any(shift):
            on_face = (np.abs(fractional[:, np.array(shift) == 1]) < 1e-3).all(axis=1)
            found.append(places[on_face] + np.array(shift) @ cell)
            owner.append(np.flatnonzero(on_face))
    return np.concatenate(found), np.concatenate(owner)


def _bonds(points: np.ndarray, radii: np.ndarray) -> list[tuple[int, int]]:
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    close = (distances < _BOND_SHARE * (radii[:, None] + radii[None])) & (distances > 0.4)
    return [(int(i), int(j)) for i, j in np.argwhere(close) if i < j]


def _view() -> np.ndarray:
    """Rotation matrix `(3, 3)` of the first view."""
    (ct, st), (cu, su) = (np.cos(_TILT), np.sin(_TILT)), (np.cos(_TURN), np.sin(_TURN))
    upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # c points up
    return np.array([[1, 0, 0], [0, ct, -st], [0, st, ct]]) @ np.array([[cu, 0, su], [0, 1, 0], [-su, 0, cu]]) @ upright


def _line(ends: np.ndarray, view: np.ndarray, scale: float, colour: str, width: int) -> tuple[float, str]:
    (x1, y1, z1), (x2, y2, z2) = ends @ view.T
    c = _SIZE / 2
    place = f'x1="{c + scale * x1:.1f}" y1="{c - scale * y1:.1f}" x2="{c + scale * x2:.1f}" y2="{c - scale * y2:.1f}"'
    return (z1 + z2) / 2, f'<line data-p="{_numbers(ends)}" {place} stroke="{colour}" stroke-width="{width}"/>'


def _atom(
    point: np.ndarray, view: np.ndarray, scale: float, radius: float, occupants: list[tuple[int, float]]
) -> tuple[float, str]:
    x, y, z = view @ point
    title = " ".join(_symbol(number) + ("" if weight == 1 else f"{weight:.3g}") for number, weight in occupants)
    ring = f'<circle r="{radius:.1f}" fill="{{}}" stroke="#333" stroke-width="0.7"/>'
    if len(occupants) == 1 and occupants[0][1] == 1:
        body = ring.format(_colour(occupants[0][0]))
    else:
        body, start = ring.format("#fff"), 0.0
        for number, weight in occupants:
            body += _sector(radius, start, min(1.0, start + weight), _colour(number))
            start += weight
    where = f"{_SIZE / 2 + scale * x:.1f} {_SIZE / 2 - scale * y:.1f}"
    return z, f'<g data-p="{_numbers(point)}" transform="translate({where})"><title>{title}</title>{body}</g>'


def _sector(radius: float, start: float, end: float, colour: str) -> str:
    """A sector of a circle, from one share of the turn to another."""
    if end - start > 0.999:
        return f'<circle r="{radius:.1f}" fill="{colour}"/>'
    (x1, y1), (x2, y2) = (
        (radius * np.sin(2 * np.pi * share), -radius * np.cos(2 * np.pi * share)) for share in (start, end)
    )
    large = int(end - start > 0.5)
    path = f"M0 0L{x1:.2f} {y1:.2f}A{radius:.2f} {radius:.2f} 0 {large} 1 {x2:.2f} {y2:.2f}Z"
    return f'<path d="{path}" fill="{colour}"/>'


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.3f}" for value in values.ravel())


def _facts(crystal: Any, caption: str) -> list[tuple[str, str]]:
    lengths = np.linalg.norm(crystal.cell, axis=1)
    unit = crystal.cell / lengths[:, None]
    angles = np.degrees(np.arccos([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]))
    number = crystal.space_group or 0
    return [
        *([("", caption)] if caption else []),
        ("formula", _formula(crystal)),
        *([("space group", f"{gemmi.get_spacegroup_reference_setting(number).hm} ({number})")] if number else []),
        ("a, b, c", ", ".join(f"{length:.3f}" for length in lengths) + " Å"),
        ("α, β, γ", ", ".join(f"{angle:.1f}" for angle in angles) + "°"),
        ("volume", f"{crystal.volume:.2f} Å³"),
        ("density", f"{crystal.density:.2f} g/cm³"),
        ("atoms", f"{crystal.num_occupied:g}"),
        *(("note", line) for line in crystal.warnings),
    ]


def _formula(crystal: Any) -> str:
    from pymatgen.core import Composition

    amounts: dict[str, float] = {}
    for number, weight in zip(crystal.atomic_numbers.tolist(), crystal.weights.tolist(), strict=True):
        amounts[_symbol(number)] = amounts.get(_symbol(number), 0.0) + weight
    if all(amount == int(amount) for amount in amounts.values()):
        return str(Composition(amounts).reduced_formula)
    return "".join(symbol + ("" if amount == 1 else f"{amount:.3g}") for symbol, amount in amounts.items())


def _symbol(number: int) -> str:
    return str(gemmi.Element(number).name)


def _radius(number: int) -> float:
    """Covalent radius in Å."""
    return float(gemmi.Element(number).covalent_r)


@cache
def _colours() -> dict[str, str]:
    """Colours of Jmol by element, from the table of pymatgen."""
    import pymatgen.vis

    text = Path(str(pymatgen.vis.__file__)).with_name("ElementColorSchemes.yaml").read_text(encoding="utf-8")
    rows = re.findall(
        r"^  (\w+): \[\s*(\d+),\s*(\d+),\s*(\d+)\s*\]", text.split("Jmol:")[1].split("VESTA:")[0], re.MULTILINE
    )
    return {symbol: f"rgb({red},{green},{blue})" for symbol, red, green, blue in rows}


def _colour(number: int) -> str:
    return _colours().get(_symbol(number), "rgb(235,0,38)")


def _legend(number: int) -> str:
    style = "display:inline-block;width:.8em;height:.8em;border:1px solid #333;border-radius:50%"
    style += f";background:{_colour(number)}"
    return f'<span style="margin-right:1em;white-space:nowrap"><span style="{style}"></span> {_symbol(number)}</span>'


__all__ = ["drawing"]
