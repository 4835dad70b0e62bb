"""The `cross_check` asset of a market: what a second source says of the closes that are stored."""

import datetime as dt

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.partitions import session_partitions, span_of
from market_pipeline.orchestration.ui_metadata import asset_tags, table, table_metadata
from market_pipeline.prices.cross_check import disagreements
from market_pipeline.sources.exchange import ExchangeSource
from market_pipeline.sources.protocol import FAILED
from market_pipeline.storage.tables.prices import DISAGREEMENTS
from market_pipeline.storage.warehouse import Warehouse

CLOSES = """
select symbol, session, close from prices
where market = $market and final and session between $first and $last
"""
AGREES = "the_second_source_agrees"


def cross_check_asset(market: Market, second: ExchangeSource | None = None) -> dg.AssetsDefinition:
    """The asset `<market>/cross_check`, for a market that names a second source; `second` takes its place."""
    assert market.cross_check is not None
    witness = second or ExchangeSource(market.cross_check)

    @dg.asset(
        key=[market.name, "cross_check"],
        group_name=market.name,
        deps=[dg.AssetKey([market.name, "prices"])],
        partitions_def=session_partitions(market),
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"duckdb", "table"},
        owners=["team:data"],
        metadata=table_metadata(market.name, DISAGREEMENTS),
        tags=asset_tags(market.name, "session"),
        check_specs=[
            dg.AssetCheckSpec(
                AGREES,
                asset=dg.AssetKey([market.name, "cross_check"]),
                description="It answered for every symbol, and no close differs by more than the tolerance.",
            )
        ],
    )
    def cross_check(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster takes no parameter beside a check
        """Closes that a second source has otherwise; nothing is ever taken over from it."""
        span = span_of(context)
        now = dt.datetime.now(dt.UTC)
        fetched = witness.fetch(market, market.symbols, span.first, span.last)
        failed = {o.symbol: f"{o.status}: {o.cause}" for o in fetched.outcomes if o.status in FAILED}
        answered = [o.symbol for o in fetched.outcomes if o.symbol not in failed]
        stored = warehouse.read(CLOSES, {"market": market.name, "first": span.first, "last": span.last})
        found, compared = disagreements(
            stored, fetched.bars, market.cross_check_tolerance, str(market.cross_check), now
        )
        with warehouse.transaction(market.name) as transaction:
            transaction.replace("disagreements", found, span.first, span.last, symbols=answered)
        for symbol, cause in failed.items():
            context.log.warning("%s has no second opinion: %s", symbol, cause)
        first = found.slice(0, 10).select(["symbol", "session", "close", "other_close", "difference"])
        told = {"closes compared": compared, "closes that differ": found.num_rows, "did not answer": failed}
        if found.num_rows:
            told["first of them"] = table(first)
        return dg.MaterializeResult(
            metadata=told,
            check_results=[
                dg.AssetCheckResult(
                    check_name=AGREES,
                    passed=not found.num_rows and not failed,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata=told,
                )
            ],
        )

    return cross_check
