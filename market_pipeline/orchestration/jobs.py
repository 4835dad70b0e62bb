"""When things run by the clock: the jobs of a market and their schedules. What is missing is the sensors' business."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from market_pipeline.config.markets import Market
from market_pipeline.storage.warehouse import Warehouse

DAILY_ROOMS = ("prices", "indicators", "forecasts", "scores", "leaderboard", "signals")

NEVER_COVERED = "select count(*) = 0 as never from coverage where market = $market"


def jobs_of(market: Market) -> list[UnresolvedAssetJobDefinition]:
    """The daily job, from prices to the mart, its first half, and the training. None pays a process for each step."""
    daily = [dg.AssetKey([market.name, room]) for room in DAILY_ROOMS]
    second = [dg.AssetKey([market.name, "cross_check"])] if market.cross_check else []
    return [
        dg.define_asset_job(
            f"{market.name}_daily",
            selection=dg.AssetSelection.assets(*daily, *second, dg.AssetKey("mart")),
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
            f"{market.name}_downstream",
            selection=dg.AssetSelection.assets(*daily[1:], dg.AssetKey("mart")),
            executor_def=dg.in_process_executor,
            description="Everything after the bars: what rests on a value that a vendor changed.",
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
        if newest is None or awaits_first_backfill(market, warehouse):
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
        if awaits_first_backfill(market, warehouse):
            return dg.SkipReason(first_backfill(market))
        month = context.scheduled_execution_time.date().replace(day=1)
        return dg.RunRequest(run_key=f"{market.name} {month}", partition_key=month.isoformat())

    return [daily, monthly]


def awaits_first_backfill(market: Market, warehouse: Warehouse) -> bool:
    """Whether no session was ever asked for; looking makes no warehouse."""
    if not warehouse.path.exists():
        return True
    return bool(warehouse.read(NEVER_COVERED, {"market": market.name})["never"][0].as_py())


def first_backfill(market: Market) -> str:
    """What to do before anything can run by itself."""
    return (
        f"{market.name} waits for its first backfill: market-pipeline backfill --market {market.name} "
        f"--start {market.start} --end <newest session>, or from the asset graph."
    )
