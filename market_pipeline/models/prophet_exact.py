"""Prophet's own problem, solved exactly: its maximum a posteriori by an active set instead of Stan's L-BFGS.

Given sigma, Prophet with a linear trend and additive seasons is a quadratic in (k, m, beta) plus an L1 norm on the
slope changes delta. The former are eliminated, what is left is a lasso in 25 dimensions; sigma has a closed form. Which
seasons, changepoints and priors there are is asked of the prophet package, once for all series of the same days.
Knows series and days; knows nothing of markets.
"""

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from market_pipeline.panel import Days, Grid

ROUNDS = 200
"""Alternations between sigma and the rest; about a dozen suffice."""

CLOSE_ENOUGH = 1e-9
"""Relative change of sigma at which they end."""


@dataclass(frozen=True)
class Design:
    """What all series of the same days share, in Prophet's units: time runs from 0 to 1 over the history."""

    smooth: Grid
    """(bars, 2 + seasons): time, one, Fourier terms."""
    hinges: Grid
    """(bars, changepoints): time since each changepoint, 0 before."""
    precision: Grid
    """(2 + seasons,): inverse variances of the normal priors of k, m and beta."""
    tau: float
    """Scale of the Laplace prior of the slope changes."""
    changepoints: Grid
    future: Grid
    """(targets, 2 + seasons)."""

    @cached_property
    def grams(self) -> tuple[Grid, Grid, Grid]:
        """Inner products: smooth with smooth, smooth with hinges, hinges with hinges."""
        q, d = self.smooth, self.hinges
        return q.T @ q, q.T @ d, d.T @ d

    @property
    def future_hinges(self) -> Grid:
        """(targets, changepoints)."""
        return np.maximum(self.future[:, :1] - self.changepoints, 0.0)


@dataclass(frozen=True)
class Fit:
    """The maximum a posteriori of one series, in units of its largest absolute value."""

    smooth: Grid
    """k, m, beta."""
    delta: Grid
    sigma: float
    scale: float


def design_of(sessions: Days, targets: Days) -> Design:
    """The design for histories at `sessions` (bars,) and forecasts at `targets`, as the prophet package makes it."""
    import pandas as pd

    logging.getLogger("prophet").setLevel(logging.WARNING)
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # it plots nothing here
    logging.getLogger("cmdstanpy").disabled = True
    import prophet

    model = prophet.Prophet(daily_seasonality=False)
    days = pd.to_datetime(sessions)
    data = model.preprocess(pd.DataFrame({"ds": days, "y": np.linspace(1.0, 2.0, len(days))}))
    ahead = model.setup_dataframe(pd.DataFrame({"ds": pd.to_datetime(targets)}))
    seasons = model.make_all_seasonality_features(ahead)[0].to_numpy(np.float64)
    time, later = np.asarray(data.t, np.float64), ahead["t"].to_numpy(np.float64)
    changepoints = np.asarray(data.t_change, np.float64)
    return Design(
        smooth=np.column_stack([time, np.ones(len(time)), np.asarray(data.X, np.float64)]),
        hinges=np.maximum(time[:, None] - changepoints, 0.0),
        precision=np.concatenate([[1 / 25, 1 / 25], 1 / np.asarray(data.sigmas, np.float64) ** 2]),
        tau=float(data.tau),
        changepoints=changepoints,
        future=np.column_stack([later, np.ones(len(later)), seasons]),
    )


def fit(design: Design, level: Grid) -> Fit:
    """The maximum a posteriori of one series `level` (bars,)."""
    scale = float(np.abs(level).max()) or 1.0
    y = level / scale
    gram, cross, corner = design.grams
    to_smooth, to_hinges, square = design.smooth.T @ y, design.hinges.T @ y, float(y @ y)
    smooth, delta, sigma = np.zeros(len(gram)), np.zeros(len(corner)), 0.05
    for _ in range(ROUNDS):
        solved = np.linalg.solve(gram + sigma**2 * np.diag(design.precision), np.column_stack([cross, to_smooth]))
        on_hinges, on_y = solved[:, :-1], solved[:, -1]
        delta = lasso(corner - cross.T @ on_hinges, to_hinges - cross.T @ on_y, sigma**2 / design.tau, delta)
        smooth = on_y - on_hinges @ delta
        error = (
            square - 2 * (to_smooth @ smooth + to_hinges @ delta)
            + smooth @ gram @ smooth + 2 * smooth @ cross @ delta + delta @ corner @ delta
        )  # fmt: skip
        # n / sigma = error / sigma^3 - 4 sigma, from the normal likelihood and sigma's prior, normal(0, 0.5).
        count = len(y)
        newer = float(np.sqrt((-count + np.sqrt(count**2 + 16 * max(float(error), 1e-12))) / 8))
        settled, sigma = abs(newer - sigma) < CLOSE_ENOUGH * sigma, newer
        if settled:
            break
    return Fit(smooth, delta, sigma, scale)


def lasso(curvature: Grid, slope: Grid, penalty: float, start: Grid) -> Grid:
    """The minimum of x'Hx / 2 - c'x + penalty |x|, by an active set from `start` (Osborne, Presnell & Turlach 2000)."""
    x = start.copy()
    sign = np.sign(x)
    while True:
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
        if abs(pull[strongest]) <= penalty * (1 + 1e-9):
            return x
        sign[strongest] = np.sign(pull[strongest])


def log_posterior(design: Design, level: Grid, found: Fit) -> float:
    """Prophet's log posterior of a fit, up to a constant: what both this module and Stan maximise."""
    off = level / found.scale - design.smooth @ found.smooth - design.hinges @ found.delta
    likelihood = -len(off) * np.log(found.sigma) - float(off @ off) / (2 * found.sigma**2)
    smooth_prior = -float(design.precision @ found.smooth**2) / 2
    change_prior = -float(np.abs(found.delta).sum()) / design.tau
    return float(likelihood + smooth_prior + change_prior - 2 * found.sigma**2)


def expected(design: Design, found: Fit) -> Grid:
    """The level at each target (targets,)."""
    level: Grid = (design.future @ found.smooth + design.future_hinges @ found.delta) * found.scale
    return level


def simulated(design: Design, found: Fit, draws: int, seed: int) -> Grid:
    """Levels at each target (targets, draws): the trend goes on changing as often and as much as it did, plus noise.

    As prophet's `sample_predictive_trend`: a Poisson number of changes at uniform times, Laplace sizes with the mean
    absolute size of the past; and normal noise. (Its vectorised path takes the targets for evenly spaced, which
    sessions are not.)
    """
    draw = np.random.default_rng(seed)
    later = design.future[:, 0]
    span = max(float(later.max()) - 1.0, 0.0)
    counts = draw.poisson(len(design.changepoints) * span, draws)
    most = max(int(counts.max()), 1)
    times = 1.0 + span * draw.random((draws, most))
    sizes = draw.laplace(0.0, np.abs(found.delta).mean() + 1e-8, (draws, most))
    sizes *= np.arange(most) < counts[:, None]
    bends = (np.maximum(later[:, None, None] - times, 0.0) * sizes).sum(axis=-1)
    noise = found.sigma * draw.standard_normal((len(later), draws))
    levels: Grid = expected(design, found)[:, None] + (bends + noise) * found.scale
    return levels
