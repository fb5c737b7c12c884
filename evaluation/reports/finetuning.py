"""Figures of fine-tuned encoders, at the column width of a paper; `report` is that of `join_results`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation.reports.figures import COLUMN_WIDTH, SETTINGS

TYPE_PREFIX = "f1/"
# Okabe and Ito's palette, told apart with any colour vision; the markers and lines serve prints in grey.
_STYLES: tuple[tuple[str, str, Any], ...] = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", (0, (1, 1))),
    ("#E69F00", "v", (0, (5, 1, 1, 1, 1, 1))),
    ("#56B4E9", "P", "-"),
    ("#000000", "X", "--"),
    ("#777777", "*", (0, (1, 1))),
)
_BASELINE = "0.55"


@dataclass(frozen=True)
class Bar:
    """One bar: name at its left, length, deviation (`None`: of one run), what is written on it, colour."""

    name: str
    value: float
    sd: float | None
    text: str
    colour: str


def entity_types(report: dict[str, Any], split: str = "test") -> list[str]:
    """The entity types that have an F1, in the order of the results."""
    names = report["encoders"][0]["mean"][split]
    return [name.removeprefix(TYPE_PREFIX) for name in names if name.startswith(TYPE_PREFIX)]


def with_deviation(mean: float, sd: float | None, digits: int = 0) -> str:
    """`0.842 ± 0.004`, or the mean alone; three decimals, or as many as show so many digits of the mean."""
    decimals = 3 if not digits else max(0, digits - 1 - math.floor(math.log10(abs(mean)))) if mean else digits
    return f"{mean:.{decimals}f}" if sd is None else f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def entities_figure(report: dict[str, Any]) -> Figure:
    """
    F1 on test of every entity type, an axis each, encoders as lines with a band of one standard deviation, their micro
    F1 in the legend. The radial axis starts below the smallest value, which its labels say. With fewer than three types
    there is no radar to draw, and bars of the micro F1 take its place.
    """
    types = entity_types(report)
    if len(types) < 3:
        return _share_figure(report, {"micro_f1": "micro F1"})
    angles = np.linspace(0, 2 * math.pi, len(types), endpoint=False)
    around = np.append(angles, angles[0])
    lowest = 1.0
    handles = []
    labels = [_wrapped(name.replace("_", " "), 12) for name in types]
    # What the labels beside, above and below leave, in inches: set by hand, since a layout engine that sees labels
    # all around shrinks the radar more than they need.
    beside = 0.1 + 0.065 * max(len(line) for label in labels for line in label.split("\n"))
    above = 0.16 + 0.12 * max(label.count("\n") + 1 for label in labels)
    diameter = min(2.6, COLUMN_WIDTH - 2 * beside)
    below = above + 0.2 + 0.14 * len(report["encoders"])
    with matplotlib.rc_context(SETTINGS):
        height = above + diameter + below
        figure = Figure(figsize=(COLUMN_WIDTH, height))
        left = (COLUMN_WIDTH - diameter) / 2 / COLUMN_WIDTH
        rectangle = (left, below / height, diameter / COLUMN_WIDTH, diameter / height)
        panel: Any = figure.add_axes(rectangle, projection="polar")
        for place, entry in enumerate(report["encoders"]):
            colour, marker, line = _STYLES[place % len(_STYLES)]
            means = np.array([entry["mean"]["test"][TYPE_PREFIX + name] for name in types])
            deviations = np.array([entry["std"]["test"][TYPE_PREFIX + name] or 0.0 for name in types])
            low, high = np.clip(means - deviations, 0, 1), np.clip(means + deviations, 0, 1)
            lowest = min(lowest, float(low.min()))
            panel.fill_between(around, np.append(low, low[0]), np.append(high, high[0]), color=colour, alpha=0.18, lw=0)
            panel.plot(around, np.append(means, means[0]), color=colour, marker=marker, linestyle=line)
            micro = with_deviation(entry["mean"]["test"]["micro_f1"], entry["std"]["test"]["micro_f1"])
            told = f"{entry['encoder']}, micro F1 {micro}"
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle=line, label=told))
        start = _radial_axis(panel, lowest)
        panel.set_theta_zero_location("N")
        panel.set_theta_direction(-1)
        panel.set_xticks(angles, labels)
        for angle, label in zip(angles, panel.get_xticklabels(), strict=True):
            side = round(math.sin(angle), 6)
            label.set_horizontalalignment("left" if side > 0 else "right" if side < 0 else "center")
            up = round(math.cos(angle), 6)
            label.set_verticalalignment("bottom" if up > 0.93 else "top" if up < -0.93 else "center")
        panel.tick_params(axis="x", pad=-2)
        # Between the first two axes, away from the lines' corners.
        panel.set_rlabel_position(math.degrees(angles[1]) / 2)
        panel.grid(color="0.85", linewidth=0.5)
        panel.spines["polar"].set_color("0.7")
        title = f"F1 on test, from {start:.1f} at the centre to 1"
        figure.legend(handles=handles, loc="lower center", title=title, title_fontsize=6.5, frameon=False)
    return figure


def _radial_axis(panel: Any, lowest: float) -> float:
    """From below the smallest value to 1, in at most five steps of one size; returns its start."""
    step = 0.1 if lowest >= 0.5 else 0.2
    count = max(2, min(math.ceil((1 - max(lowest - 0.02, 0)) / step - 1e-9), round(1 / step)))
    start = 1 - count * step
    panel.set_ylim(start, 1)
    ticks = [start + step * place for place in range(count + 1)]
    panel.set_yticks(ticks, [f"{abs(tick):.1f}" for tick in ticks], color="0.35", fontsize=6)
    for label in panel.get_yticklabels():
        label.set_bbox({"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3})
    return abs(start)


def abstracts_figure(report: dict[str, Any]) -> Figure:
    """Accuracy and macro F1 on test, a bar each encoder with its standard deviation, baselines as lines."""
    return _share_figure(report, {"accuracy": "accuracy", "macro_f1": "macro F1"})


def _share_figure(report: dict[str, Any], metrics: dict[str, str]) -> Figure:
    encoders, baselines = report["encoders"], report["baselines"]
    with matplotlib.rc_context(SETTINGS):
        height = 0.5 + len(metrics) * (0.35 + 0.27 * len(encoders)) + 0.15 * len(baselines)
        figure = Figure(figsize=(COLUMN_WIDTH, height), layout="constrained")
        panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
        lines: dict[str, Line2D] = {}
        told: dict[str, list[str]] = {}
        for panel, (metric, title) in zip(panels, metrics.items(), strict=True):
            bars = []
            for place, entry in enumerate(encoders):
                mean, sd = entry["mean"]["test"][metric], entry["std"]["test"][metric]
                bars.append(Bar(entry["encoder"], mean, sd, with_deviation(mean, sd), _STYLES[place % len(_STYLES)][0]))
            _draw_bars(panel, bars, 1.0)
            for place, (name, scores) in enumerate(baselines.items()):
                value = (scores.get("test") or {}).get(metric)
                if value is not None:
                    line = ("--", ":", "-.")[place % 3]
                    lines[name] = panel.axvline(value, color="0.2", linestyle=line, linewidth=0.9)
                    told.setdefault(name, []).append(f"{title} {value:.3f}")
            panel.set_title(title, loc="left")
            panel.set_xlim(0, 1)
        if lines:
            labels = [f"{name} ({', '.join(values)})" for name, values in told.items()]
            figure.legend(list(lines.values()), labels, loc="outside lower center", ncols=1, frameon=False)
    return figure


def property_figure(report: dict[str, Any]) -> Figure:
    """
    Mean absolute error on test of encoders and baselines, as a share of that of predicting the mean of the training
    targets (baseline `mean`); in its unit on the bars.
    """
    unit = (report["target"] or {}).get("unit") or ""
    whole = report["baselines"]["mean"]["test"]["mae"]
    bars = []
    for place, entry in enumerate(report["encoders"]):
        mean, sd = entry["mean"]["test"]["mae"], entry["std"]["test"]["mae"]
        text = f"{with_deviation(mean, sd, 3)} {unit}".rstrip()
        share = None if sd is None else sd / whole
        bars.append(Bar(entry["encoder"], mean / whole, share, text, _STYLES[place % len(_STYLES)][0]))
    # The mean last: it is what the others are measured by.
    for name in sorted(report["baselines"], key=lambda name: name == "mean"):
        value = report["baselines"][name]["test"]["mae"]
        bars.append(Bar(name, value / whole, None, f"{with_deviation(value, None, 3)} {unit}".rstrip(), _BASELINE))
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(COLUMN_WIDTH, 0.7 + 0.27 * len(bars)), layout="constrained")
        panel = figure.subplots()
        longest = max(bar.value + (bar.sd or 0.0) for bar in bars)
        _draw_bars(panel, bars, longest)
        panel.axvline(1.0, color="0.2", linestyle="--", linewidth=0.9)
        panel.set_xlim(0, 1.03 * longest)
        name = (report["target"] or {}).get("name") or "target"
        panel.set_title(name.replace("_", " "), loc="left")
        panel.set_xlabel("mean absolute error as a share of\nthat of predicting the mean")
    return figure


def _draw_bars(panel: Axes, bars: Sequence[Bar], longest: float) -> None:
    """Bars from 0 below each other; the text at the foot of the bar, or beside it where the bar is short."""
    for row, bar in enumerate(bars):
        panel.barh(row, bar.value, 0.72, color=bar.colour)
        if bar.sd:
            panel.errorbar(bar.value, row, xerr=bar.sd, color="black", capsize=1.8, elinewidth=0.8, capthick=0.8)
        inside = bar.value > 0.45 * longest
        # Yellow and light blue are too bright for white letters.
        bright = bar.colour in ("#E69F00", "#56B4E9")
        panel.text(
            0.015 * longest if inside else bar.value + (bar.sd or 0.0) + 0.02 * longest,
            row,
            bar.text,
            color="white" if inside and not bright else "black",
            fontsize=6.5,
            verticalalignment="center",
        )
    panel.set_yticks(range(len(bars)), [_wrapped(bar.name, 24) for bar in bars])
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(bars) - 0.5, -0.5)
    panel.grid(axis="x", color="0.9", linewidth=0.5)
    panel.set_axisbelow(True)


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)) or text


# By task: name of the file, and what draws it.
FIGURES: dict[str, tuple[str, Callable[[dict[str, Any]], Figure]]] = {
    "ner": ("entities", entities_figure),
    "pac": ("abstracts", abstracts_figure),
    "property": ("property", property_figure),
}
