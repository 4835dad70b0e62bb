import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.partitions import month_partitions, session_partitions

stocks = Market("stocks", "XNYS", dt.date(2024, 1, 1), ("A",))
crypto = Market("crypto", "24/7", dt.date(2024, 1, 1), ("A-USD",))
tokyo = Market("japan", "XTKS", dt.date(2024, 1, 4), ("A.T",))


@pytest.mark.parametrize("market", [stocks, crypto, tokyo], ids=lambda market: market.name)
def test_the_partitions_are_the_sessions_of_the_calendar(market: Market) -> None:
    now = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
    keys = session_partitions(market).get_partition_keys(current_time=now)
    newest = market.newest_closed(now)
    assert newest is not None
    assert keys == [str(day) for day in market.sessions_between(market.start, newest)]


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        ("2024-05-25 00:00", "2024-05-24"),  # Saturday, midnight
        ("2024-05-26 12:00", "2024-05-24"),
        ("2024-05-28 15:00", "2024-05-24"),  # after Memorial Day, in session
        ("2024-05-29 00:00", "2024-05-28"),
    ],
)
def test_no_partition_before_its_session_is_over(moment: str, last: str) -> None:
    now = dt.datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("America/New_York"))
    assert session_partitions(stocks).get_partition_keys(current_time=now)[-1] == last


def test_months_are_named_by_their_first_day_the_running_one_included() -> None:
    now = dt.datetime(2024, 3, 15, tzinfo=dt.UTC)
    assert month_partitions(stocks).get_partition_keys(current_time=now) == ["2024-01-01", "2024-02-01", "2024-03-01"]
