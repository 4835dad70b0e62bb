"""What requests runs for data that is missing: gaps, values that vendors changed, symbols that are new."""

import datetime as dt
from typing import NamedTuple

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import ASSETS, job_name
from market_pipeline.orchestration.jobs import Jobs, awaits_first_backfill, first_backfill
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline.sources.protocol import Source, beyond_its_end, newest_available
from market_pipeline.storage.warehouse import Warehouse

LOOKBACK = dt.timedelta(days=31)
"""How far back the sensor looks for sessions that are missing or incomplete."""

LONGEST_WAIT = dt.timedelta(days=7)
"""A gap of the last month is requested again after 1, 2, 4, 8 ... hours, and at least this often."""

OUTAGE_WAIT = dt.timedelta(hours=6)
"""The same for a session without a single bar: an outage of the vendor is likelier than a market without trades."""

COVERED = "select session, missing, present, attempts, asked_at from coverage where market = $market"
FORECAST = "select distinct origin from forecasts where market = $market"
TRAINED = "select distinct month from models where market = $market"
REQUESTED = "select distinct symbol from outcomes where market = $market"
RESTATED = """
select min(session) as first, max(known_at)::varchar as newest, count(*) as values from restatements
where market = $market and recompute and known_at > coalesce($cursor::timestamp, '-infinity'::timestamp)
"""


class Covered(NamedTuple):
    """The result of requesting a session: symbols missing and present, number of attempts, time of the last, UTC."""

    missing: int
    present: int
    attempts: int
    asked_at: dt.datetime

    def retry_is_due(self, now: dt.datetime) -> bool:
        """Whether a missing symbol is worth another request by now; `now` has a time zone."""
        wait = dt.timedelta(hours=2 ** min(self.attempts - 1, 10))
        wait = min(wait, LONGEST_WAIT if self.present else OUTAGE_WAIT)
        return self.missing > 0 and now >= self.asked_at.replace(tzinfo=dt.UTC) + wait


class Repair(NamedTuple):
    """A job to run, its first and last partition, and how often the first one was requested already."""

    job: str
    first: dt.date
    last: dt.date
    attempts: int = 0


def sensors_of(market: Market, jobs: Jobs) -> list[dg.SensorDefinition]:
    """The sensors of one market."""
    return [gaps_sensor(market, jobs), restatements_sensor(market), universe_sensor(market)]


def gaps_sensor(market: Market, jobs: Jobs) -> dg.SensorDefinition:
    """Requests what a failed or missed schedule, or the vendor, left out."""

    @dg.sensor(
        name=f"{market.name}_gaps",
        jobs=jobs,
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests one run over the sessions of the last month, or since the last run, that are missing or "
        "incomplete; before it the bars and the training that it needs. A gap is requested again after 1, 2, 4, 8 ... "
        "hours, at most a week; a session without any bar after at most 6 hours; a symbol's session that is listed in "
        "accepted_holes never.",
    )
    def gaps(warehouse: dg.ResourceParam[Warehouse], source: dg.ResourceParam[Source]) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        closed = market.newest_closed(now)
        if closed is None or awaits_first_backfill(market, warehouse):
            return dg.SensorResult(skip_reason=first_backfill(market))
        newest = newest_available(source, market, closed)
        repair = next_repair(market, warehouse, newest, now) if newest else None
        if repair is None and (ended := beyond_its_end(source, market, closed)):
            return dg.SensorResult(skip_reason=f"{ended}.")
        if repair is None:
            return dg.SensorResult(skip_reason="Every session of the last month is complete, or its retry is later.")
        # The day is part of the key because a run may die before its request is recorded as an attempt.
        key = f"{repair.job} {repair.first} {repair.last} asked {repair.attempts} times by {now:%Y-%m-%d}"
        request = dg.RunRequest(run_key=key, job_name=repair.job, tags=range_tags(repair.first, repair.last))
        return dg.SensorResult(run_requests=[request])

    return gaps


