"""A Ray cluster for tests: a head with its own folder and ports, and workers beside it, ended after use."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from market_pipeline_tests.cluster.services import answers, free_port

LOCAL = "127.0.0.1"

PATIENCE = 180.0
"""Seconds for a head to answer."""

STARTS = 4
"""How often a head is started: Ray ends one whose parts need more than 30 s, a number that no setting changes, and
beside other tests a slow machine needs more."""

CLIENTS = {"RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "180"}
"""How long a process that serves a client may take to start; 30 s by default."""


@dataclass
class Cluster:
    """A head and its workers, each in a process group of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    client: int = field(default_factory=free_port)
    dashboard: int = field(default_factory=free_port)
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """What MARKET_PIPELINE_COMPUTE names."""
        return f"{LOCAL}:{self.port}"

    def start_head(self, cpus: int, runs: int = 0) -> None:
        """Start the head, which computes and executes runs as well, and return when it answers."""
        for _ in range(STARTS):
            head = self._start(
                "--head", f"--port={self.port}", f"--ray-client-server-port={self.client}", f"--num-cpus={cpus}",
                f"--dashboard-port={self.dashboard}", f"--temp-dir={self.folder}", "--object-store-memory=200000000",
                *slots(runs),
            )  # fmt: skip
            if self._answers(head):
                return
            kill(head)
        log = (self.folder / f"node-{len(self.nodes) - 1}.log").read_text(encoding="utf-8", errors="replace")
        raise AssertionError(f"Ray's head did not start; its last output:\n{log[-3000:]}")

    def _answers(self, head: subprocess.Popen[bytes]) -> bool:
        """Whether the head answers at each of its ports before it ends."""
        end = time.monotonic() + PATIENCE
        for port in (self.port, self.client, self.dashboard):
            while not answers(LOCAL, port):
                if head.poll() is not None or time.monotonic() > end:
                    return False
                time.sleep(0.1)
        return True

    def start_worker(self, cpus: int, runs: int = 0) -> subprocess.Popen[bytes]:
        """One more node."""
        memory = "--object-store-memory=200000000"
        return self._start(f"--address={self.address}", f"--num-cpus={cpus}", memory, *slots(runs))

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        line = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats", *options]
        line.append(f"--dashboard-agent-listen-port={free_port()}")  # else each host has one cluster
        with (self.folder / f"node-{len(self.nodes)}.log").open("w") as log:
            node = subprocess.Popen(
                [*line, f"--node-ip-address={LOCAL}"], stdout=log, stderr=log, start_new_session=True,
                env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | CLIENTS,
            )  # fmt: skip
        self.nodes.append(node)
        return node

    def stop(self) -> None:
        """End every node with all that it started."""
        for node in reversed(self.nodes):
            kill(node)


def slots(runs: int) -> list[str]:
    """The option for as many runs at once."""
    return [f'--resources={{"run": {runs}}}'] if runs else []


def kill(node: subprocess.Popen[bytes]) -> None:
    """End a node at once, as a machine ends that loses its power."""
    if node.poll() is None:
        for process in [*psutil.Process(node.pid).children(recursive=True), node]:
            with suppress(psutil.NoSuchProcess):  # it ended with the one before it
                process.send_signal(signal.SIGKILL)
    node.wait(timeout=60)


@contextmanager
def ray_cluster(cpus: int = 2, runs: int = 0) -> Iterator[Cluster]:
    """A running head with so many CPUs, for so many runs at once."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start_head(cpus, runs)
            yield cluster
        finally:
            cluster.stop()
