"""The half width of Prophet's own 80 % range, in closed form where the prophet package simulates.

In the future the trend goes on changing as in the past (`sample_predictive_trend`): a Poisson number of changes of
slope at uniform times, with Laplace sizes of the mean absolute size of the past; noise is normal. The changes before a
target are a Poisson process themselves, so each target can be treated alone. With noise of deviation 1, r = mean size
of a change x time ahead and n = expected number of changes, the deviation from the forecast has the characteristic
function

    exp(-u^2 / 2 + n (arctan(r u) / (r u) - 1)),

because a Laplace size has 1 / (1 + u^2), and the time since a change is uniform.
"""

import numpy as np

from .arrays import Grid

NORMAL_90 = 1.2815515655446004
"""The standard normal quantile at 0.9."""

HIGHEST = 6.5
"""Frequency above which exp(-u^2 / 2) is negligible."""

POINTS = (32, 64, 128, 256, 1024, 4096)
"""Numbers of frequencies at which the characteristic function is evaluated: more for longer tails."""

STEPS = 100
"""Newton steps at most; they approach from below without overshooting, and about six suffice."""


def half_width(sigma: Grid, change: Grid, ahead: Grid, rate: Grid) -> Grid:
    """Half the distance from the 10 % to the 90 % quantile, in the units of sigma; all of one shape.

    `change` is the mean absolute change of slope, `ahead` the time from the last bar, `rate` the expected number of
    changes in a unit of time. Relative error below 1e-5 up to change x ahead = 200 sigma; beyond that, the noise is
    taken as one 200th of change x ahead.
    """
    reach = (change * ahead).ravel()
    noise = np.maximum(sigma.ravel(), reach / 200)
    ratio, expected = reach / noise, (rate * ahead).ravel()
    enough = np.searchsorted(np.array(POINTS), np.minimum(18 + (24 + expected) * ratio, POINTS[-1]))
    width = np.empty(len(ratio))
    for index, points in enumerate(POINTS):
        here = enough == index
        if here.any():
            width[here] = noise[here] * _quantile_90(ratio[here], expected[here], points)
    return width.reshape(sigma.shape)


def _quantile_90(ratio: Grid, expected: Grid, points: int) -> Grid:
    """The 90 % quantile (cases,), by Newton's method on the inverted characteristic function (Gil-Pelaez 1951).

    The density is symmetric with one peak, so above 0 the distribution function is concave; the start, the normal
    quantile, lies below the solution.
    """
    step = HIGHEST / points
    frequency = step * (np.arange(points) + 0.5)
    scaled = np.maximum(ratio[:, None] * frequency, 1e-9)
    weight = np.exp(-(frequency**2) / 2 + expected[:, None] * (np.arctan(scaled) / scaled - 1)) * (step / np.pi)
    quantile, active = np.full(len(ratio), NORMAL_90), np.arange(len(ratio))
    for _ in range(STEPS):
        angle, height = quantile[active, None] * frequency, weight[active]
        below = 0.5 + (np.sin(angle) * height / frequency).sum(axis=1)
        density = (np.cos(angle) * height).sum(axis=1)
        move = (0.9 - below) / density
        quantile[active] += move
        active = active[np.abs(move) > 1e-8 * quantile[active]]
        if not len(active):
            break
    return quantile
