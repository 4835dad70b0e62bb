"""Files drawn at random from what breaks readers: each ends in possible bars, or in an error that names the file."""

import datetime as dt
import gzip
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.prices import validation
from market_pipeline.prices.validation import validate
from market_pipeline.sources.files import FilesSource
from market_pipeline.storage.tables.prices import BAR_RULES

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 1, 4)
NOW = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
MARKET = Market("crypto", "24/7", FIRST, ("AAA", "it's [/]", 'q"t'))

HEADERS = (
    "symbol,date,open,high,low,close,volume",
    "Date,Open,High,Low,Close,Adj Close,Volume",
    "symbol,date,open,high,low,close,volume,dividends,splits,adj_close",
    "Price,Close,High,Low,Open,Volume\nTicker,AAA,AAA,AAA,AAA,AAA\nDate,,,,,",
    "Ticker,AAA,it's [/],AAA\nPrice,Open,Close,Volume",
    'symbol,"date,open',
    "",
)
CELLS = st.sampled_from(
    (
        "AAA", "it's [/]", '"q""t"', "2024-01-01", "2024-01-02", "2024-01-03 24:00", "2024-02-30", "99999-01-01", "1e3",
        "-0001-01-01", "1", "2", "0.5", "0", "-1", "1e308", "1e309", "9" * 400, "nan", "-inf", "0x10", "1_000", "=1+1",
        "", '"', '""', "'", "\0", "\r", "\n", "\r\n", "\ufeff", "\u202e", "é", "'; drop table names; --", "[red]",
    )
)  # fmt: skip
NAMES = ("a.csv", "AAA.csv", "it's.csv", 'q"t.csv', "two\nlines.csv", "[*]?{}.csv", "-.csv", "$(x);.csv", "AAA.csv.gz")
CONTENT = st.builds(
    lambda header, rows, end, encoding, lost: end.join([header, *rows]).encode(encoding, "replace")[: lost or None],
    st.sampled_from(HEADERS),
    st.lists(st.lists(CELLS, min_size=1, max_size=10).map(",".join), max_size=6),
    st.sampled_from(("\n", "\r\n", "\r", "\n\n")),
    st.sampled_from(("utf-8", "utf-8", "utf-16", "latin-1")),
    st.integers(-3, 0),
)


SHARE = settings(max_examples=30, derandomize=True)


def impossible(content: bytes, name: str) -> list[str]:
    """What is wrong with the answer for a folder with this file: an error without its name, or impossible bars."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        try:
            fetched = FilesSource(Path(folder)).fetch(MARKET, MARKET.symbols, FIRST, LAST)
        except SourceError as error:
            return [] if name.splitlines()[0] in str(error) else [str(error)]
    if [outcome.symbol for outcome in fetched.outcomes] != [*MARKET.symbols]:
        return [str(fetched.outcomes)]
    bars = validate(fetched, MARKET, "files", NOW).bars
    rules = BAR_RULES | {"its day was asked for": f"session between '{FIRST}' and '{LAST}'"}
    with duckdb.connect() as connection:
        connection.register("bars", bars)
        counts = {rule: f"select count(*) from bars where not ({holds})" for rule, holds in rules.items()}
        return [rule for rule, count in counts.items() if connection.execute(count).fetchall() != [(0,)]]


@SHARE
@given(content=CONTENT, name=st.sampled_from(NAMES))
def test_a_hostile_file_gives_possible_bars_or_an_error_that_names_it(content: bytes, name: str) -> None:
    assert impossible(gzip.compress(content) if name.endswith(".gz") else content, name) == []


@SHARE
@given(damage=st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_a_damaged_parquet_file_gives_possible_bars_or_an_error_that_names_it(
    parquet: bytes, damage: list[tuple[int, bytes]]
) -> None:
    content = bytearray(parquet)
    for place, part in damage:
        content[place % len(content) : place % len(content) + len(part)] = part
    assert impossible(bytes(content), "a.parquet") == []


def test_an_impossible_bar_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    content = (HEADERS[0] + "\nAAA,2024-01-01,1,0.5,1,1,1").encode()
    assert impossible(content, "a.csv") == []
    monkeypatch.setattr(validation, "broken_rule", lambda bars, *_: np.full(len(bars), ""))
    assert "no price is above the high" in impossible(content, "a.csv")


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    rows = f"""
        select 'AAA' as symbol, date '{FIRST}' + d::integer as date, 10.0 as open, 12.0 as high, 9.0 as low, 11.0 + d as
        close, 100.0 as volume from range(4) t(d)
    """
    duckdb.sql(f"copy ({rows}) to '{path}' (format parquet)")
    return path.read_bytes()