def restatements_sensor(market: Market) -> dg.SensorDefinition:
    """Requests what depends on values that a vendor changed."""

    @dg.sensor(
        name=f"{market.name}_restatements",
        job_name=job_name(market, "downstream"),
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests indicators and all that follows, from the oldest restated or late bar to the newest "
        "session, once for each restatement. Forecasts that were issued live stay as they were issued.",
    )
    def restatements(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:
        newest = market.newest_closed(dt.datetime.now(dt.UTC))
        if newest is None or awaits_first_backfill(market, warehouse):
            return dg.SensorResult(skip_reason=first_backfill(market))
        found = warehouse.read(RESTATED, {"market": market.name, "cursor": context.cursor}).to_pylist()[0]
        if not found["values"]:
            return dg.SensorResult(skip_reason="No vendor has changed a value since the last evaluation.")
        request = dg.RunRequest(
            run_key=f"{market.name} restated {found['newest']}", tags=range_tags(found["first"], newest)
        )
        return dg.SensorResult(run_requests=[request], cursor=found["newest"])

    return restatements


def universe_sensor(market: Market) -> dg.SensorDefinition:
    """Requests the history of symbols that are new in the configuration."""

    @dg.sensor(
        name=f"{market.name}_universe",
        job_name=job_name(market, "prices"),
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the whole history of a symbol that was added to the configuration, and of no other. "
        "A symbol that was removed keeps its past.",
    )
    def universe(warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:
        if awaits_first_backfill(market, warehouse):
            return dg.SensorResult(skip_reason=first_backfill(market))
        requested = set(warehouse.read(REQUESTED, {"market": market.name})["symbol"].to_pylist())
        new = [symbol for symbol in market.symbols if symbol not in requested]
        if not new:
            return dg.SensorResult(skip_reason="Every symbol of the configuration has been requested.")
        covered = covered_sessions(market, warehouse)
        step = "__".join(ASSETS["prices"].key(market.name))
        request = dg.RunRequest(
            run_key=f"{market.name} new {' '.join(new)} by {dt.datetime.now(dt.UTC):%Y-%m-%d}",
            tags=range_tags(min(covered), max(covered)),
            run_config={"ops": {step: {"config": {"symbols": new}}}},
        )
        return dg.SensorResult(run_requests=[request])

    return universe


def next_repair(market: Market, warehouse: Warehouse, newest: dt.date, now: dt.datetime) -> Repair | None:
    """The next run that is needed: bars first, then training, then everything by session.

    After an outage over a month's end, forecasts wait for the month's models, and these for the bars before the month.
    """
    covered = covered_sessions(market, warehouse)
    lacking = {session: int(found.retry_is_due(now)) for session, found in covered.items()}
    forecast = dict.fromkeys(warehouse.read(FORECAST, {"market": market.name})["origin"].to_pylist(), 0)
    gaps = [oldest_gap(market, present, newest) for present in (lacking, forecast) if present]
    gap = min((found for found in gaps if found is not None), default=None)
    attempts = covered[gap].attempts if gap in covered else 0
    untrained = untrained_months(market, warehouse, gap or newest, newest)
    if untrained:
        past = market.sessions_between(min(covered), untrained[-1] - dt.timedelta(days=1)).tolist()
        if gap is not None and not set(past) <= set(covered):
            return Repair(job_name(market, "prices"), gap, newest, attempts)
        return Repair(job_name(market, "monthly"), untrained[0], untrained[-1])
    return None if gap is None else Repair(job_name(market, "daily"), gap, newest, attempts)


def covered_sessions(market: Market, warehouse: Warehouse) -> dict[dt.date, Covered]:
    """Every session that was ever requested, with the result; empty before the first backfill."""
    rows = warehouse.read(COVERED, {"market": market.name}).to_pylist()
    return {row.pop("session"): Covered(**row) for row in rows}


def oldest_gap(market: Market, covered: dict[dt.date, int], newest: dt.date) -> dt.date | None:
    """The oldest session that is not covered or lacks a symbol, in the last month or since the last covered one."""
    since = max(min(newest - LOOKBACK, max(covered)), min(covered))
    sessions = market.sessions_between(since, newest).tolist()
    return min((session for session in sessions if covered.get(session, 1)), default=None)


def untrained_months(market: Market, warehouse: Warehouse, first: dt.date, last: dt.date) -> list[dt.date]:
    """The months of the sessions from `first` to `last` that have no models although an earlier month has."""
    trained = warehouse.read(TRAINED, {"market": market.name})["month"].to_pylist()
    months = {session.replace(day=1) for session in market.sessions_between(first, last).tolist()}
    return sorted(month for month in months - set(trained) if trained and month > min(trained))
