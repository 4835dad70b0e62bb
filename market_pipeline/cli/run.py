"""Commands that run assets: backfill, run, demo."""

import datetime as dt
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from rich.console import Console

from market_pipeline.cli.completion import market_names
from market_pipeline.cli.materialise import materialise, materialise_markets
from market_pipeline.cli.terminal import (
    DATE,
    as_json,
    command,
    console_on,
    market_of,
    print_addresses,
    print_behind,
    print_json,
)
from market_pipeline.errors import ConfigurationError, MarketPipelineError

if TYPE_CHECKING:
    from market_pipeline.config.markets import Market
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.backfill import PlannedRun

Wanted: TypeAlias = "tuple[Market, dt.date, dt.date, list[str]]"
"""A market, the first and the last session of a range, and the assets that are to be there."""

DEMO_SESSIONS = {"24/7": 120}
"""Origins of the demo per calendar; 90 for any other."""

DEMO_HORIZON, DEMO_ROWS = 5, 10
"""Which forecasts the demo prints, and at most how many: what it prints fits on a screen."""


@command(
    "market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-06-28",
    "market-pipeline backfill --market crypto --start 2024-01-01 --end 2024-01-31 --assets prices,indicators",
    "market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-06-28 --dry-run",
    "market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-06-28 --json | jq .runs",
)
@click.option("--market", "name", required=True, help="A market of the markets file.", shell_complete=market_names)
@click.option("--start", type=DATE, required=True, help="First session, such as 2024-01-02.")
@click.option("--end", type=DATE, required=True, help="Last session.")
@click.option("--assets", default="", help="Only these, such as prices,indicators. Default: all.")
@click.option("--dry-run", is_flag=True, help="Only print the runs, and the time, memory and disk they need.")
@as_json
def backfill(name: str, start: dt.datetime, end: dt.datetime, assets: str, *, dry_run: bool, json_wanted: bool) -> None:
    """Materialise a range of sessions through Dagster, with the models it needs.

    A range is one run for each partitioning. Running it again replaces the same rows and changes nothing else.
    """
    from market_pipeline.cli.plans import print_plan
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.chain import ASSETS

    settings, console = Settings.from_environment(), console_on(stderr=json_wanted)
    names = [part.strip() for part in assets.split(",") if part.strip()] or list(ASSETS)
    if unknown := [asset for asset in names if asset not in ASSETS]:
        raise ConfigurationError(f"There is no asset {unknown[0]!r}. The assets are {', '.join(ASSETS)}.")
    market = market_of(settings, name)
    planned = planned_runs(settings, market, start.date(), end.date(), names, from_start=not assets)
    print_plan(console, market, planned, dry_run=dry_run, json_wanted=json_wanted)
    if not dry_run:
        _report(console, settings, [market], materialise(console, settings, planned), json_wanted=json_wanted)


@command("market-pipeline run", "market-pipeline run --market stocks", "market-pipeline run --json")
@click.option("--market", "name", default=None, help="Only this market. Default: all.", shell_complete=market_names)
@as_json
def run(name: str | None, *, json_wanted: bool) -> None:
    """Materialise the newest closed session, as the schedule does, and train the month's models if there are none.

    Two markets are computed at once, then the mart is published. A market that fails stops no other one.
    """
    from market_pipeline.config.markets_file import configured_markets
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.backfill import untrained_month
    from market_pipeline.orchestration.chain import ASSETS
    from market_pipeline.sources.protocol import beyond_its_end
    from market_pipeline.sources.selection import open_source
    from market_pipeline.storage.selection import open_warehouse

    settings, console = Settings.from_environment(), console_on(stderr=json_wanted)
    markets = [market_of(settings, name)] if name else configured_markets(settings)
    source, wanted, ended = open_source(settings), list[Wanted](), list[str]()
    for market in markets:
        newest = newest_closed(market)
        if reason := beyond_its_end(source, market, newest):
            ended.append(f"{reason}.")
            continue
        untrained = untrained_month(open_warehouse(settings), market, newest)
        assets = [asset for asset in ASSETS if asset != "models" or untrained]
        wanted.append((market, newest, newest, assets))
    runs, failures = materialise_all(console, settings, wanted, from_start=False)
    if runs or not (ended or failures):
        _report(console, settings, markets, runs, json_wanted=json_wanted)
    if failures:
        raise MarketPipelineError(" ".join([*failures, *ended]))
    if ended:
        raise ConfigurationError(" ".join(ended))


