"""All checks, in the order in which a run needs what they check; what cannot be checked is left out."""

import datetime as dt
from collections.abc import Iterator, Mapping

from market_pipeline.cli.doctor.damage import dagster_files
from market_pipeline.cli.doctor.environment import clock, disk, network, web_server, write_access
from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.cli.doctor.own_models import own_models
from market_pipeline.cli.doctor.published import published_mart
from market_pipeline.cli.doctor.spelling import misspelt_settings, suspect_symbols
from market_pipeline.cli.doctor.stored_data import stored_data
from market_pipeline.config.markets_file import configured_markets
from market_pipeline.config.places import only_reads
from market_pipeline.config.settings import Settings
from market_pipeline.errors import MarketPipelineError
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.publication import published


def diagnose(environment: Mapping[str, str], port: int) -> list[Finding]:
    """Every finding: settings, data directory, source, symbols, machine, then what is stored and published."""
    return list(_findings(environment, port, dt.datetime.now(dt.UTC)))


def _findings(environment: Mapping[str, str], port: int, now: dt.datetime) -> Iterator[Finding]:
    yield from misspelt_settings(environment)
    if only_reads(environment):
        yield from reading(environment, now)
        return
    try:
        settings = Settings.from_environment(environment)
        markets = configured_markets(settings)
    except MarketPipelineError as error:
        yield Finding("configuration", False, str(error))
        return
    names = ", ".join(f"{market.name} ({len(market.symbols)} symbols, {market.calendar_name})" for market in markets)
    message = f"source {settings.source}, data directory {settings.home}; markets {names}"
    yield Finding("configuration", True, message)
    yield from own_models(environment)
    yield write_access(settings.home)
    problem = open_source(settings).problem()
    yield Finding("source", problem is None, problem or f"{settings.source} is ready")
    if settings.source == "yahoo":
        yield network(environment)
    if settings.source in ("yahoo", "exchange"):
        yield from filter(None, map(suspect_symbols, markets))
    yield disk(settings.home)
    yield web_server(port)
    yield from clock(now)
    yield from dagster_files(settings)
    yield from stored_data(settings, markets, now)


def reading(environment: Mapping[str, str], now: dt.datetime) -> Iterator[Finding]:
    """The findings of a machine that only reads the mart of a store."""
    try:
        publication = published(environment)
    except MarketPipelineError as error:
        yield Finding("configuration", False, str(error))
        return
    yield Finding("configuration", True, "this machine reads the published mart of a store, and runs nothing")
    yield write_access(publication.folder)
    yield from published_mart(publication, {}, now)
