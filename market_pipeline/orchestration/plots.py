"""Plots in a run's metadata, as PNG: forecast ranges, calibration, skill over time.

Knows arrays and matplotlib, which is imported when a plot is drawn; no table, no Dagster. All returns are
simple returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from market_pipeline.storage.grids import Days, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCH, DPI = 3.2, 80
BANDS = ((0.12, "95 %"), (0.2, "80 %"), (0.32, "50 %"))
"""Opacity and name of each central range, widest first."""

INK, FAINT, BLUE = "#1f2933", "#9aa5b1", "#2563a8"
LINES = ("#2563a8", "#c2571a", "#2f855a", "#8b3f8f", "#b7791f", "#0f766e", "#a02c2c", "#4a5568", "#6b46c1", "#718096")

WORST = -40
"""Per cent of skill at which the axis ends: one bad model would flatten the lines of all others."""


@dataclass(frozen=True)
class RangeChart:
    """One symbol: past returns relative to the origin and forecast quantiles after it."""

    title: str
    past: Grid
    """(n,) returns relative to the origin, which is last and 0."""
    ahead: Grid
    """(k,) sessions after the origin."""
    ranges: Grid
    """(k, 7) at 2.5, 10, 25, 50, 75, 90 and 97.5 %."""


def range_charts(charts: Sequence[RangeChart]) -> bytes:
    """A panel for each symbol: its past and its forecast ranges, in per cent from the origin."""
    figure, panels = _panels(len(charts))
    for chart, axes in zip(charts, panels, strict=False):
        axes.plot(np.arange(1 - len(chart.past), 1), 100 * chart.past, color=INK, linewidth=1)
        ahead, ranges = np.concatenate([[0], chart.ahead]), np.vstack([np.zeros(7), 100 * chart.ranges])
        for place, (opacity, name) in enumerate(BANDS):
            low, high = ranges[:, place], ranges[:, 6 - place]
            axes.fill_between(ahead, low, high, color=BLUE, alpha=opacity, linewidth=0, label=name)
        axes.plot(ahead, ranges[:, 3], color=BLUE, linewidth=1.2)
        _label(axes, chart.title, "sessions", "% from the newest close")
    return _png(figure, panels)


def reliability(below: Mapping[int, Mapping[str, Grid]], levels: Sequence[float]) -> bytes:
    """A panel for each horizon: the share of outcomes below each quantile against the quantile's level."""
    figure, panels = _panels(len(below))
    colours = _colours(below)
    for (horizon, models), axes in zip(below.items(), panels, strict=False):
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle="--")
        for model, shares in models.items():
            axes.plot(levels, shares, marker="o", markersize=2.5, linewidth=1, color=colours[model], label=model)
        _label(axes, _sessions(horizon), "level of the quantile", "share of outcomes below it")
    return _png(figure, panels)


def skill_over_time(skill: Mapping[int, Mapping[str, tuple[Days, Grid]]], question: str) -> bytes:
    """A panel for each horizon: each model's skill on all origins so far, in per cent; 0 is the random walk."""
    figure, panels = _panels(len(skill))
    colours = _colours(skill)
    for (horizon, models), axes in zip(skill.items(), panels, strict=False):
        axes.axhline(0, color=FAINT, linewidth=0.8, linestyle="--")
        for model, (origins, values) in models.items():
            # As numbers: matplotlib's own dates choose ticks that are replaced below, and warn if there are few days.
            axes.plot(origins.astype(np.int64), 100 * values, linewidth=1, color=colours[model], label=model)
        axes.set_ylim(bottom=max(axes.get_ylim()[0], WORST))
        days = np.unique(np.concatenate([origins for origins, _ in models.values()]))
        ticks = days[np.linspace(0, len(days) - 1, min(len(days), 4)).astype(int)]
        axes.set_xticks(ticks.astype(np.int64), np.datetime_as_string(ticks, "D").tolist())
        _label(axes, f"{question}, {_sessions(horizon)}", "origin", f"skill so far, %; axis ends at {WORST}")
    return _png(figure, panels)


def _colours(horizons: Mapping[int, Mapping[str, object]]) -> dict[str, str]:
    """One colour for each model, the same in every panel."""
    models = dict.fromkeys(model for models in horizons.values() for model in models)
    return {model: LINES[place % len(LINES)] for place, model in enumerate(models)}


def _label(axes: "Axes", title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_xlabel(across, fontsize=7)
    axes.set_ylabel(up, fontsize=7)


def _panels(count: int) -> tuple["Figure", list["Axes"]]:
    """Panels in rows of three; without pyplot and its global state, because runs may draw in threads."""
    from matplotlib.figure import Figure

    across = min(max(count, 1), 3)
    down = -(-max(count, 1) // across)
    figure = Figure(figsize=(INCH * across, (0.8 * INCH * down + 0.4)), dpi=DPI, layout="constrained")
    panels = list(figure.subplots(down, across, squeeze=False).ravel())
    for axes in panels:
        axes.tick_params(labelsize=7, colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[max(count, 1) :]:
        axes.set_axis_off()
    return figure, panels


def _png(figure: "Figure", panels: Sequence["Axes"]) -> bytes:
    """The figure with one legend for all panels, below them, where it hides no line."""
    named = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), fontsize=7, frameon=False, loc="outside lower center", ncols=6)
    written = BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _sessions(horizon: int) -> str:
    return f"{horizon} session{'s' if horizon > 1 else ''} ahead"
