"""The command line: all commands, in the order of `--help`."""

import os
import sys
import warnings

import click

import market_pipeline.config.process  # noqa: F401  numpy reads what it sets, when it loads
from market_pipeline import __version__
from market_pipeline.cli.completion import completion
from market_pipeline.cli.operate import doctor
from market_pipeline.cli.read import agents, export, forecast, replay, verdicts
from market_pipeline.cli.risk import risk
from market_pipeline.cli.run import backfill, demo, run
from market_pipeline.cli.serve import serve, ui

EPILOG = """\b
Exit status:
  0  success
  1  an error: one paragraph on stderr states the cause and the fix;
     also doctor with something to fix, and replay with a difference
  2  a command, option or value that does not exist

Settings (environment): {variables}. NO_COLOR turns colours off.

\b
Examples:
  market-pipeline demo
  market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-06-28
  market-pipeline forecast AAPL"""


class InOrder(click.Group):
    """A group whose help lists the commands as they were added, and ends with EPILOG."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Load the settings for the help only: pydantic takes longer than a command that reads."""
        from market_pipeline.config.settings import variables

        self.epilog = EPILOG.format(variables=", ".join(variables()))
        super().format_epilog(ctx, formatter)


@click.group(
    cls=InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="market-pipeline")
def main() -> None:
    """Market forecasts, each with an honest verdict against a random walk."""
    if not sys.warnoptions:  # PYTHONWARNINGS or -W: somebody looks for them
        warnings.showwarning = lambda *_args, **_more: None  # arch and yfinance put filters before any of ours
        os.environ["PYTHONWARNINGS"] = "ignore"  # for the processes that a command starts


for command in (demo, backfill, run, forecast, risk, verdicts, export, agents, doctor, ui, serve, replay, completion):
    main.add_command(command)
