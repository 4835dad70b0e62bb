"""Whether recent indicators are distributed as those of the training window: a diagnosis, not a verdict.

A model may lose skill because the market has moved away from the conditions that it was trained on.
"""

import numpy as np

from market_pipeline.models.features.panel import Panel
from market_pipeline.storage.grids import Features

RECENT = 21
"""Sessions that are compared with those before."""

AT_MOST = 20_000
"""Values of an indicator on each side, spread evenly, that are compared."""

SHIFTED = 0.5
"""Distance from which an indicator counts as shifted."""


def distances(panel: Panel, window: int) -> dict[str, float]:
    """Distance of each indicator in the last RECENT sessions from the `window` sessions before, largest first.

    The two-sample statistic of Kolmogorov and Smirnov: the largest difference of the two distribution functions, 0 to
    1, whatever the scale of the indicator. Its p-value would mean little, because successive days are dependent. An
    indicator without a value on either side is left out.
    """
    from scipy.stats import ks_2samp

    found = {}
    for name, values in zip(panel.feature_names, panel.recent, strict=True):
        now, before = _sample(values[:, -RECENT:]), _sample(values[:, -RECENT - window : -RECENT])
        if len(now) and len(before):
            found[name] = float(ks_2samp(now, before).statistic)
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _sample(values: Features) -> Features:
    known: Features = values.T[np.isfinite(values.T)]
    return known[:: max(1, -(-len(known) // AT_MOST))]
