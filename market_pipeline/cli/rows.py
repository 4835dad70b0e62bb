"""Which published rows a command prints, in which order, how many: the options, and what they do to a table."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from market_pipeline.cli.completion import market_names
from market_pipeline.cli.terminal import as_json
from market_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

Function = Callable[..., None]

FORECAST_ORDERS = {"symbol": "symbol", "width": "width", "p-up": "p_up", "expected": "expected_return"}
VERDICT_ORDERS = {"model": "model", "skill": "skill", "p-value": "p_adjusted"}
RISK_ORDERS = {"symbol": "symbol", "var": "var_025", "shortfall": "es_025"}
PORTFOLIO_ORDERS = RISK_ORDERS | {"symbol": "portfolio"}
"""What --sort offers, and the column that each goes by."""

LARGEST_FIRST = ("width", "p_up", "expected_return", "skill")


def row_options(orders: Mapping[str, str]) -> Callable[[Function], Function]:
    """The options of a command that prints rows; it passes what it gets as `wanted` to `narrowed`."""
    options = (
        click.option("--market", default=None, help="Only this market. Default: all.", shell_complete=market_names),
        click.option("--horizon", type=int, default=None, help="Only this horizon, in sessions. Default: all."),
        click.option("--sort", type=click.Choice([*orders]), default=None, help="Sort by this instead of by name."),
        click.option("--limit", type=click.IntRange(min=1), default=None, help="At most so many rows. Default: all."),
        click.option("--csv", "csv_wanted", is_flag=True, help="Print CSV for a script."),
        as_json,
    )

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def narrowed(
    rows: "pa.Table", orders: Mapping[str, str], sort: str | None = None, limit: int | None = None, **only: Any
) -> "pa.Table":
    """The rows with these values of the columns in `only`; None is any. Missing numbers come last.

    Raises ConfigurationError, with the values there are, where none is left.
    """
    import pyarrow.compute as pc

    for column, value in only.items():
        if value is None:
            continue
        # Arrow loads pandas for a value of Python, and not for one of its own.
        there = {scalar.as_py(): scalar for scalar in rows[column].unique()}
        if value not in there:
            has = f"It has {', '.join(map(str, sorted(there)))}." if there else "Nothing has been published yet."
            raise ConfigurationError(f"The mart has nothing of the {column} {value!r}. {has}")
        rows = rows.filter(pc.equal(rows[column], there[value]))
    if sort:
        column = orders[sort]
        order = "descending" if column in LARGEST_FIRST else "ascending"
        rows = rows.sort_by([(column, order), ("market", "ascending"), ("horizon", "ascending")])
    return rows if limit is None else rows.slice(0, limit)


def print_csv(rows: "pa.Table") -> None:
    """Rows for a script, with a heading."""
    import sys

    from pyarrow.csv import write_csv

    sys.stdout.flush()
    write_csv(rows, sys.stdout.buffer)
