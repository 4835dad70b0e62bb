"""The `prices` asset of a market: ask the source, judge the bars, store what is good and say what is not."""

import datetime as dt

import dagster as dg
import pyarrow as pa

from market_pipeline.errors import SourceError
from market_pipeline.markets import Market
from market_pipeline.partitions import session_partitions, span_of
from market_pipeline.prices.faults import LOOKBACK
from market_pipeline.prices.intake import Intake, coverage_rows, sort_bars
from market_pipeline.sources.protocol import Source
from market_pipeline.warehouse import Transaction, Warehouse

STORED = "select symbol, session from prices where market = $market and session between $first and $last and final"
QUARANTINED = "select symbol, session from quarantine where market = $market and session between $first and $last"


def prices_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/prices`."""

    @dg.asset(
        key=[market.name, "prices"],
        group_name=market.name,
        partitions_def=session_partitions(market),
        backfill_policy=dg.BackfillPolicy.single_run(),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=5)),
        kinds={"duckdb", "table"},
        owners=["team:data"],
        metadata={"dagster/table_name": "prices"},
    )
    def prices(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], source: dg.ResourceParam[Source]
    ) -> dg.MaterializeResult[None]:
        """One bar per symbol and session, as traded that day, with its dividend and split; bad bars in quarantine."""
        span = span_of(context)
        now = dt.datetime.now(dt.UTC)
        fetched = source.fetch(market, market.symbols, lookback_start(market, span.first), span.last)
        intake = sort_bars(fetched, market, source.name, span.first, span.last, now)
        with warehouse.transaction(market.name) as transaction:
            coverage = store(transaction, market, intake, span.first, span.last)
        if not intake.answered:
            raise SourceError(
                f"{market.name}: no symbol arrived from {source.name}; what was stored stays as it was. "
                + "; ".join(f"{symbol}: {cause}" for symbol, cause in list(intake.failed.items())[:3])
            )
        for symbol, cause in intake.failed.items():
            context.log.warning("%s did not arrive: %s", symbol, cause)
        totals = {name: sum(coverage[name].to_pylist()) for name in ("expected", "present", "rejected", "missing")}
        return dg.MaterializeResult(
            metadata={
                "dagster/partition_row_count": totals["present"],
                "sessions": coverage.num_rows,
                **{f"bars {name}": count for name, count in totals.items()},
                "did not arrive": intake.failed,
            }
        )

    return prices


def lookback_start(market: Market, first: dt.date) -> dt.date:
    """The session LOOKBACK sessions before `first`: faults judge a bar by what came before it."""
    before = market.sessions_between(market.start, first)
    start: dt.date = before[-min(LOOKBACK + 1, len(before))].item()
    return start


def store(transaction: Transaction, market: Market, intake: Intake, first: dt.date, last: dt.date) -> pa.Table:
    """Replace the range's bars, quarantine and coverage, and log the outcomes; returns the coverage rows."""
    since = _after_previous_session(market, first)
    transaction.replace("prices", intake.prices, first, last, symbols=intake.answered)
    transaction.replace("quarantine", intake.quarantine, since, last, symbols=intake.answered)
    transaction.append("outcomes", intake.outcomes)
    span = {"market": market.name, "first": first, "last": last}
    stored, quarantined = transaction.read(STORED, span), transaction.read(QUARANTINED, span)
    coverage = coverage_rows(market, stored, quarantined, first, last)
    transaction.replace("coverage", coverage, first, last)
    return coverage


def _after_previous_session(market: Market, first: dt.date) -> dt.date:
    """The day after the session before `first`: rows on closed days belong to the session that follows them."""
    before = market.sessions_between(market.start, first - dt.timedelta(days=1))
    return before[-1].item() + dt.timedelta(days=1) if len(before) else market.start
