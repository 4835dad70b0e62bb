import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market_pipeline.errors import SourceError
from market_pipeline.markets import Market
from market_pipeline.sources.files import FilesSource, symbol_of
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched

crypto = Market("crypto", "24/7", dt.date(2024, 1, 1), ("AAA", "BBB", "SOL-USD"))
FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 1, 4)
DAYS = pd.date_range(FIRST, LAST)


def long_rows(**columns: object) -> pd.DataFrame:
    rows = pd.DataFrame({"symbol": "AAA", "date": DAYS.strftime("%Y-%m-%d")})
    prices = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    return rows.assign(**prices | columns)


def fetch(folder: Path, *symbols: str) -> Fetched:
    return FilesSource(folder).fetch(crypto, symbols or ("AAA",), FIRST, LAST)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_long_file_of_each_kind(tmp_path: Path, suffix: str) -> None:
    rows = pd.concat([long_rows(), long_rows(symbol="BBB", close=10.5)])
    if suffix == "parquet":
        rows.assign(date=pd.to_datetime(rows["date"]).dt.date).to_parquet(tmp_path / "bars.parquet")
    else:
        rows.to_csv(tmp_path / f"bars.{suffix}", index=False)
    fetched = fetch(tmp_path, "AAA", "BBB")
    assert [outcome.status for outcome in fetched.outcomes] == ["ok", "ok"]
    assert tuple(fetched.bars.columns) == BAR_COLUMNS
    assert fetched.bars["close"].tolist() == [11.0] * 4 + [10.5] * 4
    assert (fetched.bars["split_ratio"] == 1).all()


def test_a_file_per_symbol_as_yahoo_writes_it(tmp_path: Path) -> None:
    rows = long_rows().drop(columns="symbol")
    rows = rows.rename(columns={name: name.title() for name in rows}).assign(**{"Adj Close": 11.0})
    rows.to_csv(tmp_path / "SOL-USD-1d.csv", index=False)
    fetched = fetch(tmp_path, "SOL-USD")
    assert fetched.outcomes[0].status == "ok"
    assert len(fetched.bars) == 4


def test_yfinance_three_header_rows(tmp_path: Path) -> None:
    body = "\n".join(f"{day:%Y-%m-%d},11,12,9,10,100" for day in DAYS)
    head = "Price,Close,High,Low,Open,Volume\nTicker,AAA,AAA,AAA,AAA,AAA\nDate,,,,,\n"
    (tmp_path / "whatever.csv").write_text(head + body)
    bars = fetch(tmp_path).bars
    assert bars[["open", "high", "low", "close"]].to_numpy().tolist() == [[10, 12, 9, 11]] * 4


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("MSFT.csv", "MSFT"),
        ("SOL1-USD-1d.csv", "SOL1-USD"),
        ("BRK-B.csv.gz", "BRK-B"),
        ("A-yfinance-multiindex.csv", "A"),
    ],
)
def test_the_symbol_is_in_the_file_name(name: str, symbol: str) -> None:
    assert symbol_of(Path(name)) == symbol


def test_dates_with_an_offset_keep_the_day_they_show(tmp_path: Path) -> None:
    long_rows(date=[f"{day:%Y-%m-%d} 00:00:00-05:00" for day in DAYS]).to_csv(tmp_path / "a.csv", index=False)
    assert fetch(tmp_path).bars["session"].dt.date.tolist() == [day.date() for day in DAYS]
    zoned = long_rows(date=DAYS.tz_localize("America/New_York"))
    (tmp_path / "a.csv").unlink()
    zoned.to_parquet(tmp_path / "a.parquet")
    assert fetch(tmp_path).bars["session"].dt.date.tolist() == [day.date() for day in DAYS]


def test_dividends_implied_by_adjusted_closes(tmp_path: Path) -> None:
    # A dividend of 1 on the third day, after a close of 10: the past is multiplied by 0.9.
    rows = long_rows(close=[10.0, 10.0, 9.5, 9.5], adj_close=[9.0, 9.0, 9.5, 9.5 * (1 + 1e-8)])
    rows.to_csv(tmp_path / "a.csv", index=False)
    np.testing.assert_allclose(fetch(tmp_path).bars["dividend"], [0, 0, 1, 0], atol=1e-12)


def test_named_events_win_and_rebased_prices_are_undone(tmp_path: Path) -> None:
    rows = long_rows(close=[5.0, 5.0, 5.0, 5.1], dividends=[0, 0.25, 0, 0], splits=[0, 0, 2, 0])
    rows.to_csv(tmp_path / "a.csv", index=False)
    bars = fetch(tmp_path).bars
    assert bars["close"].tolist() == [10, 10, 5, 5.1]
    assert bars["dividend"].tolist() == [0, 0.5, 0, 0]
    assert bars["split_ratio"].tolist() == [1, 1, 2, 1]


def test_empty_rows_are_no_bars_and_words_are_no_prices(tmp_path: Path) -> None:
    rows = long_rows(close=["11", "", "eleven", "11"])
    rows.loc[1, ["open", "high", "low"]] = None
    rows.to_csv(tmp_path / "a.csv", index=False)
    fetched = fetch(tmp_path)
    assert fetched.outcomes[0].status == "partial"
    assert np.isnan(fetched.bars["close"]).tolist() == [False, True, False]


def test_an_unknown_symbol_is_an_outcome_that_names_near_ones(tmp_path: Path) -> None:
    long_rows().to_csv(tmp_path / "a.csv", index=False)
    fetched = fetch(tmp_path, "AAAA", "AAA")
    assert [outcome.status for outcome in fetched.outcomes] == ["unknown_symbol", "ok"]
    assert "near it: AAA" in fetched.outcomes[0].cause


def test_a_broken_file_of_one_symbol_stops_no_neighbour(tmp_path: Path) -> None:
    long_rows().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "BBB.parquet").write_bytes(b"not parquet")
    fetched = fetch(tmp_path, "AAA", "BBB")
    assert [outcome.status for outcome in fetched.outcomes] == ["ok", "unavailable"]
    assert "BBB.parquet cannot be read" in fetched.outcomes[1].cause


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "bars.csv",
            "symbol,date,open,high,low,close\nA,2024-01-01,1,1,1,1\n",
            "has no column 'volume'; it has symbol",
        ),
        (
            "bars.csv",
            "symbol,date,open,high,low,close,volume\nA,01/31/2024,1,1,1,1,1\n",
            "row 1 has the date '01/31/2024'",
        ),
        ("bars.csv", "symbol,date,open,high,low,close,volume\nA,2024-01-01,1,1\n", "bars.csv cannot be read"),
        ("bars.csv", "", "bars.csv cannot be read"),
        ("bars.parquet", "no", "bars.parquet cannot be read"),
    ],
)
def test_a_malformed_long_file_is_named_with_its_fault(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=words.replace("(", r"\(")):
        fetch(tmp_path)


def test_a_missing_or_empty_folder_says_what_to_set(tmp_path: Path) -> None:
    assert "MARKET_PIPELINE_FILES" in (FilesSource(tmp_path / "gone").problem() or "")
    assert "holds no .csv" in (FilesSource(tmp_path).problem() or "")
    with pytest.raises(SourceError, match="holds no"):
        fetch(tmp_path)
