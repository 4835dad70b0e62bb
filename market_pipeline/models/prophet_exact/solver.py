"""The maximum of Prophet's posterior for many series at once, and the forecasts that follow from it.

Given sigma, Prophet with a linear trend and additive seasons is a quadratic in b = (k, m, beta) plus an L1 norm of the
slope changes delta. b is eliminated; what remains is a lasso in delta, and on each piece of its path sigma has a closed
form. Series with different days share a batch. Every step works on single numbers or on the matrices of one series, so
no series affects another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from .arrays import Grid
from .design import Design
from .interval import half_width
from .lasso import CLOSE, ROUNDING, Batch, best_on_path, noise_variance, solution

ROUNDS = 30
"""Active sets that are solved for at most; three suffice."""

ALTERNATIONS = 200
"""Of delta and variance at most, for a series that ROUNDS did not settle."""

LITTLE_NOISE = 1e-7
"""Variance, in units of the squared scale, at which b is eliminated for the path."""

CONSTANT_SIGMA = 1e-9
"""Sigma of a series that never moves, as in the prophet package."""


@dataclass(frozen=True)
class Fits:
    """Maxima a posteriori, in units of the largest absolute value of each series."""

    smooth: Grid
    """b (series, 2 + terms): k, m, beta."""
    delta: Grid
    """(series, changepoints)."""
    sigma: Grid
    """(series,)."""
    scale: Grid
    """(series,)."""


@dataclass(frozen=True)
class Problems:
    """What the fit of each series needs from its days and levels: see `Products`. All share tau and their shapes."""

    eigenvalues: Grid
    """(series, 2 + terms)."""
    cross: Grid
    """(series, 2 + terms, changepoints)."""
    hinges: Grid
    """(series, changepoints, changepoints)."""
    smooth_level: Grid
    """B'Q'y (series, 2 + terms)."""
    hinge_level: Grid
    """D'y (series, changepoints)."""
    square: Grid
    """y'y (series,)."""
    count: Grid
    """(series,): bars."""
    tau: float

    def subset(self, places: np.ndarray) -> "Problems":
        """The problems at the given places."""
        parts = {field.name: getattr(self, field.name)[places] for field in fields(self) if field.name != "tau"}
        return Problems(**parts, tau=self.tau)


def fits(series: Sequence[tuple[Design, Grid]]) -> list[Fits]:
    """The fits of levels (series, bars), each group with its design.

    A fit is the same to the last bit whatever else is in the batch, provided that BLAS uses one thread (see
    `threadpoolctl`).
    """
    # numpy adds the values of a row in another order if they are not adjacent in memory.
    series = [(design, np.ascontiguousarray(level)) for design, level in series]
    shapes: dict[tuple[int, int, float], list[int]] = {}
    for place, (design, _) in enumerate(series):
        key = (design.smooth.shape[1], design.hinges.shape[1], design.tau)
        shapes.setdefault(key, []).append(place)
    found: dict[int, Fits] = {}
    for places in shapes.values():
        found |= dict(zip(places, _fits_of_one_shape([series[place] for place in places]), strict=True))
    return [found[place] for place in range(len(series))]


def _fits_of_one_shape(series: Sequence[tuple[Design, Grid]]) -> list[Fits]:
    largest = [np.abs(level).max(axis=1) for _, level in series]
    scales = [np.where(scale > 0, scale, 1.0) for scale in largest]
    scaled = [(design, level / scale[:, None]) for (design, level), scale in zip(series, scales, strict=True)]
    ends = np.cumsum([len(level) for _, level in series])[:-1]
    parts = zip(series, scales, *(np.split(part, ends) for part in solve(problems_of(scaled))), strict=True)
    return [
        _with_constant_series(level, Fits(_product(design.products.basis, smooth), delta, np.sqrt(variance), scale))
        for (design, level), scale, smooth, delta, variance in parts
    ]


