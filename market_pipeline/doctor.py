"""What is wrong with an installation, and how to mend it."""

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from market_pipeline.errors import MarketPipelineError
from market_pipeline.markets import Market, load_markets, packaged_config
from market_pipeline.settings import Settings
from market_pipeline.sources.selection import open_source
from market_pipeline.warehouse import Warehouse

LEAST_FREE = 2 * 10**9
"""Bytes of free disk below which a backfill may not end."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is well, and in words what it is or how to mend it."""

    subject: str
    well: bool
    words: str


def diagnose(environment: Mapping[str, str]) -> list[Finding]:
    """Look at everything a run needs, in the order a run needs it; what cannot be looked at is left out."""
    try:
        settings = Settings.from_environment(environment)
        markets = load_markets(settings.config or packaged_config(settings.source))
    except MarketPipelineError as error:
        return [Finding("configuration", well=False, words=str(error))]
    names = ", ".join(f"{market.name} ({len(market.symbols)} symbols, {market.calendar_name})" for market in markets)
    return [
        Finding("configuration", well=True, words=f"source {settings.source}, home {settings.home}; markets {names}"),
        _source(settings),
        _disk(settings),
        *_warehouse(settings, markets),
        _mart(settings),
    ]


def _source(settings: Settings) -> Finding:
    problem = open_source(settings).problem()
    return Finding("source", well=problem is None, words=problem or f"{settings.source} is ready")


def _disk(settings: Settings) -> Finding:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:.1f} GB free at {folder}"
    return Finding("disk", well=free >= LEAST_FREE, words=words if free >= LEAST_FREE else f"{words}; free some space")


def _warehouse(settings: Settings, markets: tuple[Market, ...]) -> Iterator[Finding]:
    if not settings.warehouse.exists():
        yield Finding("warehouse", well=True, words="none yet; the first backfill makes it")
        return
    warehouse = Warehouse(settings.warehouse, settings.source, patience=2.0)
    for market in markets:
        try:
            answer = warehouse.read(
                "select max(session) as newest, count(distinct session) as sessions from prices where market = $market",
                {"market": market.name},
            ).to_pylist()[0]
        except MarketPipelineError as error:
            yield Finding("warehouse", well=False, words=str(error))
            return
        wanted = market.newest_closed(dt.datetime.now(dt.UTC))
        words = f"{answer['sessions']} sessions, newest {answer['newest']}, newest closed {wanted}"
        if answer["newest"] == wanted:
            yield Finding(market.name, well=True, words=words)
        else:
            start = answer["newest"] or market.start
            mend = f"market-pipeline backfill --market {market.name} --start {start} --end {wanted}"
            yield Finding(market.name, well=False, words=f"{words}. Bring it up to date: {mend}")


def _mart(settings: Settings) -> Finding:
    if not settings.mart.exists():
        return Finding("mart", well=True, words="none yet; a backfill or a daily run publishes it")
    published = dt.datetime.fromtimestamp(settings.mart.stat().st_mtime, dt.UTC)
    return Finding("mart", well=True, words=f"{settings.mart}, published {published:%Y-%m-%d %H:%M} UTC")
