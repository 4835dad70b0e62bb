"""The `forecasts` asset of a market: what every model forecasts at each origin, month by month."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.compute.selection import open_months
from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.errors import HistoryError
from market_pipeline.forecasts.months import Asked, Known, Made, forecast_month
from market_pipeline.forecasts.portfolios import TABLES as PORTFOLIOS
from market_pipeline.models.features.reading import read_panel
from market_pipeline.models.forecasters.catalogue import BUILT_IN, PLUGINS
from market_pipeline.models.registry.training import Month, months_between
from market_pipeline.orchestration.decorator import market_asset
from market_pipeline.orchestration.partitions import span_of
from market_pipeline.orchestration.ui_metadata import record_metadata, rows_by
from market_pipeline.storage.store import open_store
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse

AT_ONCE = 150_000
"""Forecasts that are written in one transaction: of a small market several months, since a table's last rows are
compressed again with each transaction, however few are new."""

REGISTRY = "select model, month, path, sha256 from models where market = $market"
LIVE = "mode = 'live'"
STORED_ORIGINS = """
select distinct origin from forecasts
where market = $market and origin between $first and $last and list_contains($made_at, made_at)
"""
LIVE_KEYS = """
select symbol, origin, horizon, model from forecasts
where market = $market and mode = 'live' and origin between $first and $last
"""
OF_LIVE = """
exists (
    from forecasts f where f.market = tails.market and f.symbol = tails.symbol and f.origin = tails.origin
    and f.horizon = tails.horizon and f.model = tails.model and f.mode = 'live'
)
"""
ISSUED_LIVE = "exists (from forecasts f where f.market = {0}.market and f.origin = {0}.origin and f.mode = 'live')"
PORTFOLIOS_ISSUED_LIVE = """
select distinct portfolio, origin from portfolio_weights
semi join (
    from forecasts where market = $market and mode = 'live' and origin between $first and $last
) f using (market, origin)
where market = $market and origin between $first and $last
"""
TRADED = """
select symbol, session, close, split_ratio from prices
where market = $market and final and list_contains($symbols, symbol) and session <= $last
and (session >= $first or split_ratio <> 1)
"""


def forecasts_asset(market: Market, *, cut: bool = False) -> dg.AssetsDefinition:
    """The asset `<market>/forecasts`; a backtest is a backfill of it."""

    @market_asset(
        market,
        "forecasts",
        cut=cut,
        deps=[dg.AssetKey([market.name, "indicators"]), dg.AssetKey([market.name, "models"])],
        kinds={"scikitlearn", "duckdb", "table"},
        owners=["team:forecasting"],
    )
    def forecasts(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[None]:
        """Every model, symbol and horizon: the distribution of the log return from the origin's close; and ranks."""
        span = span_of(context)
        sessions = market.sessions_between(span.first, span.last)
        months = months_between(market.sessions, span.first, span.last)
        with warehouse.snapshot():
            registry = registry_of(warehouse, market, months)
            traded = traded_bars(warehouse, market, span.first, span.last)
            panel = read_panel(warehouse, market, span.last, since=span.first)
        known = Known(market, panel, traded, open_store(settings))
        written, numbers, faults = 0, dict[str, Mapping[str, float]](), PLUGINS.faults(context.log.warning)
        without = set[str]()
        for fault in untrained_plugins(registry):
            faults.report(fault)
        of_month = sessions.astype("datetime64[M]")
        asked = [
            Asked(month, sessions[of_month == np.datetime64(month.first, "M")], registry[month.first])
            for month in months
        ]
        waiting = list[Made]()
        with closing(open_months(settings).each(forecast_month, known, asked)) as every:
            for month, made in zip(asked, every, strict=True):
                for fault in made.faults:
                    faults.report(fault)
                without |= {f"{name}: no forecast of {', '.join(symbols)}" for name, symbols in made.missing.items()}
                numbers |= rows_by(made.tables["forecasts"], "origin")
                waiting.append(made)
                if month is asked[-1] or sum(one.tables["forecasts"].num_rows for one in waiting) >= AT_ONCE:
                    written += store(warehouse, market, waiting)
                    waiting.clear()
                count, named = len(month.origins), f"{month.month.first:%Y-%m}"
                context.log.info("%s: forecast at %d origins of %s", market.name, count, named)
        untrained = int((sessions < np.datetime64(months[0].first)).sum()) if months else len(sessions)
        of_the_run = {
            "rows of the run": written,
            "origins before the first trained month": untrained,
            "portfolios without a forecast at some origins": "; ".join(sorted(without)) or "none",
        }
        record_metadata(context, numbers, of_the_run | faults.metadata)
        return dg.MaterializeResult()

    return forecasts


