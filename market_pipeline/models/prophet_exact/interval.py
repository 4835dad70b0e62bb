"""How wide Prophet's own 80 % range is: in closed form what the prophet package simulates.

The trend goes on changing as it did: a Poisson number of changes at uniform times, Laplace sizes with the mean absolute
size of the past (`sample_predictive_trend`); and normal noise. Of the changes until the last target those until an
earlier one are Poisson again, so each target stands alone. With noise of deviation 1, r the mean size of a change times
the time ahead and n the expected number of changes, the deviation from the forecast has the characteristic function

    exp(-u^2 / 2 + n (arctan(r u) / (r u) - 1)),

as a Laplace size has 1 / (1 + u^2), and a change of slope has gone on for a uniform share of the time. Knows numbers
only.
"""

import numpy as np

from market_pipeline.models.prophet_exact.arrays import Grid

NORMAL_90 = 1.2815515655446004
"""The normal distribution's quantile at 0.9."""

HIGHEST = 6.5
"""Frequency above which exp(-u^2 / 2) is nothing."""

POINTS = (32, 64, 128, 256, 1024, 4096)
"""Frequencies at which the characteristic function is taken: more, the longer the tails."""

STEPS = 100
"""Newton steps; from below they cannot overshoot, and half a dozen suffice."""


def half_width(sigma: Grid, change: Grid, ahead: Grid, rate: Grid) -> Grid:
    """Half the distance from the 10 % to the 90 % quantile, in units of sigma's; all of one shape.

    `change` is the mean absolute slope change, `ahead` the time from the last bar, `rate` the changes expected in a
    unit of time. Relative error below 1e-5 up to change x ahead = 200 sigma; beyond, the noise counts as one 200th of
    that.
    """
    reach = (change * ahead).ravel()
    noise = np.maximum(sigma.ravel(), reach / 200)
    ratio, expected = reach / noise, (rate * ahead).ravel()
    enough = np.searchsorted(np.array(POINTS), np.minimum(18 + (24 + expected) * ratio, POINTS[-1]))
    width = np.empty(len(ratio))
    for place, points in enumerate(POINTS):
        here = enough == place
        if here.any():
            width[here] = noise[here] * _upper_tenth(ratio[here], expected[here], points)
    return width.reshape(sigma.shape)


def _upper_tenth(ratio: Grid, expected: Grid, points: int) -> Grid:
    """The 90 % quantile (cases,), by Newton's method on the inverted characteristic function (Gil-Pelaez 1951).

    The distribution is symmetric with one peak, so its upper half is concave, and the normal quantile lies below.
    """
    step = HIGHEST / points
    frequency = step * (np.arange(points) + 0.5)
    scaled = np.maximum(ratio[:, None] * frequency, 1e-9)
    weight = np.exp(-(frequency**2) / 2 + expected[:, None] * (np.arctan(scaled) / scaled - 1)) * (step / np.pi)
    found, open_ones = np.full(len(ratio), NORMAL_90), np.arange(len(ratio))
    for _ in range(STEPS):
        angle, height = found[open_ones, None] * frequency, weight[open_ones]
        below = 0.5 + (np.sin(angle) * height / frequency).sum(axis=1)
        density = (np.cos(angle) * height).sum(axis=1)
        move = (0.9 - below) / density
        found[open_ones] += move
        open_ones = open_ones[np.abs(move) > 1e-8 * found[open_ones]]
        if not len(open_ones):
            break
    return found
