"""Large files: read in chunks of symbols or of days, and only the row groups that have them."""

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
from market_pipeline.sources.file_heads import head_of
from market_pipeline.sources.file_tables import FileTables
from market_pipeline.sources.files import FilesSource, cut
from market_pipeline.sources.protocol import Fetched

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


def damage(path: Path, row_groups: Sequence[int], column: str = "symbol") -> None:
    """Overwrite the beginning of a column in row groups: reading it fails."""
    content = bytearray(path.read_bytes())
    about = pq.read_metadata(path)
    for number in row_groups:
        found = about.row_group(number).column(about.schema.names.index(column))
        start = found.dictionary_page_offset or found.data_page_offset
        content[start : start + 30] = bytes(range(200, 230))
    path.write_bytes(content)


@pytest.mark.parametrize("market", [coins, stocks])
@pytest.mark.parametrize("size", [6, 7, 13, 30])
def test_pieces_of_days_are_the_bars_and_outcomes_of_these_days(tmp_path: Path, market: Market, size: int) -> None:
    rows = rows_by_day().drop(index=[3, 40, 41])
    write(rows, tmp_path / "a.parquet", size)
    pieces = list(FilesSource(tmp_path, at_once=24).batches(market, market.symbols, FIRST, LAST))
    spans = [piece.days for piece in pieces]
    assert len(spans) > 3
    assert spans[0][0] == FIRST
    assert spans[-1][1] == LAST
    assert all(later[0] - earlier[1] == dt.timedelta(days=1) for earlier, later in pairwise(spans))
    whole = FilesSource(tmp_path)
    for piece in pieces:
        alone = whole.fetch(market, market.symbols, *piece.days)
        assert piece.outcomes == alone.outcomes
        pd.testing.assert_frame_equal(in_order([piece]), in_order([alone]))
    pd.testing.assert_frame_equal(in_order(pieces), in_order([whole.fetch(market, market.symbols, FIRST, LAST)]))


@given(st.data())
@settings(max_examples=60)
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
    statuses_of = {outcome.symbol: outcome.status for outcome in whole.outcomes}
    assert all(
        piece.days or {o.symbol: o.status for o in piece.outcomes}.items() <= statuses_of.items() for piece in pieces
    )


def test_a_daily_run_reads_the_last_row_groups_alone(tmp_path: Path) -> None:
    write(rows_by_day(), tmp_path / "a.parquet", 30)
    damage(tmp_path / "a.parquet", range(6))
    fetched = FilesSource(tmp_path).fetch(coins, NAMES, LAST - dt.timedelta(days=5), LAST)
    assert len(fetched.bars) == 6 * 6
    assert not fetched.notes
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read"):
        FilesSource(tmp_path).fetch(coins, NAMES, LAST - dt.timedelta(days=10), LAST)


def test_a_file_by_symbol_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileTables, "_insert", None)
    write(rows_by_day().sort_values(["symbol", "date"]), tmp_path / "a.parquet", 50)
    pieces = list(FilesSource(tmp_path, at_once=48).batches(coins, NAMES, FIRST, LAST))
    assert [(len(piece.bars), piece.days) for piece in pieces] == [(size, None) for size in (40, 40, 40, 80, 40)]


@pytest.mark.parametrize("extra", ["splits", "dividends", "adj_close"])
def test_a_file_with_values_that_affect_other_days_is_read_as_a_whole(tmp_path: Path, extra: str) -> None:
    write(rows_by_day().assign(**{extra: 1.0}), tmp_path / "a.parquet", 30)
    source = FilesSource(tmp_path, at_once=24)
    assert len(source.fetch(coins, NAMES, LAST, LAST).bars) == 6
    assert {piece.days for piece in source.batches(coins, NAMES, FIRST, LAST)} == {None}
    damage(tmp_path / "a.parquet", [0])
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read"):
        source.fetch(coins, NAMES, LAST, LAST)


def test_a_symbol_that_has_no_row_on_the_days_of_a_piece_is_not_unknown(tmp_path: Path) -> None:
    rows = rows_by_day()
    write(rows[(rows["symbol"] != "S2") | (rows["date"] == DAYS[3])], tmp_path / "a.parquet", 30)
    pieces = list(FilesSource(tmp_path, at_once=24).batches(coins, coins.symbols, FIRST, LAST))
    statuses_of = [{outcome.symbol: outcome.status for outcome in piece.outcomes} for piece in pieces]
    assert [statuses["S2"] for statuses in statuses_of] == ["partial"] + ["hole"] * (len(statuses_of) - 1)
    assert {statuses["GONE"] for statuses in statuses_of} == {"unknown_symbol"}
    [outcome] = FilesSource(tmp_path).fetch(coins, ["S2"], LAST, LAST).outcomes
    assert outcome.status == "hole"


