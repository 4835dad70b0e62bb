import dataclasses
import datetime as dt
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources.file_heads import Layout, symbol_of
from market_pipeline.sources.file_tables import Files, FileTables
from market_pipeline.sources.files import FilesSource
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


@pytest.mark.parametrize("corner", ["Price", "Ticker"])
def test_yfinance_three_header_rows_over_several_tickers(tmp_path: Path, corner: str) -> None:
    prices = ["Open", "High", "Low", "Close", "Volume"]
    first = pd.DataFrame([[10, 12, 9, 11, 100]] * 4, index=DAYS.rename("Date"), columns=prices)
    frame = pd.concat({"AAA": first, "BBB": first + 1}, axis=1, names=["Ticker", "Price"])
    frame = frame.swaplevel(axis=1) if corner == "Price" else frame
    frame.to_csv(tmp_path / "two.csv")
    bars = fetch(tmp_path, "AAA", "BBB").bars
    assert bars.groupby("symbol")["close"].unique().to_dict() == {"AAA": [11], "BBB": [12]}


def test_columns_in_any_order_and_case_among_others(tmp_path: Path) -> None:
    rows = long_rows(note="x", dividends=0.5)[["volume", "close", "note", "low", "high", "open", "date", "symbol"]]
    rows.columns = ["VOLUME ", "Close", "note", "low", "High", "Open", "Datetime", "Ticker"]
    body = rows.to_csv(index=False)
    (tmp_path / "a.csv").write_text("\ufeff\n\n" + body, encoding="utf-8")
    assert fetch(tmp_path).bars["close"].tolist() == [11.0] * 4


def test_a_symbol_may_be_called_like_a_missing_value(tmp_path: Path) -> None:
    long_rows(symbol="NA").to_csv(tmp_path / "a.csv", index=False)
    assert fetch(tmp_path, "NA").outcomes[0].status == "ok"


@pytest.mark.parametrize("symbols", [pa.array(["7", "8"]).dictionary_encode(), pa.array([7, 8])])
def test_symbols_in_parquet_as_categories_or_numbers(tmp_path: Path, symbols: pa.Array) -> None:
    columns = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"symbol": symbols, "date": [FIRST, FIRST], **columns}), tmp_path / "a.parquet")
    fetched = fetch(tmp_path, "8", "9")
    assert fetched.bars["symbol"].tolist() == ["8"]
    assert [outcome.status for outcome in fetched.outcomes] == ["partial", "unknown_symbol"]


def damage(path: Path, row_group: int, column: int) -> None:
    """Overwrite the beginning of a column in a row group: reading it fails."""
    found = pq.read_metadata(path).row_group(row_group).column(column)
    content = bytearray(path.read_bytes())
    start = found.dictionary_page_offset or found.data_page_offset
    content[start : start + 30] = bytes(range(200, 230))
    path.write_bytes(content)


def test_of_parquet_only_the_wanted_columns_and_symbols_are_read(tmp_path: Path) -> None:
    rows = pd.concat([long_rows(note="x"), long_rows(symbol="BBB", note="x")])
    path = tmp_path / "a.parquet"
    rows.assign(date=pd.to_datetime(rows["date"])).to_parquet(path, index=False, row_group_size=4)
    damage(path, 0, rows.columns.get_loc("note"))
    for column in range(len(rows.columns)):
        damage(path, 1, column)
    fetched = fetch(tmp_path)
    assert len(fetched.bars) == 4
    assert not fetched.notes
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read"):
        fetch(tmp_path, "BBB")


