"""Everything a run needs, looked at in the order in which a run needs it; what cannot be looked at is left out."""

import datetime as dt
from collections.abc import Iterator, Mapping

from market_pipeline.cli.doctor.data_directory import clock, mart, stored
from market_pipeline.cli.doctor.environment import disk, home, network, server
from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.cli.doctor.spelling import misspelt_settings, suspect_symbols
from market_pipeline.config.markets import load_markets, packaged_config
from market_pipeline.config.settings import Settings
from market_pipeline.errors import MarketPipelineError
from market_pipeline.sources.selection import open_source


def diagnose(environment: Mapping[str, str], port: int) -> list[Finding]:
    """Every finding: settings, home, source, symbols, machine, then what is stored and published."""
    return list(_findings(environment, port, dt.datetime.now(dt.UTC)))


def _findings(environment: Mapping[str, str], port: int, now: dt.datetime) -> Iterator[Finding]:
    yield from misspelt_settings(environment)
    try:
        settings = Settings.from_environment(environment)
        markets = load_markets(settings.config or packaged_config(settings.source))
    except MarketPipelineError as error:
        yield Finding("configuration", well=False, words=str(error))
        return
    names = ", ".join(f"{market.name} ({len(market.symbols)} symbols, {market.calendar_name})" for market in markets)
    yield Finding("configuration", well=True, words=f"source {settings.source}, home {settings.home}; markets {names}")
    yield home(settings.home)
    problem = open_source(settings).problem()
    yield Finding("source", well=problem is None, words=problem or f"{settings.source} is ready")
    if settings.source == "yahoo":
        yield network(environment)
    for market in markets:
        yield from suspect_symbols(market, settings.source)
    yield disk(settings.home)
    yield server(port)
    yield from clock(settings, now)
    yield from stored(settings, markets, now)
    yield mart(settings, markets)
