"""The assets `prices` and `cross_check` of a market."""

import datetime as dt
from collections import Counter
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.decorator import market_asset
from market_pipeline.orchestration.partitions import span_of
from market_pipeline.orchestration.ui_metadata import markdown_table, record_metadata
from market_pipeline.prices.coverage import COUNTED
from market_pipeline.prices.cross_check import disagreements
from market_pipeline.prices.load import Loaded, load_prices
from market_pipeline.prices.restatements import to_recompute
from market_pipeline.sources.exchange import ExchangeSource
from market_pipeline.sources.protocol import FAILED, Source
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse

CLOSES = """
select symbol, session, close from prices
where market = $market and final and session between $first and $last
"""
AGREEMENT = "closes_agree_with_reference_source"


CONFIGURATION = {
    "symbols": dg.Field([str], default_value=[], description="The only symbols to load; all of the market when empty.")
}
"""What the launch pad may change of a run; `dg.Config` would also take names of variables of the environment."""


def prices_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/prices`."""

    @market_asset(
        market,
        "prices",
        kinds={"duckdb", "table"},
        owners=["team:data"],
        config_schema=CONFIGURATION,
    )
    def prices(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        source: dg.ResourceParam[Source],
    ) -> dg.MaterializeResult[None]:
        """One bar per symbol and session, as traded that day, with its dividend and split; bad bars in quarantine."""
        span = span_of(context)
        asked = context.op_execution_context.op_config["symbols"]
        symbols = [symbol for symbol in market.symbols if symbol in (asked or market.symbols)]
        now = dt.datetime.now(dt.UTC)
        loaded = load_prices(warehouse, source, market, symbols, span.first, span.last, now, context.log)
        for symbol, cause in loaded.failed.items():
            context.log.warning("%s did not arrive: %s", symbol, cause)
        record_metadata(context, numbers_of(loaded.coverage), report_of(loaded, span.last))
        return dg.MaterializeResult()

    return prices


def numbers_of(coverage: pa.Table) -> dict[str, dict[str, float]]:
    """What the UI plots of each session."""
    return {
        row["session"].isoformat(): {
            "dagster/partition_row_count": row["present"],
            "bars in quarantine": row["rejected"],
            "bars that are missing": row["missing"],
            "coverage": row["present"] / max(row["expected"], 1),
        }
        for row in coverage.to_pylist()
    }


def report_of(loaded: Loaded, last: dt.date) -> dict[str, Any]:
    """What the UI shows of a run up to `last`."""
    totals = {name: sum(loaded.coverage[name].to_pylist()) for name in COUNTED}
    return {
        "sessions of the run": loaded.coverage.num_rows,
        "coverage of the run": totals["present"] / max(totals["expected"], 1),
        **{f"bars {name}": count for name, count in totals.items()},
        "did not arrive": loaded.failed,
        "outcomes": dict(Counter(one.status for one in loaded.outcomes)),
        "left out of the source": list(loaded.notes),
        "values restated": loaded.restatements.num_rows,
        "partitions to compute again": to_recompute(loaded.restatements, last),
    }


def cross_check_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/cross_check`, for a market that names a second source."""
    exchange = str(market.cross_check)
    reference = ExchangeSource(exchange)

    @market_asset(
        market,
        "cross_check",
        deps=[dg.AssetKey([market.name, "prices"])],
        kinds={"duckdb", "table"},
        owners=["team:data"],
        check_specs=[
            dg.AssetCheckSpec(
                AGREEMENT,
                asset=dg.AssetKey([market.name, "cross_check"]),
                description="It answered for every symbol, and no close differs by more than the tolerance.",
            )
        ],
    )
    def cross_check(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster takes no parameter beside a check
        """Closes that differ in a reference source; nothing of it is ever stored as a price."""
        span = span_of(context)
        now = dt.datetime.now(dt.UTC)
        fetched = reference.fetch(market, market.symbols, span.first, span.last)
        failed = {one.symbol: f"{one.status}: {one.cause}" for one in fetched.outcomes if one.status in FAILED}
        answered = [one.symbol for one in fetched.outcomes if one.symbol not in failed]
        stored = warehouse.read(CLOSES, {"market": market.name, "first": span.first, "last": span.last})
        found, compared = disagreements(stored, fetched.bars, market.cross_check_tolerance, exchange, now)
        replace = partial(Transaction.replace, table="disagreements", arriving=found, first=span.first, last=span.last)
        warehouse.write(market.name, partial(replace, symbols=answered))
        for symbol, cause in failed.items():
            context.log.warning("%s was not compared: %s", symbol, cause)
        first = found.slice(0, 10).select(["symbol", "session", "close", "other_close", "difference"])
        metadata = {"closes compared": compared, "closes that differ": found.num_rows, "did not answer": failed}
        metadata |= {"first of them": markdown_table(first)} if found.num_rows else {}
        passed = not found.num_rows and not failed
        result = dg.AssetCheckResult(
            check_name=AGREEMENT, passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata
        )
        return dg.MaterializeResult(metadata=metadata, check_results=[result])

    return cross_check
