"""Files in the order of their days: read a few days at a time, and only where they have them."""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources import file_rows, files
from market_pipeline.sources.file_columns import Faults
from market_pipeline.sources.file_heads import Span, Stamp, head_of
from market_pipeline.sources.files import FilesSource
from market_pipeline.sources.protocol import Fetched
from market_pipeline.sources.stretches import Unit, stretches_of

NAMES = [f"S{number}" for number in range(6)]
FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 2, 9)
DAYS = pd.date_range(FIRST, LAST)
coins = Market("coins", "24/7", FIRST, (*NAMES, "GONE"))
stocks = Market("stocks", "XNYS", FIRST, (*NAMES, "GONE"))


def rows_by_day() -> pd.DataFrame:
    """Every symbol on every day, no price like another."""
    rows = pd.MultiIndex.from_product([DAYS, NAMES], names=["date", "symbol"]).to_frame(index=False)
    close = 10 + np.arange(len(rows)) / 100
    return rows.assign(open=close, high=close + 1, low=close - 1, close=close, volume=100.0)


def write(rows: pd.DataFrame, path: Path, size: int, date: pa.DataType | None = None) -> None:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    days = table["date"].cast(date or pa.date32())
    pq.write_table(table.set_column(table.column_names.index("date"), "date", days), path, row_group_size=size)


