"""The jobs of a market, and the schedules that start them by the clock."""

from collections.abc import Callable
from typing import TypeAlias

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # no public name

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import Job, chain_of, job_name
from market_pipeline.orchestration.launcher import one_process
from market_pipeline.sources.protocol import Source, beyond_its_end
from market_pipeline.storage.warehouse import Warehouse

Jobs: TypeAlias = list[UnresolvedAssetJobDefinition]

DESCRIPTIONS: dict[Job, str] = {
    "daily": "A session, or a range of them, from prices to the mart.",
    "prices": "Bars and indicators only: what training needs after an outage.",
    "downstream": "Everything after the bars: after a changed value, or after a load of bars alone.",
    "monthly": "The month's models, trained on every session before it.",
}

NEVER_COVERED = "select count(*) = 0 as never from coverage where market = $market"


def jobs_of(market: Market) -> Jobs:
    """The jobs of one market."""
    return [
        dg.define_asset_job(
            job_name(market, job),
            selection=dg.AssetSelection.assets(
                *(dg.AssetKey(asset.key(market.name)) for asset in chain_of(market) if job in asset.jobs)
            ),
            executor_def=one_process,
            description=description,
        )
        for job, description in DESCRIPTIONS.items()
    ]


def schedules_of(market: Market) -> list[dg.ScheduleDefinition]:
    """Daily after local midnight; monthly on the first, once the last session of the month before has arrived."""

    @_schedule(market, "daily", "0 {hour} * * *", "The newest closed session; waits for a first backfill.")
    def daily(
        context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse], source: dg.ResourceParam[Source]
    ) -> dg.RunRequest | dg.SkipReason:
        newest = market.newest_closed(context.scheduled_execution_time)
        if newest is None or awaits_first_backfill(market, warehouse):
            return dg.SkipReason(first_backfill(market))
        if ended := beyond_its_end(source, market, newest):
            return dg.SkipReason(f"{ended}: they are loaded within the hour.")
        # One key per session: on the days after a closed one nothing is requested twice.
        return dg.RunRequest(run_key=f"{market.name} {newest}", partition_key=newest.isoformat())

    @_schedule(market, "monthly", "30 {hour} 1 * *", "The month's models, on its first day, after the daily run.")
    def monthly(
        context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse], source: dg.ResourceParam[Source]
    ) -> dg.RunRequest | dg.SkipReason:
        newest = market.newest_closed(context.scheduled_execution_time)
        if newest is None or awaits_first_backfill(market, warehouse):
            return dg.SkipReason(first_backfill(market))
        if ended := beyond_its_end(source, market, newest):
            return dg.SkipReason(f"{ended}: the month's models are trained with them.")
        month = context.scheduled_execution_time.date().replace(day=1)
        return dg.RunRequest(run_key=f"{market.name} {month}", partition_key=month.isoformat())

    return [daily, monthly]


def _schedule(market: Market, job: Job, cron: str, description: str) -> Callable[..., dg.ScheduleDefinition]:
    """The decorator of a schedule for a job, on from the start; `cron` is local time, {hour} the hour of daily runs."""
    return dg.schedule(
        cron.format(hour=market.schedule_hour),
        job_name=job_name(market, job),
        name=job_name(market, job),
        execution_timezone=market.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )


def awaits_first_backfill(market: Market, warehouse: Warehouse) -> bool:
    """Whether no session was ever requested; does not create a warehouse."""
    if not warehouse.exists():
        return True
    return bool(warehouse.read(NEVER_COVERED, {"market": market.name})["never"][0].as_py())


def first_backfill(market: Market) -> str:
    """What to do before schedules and sensors request runs."""
    return (
        f"{market.name} waits for its first backfill: market-pipeline backfill --market {market.name} "
        f"--start {market.start} --end <newest session>, or from the asset graph."
    )