def test_each_file_is_read_once_in_all_pieces_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AAA", "BBB"):
        long_rows().drop(columns="symbol").to_csv(tmp_path / f"{name}.csv", index=False)
    # Nor is the file of a symbol that nobody requests.
    (tmp_path / "CCC.csv").write_text("date,open,high,low,close,volume\nnever,1,1,1,1,1\n")
    read = list[str]()
    plain = FileTables._insert

    def watched(tables: FileTables, layout: Layout, files: Files) -> None:
        read.extend(path.name for path in files)
        plain(tables, layout, files)

    monkeypatch.setattr(FileTables, "_insert", watched)
    source = FilesSource(tmp_path, at_once=4)
    pieces = list(source.batches(crypto, ("AAA", "BBB"), FIRST, LAST))
    assert len(pieces) == 2
    assert not any(piece.notes for piece in pieces)
    assert read == ["AAA.csv", "BBB.csv"]
    long_rows(close=10.25).to_csv(tmp_path / "AAA.csv", index=False)
    assert fetch(tmp_path).bars["close"].tolist() == [10.25] * 4


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
    (tmp_path / "a.csv").unlink()
    for zone in ("America/New_York", "Asia/Tokyo", None):
        long_rows(date=DAYS.tz_localize(zone)).to_parquet(tmp_path / "a.parquet")
        assert fetch(tmp_path).bars["session"].dt.date.tolist() == [day.date() for day in DAYS]


def test_only_requested_sessions_are_returned_with_dividends_from_the_others(tmp_path: Path) -> None:
    rows = long_rows(close=[10.0, 10.0, 9.5, 9.5], adj_close=[9.0, 9.0, 9.5, 9.5])
    rows.to_csv(tmp_path / "a.csv", index=False)
    bars = FilesSource(tmp_path).fetch(crypto, ["AAA"], DAYS[2].date(), DAYS[2].date()).bars
    assert bars["session"].tolist() == [DAYS[2]]
    np.testing.assert_allclose(bars["dividend"], [1])


def test_dividends_implied_by_adjusted_closes(tmp_path: Path) -> None:
    # A dividend of 1 on the third day, after a close of 10: the past is multiplied by 0.9.
    rows = long_rows(close=[10.0, 10.0, 9.5, 9.5], adj_close=[9.0, 9.0, 9.5, 9.5 * (1 + 1e-8)])
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.assign(symbol="BBB", adj_close=rows["close"]).to_csv(tmp_path / "b.csv", index=False)
    rows.assign(symbol="AA", adj_close=rows["adj_close"] / 2).to_csv(tmp_path / "c.csv", index=False)
    bars = fetch(tmp_path, "AA", "AAA", "BBB").bars
    np.testing.assert_allclose(bars["dividend"], [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0], atol=1e-12)


def test_stated_events_win_and_split_adjusted_prices_are_undone(tmp_path: Path) -> None:
    rows = long_rows(close=[5.0, 5.0, 5.0, 5.1], dividends=[0, 0.25, 0, 0], splits=[0, 0, 2, 0])
    rows.to_csv(tmp_path / "a.csv", index=False)
    bars = fetch(tmp_path).bars
    assert bars["close"].tolist() == [10, 10, 5, 5.1]
    assert bars["dividend"].tolist() == [0, 0.5, 0, 0]
    assert bars["split_ratio"].tolist() == [1, 1, 2, 1]


def test_years_in_files_of_their_own_are_one_history(tmp_path: Path) -> None:
    # The split and the dividend of the third day reach back into the first file.
    rows = long_rows(close=[5.0, 5.0, 4.5, 4.5], adj_close=[4.5, 4.5, 4.5, 4.5], splits=[0, 0, 2, 0])
    rows[:2].to_csv(tmp_path / "2023.csv", index=False)
    rows[2:].to_csv(tmp_path / "2024.csv", index=False)
    bars = fetch(tmp_path).bars
    assert bars["close"].tolist() == [10, 10, 4.5, 4.5]
    np.testing.assert_allclose(bars["dividend"], [0, 0, 0.5, 0])


def test_a_row_in_two_files_counts_once_when_identical_and_is_left_to_the_quarantine_when_not(tmp_path: Path) -> None:
    rows = long_rows(close=[10.0, 10.0, 9.5, 9.5], adj_close=[9.0, 9.0, 9.5, 9.5])
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows[2:].to_csv(tmp_path / "b.csv", index=False)
    bars = fetch(tmp_path).bars
    assert len(bars) == 4
    np.testing.assert_allclose(bars["dividend"], [0, 0, 1, 0])
    rows[3:].assign(volume=101).to_csv(tmp_path / "b.csv", index=False)
    assert fetch(tmp_path).bars["volume"].tolist() == [100, 100, 100, 100, 101]


