"""Commands that operate an installation: doctor, ui."""

import os
import sys
from dataclasses import asdict

import click
from rich.markup import escape

from market_pipeline.cli.terminal import as_json, command, console_on, print_json
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError

PORT = 3000


@command("market-pipeline doctor", "market-pipeline doctor --json | jq '.[] | select(.ok | not)'")
@click.option("--port", default=PORT, show_default=True, help="Port of the web server.")
@as_json
def doctor(port: int, *, json_wanted: bool) -> None:
    """Check settings, source, data directory, warehouse, models, sessions and mart; print what is wrong, and the fix.

    Changes nothing. Ends with exit status 1 when anything is wrong.
    """
    from market_pipeline.cli.doctor.diagnosis import diagnose

    findings = diagnose(os.environ, port)
    if json_wanted:
        print_json([asdict(finding) for finding in findings])
    else:
        console = console_on()
        for finding in findings:
            mark = "[green]ok[/]  " if finding.ok else "[red]fix[/] "
            console.print(f"{mark} [bold]{finding.subject}[/]: {escape(finding.message)}", soft_wrap=True)
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@command("market-pipeline ui", "market-pipeline ui --port 3001")
@click.option("--port", default=PORT, show_default=True)
def ui(port: int) -> None:
    """Start the Dagster web server and daemon on 127.0.0.1; both stop with Ctrl-C."""
    from market_pipeline.cli.doctor.environment import is_taken
    from market_pipeline.config.markets_file import configured_markets
    from market_pipeline.config.settings import remember_source
    from market_pipeline.orchestration.instance import open_instance

    settings, console = Settings.from_environment(), console_on()
    configured_markets(settings)  # an error of the markets file is shown here rather than in the web server
    if is_taken(port):
        raise ConfigurationError(
            f"Port {port} of 127.0.0.1 is taken, perhaps by another Dagster. Choose one: market-pipeline ui --port "
            f"{port + 1}"
        )
    open_instance(settings).dispose()
    remember_source(settings.home, settings.source)
    environment = os.environ | {
        "DAGSTER_HOME": str(settings.dagster_home),
        "MARKET_PIPELINE_HOME": str(settings.home),
        "PYTHONWARNINGS": "ignore",
    }
    console.print(f"The Dagster UI is at [link]http://127.0.0.1:{port}[/link]; stop it with Ctrl-C.")
    arguments = ["-m", "dagster", "dev", "-m", "market_pipeline.definitions", "-h", "127.0.0.1", "-p", str(port)]
    os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606  no shell is wanted
