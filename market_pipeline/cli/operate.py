"""The command that checks an installation: doctor."""

import os
import sys
from dataclasses import asdict

import click
from rich.markup import escape

from market_pipeline.cli.serve import PORT
from market_pipeline.cli.terminal import as_json, command, console_on, print_json


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