def test_a_file_that_breaks_off_and_a_row_without_a_date_are_named_once(tmp_path: Path) -> None:
    rows = rows_by_day()
    write(rows, tmp_path / "a.parquet", 30)
    others = rows.assign(symbol=np.where(rows.index % 2, "A", "Z"))
    write(others.assign(date=rows["date"].where(rows.index != 77)), tmp_path / "b.parquet", 30)
    write(others, tmp_path / "c.parquet", 30)
    damage(tmp_path / "c.parquet", [5])
    pieces = list(FilesSource(tmp_path, at_once=72).batches(coins, coins.symbols, FIRST, LAST))
    assert len({piece.days for piece in pieces}) > 2
    notes = [note for piece in pieces for note in piece.notes]
    assert [Path(note.split()[0].rstrip(":")).name for note in notes] == ["b.parquet", "c.parquet"]
    assert "row 78 has the date None" in notes[0]
    assert sum(len(piece.bars) for piece in pieces) == len(rows)


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns")], ids=["days", "ms", "s", "ns"]
)
def test_row_groups_state_their_symbols_and_days(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "a.parquet"
    write(rows_by_day(), path, 30, kind)
    assert head_of(path).row_groups[1] == (30, "S0", "S5", DAYS[5].date(), DAYS[9].date())
    fetched = FilesSource(tmp_path).fetch(coins, NAMES, DAYS[7].date(), DAYS[12].date())
    assert len(fetched.bars) == 36
    assert {outcome.status for outcome in fetched.outcomes} == {"ok"}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo", "+05:30", "-03:30"])
def test_a_time_with_a_zone_is_of_the_day_that_its_clocks_show(tmp_path: Path, zone: str) -> None:
    # A moment of New York in the evening is on the next day in UTC.
    late = rows_by_day().assign(date=lambda rows: rows["date"] + pd.Timedelta(23, "h"))
    local = late.assign(date=late["date"].dt.tz_localize("UTC" if zone[0] in "+-" else zone))
    table = pa.Table.from_pandas(local, preserve_index=False)
    if zone[0] in "+-":
        shift = pd.Timedelta(int(zone[:3]), "h") + pd.Timedelta(int(zone[0] + zone[4:]), "min")
        moments = pa.array(late["date"] - shift, pa.timestamp("us", zone))
        table = table.set_column(table.column_names.index("date"), "date", moments)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=30)
    assert not head_of(tmp_path / "a.parquet").row_groups
    fetched = FilesSource(tmp_path).fetch(coins, NAMES, DAYS[7].date(), DAYS[12].date())
    assert len(fetched.bars) == 36
    assert {outcome.status for outcome in fetched.outcomes} == {"ok"}


@pytest.mark.parametrize(
    "columns",
    [
        {"date": pa.array([10**9], pa.int32()).cast(pa.date32())},
        {"more": [{"a": FIRST, "b": LAST}], "date": ["2024-01-01"]},
        {"date": ["2024-01-01", "soon"]},
        {"date": pa.array([None], pa.date32())},
    ],
    ids=["beyond the calendar", "text beside nested columns", "words", "no date"],
)
def test_dates_of_which_row_groups_state_no_days(tmp_path: Path, columns: dict[str, Sequence[object]]) -> None:
    path = tmp_path / "a.parquet"
    others = dict.fromkeys(("symbol", "open", "high", "low", "close", "volume"), ["1"] * len(columns["date"]))
    pq.write_table(pa.table({**columns, **others}), path)
    assert not head_of(path).row_groups


def test_dates_of_text_in_several_spellings_are_read(tmp_path: Path) -> None:
    # As text 2024/03/01 stands between the other two, as a day it does not.
    rows = rows_by_day()[:4].assign(date=["2024-06-01", "2024/03/01", "2025-01-01", "20240302"])
    write(rows, tmp_path / "a.parquet", 30, pa.string())
    fetched = FilesSource(tmp_path).fetch(coins, NAMES, FIRST, dt.date(2024, 12, 31))
    assert fetched.bars["session"].astype(str).tolist() == ["2024-06-01", "2024-03-01", "2024-03-02"]
    assert not fetched.notes


def starts(*spans: tuple[int, int, int], at_once: int = 10) -> tuple[list[int], int]:
    """Where chunks begin, of spans of (first position, last position, rows); and the rows of the largest."""
    low, high, rows = (np.array(column) for column in zip(*spans, strict=True))
    found, most = cut(low, high, rows, at_once)
    return found.tolist(), most


def test_chunks_begin_where_enough_rows_have_begun_before() -> None:
    assert starts((0, 4, 10), (5, 9, 10), (10, 14, 10)) == ([0, 5, 10], 10)
    assert starts((3, 4, 6), (5, 9, 3), (10, 14, 4), (15, 20, 2)) == ([0, 15], 13)
    assert starts((10, 14, 10), (0, 4, 10), (5, 9, 10)) == ([0, 5, 10], 10)
    assert starts((7, 7, 50), (7, 7, 50)) == ([0], 100)
    assert cut(*[np.zeros(0, np.int64)] * 3, 10)[0].tolist() == [0]


def test_spans_that_reach_over_several_chunks_count_in_each() -> None:
    assert starts((0, 4, 10), (5, 9, 10), (5, 14, 10), (10, 14, 10)) == ([0, 5, 10], 20)
    assert starts((0, 39, 30), (5, 9, 10), (10, 14, 10)) == ([0, 5, 10], 40)
