"""The demo's directory, commands run in it, and its web server.

Handles processes, not images.
"""

# ruff: noqa: INP001, S310, S603  a script beside its page; it runs fixed commands

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = 124
"""Characters in a line of the terminal."""

BACKFILLS = """
{ partitionBackfillsOrError(limit: 1) { ... on PartitionBackfills {
  results { id status runs { id status tags { key value } } } } } }
"""
LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { __typename ... on LaunchBackfillSuccess { backfillId } }
}
"""
READY = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


@dataclass(frozen=True)
class DemoDirectory:
    """The demo's directory, and how commands run in it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MARKET_PIPELINE_")}
        source = {"MARKET_PIPELINE_SOURCE": "simulated"}
        look = {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "0", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        return inherited | source | look | {"COLUMNS": str(COLUMNS), "PYTHONWARNINGS": "ignore"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from market_pipeline.cli.main import main; main()", *arguments]

    def run(self, *arguments: str) -> list[str]:
        """The lines a command prints; raises RuntimeError if it fails."""
        ended = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise RuntimeError(
                f"market-pipeline {' '.join(arguments)} failed: {ended.stderr[-800:]}{ended.stdout[-800:]}"
            )
        return ended.stdout.rstrip().replace(str(self.folder) + "/", "").split("\n")


@dataclass(frozen=True)
class Server:
    """The running web server of a demo directory."""

    url: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data

    def is_ready(self) -> bool:
        try:
            return bool(self.ask(READY)["repositoriesOrError"]["nodes"])
        except (OSError, KeyError):
            return False

    def newest_backfill(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(BACKFILLS)["partitionBackfillsOrError"]["results"][0]
        return found

    def launch(self, market: str, asset: str, first: str, last: str) -> None:
        """Launch a backfill of a range; raises RuntimeError if it is refused."""
        chosen = {"assetKey": {"path": [market, asset]}, "partitions": {"range": {"start": first, "end": last}}}
        answer = self.ask(LAUNCH, params={"partitionsByAssets": [chosen]})["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise RuntimeError(f"The server refused the backfill of {asset}: {answer}")


@contextmanager
def serving(demo: DemoDirectory) -> Iterator[Server]:
    """The web server and daemon on a free port; ends them and their child processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (demo.folder / "server.log").open("wb") as log:
        command = demo.command("ui", "--port", str(port))
        process = subprocess.Popen(
            command, cwd=demo.folder, env=demo.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield Server(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):  # child processes that are still running
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(what: str, done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} was not ready within {seconds:.0f} seconds.")
        time.sleep(0.5)
