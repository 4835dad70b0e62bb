"""What the sensors request, at chosen moments and over a year."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.errors import SourceError
from market_pipeline.orchestration.alerts import stale_markets
from market_pipeline.orchestration.jobs import jobs_of, schedules_of
from market_pipeline.orchestration.sensors import (
    Covered,
    covered_sessions,
    gaps_sensor,
    next_repair,
    oldest_gap,
    restatements_sensor,
    universe_sensor,
)
from market_pipeline.storage.warehouse import Transaction, Warehouse
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


def gaps_at(pipeline: Pipeline, moment: dt.datetime) -> dg.SensorResult:
    """The sensor's result at `moment`."""
    sensor = gaps_sensor(pipeline.market, jobs_of(pipeline.market))
    with mock.patch("market_pipeline.orchestration.sensors.dt", clock_at(moment)):
        context = dg.build_sensor_context(instance=pipeline.instance, resources=pipeline.resources())
        requested = sensor(context)
    assert isinstance(requested, dg.SensorResult)
    return requested


def lacking(pipeline: Pipeline) -> dict[dt.date, int]:
    return {day: found.missing for day, found in covered_sessions(pipeline.market, pipeline.warehouse).items()}


def test_a_complete_month_has_no_gap_and_a_hole_or_a_missing_symbol_is_one(pipeline: Pipeline) -> None:
    covered = lacking(pipeline)
    assert oldest_gap(pipeline.market, covered, FRIDAY) is None
    hole = {day: missing for day, missing in covered.items() if day != dt.date(2024, 5, 14)}
    assert oldest_gap(pipeline.market, hole, FRIDAY) == dt.date(2024, 5, 14)
    assert oldest_gap(pipeline.market, covered | {dt.date(2024, 5, 21): 1}, FRIDAY) == dt.date(2024, 5, 21)
    assert oldest_gap(pipeline.market, covered | {dt.date(2024, 2, 1): 1}, FRIDAY) is None  # older than a month


def test_after_an_outage_of_months_the_gap_begins_where_the_data_ends(pipeline: Pipeline) -> None:
    covered = lacking(pipeline)
    assert oldest_gap(pipeline.market, covered, dt.date(2024, 9, 3)) == dt.date(2024, 5, 28)


def test_nothing_is_requested_while_the_month_is_complete(pipeline: Pipeline) -> None:
    requested = gaps_at(pipeline, SATURDAY)
    assert not requested.run_requests
    assert "the last month is complete" in str(requested.skip_reason)


def test_nothing_is_requested_before_the_first_backfill(tmp_path: Path) -> None:
    empty = Pipeline(tmp_path, STOCKS)
    requested = gaps_at(empty, SATURDAY)
    assert not requested.run_requests
    assert "waits for its first backfill" in str(requested.skip_reason)
    assert not empty.settings.warehouse.exists()


def test_a_missing_and_an_incomplete_session_are_one_run_once_a_day(tmp_path: Path) -> None:
    start, missing, incomplete = dt.date(2024, 4, 15), dt.date(2024, 5, 14), dt.date(2024, 5, 21)
    pipeline = Pipeline(tmp_path, STOCKS.replace(str(FIRST), str(start)))
    pipeline.compute(("prices",), start, FRIDAY)
    rows = pipeline.warehouse.read(
        "select * exclude (market) replace ((session = $incomplete)::integer as missing) from coverage "
        "where session <> $missing",
        {"missing": missing, "incomplete": incomplete},
    )
    pipeline.warehouse.replace("coverage", rows, "stocks", start, FRIDAY)
    keys = []
    for moment in (SATURDAY, SATURDAY + dt.timedelta(hours=1), SATURDAY + dt.timedelta(days=1)):
        [request] = gaps_at(pipeline, moment).run_requests or []
        assert request.job_name == "stocks_daily"
        assert request.tags["dagster/asset_partition_range_start"] == str(missing)
        assert request.tags["dagster/asset_partition_range_end"] == str(FRIDAY)
        keys.append(request.run_key)
    assert keys[0] == keys[1] != keys[2]


def test_one_run_is_requested_from_the_oldest_gap_to_the_newest_session(pipeline: Pipeline) -> None:
    sensor = gaps_sensor(pipeline.market, jobs_of(pipeline.market))
    requested = sensor(dg.build_sensor_context(resources=pipeline.resources()))
    assert isinstance(requested, dg.SensorResult)
    assert requested.run_requests is not None
    assert len(requested.run_requests) == 1
    request = requested.run_requests[0]
    newest = pipeline.market.newest_closed(dt.datetime.now(dt.UTC))
    assert request.job_name == "stocks_daily"
    assert request.tags["dagster/asset_partition_range_start"] == "2024-05-28"
    assert request.tags["dagster/asset_partition_range_end"] == str(newest)


