"""Trend: the price relative to its averages, and how steadily it moves. TA-Lib, Overlap and Momentum groups."""

import numpy as np
from talib import _ta_lib as talib

from market_pipeline.indicators.bars import Bars
from market_pipeline.storage.grids import Grid


def trend(bars: Bars) -> dict[str, Grid]:
    """Each of the family, shape (bars,), as the catalogue describes it; NaN during its lookback."""
    high, low, close = bars.high, bars.low, bars.close
    histogram = talib.MACD(close, 12, 26, 9)[2]
    return {
        "gap_sma_20": close / talib.SMA(close, 20) - 1,
        "gap_sma_50": close / talib.SMA(close, 50) - 1,
        "gap_sma_200": close / talib.SMA(close, 200) - 1,
        "gap_ema_12": close / talib.EMA(close, 12) - 1,
        "gap_ema_26": close / talib.EMA(close, 26) - 1,
        "macd_histogram": histogram / close,
        "adx_14": talib.ADX(high, low, close, 14) / 100,
        "directional_14": (talib.PLUS_DI(high, low, close, 14) - talib.MINUS_DI(high, low, close, 14)) / 100,
        "aroon_25": talib.AROONOSC(high, low, 25) / 100,
        "slope_20": talib.LINEARREG_SLOPE(np.log(close), 20),
    }
