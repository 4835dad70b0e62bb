"""Rows of files in DuckDB: what is loaded, in which order, on which disk; and which lines are left out."""

import datetime as dt
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources import file_tables
from market_pipeline.sources.files import FilesSource
from market_pipeline.sources.protocol import Fetched

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 1, 4)
HEADER = "symbol,date,open,high,low,close,volume\n"
crypto = Market("crypto", "24/7", FIRST, ("AAA", "BBB"))


def line(symbol: str = "AAA", day: int = 1, close: str = "11") -> str:
    return f"{symbol},2024-01-0{day},10,12,9,{close},100"


def fetch(folder: Path, content: str | bytes, name: str = "a.csv") -> Fetched:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return FilesSource(folder).fetch(crypto, crypto.symbols, FIRST, LAST)


def note_of(fetched: Fetched) -> str:
    [note] = fetched.notes
    return note.partition("left out ")[2]


def test_lines_may_end_in_several_ways(tmp_path: Path) -> None:
    content = (
        HEADER.replace("\n", "\r\n") + line(day=1) + "\n\n" + line(day=2) + "\r\n" + "AAA,2024-01-03\n" + line(day=4)
    )
    fetched = fetch(tmp_path, content)
    assert fetched.bars["session"].dt.day.tolist() == [1, 2, 4]
    assert note_of(fetched) == "line 5 has not 7 fields"
    assert fetch(tmp_path, content.replace("\r\n", "\r").replace("\n", "\r")).bars["session"].dt.day.tolist() == [
        1,
        2,
        4,
    ]


def test_zero_bytes_and_bytes_that_are_not_utf_8_cost_their_lines_only(tmp_path: Path) -> None:
    lines = [line(day=1).encode(), b"\0" * 50, line("B\xfc", 1).encode("latin-1"), line(day=2).encode()]
    fetched = fetch(tmp_path, HEADER.encode() + b"\n".join(lines))
    assert fetched.bars["session"].dt.day.tolist() == [1, 2]
    assert note_of(fetched) == "line 3 has not 7 fields; line 4 has invalid encoding"
    with pytest.raises(SourceError, match="its first line is not UTF-8"):
        fetch(tmp_path, (HEADER + line()).encode("utf-16"))


def test_a_quotation_that_is_not_closed_is_named_with_the_lines_that_it_takes(tmp_path: Path) -> None:
    fetched = fetch(tmp_path, HEADER + "\n".join([line(day=1), f'"{line(day=2)}', line(day=3), line("BBB", 4)]))
    assert fetched.bars["session"].dt.day.tolist() == [1]
    assert note_of(fetched) == "lines 3 to 5 have a quotation mark that is not closed"


def test_words_among_numbers_change_no_other_number(tmp_path: Path) -> None:
    close = "0.1000000000000000055511151231257827"
    words = [
        line(day=1, close=close),
        line(day=2, close="null"),
        line(day=3, close="n.a.?"),
        line(day=4, close=" 12.5 "),
    ]
    bars = fetch(tmp_path, HEADER + "\n".join(words)).bars
    np.testing.assert_array_equal(bars["close"], [0.1, np.nan, np.nan, 12.5])
    assert bars["open"].tolist() == [10] * 4


