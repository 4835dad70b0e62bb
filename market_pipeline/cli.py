"""The commands: each ends with exit status 0 or one paragraph that names the cause and the mend."""

import datetime as dt
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from market_pipeline import __version__
from market_pipeline.errors import ConfigurationError, MarketPipelineError
from market_pipeline.markets import Market, load_markets, packaged_config
from market_pipeline.settings import Settings

Words = ParamSpec("Words")
DATE = click.DateTime(["%Y-%m-%d"])
DEMO_SESSIONS = {"24/7": 120}
"""Origins of the demo per calendar; 90 where none is named."""

console = Console()


def one_paragraph(command: Callable[Words, None]) -> Callable[Words, None]:
    """Turn the errors that a person can mend into one paragraph and exit status 1."""

    @wraps(command)
    def guarded(*args: Words.args, **kwargs: Words.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except MarketPipelineError as error:
            Console(stderr=True).print(f"[bold red]Error:[/] {error}", highlight=False, markup=True)
            sys.exit(1)

    return guarded


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="market-pipeline")
def main() -> None:
    """Market forecasts, each with an honest verdict against a random walk."""
    warnings.filterwarnings("ignore", module="dagster")


@main.command()
@click.option("--market", "name", required=True, help="A market of the markets file.")
@click.option("--start", type=DATE, required=True, help="First session, such as 2024-01-02.")
@click.option("--end", type=DATE, required=True, help="Last session.")
@click.option("--assets", default="", help="Only these, such as prices,indicators. Default: the whole chain.")
@one_paragraph
def backfill(name: str, start: dt.datetime, end: dt.datetime, assets: str) -> None:
    """Materialise a range of sessions through Dagster, the models it needs included."""
    from market_pipeline.runs import ROOMS

    settings = Settings.from_environment()
    rooms = tuple(part.strip() for part in assets.split(",") if part.strip()) or ROOMS
    if strangers := [room for room in rooms if room not in ROOMS]:
        raise ConfigurationError(f"There is no asset {strangers[0]!r}. The assets are {', '.join(ROOMS)}.")
    materialise(settings, _market(settings, name), start.date(), end.date(), rooms, from_start=not assets)
    _say_where(settings)


@main.command()
@click.option("--market", "name", default=None, help="Only this market. Default: all.")
@one_paragraph
def run(name: str | None) -> None:
    """Materialise the newest closed session, as the schedule does, and train the month's models if there are none."""
    from market_pipeline.runs import ROOMS, untrained_month

    settings = Settings.from_environment()
    for market in [_market(settings, name)] if name else _markets(settings):
        newest = market.newest_closed(dt.datetime.now(dt.UTC))
        if newest is None:
            raise ConfigurationError(f"{market.name}: no session has closed since its start, {market.start}.")
        rooms = tuple(room for room in ROOMS if room != "models" or untrained_month(settings, market, newest))
        materialise(settings, market, newest, newest, rooms, from_start=False)
    _say_where(settings)


@main.command()
@click.argument("symbol")
@one_paragraph
def forecast(symbol: str) -> None:
    """Print what the mart says of one symbol, with the verdict."""
    from market_pipeline.mart.read import read_forecast
    from market_pipeline.mart.text import print_forecast

    print_forecast(console, read_forecast(Settings.from_environment().mart, symbol))


@main.command("replay")
@click.option("--market", "name", required=True, help="A market of the markets file.")
@click.option("--origin", type=DATE, required=True, help="The session whose forecasts are made again.")
@one_paragraph
def replay_forecasts(name: str, origin: dt.datetime) -> None:
    """Make the stored forecasts of an origin again: the same to the last bit, or which pin is missing."""
    from market_pipeline.forecasts.replay import replay
    from market_pipeline.runs import warehouse_of

    settings = Settings.from_environment()
    market = _market(settings, name)
    again = replay(warehouse_of(settings), market, origin.date(), settings.models)
    made = f"made {again.made_at:%Y-%m-%d %H:%M} UTC"
    told = f"{again.rows:,} {again.mode} forecasts of {market.name} at {origin.date()}, {made}"
    if not again.differing:
        console.print(f"[green]identical[/]  {told}, came out the same in every bit", highlight=False)
    else:
        console.print(f"[red]different[/]  {told}: {again.differing:,} rows differ", highlight=False)
    for pin in again.missing:
        console.print(f"  missing pin: {pin}", highlight=False)
    if again.differing:
        sys.exit(1)


