"""Whether one forecaster's losses are smaller than another's by more than luck.

Knows series of numbers only: no model, no market, no verdict.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from market_pipeline.storage.grids import Grid

LEAST_P = 1e-300
"""Below it, a p-value stays what it is: no look makes it large."""

LARGEST_NORMAL, HALVINGS = 1000.0, 64
"""Where the search for a boundary begins, and how often the interval is halved: to the last digit."""


def diebold_mariano(differences: Grid, overlap: int) -> float:
    """One-sided p-value that the mean of loss differences, model less baseline, is below 0; raises on NaN.

    `differences` (origins,) are in order of origins; `overlap` is how many earlier origins share target sessions with
    each (horizon - 1 for daily origins). The test of Diebold & Mariano (1995), with a Bartlett long-run variance (Newey
    & West 1987) over 1.5 x `overlap` lags, because its weights decline. The small-sample factor and Student's t are
    those of Harvey, Leybourne & Newbold (1997, eq. 9), with at most the degrees of freedom of the variance, 1.5 T /
    (lags + 1) (Priestley 1981): otherwise short series that overlap would pass by luck. Simulated at a level of 5 %,
    5 % of equal forecasters pass without overlap, and 7 to 9 % at an overlap of 4 or 19, with 60 origins as with 1,000.
    """
    if not np.isfinite(differences).all():
        raise ValueError("A loss difference is not a number: pair the losses before testing them.")
    count, mean = len(differences), float(differences.mean())
    if np.ptp(differences) == 0:
        # Losses that never differ are no evidence; a difference that never varies is certain.
        return 1.0 if mean >= 0 else 0.0
    from arch.covariance.kernel import Bartlett
    from scipy.special import stdtr

    lags = _lags(count, overlap)
    variance = float(np.squeeze(Bartlett(differences, bandwidth=lags).cov.long_run)) / count
    steps = overlap + 1
    factor = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    freedom = min(1.5 * count / (lags + 1), count - 1)
    statistic = mean / np.sqrt(variance) * np.sqrt(max(factor, 0.0))
    return float(stdtr(freedom, statistic))


def clark_west(products: Grid, overlap: int) -> float:
    """P-value of the test that forecasts predict returns at all, even if their errors are no smaller than without.

    `products` (origins,) are means of 2 x return x forecast: for the nested model without a mean, Clark & West's (2007,
    eq. 3.1) adjusted loss difference, e0² - (e1² - forecast²), is exactly that. Raises on NaN.
    """
    return diebold_mariano(-products, overlap)


def pesaran_timmermann(shares: Grid, overlap: int) -> float:
    """P-value of the test that forecasts of a rise and rises come together more often than by chance.

    `shares` (origins, 3) are of the symbols of an origin: those that rose, those that were forecast to rise, and those
    with both. Their covariance is tested with a long-run variance, as Pesaran & Timmermann (2009) do in a regression.
    Shares by origin count symbols that move together once. Raises on NaN.
    """
    rose, called, both = shares.T
    covariance = both - rose.mean() * called - called.mean() * rose + rose.mean() * called.mean()
    return diebold_mariano(-covariance, overlap)


def confidence_set(losses: Grid, horizon: int) -> Grid:
    """P-value of each model (models,) for being among the best, from losses (origins, models) without gaps.

    Hansen, Lunde & Nason (2011), "The Model Confidence Set", by `arch`: block bootstrap with blocks of at least the
    horizon, the same draws every time. Models with equal losses, as one that forecasts as the random walk does, are one
    model of the set, because the variance of their difference is 0.
    """
    from arch.bootstrap import MCS

    _, first, equal = np.unique(losses, axis=1, return_index=True, return_inverse=True)
    kept = np.sort(first)
    if len(kept) == 1:
        return np.ones(losses.shape[1])
    blocks = max(horizon, round(len(losses) ** (1 / 3)))
    seed = np.random.default_rng(20110331)
    found = MCS(losses[:, kept], size=0.1, reps=200, block_size=blocks, method="R", seed=seed)
    found.compute()
    values = np.asarray(found.pvalues["Pvalue"].sort_index().to_numpy(), np.float64)
    return values[np.searchsorted(kept, first[equal.ravel()])]


def e_value(differences: Grid) -> float:
    """Evidence that a champion is worse than the baseline on most days; valid at any time it is read.

    `differences` (origins,) are losses less the baseline's, of origins that do not overlap. It is the wealth of a
    gambler who bets a share of it on "larger" at each origin. If losses are smaller at least every other time, this
    wealth is a supermartingale and reaches 1 / alpha with probability alpha at most (Ville 1939; Choe & Ramdas 2024,
    "Comparing Sequential Forecasters"). The mean over shares of 5, 10, 20 and 40 %, at its highest.
    """
    signs = np.sign(differences)
    wealth = [np.exp(np.log1p(stake * signs).cumsum()) for stake in (0.05, 0.1, 0.2, 0.4)]
    return float(np.mean(wealth, axis=0).max(initial=1.0))


def at_any_time(p_values: npt.ArrayLike, times_the_first: npt.ArrayLike) -> Grid:
    """One-sided p-values that hold however often they are looked at, from those that hold for a single look.

    `times_the_first` is by how much more origins there are than at the first look that could have been (1 or more), of
    the same shape. The chance that a mean without an edge is as far from 0 at some look from the first one on, where
    the boundary grows with the logarithm of time: Robbins & Siegmund (1970), "Boundary crossing probabilities for the
    Wiener process and sample sums", with a mixture over positive drifts; exact for a Wiener process that is watched all
    the time, and for sums of losses in the limit.
    """
    from scipy.special import log_ndtr, ndtr, ndtri

    def height(normal: Grid) -> Grid:
        raised: Grid = normal**2 + 2 * log_ndtr(normal)
        return raised

    one_look = np.asarray(p_values, np.float64)
    now = -ndtri(np.clip(one_look, LEAST_P, 1 - 1e-16))
    reached = height(now) - np.log(times_the_first)
    low, first = np.full_like(now, -LARGEST_NORMAL), now
    for _ in range(HALVINGS):
        middle = (low + first) / 2
        above = height(middle) > reached
        low, first = np.where(above, low, middle), np.where(above, middle, first)
    density = np.exp(-(first**2) / 2) / np.sqrt(2 * np.pi)
    ratio = np.exp(-(first**2) / 2 - np.log(2 * np.pi) / 2 - log_ndtr(first))
    found: Grid = np.clip(ndtr(-first) + density * (first + ratio), one_look, 1.0)
    return np.where(one_look < LEAST_P, one_look, found)


def effective_origins(count: int, overlap: int) -> float:
    """The number of origins without overlap that are worth `count` with overlap: the degrees of the test's variance."""
    return min(1.5 * count / (_lags(count, overlap) + 1), count)


def benjamini_hochberg(p_values: Sequence[float], retired: int = 0) -> list[float]:
    """P-values adjusted for their number, so that at most 5 % of those below 0.05 are false (1995).

    `retired` comparisons of settings that are no longer used count with a p-value of 1.
    """
    from scipy.stats import false_discovery_control

    return false_discovery_control([*p_values, *[1.0] * retired]).tolist()[: len(p_values)] if p_values else []


def _lags(count: int, overlap: int) -> int:
    return min(max(int(1.5 * overlap), int(4 * (count / 100) ** (2 / 9))), count - 2)
