"""What requests runs for data that is missing: gaps, values that vendors changed, symbols that are new.

A sensor skips while a run of its market is queued or under way, and repeats nothing without a reason (requests.py).
"""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

import dagster as dg
from pydantic import ValidationError

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import ASSETS, job_name
from market_pipeline.orchestration.gaps import next_repair, stored_of, unfilled
from market_pipeline.orchestration.jobs import Jobs, awaits_first_backfill, first_backfill
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline.orchestration.requests import FIRST_WAIT, Memory, configuration_of, memory_of
from market_pipeline.orchestration.turns import under_way
from market_pipeline.sources.protocol import FAILED, Source, beyond_its_end, newest_available
from market_pipeline.storage.warehouse import Warehouse

SPAN = "select min(session) as first, max(session) as last from coverage where market = $market"
REQUESTED = """
select symbol, min(first_session) filter (not list_contains($failed, status)) as since, max(asked_at) as asked_at
from outcomes where market = $market group by symbol
"""
RESTATED = """
with log as (
    select session, known_at, row_number() over (order by rowid) as number
    from restatements where market = $market and recompute
)
select min(session) filter (number > $handled) as first, count(*) as logged,
    count(*) filter (known_at <= $cursor::timestamp) as before
from log
"""
"""The log grows at its end only: the number of a row grows with the moment of its commit, and `known_at` does not."""

LOGGED = "market_pipeline/restatements"
"""The tag of a run that a restatement requested: how many the log of its market had then."""


class Restated(NamedTuple):
    """The oldest session with a restatement that is not handled yet, how many are logged, how many before a cursor."""

    first: dt.date | None
    logged: int
    before: int


class Unloaded(NamedTuple):
    """A symbol without its history: the state of a request for it, and when it was last asked for, UTC."""

    state: str
    tried: dt.datetime | None


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
        "incomplete or have no forecasts; before it the bars and the training that it needs. A gap is requested again "
        "when a bar of it has arrived or the configuration has changed, else after 1, 2, 4, 8 ... hours; a symbol's "
        "session that is listed in accepted_holes never.",
    )
    def gaps(
        context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse], source: dg.ResourceParam[Source]
    ) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        due = market.newest_due(now - FIRST_WAIT)  # the schedule goes first
        if due is None or awaits_first_backfill(market, warehouse):
            return dg.SensorResult(skip_reason=first_backfill(market))
        if first := under_way(context.instance, market):
            return dg.SensorResult(skip_reason=first)
        newest, ended = newest_available(source, market, due), beyond_its_end(source, market, due)
        if newest is None:
            return dg.SensorResult(skip_reason=f"{ended}.")
        memory, stored = memory_of(context.cursor), stored_of(market, warehouse)
        memory.keep(unfilled(market, stored, memory, newest))
        repair = next_repair(market, stored, memory, newest, now)
        if repair is None:
            waiting = len(unfilled(market, stored, memory, newest))
            nothing = f"{ended}." if ended else "Nothing is missing."
            reason = f"{waiting} gaps wait for a bar or for their next request." if waiting else nothing
            return dg.SensorResult(skip_reason=reason, cursor=memory.model_dump_json())
        for gap in repair.fills:
            memory.record(gap.subject, gap.state, now)
        request = dg.RunRequest(
            run_key=f"{market.name} {repair.job} {repair.first} {repair.last} {now:%Y-%m-%dT%H:%M}",
            job_name=job_name(market, repair.job),
            tags=range_tags(repair.first, repair.last),
        )
        return dg.SensorResult(run_requests=[request], cursor=memory.model_dump_json())

    return gaps