def test_dividends_stated_in_one_file_and_implied_in_another(tmp_path: Path) -> None:
    long_rows(dividends=[0, 0.25, 0, 0]).to_csv(tmp_path / "a.csv", index=False)
    rows = long_rows(symbol="BBB", close=[10.0, 10.0, 9.5, 9.5], adj_close=[9.0, 9.0, 9.5, 9.5])
    rows.to_csv(tmp_path / "b.csv", index=False)
    bars = fetch(tmp_path, "AAA", "BBB").bars
    np.testing.assert_allclose(bars["dividend"], [0, 0.25, 0, 0, 0, 0, 1, 0])


def test_an_event_that_is_no_number_is_left_to_the_quarantine(tmp_path: Path) -> None:
    rows = long_rows(dividends=["", "n.a.?", "0.5", ""], splits=["", "", "", "two"])
    rows.to_csv(tmp_path / "a.csv", index=False)
    bars = fetch(tmp_path).bars
    np.testing.assert_array_equal(bars["dividend"], [0, np.nan, 0.5, 0])
    np.testing.assert_array_equal(bars["split_ratio"], [1, 1, 1, np.nan])


@pytest.mark.filterwarnings("error")
def test_a_split_that_cannot_be_is_left_to_the_quarantine(tmp_path: Path) -> None:
    long_rows(splits=[0, 0, -2, 0]).to_csv(tmp_path / "a.csv", index=False)
    bars = fetch(tmp_path).bars
    assert bars["split_ratio"].tolist() == [1, 1, -2, 1]
    assert bars["close"].tolist() == [11] * 4


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


def test_a_broken_file_of_one_symbol_stops_no_neighbour_that_is_requested_without_it(tmp_path: Path) -> None:
    long_rows().drop(columns="symbol").to_csv(tmp_path / "AAA.csv", index=False)
    (tmp_path / "BBB.parquet").write_bytes(b"not parquet")
    (tmp_path / "CCC.csv").write_text("date,open\nnever,1\n")
    fetched = fetch(tmp_path, "AAA", "DDD")
    assert [outcome.status for outcome in fetched.outcomes] == ["ok", "unavailable"]
    assert "BBB.parquet cannot be read" in fetched.outcomes[1].cause


def test_bars_of_a_symbol_whose_own_file_is_broken_are_held_back(tmp_path: Path) -> None:
    pd.concat([long_rows(), long_rows(symbol="BBB")]).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "BBB.csv").write_text("date,open,high,low,close,volume\nnever,1,1,1,1,1\n")
    fetched = fetch(tmp_path, "AAA", "BBB")
    assert [outcome.status for outcome in fetched.outcomes] == ["ok", "unavailable"]
    assert set(fetched.bars["symbol"]) == {"AAA"}


def test_a_closed_day_a_hole_and_an_empty_file_are_outcomes(tmp_path: Path) -> None:
    long_rows().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "BBB.csv").write_text("date,open,high,low,close,volume\n")
    stocks = Market("stocks", "XNYS", dt.date(2024, 1, 1), ("AAA", "BBB"))
    holiday, later = dt.date(2024, 1, 1), dt.date(2024, 1, 9)
    source = FilesSource(tmp_path)
    assert source.fetch(stocks, ["AAA"], holiday, holiday).outcomes[0].status == "closed"
    assert [o.status for o in source.fetch(stocks, ["AAA", "BBB"], later, later).outcomes] == ["hole", "hole"]


def test_bars_of_days_before_a_listing_are_not_expected(tmp_path: Path) -> None:
    long_rows().to_csv(tmp_path / "a.csv", index=False)
    for days in ({"listed": {"AAA": LAST + dt.timedelta(days=1)}}, {"delisted": {"AAA": FIRST - dt.timedelta(days=1)}}):
        market = dataclasses.replace(crypto, **days)
        assert [o.status for o in FilesSource(tmp_path).fetch(market, ["AAA"], FIRST, LAST).outcomes] == ["closed"]


