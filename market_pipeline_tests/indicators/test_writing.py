"""Indicators of a range arrive the same whether a market is computed at once or batch by batch."""

import datetime as dt
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.indicators import writing
from market_pipeline.prices.history import History
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse

MARKET = Market("m", "24/7", dt.date(2024, 1, 1), ("A", "B", "C", "D", "E"))
LAST = dt.date(2024, 3, 31)


def warehouse_with_bars(folder: Path) -> Warehouse:
    """Three months of bars of five symbols; the third is young, the fourth has a hole."""
    warehouse = DuckDBFile(folder / "warehouse.duckdb", "simulated")
    days = MARKET.sessions_between(MARKET.start, LAST)
    draw = np.random.default_rng(3)
    moment = pa.scalar(dt.datetime(2024, 6, 1), pa.timestamp("us"))  # noqa: DTZ001  stored as UTC without a zone
    for symbol in MARKET.symbols:
        dates = days[40:] if symbol == "C" else np.delete(days, 50) if symbol == "D" else days
        close = 100 * np.exp(np.cumsum(draw.normal(0, 0.02, len(dates))))
        columns = {
            "symbol": pa.repeat(symbol, len(dates)),
            "session": pa.array(dates, pa.date32()),
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": close * 1e4,
            "dividend": np.zeros(len(dates)),
            "split_ratio": np.ones(len(dates)),
            "source": pa.repeat("simulated", len(dates)),
            **{name: pa.repeat(moment, len(dates)) for name in ("fetched_at", "known_at")},
            "final": pa.repeat(pa.scalar(value=True), len(dates)),
        }
        warehouse.write("m", partial(Transaction.append, table="prices", arriving=pa.table(columns)))
    return warehouse


def indicators_of(warehouse: Warehouse) -> list[dict[str, object]]:
    return warehouse.read("from indicators order by symbol, session").to_pylist()


@pytest.mark.parametrize("in_memory", [0, 10**9])
def test_batches_amount_to_what_is_computed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    once, batched = warehouse_with_bars(tmp_path / "once"), warehouse_with_bars(tmp_path / "batched")
    first = dt.date(2024, 2, 10)
    written = writing.write_indicators(once, MARKET, first, LAST)
    monkeypatch.setattr(writing, "AT_ONCE", 100)
    monkeypatch.setattr(writing, "IN_MEMORY", in_memory)
    assert writing.write_indicators(batched, MARKET, first, LAST) == written == len(indicators_of(once))
    assert indicators_of(batched) == indicators_of(once)


@pytest.mark.parametrize("at_once", [100, 10**9])
def test_a_symbol_that_left_the_market_leaves_the_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    warehouse = warehouse_with_bars(tmp_path)
    monkeypatch.setattr(writing, "AT_ONCE", at_once)
    monkeypatch.setattr(writing, "IN_MEMORY", 1)
    writing.write_indicators(warehouse, MARKET, MARKET.start, LAST)
    smaller = replace(MARKET, symbols=("A", "B", "C", "D"))
    writing.write_indicators(warehouse, smaller, dt.date(2024, 3, 1), LAST)
    left = [row["session"] for row in indicators_of(warehouse) if row["symbol"] == "E"]
    assert left[-1] == dt.date(2024, 2, 29)


@pytest.mark.parametrize("in_memory", [0, 10**9])
def test_another_process_can_write_while_a_large_market_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    warehouse = warehouse_with_bars(tmp_path)
    monkeypatch.setattr(writing, "AT_ONCE", 300)
    monkeypatch.setattr(writing, "IN_MEMORY", in_memory)
    compute, opened = writing.compute_indicators, []

    def called(history: History) -> dict[str, Grid]:
        line = [sys.executable, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1]).close()", str(warehouse.path)]
        opened.append(subprocess.run(line, capture_output=True, check=False, timeout=60).returncode)
        return compute(history)

    monkeypatch.setattr(writing, "compute_indicators", called)
    writing.write_indicators(warehouse, MARKET, MARKET.start, LAST)
    assert set(opened) == {0}
    assert not list(tmp_path.glob("*.new"))
