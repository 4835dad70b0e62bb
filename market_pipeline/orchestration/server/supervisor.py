"""Runs the processes of the server: starts each one, starts it again when it ends, and ends all of them with itself.

Knows commands and signals; nothing of Dagster.

Each process leads a process group, so that what it starts ends with it. Its standard input is a pipe that only this
process can write to: when this process dies, even by SIGKILL, the system closes the pipe, and the group ends itself.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

from market_pipeline.errors import ServerError

ORDERLY = 2.0
"""Seconds that each process has to end, with what it started."""

GRACE = 12.0
"""Seconds from the first SIGTERM to SIGKILL."""

STEADY = 60.0
"""Seconds after which a process counts as started well: its next end is the first one again."""

LIMIT = 5
"""Ends in a row, each within STEADY, after which starting it again is useless."""

LONGEST_WAIT = 30
"""Seconds between an end and the next start, at most; after the first end it is one second, then twice as long."""

TICK = 0.2
"""Seconds between two looks at the processes."""

Report = Callable[[str], None]


@dataclass
class Watched:
    """A process that must run."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0
    """When it was started, on the monotonic clock."""
    due: float = 0
    """When to start it, on the monotonic clock."""
    ends: int = 0
    """Ends in a row."""
    groups: set[int] = field(default_factory=set)
    """Its process groups with members, those of earlier starts included: a killed process may leave runs behind."""

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  our own commands
        self.started = time.monotonic()
        self.groups.add(self.process.pid)

    def look(self, report: Report) -> None:
        """Start it if it is due; note its end. Raises ServerError when it keeps ending."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start()
            return
        status = self.process.poll()
        if status is not None:
            self._ended(status, now, report)

    def _ended(self, status: int, now: float, report: Report) -> None:
        self.ends = 1 if now - self.started > STEADY else self.ends + 1
        self.process = None
        if self.ends >= LIMIT:
            raise ServerError(
                f"The {self.name} process ended {LIMIT} times in a row, the last time with {reason(status)}. "
                "Its messages are above; market-pipeline doctor checks the installation."
            )
        wait = min(2 ** (self.ends - 1), LONGEST_WAIT)
        self.due = now + wait
        report(f"The {self.name} process ended with {reason(status)}; it is started again in {wait} s.")

    def send(self, number: int) -> bool:
        """Send a signal to all its groups, 0 to look only; whether any has members."""
        if self.process is not None:
            self.process.poll()
        for group in list(self.groups):
            with suppress(ChildProcessError):  # as process 1 of a container, this process inherits what others leave
                while os.waitpid(-group, os.WNOHANG)[0]:
                    pass
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                self.groups.discard(group)
        return bool(self.groups)


def supervise(commands: Mapping[str, Sequence[str]], report: Report) -> None:
    """Run the named commands until SIGTERM, SIGINT or SIGHUP; raises ServerError when one keeps ending.

    A command may need the earlier ones. Every process has ended when this returns, GRACE after the signal at most.
    """
    watched = [Watched(name, command) for name, command in commands.items()]
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, on_signal)
    try:
        while not stop.wait(TICK):
            for one in watched:
                one.look(report)
    finally:
        end(watched)


def end(watched: Sequence[Watched]) -> None:
    """End every process, the last one first, then what it has started and not ended itself, such as runs."""
    began = time.monotonic()
    for one in reversed(watched):
        if one.process is not None:
            one.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(ORDERLY)
    for one in watched:
        one.send(signal.SIGTERM)
    while [one for one in watched if one.send(0)] and time.monotonic() < began + GRACE:
        time.sleep(TICK)
    for one in watched:
        one.send(signal.SIGKILL)
        if one.process is not None:
            one.process.wait()


def reason(status: int) -> str:
    """How a process ended.

    >>> reason(1), reason(-9)
    ('exit status 1', 'SIGKILL')
    """
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def end_with_parent() -> None:
    """From a process that `supervise` started: end its group when the pipe on standard input is closed."""

    def wait_for_end() -> None:
        while os.read(0, 1):
            pass
        threading.Thread(target=end_group).start()  # not a daemon: it outlives the main thread

    def end_group() -> None:
        os.killpg(0, signal.SIGTERM)
        time.sleep(GRACE)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait_for_end, daemon=True).start()
