"""When things run: jobs, schedules, and the sensor that finds what is missing."""

import datetime as dt

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from market_pipeline.markets import Market
from market_pipeline.partitions import range_tags
from market_pipeline.warehouse import Warehouse

DAILY_ROOMS = ("prices", "indicators", "forecasts", "scores", "leaderboard", "signals")

LOOKBACK = dt.timedelta(days=31)
"""How far back the sensor looks for sessions that are missing or incomplete."""

COVERED = "select session, missing from coverage where market = $market"
TRAINED = "select distinct month from models where market = $market"


def jobs_of(market: Market) -> list[UnresolvedAssetJobDefinition]:
    """The daily job, from prices to the mart, and the monthly training. Neither pays a process for each step."""
    daily = [dg.AssetKey([market.name, room]) for room in DAILY_ROOMS]
    return [
        dg.define_asset_job(
            f"{market.name}_daily",
            selection=dg.AssetSelection.assets(*daily, dg.AssetKey("mart")),
            executor_def=dg.in_process_executor,
            description="A session, or a range of them, from prices through to the mart.",
        ),
        dg.define_asset_job(
            f"{market.name}_monthly",
            selection=dg.AssetSelection.assets(dg.AssetKey([market.name, "models"])),
            executor_def=dg.in_process_executor,
            description="The month's models, trained on every session before it.",
        ),
    ]


def schedules_of(market: Market) -> list[dg.ScheduleDefinition]:
    """Daily after local midnight; monthly on the first, once the last session of the month before has arrived."""

    @dg.schedule(
        job_name=f"{market.name}_daily",
        name=f"{market.name}_daily",
        cron_schedule=f"0 {market.schedule_hour} * * *",
        execution_timezone=market.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The newest closed session, from prices through to the mart; waits for a first backfill.",
    )
    def daily(
        context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.RunRequest | dg.SkipReason:
        newest = market.newest_closed(context.scheduled_execution_time)
        if newest is None or not covered_sessions(market, warehouse):
            return dg.SkipReason(first_backfill(market))
        # One key per session: on the days after a closed one nothing is requested twice.
        return dg.RunRequest(run_key=f"{market.name} {newest}", partition_key=newest.isoformat())

    @dg.schedule(
        job_name=f"{market.name}_monthly",
        name=f"{market.name}_monthly",
        cron_schedule=f"30 {market.schedule_hour} 1 * *",
        execution_timezone=market.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The month's models, half an hour after the last session of the month before was due.",
    )
    def monthly(
        context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.RunRequest | dg.SkipReason:
        if not covered_sessions(market, warehouse):
            return dg.SkipReason(first_backfill(market))
        month = context.scheduled_execution_time.date().replace(day=1)
        return dg.RunRequest(run_key=f"{market.name} {month}", partition_key=month.isoformat())

    return [daily, monthly]


def sensors_of(market: Market, jobs: list[UnresolvedAssetJobDefinition]) -> list[dg.SensorDefinition]:
    """One sensor that asks anew for what a failed or missed schedule left behind."""

    @dg.sensor(
        name=f"{market.name}_gaps",
        jobs=jobs,
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests one run over the sessions of the last month that are missing or incomplete, and the "
        "training of a month that has no models; the same gap once a day, for a vendor fills holes in days.",
    )
    def gaps(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:  # noqa: ARG001
        now = dt.datetime.now(dt.UTC)
        covered = covered_sessions(market, warehouse)
        newest = market.newest_closed(now)
        if newest is None or not covered:
            return dg.SensorResult(skip_reason=first_backfill(market))
        month = untrained_month(market, warehouse, newest)
        if month is not None:
            request = dg.RunRequest(
                run_key=f"{market.name} {month} asked {now:%Y-%m-%d}",
                job_name=f"{market.name}_monthly",
                partition_key=month.isoformat(),
            )
            return dg.SensorResult(run_requests=[request])
        first = oldest_gap(market, covered, newest)
        if first is None:
            return dg.SensorResult(skip_reason="Every session of the last month is stored and complete.")
        request = dg.RunRequest(
            run_key=f"{market.name} {first} {newest} asked {now:%Y-%m-%d}",
            job_name=f"{market.name}_daily",
            tags=range_tags(first, newest),
        )
        return dg.SensorResult(run_requests=[request])

    return [gaps]


def covered_sessions(market: Market, warehouse: Warehouse) -> dict[dt.date, int]:
    """Every session that was ever asked for, with the symbols it lacks; empty before the first backfill."""
    if not warehouse.path.exists():
        return {}
    rows = warehouse.read(COVERED, {"market": market.name})
    return dict(zip(rows["session"].to_pylist(), rows["missing"].to_pylist(), strict=True))


def oldest_gap(market: Market, covered: dict[dt.date, int], newest: dt.date) -> dt.date | None:
    """The oldest session of the month up to `newest` that was never asked for or lacks a symbol."""
    since = max(newest - LOOKBACK, min(covered))
    sessions = market.sessions_between(since, newest).tolist()
    return min((session for session in sessions if covered.get(session, 1)), default=None)


def untrained_month(market: Market, warehouse: Warehouse, newest: dt.date) -> dt.date | None:
    """The newest session's month when it has no models although an earlier month has."""
    month = newest.replace(day=1)
    trained = warehouse.read(TRAINED, {"market": market.name})["month"].to_pylist()
    return month if trained and month not in trained else None


def first_backfill(market: Market) -> str:
    """What to do before anything can run by itself."""
    return (
        f"{market.name} waits for its first backfill: market-pipeline backfill --market {market.name} "
        f"--start {market.start} --end <newest session>, or from the asset graph."
    )