def in_order(pieces: Sequence[Fetched]) -> pd.DataFrame:
    bars = pd.concat([piece.bars for piece in pieces])
    return bars.sort_values([*bars.columns], ignore_index=True)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups that are decoded."""
    found: list[int] = []
    plain = file_rows._span_rows

    def noted(stamp: Stamp, span: int, faults: Faults) -> object:
        found.append(span)
        return plain(stamp, span, faults)

    monkeypatch.setattr(file_rows, "_span_rows", noted)
    return found


@pytest.mark.parametrize("market", [coins, stocks])
@pytest.mark.parametrize("size", [6, 7, 13, 30])
def test_pieces_of_days_are_the_bars_and_outcomes_of_these_days(
    tmp_path: Path, read: list[int], market: Market, size: int
) -> None:
    rows = rows_by_day().drop(index=[3, 40, 41])
    write(rows, tmp_path / "a.parquet", size)
    pieces = list(FilesSource(tmp_path, at_once=24).batches(market, market.symbols, FIRST, LAST))
    spans = [piece.days for piece in pieces]
    assert len(spans) > 3
    assert spans[0][0] == FIRST
    assert spans[-1][1] == LAST
    assert all(later[0] - earlier[1] == dt.timedelta(days=1) for earlier, later in pairwise(spans))
    assert sorted(read) == list(range(-(-len(rows) // size)))
    whole = FilesSource(tmp_path)
    for piece in pieces:
        alone = whole.fetch(market, market.symbols, *piece.days)
        assert piece.outcomes == alone.outcomes
        pd.testing.assert_frame_equal(in_order([piece]), in_order([alone]))
    pd.testing.assert_frame_equal(in_order(pieces), in_order([whole.fetch(market, market.symbols, FIRST, LAST)]))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_files_in_any_pieces_are_the_same_bars(data: st.DataObject) -> None:
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    late = {name: data.draw(st.integers(0, len(DAYS))) for name in NAMES}
    rows = rows_by_day()
    rows = rows[rows["date"] >= rows["symbol"].map(lambda name: DAYS[0] + pd.Timedelta(late[name], "D"))]
    rows = rows[draw.random(len(rows)) < data.draw(st.sampled_from([1.0, 0.9, 0.3]))]
    again = rows[draw.random(len(rows)) < data.draw(st.sampled_from([0.0, 0.1]))]
    rows = pd.concat([rows, again, again.assign(volume=101.0)]).sort_values("date", kind="stable")
    whose = draw.integers(0, data.draw(st.integers(1, 3)), len(rows))
    with TemporaryDirectory() as name:
        folder = Path(name)
        more = {"some.parquet": rows_by_day()[:6]}
        write(more["some.parquet"], folder / "some.parquet", 6)
        for number in np.unique(whose):
            write(rows[whose == number], folder / f"{number}.parquet", data.draw(st.integers(3, 40)))
        if data.draw(st.booleans()):
            more["few.csv"] = rows_by_day()[-9:].assign(volume=102.0)
            more["few.csv"].to_csv(folder / "few.csv", index=False)
        first, last = sorted(DAYS[data.draw(st.integers(0, len(DAYS) - 1))].date() for _ in range(2))
        at_once = data.draw(st.sampled_from([10, 30, 60]))
        pieces = list(FilesSource(folder, at_once=at_once).batches(coins, coins.symbols, first, last))
        whole = FilesSource(folder).fetch(coins, coins.symbols, first, last)
        everything = pd.concat([rows, *more.values()]).drop_duplicates()
        expected = everything[everything["date"].between(pd.Timestamp(first), pd.Timestamp(last))]
    pd.testing.assert_frame_equal(in_order(pieces), in_order([whole]))
    keys = ["symbol", "date", "close", "volume"]
    found = in_order([whole]).rename(columns={"session": "date"})[keys]
    assert found.to_numpy().tolist() == expected[keys].sort_values(keys).to_numpy().tolist()
    told = {outcome.symbol: outcome.status for outcome in whole.outcomes}
    assert all(piece.days or {o.symbol: o.status for o in piece.outcomes}.items() <= told.items() for piece in pieces)


def test_a_daily_run_reads_the_last_row_groups_alone(tmp_path: Path, read: list[int]) -> None:
    write(rows_by_day(), tmp_path / "a.parquet", 30)
    fetched = FilesSource(tmp_path).fetch(coins, NAMES, LAST - dt.timedelta(days=5), LAST)
    assert len(fetched.bars) == 6 * 6
    assert read == [6, 7]


def test_a_file_by_symbol_is_read_once_in_pieces_as_large_as_its_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[int]
) -> None:
    monkeypatch.setattr(files, "by_group", None)
    write(rows_by_day().sort_values(["symbol", "date"]), tmp_path / "a.parquet", 50)
    pieces = list(FilesSource(tmp_path, at_once=48).batches(coins, NAMES, FIRST, LAST))
    assert [(len(piece.bars), piece.days) for piece in pieces] == [(40, None)] * 6
    assert read == [0, 1, 2, 3, 4]


def test_a_file_that_says_something_across_days_is_read_as_a_whole(tmp_path: Path, read: list[int]) -> None:
    rows = rows_by_day()
    for extra in ("splits", "dividends", "adj_close"):
        read.clear()
        write(rows.assign(**{extra: 1.0}), tmp_path / "a.parquet", 30)
        source = FilesSource(tmp_path, at_once=24)
        assert len(source.fetch(coins, NAMES, LAST, LAST).bars) == 6
        assert read == list(range(8))
        assert {piece.days for piece in source.batches(coins, NAMES, FIRST, LAST)} == {None}


def test_a_symbol_that_has_no_row_on_the_days_of_a_piece_is_not_unknown(tmp_path: Path) -> None:
    rows = rows_by_day()
    write(rows[(rows["symbol"] != "S2") | (rows["date"] == DAYS[3])], tmp_path / "a.parquet", 30)
    pieces = list(FilesSource(tmp_path, at_once=24).batches(coins, coins.symbols, FIRST, LAST))
    told = [{outcome.symbol: outcome.status for outcome in piece.outcomes} for piece in pieces]
    assert [statuses["S2"] for statuses in told] == ["partial"] + ["hole"] * (len(told) - 1)
    assert {statuses["GONE"] for statuses in told} == {"unknown_symbol"}
    [outcome] = FilesSource(tmp_path).fetch(coins, ["S2"], LAST, LAST).outcomes
    assert outcome.status == "hole"


def test_a_file_that_breaks_off_and_a_row_without_a_date_are_named_once(tmp_path: Path) -> None:
    rows = rows_by_day()
    write(rows, tmp_path / "a.parquet", 30)
    others = rows.assign(symbol=np.where(rows.index % 2, "A", "Z"))
    write(others.assign(date=rows["date"].where(rows.index != 77)), tmp_path / "b.parquet", 30)
    write(others, tmp_path / "c.parquet", 30)
    whole = bytearray((tmp_path / "c.parquet").read_bytes())
    place = pq.read_metadata(tmp_path / "c.parquet").row_group(5).column(2).data_page_offset
    whole[place : place + 40] = bytes(range(40))
    (tmp_path / "c.parquet").write_bytes(whole)
    pieces = list(FilesSource(tmp_path, at_once=72).batches(coins, coins.symbols, FIRST, LAST))
    assert len({piece.days for piece in pieces}) > 2
    notes = [note for piece in pieces for note in piece.notes]
    assert [Path(note.split()[0].rstrip(":")).name for note in notes] == ["c.parquet", "b.parquet"]
    assert "row 78 has the date None" in notes[1]
    assert sum(len(piece.bars) for piece in pieces) == len(rows)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (pa.date32(), True), (pa.date64(), True), (pa.timestamp("s"), True), (pa.timestamp("ns"), True),
        (pa.string(), True), (pa.timestamp("us", "America/New_York"), False),
    ],
)  # fmt: skip
def test_which_kinds_of_dates_tell_the_days_of_a_row_group(tmp_path: Path, kind: pa.DataType, told: bool) -> None:  # noqa: FBT001  a column of the table
    path = tmp_path / "a.parquet"
    write(rows_by_day(), path, 30, kind)
    head = head_of(Stamp(path, 0, 0))
    assert head.tells_days == told
    days = (DAYS[5].date(), DAYS[9].date()) if told else (dt.date.min, dt.date.max)
    assert head.spans[1] == Span(30, "S0", "S5", *days)
    fetched = FilesSource(tmp_path).fetch(coins, NAMES, DAYS[7].date(), DAYS[12].date())
    # A moment of New York is on the day before in UTC, and the day that it shows counts.
    assert len(fetched.bars) == 36
    assert {outcome.status for outcome in fetched.outcomes} == {"ok"}


@pytest.mark.parametrize(
    "columns",
    [
        {"date": pa.array([10**9], pa.int32()).cast(pa.date32())},
        {"more": [{"a": FIRST, "b": LAST}], "date": [FIRST]},
        {"date": ["20240101"]},
        {"date": ["2024-01-01", "soon"]},
        {"date": pa.array([None], pa.date32())},
    ],
    ids=["beyond the calendar", "beside nested columns", "in another order than days", "words", "no date"],
)
def test_dates_that_tell_nothing(tmp_path: Path, columns: dict[str, Sequence[object]]) -> None:
    path = tmp_path / "a.parquet"
    others = dict.fromkeys(("symbol", "open", "high", "low", "close", "volume"), ["1"] * len(columns["date"]))
    pq.write_table(pa.table({**columns, **others}), path)
    assert not head_of(Stamp(path, 0, 0)).tells_days


def test_days_that_a_row_group_does_not_tell_of_are_refused(tmp_path: Path) -> None:
    # As text 2024/03/01 stands between the other two, as a day it does not.
    rows = rows_by_day()[:3].assign(date=["2024-06-01", "2024/03/01", "2025-01-01"])
    write(rows, tmp_path / "a.parquet", 30, pa.string())
    with pytest.raises(SourceError, match=r"its dates are from 2024-06-01 to 2025-01-01, but there are others"):
        FilesSource(tmp_path).fetch(coins, NAMES, FIRST, dt.date(2024, 12, 31))


def unit(since: int, until: int, rows: int) -> Unit:
    return Unit(DAYS[since].date(), DAYS[until].date(), rows, Stamp(Path("a"), 0, 0), (since,))


def cut(units: Sequence[Unit], market: Market = coins) -> list[tuple[int, int]] | None:
    """The first and last day of each stretch of ten rows, counted from FIRST."""
    found = stretches_of(units, market.sessions_between(FIRST, LAST), FIRST, LAST, 10)
    return found and [((stretch.first - FIRST).days, (stretch.last - FIRST).days) for stretch in found]


def test_stretches_end_before_the_next_row_group_begins() -> None:
    assert cut([unit(0, 4, 10), unit(5, 9, 10), unit(10, 14, 10)]) == [(0, 4), (5, 9), (10, 39)]
    assert cut([unit(0, 5, 10), unit(5, 9, 4), unit(9, 12, 6), unit(12, 14, 3)]) == [(0, 4), (5, 11), (12, 39)]
    # The 13th and 14th of January 2024 were a weekend, and the 15th a holiday.
    closed = [unit(0, 11, 10), unit(12, 14, 10), unit(15, 20, 10)]
    assert cut(closed) == [(0, 11), (12, 14), (15, 39)]
    assert cut(closed, stocks) == [(0, 11), (12, 39)]


def test_no_stretches_where_too_much_would_wait() -> None:
    assert cut([unit(0, 39, 30), unit(5, 9, 10), unit(10, 14, 10)]) == [(0, 4), (5, 9), (10, 39)]
    assert cut([unit(0, 39, 39), unit(5, 9, 10), unit(10, 14, 10)]) is None
    assert cut([unit(0, 4, 41), unit(5, 9, 10)]) is None