def _with_constant_series(level: Grid, found: Fits) -> Fits:
    """A series that never moves stays at its level, as in the package."""
    constant = level.min(axis=1) == level.max(axis=1)
    found.smooth[constant], found.delta[constant], found.sigma[constant] = 0.0, 0.0, CONSTANT_SIGMA
    found.smooth[constant, 1] = level[constant, 0] / found.scale[constant]
    return found


def problems_of(series: Sequence[tuple[Design, Grid]]) -> Problems:
    """The problems of levels (series, bars) in units of their scale, under designs of one shape, in their order."""
    products, levels = [design.products for design, _ in series], [level for _, level in series]
    lengths, width = [len(level) for level in levels], len(products[0].eigenvalues)
    sums = np.concatenate([_product(one.columns, level) for one, level in zip(products, levels, strict=True)])

    def repeated(parts: list[Grid]) -> Grid:
        return np.repeat(np.stack(parts), lengths, axis=0)

    return Problems(
        eigenvalues=repeated([one.eigenvalues for one in products]),
        cross=repeated([one.cross for one in products]),
        hinges=repeated([one.hinges for one in products]),
        smooth_level=sums[:, :width],
        hinge_level=sums[:, width:],
        square=np.concatenate([(level * level).sum(axis=1) for level in levels]),
        count=np.repeat([float(level.shape[1]) for level in levels], lengths),
        tau=series[0][0].tau,
    )


def _product(matrix: Grid, vectors: Grid) -> Grid:
    """`matrix` times each of `vectors` (series, n), or each matrix of (series, m, n) times its own vector.

    A product of a matrix and a vector for each series: BLAS adds in another order for another number of columns.
    """
    return np.asarray(np.matmul(matrix, np.ascontiguousarray(vectors)[..., None])[..., 0])


def _reduced(problems: Problems, variance: Grid) -> tuple[Grid, Grid, Grid]:
    """The quadratic in delta after b is eliminated at each noise variance: curvature, slope, and value at 0."""
    weight = 1 / (problems.eigenvalues + variance[:, None])
    cross = np.ascontiguousarray(problems.cross.transpose(0, 2, 1))
    curvature = problems.hinges - np.matmul(cross, weight[:, :, None] * problems.cross)
    slope = problems.hinge_level - _product(cross, weight * problems.smooth_level)
    return curvature, slope, problems.square - (weight * problems.smooth_level**2).sum(axis=1)


def _smooth(problems: Problems, variance: Grid, delta: Grid) -> Grid:
    """The coefficients b (series, 2 + terms), in the basis B, given the slope changes."""
    remaining = problems.smooth_level - _product(problems.cross, delta)
    return np.asarray(remaining / (problems.eigenvalues + variance[:, None]))


def solve(problems: Problems) -> tuple[Grid, Grid, Grid]:
    """B^-1 b (series, 2 + terms), delta (series, changepoints) and the noise variance (series,).

    Follows the path of the lasso with b eliminated at little noise. Then solves for the active set at its end, with b
    eliminated at the noise that it implies, and corrects the set until all conditions of optimality hold.
    """
    count = len(problems.count)
    reduced = _reduced(problems, np.full(count, LITTLE_NOISE))
    sign, variance = best_on_path(Batch(*reduced, problems.count, problems.tau))
    delta, priors, active = np.zeros(sign.shape), np.zeros(count), np.arange(count)
    for round_ in range(ROUNDS):
        some, before = problems.subset(active), variance[active]
        found, after, signs = _solve_active_set(some, before, sign[active], priors[active])
        settled = _same_variance(some, after, before) & (signs == sign[active]).all(axis=1) & (round_ > 0)
        delta[active], variance[active], sign[active] = found, after, signs
        priors[active] = (_smooth(some, after, found) ** 2).sum(axis=1)
        active = active[~settled]
        if not len(active):
            break
    for place in active:
        delta[place], variance[place] = alternate(problems.subset(np.array([place])), variance[place])
    return _smooth(problems, variance, delta), delta, variance


