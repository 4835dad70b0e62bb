"""Commands that read what is published or stored: forecast, verdicts, export, agents, replay."""

import datetime as dt
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from market_pipeline.cli.completion import market_names, symbol_names, table_names
from market_pipeline.cli.rows import FORECAST_ORDERS, VERDICT_ORDERS, narrowed, print_csv, row_options
from market_pipeline.cli.terminal import DATE, command, console_on, market_of, print_behind, print_json

if TYPE_CHECKING:
    import pyarrow as pa

    from market_pipeline.storage.freshness import Freshness


@command(
    "market-pipeline forecast AAPL",
    "market-pipeline forecast --market stocks --horizon 5 --sort width --limit 10",
    "market-pipeline forecast AAPL --json | jq '.[] | {horizon, p_up, verdict}'",
)
@click.argument("symbol", required=False, shell_complete=symbol_names)
@row_options(FORECAST_ORDERS)
def forecast(symbol: str | None, *, csv_wanted: bool, json_wanted: bool, **wanted: Any) -> None:
    """Print the published forecasts of one symbol, or of all, with the verdict.

    Per cents are simple returns from the newest close; width is that of the 80 % range. In JSON and CSV, returns are
    log returns and probabilities fractions; in JSON, sessions_behind is how many sessions are due after the newest one.
    """
    import pyarrow.compute as pc

    from market_pipeline.cli.tables import print_forecast, print_signals
    from market_pipeline.mart.read import read_forecast, read_rows
    from market_pipeline.storage.publication import published

    mart = published().newest()
    rows = read_forecast(mart, symbol) if symbol else read_rows(mart, "signals")
    rows = rows.append_column("width", pc.subtract(rows["high_80"], rows["low_80"]))
    rows = narrowed(rows, FORECAST_ORDERS, **wanted).drop_columns("width")
    found = warn_of_old_prices(mart, rows["market"].unique().to_pylist(), for_script=json_wanted or csv_wanted)
    if json_wanted:
        print_json([row | {"sessions_behind": found[row["market"]].behind} for row in rows.to_pylist()])
    elif csv_wanted:
        print_csv(rows)
    elif symbol:
        print_forecast(console_on(), rows)
    else:
        print_signals(console_on(), rows)


@command(
    "market-pipeline verdicts",
    "market-pipeline verdicts --market stocks --horizon 5 --sort p-value",
    """market-pipeline verdicts --json | jq '.[] | select(.verdict == "beats_baseline")'""",
)
@row_options(VERDICT_ORDERS)
def verdicts(*, csv_wanted: bool, json_wanted: bool, **wanted: Any) -> None:
    """Print each model's skill against the random walk, and whether it is significant."""
    from market_pipeline.cli.tables import print_verdicts
    from market_pipeline.mart.read import read_rows
    from market_pipeline.storage.publication import published

    mart = published().newest()
    rows = narrowed(read_rows(mart, "leaderboard"), VERDICT_ORDERS, **wanted)
    if not printed_for_script(mart, rows, csv_wanted=csv_wanted, json_wanted=json_wanted):
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

    Returns are log returns, probabilities fractions. Old prices are warned of on stderr.
    """
    from market_pipeline.mart.export import export as write
    from market_pipeline.storage.publication import published

    mart = published().newest()
    rows = write(mart, table, file.absolute(), filters)
    console_on().print(f"{rows:,} rows of {table} in {file}", markup=False)
    warn_of_old_prices(mart, [filters["market"]] if filters["market"] else [], for_script=True)


@command("market-pipeline agents")
def agents() -> None:
    """Serve the mart to agents on standard input and output, by the Model Context Protocol; read-only."""
    from market_pipeline.mart.agent_server import serve_agents

    serve_agents()


def printed_for_script(mart: Path, rows: "pa.Table", *, csv_wanted: bool, json_wanted: bool) -> bool:
    """Print rows as JSON or CSV, where either is wanted; False where a person reads them. Old prices are warned of."""
    warn_of_old_prices(mart, rows["market"].unique().to_pylist(), for_script=json_wanted or csv_wanted)
    if json_wanted:
        print_json(rows.to_pylist())
    elif csv_wanted:
        print_csv(rows)
    return json_wanted or csv_wanted


def warn_of_old_prices(mart: Path, markets: Collection[Any], *, for_script: bool) -> "dict[str, Freshness]":
    """Print a line for each of `markets`, or of all, that is behind; the age of every market.

    Above what is printed, or on stderr beside what a script reads.
    """
    from market_pipeline.mart.ages import read_freshness

    found = {one.market: one for one in read_freshness(mart, dt.datetime.now(dt.UTC))}
    print_behind(console_on(stderr=for_script), [one for one in found.values() if one.market in (markets or found)])
    return found


@command("market-pipeline replay --market stocks --origin 2024-03-15")
@click.option("--market", "name", required=True, help="A market of the markets file.", shell_complete=market_names)
@click.option("--origin", type=DATE, required=True, help="The session whose forecasts are recomputed.")
def replay(name: str, origin: dt.datetime) -> None:
    """Recompute the stored forecasts of an origin and compare them to the last bit.

    Prints what has changed since they were made: code, libraries, own models, fitted models or bars. Ends with exit
    status 1 when they differ.
    """
    from market_pipeline.config.settings import Settings
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
