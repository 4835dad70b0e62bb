"""Small inline SVG for the report: a range on an axis, coverage beside nominal, a histogram, a bar of fifths.

Knows numbers and geometry only: no table, no file, no colour (the page's style sheet names these by class). All text is
escaped; every drawing carries a title for readers who do not see it.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

NOMINAL = (0.50, 0.80, 0.95)
"""What the three central ranges of a forecast claim to hold."""

SESSIONS = 60
"""Strokes a strip has room for at least, so that a few sessions are not drawn as blocks."""


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


def fifths_bar(chances: Sequence[float], title: str) -> Markup:
    """One bar cut into the chances of the five fifths, lowest first; each as wide as it is likely."""
    edges = 100 * np.concatenate([[0.0], np.cumsum(chances)])
    pieces = Markup("").join(
        Markup('<rect class="q{}" x="{:.1f}" width="{:.1f}" height="10"/>').format(fifth + 1, left, right - left)
        for fifth, (left, right) in enumerate(pairwise(edges))
    )
    return Markup(
        '<svg class="fifths" role="img" viewBox="0 0 100 10" preserveAspectRatio="none"><title>{}</title>{}</svg>'
    ).format(title, pieces)


def session_strip(shares: Sequence[tuple[str, float]]) -> Markup:
    """The share of expected bars that is there, a stroke for each session, oldest first; what is not whole stands out.

    `shares` are sessions with their share, at least one.
    """
    across = max(len(shares), SESSIONS)
    strokes = Markup("").join(
        Markup('<path class="{}" d="M{:.1f} 20V{:.1f}"/>').format(
            "whole" if share >= 1 else "broken", place + 0.5, 19 - 18 * share
        )
        for place, (_, share) in enumerate(shares, across - len(shares))
    )
    broken = sum(share < 1 for _, share in shares)
    title = f"Bars present in {len(shares)} sessions from {shares[0][0]} to {shares[-1][0]}: {broken} not whole"
    return Markup(
        '<svg class="sessions" role="img" viewBox="0 0 {} 20" preserveAspectRatio="none"><title>{}</title>{}</svg>'
    ).format(across, title, strokes)
