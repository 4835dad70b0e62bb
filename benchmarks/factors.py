"""B2: the first fourteen rolling factors of Qlib's Alpha158 over 20 sessions, for 800 stocks from 2007 to 2020.

ROC, MA, STD, BETA, RSQR, RESI, MAX, MIN, QTLU, QTLD, RANK, RSV, IMAX, IMIN, as columns over whole ranges from the
warehouse; on one core, by a new process, with the file out of the kernel's cache. NULL until there are 20 bars.
"""

import datetime as dt
from pathlib import Path

import exchange_calendars  # noqa: F401  every run has loaded it; B8 counts the time of all that a process loads
import numpy as np
import pyarrow as pa
import talib
from generated import as_stored, bars_table, grids, market_of, warehouse_of
from numpy.lib.stride_tricks import sliding_window_view
from stopwatch import Stopwatch, forget

from market_pipeline.prices.history import read_history
from market_pipeline.storage.grids import Days, Grid

START, END = dt.date(2007, 1, 3), dt.date(2020, 12, 31)
BARS = 20
FIELDS = ("open", "high", "low", "close", "volume")


def stocks(size: float) -> int:
    return max(10, round(800 * size))


def data(folder: Path, size: float) -> None:
    """The same bars, rounded to Qlib's 32 bits, in a warehouse and in Qlib's own layout of one file per field."""
    market = market_of(stocks(size), START)
    sessions = market.sessions_between(START, END)
    values = {name: grid.astype(np.float32) for name, grid in grids(stocks(size), len(sessions)).items()}
    doubled = {name: grid.astype(np.float64) for name, grid in values.items()}
    with warehouse_of(folder / "factors").transaction("bench") as transaction:
        transaction.append("prices", as_stored(bars_table(market, doubled)))
    qlib = folder / "qlib"
    for part in ("calendars", "instruments"):
        (qlib / part).mkdir(parents=True)
    (qlib / "calendars" / "day.txt").write_text("".join(f"{day}\n" for day in sessions), encoding="utf-8")
    listed = "".join(f"{symbol}\t{sessions[0]}\t{sessions[-1]}\n" for symbol in market.symbols)
    (qlib / "instruments" / "all.txt").write_text(listed, encoding="utf-8")
    for row, symbol in enumerate(market.symbols):
        own = qlib / "features" / symbol.lower()
        own.mkdir(parents=True)
        for name in FIELDS:
            np.hstack([np.float32(0), values[name][row]]).astype("<f4").tofile(own / f"{name}.day.bin")


def ours(folder: Path, size: float) -> dict[str, float]:
    """From the warehouse to a table of rows; what was computed is left for the other side to compare."""
    market = market_of(stocks(size), START)
    warehouse = warehouse_of(folder / "factors", threads=1)
    forget(folder / "factors")
    with Stopwatch() as watch:
        history = read_history(warehouse, market, END)
        made = {name: np.empty(history.close.shape) for name in NAMES}
        for row in range(len(market.symbols)):
            columns = of_one(history.high[row], history.low[row], history.close[row])
            for name, column in columns.items():
                made[name][row] = column
        rows = rows_of(market.symbols, history.sessions, made)
    if rows.num_rows != history.present.sum():
        raise AssertionError("a row has no bar")
    np.savez(folder / "factors.npz", **{name: grid.astype(np.float32) for name, grid in made.items()})
    return {"seconds": watch.seconds}


def rows_of(symbols: tuple[str, ...], sessions: Days, grids: dict[str, Grid]) -> pa.Table:
    """A row for each symbol and session, in Qlib's order: a grid without gaps is a column as it stands."""
    place = np.repeat(np.arange(len(symbols), dtype=np.int32), len(sessions))
    return pa.table(
        {
            "symbol": pa.DictionaryArray.from_arrays(pa.array(place), pa.array(symbols, pa.string())),
            "session": pa.array(np.tile(sessions.astype("datetime64[D]"), len(symbols)), pa.date32()),
            **{name: pa.array(grid.reshape(-1), from_pandas=True) for name, grid in grids.items()},
        }
    )


def of_one(high: Grid, low: Grid, close: Grid) -> dict[str, Grid]:
    """All fourteen of one symbol without gaps; (bars,) each."""
    place = np.arange(len(close), dtype=np.float64)
    highest, lowest = talib.MAX(high, BARS), talib.MIN(low, BARS)
    windows = sliding_window_view(close, BARS)  # (bars - 19, 20)
    ordered = np.sort(windows, axis=1)
    lags = windows.T  # (20, bars - 19), the oldest first: a row is a column of shifted bars
    below = sum((lag < lags[-1]).astype(np.int8) for lag in lags[:-1])
    equal = sum((lag == lags[-1]).astype(np.int8) for lag in lags)
    return {
        "ROC20": _shifted(close) / close,
        "MA20": talib.SMA(close, BARS) / close,
        "STD20": talib.STDDEV(close, BARS) * np.sqrt(BARS / (BARS - 1)) / close,
        "BETA20": talib.LINEARREG_SLOPE(close, BARS) / close,
        "RSQR20": talib.CORREL(close, place, BARS) ** 2,
        "RESI20": (close - talib.LINEARREG(close, BARS)) / close,
        "MAX20": highest / close,
        "MIN20": lowest / close,
        "QTLU20": _whole(ordered[:, 15] + 0.2 * (ordered[:, 16] - ordered[:, 15])) / close,
        "QTLD20": _whole(ordered[:, 3] + 0.8 * (ordered[:, 4] - ordered[:, 3])) / close,
        "RANK20": _whole((below + (equal + 1) / 2) / BARS),
        "RSV20": (close - lowest) / (highest - lowest + 1e-12),
        "IMAX20": _first_place(high, highest),
        "IMIN20": _first_place(low, lowest),
    }


NAMES = (
    "ROC20", "MA20", "STD20", "BETA20", "RSQR20", "RESI20", "MAX20", "MIN20", "QTLU20", "QTLD20", "RANK20", "RSV20",
    "IMAX20", "IMIN20",
)  # fmt: skip


def _shifted(close: Grid) -> Grid:
    return np.concatenate([np.full(BARS, np.nan), close[:-BARS]])


def _first_place(values: Grid, extreme: Grid) -> Grid:
    """Where in each whole window its extreme stands first, 1/20 being the oldest bar, as a column over all bars."""
    ends = extreme[BARS - 1 :]
    place = np.empty(len(ends))
    for lag in range(BARS - 1, -1, -1):
        place[values[lag : lag + len(ends)] == ends] = lag + 1
    return _whole(place / BARS)


def _whole(ends: Grid) -> Grid:
    """A value for each whole window, as a column over all bars."""
    return np.concatenate([np.full(BARS - 1, np.nan), ends])
