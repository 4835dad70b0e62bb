"""The services of deploy/compose.yaml, each on a host of its own.

They start by the file's commands, with its environment, once those that they depend on meet their conditions. The end
ends everything that runs on the hosts, and removes them.
"""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from market_pipeline_tests.cluster import services
from market_pipeline_tests.cluster.hosts import ENTER, NAMES, NO_SERVER, SHARED, Network
from market_pipeline_tests.compose import COMPOSE, Service, services_of

PROGRAMS = {"rclone/rclone": ("rclone",)}
"""The program that the image of another project starts; `postgres` is started by `services.Postgres`."""

POSTGRES = 5432
SCRATCH = f"{SHARED}/market-pipeline"
"""The scratch folder, which the image makes."""

PATIENCE = 300.0
"""Seconds until a service is healthy: machines of tests are slow."""


@dataclass
class Cluster:
    """The services of the compose file on their hosts."""

    folder: Path
    variables: Mapping[str, str]
    """Those of the file, as in .env."""
    started_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What starts a service's host, such as `taskset` with the only core that it may use."""
    without: Sequence[str] = ()
    """Services that are not started."""
    network: Network = field(default_factory=Network)
    catalogue: services.Postgres = field(init=False)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        every = services_of(self.variables)
        self.services = {name: service for name, service in every.items() if name not in self.without}

    def start(self) -> None:
        """Make the hosts, and start the services in their order; returns when all that have a check are healthy."""
        self.network.make(list(self.services))
        lines = ["127.0.0.1 localhost", *(f"{self.network.address(name)} {name}" for name in self.services)]
        for name in self.services:
            for part in ("srv/market-pipeline", "ray"):
                (self.folder / name / part).mkdir(parents=True)
            (self.folder / name / "hosts").write_text("\n".join(lines) + "\n", encoding="utf-8")
            (self.folder / name / "resolv.conf").write_text(NO_SERVER, encoding="utf-8")
        healthy = set[str]()  # asked once: each question to a Python service is another start of it
        started = [service for service in self.services.values() if not service.profiles]
        for service in started:
            for other in service.after:
                if other not in healthy:
                    self.wait_until_healthy(other)
                    healthy.add(other)
            self.start_service(service.name)
        for service in started:
            if service.health and service.name not in healthy:
                self.wait_until_healthy(service.name)

    def supervise(self) -> None:
        """Start again what has ended by itself, where the file has it so, until the end of the cluster."""
        while not self.ended.wait(1.0):
            for name, process in list(self.running.items()):
                if process.poll() is not None and self.services[name].restarts:
                    self.start_service(name)

    def start_service(self, name: str) -> None:
        """Start one service on its host, for the first time or again."""
        service = self.services[name]
        if service.image.startswith("postgres"):
            self._start_postgres(service)
            return
        log = (self.folder / f"{name}.log").open("ab")
        line = [*self._entry(service), *self._command(service)]
        # In a group of its own, so that Ctrl-C reaches the tests alone, which end it.
        self.running[name] = subprocess.Popen(
            line, env=self._environment(service), stdout=log, stderr=log, stdin=subprocess.DEVNULL, process_group=0
        )

    def kill(self, name: str) -> None:
        """End everything on a host at once, as a host ends that loses its power."""
        if name == "catalog":
            self.catalogue.stop()
        elif process := self.running.pop(name, None):
            process.send_signal(signal.SIGKILL)  # its first process, and with it all others, end with it
            process.wait(timeout=services.PATIENCE)

    def stop(self) -> None:
        """End all services and remove the hosts."""
        for name in reversed(list(self.running)):
            self.kill(name)
        if hasattr(self, "catalogue"):
            if (self.catalogue.folder / "data" / "postmaster.pid").exists():
                self.catalogue.stop()
            shutil.rmtree(self.catalogue.folder)
        self.network.remove()

    def run(self, name: str, command: Sequence[str], *, seconds: float = 900, **variables: str) -> str:
        """The output of a command on the host of a service, as `docker compose exec` or, if it does not run, `run`."""
        service = self.services[name]
        ended = subprocess.run(
            [*self._inside(service), *command], env=self._environment(service) | variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, f"{' '.join(command)} on {name}: {ended.stdout}{ended.stderr}\n{self.report()}"
        return ended.stdout

    def wait_until_healthy(self, name: str) -> None:
        """Ask by the file's own command until it succeeds."""
        service, until = self.services[name], time.monotonic() + PATIENCE
        while True:
            process = self.running.get(name)
            if process is None or process.poll() is None:
                asked = subprocess.run(
                    [*self._inside(service), *service.health], env=self._environment(service),
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE,
                )  # fmt: skip
                if asked.returncode == 0:
                    return
            assert time.monotonic() < until, f"{name} is not healthy.\n{self.report()}"
            time.sleep(0.5)

    def report(self) -> str:
        """The end of each log."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {log.stem}\n{log.read_text(encoding='utf-8', errors='replace')[-1500:]}" for log in logs)

    def _start_postgres(self, service: Service) -> None:
        if not hasattr(self, "catalogue"):
            self.catalogue = services.Postgres(
                self.network.address(service.name), POSTGRES, ("ip", "netns", "exec", self.network.hosts[service.name])
            )
            self.catalogue.password = service.environment["POSTGRES_PASSWORD"]
            self.catalogue.options = service.command[1:]
            self.catalogue.make()
            self.catalogue.start()
            self.catalogue.make_database(service.environment["POSTGRES_DB"])
        else:
            self.catalogue.start()

    def _inside(self, service: Service) -> list[str]:
        """A command's way onto the host of a service: to its processes, or as the first one."""
        if process := self.running.get(service.name):
            return [
                "nsenter",
                "--target",
                first_process(process),
                "--all",
                "sh",
                "-c",
                f'cd {SCRATCH}; exec "$@"',
                "sh",
            ]
        if service.image.startswith("postgres"):
            space = self.network.hosts[service.name]
            return ["ip", "netns", "exec", space, "sh", "-c", f'{NAMES}; exec "$@"', str(self.folder / service.name)]
        return self._entry(service)

    def _entry(self, service: Service) -> list[str]:
        """The start of a host's first process."""
        folder = self.folder / service.name
        volumes = [str(part) for source, target in service.volumes for part in (self._volume(source), target)]
        return [
            *self.started_by.get(service.name, ()),
            "ip", "netns", "exec", self.network.hosts[service.name], "unshare", "--uts", "--ipc", "--pid", "--fork",
            "--kill-child", "--mount-proc", "sh", "-ec", ENTER, str(folder), service.name, *volumes, "--",
        ]  # fmt: skip

    def _command(self, service: Service) -> list[str]:
        return [*PROGRAMS.get(service.image.partition(":")[0], ()), *service.command]

    def _environment(self, service: Service) -> dict[str, str]:
        """The environment of the image, then that of the service."""
        program = services.postgres_programs()
        path = f"{Path(sys.executable).parent}:{program}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return {"PATH": path, "HOME": SCRATCH, "LANG": "C.UTF-8", **service.environment}

    def _volume(self, source: str) -> Path:
        """The folder of a volume: named ones lie below the logs, others are given or lie beside the file."""
        path = COMPOSE.parent / source if source.startswith((".", "/")) else self.folder / "volumes" / source
        if not path.is_dir():
            path = self.folder / "volumes" / path.name
            path.mkdir(parents=True, exist_ok=True)
        return path.absolute()


def first_process(process: subprocess.Popen[bytes]) -> str:
    """The number of a host's first process, once `unshare` has started it."""
    until = time.monotonic() + services.PATIENCE
    while not (children := Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8")):
        assert process.poll() is None, "the host ended before it began"
        assert time.monotonic() < until
        time.sleep(0.1)
    return children.split()[0]


@contextmanager
def cluster(folder: Path, variables: Mapping[str, str], **options: object) -> Iterator[Cluster]:
    """The running cluster; its logs stay in the folder."""
    made = Cluster(folder, variables, **options)  # type: ignore[arg-type]
    supervisor = threading.Thread(target=made.supervise)
    with ExitStack() as end:
        end.callback(made.stop)
        end.callback(supervisor.join)
        end.callback(made.ended.set)
        supervisor.start()
        made.start()
        yield made
