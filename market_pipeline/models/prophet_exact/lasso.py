"""The lasso, min x'Hx / 2 - c'x + p |x|: whole paths of many small problems at once, or one problem at one penalty.

A path starts at the penalty for which all coefficients are 0 and goes downwards (Osborne, Presnell & Turlach 2000;
Efron et al. 2004). Between two events, a coefficient that enters or one that leaves, x is linear in the penalty. All
problems of a batch take a step together, but every operation works on single numbers or on one problem, so no problem
affects another.
"""

from dataclasses import dataclass

import numpy as np

from .arrays import Grid

EVENTS = 12
"""Events per coefficient after which a path ends; two suffice."""

ROUNDS = 200
"""Active sets that a single problem tries at most."""

CLOSE = 1e-9
"""Relative tolerance for the ends of a piece of a path and for the conditions of optimality."""

ROUNDING = 1e-14
"""Error of sums, relative to their terms."""

LEAST_ERROR = 1e-12
"""Squared errors below this are rounding."""


@dataclass(frozen=True)
class Batch:
    """Problems with the penalty v / tau, where v is the noise variance that maximises the posterior."""

    curvature: Grid
    """H (problems, n, n)."""
    slope: Grid
    """c (problems, n)."""
    square: Grid
    """(problems,): the squared error at x = 0."""
    count: Grid
    """(problems,): observations."""
    tau: float


def noise_variance(error: Grid, quadratic: Grid, count: Grid, tau: float) -> Grid:
    """The v that solves error + quadratic (v / tau)^2 = count v + 4 v^2; all (problems,).

    There the posterior is stationary in sigma (v = sigma^2, with the prior sigma ~ N(0, 0.5)) if the squared error at
    the penalty p is error + quadratic p^2.
    """
    error = np.maximum(error, LEAST_ERROR)
    within = count**2 + 4 * (4 - quadratic / tau**2) * error
    return np.asarray(2 * error / (count + np.sqrt(np.maximum(within, 0.0))))


def best_on_path(batch: Batch) -> tuple[Grid, Grid]:
    """Signs of the coefficients (problems, n), 0 for those that are 0, and noise variances (problems,).

    Of all points of the path at which the posterior is stationary in sigma, the one with the highest posterior. The
    path ends at the penalty below which there can be none, since the error only falls.
    """
    size = batch.slope.shape[1]
    table, lowest = _table(batch), _lowest_variance(batch)
    signs, variance, best = np.zeros(batch.slope.shape), lowest.copy(), np.full(len(lowest), np.inf)
    sign, penalty = np.zeros((size, len(lowest))), np.full(len(lowest), np.inf)
    index, active = np.arange(len(lowest)), np.ones(len(lowest), bool)
    with np.errstate(all="ignore"):  # finished problems stay in the table, without meaning, until it is worth a copy
        for _ in range(EVENTS * size):
            event, side = _events(table[:size, size], table[:size, size + 1], sign, penalty)
            which = event.argmax(axis=0)
            until, penalty = penalty, event[which, np.arange(len(which))]
            root, loss = _stationary(table, batch.count[index], batch.tau)
            inside = (root >= penalty * batch.tau * (1 - CLOSE)) & (root <= until * batch.tau * (1 + CLOSE))
            better = active & inside & (loss < best[index])
            improved = index[better]
            best[improved], variance[improved], signs[improved] = loss[better], root[better], sign[:, better].T
            active &= penalty * batch.tau > lowest[index]
            if not active.any():
                break
            if active.mean() < 0.6:
                table, sign, side = table[:, :, active], sign[:, active], side[:, active]
                which, penalty, index = which[active], penalty[active], index[active]
                active = np.ones(len(index), bool)
            _sweep(table, sign, which, side)
    return signs, variance


def _table(batch: Batch) -> Grid:
    """A symmetric table (n + 2, n + 2, problems): [[H, c, s], [c', square, .], [s', ., 0]], s the signs, 0 at first.

    After a sweep over the active coefficients A, column c holds H_A^-1 c_A for them and the gradient for the others;
    column s holds what a unit of penalty subtracts.
    """
    size = batch.slope.shape[1]
    table = np.zeros((size + 2, size + 2, len(batch.slope)))
    table[:size, :size] = batch.curvature.transpose(1, 2, 0)
    table[:size, size] = table[size, :size] = batch.slope.T
    table[size, size] = batch.square
    return table


def _lowest_variance(batch: Batch) -> Grid:
    """The noise variance (problems,) without any penalty."""
    free = np.linalg.solve(batch.curvature, batch.slope[..., None])[..., 0]
    error = batch.square - (batch.slope * free).sum(axis=1)
    return noise_variance(error, np.zeros(len(error)), batch.count, batch.tau)


def _stationary(table: Grid, count: Grid, tau: float) -> tuple[Grid, Grid]:
    """The variance at which the posterior would be stationary on this piece, and minus the log posterior there.

    Of two such variances it is the lower one: the other is a minimum.
    """
    signs, slope = len(table) - 1, len(table) - 2
    error, quadratic = table[slope, slope], -table[signs, signs]
    root = noise_variance(error, quadratic, count, tau)
    # |x| = s'x; the table holds the part that does not depend on the penalty.
    change = -table[slope, signs] / tau
    loss = (count * np.log(root) + error / root - quadratic * root / tau**2) / 2 + change + 2 * root
    return root, loss


def _events(at_zero: Grid, per_penalty: Grid, sign: Grid, penalty: Grid) -> tuple[Grid, Grid]:
    """The next lower penalty at which each coefficient enters or leaves, 0 if there is none, and its sign on entry.

    An active coefficient is at_zero - p per_penalty, and so is the gradient of another one. The former leaves at 0, the
    latter enters at +p or -p. Only those that move towards their limit count, so a coefficient that has just changed
    does not change back.
    """
    rising = np.where(per_penalty > -1, at_zero / (1 + per_penalty), 0.0)
    falling = np.where(per_penalty < 1, -at_zero / (1 - per_penalty), 0.0)
    leaving = np.where(sign * per_penalty < 0, at_zero / per_penalty, 0.0)
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


def solution(curvature: Grid, slope: Grid, penalty: float, start: Grid) -> Grid:
    """The minimum (n,) of one problem at one penalty, by an active set from `start` (Osborne et al. 2000)."""
    x = start.copy()
    sign = np.sign(x)
    limit = penalty * (1 + CLOSE) + ROUNDING * np.abs(slope).max()
    for _ in range(ROUNDS):
        while (active := np.flatnonzero(sign)).size:
            wanted = np.linalg.solve(curvature[np.ix_(active, active)], slope[active] - penalty * sign[active])
            crossing = wanted * sign[active] < 0
            if not crossing.any():
                x[active] = wanted
                break
            # Move until the first coefficient reaches 0, drop it, and solve again.
            now = x[active][crossing]
            steps = np.where(now == 0, 0.0, now / (now - wanted[crossing]))
            x[active] += steps.min() * (wanted - x[active])
            dropped = active[crossing][steps.argmin()]
            x[dropped], sign[dropped] = 0.0, 0.0
        gradient = slope - curvature @ x
        gradient[sign != 0] = 0.0
        steepest = int(np.abs(gradient).argmax())
        if abs(gradient[steepest]) <= limit:
            break
        sign[steepest] = np.sign(gradient[steepest])
    return x
