"""Arithmetic of the small SVG marks in page/marks.html: axes, positions and widths. Knows numbers only."""

from collections.abc import Sequence

import numpy as np


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


def on_axis(value: float, limit: float) -> float:
    """Position from -100 to 100 on an axis from -`limit` to `limit`; what lies beyond an end is put there.

    >>> on_axis(0.03, 0.06), on_axis(-0.1, 0.06)
    (50.0, -100.0)
    """
    return float(np.clip(value / limit, -1, 1) * 100)


def pieces(shares: Sequence[float]) -> list[tuple[float, float]]:
    """Left edge and width of each piece of a bar from 0 to 100.

    >>> pieces([0.25, 0.75])
    [(0.0, 25.0), (25.0, 75.0)]
    """
    edges = 100 * np.concatenate([[0.0], np.cumsum(shares)])
    return list(zip(edges[:-1].tolist(), np.diff(edges).tolist(), strict=True))


def density(share: float, nominal: float) -> float:
    """Height of a histogram's bar: 8 for its nominal share, 16 for twice that or more.

    >>> density(0.05, 0.1), density(0.3, 0.1)
    (4.0, 16.0)
    """
    return 8 * min(share / nominal, 2.0)
