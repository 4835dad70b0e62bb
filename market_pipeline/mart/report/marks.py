"""Arithmetic of the small SVG marks in page/marks.html: positions and widths. Knows numbers only."""

from collections.abc import Sequence

import numpy as np


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
