"""What the sensors request, at chosen moments and over six weeks; over a year in the campaign of faults."""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.definitions import build_definitions
from market_pipeline.errors import SourceError
from market_pipeline.orchestration.alerts import stale_markets
from market_pipeline.orchestration.chain import job_name
from market_pipeline.orchestration.gaps import Covered, Stored, bar_gaps, forecast_gaps, next_repair, stored_of
from market_pipeline.orchestration.jobs import jobs_of, schedules_of
from market_pipeline.orchestration.requests import Memory
from market_pipeline.orchestration.sensors import gaps_sensor, restatements_sensor, universe_sensor
from market_pipeline.storage.tables.prices import RESTATEMENTS
from market_pipeline_tests.cached_pipeline import CachedPipeline
from market_pipeline_tests.pipeline import Pipeline, clock_at
from market_pipeline_tests.vendor import Vendor

FIRST, FRIDAY = dt.date(2024, 1, 2), dt.date(2024, 5, 24)
SATURDAY = dt.datetime(2024, 5, 25, 12, tzinfo=dt.UTC)
STOCKS = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["WALK1", "AUTOREG"]\n'


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline whose prices end at the Friday before Memorial Day 2024."""
    pipeline = Pipeline(tmp_path_factory.mktemp("automation"), STOCKS)
    pipeline.compute(("prices",), FIRST, FRIDAY)
    return pipeline


def evaluated(
    sensor: dg.SensorDefinition, pipeline: Pipeline, moment: dt.datetime, cursor: str | None = None
) -> dg.SensorResult:
    """The result of a sensor at `moment`."""
    with mock.patch("market_pipeline.orchestration.sensors.dt", clock_at(moment)):
        context = dg.build_sensor_context(instance=pipeline.instance, cursor=cursor, resources=pipeline.resources())
        requested = sensor(context)
    assert isinstance(requested, dg.SensorResult)
    return requested


def gaps_at(pipeline: Pipeline, moment: dt.datetime, cursor: str | None = None) -> dg.SensorResult:
    return evaluated(gaps_sensor(pipeline.market, jobs_of(pipeline.market)), pipeline, moment, cursor)


def range_of(result: dg.SensorResult) -> tuple[str, str]:
    """The first and the last partition of the only request."""
    [request] = result.run_requests or []
    return tuple(request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))  # type: ignore[return-value]


def days_without_bars(pipeline: Pipeline, changed: Mapping[dt.date, int | None], newest: dt.date) -> list[dt.date]:
    """The sessions with a gap when these lack so many symbols, or were never requested."""
    stored = stored_of(pipeline.market, pipeline.warehouse)
    covered = dict(stored.covered)
    for day, missing in changed.items():
        found = covered.pop(day)
        covered |= {} if missing is None else {day: found._replace(missing=missing)}
    return [gap.day for gap in bar_gaps(pipeline.market, replace(stored, covered=covered), Memory(), newest)]


def test_a_complete_month_has_no_gap_and_a_hole_or_a_missing_symbol_is_one(pipeline: Pipeline) -> None:
    assert days_without_bars(pipeline, {}, FRIDAY) == []
    assert days_without_bars(pipeline, {dt.date(2024, 5, 14): None}, FRIDAY) == [dt.date(2024, 5, 14)]
    assert days_without_bars(pipeline, {dt.date(2024, 5, 21): 1}, FRIDAY) == [dt.date(2024, 5, 21)]
    assert days_without_bars(pipeline, {dt.date(2024, 2, 1): 1}, FRIDAY) == []  # older than a month


def test_after_an_outage_of_months_the_gap_begins_where_the_data_ends(pipeline: Pipeline) -> None:
    assert days_without_bars(pipeline, {}, dt.date(2024, 9, 3))[0] == dt.date(2024, 5, 28)


def test_nothing_is_requested_while_the_month_is_complete(pipeline: Pipeline) -> None:
    requested = gaps_at(pipeline, SATURDAY)
    assert not requested.run_requests
    assert "Nothing is missing" in str(requested.skip_reason)


def test_nothing_is_requested_before_the_first_backfill(tmp_path: Path) -> None:
    empty = Pipeline(tmp_path, STOCKS)
    requested = gaps_at(empty, SATURDAY)
    assert not requested.run_requests
    assert "waits for its first backfill" in str(requested.skip_reason)
    assert not empty.settings.warehouse_file.exists()


def test_a_missing_and_an_incomplete_session_are_one_run_at_growing_intervals(tmp_path: Path) -> None:
    start, missing, incomplete = dt.date(2024, 4, 15), dt.date(2024, 5, 14), dt.date(2024, 5, 21)
    pipeline = Pipeline(tmp_path, STOCKS.replace(str(FIRST), str(start)))
    pipeline.compute(("prices",), start, FRIDAY)
    rows = pipeline.warehouse.read(
        "select * exclude (market) replace ((session = $incomplete)::integer as missing) from coverage "
        "where session <> $missing",
        {"missing": missing, "incomplete": incomplete},
    )
    pipeline.warehouse.replace("coverage", rows, "stocks", start, FRIDAY)
    hours, cursor = [], None
    for hour in (0, 1, 2, 3, 6, 7, 14, 15, 30, 31):
        result = gaps_at(pipeline, SATURDAY + dt.timedelta(hours=hour), cursor)
        cursor = result.cursor
        if result.run_requests:
            assert result.run_requests[0].job_name == "stocks_daily"
            assert range_of(result) == (str(missing), str(FRIDAY))
            hours.append(hour)
    assert hours == [0, 1, 3, 7, 15, 31]


def test_one_run_is_requested_from_the_oldest_gap_to_the_newest_session(pipeline: Pipeline) -> None:
    requested = gaps_at(pipeline, dt.datetime(2024, 9, 3, 12, tzinfo=dt.UTC))
    assert range_of(requested) == ("2024-05-28", "2024-08-30")


def test_the_schedule_goes_first(pipeline: Pipeline) -> None:
    """Tuesday's session is over at midnight in New York; its run starts at four."""
    night = [dt.datetime(2024, 5, 29, hour, tzinfo=ZoneInfo("America/New_York")) for hour in (1, 4, 5)]
    requested = [gaps_at(pipeline, moment.astimezone(dt.UTC)) for moment in night]
    assert [bool(result.run_requests) for result in requested] == [False, False, True]


