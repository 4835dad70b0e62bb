"""The `models` asset of a market: train each month's forecasters on the sessions before it."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg
import pyarrow as pa

from market_pipeline.compute.protocol import Compute
from market_pipeline.compute.selection import open_compute
from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.models.features.reading import read_panel, require_indicators, training_start
from market_pipeline.models.forecasters.catalogue import PLUGINS
from market_pipeline.models.registry.training import Month, load_libraries, months_between, train
from market_pipeline.orchestration.decorator import market_asset
from market_pipeline.orchestration.partitions import span_of
from market_pipeline.orchestration.ui_metadata import record_metadata
from market_pipeline.prices.history import require_past
from market_pipeline.storage.store import Store, open_store
from market_pipeline.storage.warehouse import Warehouse


def models_asset(market: Market, *, cut: bool = False) -> dg.AssetsDefinition:
    """The asset `<market>/models`."""

    @market_asset(
        market,
        "models",
        cut=cut,
        deps=[
            dg.AssetDep(
                [market.name, "indicators"],
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
                ),
            )
        ],
        kinds={"scikitlearn", "duckdb"},
        owners=["team:forecasting"],
    )
    def models(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[None]:
        """Fitted models, trained only on sessions before their month; artifacts in the store, one registry row each."""
        span = span_of(context)
        months = months_between(market.sessions, span.first, span.last)
        numbers, faults = dict[str, Mapping[str, float]](), PLUGINS.faults(context.log.warning)
        for month, rows in trained(
            warehouse, market, months, open_store(settings), open_compute(settings), faults.report
        ):
            warehouse.replace("models", rows, market.name, month.first, month.first)
            numbers[month.first.isoformat()] = numbers_of(rows)
            context.log.info("%s: trained for %s through %s", market.name, month.first, month.cutoff)
        record_metadata(context, numbers, {"months of the run": len(months), **faults.metadata})
        return dg.MaterializeResult()

    return models


def trained(
    warehouse: Warehouse,
    market: Market,
    months: Sequence[Month],
    store: Store,
    compute: Compute,
    report: Callable[[str], None],
) -> Iterator[tuple[Month, pa.Table]]:
    """Each month with its registry rows, in turn; raises HistoryError where bars or indicators are missing.

    `report` is called with the fault of each plugin that fails.
    """
    if not months:
        return
    with compute.ready(load_libraries):
        require_past(warehouse, market, months[-1].cutoff + dt.timedelta(days=1))
        since = training_start(market, months[0].cutoff)
        require_indicators(warehouse, market, since, months[-1].cutoff)
        panel = read_panel(warehouse, market, months[-1].cutoff, since=since)
        rows = train(panel, months, store, market.name, dt.datetime.now(dt.UTC), compute=compute, report=report)
        yield from zip(months, rows, strict=True)


def numbers_of(rows: pa.Table) -> dict[str, float]:
    """What the UI plots of a month's registry rows."""
    return {
        "dagster/partition_row_count": rows.num_rows,
        "seconds of training": sum(rows["seconds"].to_pylist()),
        "bytes of models": sum(rows["bytes"].to_pylist()),
    }
