"""Commands that keep a home in order: doctor, ui."""

import os
import sys
from dataclasses import asdict

import click
from rich.markup import escape

from market_pipeline.cli.terminal import as_json, console_on, markets_of, one_paragraph, print_json
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError

PORT = 3000


@click.command(
    epilog="""\b
Examples:
  market-pipeline doctor
  market-pipeline doctor --json | jq '.[] | select(.well | not)'"""
)
@click.option("--port", default=PORT, show_default=True, help="Where the web server is, or is to be.")
@as_json
@one_paragraph
def doctor(port: int, *, json_wanted: bool) -> None:
    """Check settings, source, home, warehouse, models, sessions and mart; say what is wrong and how to mend it.

    Changes nothing. Ends with exit status 1 when anything is to be mended.
    """
    from market_pipeline.cli.doctor.diagnosis import diagnose

    findings = diagnose(os.environ, port)
    if json_wanted:
        print_json([asdict(finding) for finding in findings])
    else:
        console = console_on()
        for finding in findings:
            mark = "[green]ok[/]  " if finding.well else "[red]mend[/]"
            console.print(f"{mark} [bold]{finding.subject}[/]: {escape(finding.words)}", soft_wrap=True)
    if not all(finding.well for finding in findings):
        sys.exit(1)


@click.command(
    epilog="""\b
Examples:
  market-pipeline ui
  market-pipeline ui --port 3001"""
)
@click.option("--port", default=PORT, show_default=True)
@one_paragraph
def ui(port: int) -> None:
    """Start the Dagster web server and daemon on 127.0.0.1; both stop with Ctrl-C."""
    from market_pipeline.cli.doctor.environment import taken
    from market_pipeline.config.settings import remember_source
    from market_pipeline.orchestration.runs import open_instance

    settings, console = Settings.from_environment(), console_on()
    markets_of(settings)
    if taken(port):
        raise ConfigurationError(
            f"Port {port} of 127.0.0.1 is taken, perhaps by another Dagster. Choose one: market-pipeline ui --port "
            f"{port + 1}"
        )
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
