"""Whether one forecaster's losses are smaller than another's by more than luck.

Knows series of numbers only: no model, no market, no verdict.
"""

from dataclasses import dataclass

import numpy as np

from market_pipeline.storage.grids import Grid


@dataclass(frozen=True)
class DieboldMariano:
    """A one-sided test that the mean loss difference is below 0."""

    mean: float
    statistic: float
    p_value: float


def diebold_mariano(differences: Grid, overlap: int) -> DieboldMariano:
    """Test losses of the model less losses of the baseline, one difference per origin in order; raises on NaN.

    `overlap` is how many earlier origins share target sessions with each (horizon - 1 for daily origins). Diebold &
    Mariano (1995) with a Bartlett long-run variance (Newey & West 1987) over half again as many lags, for Bartlett's
    weights fade. The small-sample factor and Student's t of Harvey, Leybourne & Newbold (1997, eq. 9), with no more
    degrees than the variance itself has, 1.5 T / (lags + 1) for Bartlett's weights (Priestley 1981): short series that
    overlap would else pass by luck. Simulated at a level of 5 %, this share of equal forecasters passes: 5 % without
    overlap, 7 to 9 % at an overlap of 4 or 19, with 60 origins as with 1,000.
    """
    if not np.isfinite(differences).all():
        raise ValueError("A loss difference is not a number: pair the losses before testing them.")
    count, mean = len(differences), float(differences.mean())
    if np.ptp(differences) == 0:
        # Losses that never differ decide nothing; ones that always differ alike leave no doubt.
        return DieboldMariano(mean, -np.inf * np.sign(-mean) if mean else 0.0, 1.0 if mean >= 0 else 0.0)
    from arch.covariance.kernel import Bartlett
    from scipy.stats import t as student

    lags = _lags(count, overlap)
    variance = float(np.squeeze(Bartlett(differences, bandwidth=lags).cov.long_run)) / count
    steps = overlap + 1
    factor = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    freedom = min(1.5 * count / (lags + 1), count - 1)
    statistic = mean / np.sqrt(variance) * np.sqrt(max(factor, 0.0))
    return DieboldMariano(mean, float(statistic), float(student.cdf(statistic, freedom)))


def clark_west(products: Grid, overlap: int) -> DieboldMariano:
    """Whether forecasts predict a return at all, though their errors may be as large as those of forecasting none.

    `products` (origins,) are means of 2 x return x forecast: for the nested model without a mean, Clark & West's (2007,
    eq. 3.1) adjusted loss difference, e0² - (e1² - forecast²), is exactly that. Raises on NaN.
    """
    return diebold_mariano(-products, overlap)


def pesaran_timmermann(rose: Grid, called: Grid, both: Grid, overlap: int) -> DieboldMariano:
    """Whether calls of a rise and rises come together more often than by chance.

    Means over the symbols of each origin (origins,): rises, calls, and both at once. Their covariance is tested with a
    long-run variance, as Pesaran & Timmermann (2009) do in a regression; by origin, so that symbols that move together
    count once. Raises on NaN.
    """
    covariance = both - rose.mean() * called - called.mean() * rose + rose.mean() * called.mean()
    return diebold_mariano(-covariance, overlap)


def confidence_set(losses: Grid, horizon: int) -> Grid:
    """P-value of each model (models,) for belonging to the best, from losses (origins, models) that all have.

    Hansen, Lunde & Nason (2011), "The Model Confidence Set", by `arch`: block bootstrap with blocks of at least the
    horizon, the same draws every time.
    """
    from arch.bootstrap import MCS

    blocks = max(horizon, round(len(losses) ** (1 / 3)))
    found = MCS(losses, size=0.1, reps=200, block_size=blocks, method="R", seed=np.random.default_rng(20110331))
    found.compute()
    return np.asarray(found.pvalues["Pvalue"].sort_index().to_numpy(), np.float64)


def e_value(differences: Grid) -> float:
    """Evidence that a champion is now worse than the baseline on most days, whenever one looks.

    `differences` (origins,) are losses less the baseline's, of origins that do not overlap. A bet on the sign of the
    next one: if losses are smaller at least every other time, the wealth of a gambler who stakes a share on "larger"
    is a supermartingale, so it ever reaches 1 / alpha with probability alpha at most (Ville 1939; Choe & Ramdas 2024,
    "Comparing Sequential Forecasters"). The mean over stakes of 5, 10, 20 and 40 %.
    """
    signs = np.sign(differences)
    wealth = [np.exp(np.log1p(stake * signs).cumsum()) for stake in (0.05, 0.1, 0.2, 0.4)]
    return float(np.mean(wealth, axis=0).max(initial=1.0))


def effective_origins(count: int, overlap: int) -> float:
    """How many origins without overlap hold as much as `count` that overlap: the degrees of the test's variance."""
    return min(1.5 * count / (_lags(count, overlap) + 1), count)


def benjamini_hochberg(p_values: Grid, retired: int = 0) -> Grid:
    """P-values adjusted for their number, so that a share below 5 % of what passes 0.05 is false (1995).

    `retired` contests that are over count as having found nothing: who tries a hundred settings and shows the best has
    tried a hundred.
    """
    from scipy.stats import false_discovery_control

    if not len(p_values):
        return p_values
    return np.asarray(false_discovery_control([*p_values, *[1.0] * retired]), np.float64)[: len(p_values)]


def _lags(count: int, overlap: int) -> int:
    return min(max(int(1.5 * overlap), int(4 * (count / 100) ** (2 / 9))), count - 2)