def _same_variance(problems: Problems, after: Grid, before: Grid) -> np.ndarray:
    allowed = CLOSE * before * problems.count + ROUNDING * problems.square
    return np.asarray(np.abs(after - before) * problems.count <= allowed)


def _solve_active_set(problems: Problems, variance: Grid, sign: Grid, priors: Grid) -> tuple[Grid, Grid, Grid]:
    """Delta and variance for active sets with given signs, and the signs to try next.

    The curvature is that at `variance`; `priors` is b'Pb of the last round. Where a condition of optimality is broken,
    the coefficient that most has the wrong sign leaves, or if there is none the one with the steepest gradient enters.
    """
    curvature, slope, square = _reduced(problems, variance)
    active = sign != 0
    both_active = active[:, :, None] & active[:, None, :]
    sides = np.stack([np.where(active, slope, 0.0), sign], axis=-1)
    solved = np.linalg.solve(np.where(both_active, curvature, np.eye(sign.shape[1])), sides)
    at_zero, per_penalty = np.ascontiguousarray(np.moveaxis(solved, -1, 0))
    error = square - (slope * at_zero).sum(axis=1)
    after = noise_variance(error, (sign * per_penalty).sum(axis=1), problems.count + priors, problems.tau)
    penalty = (after / problems.tau)[:, None]
    delta = at_zero - penalty * per_penalty
    wrong = np.where(active, -delta * sign, 0.0)
    gradient = np.where(active, 0.0, slope - _product(curvature, delta))
    rounding = ROUNDING * np.abs(problems.hinge_level).max(axis=1, keepdims=True)
    steep = np.abs(gradient) - penalty * (1 + CLOSE) - rounding
    leaves = np.flatnonzero(wrong.max(axis=1) > 0)
    enters = np.setdiff1d(np.flatnonzero(steep.max(axis=1) > 0), leaves, assume_unique=True)
    signs, entering = sign.copy(), steep[enters].argmax(axis=1)
    signs[leaves, wrong[leaves].argmax(axis=1)] = 0.0
    signs[enters, entering] = np.sign(gradient[enters, entering])
    return delta, after, signs


def alternate(problem: Problems, variance: float) -> tuple[Grid, float]:
    """Delta and variance of a single series in turns, from a first variance.

    Slow and certain, for the few series whose active set goes round in circles: for example, those that their
    changepoints nearly interpolate.
    """
    now, delta = np.array([variance]), np.zeros_like(problem.hinge_level)
    for _ in range(ALTERNATIONS):
        curvature, slope, square = _reduced(problem, now)
        delta[0] = solution(curvature[0], slope[0], float(now[0]) / problem.tau, delta[0])
        error = square + (delta * (_product(curvature, delta) - 2 * slope)).sum(axis=1)
        priors = (_smooth(problem, now, delta) ** 2).sum(axis=1)
        after = noise_variance(error, np.zeros(1), problem.count + priors, problem.tau)
        settled, now = _same_variance(problem, after, now).all(), after
        if settled:
            break
    return delta[0], float(now[0])


def expected(design: Design, found: Fits) -> Grid:
    """The level at each target (series, targets)."""
    level = _product(design.future, found.smooth) + _product(design.future_hinges, found.delta)
    return np.asarray(level * found.scale[:, None])


def range_half_width(design: Design, found: Fits) -> Grid:
    """Half the width of Prophet's own 80 % range of the level at each target (series, targets)."""
    change = np.abs(found.delta).mean(axis=1) + 1e-8  # as the package adds it
    ahead = np.maximum(design.future[:, 0] - 1.0, 0.0)
    sigma, change, ahead = np.broadcast_arrays(found.sigma[:, None], change[:, None], ahead)
    width = half_width(sigma, change, ahead, np.full(sigma.shape, float(design.hinges.shape[1])))
    return np.asarray(width * found.scale[:, None])
