"""When things run: what schedules and sensors ask for, at moments that matter."""

import datetime as dt
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from market_pipeline.automation import covered_sessions, jobs_of, next_repair, oldest_gap, schedules_of, sensors_of
from market_pipeline.markets import Market
from market_pipeline_tests.house import House

NEW_YORK = ZoneInfo("America/New_York")
FIRST, FRIDAY = dt.date(2024, 1, 2), dt.date(2024, 5, 24)
SATURDAY = dt.datetime(2024, 5, 25, 12, tzinfo=dt.UTC)
STOCKS = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["WALK1", "AUTOREG"]\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home whose prices reach to Friday before Memorial Day 2024."""
    house = House(tmp_path_factory.mktemp("automation"), STOCKS)
    house.compute(("prices",), FIRST, FRIDAY)
    return house


def daily_at(house: House, moment: dt.datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=moment, resources={"warehouse": house.warehouse})
    asked = schedules_of(house.market)[0](context)
    assert isinstance(asked, dg.RunRequest | dg.SkipReason)
    return asked


def gaps_at(house: House, moment: dt.datetime) -> dg.SensorResult:
    """What the sensor asks for when its clock says `moment`."""
    clock = mock.Mock(wraps=dt)
    clock.datetime.now.return_value = moment
    sensor = sensors_of(house.market, jobs_of(house.market))[0]
    with mock.patch("market_pipeline.automation.dt", clock):
        asked = sensor(dg.build_sensor_context(resources={"warehouse": house.warehouse}))
    assert isinstance(asked, dg.SensorResult)
    return asked


@pytest.mark.parametrize("day", [25, 26, 27, 28])
def test_over_a_long_weekend_the_same_friday_is_asked_for_once(house: House, day: int) -> None:
    asked = daily_at(house, dt.datetime(2024, 5, day, 4, tzinfo=NEW_YORK))
    assert isinstance(asked, dg.RunRequest)
    assert (asked.partition_key, asked.run_key) == ("2024-05-24", "stocks 2024-05-24")


def test_a_session_is_asked_for_only_when_its_local_day_is_over(house: House) -> None:
    evening = daily_at(house, dt.datetime(2024, 5, 24, 23, 30, tzinfo=NEW_YORK))
    assert isinstance(evening, dg.RunRequest)
    assert evening.partition_key == "2024-05-23"


def test_an_empty_home_waits_for_its_first_backfill(tmp_path: Path) -> None:
    empty = House(tmp_path, STOCKS)
    asked = daily_at(empty, dt.datetime(2024, 5, 25, 4, tzinfo=NEW_YORK))
    assert isinstance(asked, dg.SkipReason)
    assert "waits for its first backfill" in (asked.skip_message or "")
    looked = gaps_at(empty, SATURDAY)
    assert not looked.run_requests
    assert looked.skip_reason == asked
    assert not empty.settings.warehouse.exists()


def test_training_runs_on_the_first_after_the_daily_run(house: House) -> None:
    daily, monthly = schedules_of(house.market)
    assert (daily.cron_schedule, monthly.cron_schedule) == ("0 4 * * *", "30 4 1 * *")
    assert daily.execution_timezone == monthly.execution_timezone == "America/New_York"
    moment = dt.datetime(2024, 6, 1, 4, 30, tzinfo=NEW_YORK)
    context = dg.build_schedule_context(scheduled_execution_time=moment, resources={"warehouse": house.warehouse})
    asked = monthly(context)
    assert isinstance(asked, dg.RunRequest)
    assert asked.partition_key == "2024-06-01"


def test_coins_are_never_asked_for_before_three_utc() -> None:
    crypto = Market("crypto", "24/7", FIRST, ("WALK1-USD",))
    for schedule in schedules_of(crypto):
        assert schedule.execution_timezone == "UTC"
        assert int(str(schedule.cron_schedule).split()[1]) >= 3


def test_a_complete_month_has_no_gap_and_a_hole_or_a_missing_symbol_is_one(house: House) -> None:
    covered = covered_sessions(house.market, house.warehouse)
    assert oldest_gap(house.market, covered, FRIDAY) is None
    hole = {day: missing for day, missing in covered.items() if day != dt.date(2024, 5, 14)}
    assert oldest_gap(house.market, hole, FRIDAY) == dt.date(2024, 5, 14)
    assert oldest_gap(house.market, covered | {dt.date(2024, 5, 21): 1}, FRIDAY) == dt.date(2024, 5, 21)
    assert oldest_gap(house.market, covered | {dt.date(2024, 2, 1): 1}, FRIDAY) is None  # older than a month


def test_after_an_outage_of_months_the_gap_begins_where_the_data_ends(house: House) -> None:
    covered = covered_sessions(house.market, house.warehouse)
    assert oldest_gap(house.market, covered, dt.date(2024, 9, 3)) == dt.date(2024, 5, 28)


def test_the_sensor_asks_for_nothing_when_the_month_is_complete(house: House) -> None:
    asked = gaps_at(house, SATURDAY)
    assert not asked.run_requests
    assert "stored and complete" in str(asked.skip_reason)


def test_a_missing_and_an_incomplete_session_are_one_run_once_a_day(tmp_path: Path) -> None:
    start, missing, incomplete = dt.date(2024, 4, 15), dt.date(2024, 5, 14), dt.date(2024, 5, 21)
    house = House(tmp_path, STOCKS.replace(str(FIRST), str(start)))
    house.compute(("prices",), start, FRIDAY)
    rows = house.warehouse.read(
        "select * exclude (market) replace ((session = $incomplete)::integer as missing) from coverage "
        "where session <> $missing",
        {"missing": missing, "incomplete": incomplete},
    )
    house.warehouse.replace("coverage", rows, "stocks", start, FRIDAY)
    keys = []
    for moment in (SATURDAY, SATURDAY + dt.timedelta(hours=1), SATURDAY + dt.timedelta(days=1)):
        [request] = gaps_at(house, moment).run_requests or []
        assert request.job_name == "stocks_daily"
        assert request.tags["dagster/asset_partition_range_start"] == str(missing)
        assert request.tags["dagster/asset_partition_range_end"] == str(FRIDAY)
        keys.append(request.run_key)
    assert keys[0] == keys[1] != keys[2]


def test_the_sensor_asks_for_one_run_from_the_oldest_gap_to_the_newest_session(house: House) -> None:
    sensor = sensors_of(house.market, jobs_of(house.market))[0]
    asked = sensor(dg.build_sensor_context(resources={"warehouse": house.warehouse}))
    assert isinstance(asked, dg.SensorResult)
    assert asked.run_requests is not None
    assert len(asked.run_requests) == 1
    request = asked.run_requests[0]
    newest = house.market.newest_closed(dt.datetime.now(dt.UTC))
    assert request.job_name == "stocks_daily"
    assert request.tags["dagster/asset_partition_range_start"] == "2024-05-28"
    assert request.tags["dagster/asset_partition_range_end"] == str(newest)


def test_an_outage_over_two_month_ends_heals_in_order(tmp_path: Path) -> None:
    house = House(tmp_path, STOCKS.replace("2024-01-02", "2023-01-03"))
    first, trained, back = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 4, 10)
    house.compute(("prices", "indicators"), first, dt.date(2024, 2, 20))
    house.compute(("models",), trained, trained)
    house.compute(("forecasts",), dt.date(2024, 2, 15), dt.date(2024, 2, 20))
    market = house.market
    done: list[tuple[str, dt.date, dt.date]] = []
    while len(done) < 5:
        covered = covered_sessions(market, house.warehouse)
        wanted = next_repair(market, house.warehouse, covered, back)
        if wanted is None:
            break
        done.append(wanted)
        rooms = {"prices": ("prices", "indicators"), "monthly": ("models",), "daily": ("forecasts",)}
        house.compute(rooms[wanted[0].split("_")[1]], *wanted[1:])
    assert done == [
        ("stocks_prices", dt.date(2024, 2, 21), back),
        ("stocks_monthly", dt.date(2024, 3, 1), dt.date(2024, 4, 1)),
        ("stocks_daily", dt.date(2024, 2, 21), back),
    ]