def test_an_outage_over_two_month_ends_is_repaired_in_order(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, STOCKS.replace("2024-01-02", "2023-01-03"))
    first, trained, back = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 4, 10)
    pipeline.compute(("prices", "indicators"), first, dt.date(2024, 2, 20))
    pipeline.compute(("models",), trained, trained)
    pipeline.compute(("forecasts",), dt.date(2024, 2, 15), dt.date(2024, 2, 20))
    market = pipeline.market
    done: list[tuple[str, dt.date, dt.date]] = []
    while len(done) < 5:
        hour = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        wanted = next_repair(market, stored_of(market, pipeline.warehouse), Memory(), back, hour)
        if wanted is None:
            break
        done.append(wanted[:3])
        assets = {"prices": ("prices", "indicators"), "monthly": ("models",), "downstream": ("forecasts",)}
        pipeline.compute(assets[wanted.job], *wanted[1:3])
    assert done == [
        ("prices", dt.date(2024, 2, 21), back),
        ("monthly", dt.date(2024, 3, 1), dt.date(2024, 4, 1)),
        ("downstream", dt.date(2024, 2, 21), back),
    ]


def test_forecasts_are_missing_only_where_there_is_a_bar() -> None:
    market = Market("stocks", "XNYS", FIRST, ("WALK1",), accepted_holes={"WALK1": (dt.date(2024, 5, 22),)})
    asked_at = SATURDAY.replace(tzinfo=None)
    days = [dt.date(2024, 5, day) for day in (20, 21, 22, 23, 24)]
    covered = {day: Covered(0, int(day != dt.date(2024, 5, 22)), asked_at) for day in days}
    stored = Stored(covered, {days[0], days[3], days[4]}, {dt.date(2024, 5, 1)})
    assert [gap.day for gap in forecast_gaps(market, stored, Memory(), FRIDAY)] == [days[1]]


def finish(pipeline: Pipeline, request: dg.RunRequest, job: str, status: dg.DagsterRunStatus) -> str:
    """A run of this request with a status, without its steps; its id."""

    @dg.job(name=f"{pipeline.market.name}_{job}")
    def empty() -> None:
        pass

    return pipeline.instance.create_run_for_job(empty, status=status, tags=dict(request.tags)).run_id