def restatements_sensor(market: Market) -> dg.SensorDefinition:
    """Requests what depends on values that a vendor changed."""
    job = job_name(market, "downstream")

    @dg.sensor(
        name=f"{market.name}_restatements",
        job_name=job,
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests indicators and all that follows, from the oldest restated or late bar to the newest "
        "session, for each restatement until a run has succeeded. Forecasts that were issued live stay as they were "
        "issued.",
    )
    def restatements(
        context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse], source: dg.ResourceParam[Source]
    ) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        closed = market.newest_closed(now)
        newest = closed and newest_available(source, market, closed)
        if newest is None or awaits_first_backfill(market, warehouse):
            return dg.SensorResult(skip_reason=first_backfill(market))
        if first := under_way(context.instance, market):
            return dg.SensorResult(skip_reason=first)
        memory = _handled(context, market, warehouse)
        last = memory.made.get(LOGGED)
        if last and _succeeded(context.instance, job, last.state):
            memory.handled = int(last.state)
        found = _restated(market, warehouse, memory.handled)
        if found.first is None or not memory.allows(LOGGED, str(found.logged), now):
            reason = "No vendor has changed a value since." if found.first is None else "The next request is later."
            return dg.SensorResult(skip_reason=reason, cursor=memory.model_dump_json())
        memory.record(LOGGED, str(found.logged), now)
        request = dg.RunRequest(
            run_key=f"{market.name} restated {found.logged} {now:%Y-%m-%dT%H:%M}",
            tags=range_tags(found.first, max(found.first, newest)) | {LOGGED: str(found.logged)},
        )
        return dg.SensorResult(run_requests=[request], cursor=memory.model_dump_json())

    return restatements


def universe_sensor(market: Market) -> dg.SensorDefinition:
    """Requests the history of symbols that are new in the configuration."""

    @dg.sensor(
        name=f"{market.name}_universe",
        job_name=job_name(market, "prices"),
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the whole history of a symbol that was added to the configuration, and of no other, "
        "until the source has answered. A symbol that was removed keeps its past.",
    )
    def universe(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        if awaits_first_backfill(market, warehouse):
            return dg.SensorResult(skip_reason=first_backfill(market))
        if first := under_way(context.instance, market):
            return dg.SensorResult(skip_reason=first)
        memory, new = memory_of(context.cursor), unloaded(market, warehouse)
        memory.keep(new)
        asked = [symbol for symbol, (state, tried) in new.items() if memory.allows(symbol, state, now, tried)]
        if not asked:
            reason = "The next request is later." if new else "Every symbol of the configuration has its history."
            return dg.SensorResult(skip_reason=reason, cursor=memory.model_dump_json())
        for symbol in asked:
            memory.record(symbol, new[symbol].state, now)
        [span] = warehouse.read(SPAN, {"market": market.name}).to_pylist()
        step = "__".join(ASSETS["prices"].key(market.name))
        request = dg.RunRequest(
            run_key=f"{market.name} new {' '.join(asked)} {now:%Y-%m-%dT%H:%M}",
            tags=range_tags(span["first"], span["last"]),
            run_config={"ops": {step: {"config": {"symbols": asked}}}},
        )
        return dg.SensorResult(run_requests=[request], cursor=memory.model_dump_json())

    return universe


def unloaded(market: Market, warehouse: Warehouse) -> Mapping[str, Unloaded]:
    """Symbols whose history no source has answered from the market's first session on."""
    named = {"market": market.name}
    rows = warehouse.read(REQUESTED, named | {"failed": list(FAILED)}).to_pylist()
    asked = {row["symbol"]: (row["since"], row["asked_at"]) for row in rows}
    first, new = warehouse.read(SPAN, named)["first"][0].as_py(), {}
    for symbol in market.symbols:
        since, tried = asked.get(symbol, (None, None))
        if since is None or since > first:
            new[symbol] = Unloaded(f"{configuration_of(market)} {since}", tried)
    return new


def _handled(context: dg.SensorEvaluationContext, market: Market, warehouse: Warehouse) -> Memory:
    """The memory of the sensor of restatements; the cursor of version 0.1.0 was the newest `known_at`."""
    try:
        return memory_of(context.cursor)
    except ValidationError:
        return Memory(handled=_restated(market, warehouse, 0, context.cursor).before)


def _restated(market: Market, warehouse: Warehouse, handled: int, cursor: str | None = None) -> Restated:
    """The restatements after the first `handled` ones of a market, and how many became known up to a moment."""
    named = {"market": market.name, "handled": handled, "cursor": cursor}
    return Restated(**warehouse.read(RESTATED, named).to_pylist()[0])


def _succeeded(instance: dg.DagsterInstance, job: str, logged: str) -> bool:
    """Whether a run that was requested for this length of the log, or its repetition, has succeeded."""
    success = dg.RunsFilter(job_name=job, tags={LOGGED: logged}, statuses=[dg.DagsterRunStatus.SUCCESS])
    return bool(instance.get_runs(success, limit=1))
