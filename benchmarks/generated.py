"""The data of all rows: random walks with a volume, made once for both sides; and where each lies.

The functions that take (folder, size) put something below the folder before a row is measured, once.
"""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import market_pipeline.config.process  # noqa: F401
from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.prices.history import History
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.grids import to_rows

TEN_YEARS = 2520
START = dt.date(2014, 1, 2)


def some(size: float) -> int:
    """Symbols of the rows with costly models: 100 at full size."""
    return max(5, round(100 * size))


def sixty(size: float) -> int:
    """Symbols of the rows of one month: 60 at full size."""
    return max(5, round(60 * size))


def many(size: float) -> int:
    """Symbols of most rows: 500 at full size."""
    return max(10, round(500 * size))


def market_of(count: int, start: dt.date = START) -> Market:
    return Market("bench", "XNYS", start, tuple(f"S{number:05d}" for number in range(count)))


def grids(count: int, sessions: int) -> dict[str, np.ndarray]:
    """Open, high, low, close and volume; (symbols, sessions) each."""
    draw = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.015, (count, sessions)), axis=1))
    opened = close * np.exp(draw.normal(0, 0.004, close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(draw.normal(0, 0.004, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(draw.normal(0, 0.004, close.shape)))
    return {"open": opened, "high": high, "low": low, "close": close, "volume": draw.lognormal(13, 0.4, close.shape)}


def history_of(count: int, sessions: int) -> History:
    market = market_of(count)
    return History(market.symbols, market.sessions[:sessions], **grids(count, sessions))


def bars_table(market: Market, values: dict[str, np.ndarray]) -> pa.Table:
    """Long rows, by session then symbol."""
    count, sessions = values["close"].shape
    columns = {name: grid.T.ravel() for name, grid in values.items()}
    place = pa.array(np.tile(np.arange(count, dtype=np.int32), sessions))
    days = np.repeat(market.sessions[:sessions].astype("datetime64[D]"), count)
    symbols = pa.array(market.symbols).take(place)
    return pa.table({"symbol": symbols, "session": pa.array(days, pa.date32()), **columns})


def as_stored(bars: pa.Table) -> pa.Table:
    """Bars with the columns that the table `prices` has beside them."""
    moment = pa.scalar(dt.datetime(2025, 1, 1), pa.timestamp("us"))  # noqa: DTZ001  stored as UTC without a zone
    more = {
        "dividend": pa.scalar(0.0), "split_ratio": pa.scalar(1.0), "source": pa.scalar("files"), "fetched_at": moment,
        "known_at": moment, "final": pa.scalar(value=True),
    }  # fmt: skip
    for name, value in more.items():
        bars = bars.append_column(name, pa.repeat(value, bars.num_rows))
    return bars


def settings_of(home: Path, folder: Path) -> Settings:
    return Settings(home=home, source="files", files=folder / "files", config=folder / "bench.toml")


def warehouse_of(home: Path, **config: int | str) -> DuckDBFile:
    """The warehouse below `home`; bare DuckDB takes all cores, so no row limits ours unless it limits both."""
    return DuckDBFile(home / "warehouse.duckdb", "files", config)


def data_directory(folder: Path) -> Path:
    """The data directory whose warehouse holds ten years of bars."""
    return folder / "data"


def bars(folder: Path, size: float) -> None:
    """Ten years of bars of many symbols: as a warehouse, as a Parquet file, and as arrays for the other side."""
    market, values = market_of(many(size)), grids(many(size), TEN_YEARS)
    table = bars_table(market, values)
    (folder / "files").mkdir()
    pq.write_table(table.rename_columns({"session": "date"}), folder / "files" / "bars.parquet")
    np.savez(folder / "bars.npz", sessions=market.sessions[:TEN_YEARS], **values)
    config = f'[bench]\ncalendar = "XNYS"\nstart = {START}\nsymbols = {json.dumps(market.symbols)}\n'
    (folder / "bench.toml").write_text(config, encoding="utf-8")
    with warehouse_of(data_directory(folder)).transaction("bench") as transaction:
        transaction.append("prices", as_stored(table))


def year_of_indicators(folder: Path, size: float) -> None:
    """A year of indicators of many symbols, as Parquet."""
    history = history_of(many(size), 500)
    computed = compute_indicators(history)
    recent = {name: grid[:, 250:] for name, grid in computed.items()}
    rows = to_rows(history.symbols, history.sessions[250:], recent, history.present[:, 250:])
    pq.write_table(rows, folder / "indicators.parquet")
