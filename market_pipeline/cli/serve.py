"""Commands that run the server: ui starts all its processes and watches them, serve runs one of them."""

import os
import sys

import click

from market_pipeline.cli.terminal import command, console_on
from market_pipeline.errors import ConfigurationError

PORT = 3000
LOCALHOST = "127.0.0.1"
SERVE = (sys.executable, "-m", "market_pipeline.cli", "serve")

code_option = click.option(
    "--code", "address", default=None, help="unix:/path or host:port of the code process. Default: data directory."
)
child_option = click.option("--child", is_flag=True, hidden=True, help="End when standard input is closed.")


@command("market-pipeline ui", "market-pipeline ui --port 3001")
@click.option("--port", default=PORT, show_default=True)
def ui(port: int) -> None:
    """Start the Dagster web server and daemon on 127.0.0.1, and keep them running; all stop with Ctrl-C or SIGTERM."""
    from market_pipeline.cli.doctor.environment import is_taken
    from market_pipeline.config.markets_file import configured_markets
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.server.process import prepared_instance

    settings, console = Settings.from_environment(), console_on()
    configured_markets(settings)  # an error of the markets file is shown here rather than in the web server
    if is_taken(port):
        raise ConfigurationError(
            f"Port {port} of {LOCALHOST} is taken, perhaps by another Dagster. Choose one: market-pipeline ui --port "
            f"{port + 1}"
        )
    prepared_instance(settings).dispose()
    console.print(f"The Dagster UI is at [link]http://{LOCALHOST}:{port}[/link]; stop it with Ctrl-C.")
    sys.stdout.flush()
    # In the place of this process, because the checks have loaded libraries of 150 MB.
    os.execv(sys.executable, [*SERVE, "all", "--port", str(port)])  # noqa: S606  no shell is wanted


@click.group(epilog="\b\nExamples:\n  market-pipeline serve code\n  market-pipeline serve web --help")
def serve() -> None:
    """Run one process of the server, for a service manager or a container; `ui` runs all of them."""


@command("market-pipeline serve all --port 3001")
@click.option("--port", default=PORT, show_default=True)
def every(port: int) -> None:
    """All three, watched: what `ui` becomes after its checks."""
    from tempfile import TemporaryDirectory

    from market_pipeline.orchestration.server.supervisor import supervise

    with TemporaryDirectory(prefix="market-pipeline-") as folder:  # its path is short, as a socket's must be
        rest = ["--code", f"unix:{folder}/code", "--child"]
        commands = {
            "code": [*SERVE, "code", *rest],
            "daemon": [*SERVE, "daemon", *rest],
            "web": [*SERVE, "web", *rest, "--port", str(port)],
        }
        supervise(commands, lambda line: console_on().print(line, soft_wrap=True, markup=False))


@command("market-pipeline serve web --port 3001", "market-pipeline serve web --host 0.0.0.0 --code code:4266")
@code_option
@click.option("--host", default=LOCALHOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True)
@child_option
def web(address: str | None, host: str, port: int, *, child: bool) -> None:
    """The web server."""
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.server.process import run_process
    from market_pipeline.orchestration.server.web import serve_web

    settings = Settings.from_environment()
    run_process(
        lambda instance, code: serve_web(instance, code, host, port, settings.public_url),
        settings,
        address,
        child=child,
    )


@command("market-pipeline serve daemon")
@code_option
@child_option
def daemon(address: str | None, *, child: bool) -> None:
    """The daemon: schedules, sensors, backfills and the queue of runs."""
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.server.daemon import serve_daemon
    from market_pipeline.orchestration.server.process import run_process

    run_process(serve_daemon, Settings.from_environment(), address, child=child)


@command("market-pipeline serve code", "market-pipeline serve code --code 0.0.0.0:4266")
@code_option
@child_option
def code(address: str | None, *, child: bool) -> None:
    """The code process: it loads the definitions and starts the runs. Keep its address private."""
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.server.process import run_process
    from market_pipeline.orchestration.server.user_code import serve_code

    run_process(serve_code, Settings.from_environment(), address, child=child)


for name, process in {"all": every, "web": web, "daemon": daemon, "code": code}.items():
    serve.add_command(process, name)
