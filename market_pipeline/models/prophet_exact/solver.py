"""Prophet's own problem, solved exactly and for many series at once, instead of one by one by Stan's L-BFGS.

Given sigma, Prophet with a linear trend and additive seasons is a quadratic in (k, m, beta) plus an L1 norm on the
slope changes delta. The former are eliminated, what is left is a lasso in 25 dimensions; sigma has a closed form on
each piece of its path. Series of different days share a batch, and no series feels another: every step works on single
numbers or on matrices of one series. Knows series and days; knows nothing of markets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.prophet_exact.arrays import Grid
from market_pipeline.models.prophet_exact.design import Design
from market_pipeline.models.prophet_exact.interval import half_width
from market_pipeline.models.prophet_exact.path import Lasso, followed, variance_of

ROUNDS = 30
"""Solutions for a set of active slope changes; three suffice."""

ALTERNATIONS = 200
"""Of a single series that needs them."""

CLOSE_ENOUGH = 1e-9
"""Relative change of the noise variance at which they end, and relative tolerance of the conditions of optimality."""

ROUNDING = 1e-14
"""Of sums, relative to their terms."""

LITTLE_NOISE = 1e-7
"""Variance, in units of the scale's square."""

STILL = 1e-9
"""Sigma of a series that never moves, as the prophet package has it."""


@dataclass(frozen=True)
class Problems:
    """What the fit of each series needs of its days and levels; see `Products`. All share tau and their shapes."""

    eigenvalues: Grid
    """(series, smooth)."""
    crossed: Grid
    """(series, smooth, changepoints)."""
    corner: Grid
    """(series, changepoints, changepoints)."""
    on_smooth: Grid
    """(series, smooth): basis' Q'y."""
    on_hinges: Grid
    """(series, changepoints): D'y."""
    square: Grid
    """(series,): y'y."""
    count: Grid
    """(series,): bars."""
    tau: float

    def some(self, places: np.ndarray) -> "Problems":
        """Those at the given places."""
        parts = ("eigenvalues", "crossed", "corner", "on_smooth", "on_hinges", "square", "count")
        return Problems(**{part: getattr(self, part)[places] for part in parts}, tau=self.tau)


@dataclass(frozen=True)
class Fits:
    """Maxima a posteriori, in units of each series' largest absolute value."""

    smooth: Grid
    """(series, smooth): k, m, beta."""
    delta: Grid
    """(series, changepoints)."""
    sigma: Grid
    """(series,)."""
    scale: Grid
    """(series,)."""


def fits(designs: Sequence[tuple[Design, Grid]]) -> list[Fits]:
    """The maxima a posteriori of levels (series, bars) under each design.

    Each series' fit is the same to the last bit whatever else is in the batch, as long as BLAS uses one thread: see
    `threadpoolctl`.
    """
    shapes: dict[tuple[int, int, float], list[int]] = {}
    for place, (design, _) in enumerate(designs):
        key = (design.smooth.shape[1], design.hinges.shape[1], design.tau)
        shapes.setdefault(key, []).append(place)
    found: dict[int, Fits] = {}
    for places in shapes.values():
        found |= dict(zip(places, _fits_of_one_shape([designs[place] for place in places]), strict=True))
    return [found[place] for place in range(len(designs))]


def _fits_of_one_shape(designs: Sequence[tuple[Design, Grid]]) -> list[Fits]:
    scales = [np.abs(level).max(axis=1) for _, level in designs]
    scales = [np.where(scale > 0, scale, 1.0) for scale in scales]
    turned, delta, variance = solved(
        problems_of([(design, level / scale[:, None]) for (design, level), scale in zip(designs, scales, strict=True)])
    )
    ends = np.cumsum([len(level) for _, level in designs])[:-1]
    parts = zip(designs, scales, *(np.split(part, ends) for part in (turned, delta, variance)), strict=True)
    return [
        _still_ones(level, Fits(_product(design.products.basis, turned), delta, np.sqrt(variance), scale))
        for (design, level), scale, turned, delta, variance in parts
    ]


def _still_ones(level: Grid, found: Fits) -> Fits:
    """A series that never moves stays where it stands, as the package has it."""
    still = level.min(axis=1) == level.max(axis=1)
    found.smooth[still], found.delta[still], found.sigma[still] = 0.0, 0.0, STILL
    found.smooth[still, 1] = level[still, 0] / found.scale[still]
    return found


