"""The `indicators` asset of a market."""

import dagster as dg

from market_pipeline.indicators.catalogue import NAMES
from market_pipeline.indicators.writing import write_indicators
from market_pipeline.markets import Market
from market_pipeline.partitions import session_partitions, span_of
from market_pipeline.prices.history import require_past
from market_pipeline.warehouse import Warehouse


def indicators_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/indicators`."""

    @dg.asset(
        key=[market.name, "indicators"],
        group_name=market.name,
        partitions_def=session_partitions(market),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey([market.name, "prices"])],
        kinds={"duckdb", "table"},
        owners=["team:data"],
        metadata={"dagster/table_name": "indicators"},
    )
    def indicators(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        """One row per bar: every indicator of the catalogue, scale-free, from all bars up to its session."""
        span = span_of(context)
        require_past(warehouse, market, span.first)
        sessions = market.sessions_between(span.first, span.last)
        written = write_indicators(warehouse, market, span.first, span.last)
        return dg.MaterializeResult(
            metadata={"dagster/partition_row_count": written, "indicators": len(NAMES), "sessions": len(sessions)}
        )

    return indicators
