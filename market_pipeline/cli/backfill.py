"""Commands that fill a home: backfill, run, demo."""

import datetime as dt
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click
from rich.console import Console

from market_pipeline.cli.completion import market_names
from market_pipeline.cli.terminal import (
    DATE,
    as_json,
    console_on,
    market_of,
    markets_of,
    one_paragraph,
    print_json,
    say_where,
)
from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError

DEMO_SESSIONS = {"24/7": 120}
"""Origins of the demo per calendar; 90 where none is named."""


@click.command(
    epilog="""\b
Examples:
  market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-06-28
  market-pipeline backfill --market crypto --start 2024-01-01 --end 2024-01-31 --assets prices,indicators
  market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-06-28 --json | jq .runs"""
)
@click.option("--market", "name", required=True, help="A market of the markets file.", shell_complete=market_names)
@click.option("--start", type=DATE, required=True, help="First session, such as 2024-01-02.")
@click.option("--end", type=DATE, required=True, help="Last session.")
@click.option("--assets", default="", help="Only these, such as prices,indicators. Default: the whole chain.")
@as_json
@one_paragraph
def backfill(name: str, start: dt.datetime, end: dt.datetime, assets: str, *, json_wanted: bool) -> None:
    """Materialise a range of sessions through Dagster, the models it needs included.

    A range is one run for each partitioning. Running it again replaces the same rows and changes nothing else.
    """
    from market_pipeline.orchestration.runs import ROOMS

    settings, console = Settings.from_environment(), console_on(stderr=json_wanted)
    rooms = tuple(part.strip() for part in assets.split(",") if part.strip()) or ROOMS
    if strangers := [room for room in rooms if room not in ROOMS]:
        raise ConfigurationError(f"There is no asset {strangers[0]!r}. The assets are {', '.join(ROOMS)}.")
    market = market_of(settings, name)
    ended = materialise(console, settings, market, start.date(), end.date(), rooms, from_start=not assets)
    _close(console, settings, ended, json_wanted=json_wanted)


@click.command(
    epilog="""\b
Examples:
  market-pipeline run
  market-pipeline run --market stocks
  market-pipeline run --json"""
)
@click.option("--market", "name", default=None, help="Only this market. Default: all.", shell_complete=market_names)
@as_json
@one_paragraph
def run(name: str | None, *, json_wanted: bool) -> None:
    """Materialise the newest closed session, as the schedule does, and train the month's models if there are none."""
    from market_pipeline.orchestration.runs import ROOMS, untrained_month

    settings, console = Settings.from_environment(), console_on(stderr=json_wanted)
    ended = []
    for market in [market_of(settings, name)] if name else markets_of(settings):
        newest = market.newest_closed(dt.datetime.now(dt.UTC))
        if newest is None:
            raise ConfigurationError(f"{market.name}: no session has closed since its start, {market.start}.")
        rooms = tuple(room for room in ROOMS if room != "models" or untrained_month(settings, market, newest))
        ended += materialise(console, settings, market, newest, newest, rooms, from_start=False)
    _close(console, settings, ended, json_wanted=json_wanted)


@click.command(
    epilog="""\b
Examples:
  market-pipeline demo
  MARKET_PIPELINE_HOME=/tmp/look market-pipeline demo"""
)
@one_paragraph
def demo() -> None:
    """Run the main job on the simulated source, end to end, and print what came of it."""
    from market_pipeline.cli.tables import print_signals, print_verdicts
    from market_pipeline.mart.read import read_signals, read_verdicts
    from market_pipeline.orchestration.runs import ROOMS

    settings = Settings.from_environment({**os.environ, "MARKET_PIPELINE_SOURCE": "simulated"})
    settings, console = replace(settings, config=None), console_on()
    console.print(
        "[bold]Market Pipeline[/], the main job on [bold]simulated[/] prices: nothing below is a real market.\n"
    )
    now = dt.datetime.now(dt.UTC)
    markets = markets_of(settings)
    for market in markets:
        newest = market.newest_closed(now)
        assert newest is not None
        closed = market.sessions_between(market.start, newest)
        first = closed[-min(len(closed), DEMO_SESSIONS.get(market.calendar_name, 90))].item()
        rooms = ROOMS if market is markets[-1] else tuple(room for room in ROOMS if room != "mart")
        materialise(console, settings, market, first, newest, rooms, from_start=True)
    print_signals(console, read_signals(settings.mart))
    print_verdicts(console, read_verdicts(settings.mart))
    say_where(console, settings)


def materialise(
    console: Console,
    settings: Settings,
    market: Market,
    first: dt.date,
    last: dt.date,
    rooms: Sequence[str],
    *,
    from_start: bool,
) -> list[dict[str, Any]]:
    """Run what a range needs, one Dagster run after the other, and show how far it is; what ran, and how long it took.

    `from_start` brings the bars and indicators before the range along, from the market's start.
    """
    from market_pipeline.cli.progress import followed
    from market_pipeline.definitions import build_definitions
    from market_pipeline.orchestration.runs import check_range, execute, open_instance, plan, warehouse_of

    first, last = check_range(market, first, last, dt.datetime.now(dt.UTC))
    planned = plan(market, warehouse_of(settings), first, last, rooms, from_start=from_start)
    instance = open_instance(settings)
    ended = []
    with followed(console, planned) as steps:
        for step, show in steps:
            began = time.monotonic()
            execute(step, build_definitions(settings), instance, show)
            seconds = round(time.monotonic() - began, 1)
            ended.append(
                {
                    "market": step.market,
                    "assets": list(step.rooms),
                    "first": step.first,
                    "last": step.last,
                    "seconds": seconds,
                }
            )
    return ended


def _close(console: Console, settings: Settings, ended: list[dict[str, Any]], *, json_wanted: bool) -> None:
    if json_wanted:
        print_json({"runs": ended, "mart": settings.mart, "report": settings.report})
    else:
        say_where(console, settings)
