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
FORECAST = "select distinct origin from forecasts where market = $market"
TRAINED = "select distinct month from models where market = $market"


def jobs_of(market: Market) -> list[UnresolvedAssetJobDefinition]:
    """The daily job, from prices to the mart, its first half, and the training. None pays a process for each step."""
    daily = [dg.AssetKey([market.name, room]) for room in DAILY_ROOMS]
    return [
        dg.define_asset_job(
            f"{market.name}_daily",
            selection=dg.AssetSelection.assets(*daily, dg.AssetKey("mart")),
            executor_def=dg.in_process_executor,
            description="A session, or a range of them, from prices through to the mart.",
        ),
        dg.define_asset_job(
            f"{market.name}_prices",
            selection=dg.AssetSelection.assets(*daily[:2]),
            executor_def=dg.in_process_executor,
            description="Bars and indicators alone: what training waits for after an outage.",
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
        description="Requests one run over the sessions of the last month, or since the last run, that are missing or "
        "incomplete; before it the bars and the training it needs. The same once a day: vendors fill holes in days.",
    )
    def gaps(warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        covered, newest = covered_sessions(market, warehouse), market.newest_closed(now)
        if newest is None or not covered:
            return dg.SensorResult(skip_reason=first_backfill(market))
        wanted = next_repair(market, warehouse, covered, newest)
        if wanted is None:
            return dg.SensorResult(skip_reason="Every session of the last month is stored and complete.")
        job, first, last = wanted
        request = dg.RunRequest(
            run_key=f"{job} {first} {last} asked {now:%Y-%m-%d}", job_name=job, tags=range_tags(first, last)
        )
        return dg.SensorResult(run_requests=[request])

    return [gaps]


def next_repair(
    market: Market, warehouse: Warehouse, covered: dict[dt.date, int], newest: dt.date
) -> tuple[str, dt.date, dt.date] | None:
    """The job that is due next and its first and last partition: bars, then training, then everything by session.

    After an outage over a month's end, forecasts wait for the month's models, and these for the bars before the month.
    """
    forecast = dict.fromkeys(warehouse.read(FORECAST, {"market": market.name})["origin"].to_pylist(), 0)
    gaps = [oldest_gap(market, present, newest) for present in (covered, forecast) if present]
    gap = min((found for found in gaps if found is not None), default=None)
    untrained = untrained_months(market, warehouse, gap or newest, newest)
    if untrained:
        past = market.sessions_between(min(covered), untrained[-1] - dt.timedelta(days=1)).tolist()
        if gap is not None and not set(past) <= set(covered):
            return f"{market.name}_prices", gap, newest
        return f"{market.name}_monthly", untrained[0], untrained[-1]
    return None if gap is None else (f"{market.name}_daily", gap, newest)


def covered_sessions(market: Market, warehouse: Warehouse) -> dict[dt.date, int]:
    """Every session that was ever asked for, with the symbols it lacks; empty before the first backfill."""
    if not warehouse.path.exists():
        return {}
    rows = warehouse.read(COVERED, {"market": market.name})
    return dict(zip(rows["session"].to_pylist(), rows["missing"].to_pylist(), strict=True))


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


def first_backfill(market: Market) -> str:
    """What to do before anything can run by itself."""
    return (
        f"{market.name} waits for its first backfill: market-pipeline backfill --market {market.name} "
        f"--start {market.start} --end <newest session>, or from the asset graph."
    )
