"""Every session of 28 years of four calendars, and every day on which clocks change: none missing, extra or partial."""

import datetime as dt
from itertools import takewhile
from zoneinfo import ZoneInfo

import exchange_calendars as xc
import numpy as np
import pandas as pd
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.jobs import schedules_of
from market_pipeline.orchestration.partitions import session_partitions
from market_pipeline.prices.validation import validate
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome

FIRST, LAST = dt.date(2000, 1, 1), dt.date(2027, 12, 31)
BEYOND = dt.datetime(2028, 1, 5, tzinfo=dt.UTC)
CALENDARS = {"new_york": "XNYS", "frankfurt": "XETR", "tokyo": "XTKS", "coins": "24/7"}
MARKETS = [Market(name, calendar, FIRST, ("A",)) for name, calendar in CALENDARS.items()]
SECONDS = dt.timedelta(seconds=1)


@pytest.fixture(params=MARKETS, ids=lambda market: market.name)
def market(request: pytest.FixtureRequest) -> Market:
    assert isinstance(request.param, Market)
    return request.param


def days_of(market: Market) -> pd.DatetimeIndex:
    """The sessions as the library has them, without anything of ours."""
    return xc.get_calendar(market.calendar_name, start=str(FIRST), end=str(LAST)).sessions


def clock_changes(market: Market) -> list[dt.date]:
    """The local days that have 23 or 25 hours."""
    days = pd.date_range(str(FIRST), str(LAST), tz=market.timezone)
    hours = (days[1:] - days[:-1]) / pd.Timedelta(1, "h")
    return [day.date() for day in days[:-1][hours != 24]]


def test_the_partitions_are_the_sessions(market: Market) -> None:
    keys = session_partitions(market).get_partition_keys(current_time=BEYOND)
    assert [key for key in keys if key <= str(LAST)] == days_of(market).strftime("%Y-%m-%d").tolist()


def test_the_daily_run_meets_every_session_once_it_is_final_and_no_other(market: Market) -> None:
    schedule = schedules_of(market)[0]
    start = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).timestamp()
    ticks = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
    met: dict[dt.date, dt.datetime] = {}
    for tick in takewhile(lambda tick: tick < BEYOND, ticks):
        newest = market.newest_closed(tick)
        if newest is not None and newest <= LAST:
            met.setdefault(newest, tick)
    assert list(met) == [day.date() for day in days_of(market)]
    session = np.array(list(met), "datetime64[D]")
    at = np.array([tick.astimezone(dt.UTC).replace(tzinfo=None) for tick in met.values()], "datetime64[s]")
    settled = market.close_of(session) + np.timedelta64(market.settle_minutes, "m")
    assert (settled <= at).all()
    assert (at - settled < np.timedelta64(30, "h")).all()


def test_there_are_changes_of_the_clock_to_look_at() -> None:
    assert [len(clock_changes(market)) for market in MARKETS] == [56, 56, 0, 0]


@pytest.mark.parametrize("market", MARKETS[:2], ids=lambda market: market.name)
def test_around_every_change_of_the_clock_a_bar_is_final_exactly_from_its_settling_on(market: Market) -> None:
    zone = ZoneInfo(market.timezone)
    midnights = []
    for day in clock_changes(market):
        near = market.sessions_between(day - dt.timedelta(days=2), day + dt.timedelta(days=2))
        bars = pd.DataFrame({"symbol": "A", "session": near.astype("datetime64[s]"), "volume": 1.0, "dividend": 0.0,
                             "split_ratio": 1.0, **dict.fromkeys(["open", "high", "low", "close"], 7.0)})  # fmt: skip
        fetched = Fetched(bars[list(BAR_COLUMNS)], (Outcome("A", "ok", ""),))
        for session, close in zip(near.tolist(), market.close_of(near).tolist(), strict=True):
            settled = close.replace(tzinfo=dt.UTC) + dt.timedelta(minutes=market.settle_minutes)
            for moment, final in ((settled - SECONDS, False), (settled, True)):
                rows = validate(fetched, market, "simulated", moment).bars.to_pandas().set_index("session")
                assert rows["final"][session] == final
                assert not rows["final"][rows.index > session].any()
                assert rows["final"][rows.index < session].all()
            midnight = dt.datetime.combine(session + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC)
            midnights.append((session, midnight))
    for session, midnight in midnights:
        assert market.newest_closed(midnight) == session
        before = market.newest_closed(midnight - SECONDS)
        assert before is None or before < session
