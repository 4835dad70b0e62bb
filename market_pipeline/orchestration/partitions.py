"""Sessions and months as Dagster partitions, and the range that a run covers."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np

from market_pipeline.config.markets import Market, Sessions
from market_pipeline.orchestration.chain import Partition

DAY = "%Y-%m-%d"


@dataclass(frozen=True)
class Span:
    """Days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date


def partitions_of(market: Market, partition: Partition) -> dg.PartitionsDefinition[str] | None:
    """The partitions of an asset; None for one that is replaced as a whole."""
    if partition == "none":
        return None
    return month_partitions(market) if partition == "month" else session_partitions(market)


def session_partitions(market: Market) -> dg.TimeWindowPartitionsDefinition:
    """One partition for each session, named by its day; it exists once the session's local day is over.

    A daily schedule without the closed days: with a weekday schedule, Friday's partition would appear only on Monday.
    """
    first = market.sessions[0]
    closed = np.setdiff1d(np.arange(first, np.datetime64(market.last_day) + 1), market.sessions)
    never = np.setdiff1d(np.arange(7), _weekday(market.sessions))
    single = closed[~np.isin(_weekday(closed), never)].tolist()
    zone = ZoneInfo(market.timezone)
    return dg.TimeWindowPartitionsDefinition(
        start=str(first),
        fmt=DAY,
        cron_schedule="0 0 * * *",
        timezone=market.timezone,
        exclusions=[
            *(f"0 0 * * {weekday}" for weekday in never),
            *(dt.datetime(day.year, day.month, day.day, tzinfo=zone) for day in single),
        ]
        or None,
    )


def month_partitions(market: Market) -> dg.TimeWindowPartitionsDefinition:
    """One partition for each month, named by its first day, the running month included."""
    start = market.sessions[0].astype("datetime64[M]").astype("datetime64[D]")
    return dg.TimeWindowPartitionsDefinition(
        start=str(start), fmt=DAY, cron_schedule="0 0 1 * *", timezone=market.timezone, end_offset=1
    )


def span_of(context: dg.AssetExecutionContext) -> Span:
    """The first and last partition of a run, of sessions or of months."""
    keys = context.partition_key_range
    return Span(dt.date.fromisoformat(keys.start), dt.date.fromisoformat(keys.end))


def span_of_check(context: dg.AssetCheckExecutionContext) -> Span | None:
    """The same for a check that runs with its asset; None for one that was launched alone."""
    tags = context.run.tags
    single = tags.get("dagster/partition")
    first, last = (tags.get(f"dagster/asset_partition_range_{end}", single) for end in ("start", "end"))
    return Span(dt.date.fromisoformat(first), dt.date.fromisoformat(last)) if first and last else None


def range_tags(first: dt.date, last: dt.date) -> dict[str, str]:
    """The tags of one run over all partitions from `first` to `last`."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


def _weekday(days: Sessions) -> np.ndarray:
    """Day of the week as cron counts it: Sunday is 0."""
    return (days.astype("datetime64[D]").astype(np.int64) + 4) % 7
