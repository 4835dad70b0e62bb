"""The first and the last day that files have of some symbols, found without loading them."""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.sources.files import FilesSource
from market_pipeline.sources.protocol import beyond_its_end, days_of, newest_available
from market_pipeline.sources.simulated import SimulatedSource

JANUARY = dt.date(2024, 1, 2), dt.date(2024, 1, 31)
crypto = Market("crypto", "24/7", dt.date(2024, 1, 1), ("AAA",))


def rows(symbol: str, first: str, last: str) -> pd.DataFrame:
    bars = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    return pd.DataFrame({"symbol": symbol, "date": pd.date_range(first, last)} | bars)


def write(folder: Path, kind: str, *frames: pd.DataFrame) -> None:
    if kind == "parquet":
        pd.concat(frames).to_parquet(folder / "bars.parquet", index=False)
    elif kind == "csv of a symbol":
        for frame in frames:
            frame.drop(columns="symbol").to_csv(folder / f"{frame['symbol'].iloc[0]}.csv", index=False)
    else:
        pd.concat(frames).to_csv(folder / f"bars.{kind}", index=False)


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "csv of a symbol"])
def test_the_days_are_those_of_the_symbols_that_are_asked_for(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind, rows("AAA", *map(str, JANUARY)), rows("ZZZ", "2023-01-01", "2024-06-30"))
    source = FilesSource(tmp_path)
    assert source.days(("AAA",)) == JANUARY
    assert source.days(("ZZZ", "AAA")) == (dt.date(2023, 1, 1), dt.date(2024, 6, 30))
    assert source.days(("BBB",)) is None


def test_a_row_without_a_close_is_no_bar_and_a_broken_file_has_no_day(tmp_path: Path) -> None:
    frame = rows("AAA", "2024-01-02", "2024-02-02")
    frame.loc[frame["date"] > "2024-01-31", "close"] = np.nan
    write(tmp_path, "parquet", frame)
    (tmp_path / "broken.parquet").write_bytes(b"nothing")
    assert FilesSource(tmp_path).days(("AAA",)) == JANUARY


def test_newer_rows_are_found_once_they_are_there(tmp_path: Path) -> None:
    source = FilesSource(tmp_path)
    assert source.days(("AAA",)) is None
    write(tmp_path, "csv", rows("AAA", *map(str, JANUARY)))
    assert source.days(("AAA",)) == JANUARY
    write(tmp_path, "csv", rows("AAA", "2024-01-02", "2024-02-15"))
    os.utime(tmp_path / "bars.csv", (0, 0))
    assert source.days(("AAA",)) == (dt.date(2024, 1, 2), dt.date(2024, 2, 15))


def test_a_session_after_the_end_cannot_be_had_and_the_newest_before_it_can(tmp_path: Path) -> None:
    write(tmp_path, "parquet", rows("AAA", *map(str, JANUARY)))
    source, stocks = FilesSource(tmp_path), Market("stocks", "XNYS", dt.date(2024, 1, 2), ("AAA",))
    assert beyond_its_end(source, stocks, dt.date(2024, 2, 1)) == (
        "stocks: the bars of files end at 2024-01-31, so the session 2024-02-01 cannot be loaded. "
        "Add newer bars to them"
    )
    assert beyond_its_end(source, stocks, dt.date(2024, 1, 31)) is None
    assert newest_available(source, stocks, dt.date(2024, 3, 28)) == dt.date(2024, 1, 31)
    assert newest_available(source, stocks, dt.date(2024, 1, 15)) == dt.date(2024, 1, 12)  # the 15th was a holiday
    late = Market("stocks", "XNYS", dt.date(2024, 2, 12), ("AAA",))
    assert newest_available(source, late, dt.date(2024, 3, 28)) is None


def test_a_source_that_goes_on_has_no_last_day() -> None:
    assert days_of(SimulatedSource(), crypto) is None
    assert beyond_its_end(SimulatedSource(), crypto, dt.date(2026, 1, 1)) is None
    assert newest_available(SimulatedSource(), crypto, dt.date(2026, 1, 1)) == dt.date(2026, 1, 1)


def test_links_that_lead_outside_or_nowhere_have_no_days(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "files", tmp_path / "elsewhere"
    for place in (folder, elsewhere):
        place.mkdir()
    write(folder, "csv", rows("AAA", *map(str, JANUARY)))
    write(elsewhere, "parquet", rows("AAA", "2020-01-01", "2024-06-30"))
    (folder / "outside.parquet").symlink_to(elsewhere / "bars.parquet")
    (folder / "nowhere.parquet").symlink_to(elsewhere / "lost.parquet")
    assert FilesSource(folder).days(("AAA",)) == JANUARY