def test_what_depends_on_a_restatement_is_requested_once(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, STOCKS)
    vendor = pipeline.source = Vendor(pipeline.market, FRIDAY)
    pipeline.compute(("prices",), FIRST, FRIDAY)
    vendor.bars.loc[vendor.where("WALK1", "2024-05-21"), "close"] *= 1.0001
    pipeline.compute(("prices",), FRIDAY, FRIDAY)
    sensor, cursor, hours = restatements_sensor(pipeline.market), None, []
    for hour in range(8):
        result = evaluated(sensor, pipeline, SATURDAY + dt.timedelta(hours=hour), cursor)
        cursor = result.cursor
        if result.run_requests:
            assert range_of(result) == ("2024-05-21", str(FRIDAY))
            hours.append(hour)
            ended = dg.DagsterRunStatus.FAILURE if len(hours) < 3 else dg.DagsterRunStatus.SUCCESS
            finish(pipeline, result.run_requests[0], "downstream", ended)
    assert hours == [0, 1, 3]  # until a run has succeeded


def restate(pipeline: Pipeline, day: str, known_at: dt.datetime) -> None:
    """A restatement of a session, read by a run that began at `known_at`."""
    row = {
        "symbol": "WALK1", "session": dt.date.fromisoformat(day), "field": "close", "old": 1.0, "new": 2.0,
        "cause": "vendor fix", "old_known_at": known_at.replace(year=2023), "known_at": known_at, "recompute": True,
    }  # fmt: skip
    with pipeline.warehouse.transaction(pipeline.market.name) as transaction:
        transaction.append("restatements", pa.Table.from_pylist([row], RESTATEMENTS.schema))


def test_a_restatement_that_is_stored_after_a_later_one_is_requested_too(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, STOCKS)
    pipeline.compute(("prices",), FRIDAY, FRIDAY)
    sensor, noon = restatements_sensor(pipeline.market), SATURDAY.replace(tzinfo=None)
    restate(pipeline, "2024-05-22", noon)
    first = evaluated(sensor, pipeline, SATURDAY)
    assert range_of(first)[0] == "2024-05-22"
    finish(pipeline, (first.run_requests or [])[0], "downstream", dg.DagsterRunStatus.SUCCESS)
    restate(pipeline, "2024-05-21", noon - dt.timedelta(minutes=20))  # the run that began earlier ends later
    second = evaluated(sensor, pipeline, SATURDAY, first.cursor)
    assert range_of(second)[0] == "2024-05-21"
    finish(pipeline, (second.run_requests or [])[0], "downstream", dg.DagsterRunStatus.SUCCESS)
    assert not evaluated(sensor, pipeline, SATURDAY + dt.timedelta(days=9), second.cursor).run_requests


def test_a_cursor_of_version_0_1_0_is_understood(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, STOCKS)
    pipeline.compute(("prices",), FRIDAY, FRIDAY)
    noon = SATURDAY.replace(tzinfo=None)
    restate(pipeline, "2024-05-21", noon)
    sensor = restatements_sensor(pipeline.market)
    old = evaluated(sensor, pipeline, SATURDAY, "2024-05-25 12:00:00")
    assert not old.run_requests
    restate(pipeline, "2024-05-22", noon + dt.timedelta(hours=1))
    for cursor in ("2024-05-25 12:00:00", old.cursor):
        assert range_of(evaluated(sensor, pipeline, SATURDAY, cursor))[0] == "2024-05-22"


def test_only_the_history_of_a_new_symbol_is_requested(tmp_path: Path) -> None:
    old = Pipeline(tmp_path, STOCKS.replace(', "AUTOREG"', ""))
    old.source = Vendor(old.market, FRIDAY)
    old.compute(("prices",), FIRST, FRIDAY)
    pipeline = Pipeline(tmp_path, STOCKS)
    vendor = pipeline.source = Vendor(pipeline.market, FRIDAY)
    requested = evaluated(universe_sensor(pipeline.market), pipeline, SATURDAY)
    assert range_of(requested) == (str(FIRST), str(FRIDAY))
    [request] = requested.run_requests or []
    with mock.patch("market_pipeline.orchestration.resources.open_source", pipeline.open_source):
        pipeline.run_job("stocks_prices", request)
    assert vendor.requested == [(("AUTOREG",), FIRST, FRIDAY)]
    rows = pipeline.warehouse.read(
        "select symbol, count(*) as n, max(known_at) < '2024-06-01' as so from prices group by 1"
    )
    assert [(r["n"], r["so"]) for r in rows.to_pylist()] == [(101, True), (101, True)]
    later = SATURDAY + dt.timedelta(days=9)
    assert not evaluated(universe_sensor(pipeline.market), pipeline, later, requested.cursor).run_requests


