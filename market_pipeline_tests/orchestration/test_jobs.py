"""What the schedules request, at chosen moments."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.jobs import schedules_of
from market_pipeline_tests.pipeline import Pipeline

NEW_YORK = ZoneInfo("America/New_York")
FIRST, FRIDAY = dt.date(2024, 1, 2), dt.date(2024, 5, 24)
STOCKS = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["WALK1", "AUTOREG"]\n'


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline whose prices end at the Friday before Memorial Day 2024."""
    pipeline = Pipeline(tmp_path_factory.mktemp("automation"), STOCKS)
    pipeline.compute(("prices",), FIRST, FRIDAY)
    return pipeline


def daily_at(pipeline: Pipeline, moment: dt.datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=moment, resources=pipeline.resources())
    requested = schedules_of(pipeline.market)[0](context)
    assert isinstance(requested, dg.RunRequest | dg.SkipReason)
    return requested


@pytest.mark.parametrize("day", [25, 26, 27, 28])
def test_over_a_long_weekend_the_same_friday_is_requested_once(pipeline: Pipeline, day: int) -> None:
    requested = daily_at(pipeline, dt.datetime(2024, 5, day, 4, tzinfo=NEW_YORK))
    assert isinstance(requested, dg.RunRequest)
    assert (requested.partition_key, requested.run_key) == ("2024-05-24", "stocks 2024-05-24")


def test_a_session_is_requested_only_after_its_local_day(pipeline: Pipeline) -> None:
    evening = daily_at(pipeline, dt.datetime(2024, 5, 24, 23, 30, tzinfo=NEW_YORK))
    assert isinstance(evening, dg.RunRequest)
    assert evening.partition_key == "2024-05-23"


def test_an_empty_data_directory_waits_for_its_first_backfill(tmp_path: Path) -> None:
    empty = Pipeline(tmp_path, STOCKS)
    requested = daily_at(empty, dt.datetime(2024, 5, 25, 4, tzinfo=NEW_YORK))
    assert isinstance(requested, dg.SkipReason)
    assert "waits for its first backfill" in (requested.skip_message or "")
    assert not empty.settings.warehouse_file.exists()


def test_training_runs_on_the_first_after_the_daily_run(pipeline: Pipeline) -> None:
    daily, monthly = schedules_of(pipeline.market)
    assert (daily.cron_schedule, monthly.cron_schedule) == ("0 4 * * *", "30 4 1 * *")
    assert daily.execution_timezone == monthly.execution_timezone == "America/New_York"
    moment = dt.datetime(2024, 6, 1, 4, 30, tzinfo=NEW_YORK)
    context = dg.build_schedule_context(scheduled_execution_time=moment, resources=pipeline.resources())
    requested = monthly(context)
    assert isinstance(requested, dg.RunRequest)
    assert requested.partition_key == "2024-06-01"


def test_cryptocurrencies_are_never_requested_before_three_utc() -> None:
    crypto = Market("crypto", "24/7", FIRST, ("WALK1-USD",))
    for schedule in schedules_of(crypto):
        assert schedule.execution_timezone == "UTC"
        assert int(str(schedule.cron_schedule).split()[1]) >= 3
