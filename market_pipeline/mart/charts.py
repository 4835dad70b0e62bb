"""Small inline SVG for the report: a price with its fan, a range on an axis, coverage beside nominal.

Knows numbers and geometry only: no table, no file, no colour (the page's style sheet names these by class). All text is
escaped; every drawing carries a title for readers who do not see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from market_pipeline.panel import Grid

NOMINAL = (0.50, 0.80, 0.95)
"""What the three central ranges of a forecast claim to hold."""

WIDTH, HEIGHT = 320.0, 168.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 314.0, 6.0, 150.0
LABEL = 56.0
"""Room that a date needs under the time axis."""

BANDS = (("f95", 0, 6), ("f80", 1, 5), ("f50", 2, 4))
"""Style class, lowest and highest column of a fan's quantiles, widest first: the narrow ones are painted over it."""


@dataclass(frozen=True)
class Fan:
    """Where a price may be, from the origin on.

    `start` is the origin's place among the sessions drawn, `ahead` (k,) sessions after it, ascending, 0 first;
    `quantiles` (k, 7) the levels 2.5, 10, 25, 50, 75, 90 and 97.5 %, in price units.
    """

    start: int
    ahead: Grid
    quantiles: Grid


def ticks(low: float, high: float, about: int = 4) -> Grid:
    """Round numbers within [low, high], some `about` of them, 1, 2, 2.5 or 5 times a power of ten apart.

    >>> ticks(97.0, 131.0).tolist()
    [100.0, 110.0, 120.0, 130.0]
    """
    span = high - low
    if not span > 0:
        return np.array([low])
    power = 10.0 ** np.floor(np.log10(span / about))
    steps = power * np.array([1.0, 2.0, 2.5, 5.0, 10.0])
    step = steps[np.argmin(np.abs(span / steps - about))]
    return np.asarray(np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step, dtype=float)


