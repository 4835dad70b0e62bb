"""A year of live days, each asked for by the schedule, beside the same year backfilled: forecast for forecast.

    python benchmarks/live_year.py [first day, 2024-01-02] [last day, 2024-12-31] [runs]

A simulated market of five symbols. Every day of the year the daily schedule (and on the first of a month the monthly
one) is evaluated at its own hour, and the assets of the job that it requests are computed for the partition that it
requests, with the forecasts' clock at that hour, so that they are live. With "runs" as a third argument they are whole
Dagster runs with their events and checks, which takes ten times as long. Then a second home gets the same year as one
backfill. Prints how many rows there are and how many differ in any bit.
"""

import datetime as dt
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa

from market_pipeline.forecasts.replay import differing
from market_pipeline.orchestration.jobs import schedules_of
from market_pipeline_tests.pipeline import Pipeline, clock_at

START = dt.date(2022, 6, 1)
MARKET = f"""
[stocks]
calendar = "XNYS"
start = {START}
symbols = ["AUTOREG", "SIM1", "SIM2", "SIM3", "WALK1"]
"""
COMPARED = {
    "forecasts": "* exclude (market, made_at, mode)",
    "tails": "* exclude (market)",
    "ranks": "* exclude (market)",
    "ledger": "* exclude (market, made_at, mode, models)",
}


def with_past(folder: Path, first: dt.date) -> Pipeline:
    """A data directory whose bars, indicators and models reach to the day before the year."""
    pipeline = Pipeline(folder, MARKET)
    newest = pipeline.market.sessions_between(START, first - dt.timedelta(days=1))[-1].item()
    pipeline.compute(("prices", "indicators"), START, newest)
    pipeline.compute(("models",), first.replace(day=1), first.replace(day=1))
    return pipeline


def asked_by_schedules(pipeline: Pipeline, day: dt.date) -> list[tuple[str, dg.RunRequest, dt.datetime]]:
    """Job, request and moment of what the market's schedules ask for on a day."""
    found = []
    zone = ZoneInfo(pipeline.market.timezone)
    moment = dt.datetime.combine(day, dt.time(pipeline.market.schedule_hour), zone)
    for schedule in schedules_of(pipeline.market)[: 2 if day.day == 1 else 1]:
        context = dg.build_schedule_context(pipeline.instance, scheduled_execution_time=moment)
        request = schedule(context, warehouse=pipeline.warehouse)
        if isinstance(request, dg.RunRequest):
            found.append((schedule.job_name, request, moment.astimezone(dt.UTC)))
    return found


def lived(pipeline: Pipeline, first: dt.date, last: dt.date, *, as_runs: bool) -> int:
    """Live through the days; returns how often something was requested."""
    keys: set[tuple[str, str | None]] = set()
    day = first + dt.timedelta(days=1)
    while day <= last + dt.timedelta(days=5):
        for job, request, moment in asked_by_schedules(pipeline, day):
            key = dt.date.fromisoformat(request.partition_key or "")
            if (job, request.run_key) in keys or not first <= key <= last:
                continue
            keys.add((job, request.run_key))
            with mock.patch("market_pipeline.forecasts.months.dt", clock_at(moment)):
                if as_runs:
                    tags = {**request.tags, "dagster/partition": str(key)}
                    pipeline.run_job(job, dg.RunRequest(tags=tags, run_config=request.run_config))
                else:
                    pipeline.compute(
                        ("models",) if "monthly" in job else ("prices", "indicators", "forecasts"), key, key
                    )
        day += dt.timedelta(days=1)
    return len(keys)


def main(first: dt.date, last: dt.date, *, as_runs: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live = with_past(Path(folder) / "live", first)
        began = time.perf_counter()
        runs = lived(live, first, last, as_runs=as_runs)
        print(f"live: {runs} requests in {time.perf_counter() - began:.0f} s", flush=True)
        backfilled = with_past(Path(folder) / "backfilled", first)
        backfilled.compute(("prices", "indicators"), first, last)
        backfilled.compute(("models",), first.replace(day=1), last.replace(day=1))
        backfilled.compute(("forecasts",), first, last)
        for table, columns in COMPARED.items():
            one, other = (rows_of(pipeline, table, columns) for pipeline in (live, backfilled))
            print(f"{table}: {one.num_rows:,} and {other.num_rows:,} rows, {differing(one, other)} differ", flush=True)
        modes = live.warehouse.read("select mode, count(*) as rows from forecasts group by all").to_pylist()
        print(f"modes of the lived year: {modes}")


def rows_of(pipeline: Pipeline, table: str, columns: str) -> pa.Table:
    return pipeline.warehouse.read(f"select {columns} from {table} order by all")


if __name__ == "__main__":
    days = [dt.date.fromisoformat(argument) for argument in sys.argv[1:3]]
    main(*(days + [dt.date(2024, 1, 2), dt.date(2024, 12, 31)][len(days) :]), as_runs="runs" in sys.argv)
