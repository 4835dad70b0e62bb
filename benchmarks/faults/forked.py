"""Work in forked children of a process that has imported everything: no trial pays the seconds of a start.

The parent never starts a thread and opens no database, because a child would inherit their locks.
"""

import importlib
import os
import pickle
import pkgutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

Answer = TypeVar("Answer")

PATIENCE = 180.0
"""Seconds after which a child counts as hung."""

SETTINGS = "MARKET_PIPELINE_"

HEAVY = (
    "arch", "exchange_calendars", "jinja2", "matplotlib.pyplot", "scipy.optimize",
    "scipy.stats", "sklearn.ensemble", "statsforecast",
)  # fmt: skip
"""What the pipeline imports where it is used."""

CLUSTER = ("dagster_postgres", "dagster_ray", "obstore", "psycopg2", "ray")
"""Packages of several hosts; one machine lacks them, and imports none of the modules that need them."""


class FailedError(Exception):
    """Work in a child ended with an exception; the message is its class and text."""


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    status: int
    """Its exit status; minus the signal that ended it."""
    output: str
    seconds: float
    hung: bool = False


class Child:
    """A forked process in a process group of its own, whose output goes to a file.

    With `waits`, the work begins at `release`: so that another process can be attached before.
    """

    def __init__(self, work: Callable[[], int], output: Path, *, waits: bool = False) -> None:
        self.output = output
        reading, self._gate = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._gate)
            _run(work, output, reading)
        os.close(reading)
        self.began = time.monotonic()
        if not waits:
            self.release()

    def release(self) -> None:
        os.close(self._gate)
        self.began = time.monotonic()

    def kill(self) -> None:
        """SIGKILL for the child and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):  # before it has made its group
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = PATIENCE) -> Ended:
        """Wait for its end, and end it after `seconds`."""
        hung = False
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if not hung and time.monotonic() - self.began > seconds:
                hung = True
                self.kill()
            time.sleep(0.005)
        ended = os.waitstatus_to_exitcode(status)
        text = self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""
        return Ended(ended, text, time.monotonic() - self.began, hung)


def _run(work: Callable[[], int], output: Path, gate: int) -> NoReturn:
    """The child's whole life."""
    status = 70
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  it lives as long as the process
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.read(gate, 1)
        status = work()
    except BaseException:  # noqa: BLE001  the parent reads it in the output
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def answer(work: Callable[[], Answer], folder: Path, seconds: float = PATIENCE) -> Answer:
    """What `work` returns in a child; raises FailedError with its exception, or when it hangs or crashes."""
    result, output = folder / "answer.pickle", folder / "answer.txt"
    result.unlink(missing_ok=True)

    def calling() -> int:
        try:
            content: tuple[bool, Any] = (True, work())
        except Exception as error:  # noqa: BLE001  handed to the parent
            content = (False, f"{type(error).__name__}: {' '.join(str(error).split())}")
        result.write_bytes(pickle.dumps(content))
        return 0

    ended = Child(calling, output).wait(seconds)
    if ended.status or not result.exists():
        raise FailedError(f"ended with {ended.status}{', hung' if ended.hung else ''}: {ended.output[-500:]}")
    good, found = pickle.loads(result.read_bytes())  # noqa: S301  written by the child a moment ago
    if not good:
        raise FailedError(found)
    value: Answer = found
    return value


def command(environment: Mapping[str, str], *arguments: str) -> Callable[[], int]:
    """The work of `market-pipeline` with these arguments; returns the exit status."""

    def work() -> int:
        for name in [name for name in os.environ if name.startswith(SETTINGS)]:
            del os.environ[name]
        os.environ.update(environment)
        main = importlib.import_module("market_pipeline.cli.main").main
        try:
            main.main(list(arguments), prog_name="market-pipeline")
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else int(left.code is not None)
        return 0

    return work


def share_calendars(markets: Path) -> None:
    """Make the calendars of a markets file in this process, where its children find them: half a second of each."""
    for market in importlib.import_module("market_pipeline.config.markets_file").load_markets(markets):
        _ = market.calendar


def import_everything() -> None:
    """Import what commands need, so that children find it; raises FailedError if that starts a Python thread.

    The allocators of Arrow and DuckDB have threads of their own, which a child does not need. Plots of the Dagster UI,
    a third of a run's time, become an empty image.
    """
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    package = importlib.import_module("market_pipeline")
    for module in pkgutil.walk_packages(package.__path__, "market_pipeline."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name not in CLUSTER:
                    raise
    for name in HEAVY:
        importlib.import_module(name)
    figure = importlib.import_module("matplotlib.figure").Figure
    figure.savefig = lambda _, file, **__: file.write(b"")
    if threading.active_count() > 1:
        raise FailedError("An import has started a thread, so children cannot be forked safely.")
