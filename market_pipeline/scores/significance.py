"""Whether one forecaster's losses are smaller than another's by more than luck.

Knows series of numbers only: no model, no market, no verdict.
"""

from dataclasses import dataclass

import numpy as np

from market_pipeline.panel import Grid


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

    lags = min(max(int(1.5 * overlap), int(4 * (count / 100) ** (2 / 9))), count - 2)
    variance = float(np.squeeze(Bartlett(differences, bandwidth=lags).cov.long_run)) / count
    steps = overlap + 1
    factor = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    freedom = min(1.5 * count / (lags + 1), count - 1)
    statistic = mean / np.sqrt(variance) * np.sqrt(max(factor, 0.0))
    return DieboldMariano(mean, float(statistic), float(student.cdf(statistic, freedom)))


def benjamini_hochberg(p_values: Grid) -> Grid:
    """P-values adjusted for their number, so that a share below 5 % of what passes 0.05 is false (1995)."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p_values), np.float64) if len(p_values) else p_values