def problems_of(designs: Sequence[tuple[Design, Grid]]) -> Problems:
    """The problems of levels (series, bars) under designs of one shape, in their order."""
    each = [(design.products, _product(design.products.columns, level), level) for design, level in designs]
    lengths = [len(level) for _, level in designs]

    def repeated(part: str) -> Grid:
        return np.repeat(np.stack([getattr(products, part) for products, _, _ in each]), lengths, axis=0)

    width = len(each[0][0].eigenvalues)
    return Problems(
        eigenvalues=repeated("eigenvalues"),
        crossed=repeated("crossed"),
        corner=repeated("corner"),
        on_smooth=np.concatenate([sums[:, :width] for _, sums, _ in each]),
        on_hinges=np.concatenate([sums[:, width:] for _, sums, _ in each]),
        square=np.concatenate([(level * level).sum(axis=1) for _, _, level in each]),
        count=np.repeat([float(level.shape[1]) for _, _, level in each], lengths),
        tau=designs[0][0].tau,
    )


def _product(matrix: Grid, vectors: Grid) -> Grid:
    """`matrix` times each of `vectors` (series, n), or each of (series, m, n) times its own.

    One product of a matrix and a vector for each series: BLAS adds in another order for another number of columns.
    """
    return np.asarray(np.matmul(matrix, np.ascontiguousarray(vectors)[..., None])[..., 0])


def _reduced(problems: Problems, variance: Grid) -> tuple[Grid, Grid, Grid]:
    """The quadratic in delta that is left at each noise variance: its curvature, slope and value at 0."""
    weight = 1 / (problems.eigenvalues + variance[:, None])
    crossed = np.ascontiguousarray(problems.crossed.transpose(0, 2, 1))
    curvature = problems.corner - np.matmul(crossed, weight[:, :, None] * problems.crossed)
    slope = problems.on_hinges - _product(crossed, weight * problems.on_smooth)
    return curvature, slope, problems.square - (weight * problems.on_smooth**2).sum(axis=1)


def _smooth(problems: Problems, variance: Grid, delta: Grid) -> Grid:
    """The rest (series, smooth) in the turned directions, given the slope changes."""
    return np.asarray(
        (problems.on_smooth - _product(problems.crossed, delta)) / (problems.eigenvalues + variance[:, None])
    )


def solved(problems: Problems) -> tuple[Grid, Grid, Grid]:
    """Turned smooth coefficients (series, smooth), slope changes (series, changepoints), noise variance (series,).

    Follows the lasso's path with the normal priors held as for little noise, then solves for the active set that it
    ended with, with the priors as its own noise asks, until all conditions of optimality hold.
    """
    every = len(problems.count)
    lasso = Lasso(*_reduced(problems, np.full(every, LITTLE_NOISE)), problems.count, problems.tau)
    sign, variance = followed(lasso)
    delta, priors, open_ones = np.zeros(sign.shape), np.zeros(every), np.arange(every)
    for round_ in range(ROUNDS):
        some, v = problems.some(open_ones), variance[open_ones]
        found, newer, signs = _improved(some, v, sign[open_ones], priors[open_ones])
        settled = _same_variance(some, newer, v) & (signs == sign[open_ones]).all(axis=1) & (round_ > 0)
        delta[open_ones], variance[open_ones], sign[open_ones] = found, newer, signs
        priors[open_ones] = (_smooth(some, newer, found) ** 2).sum(axis=1)
        open_ones = open_ones[~settled]
        if not len(open_ones):
            break
    for place in open_ones:
        alone = problems.some(np.array([place]))
        delta[place], variance[place] = alternated(alone, variance[place])
    return _smooth(problems, variance, delta), delta, variance


def _same_variance(problems: Problems, newer: Grid, older: Grid) -> np.ndarray:
    allowed = CLOSE_ENOUGH * older * problems.count + ROUNDING * problems.square
    return np.asarray(np.abs(newer - older) * problems.count <= allowed)


def _improved(problems: Problems, variance: Grid, sign: Grid, priors: Grid) -> tuple[Grid, Grid, Grid]:
    """Slope changes and variance that the active set asks for, and the set as it should be next.

    The curvature is that at `variance`; `priors` is b'Pb as it was. Of a set that breaks a condition, the coefficient
    of the wrong sign leaves, or if there is none the one with the steepest gradient enters.
    """
    curvature, slope, square = _reduced(problems, variance)
    active, every = sign != 0, np.arange(len(sign))
    among = active[:, :, None] & active[:, None, :]
    sides = np.stack([np.where(active, slope, 0.0), sign], axis=-1)
    both = np.linalg.solve(np.where(among, curvature, np.eye(sign.shape[1])), sides)
    at_none, per_penalty = np.ascontiguousarray(np.moveaxis(both, -1, 0))
    error = square - (slope * at_none).sum(axis=1)
    newer = variance_of(error, (sign * per_penalty).sum(axis=1), problems.count + priors, problems.tau)
    penalty = (newer / problems.tau)[:, None]
    delta = at_none - penalty * per_penalty
    wrong = np.where(active, -delta * sign, 0.0)
    gradient = np.where(active, 0.0, slope - _product(curvature, delta))
    rounding = ROUNDING * np.abs(problems.on_hinges).max(axis=1, keepdims=True)
    steep = np.abs(gradient) - penalty * (1 + CLOSE_ENOUGH) - rounding
    leaves = wrong.max(axis=1) > 0
    enters = ~leaves & (steep.max(axis=1) > 0)
    better, worst, steepest = sign.copy(), wrong.argmax(axis=1), steep.argmax(axis=1)
    better[every[leaves], worst[leaves]] = 0.0
    better[every[enters], steepest[enters]] = np.sign(gradient[every[enters], steepest[enters]])
    return delta, newer, better


