"""Volume: how much was traded with each move of the price. TA-Lib, Volume and Statistic groups.

Computed from the bars whose volume is known; one with an unknown volume has no value and changes no other.
"""

import numpy as np
from talib import _ta_lib as talib

from market_pipeline.indicators.bars import Bars
from market_pipeline.storage.grids import Grid


def volume(bars: Bars) -> dict[str, Grid]:
    """Each of the family, shape (bars,), as the catalogue describes it.

    NaN during its lookback, and where nothing was traded for its whole length.
    """
    high, low, close, traded = bars.high, bars.low, bars.close, bars.volume
    # TA-Lib sums by running differences: the sum of zeros is a rounding error, not 0.
    total = np.where(talib.MAX(traded, 20) > 0, talib.SUM(traded, 20), np.nan)
    # So is the money flow index of a constant price, or of no volume.
    typical = (high + low + close) / 3
    flow = np.where(np.diff(typical, prepend=typical[0]) == 0, 0.0, traded)
    together = np.full_like(close, np.nan)
    together[1:] = talib.CORREL(bars.returns[1:], traded[1:], 60)
    return {
        "mfi_14": np.where(talib.MAX(flow, 14) > 0, talib.MFI(high, low, close, traded, 14) / 100, np.nan),
        "obv_20": talib.MOM(talib.OBV(close, traded), 20) / total,
        "money_flow_20": talib.MOM(talib.AD(high, low, close, traded), 20) / total,
        "volume_ratio_20": traded / (total / 20),
        "volume_deviation_20": talib.STDDEV(traded, 20) / (total / 20),
        "volume_return_60": together,
    }