def round_limit(values: Sequence[float]) -> float:
    """The end of a symmetric axis that holds all the values: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten.

    >>> round_limit([-0.053, 0.047])
    0.06
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    if not largest > 0:
        return 0.01
    power = 10.0 ** np.floor(np.log10(largest))
    ends = power * np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
    return float(np.round(ends[np.argmax(ends >= largest * (1 - 1e-9))], 12))


def range_bar(low: float, expected: float, high: float, limit: float, title: str) -> Markup:
    """A bar from `low` to `high` with a stroke at `expected`, on an axis from -`limit` to `limit`; stretches to fit."""
    left, middle, right = np.clip(np.array([low, expected, high]) / limit, -1, 1) * 100
    return Markup(
        '<svg class="range" role="img" viewBox="-101 0 202 14" preserveAspectRatio="none"><title>{}</title>'
        '<path class="axis" d="M0 0V14"/><rect class="bar" x="{:.1f}" y="3" width="{:.1f}" height="8"/>'
        '<path class="mean" d="M{:.1f} 1V13"/></svg>'
    ).format(title, left, right - left, middle)


def pit_histogram(shares: Sequence[float], claimed: Sequence[float], title: str) -> Markup:
    """Shares of outcomes in the pieces of a distribution, each as wide as its claim: flat where it is calibrated.

    A bar as high as the stroke holds what it should; twice as high or more is drawn twice as high.
    """
    edges = 100 * np.concatenate([[0.0], np.cumsum(claimed)])
    heights = 8 * np.minimum(np.array(shares) / np.array(claimed), 2.0)
    bars = Markup("").join(
        Markup('<rect class="pit" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            left, 16 - height, right - left, height
        )
        for left, right, height in zip(edges, edges[1:], heights.tolist(), strict=False)
    )
    return Markup(
        '<svg class="histogram" role="img" viewBox="0 0 100 16" preserveAspectRatio="none"><title>{}</title>{}'
        '<path class="claim" d="M0 8H100"/></svg>'
    ).format(title, bars)


def coverage_strip(held: Sequence[float], title: str) -> Markup:
    """How often the three ranges held (dots) beside what they claim (strokes), on an axis from 0 to 1."""
    claims = Markup("").join(Markup('<path class="claim" d="M{:.1f} 1V15"/>').format(200 * claim) for claim in NOMINAL)
    dots = Markup("").join(
        Markup('<circle class="held" cx="{:.1f}" cy="8" r="3.5"/>').format(200 * share) for share in held
    )
    return Markup(
        '<svg class="strip" role="img" viewBox="-4 0 208 16"><title>{}</title>'
        '<path class="axis" d="M0 8H200"/>{}{}</svg>'
    ).format(title, claims, dots)


def fan_chart(closes: Grid, fan: Fan | None, sessions_ahead: int, labels: tuple[str, str], title: str) -> Markup:
    """A price and the ranges ahead of it.

    `closes` (n,) in price units, NaN without a bar: the line breaks there. `sessions_ahead` is room kept for the fan,
    so that all charts of a page share one time axis. `labels` name the first session and the origin. At least one close
    or a fan must be there.
    """
    shown = np.concatenate([closes, fan.quantiles.ravel() if fan else np.empty(0)])
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    pad = 0.04 * (high - low) or 0.01 * abs(high) or 1.0
    low, high = low - pad, high + pad
    across = (RIGHT - LEFT) / max(len(closes) - 1 + sessions_ahead, 1)

    def x(session: Grid) -> Grid:
        return LEFT + session * across

    def y(price: Grid) -> Grid:
        return BOTTOM - (price - low) / (high - low) * (BOTTOM - TOP)

    levels = ticks(low, high)
    grid = Markup("").join(_level(float(at), text) for at, text in zip(y(levels), tick_texts(levels), strict=True))
    line = Markup('<path class="price" d="{}"/>').format(_line(x(np.arange(len(closes), dtype=float)), y(closes)))
    ahead = _fan(x(fan.start + fan.ahead), y(fan.quantiles)) if fan else Markup("")
    origin = float(x(np.array(fan.start if fan else len(closes) - 1.0)))
    return Markup('<svg class="fan" role="img" viewBox="0 0 {:.0f} {:.0f}"><title>{}</title>{}{}{}{}</svg>').format(
        WIDTH, HEIGHT, title, grid, ahead, line, _times(labels, origin, sessions_ahead)
    )


def tick_texts(levels: Grid) -> list[str]:
    """The levels with just the decimals that their spacing asks for.

    >>> tick_texts(np.array([0.5, 0.75, 1.0]))
    ['0.50', '0.75', '1.00']
    """
    step = float(np.min(np.diff(levels))) if len(levels) > 1 else abs(float(levels[0])) / 100 or 1.0
    decimals = next((d for d in range(12) if np.isclose(step * 10**d, round(step * 10**d), rtol=1e-6, atol=0)), 12)
    return [f"{level:,.{decimals}f}" for level in levels.tolist()]


def _fan(x: Grid, y: Grid) -> Markup:
    bands = Markup("").join(
        Markup('<path class="{}" d="{}Z"/>').format(
            name, _line(np.concatenate([x, x[::-1]]), np.concatenate([y[:, low], y[::-1, high]]))
        )
        for name, low, high in BANDS
    )
    origin = Markup('<path class="origin" d="M{:.1f} {}V{}"/>').format(float(x[0]), TOP, BOTTOM)
    return bands + Markup('<path class="median" d="{}"/>').format(_line(x, y[:, 3])) + origin


def _level(y: float, text: str) -> Markup:
    return Markup('<path class="level" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
        LEFT, y, RIGHT, LEFT - 5, y + 3.5, text
    )


def _times(labels: tuple[str, str], origin: float, sessions_ahead: int) -> Markup:
    """The words under the time axis; of two that would overlap, only the origin's stays."""
    words = [("end", max(origin, LEFT + LABEL), labels[1])]
    if origin - LEFT > 2 * LABEL:
        words.append(("start", LEFT, labels[0]))
    if RIGHT - origin > LABEL / 2:
        words.append(("end", RIGHT, f"+{sessions_ahead}"))
    return Markup("").join(
        Markup('<text x="{:.1f}" y="{:.0f}" text-anchor="{}">{}</text>').format(at, HEIGHT - 5, anchor, text)
        for anchor, at, text in words
    )


def _line(x: Grid, y: Grid) -> str:
    """Path data through the points that exist; a lone point between two gaps is drawn as a dot by its round cap."""
    known = np.isfinite(y)
    first = known & ~np.concatenate([[False], known[:-1]])
    lone = first & ~np.concatenate([known[1:], [False]])
    verbs = np.where(first, "M", "L")
    points = zip(verbs[known].tolist(), x[known].tolist(), y[known].tolist(), lone[known].tolist(), strict=True)
    return "".join(f"{verb}{across:.1f} {down:.1f}{'h0' if alone else ''}" for verb, across, down, alone in points)
