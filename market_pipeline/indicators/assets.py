"""The `indicators` asset of a market."""

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.indicators.writing import write_indicators
from market_pipeline.orchestration.partitions import session_partitions, span_of
from market_pipeline.orchestration.ui_metadata import asset_tags, lineage_of, record_metadata, rows_by, table_metadata
from market_pipeline.prices.history import require_past
from market_pipeline.storage.tables.indicators import INDICATOR_VALUES
from market_pipeline.storage.warehouse import Warehouse

WRITTEN = "select session from indicators where market = $market and session between $first and $last"


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
        metadata=table_metadata(market.name, INDICATOR_VALUES),
        tags=asset_tags(market.name, "session"),
    )
    def indicators(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        """One row per bar: every indicator of the catalogue, scale-free, from all bars up to its session."""
        span = span_of(context)
        require_past(warehouse, market, span.first)
        written = write_indicators(warehouse, market, span.first, span.last)
        bars = warehouse.read(WRITTEN, {"market": market.name, "first": span.first, "last": span.last})
        told = {"rows of the run": written} | lineage_of(market.name, INDICATOR_VALUES)
        record_metadata(context, rows_by(bars, "session"), told)
        return dg.MaterializeResult()

    return indicators
