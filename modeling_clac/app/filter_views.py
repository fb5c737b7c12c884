"""Hard filters of the page: a periodic table, and sliders with histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..concepts.elements import ELEMENT_NAMES
from ..data.properties import PROPERTIES
from .markup import tag, text
from .request import Range, SearchRequest

if TYPE_CHECKING:
    from ..search.index import CrystalIndex

Symbols = tuple[str, ...]

_BINS = 30
_STEPS = 200
# Share of the known values below and above the ends of a slider, which are open.
_TAIL = 0.005
_FEWEST_VALUES = 10
_LAYOUT = (
    "H . . . . . . . . . . . . . . . . He",
    "Li Be . . . . . . . . . . B C N O F Ne",
    "Na Mg . . . . . . . . . . Al Si P S Cl Ar",
    "K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr",
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe",
    "Cs Ba . Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn",
    "Fr Ra . Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og",
    ". . La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu",
    ". . Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr",
)
_STATES = {"": "not used", "require": "required", "exclude": "excluded"}


def element_counts(index: CrystalIndex) -> dict[str, int]:
    """Count the crystals that contain each element."""
    if "elements" not in index.table.column_names:
        return {}
    counted = index.table["elements"].combine_chunks().flatten().value_counts()
    return {str(entry["values"]): int(entry["counts"]) for entry in counted.to_pylist()}


def next_state(
    symbol: str, required: Sequence[str], excluded: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Turn an element from not used to required, to excluded, and back.

    Args:
        symbol: The element.
        required: Elements that must be present.
        excluded: Elements that must be absent.

    Returns:
        Both lists with the change.
    """
    others = tuple(each for each in required if each != symbol), tuple(each for each in excluded if each != symbol)
    if symbol in required:
        return others[0], (*others[1], symbol)
    if symbol in excluded:
        return others
    return (*others[0], symbol), others[1]


def periodic_html(counts: Mapping[str, int], required: Sequence[str], excluded: Sequence[str]) -> str:
    """
    Write the periodic table as buttons, which arrow keys connect.

    Args:
        counts: Number of crystals by element.
        required: Elements that must be present.
        excluded: Elements that must be absent.
    """
    cells = []
    for row, line in enumerate(_LAYOUT):
        for column, symbol in enumerate(line.split()):
            if symbol == ".":
                continue
            state = "require" if symbol in required else "exclude" if symbol in excluded else ""
            count = counts.get(symbol, 0)
            sign = {"require": "+", "exclude": "−", "": ""}[state]
            cells.append(
                tag(
                    "button",
                    text(symbol) + tag("span", sign, class_="sign", aria_hidden="true"),
                    type="button",
                    class_=f"element {state or 'unused'}" + ("" if count else " none"),
                    data_symbol=symbol,
                    data_x=column,
                    data_y=row,
                    style=f"grid-area: {row + 1 + (row > 6)} / {column + 1}",
                    tabindex="0" if symbol == "H" else "-1",
                    aria_label=f"{ELEMENT_NAMES[symbol]}: {_STATES[state]}",
                    title=f"{ELEMENT_NAMES[symbol]}: in {count:,} crystals",
                )
            )
    help_ = tag("p", "Click once to require an element, twice to exclude it. Arrow keys move.", class_="note")
    table = tag("div", "".join(cells), class_="periodic", role="group", aria_label="Periodic table")
    return help_ + tag("div", table, class_="clac-scroll")


@dataclass(frozen=True)
class Histogram:
    """
    The known values of a property.

    Attributes:
        column: The property.
        low: Lower end of its slider.
        high: Upper end.
        counts: Crystals in bins of equal width from `low` to `high`; the outer ones count what lies beyond as well.
        known: Number of crystals whose value is known.
    """

    column: str
    low: float
    high: float
    counts: tuple[int, ...]
    known: int


def histograms(index: CrystalIndex) -> list[Histogram]:
    """
    Count the values of the properties that searches can be limited to; those that hardly any crystal has are left out.

    Args:
        index: The crystals.
    """
    found = []
    for column, row in sorted(PROPERTIES.items(), key=lambda entry: entry[1].priority):
        if not row.option or column not in index.table.column_names:
            continue
        values = np.asarray(index.table[column].to_numpy(zero_copy_only=False), dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values) < _FEWEST_VALUES:
            continue
        ends = np.quantile(values, [_TAIL, 1 - _TAIL])
        low, high = _rounded(float(ends[0]), float(ends[1]), row.decimals)
        if high <= low:
            continue
        counts, _ = np.histogram(np.clip(values, low, high), bins=_BINS, range=(low, high))
        found.append(Histogram(column, low, high, tuple(counts.tolist()), len(values)))
    return found


