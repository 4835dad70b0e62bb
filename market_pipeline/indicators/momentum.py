"""Momentum: how far and how fast the price has moved. TA-Lib, Momentum group."""

import numpy as np
from talib import _ta_lib as talib

from market_pipeline.indicators.bars import Bars
from market_pipeline.storage.grids import Grid


def momentum(bars: Bars) -> dict[str, Grid]:
    """Each of the family, shape (bars,), as the catalogue describes it; NaN during its lookback.

    TA-Lib writes 0 for a quotient of zeros, which for most of these is an extreme, not a middle: NaN instead.
    """
    high, low, close, returns = bars.high, bars.low, bars.close, bars.returns
    level = np.log(close)
    moved = np.logical_or.accumulate(close != close[0])
    span = talib.MAX(high, 14) - talib.MIN(low, 14)
    ranged = talib.MAX(talib.TRANGE(high, low, close), 7) > 0
    stochastic_k, stochastic_d = talib.STOCH(high, low, close, 14, 3, talib.MA_Type.SMA, 3, talib.MA_Type.SMA)
    autocorrelation = np.full_like(close, np.nan)
    # The first two bars have no return, or none before it.
    autocorrelation[2:] = talib.CORREL(returns[2:], returns[1:-1], 60)
    deviation = np.full_like(close, np.nan)
    deviation[1:] = talib.STDDEV(returns[1:], 20)
    return {
        "return_1": talib.MOM(level, 1),
        "return_5": talib.MOM(level, 5),
        "return_20": talib.MOM(level, 20),
        "return_60": talib.MOM(level, 60),
        "rsi_2": np.where(moved, talib.RSI(close, 2) / 100, np.nan),
        "rsi_14": np.where(moved, talib.RSI(close, 14) / 100, np.nan),
        "stochastic_k_14": np.where(talib.MIN(span, 3) > 0, stochastic_k / 100, np.nan),
        "stochastic_d_14": np.where(talib.MIN(span, 5) > 0, stochastic_d / 100, np.nan),
        "williams_14": np.where(span > 0, talib.WILLR(high, low, close, 14) / 100, np.nan),
        "cci_20": talib.CCI(high, low, close, 20) / 100,
        "ultimate_28": np.where(ranged, talib.ULTOSC(high, low, close, 7, 14, 28) / 100, np.nan),
        "autocorrelation_60": autocorrelation,
        "carry_60": autocorrelation * returns / np.where(deviation > 0, deviation, np.nan),
    }
