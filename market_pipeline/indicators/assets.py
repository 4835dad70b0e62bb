"""The `indicators` asset of a market."""

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.indicators.writing import write_indicators
from market_pipeline.orchestration.decorator import market_asset
from market_pipeline.orchestration.partitions import span_of
from market_pipeline.orchestration.ui_metadata import lineage_of, record_metadata, rows_by
from market_pipeline.prices.history import require_past
from market_pipeline.storage.tables.indicators import INDICATOR_VALUES
from market_pipeline.storage.warehouse import Warehouse

WRITTEN = "select session from indicators where market = $market and session between $first and $last"


def indicators_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/indicators`."""

    @market_asset(
        market,
        "indicators",
        deps=[dg.AssetKey([market.name, "prices"])],
        kinds={"duckdb", "table"},
        owners=["team:data"],
    )
    def indicators(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        """One row per bar: every indicator of the catalogue, scale-free, from all bars up to its session."""
        span = span_of(context)
        require_past(warehouse, market, span.first)
        written = write_indicators(warehouse, market, span.first, span.last)
        rows = warehouse.read(WRITTEN, {"market": market.name, "first": span.first, "last": span.last})
        report = {"rows of the run": written} | lineage_of(market.name, INDICATOR_VALUES)
        record_metadata(context, rows_by(rows, "session"), report)
        return dg.MaterializeResult()

    return indicators
