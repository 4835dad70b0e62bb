"""Whether value at risk and expected shortfall were right: exceedances as many as stated, not in rows, not larger.

Each test is of one series of outcomes that do not overlap, in order. Knows series of numbers only.
"""

from typing import Literal

import numpy as np

from market_pipeline.storage.grids import Grid, Mask

LAGS = 4
"""Earlier exceedances that must not predict the next one (Engle & Manganelli 2004, section 6)."""

YELLOW, RED = 0.95, 0.9999
"""Chances of as many exceedances or fewer from which a zone begins (Basel Committee 1996)."""

FEWEST_BEYOND = 3
"""Losses beyond the value at risk that a test of their mean needs."""

Zone = Literal["green", "yellow", "red"]


def kupiec(exceeded: Mask, level: float) -> float:
    """P-value that the share of exceedances is `level`: the likelihood ratio of Kupiec (1995).

    >>> round(kupiec(np.arange(255) < 7, 0.01), 3)  # the first number of 255 that Kupiec's table rejects at 5 %
    0.021
    """
    return _chance(_coverage_ratio(exceeded, level), 1)


def christoffersen_independence(exceeded: Mask) -> float:
    """P-value that an exceedance is as likely after another as after none (Christoffersen 1998, section 3.2)."""
    return _chance(_independence_ratio(exceeded), 1)


def christoffersen(exceeded: Mask, level: float) -> float:
    """P-value that exceedances have the share `level` and are independent (Christoffersen 1998, section 3.3)."""
    return _chance(_coverage_ratio(exceeded, level) + _independence_ratio(exceeded), 2)


def dynamic_quantile(exceeded: Mask, value_at_risk: Grid, level: float) -> float:
    """P-value that exceedances are not predictable from the LAGS before and from the value at risk of the same time.

    The out-of-sample test of Engle & Manganelli (2004, theorem 5): the explained sum of squares of a regression on
    these, over level x (1 - level), is chi-squared. Its degrees of freedom are the regressors that differ.
    """
    hits = exceeded.astype(np.float64) - level
    count = len(hits) - LAGS
    lagged = [hits[LAGS - lag : LAGS - lag + count] for lag in range(1, LAGS + 1)]
    design = np.column_stack([np.ones(count), *lagged, value_at_risk[LAGS:]])
    solution, _, rank, _ = np.linalg.lstsq(design, hits[LAGS:])
    explained = float(((design @ solution) ** 2).sum())
    return _chance(explained / (level * (1 - level)), int(rank))


def shortfall_test(realised: Grid, value_at_risk: Grid, shortfall: Grid) -> float:
    """P-value that losses beyond the value at risk are no larger on average than the shortfall; one-sided.

    McNeil & Frey (2000, section 2.3), in units of the shortfall, with Student's t instead of a bootstrap. NaN with
    fewer than FEWEST_BEYOND such losses.
    """
    from scipy.special import stdtr

    beyond = realised < value_at_risk
    excess = (realised[beyond] - shortfall[beyond]) / -shortfall[beyond]
    if len(excess) < FEWEST_BEYOND or np.ptp(excess) == 0:
        return float("nan")
    statistic = excess.mean() / (excess.std(ddof=1) / np.sqrt(len(excess)))
    return float(stdtr(len(excess) - 1, statistic))


def traffic_light(exceeded: Mask, level: float) -> Zone:
    """The zone of the Basel Committee's (1996) framework for backtesting, by the number of exceedances.

    >>> [traffic_light(np.arange(250) < count, 0.01) for count in (4, 5, 9, 10)]
    ['green', 'yellow', 'yellow', 'red']
    """
    from scipy.stats import binom

    chance = float(binom.cdf(exceeded.sum(), len(exceeded), level))
    return "green" if chance < YELLOW else "yellow" if chance < RED else "red"


def _coverage_ratio(exceeded: Mask, level: float) -> float:
    count, beyond = len(exceeded), int(exceeded.sum())
    return 2 * (_likelihood(beyond, count, beyond / count) - _likelihood(beyond, count, level))


def _independence_ratio(exceeded: Mask) -> float:
    before, now = exceeded[:-1], exceeded[1:]
    alone = _likelihood(int(now.sum()), len(now), now.mean())
    split = [now[before == state] for state in (False, True)]
    return 2 * (sum(_likelihood(int(one.sum()), len(one), one.mean()) for one in split if len(one)) - alone)


def _likelihood(beyond: int, count: int, level: float) -> float:
    """Log likelihood of so many exceedances; 0 log 0 is 0."""
    from scipy.special import xlog1py, xlogy

    return float(xlogy(beyond, level) + xlog1py(count - beyond, -level))


def _chance(statistic: float, freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, max(statistic, 0.0)))
