"""What a home holds: is it this source's, is it free, complete, trained, published, and as old as the clock says."""

import datetime as dt
from collections.abc import Iterator, Mapping

from market_pipeline import __version__
from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.read import query
from market_pipeline.storage.warehouse import Warehouse

RELEASED = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
"""No clock that is right shows an earlier time."""

PATIENCE = 2.0
BEAT = dt.timedelta(minutes=5)
"""The daemon gives a sign of life every half minute."""

HELD = """
select max(session) as newest, count(distinct session) as sessions from prices where market = $market
"""
UNKNOWN = """
select symbol, any_value(cause) as cause from outcomes where market = $market and status = 'unknown_symbol'
and (symbol, asked_at) in (select (symbol, max(asked_at)) from outcomes where market = $market group by symbol)
group by symbol order by symbol
"""
MONTHS = "select distinct month from models where market = $market"
READ = "select max(fetched_at) as newest from prices"


def stored(settings: Settings, markets: tuple[Market, ...], now: dt.datetime) -> Iterator[Finding]:
    """The warehouse: its source, its holder, and of each market the sessions, symbols and models."""
    if not settings.warehouse.exists():
        yield Finding("warehouse", well=True, words="none yet; the first backfill makes it")
        return
    warehouse = Warehouse(settings.warehouse, settings.source, patience=PATIENCE)
    try:
        for market in markets:
            yield from _market(settings, warehouse, market, now)
    except MarketPipelineError as error:
        yield Finding("warehouse", well=False, words=str(error))


def _market(settings: Settings, warehouse: Warehouse, market: Market, now: dt.datetime) -> Iterator[Finding]:
    mine = {"market": market.name}
    held = warehouse.read(HELD, mine).to_pylist()[0]
    unknown = {row["symbol"]: row["cause"] for row in warehouse.read(UNKNOWN, mine).to_pylist()}
    months = set(warehouse.read(MONTHS, mine)["month"].to_pylist())
    wanted = market.newest_closed(now)
    words = f"{held['sessions']} sessions, newest {held['newest']}, newest closed {wanted}"
    if held["newest"] == wanted:
        yield Finding(market.name, well=True, words=words)
    else:
        start = held["newest"] or market.start
        mend = f"market-pipeline backfill --market {market.name} --start {start} --end {wanted}"
        words += f". Bring it up to date: {mend}. {_daemon(settings, now)}"
        yield Finding(market.name, well=False, words=words)
    asked = {symbol: cause for symbol, cause in unknown.items() if symbol in market.symbols}
    if asked:
        told = "; ".join(f"{symbol}: {cause}" for symbol, cause in list(asked.items())[:5])
        words = f"{told}. Correct the markets file, then run the backfill again."
        yield Finding(f"symbols of {market.name}", well=False, words=words)
    if months and wanted is not None and wanted.replace(day=1) not in months:
        month = wanted.replace(day=1)
        words = f"none were trained for {month:%Y-%m}, so nothing can be forecast in it. Train them: market-pipeline "
        words += f"backfill --market {market.name} --start {wanted} --end {wanted} --assets models"
        yield Finding(f"models of {market.name}", well=False, words=words)


def _daemon(settings: Settings, now: dt.datetime) -> str:
    """Why nobody did it already, as far as the Dagster instance tells."""
    from market_pipeline.orchestration.runs import last_beat

    beat = last_beat(settings)
    if beat is not None and now - beat < BEAT:
        return "The daemon is running, and its sensors will ask for it within the hour."
    since = "has never run here" if beat is None else f"has not run since {beat:%Y-%m-%d %H:%M} UTC"
    return f"The daemon {since}: while market-pipeline ui runs, it happens by itself."


def mart(settings: Settings, markets: tuple[Market, ...]) -> Finding:
    """Whether something is published, and whether it has what is stored."""
    warehouse = Warehouse(settings.warehouse, settings.source, patience=PATIENCE)
    try:
        newest = {
            market.name: warehouse.read(HELD, {"market": market.name})["newest"][0].as_py()
            for market in markets
            if settings.warehouse.exists()
        }
    except MarketPipelineError:  # which the finding on the warehouse tells
        newest = {}
    filled = [name for name, session in newest.items() if session is not None]
    if not settings.mart.exists():
        if not filled:
            return Finding("mart", well=True, words="none yet; a backfill or a daily run publishes it")
        return Finding(
            "mart", well=False, words=f"nothing is published of what is stored. {_publish(filled[0], newest)}"
        )
    meta = query(settings.mart, "from meta").to_pylist()
    published = {row["market"]: row["newest_session"] for row in meta}
    for name in filled:
        if published.get(name) != newest[name]:
            words = (
                f"{name} is stored to {newest[name]}, but published to {published.get(name)}. {_publish(name, newest)}"
            )
            return Finding("mart", well=False, words=words)
    if meta and meta[0]["code_version"] != __version__:
        words = f"published by version {meta[0]['code_version']}, and this is {__version__}. "
        return Finding("mart", well=False, words=words + _publish(meta[0]["market"], published))
    made = f", published {meta[0]['published_at']:%Y-%m-%d %H:%M} UTC" if meta else ", without a price"
    return Finding("mart", well=True, words=f"{settings.mart}{made}")


def clock(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    """A clock that is behind: sessions would count as not closed, or bars as read in the future."""
    if now < RELEASED:
        words = f"this machine says it is {now:%Y-%m-%d %H:%M} UTC, before this program was made. Set it (NTP)."
        yield Finding("clock", well=False, words=words)
        return
    if not settings.warehouse.exists():
        return
    warehouse = Warehouse(settings.warehouse, settings.source, patience=PATIENCE)
    try:
        read = warehouse.read(READ)["newest"][0].as_py()
    except MarketPipelineError:  # which the finding on the warehouse tells
        return
    if read is not None and read.replace(tzinfo=dt.UTC) > now + dt.timedelta(minutes=1):
        words = f"this machine says it is {now:%Y-%m-%d %H:%M} UTC, but bars were read at {read:%Y-%m-%d %H:%M} UTC: "
        yield Finding("clock", well=False, words=words + "a clock is or was wrong. Set it (NTP).")


def _publish(market: str, newest: Mapping[str, dt.date | None]) -> str:
    day = newest[market]
    return f"Publish it: market-pipeline backfill --market {market} --start {day} --end {day} --assets mart"