def test_a_new_symbol_is_requested_until_the_source_has_answered_for_its_history(tmp_path: Path) -> None:
    old = Pipeline(tmp_path, STOCKS.replace(', "AUTOREG"', ""))
    old.source = Vendor(old.market, FRIDAY)
    old.compute(("prices",), FIRST, FRIDAY)
    pipeline = Pipeline(tmp_path, STOCKS)
    vendor = pipeline.source = Vendor(pipeline.market, FRIDAY)
    sensor, cursor, hours = universe_sensor(pipeline.market), None, []
    for hour in range(16):
        moment = SATURDAY + dt.timedelta(hours=hour)
        vendor.down = hour < 5
        if hour == 2:  # the daily run asks for the newest session only
            vendor.down = False
            run_at(pipeline, moment, FRIDAY, FRIDAY)
            vendor.down = True
        result = evaluated(sensor, pipeline, moment, cursor)
        cursor = result.cursor
        for _ in result.run_requests or []:
            hours.append(hour)
            run_at(pipeline, moment, FIRST, FRIDAY)
    assert hours == [0, 1, 2, 3, 5]  # at 2 for the bar that arrived, at 5 with success
    rows = pipeline.warehouse.read("select symbol, count(*) as n from prices group by 1 order by 1").to_pylist()
    assert [row["n"] for row in rows] == [101, 101]


def run_at(pipeline: Pipeline, moment: dt.datetime, first: dt.date, last: dt.date) -> None:
    """Load the bars of a range at `moment`; the source may be down."""
    with mock.patch("market_pipeline.prices.assets.dt", clock_at(moment)), suppress(SourceError):
        pipeline.compute(("prices",), first, last)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_nothing_is_requested_while_a_run_of_the_market_is_under_way(
    tmp_path: Path, status: dg.DagsterRunStatus
) -> None:
    pipeline = Pipeline(tmp_path, STOCKS)
    pipeline.compute(("prices",), FIRST, dt.date(2024, 5, 22))
    restate(pipeline, "2024-05-21", SATURDAY.replace(tzinfo=None))
    market = Market("stocks", "XNYS", FIRST, ("WALK1", "NEW"))
    sensors = (gaps_sensor(market, jobs_of(market)), restatements_sensor(market), universe_sensor(market))
    assert [bool(evaluated(one, pipeline, SATURDAY).run_requests) for one in sensors] == [True] * 3
    job = build_definitions(pipeline.settings).resolve_job_def(job_name(market, "daily"))
    run = pipeline.instance.create_run_for_job(job, status=status)
    skipped = [evaluated(one, pipeline, SATURDAY) for one in sensors]
    assert not any(result.run_requests for result in skipped)
    assert all(run.run_id in str(result.skip_reason) for result in skipped)
    pipeline.instance.report_run_failed(run)
    assert all(evaluated(one, pipeline, SATURDAY).run_requests for one in sensors)


class Weeks:
    """Weeks of a market: the schedule and the sensor are evaluated at their hours, and their requests run at once."""

    def __init__(self, pipeline: Pipeline, vendor: Vendor) -> None:
        self.pipeline, self.vendor = pipeline, vendor
        self.keys: set[str] = set()
        self.cursor: str | None = None
        self.runs: list[tuple[dt.datetime, str, str]] = []

    def tick(self, moment: dt.datetime) -> None:
        """Evaluate as the daemon does at `moment`; a run key that ran does not run again."""
        if moment.hour == 4:
            context = dg.build_schedule_context(self.pipeline.instance, scheduled_execution_time=moment)
            source = self.pipeline.open_source(self.pipeline.settings)
            requested = schedules_of(self.pipeline.market)[0](context, warehouse=self.pipeline.warehouse, source=source)
            assert isinstance(requested, dg.RunRequest)
            self.run(moment, requested)
        result = gaps_at(self.pipeline, moment.astimezone(dt.UTC), self.cursor)
        self.cursor = result.cursor
        for request in result.run_requests or []:
            if request.job_name == "stocks_daily":
                self.run(moment, request)

    def run(self, moment: dt.datetime, request: dg.RunRequest) -> None:
        assert request.run_key
        if request.run_key in self.keys:
            return
        self.keys.add(request.run_key)
        first = request.partition_key or request.tags["dagster/asset_partition_range_start"]
        last = request.partition_key or request.tags["dagster/asset_partition_range_end"]
        self.runs.append((moment, first, last))
        with mock.patch("market_pipeline.prices.assets.dt", clock_at(moment.astimezone(dt.UTC))):
            try:
                self.pipeline.compute(("prices",), dt.date.fromisoformat(first), dt.date.fromisoformat(last))
            except SourceError:
                assert self.vendor.down


