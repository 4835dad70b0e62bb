"""Where the code process listens, and the workspace that the web process and the daemon load from it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

# Dagster has no public interface for a server in a process of one's own; the version is pinned below 1.14.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import ListRepositoriesResponse
from dagster._serdes import deserialize_value
from dagster_shared.error import SerializableErrorInfo

from market_pipeline.errors import ConfigurationError

DEFINITIONS = "market_pipeline.definitions"
"""The module with the definitions, and the name of its code location, by which schedules and sensors are stored."""

LONGEST_SOCKET = 100
"""Bytes in the path of a socket: Linux takes 107, macOS 103."""

PATIENCE = 60
"""Seconds that a process waits for the code process before it starts without the definitions."""


State: TypeAlias = Literal["loaded", "broken", "silent"]
"""Of the definitions: there; not loaded, because of an error; or nothing answers."""


@dataclass(frozen=True)
class CodeAddress:
    """The address of the code process: a socket of this machine, or a host and port.

    Everyone who can connect to it can run code as its user: a port must be on a private network.
    """

    host: str = "localhost"
    port: int | None = None
    socket: str | None = None

    @classmethod
    def parse(cls, text: str) -> "CodeAddress":
        """From `unix:/path` or `host:port`.

        >>> CodeAddress.parse("10.0.0.2:4266").port
        4266
        """
        kind, _, rest = text.rpartition(":")
        if text.startswith("unix:"):
            path = str(Path(text.removeprefix("unix:")).absolute())
            if len(path.encode()) <= LONGEST_SOCKET:
                return cls(socket=path)
            raise ConfigurationError(
                f"The path of the socket {path} is longer than {LONGEST_SOCKET} bytes, which the system cannot open. "
                "Give each process a shorter one, such as --code unix:/run/market/code, or --code 127.0.0.1:4266."
            )
        if kind and rest.isdigit():
            return cls(host=kind, port=int(rest))
        raise ConfigurationError(
            f"{text!r} is no address of the code process. Give unix:/path or host:port, such as --code 127.0.0.1:4266."
        )

    @property
    def target(self) -> GrpcServerTarget:
        """The workspace with the definitions that the code process has loaded."""
        return GrpcServerTarget(host=self.host, port=self.port, socket=self.socket, location_name=DEFINITIONS)

    def state(self) -> State:
        """Whether the definitions can be had from there."""
        client = DagsterGrpcClient(host=self.host, port=self.port, socket=self.socket)
        try:
            answer = deserialize_value(client.list_repositories(), (ListRepositoriesResponse, SerializableErrorInfo))
        except DagsterUserCodeUnreachableError:
            return "silent"
        return "loaded" if isinstance(answer, ListRepositoriesResponse) else "broken"

    def wait(self) -> None:
        """Wait until it answers, at most PATIENCE; Dagster goes on trying afterwards."""
        until = time.monotonic() + PATIENCE
        while self.state() == "silent" and time.monotonic() < until:
            time.sleep(0.5)