def store(warehouse: Warehouse, market: Market, months: Sequence[Made]) -> int:
    """Replace the rows of successive months; what was issued live stays. Returns the number of forecasts written.

    A forecast that was issued live keeps its tail, or has none if it had none. The ledger gets a row for each origin of
    which a forecast was stored: where all were issued live before, none was.
    """
    tables = {name: pa.concat_tables(made.tables[name] for made in months) for name in months[0].tables}
    ledger = tables["ledger"]
    first, last = ledger["origin"][0].as_py(), ledger["origin"][-1].as_py()
    of_market = {"market": market.name, "first": first, "last": last}

    def replace(transaction: Transaction) -> int:
        transaction.replace("ranks", tables["ranks"], first, last, keep=ISSUED_LIVE.format("ranks"))
        # Whole portfolios stay: rows of other weights or models beside them would belong to another portfolio.
        kept = transaction.read(PORTFOLIOS_ISSUED_LIVE, of_market)
        for name in PORTFOLIOS:
            rows = tables[name]
            new = rows.join(kept, kept.column_names, join_type="left anti") if kept.num_rows else rows
            transaction.replace(name, new, first, last, keep=ISSUED_LIVE.format(name))
        live = transaction.read(LIVE_KEYS, of_market)
        tails = tables["tails"].join(live, live.column_names, join_type="left anti")
        transaction.replace("tails", tails, first, last, keep=OF_LIVE)
        written = transaction.replace("forecasts", tables["forecasts"], first, last, keep=LIVE)
        made_at = ledger["made_at"].unique().to_pylist()
        stored = transaction.read(STORED_ORIGINS, of_market | {"made_at": made_at})["origin"]
        of_stored = ledger.filter(pc.is_in(ledger["origin"], stored.combine_chunks()))
        transaction.replace("ledger", of_stored, first, last, keep=LIVE)
        return written

    return warehouse.write(market.name, replace)


def traded_bars(warehouse: Warehouse, market: Market, first: dt.date, last: dt.date) -> pa.Table:
    """Closes as traded from `first` to `last`, and all splits before, of the symbols that are held by quantity."""
    symbols = {symbol for one in market.portfolios if one.unit == "quantity" for symbol in one.symbols}
    named = {"market": market.name, "symbols": sorted(symbols), "first": first, "last": last}
    return warehouse.read(TRADED, named)


def registry_of(
    warehouse: Warehouse, market: Market, months: tuple[Month, ...]
) -> Mapping[dt.date, list[dict[str, str]]]:
    """The registry rows of each month; raises HistoryError if a month lacks one of the built-in forecasters."""
    rows = warehouse.read(REGISTRY, {"market": market.name}).to_pylist()
    registry = {month.first: [row for row in rows if row["month"] == month.first] for month in months}
    names = {forecaster.name for forecaster in BUILT_IN}
    lacking = {month: sorted(names - {row["model"] for row in found}) for month, found in registry.items()}
    untrained = [month for month in registry if lacking[month]]
    if untrained:
        missing = ", ".join(lacking[untrained[0]]) if registry[untrained[0]] else "models"
        count = f"{len(untrained)} month{'s' if len(untrained) > 1 else ''} in all"
        raise HistoryError(
            f"{market.name}: no {missing} were trained for {untrained[0]:%Y-%m} ({count}). Train them first: "
            f"materialise {market.name}/models from {untrained[0]} to {untrained[-1]}, or run market-pipeline backfill "
            f"--market {market.name}, which trains them as well."
        )
    return registry


def untrained_plugins(registry: Mapping[dt.date, list[dict[str, str]]]) -> Iterator[str]:
    """What is left out: each plugin that months of the registry lack, with the first of them."""
    for plugin in PLUGINS.usable:
        lacking = [month for month, rows in registry.items() if plugin.name not in {row["model"] for row in rows}]
        if lacking:
            yield (
                f"The own model {plugin.name!r} was not trained for {lacking[0]:%Y-%m} ({len(lacking)} months in all), "
                "so it has no forecasts in them. A run of models for these months trains it, unless it fails there."
            )
