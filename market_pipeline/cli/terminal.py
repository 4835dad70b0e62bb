"""What every command shares: where it prints, how an error ends it, how a script reads it."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click
from rich.console import Console
from rich.markup import escape

from market_pipeline.config.markets import Market, load_markets, packaged_config
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError, MarketPipelineError

Words = ParamSpec("Words")

UNREAD = 160
"""Columns of a table that goes to a file or a pipe, where no window says how wide it may be."""

DATE = click.DateTime(["%Y-%m-%d"])

as_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON for a script; progress goes to stderr.")


def console_on(*, stderr: bool = False) -> Console:
    """Rich colours on a terminal only, and never with NO_COLOR; outside one, tables are not squeezed."""
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or os.environ.get("COLUMNS") else UNREAD
    return Console(stderr=stderr, width=wide, highlight=False)


def one_paragraph(command: Callable[Words, None]) -> Callable[Words, None]:
    """Turn whatever goes wrong into one paragraph on stderr and exit status 1."""

    @wraps(command)
    def guarded(*args: Words.args, **kwargs: Words.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except MarketPipelineError as error:
            _end(str(error))
        except KeyboardInterrupt:
            _end("Interrupted. What was stored is whole: run the same command again to go on.")
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("MARKET_PIPELINE_TRACEBACK"):
                raise
            _end(_unforeseen(error))

    return guarded


def _end(words: str) -> None:
    console_on(stderr=True).print(f"[bold red]Error:[/] {escape(words)}", soft_wrap=not sys.stderr.isatty())
    sys.stderr.flush()
    sys.exit(1)


def _unforeseen(error: Exception) -> str:
    """A failure of the machine in its own words, and any other as the fault of the program that it is."""
    words = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"{words}. Mend that, then run the command again; what was stored is whole."
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}: {words}. This is a fault of the "
        "program: please report it, with what MARKET_PIPELINE_TRACEBACK=1 shows. What was stored is whole."
    )


def print_json(content: Any) -> None:
    """Content for a script; days and times as ISO 8601 writes them."""
    click.echo(json.dumps(content, indent=2, default=str))


def markets_of(settings: Settings) -> tuple[Market, ...]:
    """Every market that is configured."""
    return load_markets(settings.config or packaged_config(settings.source))


def market_of(settings: Settings, name: str) -> Market:
    """One market by its name; raises ConfigurationError with the names there are."""
    markets = {market.name: market for market in markets_of(settings)}
    if name not in markets:
        raise ConfigurationError(f"There is no market {name!r}. The markets are {', '.join(markets)}.")
    return markets[name]


def say_where(console: Console, settings: Settings) -> None:
    """Where what was published lies."""
    console.print(f"\nreport  {settings.report}\nmart    {settings.mart}", soft_wrap=True, markup=False)
