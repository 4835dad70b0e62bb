"""Whether the indicators of late look like those that training saw: a diagnosis, no verdict.

A model may lose because the world left the place it was trained in. Knows panels; no model, no loss.
"""

import numpy as np

from market_pipeline.models.features.samples import Panel
from market_pipeline.storage.grids import Features

RECENT = 21
"""Sessions that are held against those before."""

AT_MOST = 20_000
"""Values of an indicator that are looked at on each side, spread evenly."""

FAR = 0.5
"""Distance from which an indicator counts as shifted: half of what is seen now would be strange then."""


def distances(panel: Panel, window: int) -> dict[str, float]:
    """Distance of each indicator in the last RECENT sessions from the `window` before, largest first.

    The two-sample statistic of Kolmogorov and Smirnov, by scipy: the largest gap between both distribution functions,
    0 to 1, whatever the indicator's scale. Its p-value would say little: days that follow each other are alike. An
    indicator without a value on either side is left out.
    """
    from scipy.stats import ks_2samp

    found = {}
    for name, values in zip(panel.feature_names, panel.recent, strict=True):
        now, then = _sample(values[:, -RECENT:]), _sample(values[:, -RECENT - window : -RECENT])
        if len(now) and len(then):
            found[name] = float(ks_2samp(now, then).statistic)
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _sample(values: Features) -> Features:
    known: Features = values.T[np.isfinite(values.T)]
    return known[:: max(1, -(-len(known) // AT_MOST))]
