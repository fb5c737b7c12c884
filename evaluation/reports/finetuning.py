"""
Figures that compare fine-tuned encoders, of the column width of a paper.

The argument `report` of all functions is the result of `evaluation.finetune_report.join_results`.
"""

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
# Palette of Okabe and Ito, safe for colour-blind readers; markers and line styles distinguish the encoders in
# greyscale prints.
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
    """
    A bar of a chart.

    Attributes:
        name: Label on the axis.
        value: Length.
        sd: Standard deviation; `None` for a single run.
        text: Text on the bar.
        colour: Matplotlib colour.
    """

    name: str
    value: float
    sd: float | None
    text: str
    colour: str


def entity_types(report: dict[str, Any], split: str = "test") -> list[str]:
    """List the entity types that have an F1 score, in the order of the results."""
    names = report["encoders"][0]["mean"][split]
    return [name.removeprefix(TYPE_PREFIX) for name in names if name.startswith(TYPE_PREFIX)]


def with_deviation(mean: float, sd: float | None, digits: int = 0) -> str:
    """
    Format a mean and its standard deviation, as in `0.842 ± 0.004`.

    Args:
        mean: The mean.
        sd: The standard deviation; `None` to show the mean alone.
        digits: Significant digits of the mean. Default: three decimals.
    """
    decimals = 3 if not digits else max(0, digits - 1 - math.floor(math.log10(abs(mean)))) if mean else digits
    return f"{mean:.{decimals}f}" if sd is None else f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def entities_figure(report: dict[str, Any]) -> Figure:
    """
    Draw a radar chart of the F1 score on the test split for each entity type.

    Encoders are lines with a band of one standard deviation; the legend shows their micro F1. The radial axis starts
    below the smallest value, as its labels show. For fewer than three types, draw bars of the micro F1 instead.
    """
    types = entity_types(report)
    if len(types) < 3:
        return _share_figure(report, {"micro_f1": "micro F1"})
    angles = np.linspace(0, 2 * math.pi, len(types), endpoint=False)
    around = np.append(angles, angles[0])
    lowest = 1.0
    handles = []
    labels = [_wrapped(name.replace("_", " "), 12) for name in types]
    # Margins for the labels, in inches. They are set by hand, because a layout engine shrinks the radar more than the
    # labels around it require.
    side_margin = 0.1 + 0.065 * max(len(line) for label in labels for line in label.split("\n"))
    above = 0.16 + 0.12 * max(label.count("\n") + 1 for label in labels)
    diameter = min(2.6, COLUMN_WIDTH - 2 * side_margin)
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
            legend = f"{entry['encoder']}, micro F1 {micro}"
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle=line, label=legend))
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
        # Between the first two axes, away from the markers.
        panel.set_rlabel_position(math.degrees(angles[1]) / 2)
        panel.grid(color="0.85", linewidth=0.5)
        panel.spines["polar"].set_color("0.7")
        title = f"F1 on test, from {start:.1f} at the centre to 1"
        figure.legend(handles=handles, loc="lower center", title=title, title_fontsize=6.5, frameon=False)
    return figure


def _radial_axis(panel: Any, lowest: float) -> float:
    """Set up the radial axis from below the smallest value to 1 in at most five equal steps, and return its start."""
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
    """Draw accuracy and macro F1 on the test split: encoders as bars with standard deviations, baselines as lines."""
    return _share_figure(report, {"accuracy": "accuracy", "macro_f1": "macro F1"})


def _share_figure(report: dict[str, Any], metrics: dict[str, str]) -> Figure:
    encoders, baselines = report["encoders"], report["baselines"]
    with matplotlib.rc_context(SETTINGS):
        height = 0.5 + len(metrics) * (0.35 + 0.27 * len(encoders)) + 0.15 * len(baselines)
        figure = Figure(figsize=(COLUMN_WIDTH, height), layout="constrained")
        panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
        lines: dict[str, Line2D] = {}
        values: dict[str, list[str]] = {}
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
                    values.setdefault(name, []).append(f"{title} {value:.3f}")
            panel.set_title(title, loc="left")
            panel.set_xlim(0, 1)
        if lines:
            labels = [f"{name} ({', '.join(parts)})" for name, parts in values.items()]
            figure.legend(list(lines.values()), labels, loc="outside lower center", ncols=1, frameon=False)
    return figure


def property_figure(report: dict[str, Any]) -> Figure:
    """
    Draw the mean absolute error (MAE) on the test split of encoders and baselines.

    The length of a bar is the MAE divided by that of predicting the mean of the training targets (baseline `mean`); the
    text on it is the MAE in its unit.
    """
    unit = (report["target"] or {}).get("unit") or ""
    whole = report["baselines"]["mean"]["test"]["mae"]
    bars = []
    for place, entry in enumerate(report["encoders"]):
        mean, sd = entry["mean"]["test"]["mae"], entry["std"]["test"]["mae"]
        text = f"{with_deviation(mean, sd, 3)} {unit}".rstrip()
        share = None if sd is None else sd / whole
        bars.append(Bar(entry["encoder"], mean / whole, share, text, _STYLES[place % len(_STYLES)][0]))
    # The mean comes last, since it is the reference for the others.
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
    """Draw horizontal bars, with the text inside long bars and to the right of short ones."""
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


# Task -> file name and drawing function of its figure.
FIGURES: dict[str, tuple[str, Callable[[dict[str, Any]], Figure]]] = {
    "ner": ("entities", entities_figure),
    "pac": ("abstracts", abstracts_figure),
    "property": ("property", property_figure),
}
