"""Commands that read what is published or stored: forecast, verdicts, export, agents, replay."""

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from market_pipeline.cli.completion import market_names, symbol_names, table_names
from market_pipeline.cli.terminal import DATE, as_json, command, console_on, market_of, print_behind, print_json
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

    from market_pipeline.storage.freshness import Freshness


@command(
    "market-pipeline forecast AAPL",
    "market-pipeline forecast",
    "market-pipeline forecast AAPL --json | jq '.[] | {horizon, p_up, verdict}'",
)
@click.argument("symbol", required=False, shell_complete=symbol_names)
@as_json
def forecast(symbol: str | None, *, json_wanted: bool) -> None:
    """Print the published forecasts of one symbol, or of all, with the verdict.

    Per cents are simple returns from the newest close. In JSON, returns are log returns and probabilities fractions;
    sessions_behind is how many sessions are due after the newest one.
    """
    from market_pipeline.cli.tables import print_forecast, print_signals
    from market_pipeline.mart.read import read_forecast, read_rows
    from market_pipeline.storage.publication import published

    mart = published().newest()
    rows = read_forecast(mart, symbol) if symbol else read_rows(mart, "signals")
    found = _warn_of_old_prices(mart, rows, json_wanted=json_wanted)
    if json_wanted:
        print_json([row | {"sessions_behind": found[row["market"]].behind} for row in rows.to_pylist()])
    elif symbol:
        print_forecast(console_on(), rows)
    else:
        print_signals(console_on(), rows)


@command(
    "market-pipeline verdicts",
    "market-pipeline verdicts --market stocks",
    """market-pipeline verdicts --json | jq '.[] | select(.verdict == "beats_baseline")'""",
)
@click.option("--market", "name", default=None, help="Only this market. Default: all.", shell_complete=market_names)
@as_json
def verdicts(name: str | None, *, json_wanted: bool) -> None:
    """Print each model's skill against the random walk, and whether it is significant."""
    from market_pipeline.cli.tables import print_verdicts
    from market_pipeline.mart.read import read_rows
    from market_pipeline.storage.publication import published

    mart = published().newest()
    rows = read_rows(mart, "leaderboard", market=name)
    if name is not None and not rows.num_rows:
        judged = sorted(set(read_rows(mart, "leaderboard")["market"].to_pylist()))
        there = f"It has {', '.join(judged)}." if judged else "No forecast has been scored yet."
        raise ConfigurationError(f"The mart has no verdicts of a market {name!r}. {there}")
    _warn_of_old_prices(mart, rows, json_wanted=json_wanted)
    if json_wanted:
        print_json(rows.to_pylist())
    else:
        print_verdicts(console_on(), rows)


@command(
    "market-pipeline export signals signals.csv",
    "market-pipeline export forecasts aapl.xlsx --symbol AAPL --since 2024-01-02",
    "market-pipeline export scores scores.parquet --market stocks --horizon 5",
)
@click.argument("table", shell_complete=table_names)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--market", default=None, help="Only this market.", shell_complete=market_names)
@click.option("--symbol", default=None, help="Only this symbol.", shell_complete=symbol_names)
@click.option("--horizon", type=int, default=None, help="Only this horizon, in sessions.")
@click.option("--model", default=None, help="Only this model.")
@click.option("--since", type=DATE, default=None, help="From this session or origin on.")
@click.option("--until", type=DATE, default=None, help="Up to this session or origin.")
def export(table: str, file: Path, **filters: str | int | dt.datetime | None) -> None:
    """Write a table of the mart to a file: CSV, Parquet or XLSX, by the ending of its name.

    Returns are log returns, probabilities fractions.
    """
    from market_pipeline.mart.export import export as write
    from market_pipeline.storage.publication import published

    rows = write(published().newest(), table, file.absolute(), filters)
    console_on().print(f"{rows:,} rows of {table} in {file}", markup=False)


@command("market-pipeline agents")
def agents() -> None:
    """Serve the mart to agents on standard input and output, by the Model Context Protocol; read-only."""
    from market_pipeline.mart.agent_server import serve_agents

    serve_agents()


def _warn_of_old_prices(mart: Path, rows: "pa.Table", *, json_wanted: bool) -> "dict[str, Freshness]":
    """Print a line for each market of `rows` that is behind, above them or on stderr; the age of every market."""
    from market_pipeline.mart.ages import read_freshness

    found = {one.market: one for one in read_freshness(mart, dt.datetime.now(dt.UTC))}
    shown = rows["market"].unique().to_pylist()
    print_behind(console_on(stderr=json_wanted), [one for one in found.values() if one.market in shown])
    return found


@command("market-pipeline replay --market stocks --origin 2024-03-15")
@click.option("--market", "name", required=True, help="A market of the markets file.", shell_complete=market_names)
@click.option("--origin", type=DATE, required=True, help="The session whose forecasts are recomputed.")
def replay(name: str, origin: dt.datetime) -> None:
    """Recompute the stored forecasts of an origin and compare them to the last bit.

    Prints what has changed since they were made: code, libraries, own models, fitted models or bars. Ends with exit
    status 1 when they differ.
    """
    from market_pipeline.forecasts.replay import replay as recompute
    from market_pipeline.storage.selection import open_warehouse
    from market_pipeline.storage.store import open_store

    settings, console = Settings.from_environment(), console_on()
    market = market_of(settings, name)
    results = recompute(open_warehouse(settings), market, origin.date(), open_store(settings))
    for result in results:
        mark, outcome = "[green]identical[/]", "no rows differ"
        if result.differing is None:
            mark, outcome = "[yellow]unknown[/]", "nothing to compare them with"
        elif result.differing:
            mark, outcome = "[red]different[/]", f"{result.differing:,} rows differ"
        console.print(
            f"{mark}  {result.rows:,} {result.mode} forecasts of {name} at {origin.date()}, made "
            f"{result.made_at:%Y-%m-%d %H:%M} UTC: {outcome}"
        )
        for reason in result.changed:
            console.print(f"  changed since: {reason}", markup=False)
    if any(result.differing for result in results):
        sys.exit(1)