def test_an_outage_over_two_month_ends_is_repaired_in_order(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, STOCKS.replace("2024-01-02", "2023-01-03"))
    first, trained, back = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 4, 10)
    pipeline.compute(("prices", "indicators"), first, dt.date(2024, 2, 20))
    pipeline.compute(("models",), trained, trained)
    pipeline.compute(("forecasts",), dt.date(2024, 2, 15), dt.date(2024, 2, 20))
    market = pipeline.market
    done: list[tuple[str, dt.date, dt.date]] = []
    while len(done) < 5:
        wanted = next_repair(market, pipeline.warehouse, back, dt.datetime.now(dt.UTC))
        if wanted is None:
            break
        done.append(wanted[:3])
        assets = {"prices": ("prices", "indicators"), "monthly": ("models",), "daily": ("forecasts",)}
        pipeline.compute(assets[wanted[0].split("_")[1]], *wanted[1:3])
    assert done == [
        ("stocks_prices", dt.date(2024, 2, 21), back),
        ("stocks_monthly", dt.date(2024, 3, 1), dt.date(2024, 4, 1)),
        ("stocks_daily", dt.date(2024, 2, 21), back),
    ]


def test_a_gap_is_requested_at_growing_intervals_of_at_most_a_week() -> None:
    asked_at = dt.datetime.fromisoformat("2024-05-24T08:00:00")
    now = asked_at.replace(tzinfo=dt.UTC)
    waits = []
    for attempts in range(1, 12):
        for present in (1, 0):
            found = Covered(1, present, attempts, asked_at)
            waits.append(next(hour for hour in range(10_000) if found.retry_is_due(now + dt.timedelta(hours=hour))))
    assert waits[::2] == [1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168]
    assert waits[1::2] == [1, 2, 4, 6, 6, 6, 6, 6, 6, 6, 6]
    assert not Covered(0, 1, 1, asked_at).retry_is_due(now + dt.timedelta(days=99))


def test_what_depends_on_a_restatement_is_requested_once(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, STOCKS)
    vendor = pipeline.source = Vendor(pipeline.market, FRIDAY)
    pipeline.compute(("prices",), FIRST, FRIDAY)
    vendor.bars.loc[vendor.where("WALK1", "2024-05-21"), "close"] *= 1.0001
    pipeline.compute(("prices",), FRIDAY, FRIDAY)
    sensor, cursor, requests = restatements_sensor(pipeline.market), None, []
    for _ in range(3):
        context = dg.build_sensor_context(cursor=cursor, resources={"warehouse": pipeline.warehouse})
        with mock.patch("market_pipeline.orchestration.sensors.dt", clock_at(SATURDAY)):
            requested = sensor(context)
        assert isinstance(requested, dg.SensorResult)
        requests += requested.run_requests or []
        cursor = requested.cursor or cursor
    [request] = requests
    assert request.tags["dagster/asset_partition_range_start"] == "2024-05-21"
    assert request.tags["dagster/asset_partition_range_end"] == str(FRIDAY)


def test_only_the_history_of_a_new_symbol_is_requested(tmp_path: Path) -> None:
    old = Pipeline(tmp_path, STOCKS.replace(', "AUTOREG"', ""))
    old.source = Vendor(old.market, FRIDAY)
    old.compute(("prices",), FIRST, FRIDAY)
    pipeline = Pipeline(tmp_path, STOCKS)
    vendor = pipeline.source = Vendor(pipeline.market, FRIDAY)
    requested = universe_sensor(pipeline.market)(dg.build_sensor_context(resources={"warehouse": pipeline.warehouse}))
    assert isinstance(requested, dg.SensorResult)
    [request] = requested.run_requests or []
    assert (request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"]) == (
        str(FIRST), str(FRIDAY),
    )  # fmt: skip
    with mock.patch("market_pipeline.orchestration.resources.open_source", pipeline.open_source):
        pipeline.run_job("stocks_prices", request)
    assert vendor.requested == [(("AUTOREG",), FIRST, FRIDAY)]
    rows = pipeline.warehouse.read(
        "select symbol, count(*) as n, max(known_at) < '2024-06-01' as so from prices group by 1"
    )
    assert [(r["n"], r["so"]) for r in rows.to_pylist()] == [(101, True), (101, True)]
    again = universe_sensor(pipeline.market)(dg.build_sensor_context(resources={"warehouse": pipeline.warehouse}))
    assert isinstance(again, dg.SensorResult)
    assert not again.run_requests


