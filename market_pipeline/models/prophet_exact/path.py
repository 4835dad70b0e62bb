"""Many small lasso problems at once: each followed along its path until the penalty that its own noise asks for.

The lasso min x'Hx / 2 - c'x + penalty |x| is solved along the whole path of penalties from the one at which all is
zero downwards (Osborne, Presnell & Turlach 2000; Efron et al. 2004): between two events, a coefficient that enters or
one that leaves, x is linear in the penalty. All problems of a batch take a step together. Every operation works on
single numbers or on one problem, so no problem feels another. Knows numbers only.
"""

from dataclasses import dataclass

import numpy as np

from market_pipeline.models.prophet_exact.arrays import Grid

STEPS = 12
"""Events per coefficient after which a path ends; two suffice."""

CLOSE = 1e-9
"""Relative distance from the ends of a piece that still counts as on it."""

LEAST_ERROR = 1e-12
"""A squared error below is rounding."""


@dataclass(frozen=True)
class Lasso:
    """Problems whose penalty is v / tau, v the noise variance at which the posterior is highest."""

    curvature: Grid
    """H (problems, n, n)."""
    slope: Grid
    """c (problems, n)."""
    square: Grid
    """(problems,): the squared error where x = 0."""
    count: Grid
    """(problems,): observations."""
    tau: float


def variance_of(error: Grid, bent: Grid, count: Grid, tau: float) -> Grid:
    """The v that solves error + bent (v / tau)^2 = count v + 4 v^2; all (problems,).

    There the posterior's slope in sigma is 0 (v = sigma^2; the prior of sigma is normal(0, 0.5)), when the squared
    error at the penalty p is error + bent p^2.
    """
    error = np.maximum(error, LEAST_ERROR)
    within = count**2 + 4 * (4 - bent / tau**2) * error
    return np.asarray(2 * error / (count + np.sqrt(np.maximum(within, 0.0))))


def followed(lasso: Lasso) -> tuple[Grid, Grid]:
    """Signs of the solutions (problems, n), 0 where a coefficient is, and the noise variances (problems,).

    Of all points of the path at which the posterior's slope in sigma is 0, it is the one with the highest posterior:
    the path is followed to the penalty below which the error, which can only fall, allows none.
    """
    size = lasso.slope.shape[1]
    table, floor = _table(lasso), _least_variance(lasso)
    signs, variance, best = np.zeros(lasso.slope.shape), floor.copy(), np.full(len(floor), np.inf)
    sign, penalty = np.zeros((size, len(floor))), np.full(len(floor), np.inf)
    place, open_ones = np.arange(len(floor)), np.ones(len(floor), bool)
    with np.errstate(all="ignore"):  # problems that have ended go on with what is left until many have ended
        for _ in range(STEPS * size):
            event, side = _events(table[:size, size], table[:size, size + 1], sign, penalty)
            which = event.argmax(axis=0)
            until, penalty = penalty, event[which, np.arange(len(which))]
            root, loss = _turn(table, lasso.count[place], lasso.tau)
            inside = (root >= penalty * lasso.tau * (1 - CLOSE)) & (root <= until * lasso.tau * (1 + CLOSE))
            better = open_ones & inside & (loss < best[place])
            there = place[better]
            best[there], variance[there], signs[there] = loss[better], root[better], sign[:, better].T
            open_ones &= penalty * lasso.tau > floor[place]
            if not open_ones.any():
                break
            if open_ones.mean() < 0.6:
                table, sign, side = table[:, :, open_ones], sign[:, open_ones], side[:, open_ones]
                which, penalty, place = which[open_ones], penalty[open_ones], place[open_ones]
                open_ones = np.ones(len(place), bool)
            _sweep(table, sign, which, side)
    return signs, variance


def _table(lasso: Lasso) -> Grid:
    """A symmetric table (n + 2, n + 2, problems): [[H, c, s], [c', square, .], [s', ., 0]], s the signs, 0 as yet.

    Swept on the active coefficients A, its column c holds H_A^-1 c_A at these and the gradient at the others, its
    column s what a unit of penalty takes away.
    """
    size = lasso.slope.shape[1]
    table = np.zeros((size + 2, size + 2, len(lasso.slope)))
    table[:size, :size] = lasso.curvature.transpose(1, 2, 0)
    table[:size, size] = table[size, :size] = lasso.slope.T
    table[size, size] = lasso.square
    return table


def _least_variance(lasso: Lasso) -> Grid:
    """The noise variance (problems,) without any penalty."""
    free = np.linalg.solve(lasso.curvature, lasso.slope[..., None])[..., 0]
    error = lasso.square - (lasso.slope * free).sum(axis=1)
    return variance_of(error, np.zeros(len(error)), lasso.count, lasso.tau)


def _turn(table: Grid, count: Grid, tau: float) -> tuple[Grid, Grid]:
    """The variance at which the posterior's slope in sigma would be 0 on this piece, and minus the log posterior there.

    Of the two that may be it is the lower one: the other is a trough.
    """
    signs, slope = len(table) - 1, len(table) - 2
    error, bent = table[slope, slope], -table[signs, signs]
    root = variance_of(error, bent, count, tau)
    # |x| = s'x, of which the table holds the part without the penalty.
    change = -table[slope, signs] / tau
    loss = (count * np.log(root) + error / root - bent * root / tau**2) / 2 + change + 2 * root
    return root, loss


def _events(at_none: Grid, per_penalty: Grid, sign: Grid, penalty: Grid) -> tuple[Grid, Grid]:
    """The next lower penalty at which each coefficient changes its state, 0 if none, and the sign it enters with.

    An active coefficient is u - p w, the gradient of another one likewise; the former leaves at 0, the latter enters at
    +p or -p. Only what moves towards its border counts: so a coefficient that just changed does not change back.
    """
    rising = np.where(per_penalty > -1, at_none / (1 + per_penalty), 0.0)
    falling = np.where(per_penalty < 1, -at_none / (1 - per_penalty), 0.0)
    leaving = np.where(sign * per_penalty < 0, at_none / per_penalty, 0.0)
    event = np.where(sign == 0, np.maximum(rising, falling), leaving)
    return np.minimum(np.maximum(event, 0.0), penalty), np.where(rising >= falling, 1.0, -1.0)


def _sweep(table: Grid, sign: Grid, which: np.ndarray, side: Grid) -> None:
    """Let coefficient `which` of each problem enter or leave, in place."""
    every, signs = np.arange(len(which)), len(sign) + 1
    before = sign[which, every]
    enters = before == 0
    after = np.where(enters, side[which, every], 0.0)
    table[which, signs, every] += after
    table[signs, which, every] += after
    column = table[:, which, every]
    scaled = column / column[which, every]
    table -= column[:, None] * scaled
    scaled *= np.where(enters, 1.0, -1.0)
    scaled[which, every] = -1 / column[which, every]
    table[:, which, every] = scaled
    table[which, :, every] = scaled.T
    left = np.where(enters, 0.0, before)
    table[which, signs, every] -= left
    table[signs, which, every] -= left
    sign[which, every] = after