@command("market-pipeline demo", "MARKET_PIPELINE_HOME=/tmp/look market-pipeline demo")
def demo() -> None:
    """Run the main job on the simulated source, end to end, and print what it found on one screen."""
    from market_pipeline.cli.answers import print_answers
    from market_pipeline.cli.portfolios import line_of
    from market_pipeline.cli.rows import FORECAST_ORDERS, narrowed
    from market_pipeline.cli.tables import print_signals
    from market_pipeline.config.markets_file import configured_markets
    from market_pipeline.config.settings import Settings
    from market_pipeline.mart.portfolios import read_portfolios
    from market_pipeline.mart.read import read_rows
    from market_pipeline.orchestration.chain import ASSETS
    from market_pipeline.storage.publication import open_publication

    simulated = {"MARKET_PIPELINE_SOURCE": "simulated", "MARKET_PIPELINE_CONFIG": ""}
    settings, console = Settings.from_environment(os.environ | simulated), console_on()
    console.print(
        "[bold]Market Pipeline[/], the main job on [bold]simulated[/] prices: nothing below is a real market.\n"
    )
    wanted = list[Wanted]()
    for market in configured_markets(settings):
        newest = newest_closed(market)
        origins = market.sessions_between(market.start, newest)[-DEMO_SESSIONS.get(market.calendar_name, 90) :]
        wanted.append((market, origins[0].item(), newest, list(ASSETS)))
    _, failures = materialise_all(console, settings, wanted, from_start=True)
    if failures:
        raise MarketPipelineError(" ".join(failures))
    publication = open_publication(settings)
    mart = publication.newest()
    signals = read_rows(mart, "signals")
    shown = narrowed(signals, FORECAST_ORDERS, horizon=DEMO_HORIZON, limit=DEMO_ROWS)
    print_signals(console, shown)
    console.print(f"[dim]{shown.num_rows} of {signals.num_rows} forecasts. All: market-pipeline forecast[/]")
    print_answers(console, read_rows(mart, "leaderboard"))
    for row in read_portfolios(mart).to_pylist():
        if row["horizon"] == DEMO_HORIZON:
            console.print(f"\n{line_of(row)} [dim]More: market-pipeline risk {row['portfolio']}[/]")
    print_addresses(console, publication)


def newest_closed(market: "Market") -> dt.date:
    """The newest closed session of a market; raises ConfigurationError when none has closed yet."""
    newest = market.newest_closed(dt.datetime.now(dt.UTC))
    if newest is None:
        raise ConfigurationError(f"{market.name}: no session has closed since its start, {market.start}.")
    return newest


def planned_runs(
    settings: "Settings", market: "Market", first: dt.date, last: dt.date, assets: Collection[str], *, from_start: bool
) -> "list[PlannedRun]":
    """What a range needs, one Dagster run after the other. Starts and writes nothing.

    `from_start` includes the missing bars and indicators before the range, from the market's start.
    """
    from market_pipeline.compute.selection import on_several_hosts
    from market_pipeline.orchestration.backfill import check_end, check_range, plan
    from market_pipeline.sources.selection import open_source
    from market_pipeline.storage.selection import open_warehouse

    first, last = check_range(market, first, last, dt.datetime.now(dt.UTC))
    if "prices" in assets:
        check_end(open_source(settings), market, first, last)
    warehouse, apart = open_warehouse(settings), on_several_hosts(settings)
    return plan(market, warehouse, first, last, tuple(assets), from_start=from_start, cut=apart)


def materialise_all(
    console: Console, settings: "Settings", wanted: "Sequence[Wanted]", *, from_start: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Execute what is wanted of each market, two of them at once, then the mart of all; the runs, and the failures."""
    from market_pipeline.orchestration.chain import ASSETS

    if len(wanted) == 1:
        [(market, first, last, assets)] = wanted
        return materialise(
            console, settings, planned_runs(settings, market, first, last, assets, from_start=from_start)
        ), []
    of_each = []
    for market, first, last, assets in wanted:
        own = [asset for asset in assets if not ASSETS[asset].shared]
        of_each.append(planned_runs(settings, market, first, last, own, from_start=from_start))
    done, failures = materialise_markets(console, settings, of_each)
    if done:
        market, first, last, assets = wanted[-1]
        shared = [asset for asset in assets if ASSETS[asset].shared]
        done += materialise(console, settings, planned_runs(settings, market, first, last, shared, from_start=False))
    return done, failures


def _report(
    console: Console,
    settings: "Settings",
    markets: Sequence["Market"],
    runs: list[dict[str, Any]],
    *,
    json_wanted: bool,
) -> None:
    """Where the results are, and which markets are still behind their calendar."""
    from market_pipeline.storage.freshness import stored_freshness
    from market_pipeline.storage.publication import open_publication
    from market_pipeline.storage.selection import open_warehouse

    warehouse, now = open_warehouse(settings), dt.datetime.now(dt.UTC)
    found = [stored_freshness(warehouse, market, now) for market in markets]
    publication = open_publication(settings)
    if json_wanted:
        behind = {one.market: one.behind for one in found}
        there = {"mart": publication.address, "report": publication.report}
        print_json({"runs": runs, **there, "sessions_behind": behind})
    else:
        print_addresses(console, publication)
    print_behind(console, found)
