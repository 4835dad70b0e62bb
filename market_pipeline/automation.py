"""When things run: jobs, schedules, and the sensor that finds what is missing."""

import datetime as dt

import dagster as dg

from market_pipeline.markets import Market
from market_pipeline.partitions import month_partitions, range_tags, session_partitions
from market_pipeline.warehouse import Warehouse

ROOMS_BY_SESSION = ("prices", "indicators", "forecasts", "scores")
LOOKBACK = dt.timedelta(days=31)
"""How far back the sensor looks for sessions that are missing or incomplete."""

INCOMPLETE = """
select session from coverage where market = $market and session >= $since and missing > 0
"""
ASKED = "select session from coverage where market = $market and session >= $since"


def daily_job(market: Market) -> str:
    return f"{market.name}_daily"


def jobs_of(market: Market) -> list[dg.UnresolvedAssetJobDefinition]:
    """The daily job, from prices to the mart, and the monthly training."""
    sessions = [dg.AssetKey([market.name, room]) for room in ROOMS_BY_SESSION]
    verdicts = [dg.AssetKey([market.name, room]) for room in ("leaderboard", "signals")]
    return [
        dg.define_asset_job(
            daily_job(market),
            selection=dg.AssetSelection.assets(*sessions, *verdicts, dg.AssetKey("mart")),
            partitions_def=session_partitions(market),
            executor_def=dg.in_process_executor,
            description="The newest closed session, from prices through to the mart.",
        ),
        dg.define_asset_job(
            f"{market.name}_monthly",
            selection=dg.AssetSelection.assets(dg.AssetKey([market.name, "models"])),
            partitions_def=month_partitions(market),
            executor_def=dg.in_process_executor,
            description="The month's models, trained on every session before it.",
        ),
    ]


def schedules_of(market: Market) -> list[dg.ScheduleDefinition]:
    """Daily after local midnight; monthly on the first, once the last session of the month before has arrived."""

    @dg.schedule(
        job_name=daily_job(market),
        name=f"{market.name}_daily",
        cron_schedule=f"0 {market.schedule_hour} * * *",
        execution_timezone=market.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The newest closed session; skips the days after a closed one.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        newest = market.newest_closed(context.scheduled_execution_time)
        if newest is None:
            return dg.SkipReason("No session has closed yet.")
        return dg.RunRequest(run_key=f"{market.name} {newest}", partition_key=newest.isoformat())

    @dg.schedule(
        job_name=f"{market.name}_monthly",
        name=f"{market.name}_monthly",
        cron_schedule=f"30 {market.schedule_hour} 1 * *",
        execution_timezone=market.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Trains the month's models half an hour after the last session of the month before was due.",
    )
    def monthly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        month = context.scheduled_execution_time.date().replace(day=1)
        return dg.RunRequest(run_key=f"{market.name} {month}", partition_key=month.isoformat())

    return [daily, monthly]


def sensors_of(market: Market) -> list[dg.SensorDefinition]:
    """One sensor that asks anew for sessions of the last month that are missing or incomplete."""

    @dg.sensor(
        name=f"{market.name}_gaps",
        job_name=daily_job(market),
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests one run over the sessions of the last month that are missing or incomplete.",
    )
    def gaps(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:  # noqa: ARG001
        now = dt.datetime.now(dt.UTC)
        first_and_last = incomplete_sessions(market, warehouse, now)
        if first_and_last is None:
            return dg.SensorResult(skip_reason="Every session of the last month is stored and complete.")
        first, last = first_and_last
        # Once a day for the same gap: a vendor fills holes in days, and politeness is cheap.
        key = f"{market.name} {first} {last} asked {now:%Y-%m-%d}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags=range_tags(first, last))])

    return [gaps]


def incomplete_sessions(market: Market, warehouse: Warehouse, now: dt.datetime) -> tuple[dt.date, dt.date] | None:
    """The oldest incomplete session of the last month and the newest closed one, or None when nothing is missing.

    A warehouse that holds nothing before the last month has no gaps: it waits for its first backfill.
    """
    newest = market.newest_closed(now)
    if newest is None or not warehouse.path.exists():
        return None
    since = max(newest - LOOKBACK, market.sessions[0].item())
    asked = warehouse.read(ASKED, {"market": market.name, "since": dt.date.min})["session"].to_pylist()
    if not asked:
        return None
    missing = set(market.sessions_between(since, newest).tolist()) - set(asked)
    missing |= set(warehouse.read(INCOMPLETE, {"market": market.name, "since": since})["session"].to_pylist())
    return (min(missing), newest) if missing else None
