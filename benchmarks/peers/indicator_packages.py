"""B4: the same indicators by pandas-ta-classic and by ta, symbol by symbol; a sample of five, scaled.

What a package lacks (regression slope, rolling correlations) is done with pandas, or left out.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from peers.bars import frames


def pandas_ta(folder: Path, size: float) -> dict[str, float]:
    import pandas_ta_classic as p

    def work(b: pd.DataFrame) -> None:
        h, low, c, v = (b[name] for name in ("high", "low", "close", "volume"))
        r = p.log_return(c)
        for length in (20, 50, 200):
            c / p.sma(c, length)
        for length in (12, 26):
            c / p.ema(c, length)
        for length in (1, 5, 20, 60):
            p.log_return(c, length)
        for made in (
            p.macd(c), p.adx(h, low, c, 14), p.aroon(h, low, 25), p.slope(c, 20), p.rsi(c, 2), p.rsi(c, 14),
            p.stoch(h, low, c), p.willr(h, low, c, 14), p.cci(h, low, c, 20), p.uo(h, low, c), p.natr(h, low, c, 14),
            p.true_range(h, low, c), p.stdev(r, 20), p.stdev(r, 60), p.bbands(c, 20), c.rolling(252).max(),
            c.rolling(252).min(), p.mfi(h, low, c, v, 14), p.obv(c, v), p.cmf(h, low, c, v, length=20),
            v.rolling(20).mean(), v.rolling(20).std(), r.rolling(60).corr(v), r.rolling(60).corr(r.shift()),
        ):  # fmt: skip
            assert len(made) == len(c)

    return timed(work, folder)


def ta(folder: Path, size: float) -> dict[str, float]:
    from ta import momentum, trend, volatility, volume

    def work(b: pd.DataFrame) -> None:
        h, low, c, v = (b[name] for name in ("high", "low", "close", "volume"))
        r = np.log(c).diff()
        bands = volatility.BollingerBands(c, 20)
        for length in (20, 50, 200):
            c / trend.sma_indicator(c, length)
        for length in (12, 26):
            c / trend.ema_indicator(c, length)
        for length in (1, 5, 20, 60):
            momentum.roc(c, length)
        for made in (
            trend.macd_diff(c), trend.adx(h, low, c, 14), trend.AroonIndicator(h, low, 25).aroon_indicator(),
            momentum.rsi(c, 2), momentum.rsi(c, 14), momentum.stoch(h, low, c), momentum.williams_r(h, low, c, 14),
            trend.cci(h, low, c, 20), momentum.ultimate_oscillator(h, low, c),
            volatility.average_true_range(h, low, c, 14), r.rolling(20).std(), r.rolling(60).std(),
            bands.bollinger_pband(), bands.bollinger_wband(), c.rolling(252).max(), c.rolling(252).min(),
            volume.money_flow_index(h, low, c, v, 14), volume.on_balance_volume(c, v),
            volume.chaikin_money_flow(h, low, c, v, 20), v.rolling(20).mean(), v.rolling(20).std(),
            r.rolling(60).corr(v), r.rolling(60).corr(r.shift()),
        ):  # fmt: skip
            assert len(made) == len(c)

    return timed(work, folder)


def timed(work: Callable[[pd.DataFrame], None], folder: Path) -> dict[str, float]:
    """Seconds for all symbols, the first call (which compiles and imports) not counted."""
    sample, count = frames(folder)
    work(sample[0])
    began = time.perf_counter()
    for frame in sample:
        work(frame)
    return {"seconds": (time.perf_counter() - began) / len(sample) * count}
