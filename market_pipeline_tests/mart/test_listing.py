"""Every configured symbol is listed, and one without a forecast has the reason."""

import duckdb
import pytest

from market_pipeline.mart.listing import NEWEST_REQUESTS, SYMBOL_ROWS
from market_pipeline.storage.tables.mart import SYMBOLS

WORLD = """
attach ':memory:' as mart;
create table mart.prices as select 'stocks' as market, symbol, date '2024-03-01' + day::integer as session
from (values ('AAA', 0, 5), ('LATE', 0, 3), ('YOUNG', 4, 5), ('LEFT', 0, 2), ('HOLE', 0, 5)) as t(symbol, first, last),
    range(6) as r(day) where day between first and last and not (symbol = 'HOLE' and day = 2);
insert into mart.prices values ('coins', 'BTC', '2024-03-06'), ('old', 'ETH', '2024-03-06');
create table mart.signals (market varchar, symbol varchar, as_of date);
insert into mart.signals values ('stocks', 'AAA', '2024-03-06'), ('stocks', 'LATE', '2024-03-04'),
    ('stocks', 'HOLE', '2024-03-06'), ('old', 'ETH', '2024-03-05');
create table configured as from (values ('stocks', 'AAA'), ('stocks', 'LATE'), ('stocks', 'YOUNG'), ('stocks', 'HOLE'),
    ('stocks', 'NEVER'), ('stocks', 'WRONG'), ('coins', 'BTC'), ('old', 'ETH')) as t(market, symbol);
create table outcomes as from (values
    ('stocks', 'WRONG', 'ok', '', timestamp '2024-03-01'),
    ('stocks', 'WRONG', 'unknown_symbol', 'no such ticker', timestamp '2024-03-02'),
    ('stocks', 'LATE', 'rate_limited', '', timestamp '2024-03-06'),
    ('stocks', 'AAA', 'ok', '', timestamp '2024-03-06')) as t(market, symbol, status, cause, asked_at)
"""


@pytest.fixture(scope="module")
def listed() -> dict[str, tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute(WORLD)
        connection.execute(f"create table asked as {NEWEST_REQUESTS}")
        found = connection.execute(SYMBOL_ROWS)
        assert [column[0] for column in found.description] == list(SYMBOLS.names)
        return {row[1]: row[2:] for row in found.fetchall()}


def test_every_symbol_is_there_once(listed: dict[str, tuple[object, ...]]) -> None:
    assert set(listed) == {"AAA", "LATE", "YOUNG", "LEFT", "HOLE", "NEVER", "WRONG", "BTC", "ETH"}
    assert [symbol for symbol, row in listed.items() if not row[0]] == ["LEFT"]


def test_missing_sessions_count_from_the_first_bar(listed: dict[str, tuple[object, ...]]) -> None:
    assert {symbol: row[1:3] for symbol, row in listed.items()} == {
        "AAA": (6, 0), "LATE": (4, 2), "YOUNG": (2, 0), "LEFT": (3, 3), "HOLE": (5, 1), "NEVER": (0, 0),
        "WRONG": (0, 0), "BTC": (1, 0), "ETH": (1, 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("AAA", None),
        ("HOLE", None),
        ("LATE", "Its bars end on 2024-03-04. The source: rate_limited."),
        ("YOUNG", "Its history of 2 bars is too short."),
        ("LEFT", "It left the configuration; its bars end on 2024-03-03."),
        ("NEVER", "The source has not been asked for it yet."),
        ("WRONG", "It has no bar. The source: no such ticker."),
        ("BTC", "No forecast of this market has been made yet."),
        ("ETH", "The newest forecasts of this market are of 2024-03-05."),
    ],
)
def test_a_symbol_without_a_forecast_has_the_reason(
    listed: dict[str, tuple[object, ...]], symbol: str, reason: str | None
) -> None:
    assert listed[symbol][-1] == reason
