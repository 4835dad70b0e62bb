"""F4: the server's processes killed with -9 while a backfill is under way; does it heal alone?"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.faults import directories
from benchmarks.faults.directories import Directory
from benchmarks.faults.protocol import Outcome

MARKETS = """
[stocks]
calendar = "XNYS"
start = 2024-01-02
symbols = ["WALK1", "SIM1"]
"""
PROCESSES = {
    "worker": ("execute_run", "multiprocessing.spawn"),
    "daemon": ("serve daemon",),
    "user code": ("serve code", "api grpc"),
    "web server": ("serve web",),
    "whole tree": ("",),
}
"""What is killed, by a part of its command line."""

HEALED = 120.0
"""Seconds within which it must have healed."""

PATIENCE = 420.0
"""Seconds after which the trial is given up, so that a late healing is measured as well."""

LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { __typename ... on LaunchBackfillSuccess { backfillId } }
}
"""
STATE = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status runs { status } } }
}
"""


class KilledServers:
    """Each trial: a server, a backfill, a kill when its run has begun; then the seconds until a backfill succeeds."""

    name = "F4"
    continued = False
    title = "worker, daemon, user code, web server or the whole tree of the server killed"
    aim = "heals alone within 120 s"
    full = 50
    minutes = 240.0

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.folder = folder

    def trial(self, seed: int) -> Outcome:
        draw, kind = random.Random(f"{self.name} {seed}"), list(PROCESSES)[seed % len(PROCESSES)]
        work = Directory(self.folder / "work")
        shutil.rmtree(work.folder, ignore_errors=True)
        directories.empty(work.folder, MARKETS)
        with running_server(work) as (url, server):
            first = launch(url, "2024-01-02", "2024-02-05")
            wait_for(lambda: bool(state(url, first).get("runs")), PATIENCE, "the run to be launched")
            if kind == "worker":
                wait_for(lambda: bool(processes(server, kind)) or ended(url, first), PATIENCE, "the worker to start")
            time.sleep(draw.uniform(0, 3))
            killed = kill(server, kind)
            if not killed:
                return Outcome("it ended before the kill")
            began = time.monotonic()
            if kind != "whole tree":
                return self._healed(kind, url, first, began)
        with running_server(work) as (url, _):
            return self._healed(kind, url, first, began)

    def _healed(self, kind: str, url: str, first: str, began: float) -> Outcome:
        """Wait until the backfill, or a new one, has succeeded."""
        with suppress(TimeoutError):
            wait_for(lambda: ended(url, first), PATIENCE, "the first backfill to end")
            if state(url, first)["status"] != "COMPLETED_SUCCESS":
                again = launch(url, "2024-01-02", "2024-02-05")
                wait_for(lambda: ended(url, again), PATIENCE, "a new backfill to end")
                if state(url, again)["status"] != "COMPLETED_SUCCESS":
                    return Outcome(f"{kind} killed", "The backfill failed, and a new one as well.")
            seconds = time.monotonic() - began
            late = f"It healed after {seconds:.0f} s." if seconds > HEALED else ""
            return Outcome(f"{kind} killed", late, numbers={f"seconds until healed, {kind} killed": seconds})
        return Outcome(f"{kind} killed", f"It had not healed after {time.monotonic() - began:.0f} s.")


@contextmanager
def running_server(work: Directory) -> Iterator[tuple[str, psutil.Process]]:
    """A server of the directory that answers, with its address; ended at the end with all that it started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-W", "ignore", "-c", "from market_pipeline.cli.main import main; main()", "ui", "--port",
            str(port)]  # fmt: skip
    environment = {**os.environ, **work.environment}
    with (work.folder / "server.txt").open("ab") as log:
        process = subprocess.Popen(line, env=environment, stdout=log, stderr=log, start_new_session=True)
    server, url = psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(url), PATIENCE, "the server to answer")
        yield url, server
    finally:
        everything = tree(server)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        _, left = psutil.wait_procs(everything, 20)
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def tree(server: psutil.Process) -> list[psutil.Process]:
    """The server and all that it started."""
    with suppress(psutil.NoSuchProcess):
        return [server, *server.children(recursive=True)]
    return []


def processes(server: psutil.Process, kind: str) -> list[psutil.Process]:
    """Those of a kind."""
    found = []
    for one in tree(server):
        with suppress(psutil.NoSuchProcess):
            line = " ".join(one.cmdline())
            if any(part in line for part in PROCESSES[kind]):
                found.append(one)
    return found


def kill(server: psutil.Process, kind: str) -> int:
    """SIGKILL for all processes of a kind, the server itself only with the whole tree; how many there were."""
    victims = [one for one in processes(server, kind) if kind == "whole tree" or one != server]
    for one in victims:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    return len(victims)


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """An answer of the server's API; empty while it does not answer."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answered:  # noqa: S310  our own address
            content: dict[str, Any] = json.load(answered)
    except (OSError, ValueError):
        return {}
    return content.get("data") or {}


def answers(url: str) -> bool:
    """Whether the server has loaded the definitions."""
    nodes = ask(url, "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
    return bool(nodes.get("repositoriesOrError", {}).get("nodes"))


def launch(url: str, first: str, last: str) -> str:
    """Launch a backfill of bars and indicators; its id. The user code may have to come back first."""
    span = {"start": first, "end": last}
    by_assets = [{"assetKey": {"path": ["stocks", asset]}, "partitions": {"range": span}}
                 for asset in ("prices", "indicators")]  # fmt: skip
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = ask(url, LAUNCH, params={"partitionsByAssets": by_assets}).get("launchPartitionBackfill", {})
        if "backfillId" in found:
            return str(found["backfillId"])
        time.sleep(2)
    raise TimeoutError("No backfill could be launched.")


def state(url: str, identifier: str) -> dict[str, Any]:
    """Status of a backfill and its runs."""
    return ask(url, STATE, id=identifier).get("partitionBackfillOrError") or {}


def ended(url: str, identifier: str) -> bool:
    return str(state(url, identifier).get("status", "")).startswith(("COMPLETED", "FAILED", "CANCELED"))


def wait_for(done: Any, seconds: float, what: str) -> None:
    """Raise TimeoutError when it is not done in time."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.5)
