"""What the data directory holds: is the warehouse free, current and complete, are models trained, is it published."""

import datetime as dt
from collections.abc import Iterator

from market_pipeline.cli.doctor.damage import model_files
from market_pipeline.cli.doctor.environment import clock
from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.cli.doctor.published import published_mart
from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.errors import MarketPipelineError
from market_pipeline.sources.protocol import beyond_its_end, newest_available
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.publication import open_publication
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.upgrade import SCHEMA_VERSION, refuse_newer
from market_pipeline.storage.warehouse import Warehouse

DAY = dt.timedelta(days=1)
PATIENCE = 2.0
HEARTBEAT = dt.timedelta(minutes=5)
"""The daemon sends a heartbeat every half minute."""

PRICES = """
select max(session) as newest, count(distinct session) as sessions, max(fetched_at) as read from prices
where market = $market
"""
UNKNOWN = """
select symbol, any_value(cause) as cause from outcomes where market = $market and status = 'unknown_symbol'
and (symbol, asked_at) in (select (symbol, max(asked_at)) from outcomes where market = $market group by symbol)
group by symbol order by symbol
"""
MONTHS = "select distinct month from models where market = $market"


def stored_data(settings: Settings, markets: tuple[Market, ...], now: dt.datetime) -> Iterator[Finding]:
    """The warehouse with its schema version; clock, sessions, symbols and models of each market; the mart."""
    warehouse = open_warehouse(settings, patience=PATIENCE)
    newest: dict[str, dt.date] = {}
    try:
        parts = [Finding(name, ok, message) for name, ok, message in warehouse.inspect()]
        yield from parts
        if not all(part.ok for part in parts):
            return
        version = warehouse.schema_version()
        refuse_newer(warehouse.identity, version)
        if version is None:
            yield Finding("warehouse", True, "none yet; the first backfill creates it")
        elif version < SCHEMA_VERSION:
            message = f"schema version {version}; the next backfill or run upgrades it to {SCHEMA_VERSION}"
            yield Finding("warehouse", True, message)
        else:
            yield Finding("warehouse", True, f"schema version {version}, the one of this program")
            for market in markets:
                prices = warehouse.read(PRICES, {"market": market.name}).to_pylist()[0]
                newest |= {market.name: prices["newest"]} if prices["newest"] else {}
                if prices["read"] is not None:
                    yield from clock(now, prices["read"].replace(tzinfo=dt.UTC))
                message = f"{prices['sessions']} sessions, newest {prices['newest']}"
                yield _up_to_date(settings, market, prices["newest"], now, message)
                yield from _symbols_and_models(settings, warehouse, market, now)
                yield from model_files(settings, warehouse, market.name)
    except MarketPipelineError as error:
        yield Finding("warehouse", False, str(error))
    yield from published_mart(open_publication(settings), newest, now)


def _up_to_date(settings: Settings, market: Market, newest: dt.date | None, now: dt.datetime, message: str) -> Finding:
    """Whether the newest closed session is stored; if not, whether the daemon will load it."""
    from market_pipeline.orchestration.instance import last_beat

    closed = market.newest_closed(now)
    message += f", newest closed {closed}"
    if newest == closed or closed is None:
        return Finding(market.name, True, message)
    behind = len(market.sessions_between(newest + DAY if newest else market.start, closed))
    message += f", {behind:,} session{'' if behind == 1 else 's'} behind"
    source = open_source(settings)
    if ended := beyond_its_end(source, market, closed):
        available = newest_available(source, market, closed)
        if available is None or (newest and newest >= available):
            return Finding(market.name, False, f"{message}. {ended}.")
        message += f". {ended}"
        closed = available
    try:
        beat = last_beat(settings)
    except MarketPipelineError:
        return Finding(market.name, False, f"{message}. Whether the daemon runs cannot be read: see dagster.")
    if beat is not None and now - beat < HEARTBEAT:
        daemon = "The daemon is running, and its sensors will request it within the hour."
    else:
        since = "has never run here" if beat is None else f"has not run since {beat:%Y-%m-%d %H:%M} UTC"
        daemon = f"The daemon {since}: while market-pipeline ui runs, this happens by itself."
    start = newest or market.start
    fix = f"Bring it up to date: market-pipeline backfill --market {market.name} --start {start} --end {closed}"
    return Finding(market.name, False, f"{message}. {fix}. {daemon}")


def _symbols_and_models(
    settings: Settings, warehouse: Warehouse, market: Market, now: dt.datetime
) -> Iterator[Finding]:
    """Symbols that the source did not know, and models that the newest month lacks."""
    rows = warehouse.read(UNKNOWN, {"market": market.name}).to_pylist()
    unknown = [f"{row['symbol']}: {row['cause']}" for row in rows if row["symbol"] in market.symbols]
    if unknown:
        message = f"{'; '.join(unknown[:5])}. Correct the markets file, then run the backfill again."
        yield Finding(f"symbols of {market.name}", False, message)
    months = warehouse.read(MONTHS, {"market": market.name})["month"].to_pylist()
    closed = market.newest_closed(now)
    closed = closed and newest_available(open_source(settings), market, closed)
    if months and closed is not None and closed.replace(day=1) not in months:
        message = f"none are trained for {closed:%Y-%m}, so nothing can be forecast in it. Train them: market-pipeline "
        message += f"backfill --market {market.name} --start {closed} --end {closed} --assets models"
        yield Finding(f"models of {market.name}", False, message)