class CachedWarehouse(Warehouse):
    """A warehouse that runs the same query only once between two writes: a year has thousands of evaluations."""

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse.path, warehouse.source)
        object.__setattr__(self, "answers", {})
        self.answers: dict[str, pa.Table]

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        query = f"{sql} {parameters}"
        if query not in self.answers:
            self.answers[query] = super().read(sql, parameters)
        return self.answers[query]

    @contextmanager
    def transaction(self, market: str) -> Iterator[Transaction]:
        self.answers.clear()
        with super().transaction(market) as transaction:
            yield transaction
        self.answers.clear()


class CachedPipeline(Pipeline):
    """A pipeline with a cached warehouse."""

    @cached_property
    def warehouse(self) -> Warehouse:  # type: ignore[override]
        return CachedWarehouse(super().warehouse)


class Year:
    """A year of a market: the schedule and the sensor are evaluated at their hours, and their requests run at once."""

    def __init__(self, pipeline: Pipeline, vendor: Vendor) -> None:
        self.pipeline, self.vendor = pipeline, vendor
        self.keys: set[str] = set()
        self.runs: list[tuple[dt.datetime, str, str]] = []

    def tick(self, moment: dt.datetime) -> None:
        """Evaluate as the daemon does at `moment`; a run key that ran does not run again."""
        if moment.hour == 4:
            context = dg.build_schedule_context(self.pipeline.instance, scheduled_execution_time=moment)
            source = self.pipeline.open_source(self.pipeline.settings)
            requested = schedules_of(self.pipeline.market)[0](context, warehouse=self.pipeline.warehouse, source=source)
            assert isinstance(requested, dg.RunRequest)
            self.run(moment, requested)
        for request in gaps_at(self.pipeline, moment.astimezone(dt.UTC)).run_requests or []:
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


def test_a_year_of_days_with_outages_late_bars_and_holidays(tmp_path: Path) -> None:
    pipeline = CachedPipeline(tmp_path, STOCKS)
    zone = ZoneInfo(pipeline.market.timezone)
    vendor = pipeline.source = Vendor(pipeline.market, dt.date(2025, 3, 1))
    start, end = dt.datetime(2024, 2, 1, 4, tzinfo=zone), dt.datetime(2025, 2, 1, tzinfo=zone)
    session = vendor.bars["session"].to_numpy().astype("datetime64[D]")
    closes = pipeline.market.close_of(session)
    lag = np.where(np.random.default_rng(5).random(len(session)) < 0.05, 40, 0).astype("timedelta64[h]")
    outages = [(dt.datetime(2024, 4, 29, tzinfo=zone), dt.datetime(2024, 5, 2, 12, tzinfo=zone)),
               (dt.datetime(2024, 11, 26, tzinfo=zone), dt.datetime(2024, 12, 9, 12, tzinfo=zone))]  # fmt: skip
    with mock.patch("market_pipeline.prices.assets.dt", clock_at(start.astimezone(dt.UTC))):
        pipeline.compute(("prices",), FIRST, dt.date(2024, 1, 31))
    year, alarms, stale, moment = Year(pipeline, vendor), [], [], start
    while moment < end:
        utc = np.datetime64(moment.astimezone(dt.UTC).replace(tzinfo=None), "s")
        vendor.missing = closes + lag > utc
        vendor.down = any(since <= moment < until for since, until in outages)
        year.tick(moment)
        alarms += [moment for _ in stale_markets(pipeline.warehouse, [pipeline.market], moment.astimezone(dt.UTC))]
        newest = pipeline.warehouse.read("select max(session) as newest from prices where final")["newest"][0].as_py()
        stale += [moment] if newest < newest_expected_by_hand(pipeline, moment) else []
        moment += dt.timedelta(hours=8)  # local time, as the schedule's hours
    coverage = covered_sessions(pipeline.market, pipeline.warehouse)
    sessions = pipeline.market.sessions_between(FIRST, dt.date(2025, 1, 30)).tolist()
    assert sorted(coverage) == sessions
    assert not [day for day, found in coverage.items() if found.missing]
    assert pipeline.warehouse.read("from prices where final").num_rows == 2 * len(sessions)
    assert alarms == stale
    for at in alarms:  # and never without a reason: the vendor was down or late
        down = any(since <= at < until + dt.timedelta(hours=14) for since, until in outages)
        assert down or late_at(at, closes, lag)
    for since, until in outages:
        assert any(since <= at < until for at in alarms)
    assert len(year.runs) == len(set(year.runs))


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