def _rounded(low: float, high: float, decimals: int) -> tuple[float, float]:
    return float(np.floor(low * 10**decimals) / 10**decimals), float(np.ceil(high * 10**decimals) / 10**decimals)


def ranges_html(found: Sequence[Histogram], ranges: Mapping[str, Range], count: int) -> str:
    """
    Write a histogram with sliders for each property.

    Args:
        found: The histograms.
        ranges: Column -> (minimum, maximum) that are chosen.
        count: Number of crystals of the index.
    """
    help_ = "An end of a slider is open. Crystals whose value is unknown never pass a range."
    items = "".join(_range(own, ranges.get(own.column, (None, None)), count) for own in found)
    return tag("p", help_, class_="note") + tag("div", items, class_="ranges")


def _range(own: Histogram, chosen: Range, count: int) -> str:
    row = PROPERTIES[own.column]
    label = f"{row.label} ({row.unit})" if row.unit else row.label
    tallest = max(own.counts) or 1
    width = 100 / len(own.counts)
    bars = "".join(
        # The square root shows small bins next to large ones.
        tag("rect", "", x=f"{place * width:.2f}", y=f"{40 - height:.2f}", width=f"{width:.2f}", height=f"{height:.2f}")
        for place, height in enumerate(40 * (value / tallest) ** 0.5 for value in own.counts)
    )
    histogram = tag("svg", bars, viewBox="0 0 100 40", preserveAspectRatio="none", aria_hidden="true")
    ends = {"minimum": (own.low, chosen[0], "min"), "maximum": (own.high, chosen[1], "max")}
    sliders = ""
    for name, (end, value, bound) in ends.items():
        if bound not in row.bounds:
            continue
        options: dict[str, Any] = {
            "type": "range",
            "min": own.low,
            "max": own.high,
            "step": f"{(own.high - own.low) / _STEPS:.6g}",
            "value": end if value is None else value,
            "data_end": bound,
            "aria_label": f"{name} of {label}",
        }
        sliders += tag("input", "", **options).removesuffix("</input>")
    shown = tag("output", text(range_text(chosen, row.decimals)))
    head = tag("div", tag("span", text(label)) + shown, class_="range-head")
    known = tag("span", f"known for {own.known:,} of {count:,}", class_="id")
    return tag("div", head + histogram + sliders + known, class_="range", data_column=own.column)


def range_text(chosen: Range, decimals: int) -> str:
    """Write a range, such as `1.00 to 2.00`, `≥ 1.00` or `any`."""
    low, high = (None if end is None else f"{end:.{decimals}f}" for end in chosen)
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"≥ {low}" if low is not None else f"≤ {high}" if high is not None else "any"


def filters_text(request: SearchRequest) -> list[str]:
    """
    Write the filters of a search, which may be out of sight.

    Args:
        request: The search.

    Returns:
        One line, or none without filters.
    """
    parts = [f"with {', '.join(request.elements)}"] if request.elements else []
    parts += [f"without {', '.join(request.exclude_elements)}"] if request.exclude_elements else []
    for column, chosen in request.ranges.items():
        row = PROPERTIES[column]
        parts.append(f"{row.label} {range_text(chosen, row.decimals)} {row.unit}".strip())
    return [f"Only crystals {'; '.join(parts)}."] if parts else []


def chosen_range(found: Sequence[Histogram], column: object, low: object, high: object) -> tuple[str, Range] | None:
    """
    Check a range that the browser sent.

    Args:
        found: The histograms.
        column: The property.
        low: Value of the lower slider.
        high: Value of the upper slider.

    Returns:
        The column and its range, an end of which is open where the slider is at its end; `None` for other data.
    """
    own = next((each for each in found if each.column == column), None)
    if own is None:
        return None
    ends: list[float | None] = []
    for value, end in ((low, own.low), (high, own.high)):
        at_end = not isinstance(value, (int, float)) or not np.isfinite(value) or abs(value - end) < 1e-9
        ends.append(None if at_end else float(value))  # type: ignore[arg-type]
    if None not in ends and ends[0] > ends[1]:  # type: ignore[operator]
        ends.reverse()
    return own.column, (ends[0], ends[1])


__all__ = [
    "Histogram",
    "chosen_range",
    "element_counts",
    "filters_text",
    "histograms",
    "next_state",
    "periodic_html",
    "range_text",
    "ranges_html",
]
