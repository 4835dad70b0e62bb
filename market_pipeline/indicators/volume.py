"""Volume: what stands behind the price. TA-Lib, Volume and Statistic groups.

Computed on the bars whose volume is known; an unknown one has none of these, and poisons no other.
"""

import numpy as np
import talib

from market_pipeline.indicators.bars import Bars
from market_pipeline.panel import Grid

NAMES = ("mfi_14", "obv_20", "money_flow_20", "volume_ratio_20", "volume_deviation_20", "volume_return_60")


def volume(bars: Bars) -> dict[str, Grid]:
    """Each of NAMES for every bar, NaN during its lookback and where nothing was traded for its whole length."""
    high, low, close, traded = bars.high, bars.low, bars.close, bars.volume
    total = talib.SUM(traded, 20)
    # TA-Lib sums by running differences: what is left of a sum of zeros is noise, not volume.
    total = np.where(total > 1e-9, total, np.nan)
    together = np.full_like(close, np.nan)
    together[1:] = talib.CORREL(bars.returns[1:], traded[1:], 60)
    return {
        "mfi_14": talib.MFI(high, low, close, traded, 14) / 100,
        "obv_20": talib.MOM(talib.OBV(close, traded), 20) / total,
        "money_flow_20": talib.MOM(talib.AD(high, low, close, traded), 20) / total,
        "volume_ratio_20": traded / (total / 20),
        "volume_deviation_20": talib.STDDEV(traded, 20) / (total / 20),
        "volume_return_60": together,
    }
