"""What every command shares: its declaration, the console, JSON, and how an error ends it."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from market_pipeline.errors import ConfigurationError, MarketPipelineError

if TYPE_CHECKING:
    from market_pipeline.config.markets import Market
    from market_pipeline.config.settings import Settings
    from market_pipeline.storage.freshness import Freshness
    from market_pipeline.storage.publication import Publication

Arguments = ParamSpec("Arguments")

UNLIMITED = 160
"""Columns of a table that goes to a file or a pipe, where there is no window."""

VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
"""Control characters, with what is printed in place of them."""

DATE = click.DateTime(["%Y-%m-%d"])

as_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON for a script; progress goes to stderr.")


def command(*examples: str) -> Callable[[Callable[Arguments, None]], click.Command]:
    """Declare a command whose help ends with examples; an error ends it as `one_paragraph` does."""
    epilog = "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])
    return lambda function: click.command(epilog=epilog)(one_paragraph(function))


def one_paragraph(function: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Turn any error into one paragraph on stderr and exit status 1."""

    @wraps(function)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except MarketPipelineError as error:
            _exit(str(error))
        except KeyboardInterrupt:
            _exit("Interrupted. What was stored is whole: run the same command again to go on.")
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("MARKET_PIPELINE_TRACEBACK"):
                raise
            _exit(_unexpected(error))

    return guarded


def _exit(message: str) -> None:
    console_on(stderr=True).print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=not sys.stderr.isatty())
    sys.stderr.flush()
    sys.exit(1)


def _unexpected(error: Exception) -> str:
    """An error of the operating system in its own words; any other as a bug of the program."""
    message = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"{message}. Fix that, then run the command again; what was stored is whole."
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}: {message}. This is a bug of the "
        "program: please report it, with the output of MARKET_PIPELINE_TRACEBACK=1. What was stored is whole."
    )


class TextConsole(Console):
    """A console on which text is text: an escape sequence in a file, or of a vendor, is printed and changes nothing."""

    def render_str(self, text: str, **form: Any) -> Text:
        """Replace them before a line is measured, so that none is cut."""
        return super().render_str(text.translate(VISIBLE), **form)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Replace what came as a Text, such as a symbol in a table; styles are no part of the text yet."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else text.translate(VISIBLE), style, control)


def console_on(*, stderr: bool = False) -> Console:
    """Colours on a terminal only, and never with NO_COLOR; outside a terminal, tables are not squeezed."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else UNLIMITED
    return TextConsole(stderr=stderr, width=width, highlight=False, emoji=False)


def print_json(content: Any) -> None:
    """Content for a script; days and times in ISO 8601."""
    click.echo(json.dumps(content, indent=2, default=str))


def print_addresses(console: Console, publication: "Publication") -> None:
    """Where the report and the mart are."""
    console.print(f"\nreport  {publication.report}\nmart    {publication.address}", soft_wrap=True, markup=False)


def print_behind(console: Console, found: Iterable["Freshness"]) -> None:
    """A line for each market whose newest session is not the one that its calendar expects."""
    for one in found:
        if one.behind != 0:
            console.print(f"[bold yellow]Old prices:[/] {escape(str(one))}", soft_wrap=True)


def market_of(settings: "Settings", name: str) -> "Market":
    """One market by its name; raises ConfigurationError with the names there are."""
    from market_pipeline.config.markets_file import configured_markets

    markets = {market.name: market for market in configured_markets(settings)}
    if name not in markets:
        raise ConfigurationError(f"There is no market {name!r}. The markets are {', '.join(markets)}.")
    return markets[name]
