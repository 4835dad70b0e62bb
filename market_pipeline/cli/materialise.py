"""Planned runs of commands: one after the other, or those of two markets at once, each market in its own process."""

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from io import StringIO
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING, Any

from rich.console import Console

from market_pipeline.errors import MarketPipelineError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from market_pipeline.cli.progress import Begin
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.backfill import PlannedRun
    from market_pipeline.orchestration.runs import Progress

AT_ONCE = 2
"""Markets, as in dagster.yaml: a laptop stays usable."""


def materialise(console: Console, settings: "Settings", planned: "Sequence[PlannedRun]") -> list[dict[str, Any]]:
    """Execute planned runs one after the other, and show the progress; the runs with their seconds."""
    from market_pipeline.cli.progress import followed
    from market_pipeline.orchestration.instance import open_instance

    done = []
    with open_instance(settings) as instance, followed(console, planned) as begin:
        for place, run in enumerate(planned):
            with begin(place) as show:
                done.append(_executed(settings, instance, run, show))
    return done


def materialise_markets(
    console: Console, settings: "Settings", markets: "Sequence[Sequence[PlannedRun]]"
) -> tuple[list[dict[str, Any]], list[str]]:
    """Execute the runs of each market one after the other; the runs with their seconds, and the failures.

    Where a process can compute on a core of its own, two markets are under way at once. A market that fails stops no
    other one.
    """
    from joblib import cpu_count

    from market_pipeline.cli.progress import followed
    from market_pipeline.compute.selection import on_several_hosts
    from market_pipeline.orchestration.instance import open_instance

    if len(markets) > 1 and cpu_count() > 1 and not on_several_hosts(settings):
        with open_instance(settings):  # which is made once, not by two processes at once
            pass
        with followed(console, [run for runs in markets for run in runs]) as begin:
            return _at_once(settings, markets, begin)
    done, failures = list[dict[str, Any]](), list[str]()
    for runs in markets:
        try:
            done += materialise(console, settings, runs)
        except MarketPipelineError as error:
            failures.append(str(error))
    return done, failures


@dataclass(eq=False)
class _Market:
    """The process that executes the runs of a market."""

    runs: "Sequence[PlannedRun]"
    first: int
    """The place of its first run among those of all markets."""
    process: "SpawnProcess"
    messages: connection.Connection
    shown: "dict[int, tuple[ExitStack, Progress]]" = field(default_factory=dict)
    done: list[dict[str, Any]] | None = None
    failure: str = ""

    def take(self, begin: "Begin") -> bool:
        """Take the next message; whether there may be more."""
        try:
            message = self.messages.recv()
        except (EOFError, OSError):  # between two messages, and within one
            self.process.join()
            if self.done is None and not self.failure:
                self.failure = (
                    f"{self.runs[0].market}: the process that computed it was ended from outside, or by an error that "
                    f"is printed above (exit code {self.process.exitcode}). Mostly the system does that where memory "
                    "is short. Free some, then run the command again; what was stored is whole."
                )
            return False
        match message:
            case str():
                self.failure = message
            case list():
                self.done = message
            case place, None:
                self.shown[place][0].close()
            case place, progress:
                if place not in self.shown:
                    until_its_end = ExitStack()
                    self.shown[place] = until_its_end, until_its_end.enter_context(begin(self.first + place))
                self.shown[place][1](*progress)
        return True


def _at_once(
    settings: "Settings", markets: "Sequence[Sequence[PlannedRun]]", begin: "Begin"
) -> tuple[list[dict[str, Any]], list[str]]:
    places = [sum(map(len, markets[:number])) for number in range(len(markets))]
    waiting, every = deque(zip(markets, places, strict=True)), list[_Market]()
    under_way = list[_Market]()
    try:
        while waiting or under_way:
            while waiting and len(under_way) < AT_ONCE:
                under_way.append(_started(settings, *waiting.popleft()))
                every.append(under_way[-1])
            ready = connection.wait([one.messages for one in under_way])
            for one in [one for one in under_way if one.messages in ready]:
                if not one.take(begin):
                    under_way.remove(one)
    finally:
        for one in under_way:  # of a command that is interrupted
            one.process.terminate()
            one.process.join()
    return [run for one in every for run in one.done or ()], [one.failure for one in every if one.failure]


def _started(settings: "Settings", runs: "Sequence[PlannedRun]", first: int) -> _Market:
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_of_market, args=(settings, runs, there, os.getpid()))
    process.start()
    there.close()  # so that the end of the process is the end of its messages
    return _Market(runs, first, process, here)


def _of_market(
    settings: "Settings", runs: "Sequence[PlannedRun]", messages: connection.Connection, parent: int
) -> None:
    """In its own process: execute the runs, and send how far each is, then all of them or the failure."""
    from market_pipeline.compute.processes import belong_to
    from market_pipeline.orchestration.instance import open_instance

    belong_to(parent)
    signal.signal(signal.SIGTERM, _interrupted)
    done = []
    try:
        with open_instance(settings) as instance:
            for place, run in enumerate(runs):
                messages.send((place, (0, run.parts, "")))
                done.append(_executed(settings, instance, run, lambda *now, place=place: messages.send((place, now))))
                messages.send((place, None))
    except MarketPipelineError as error:
        messages.send(str(error))
    else:
        messages.send(done)


def _interrupted(*_: object) -> None:
    """As Ctrl-C: the run that is under way ends as cancelled. The process that was interrupted prints that it was."""
    sys.stderr = StringIO()
    raise KeyboardInterrupt


def _executed(settings: "Settings", instance: Any, run: "PlannedRun", show: "Progress") -> dict[str, Any]:
    """A run that was executed here, or that a daemon launched on any host, with its seconds; in Dagster's instance."""
    from market_pipeline.compute.selection import on_several_hosts
    from market_pipeline.definitions import build_definitions
    from market_pipeline.orchestration.runs import execute
    from market_pipeline.orchestration.submission import submit

    began, start = time.monotonic(), submit if on_several_hosts(settings) else execute
    start(run, build_definitions(settings), instance, show)
    return asdict(run) | {"seconds": round(time.monotonic() - began, 1)}
