"""Nothing is requested of a source beyond its last day, and the reason is stated."""

import datetime as dt
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest

from market_pipeline.errors import ConfigurationError
from market_pipeline.orchestration.backfill import check_end
from market_pipeline.orchestration.jobs import jobs_of, schedules_of
from market_pipeline.orchestration.sensors import gaps_sensor, restatements_sensor
from market_pipeline.sources.files import FilesSource
from market_pipeline_tests.orchestration.test_sensors import evaluated, range_of, restate
from market_pipeline_tests.pipeline import Pipeline, clock_at

TOML = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["AAA"]\n'
END = dt.date(2024, 5, 22)
MORNING = dt.datetime(2024, 5, 25, 4, tzinfo=ZoneInfo("America/New_York"))
"""When the session of Friday, 24 May 2024 is due."""


def write(folder: Path, until: dt.date) -> None:
    bars = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1e5}
    days = pd.date_range("2024-01-02", until)
    days = days[days.dayofweek < 5].difference(pd.to_datetime(["2024-01-15", "2024-02-19", "2024-03-29"]))
    folder.mkdir(exist_ok=True)
    pd.DataFrame({"symbol": "AAA", "date": days} | bars).to_parquet(folder / "bars.parquet", index=False)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Files that end two sessions before the newest closed one, loaded."""
    write(tmp_path / "files", END)
    pipeline = Pipeline(tmp_path / "pipeline", TOML, source=FilesSource(tmp_path / "files"))
    pipeline.compute(("prices",), dt.date(2024, 1, 2), END)
    return pipeline


def scheduled(pipeline: Pipeline, place: int, moment: dt.datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=moment, resources=pipeline.resources())
    requested = schedules_of(pipeline.market)[place](context)
    assert isinstance(requested, dg.RunRequest | dg.SkipReason)
    return requested


def gaps(pipeline: Pipeline) -> dg.SensorResult:
    sensor = gaps_sensor(pipeline.market, jobs_of(pipeline.market))
    with mock.patch("market_pipeline.orchestration.sensors.dt", clock_at(MORNING.astimezone(dt.UTC))):
        requested = sensor(dg.build_sensor_context(instance=pipeline.instance, resources=pipeline.resources()))
    assert isinstance(requested, dg.SensorResult)
    return requested


def test_schedules_wait_for_newer_bars(pipeline: Pipeline, tmp_path: Path) -> None:
    for place in (0, 1):  # daily and monthly
        skipped = scheduled(pipeline, place, MORNING)
        assert isinstance(skipped, dg.SkipReason)
        assert "the bars of files end at 2024-05-22, so the session 2024-05-24 cannot be loaded" in str(skipped)
    write(tmp_path / "files", dt.date(2024, 5, 24))
    requested = scheduled(pipeline, 0, MORNING)
    assert isinstance(requested, dg.RunRequest)
    assert requested.partition_key == "2024-05-24"


def test_the_sensor_requests_what_is_there_and_no_more(pipeline: Pipeline, tmp_path: Path) -> None:
    skipped = gaps(pipeline)
    assert not skipped.run_requests
    assert "the bars of files end at 2024-05-22" in str(skipped.skip_reason)
    write(tmp_path / "files", dt.date(2024, 5, 23))
    [request] = gaps(pipeline).run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == "2024-05-23"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-05-23"


def test_a_command_names_the_last_day_that_can_be_loaded(pipeline: Pipeline) -> None:
    source, market = pipeline.open_source(pipeline.settings), pipeline.market
    check_end(source, market, dt.date(2024, 2, 1), END)
    with pytest.raises(
        ConfigurationError, match=r"end at 2024-05-22, .* Add newer bars to them, or end at 2024-05-22\."
    ):
        check_end(source, market, dt.date(2024, 2, 1), dt.date(2024, 5, 24))
    with pytest.raises(ConfigurationError, match=r"Add newer bars to them\.$"):
        check_end(source, market, dt.date(2024, 5, 23), dt.date(2024, 5, 24))


def test_what_was_restated_is_computed_again_up_to_the_last_day_of_the_source(pipeline: Pipeline) -> None:
    moment = MORNING.astimezone(dt.UTC)
    restate(pipeline, "2024-05-14", moment.replace(tzinfo=None))
    assert range_of(evaluated(restatements_sensor(pipeline.market), pipeline, moment)) == ("2024-05-14", "2024-05-22")
