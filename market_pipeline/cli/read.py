"""Commands that read what was published or stored: forecast, verdicts, replay."""

import datetime as dt
import sys

import click

from market_pipeline.cli.completion import market_names, symbol_names
from market_pipeline.cli.terminal import DATE, as_json, console_on, market_of, one_paragraph, print_json
from market_pipeline.config.settings import Settings, home_of, mart_of
from market_pipeline.errors import ConfigurationError


@click.command(
    epilog="""\b
Examples:
  market-pipeline forecast AAPL
  market-pipeline forecast
  market-pipeline forecast AAPL --json | jq '.[] | {horizon, p_up, verdict}'"""
)
@click.argument("symbol", required=False, shell_complete=symbol_names)
@as_json
@one_paragraph
def forecast(symbol: str | None, *, json_wanted: bool) -> None:
    """Print what the mart says of one symbol, or of all, with the verdict.

    Ranges and expected returns are of the log return from the newest close; in JSON, returns are log returns and
    probabilities fractions.
    """
    from market_pipeline.cli.tables import print_forecast, print_signals
    from market_pipeline.mart.read import read_forecast, read_signals

    mart = mart_of(home_of())
    rows = read_forecast(mart, symbol) if symbol else read_signals(mart)
    if json_wanted:
        print_json(rows.to_pylist())
    elif symbol:
        print_forecast(console_on(), rows)
    else:
        print_signals(console_on(), rows)


@click.command(
    epilog="""\b
Examples:
  market-pipeline verdicts
  market-pipeline verdicts --market stocks
  market-pipeline verdicts --json | jq '.[] | select(.verdict == "beats_baseline")'"""
)
@click.option("--market", "name", default=None, help="Only this market. Default: all.", shell_complete=market_names)
@as_json
@one_paragraph
def verdicts(name: str | None, *, json_wanted: bool) -> None:
    """Print each model's skill against the random walk, and whether that is more than luck."""
    import pyarrow.compute as pc

    from market_pipeline.cli.tables import print_verdicts
    from market_pipeline.mart.read import read_verdicts

    rows = read_verdicts(mart_of(home_of()))
    judged = sorted(set(rows["market"].to_pylist()))
    if name is not None:
        if name not in judged:
            there = f"It has {', '.join(judged)}." if judged else "Nothing has come due yet."
            raise ConfigurationError(f"The mart has no verdicts of a market {name!r}. {there}")
        rows = rows.filter(pc.field("market") == name)
    if json_wanted:
        print_json(rows.to_pylist())
    else:
        print_verdicts(console_on(), rows)


@click.command(
    epilog="""\b
Example:
  market-pipeline replay --market stocks --origin 2024-03-15"""
)
@click.option("--market", "name", required=True, help="A market of the markets file.", shell_complete=market_names)
@click.option("--origin", type=DATE, required=True, help="The session whose forecasts are made again.")
@one_paragraph
def replay(name: str, origin: dt.datetime) -> None:
    """Make the stored forecasts of an origin again: the same to the last bit, or which pin is missing.

    Ends with exit status 1 when they differ.
    """
    from market_pipeline.forecasts.replay import replay as made_again
    from market_pipeline.orchestration.runs import warehouse_of

    settings, console = Settings.from_environment(), console_on()
    market = market_of(settings, name)
    again = made_again(warehouse_of(settings), market, origin.date(), settings.models)
    made = f"made {again.made_at:%Y-%m-%d %H:%M} UTC"
    told = f"{again.rows:,} {again.mode} forecasts of {market.name} at {origin.date()}, {made}"
    if not again.differing:
        console.print(f"[green]identical[/]  {told}, came out the same in every bit")
    else:
        console.print(f"[red]different[/]  {told}: {again.differing:,} rows differ")
    for pin in again.missing:
        console.print(f"  missing pin: {pin}", markup=False)
    if again.differing:
        sys.exit(1)