@pytest.mark.parametrize("spelling", ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%dT%H:%M:%S+09:00"])
def test_dates_as_people_write_them(tmp_path: Path, spelling: str) -> None:
    days = pd.date_range(FIRST, LAST)
    fetched = fetch(tmp_path, HEADER + "\n".join(f"AAA,{day:{spelling}},10,12,9,11,100" for day in days))
    assert fetched.bars["session"].tolist() == days.tolist()
    assert not fetched.notes


@pytest.mark.parametrize("day", ["infinity", "-infinity", "12024-01-01", "0044-03-15 (BC)"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_day_that_no_calendar_knows_stops_nothing(tmp_path: Path, day: str, kind: str) -> None:
    values = f"('AAA', date '{LAST}', 10, 12, 9, 11, 100), ('AAA', date '{day}', 10, 12, 9, 11, 100)"
    rows = f"from (values {values}) as rows({HEADER.strip()})"
    duckdb.sql(f"copy ({rows}) to '{tmp_path / f'bars.{kind}'}'")
    source = FilesSource(tmp_path)
    assert source.days(crypto.symbols) == (LAST, LAST)
    assert source.fetch(crypto, crypto.symbols, FIRST, LAST).bars["session"].dt.day.tolist() == [LAST.day]


def test_a_row_without_a_date_is_named(tmp_path: Path) -> None:
    fetched = fetch(tmp_path, HEADER + line() + "\nAAA,,10,12,9,11,100\n")
    assert note_of(fetched) == "line 3 has the date '', not one like 2024-01-31"


def test_a_long_file_with_bad_lines_and_no_requested_symbol_is_no_broken_one(tmp_path: Path) -> None:
    fetched = fetch(tmp_path, HEADER + line("ZZZ") + "\nZZZ,soon,10,12,9,11,100\n")
    assert "line 3 has the date 'soon'" in note_of(fetched)
    assert {outcome.status for outcome in fetched.outcomes} == {"unknown_symbol"}


LONG_LINE = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))  # many times less than the line is long
from market_pipeline.errors import MarketPipelineError
from market_pipeline_tests.sources.test_file_tables import crypto, FIRST, LAST
from market_pipeline.sources.files import FilesSource
try:
    fetched = FilesSource(Path(sys.argv[1])).fetch(crypto, crypto.symbols, FIRST, LAST)
    print(len(fetched.bars), *fetched.notes)
except MarketPipelineError as error:
    print(error)
"""


@pytest.mark.parametrize("rows", [1, 40], ids=["in the head", "below the head"])
def test_a_line_of_gigabytes_is_reported_and_not_read(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + f"{line()}\n" * rows)
    os.truncate(path, 6_700_000_000)  # bytes of zero, which take no disk
    done = subprocess.run(
        [sys.executable, "-c", LONG_LINE, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"a\.csv cannot be read: .*line .* has more than 2,000,000 characters", done.stdout)
    path.unlink()
    with gzip.open(tmp_path / "a.csv.gz", "wb", compresslevel=1) as packed:
        packed.write((HEADER + f"{line()}\n" * rows).encode())
        packed.writelines([bytes(1 << 20)] * 40)
    with pytest.raises(SourceError, match=r"a\.csv\.gz cannot be read: .*line.* has more than 2,000,000 characters"):
        FilesSource(tmp_path).fetch(crypto, crypto.symbols, FIRST, LAST)


def test_a_link_to_a_file_outside_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for made in (folder, elsewhere):
        made.mkdir()
    fetch(folder, HEADER + line("AAA"))
    (elsewhere / "b.csv").write_text(HEADER.removeprefix("symbol,") + line("BBB").removeprefix("BBB,"))
    (folder / "BBB.csv").symlink_to(elsewhere / "b.csv")
    (folder / "CCC.csv").symlink_to(folder / "a.csv")  # within the folder
    fetched = FilesSource(folder).fetch(crypto, crypto.symbols, FIRST, LAST)
    assert {*fetched.bars["symbol"]} == {"AAA"}
    [outcome] = [outcome for outcome in fetched.outcomes if outcome.symbol == "BBB"]
    assert outcome.status == "unavailable"
    assert f"BBB.csv is a link to {elsewhere / 'b.csv'}, which is not in {folder}" in outcome.cause
    (elsewhere / "b.csv").unlink()
    assert "is a link to" in FilesSource(folder).fetch(crypto, crypto.symbols, FIRST, LAST).notes[0]


def test_a_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's [new], symbol=AAA"
    folder.mkdir()
    for name in ("a*.csv", "b?[0-9].csv", 'c"d.csv'):
        fetch(folder, HEADER + line(), name)
    assert len(fetch(folder, gzip.compress((HEADER + line(day=2)).encode()), "e*.csv.gz").bars) == 2
    pd.DataFrame(
        {"Date": [pd.Timestamp(LAST)], "Open": 10, "High": 12, "Low": 9, "Close": 11, "Volume": 100}
    ).to_parquet(folder / "BBB.parquet")
    assert fetch(folder, HEADER + line(day=3)).bars["symbol"].tolist() == ["AAA"] * 3 + ["BBB"]


def many_rows(count: int) -> pd.DataFrame:
    """Rows of 100 symbols in no order."""
    draw = np.random.default_rng(5)
    days = pd.date_range("1970-01-01", periods=count // 100)
    rows = pd.MultiIndex.from_product([days, [f"S{number:02d}" for number in range(100)]], names=["date", "symbol"])
    close = draw.uniform(9, 11, len(rows))
    return rows.to_frame(index=False).assign(open=close, high=close + 1, low=close - 1, close=close, volume=1.0)


def test_more_rows_than_memory_holds_are_sorted_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = many_rows(1_500_000).sample(frac=1, random_state=1)
    rows.to_parquet(tmp_path / "a.parquet", index=False)
    symbols = sorted(rows["symbol"].unique())
    market = Market("many", "24/7", dt.date(1970, 1, 1), tuple(symbols))
    monkeypatch.setattr(file_tables, "SETTINGS", file_tables.SETTINGS | {"memory_limit": "50MB", "threads": 2})
    source = FilesSource(tmp_path, at_once=150_000)
    pieces = list(source.batches(market, symbols, dt.date(1970, 1, 1), dt.date(2015, 1, 1)))
    assert len(pieces) == 10
    assert {outcome.status for piece in pieces for outcome in piece.outcomes} == {"partial"}
    expected = rows.sort_values(["symbol", "date"])
    found = pd.concat([piece.bars for piece in pieces])
    np.testing.assert_array_equal(found["close"], expected["close"])
    monkeypatch.setattr(file_tables, "SETTINGS", file_tables.SETTINGS | {"max_temp_directory_size": "1MB"})
    with pytest.raises(SourceError, match=r"Free disk space there, or set TMPDIR"):
        list(source.batches(market, symbols, dt.date(1970, 1, 1), dt.date(2015, 1, 1)))


def test_rows_that_contradict_each_other_are_in_the_same_order_in_any_files(tmp_path: Path) -> None:
    header = HEADER.strip() + ",adj_close\n"
    rows = [line(day=1) + ",11", line(day=2) + ",10", line(day=2, close="10") + ",10", line(day=3) + ",11"]
    fetch(tmp_path, header + "\n".join(rows[:2]), "1.csv")
    one = fetch(tmp_path, header + "\n".join(rows[2:]), "2.csv").bars
    fetch(tmp_path, header + "\n".join(rows[2:]), "1.csv")
    other = fetch(tmp_path, header + "\n".join(rows[:2]), "2.csv").bars
    pd.testing.assert_frame_equal(one, other)
