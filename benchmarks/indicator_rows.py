"""B3 and B4: all indicators of many symbols and ten years, from and to the warehouse; the floor under them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from generated import TEN_YEARS, data_directory, history_of, many, market_of, warehouse_of
from stopwatch import Stopwatch


def ours(folder: Path, size: float) -> dict[str, float]:
    """What the asset does: read the bars, compute, write the rows."""
    from market_pipeline.indicators.writing import write_indicators

    market, warehouse = market_of(many(size)), warehouse_of(data_directory(folder))
    last = market.sessions[TEN_YEARS - 1].item()
    with warehouse.connect(read_only=False) as connection:  # as the floor, into an empty table
        connection.execute("delete from indicators")
        connection.execute("checkpoint")
    with Stopwatch() as watch:
        written = write_indicators(warehouse, market, market.start, last)
    if written != many(size) * TEN_YEARS:
        raise AssertionError(f"{written} rows were written")
    return {"seconds": watch.seconds}


def computed(folder: Path, size: float) -> dict[str, float]:
    """The indicators alone, from grids to grids."""
    from market_pipeline.indicators.compute import compute_indicators

    history = history_of(many(size), TEN_YEARS)
    with Stopwatch() as watch:
        compute_indicators(history)
    return {"seconds": watch.seconds}


def floor(folder: Path, size: float) -> dict[str, float]:
    """The reads, the TA-Lib calls and the write, and nothing between that could be left out."""
    import duckdb
    import talib

    count, names = many(size), ("high", "low", "close", "volume")
    target = folder / "floor.duckdb"
    target.unlink(missing_ok=True)
    with Stopwatch() as watch:
        with duckdb.connect(str(data_directory(folder) / "warehouse.duckdb"), read_only=True) as connection:
            rows = connection.execute(
                "select symbol, session, open, high, low, close, volume from prices order by symbol, session"
            ).to_arrow_table()
        columns = {name: rows[name].to_numpy().reshape(count, -1) for name in names}
        parts = [bare(talib, *(columns[name][row] for name in names)) for row in range(count)]
        made = {f"i{place}": np.concatenate([part[place] for part in parts]) for place in range(len(parts[0]))}
        table = pa.table({"symbol": rows["symbol"], "session": rows["session"], **made})
        with duckdb.connect(str(target)) as connection:
            connection.register("table_of_indicators", table)
            connection.execute("create table indicators as from table_of_indicators")
    return {"seconds": watch.seconds}


def bare(talib: Any, high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray) -> list[np.ndarray]:
    """One TA-Lib call or ratio for each of the 38 indicators."""
    level = np.log(close)
    returns = np.diff(level, prepend=level[0])
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    total = talib.SUM(volume, 20)
    d20, d60 = talib.STDDEV(returns, 20), talib.STDDEV(returns, 60)
    auto = talib.CORREL(returns, np.roll(returns, 1), 60)
    return [
        close / talib.SMA(close, 20), close / talib.SMA(close, 50), close / talib.SMA(close, 200),
        close / talib.EMA(close, 12), close / talib.EMA(close, 26), talib.MACD(close, 12, 26, 9)[2] / close,
        talib.ADX(high, low, close, 14), talib.PLUS_DI(high, low, close, 14) - talib.MINUS_DI(high, low, close, 14),
        talib.AROONOSC(high, low, 25), talib.LINEARREG_SLOPE(level, 20), talib.MOM(level, 1), talib.MOM(level, 5),
        talib.MOM(level, 20), talib.MOM(level, 60), talib.RSI(close, 2), talib.RSI(close, 14),
        *talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
        talib.WILLR(high, low, close, 14), talib.CCI(high, low, close, 20),
        talib.ULTOSC(high, low, close, 7, 14, 28), auto, auto * returns / d20, talib.NATR(high, low, close, 14),
        talib.TRANGE(high, low, close) / close, d20, d60, d20 / d60, (close - middle) / (upper - middle),
        (upper - lower) / middle, close / talib.MAX(close, 252), close / talib.MIN(close, 252),
        talib.MFI(high, low, close, volume, 14), talib.MOM(talib.OBV(close, volume), 20) / total,
        talib.MOM(talib.AD(high, low, close, volume), 20) / total, volume / total, talib.STDDEV(volume, 20) / total,
        talib.CORREL(returns, volume, 60),
    ]  # fmt: skip