def test_hidden_files_are_no_data(tmp_path: Path) -> None:
    long_rows().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "._a.csv").write_bytes(bytes(range(256)))
    (tmp_path / ".copies").mkdir()
    long_rows(close=1.0).to_csv(tmp_path / ".copies" / "a.csv", index=False)
    assert fetch(tmp_path).bars["close"].tolist() == [11.0] * 4


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
            "bars.csv cannot be read: line 2 has the date '01/31/2024'",
        ),
        (
            "bars.csv",
            "symbol,date,Datetime,open,high,low,close,volume\nA,2024-01-01,2024-01-01,1,1,1,1,1\n",
            "bars.csv has the column 'date' twice",
        ),
        ("bars.csv.gz", "no", "bars.csv.gz cannot be read"),
        ("bars.csv", "symbol,date,open,high,low,close,volume\nA,2024-01-01,1,1\n", "line 2 has not 7 fields"),
        ("bars.csv", "", "bars.csv cannot be read"),
        ("bars.parquet", "no", "bars.parquet cannot be read"),
    ],
)
def test_a_malformed_long_file_is_named_with_its_fault(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=words.replace("(", r"\(")):
        fetch(tmp_path)


def test_broken_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = long_rows().to_csv(index=False).splitlines()
    lines[2:2] = ["", "AAA,2024-02-31,10,12,9,11,100", "AAA,2024-01-02,10", "<html>"]
    lines += ["AAA,soon,1,1,1,1,1", "BBB,2024-01-01,10,12,9,11,100"]
    (tmp_path / "bars.csv").write_text("\n".join(lines))
    fetched = fetch(tmp_path, "AAA", "BBB")
    assert fetched.bars["symbol"].tolist() == ["AAA"] * 4 + ["BBB"]
    [note] = fetched.notes
    assert note.startswith(f"{tmp_path / 'bars.csv'}: left out ")
    for words in ("line 5 has not 7 fields", "line 6 has not 7 fields", "line 4 has the date '2024-02-31'", "1 more"):
        assert words in note


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_broken_lines_are_named_wherever_they_are_in_a_large_file(tmp_path: Path, end: str) -> None:
    good = [f"{line},{'x' * 1000}" for line in long_rows().to_csv(index=False, header=False).splitlines()]
    lines = good * 10_000  # 40 MB, more than DuckDB reads at once
    lines[20] = ""
    lines[30_000] = "AAA,2024-01-01"
    lines[39_999] = lines[39_999].replace("2024-01-04", "2024-00-04")
    content = end.join(["symbol,date,open,high,low,close,volume,note", *lines])
    (tmp_path / "a.csv").write_text(content, newline="")
    fetched = fetch(tmp_path)
    assert [note.partition(": ")[2] for note in fetched.notes] == [
        "left out line 30002 has not 8 fields; line 40001 has the date '2024-00-04', not one like 2024-01-31"
    ]
    assert len(fetched.bars) == 4


def test_a_file_that_breaks_off_stops_no_other(tmp_path: Path) -> None:
    long_rows().to_csv(tmp_path / "a.csv", index=False)
    whole = gzip.compress(long_rows(symbol="BBB").to_csv(index=False).encode())
    (tmp_path / "b.csv.gz").write_bytes(whole[:-8])
    (tmp_path / "c.parquet").write_bytes(b"not parquet")
    fetched = fetch(tmp_path, "AAA", "CCC")
    assert [outcome.status for outcome in fetched.outcomes] == ["ok", "unavailable"]
    assert len(fetched.bars) == 4
    assert [Path(note.split()[0]).name for note in fetched.notes] == ["b.csv.gz", "c.parquet"]


@pytest.mark.parametrize("date", [pa.array([FIRST, None]), pa.array(["2024-01-01", "soon"])])
def test_a_row_of_parquet_without_a_date_is_named(tmp_path: Path, date: pa.Array) -> None:
    columns = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"symbol": ["AAA", "AAA"], "date": date, **columns}), tmp_path / "a.parquet")
    fetched = fetch(tmp_path)
    assert len(fetched.bars) == 1
    assert "left out row 2 has the date" in fetched.notes[0]


def test_a_column_of_parquet_that_holds_no_dates_is_named(tmp_path: Path) -> None:
    columns = {name: [1.0] for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"symbol": ["AAA"], "date": pa.array([7], pa.int32()), **columns}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="the column 'date' holds int32, not dates"):
        fetch(tmp_path)