def alternated(problem: Problems, variance: float) -> tuple[Grid, float]:
    """The slope changes and the variance of a single series by turns, from a first variance.

    Slow and certain: for the few whose active set goes in circles, such as a history that its changepoints all but
    interpolate.
    """
    now, delta = np.array([variance]), np.zeros_like(problem.on_hinges)
    for _ in range(ALTERNATIONS):
        curvature, slope, square = _reduced(problem, now)
        delta[0] = lasso(curvature[0], slope[0], float(now[0]) / problem.tau, delta[0])
        error = square + (delta * (_product(curvature, delta) - 2 * slope)).sum(axis=1)
        priors = (_smooth(problem, now, delta) ** 2).sum(axis=1)
        newer = variance_of(error, np.zeros(1), problem.count + priors, problem.tau)
        settled, now = _same_variance(problem, newer, now).all(), newer
        if settled:
            break
    return delta[0], float(now[0])


def lasso(curvature: Grid, slope: Grid, penalty: float, start: Grid) -> Grid:
    """The minimum of x'Hx / 2 - c'x + penalty |x|, by an active set from `start` (Osborne, Presnell & Turlach 2000)."""
    x = start.copy()
    sign = np.sign(x)
    enough = penalty * (1 + CLOSE_ENOUGH) + ROUNDING * np.abs(slope).max()
    for _ in range(ALTERNATIONS):
        while (active := np.flatnonzero(sign)).size:
            wanted = np.linalg.solve(curvature[np.ix_(active, active)], slope[active] - penalty * sign[active])
            crossing = wanted * sign[active] < 0
            if not crossing.any():
                x[active] = wanted
                break
            # Walk until the first coefficient reaches 0, drop it, and solve again.
            now = x[active][crossing]
            steps = np.where(now == 0, 0.0, now / (now - wanted[crossing]))
            step = steps.min()
            x[active] += step * (wanted - x[active])
            gone = active[crossing][steps.argmin()]
            x[gone], sign[gone] = 0.0, 0.0
        pull = slope - curvature @ x
        pull[sign != 0] = 0.0
        strongest = int(np.abs(pull).argmax())
        if abs(pull[strongest]) <= enough:
            break
        sign[strongest] = np.sign(pull[strongest])
    return x


def log_posterior(design: Design, level: Grid, found: Fits) -> Grid:
    """Prophet's log posterior (series,) of fits to `level` (series, bars), up to a constant: what Stan maximises."""
    off = level / found.scale[:, None] - _product(design.smooth, found.smooth) - _product(design.hinges, found.delta)
    likelihood = -level.shape[1] * np.log(found.sigma) - (off**2).sum(axis=1) / (2 * found.sigma**2)
    priors = -(design.precision * found.smooth**2).sum(axis=1) / 2 - np.abs(found.delta).sum(axis=1) / design.tau
    return np.asarray(likelihood + priors - 2 * found.sigma**2)


def expected(design: Design, found: Fits) -> Grid:
    """The level at each target (series, targets)."""
    level = _product(design.future, found.smooth) + _product(design.future_hinges, found.delta)
    return np.asarray(level * found.scale[:, None])


def own_half_width(design: Design, found: Fits) -> Grid:
    """Half the width of its own 80 % range of the level at each target (series, targets)."""
    change = np.abs(found.delta).mean(axis=1) + 1e-8  # the package's own grain
    ahead = np.maximum(design.future[:, 0] - 1.0, 0.0)
    sigma, change, ahead = np.broadcast_arrays(found.sigma[:, None], change[:, None], ahead)
    width = half_width(sigma, change, ahead, np.full(sigma.shape, float(design.hinges.shape[1])))
    return np.asarray(width * found.scale[:, None])
