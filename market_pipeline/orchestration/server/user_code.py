"""The code process: Dagster's code server, which loads the definitions in a process of its own and starts the runs.

Dagster's server does not notice the death of that inner process, nor that a broken markets file was corrected: every
launch fails until someone clicks Reload. A thread asks the server for the definitions, and reloads them if need be.
"""

import logging
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import click
import dagster as dg

# No public names; the version is pinned below 1.14.
from dagster._cli.code_server import code_server_cli
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from market_pipeline.orchestration.server.workspace import DEFINITIONS, CodeAddress, State

INTERVAL = 3
"""Seconds between two questions."""

LONGEST_WAIT = 60
"""Seconds between two reloads, at most; after each one without success twice as many."""

RELOAD_TIMEOUT = 180
"""Seconds that loading the definitions may take."""


MESSAGES: dict[State, str] = {
    "silent": "The process with the definitions does not answer: killed, or out of memory. It is started again.",
    "broken": "The definitions cannot be loaded; the error is above, and in the UI. They are loaded again.",
}


def serve_code(instance: dg.DagsterInstance, address: CodeAddress) -> None:
    """Serve the definitions at the address until SIGTERM or SIGINT.

    Dagster imports them with a folder before all others on the path: the instance's, which has no Python file.
    """
    stopping = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        stopping.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)  # Dagster lets SIGTERM do the same
    threading.Thread(target=keep_loaded, args=(address, stopping), daemon=True).start()
    where = ["--socket", address.socket] if address.socket else ["--host", address.host, "--port", str(address.port)]
    loaded = ["--module-name", DEFINITIONS, "--location-name", DEFINITIONS, "--log-level", "warning"]
    loaded += ["--working-directory", instance.root_directory]
    with suppress(click.Abort):  # a signal while the definitions load
        code_server_cli.main(["start", *where, *loaded], standalone_mode=False)


def keep_loaded(address: CodeAddress, stopping: threading.Event) -> None:
    """Reload the definitions whenever they cannot be had any more, until the server stops."""
    client = DagsterGrpcClient(host=address.host, port=address.port, socket=address.socket)
    while not listens(client) and not stopping.wait(INTERVAL):
        pass  # the definitions load for the first time
    wait = INTERVAL
    while not stopping.wait(wait):
        state = address.state()
        if state == "loaded":
            wait = INTERVAL
        elif not stopping.is_set():
            logging.getLogger("dagster.code_server").warning(MESSAGES[state])
            # Also raised after a reload, because the old process does not answer the request to end.
            with suppress(DagsterUserCodeUnreachableError):
                client.reload_code(RELOAD_TIMEOUT)
            wait = min(2 * wait, LONGEST_WAIT)


def listens(client: DagsterGrpcClient) -> bool:
    """Whether Dagster's server itself answers, with or without definitions."""
    try:
        client.heartbeat()
    except DagsterUserCodeUnreachableError:
        return False
    return True