@main.command()
@one_paragraph
def doctor() -> None:
    """Check configuration, source, warehouse and calendars; say what is wrong and how to mend it."""
    from market_pipeline.doctor import diagnose

    findings = diagnose(os.environ)
    for finding in findings:
        mark = "[green]ok[/]  " if finding.well else "[red]mend[/]"
        console.print(f"{mark} [bold]{finding.subject}[/]: {finding.words}", highlight=False)
    if not all(finding.well for finding in findings):
        sys.exit(1)


@main.command()
@one_paragraph
def demo() -> None:
    """Run the main job on the simulated source, end to end, and print what came of it."""
    from market_pipeline.mart.read import read_signals, read_verdicts
    from market_pipeline.mart.text import print_signals, print_verdicts
    from market_pipeline.runs import ROOMS

    settings = Settings.from_environment({**os.environ, "MARKET_PIPELINE_SOURCE": "simulated"})
    settings = replace(settings, config=None)
    console.print(
        "[bold]Market Pipeline[/], the main job on [bold]simulated[/] prices: nothing below is a real market.\n"
    )
    now = dt.datetime.now(dt.UTC)
    markets = _markets(settings)
    for market in markets:
        newest = market.newest_closed(now)
        assert newest is not None
        closed = market.sessions_between(market.start, newest)
        first = closed[-min(len(closed), DEMO_SESSIONS.get(market.calendar_name, 90))].item()
        rooms = ROOMS if market is markets[-1] else tuple(room for room in ROOMS if room != "mart")
        materialise(settings, market, first, newest, rooms, from_start=True)
    print_signals(console, read_signals(settings.mart))
    print_verdicts(console, read_verdicts(settings.mart))
    _say_where(settings)


@main.command()
@click.option("--port", default=3000, show_default=True)
@one_paragraph
def ui(port: int) -> None:
    """Start the Dagster web server and daemon on 127.0.0.1."""
    from market_pipeline.runs import open_instance
    from market_pipeline.settings import remember_source

    settings = Settings.from_environment()
    _markets(settings)
    open_instance(settings).dispose()
    remember_source(settings.home, settings.source)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(settings.dagster_home),
        "MARKET_PIPELINE_HOME": str(settings.home),
        "PYTHONWARNINGS": "ignore",
    }
    console.print(f"The Dagster UI is at [link]http://127.0.0.1:{port}[/link]; stop it with Ctrl-C.")
    command = ["-m", "dagster", "dev", "-m", "market_pipeline.definitions", "-h", "127.0.0.1", "-p", str(port)]
    os.execve(sys.executable, [sys.executable, *command], environment)  # noqa: S606  no shell is wanted


def materialise(
    settings: Settings,
    market: Market,
    first: dt.date,
    last: dt.date,
    rooms: Sequence[str],
    *,
    from_start: bool,
) -> None:
    """Run what a range needs, one Dagster run after the other, with a line of progress each.

    `from_start` brings the bars and indicators before the range along, from the market's start.
    """
    from market_pipeline.runs import check_range, execute, open_instance, plan, warehouse_of

    first, last = check_range(market, first, last, dt.datetime.now(dt.UTC))
    planned = plan(market, warehouse_of(settings), first, last, rooms, from_start=from_start)
    instance = open_instance(settings)
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("[dim]{task.fields[line]}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        for step in planned:
            task = progress.add_task(f"{step.title}, {step.first} to {step.last}", line="", total=None)

            def show(done: int, steps: int, line: str, task: TaskID = task) -> None:
                progress.update(task, completed=done, total=steps, line=line)

            execute(step, settings, instance, show)
            progress.update(task, line="")


def _markets(settings: Settings) -> tuple[Market, ...]:
    return load_markets(settings.config or packaged_config(settings.source))


def _market(settings: Settings, name: str) -> Market:
    markets = {market.name: market for market in _markets(settings)}
    if name not in markets:
        raise ConfigurationError(f"There is no market {name!r}. The markets are {', '.join(markets)}.")
    return markets[name]


def _say_where(settings: Settings) -> None:
    console.print(f"\nreport  {settings.report}\nmart    {settings.mart}", highlight=False, soft_wrap=True)
