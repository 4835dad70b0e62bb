"""The `forecasts` asset of a market: what every model says at each origin, month by month."""

import datetime as dt
from collections.abc import Mapping

import dagster as dg
import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.errors import HistoryError
from market_pipeline.forecasts.issue import is_live, issue
from market_pipeline.forecasts.ledger import ledger_rows
from market_pipeline.forecasts.ranks import rank_rows
from market_pipeline.models.features.reading import read_panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.registry.training import Month, months_between
from market_pipeline.orchestration.partitions import session_partitions, span_of
from market_pipeline.orchestration.ui_metadata import asset_tags, record_metadata, rows_by, table_metadata
from market_pipeline.storage.artifacts import load
from market_pipeline.storage.tables.forecasts import FORECASTS
from market_pipeline.storage.warehouse import Warehouse

SAID_LIVE = """
exists (from forecasts f where f.market = ranks.market and f.origin = ranks.origin and f.mode = 'live')
"""


def forecasts_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/forecasts`; a backtest is a backfill of it."""

    @dg.asset(
        key=[market.name, "forecasts"],
        group_name=market.name,
        partitions_def=session_partitions(market),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey([market.name, "indicators"]), dg.AssetKey([market.name, "models"])],
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=5)),
        kinds={"scikitlearn", "duckdb", "table"},
        owners=["team:forecasting"],
        metadata=table_metadata(market.name, FORECASTS),
        tags=asset_tags(market.name, "session"),
    )
    def forecasts(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[None]:
        """Every model, symbol and horizon: the distribution of the log return from the origin's close; and ranks."""
        span = span_of(context)
        origins = market.sessions_between(span.first, span.last)
        months = months_between(market.sessions, span.first, span.last)
        registry = registered(warehouse, market, months)
        panel = read_panel(warehouse, market, span.last, since=span.first)
        written, numbers = 0, dict[str, Mapping[str, float]]()
        for month in months:
            mine = origins[origins.astype("datetime64[M]") == np.datetime64(month.first, "M")]
            parameters = {
                row["model"]: load(settings.models / row["path"], row["sha256"]) for row in registry[month.first]
            }
            known = panel.until(mine[-1])
            now = dt.datetime.now(dt.UTC)
            rows = issue(known, market, mine, parameters, np.datetime64(month.cutoff), now)
            ranks = rank_rows(known.history, market, mine)
            pins = ledger_rows(known.history, mine, registry[month.first], is_live(market, mine, now), now)
            written += store(warehouse, market, rows, ranks, pins, mine)
            numbers |= rows_by(rows, "origin")
            context.log.info("%s: forecast at %d origins of %s", market.name, len(mine), f"{month.first:%Y-%m}")
        untrained = int(len(origins) - _trained(origins, months))
        record_metadata(
            context, numbers, {"rows of the run": written, "origins before the first trained month": untrained}
        )
        return dg.MaterializeResult()

    return forecasts


def store(
    warehouse: Warehouse, market: Market, rows: pa.Table, ranks: pa.Table, pins: pa.Table, origins: np.ndarray
) -> int:
    """Replace the origins' rows; what was said live stays as it was said."""
    first, last = origins[0].item(), origins[-1].item()
    with warehouse.transaction(market.name) as transaction:
        transaction.replace("ranks", ranks, first, last, keep=SAID_LIVE)
        transaction.replace("ledger", pins, first, last, keep="mode = 'live'")
        return transaction.replace("forecasts", rows, first, last, keep="mode = 'live'")


def registered(
    warehouse: Warehouse, market: Market, months: tuple[Month, ...]
) -> Mapping[dt.date, list[dict[str, str]]]:
    """The registry rows of each month; raises HistoryError when one has none, or lacks one of the forecasters."""
    rows = warehouse.read(
        "select model, month, path, sha256 from models where market = $market", {"market": market.name}
    ).to_pylist()
    by_month = {month.first: [row for row in rows if row["month"] == month.first] for month in months}
    untrained = [month for month, found in by_month.items() if lacking(found)]
    if untrained:
        names = ", ".join(lacking(by_month[untrained[0]])) if by_month[untrained[0]] else "models"
        all_of_them = f"{len(untrained)} month{'s' if len(untrained) > 1 else ''} in all"
        raise HistoryError(
            f"{market.name}: no {names} were trained for {untrained[0]:%Y-%m} ({all_of_them}). "
            f"Train them first: materialise {market.name}/models from {untrained[0]} to {untrained[-1]}, or let "
            f"market-pipeline backfill --market {market.name} do it with the rest."
        )
    return by_month


def lacking(rows: list[dict[str, str]]) -> list[str]:
    """The forecasters that a month's registry rows do not have, such as one that was added since."""
    return sorted({forecaster.name for forecaster in FORECASTERS} - {row["model"] for row in rows})


def _trained(origins: np.ndarray, months: tuple[Month, ...]) -> int:
    """How many origins lie in a month that has models."""
    starts = np.array([month.first for month in months], "datetime64[M]")
    return int(np.isin(origins.astype("datetime64[M]"), starts).sum())