def test_files_as_stooq_and_kaggle_spell_them(tmp_path: Path) -> None:
    head = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    stooq = "".join(f"AAA.US,D,{day:%Y%m%d},000000,10,12,9,11,100,0\n" for day in DAYS)
    (tmp_path / "aaa.us.txt").write_text(head + stooq)
    kaggle = "".join(f"{day:%Y/%m/%d},10,12,9,11,100,BBB\n" for day in DAYS)
    (tmp_path / "all_stocks_5yr.csv").write_text("date,open,high,low,close,volume,Name\n" + kaggle)
    words = "".join(f"{day:%Y-%m-%d},10,12,9,{'null' if day == DAYS[1] else 11},11,100\n" for day in DAYS)
    (tmp_path / "CCC.csv").write_text("Date,Open,High,Low,Close,Adj Close,Volume\n" + words)
    long_rows(symbol="DDD", Name="a company").to_csv(tmp_path / "named.csv", index=False)
    (tmp_path / "README.txt").write_text("Where these files come from\n")
    fetched = fetch(tmp_path, "AAA.US", "BBB", "CCC", "DDD")
    assert [outcome.status for outcome in fetched.outcomes] == ["ok"] * 4
    assert not fetched.notes
    assert fetched.bars["close"].isna().sum() == 1
    assert len(fetched.bars) == 16


@pytest.mark.parametrize("layout", ["by symbol", "by date", "a file each", "years"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_pieces_are_the_same_bars(tmp_path: Path, layout: str, suffix: str) -> None:
    draw = np.random.default_rng(5)
    names = [f"S{number}" for number in range(7)]
    rows = pd.concat(
        [
            long_rows(symbol=name, close=draw.uniform(9, 12, 4), adj_close=9.5, splits=[0, 0, 2 * (name == "S3"), 0])
            for name in names
        ]
    )
    by = {"by symbol": ["symbol", "date"], "years": ["date", "symbol"]}.get(layout, ["date", "symbol"])
    rows = rows.sort_values(by)
    parts = {"a file each": "symbol", "years": "date"}.get(layout)
    for name, part in rows.groupby(parts) if parts else [("all", rows)]:
        path = tmp_path / f"{name}.{suffix}"
        kept = part.drop(columns="symbol") if layout == "a file each" else part
        if suffix == "csv":
            kept.to_csv(path, index=False)
        else:
            kept.to_parquet(path, index=False, row_group_size=4)
    asked = ["S5", "S1", "S0", "S9", "S3", "S2"]
    whole = fetch(tmp_path, *asked)
    pieces = list(FilesSource(tmp_path, at_once=8).batches(crypto, asked, FIRST, LAST))
    assert len(pieces) > 1
    assert all(set(piece.bars["symbol"]) <= {o.symbol for o in piece.outcomes} for piece in pieces)
    assert sorted(o for piece in pieces for o in map(repr, piece.outcomes)) == sorted(map(repr, whole.outcomes))
    together = pd.concat([piece.bars for piece in pieces]).sort_values(["symbol", "session"], ignore_index=True)
    pd.testing.assert_frame_equal(together, whole.bars.sort_values(["symbol", "session"], ignore_index=True))


def test_thousands_of_files_are_opened_once(tmp_path: Path) -> None:
    names = [f"S{number:04d}" for number in range(2000)]
    content = long_rows().drop(columns="symbol").to_csv(index=False)
    for name in names:
        (tmp_path / f"{name}.csv").write_text(content)
    fetched = fetch(tmp_path, *names)
    assert {outcome.status for outcome in fetched.outcomes} == {"ok"}
    assert len(fetched.bars) == 4 * len(names)


def test_a_missing_or_empty_folder_names_the_setting(tmp_path: Path) -> None:
    assert "MARKET_PIPELINE_FILES" in (FilesSource(tmp_path / "gone").problem() or "")
    assert "holds no .csv" in (FilesSource(tmp_path).problem() or "")
    with pytest.raises(SourceError, match="holds no"):
        fetch(tmp_path)