def test_six_weeks_with_outages_late_bars_a_holiday_and_a_change_of_the_clock(tmp_path: Path) -> None:
    """From the week before the clocks go back to the week after Thanksgiving's, whose Friday closes early."""
    opened = dt.date(2024, 10, 1)
    pipeline = CachedPipeline(tmp_path, STOCKS.replace(str(FIRST), str(opened)))
    zone = ZoneInfo(pipeline.market.timezone)
    vendor = pipeline.source = Vendor(pipeline.market, dt.date(2024, 12, 31))
    start, end = dt.datetime(2024, 11, 1, 4, tzinfo=zone), dt.datetime(2024, 12, 16, tzinfo=zone)
    session = vendor.bars["session"].to_numpy().astype("datetime64[D]")
    closes = pipeline.market.close_of(session)
    lag = np.where(np.random.default_rng(21).random(len(session)) < 0.1, 40, 0).astype("timedelta64[h]")
    outages = [(dt.datetime(2024, 11, 12, tzinfo=zone), dt.datetime(2024, 11, 15, 12, tzinfo=zone)),
               (dt.datetime(2024, 11, 26, tzinfo=zone), dt.datetime(2024, 12, 9, 12, tzinfo=zone))]  # fmt: skip
    with mock.patch("market_pipeline.prices.assets.dt", clock_at(start.astimezone(dt.UTC))):
        pipeline.compute(("prices",), opened, dt.date(2024, 10, 31))
    weeks, alarms, stale, moment = Weeks(pipeline, vendor), [], [], start
    while moment < end:
        utc = np.datetime64(moment.astimezone(dt.UTC).replace(tzinfo=None), "s")
        vendor.missing = closes + lag > utc
        vendor.down = any(since <= moment < until for since, until in outages)
        weeks.tick(moment)
        alarms += [moment for _ in stale_markets(pipeline.warehouse, [pipeline.market], moment.astimezone(dt.UTC))]
        newest = pipeline.warehouse.read("select max(session) as newest from prices where final")["newest"][0].as_py()
        stale += [moment] if newest < newest_expected_by_hand(pipeline, moment) else []
        moment += dt.timedelta(hours=8)  # local time, as the schedule's hours
    coverage = stored_of(pipeline.market, pipeline.warehouse).covered
    sessions = pipeline.market.sessions_between(opened, dt.date(2024, 12, 13)).tolist()
    assert sorted(coverage) == sessions
    assert not [day for day, found in coverage.items() if found.missing]
    assert pipeline.warehouse.read("from prices where final").num_rows == 2 * len(sessions)
    assert alarms == stale
    for at in alarms:  # and never without a reason: the vendor was down or late
        down = any(since <= at < until + dt.timedelta(hours=14) for since, until in outages)
        assert down or late_at(at, closes, lag)
    for since, until in outages:
        assert any(since <= at < until for at in alarms)
    assert len(weeks.runs) == len(set(weeks.runs))
    started, ended = (np.datetime64(day.date()) for day in (start, end))
    assert lag[(session >= started) & (session < ended)].any()


def newest_expected_by_hand(pipeline: Pipeline, moment: dt.datetime) -> dt.date:
    """The newest session whose following day's schedule at four, and two hours more, lie before `moment`, local."""
    sessions = pipeline.market.sessions.tolist()
    due = (moment - dt.timedelta(hours=6)).date()
    return max(session for session in sessions if session < due)


def late_at(moment: dt.datetime, closes: np.ndarray, lag: np.ndarray) -> bool:
    """Whether some bar is late at `moment`."""
    utc = np.datetime64(moment.astimezone(dt.UTC).replace(tzinfo=None), "s")
    return bool(
        ((closes <= utc) & (utc < closes + lag + np.timedelta64(8, "h")) & (lag > np.timedelta64(0, "h"))).any()
    )
