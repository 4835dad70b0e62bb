"""Progress of long work: every planned run, how far each is, and an estimate of the time left."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from market_pipeline.orchestration.backfill import PlannedRun
from market_pipeline.orchestration.runs import Progress as Show

WIDE = 150
"""Characters of a terminal from which on the newest line of a run's log fits, too."""

MEMORY = 7200.0
"""Seconds of progress from which the time left is estimated: a part takes minutes, half a minute has no progress."""


EVERY = 30.0
"""Seconds between the lines of a run where there is no terminal."""


Begin: TypeAlias = Callable[[int], AbstractContextManager[Show]]
"""Begins the run at a place of those that are followed, and has the function that shows its progress, until its end."""


@contextmanager
def followed(console: Console, planned: Sequence[PlannedRun]) -> Iterator[Begin]:
    """Shows planned runs, of which several may be under way at once.

    On a terminal a live table; elsewhere one line when a run begins, one now and then, and one when it has ended.
    """
    if not console.is_terminal:
        yield partial(_line, console, planned)
        return
    whole = Column(no_wrap=True)
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", markup=False, table_column=Column()),
        BarColumn(bar_width=16), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn(whole),
        TextColumn("[dim]left[/]"), TimeRemainingColumn(elapsed_when_finished=False, table_column=whole),
        *([TextColumn("{task.fields[line]}", style="dim", markup=False)] if console.width >= WIDE else []),
    )  # fmt: skip
    with Progress(*columns, console=console, speed_estimate_period=MEMORY) as progress:
        tasks = [progress.add_task(_label(run), line="", total=run.parts, start=False) for run in planned]
        yield lambda place: _row(progress, tasks[place], planned[place])


@contextmanager
def _row(progress: Progress, task: TaskID, run: PlannedRun) -> Iterator[Show]:
    progress.start_task(task)
    yield lambda done, parts, line: progress.update(task, completed=done, total=parts, line=line, refresh=True)
    progress.update(task, completed=run.parts, line="")


@contextmanager
def _line(console: Console, planned: Sequence[PlannedRun], place: int) -> Iterator[Show]:
    title = f"[{place + 1} of {len(planned)}]"
    console.print(f"{title} {_label(planned[place])} ...", markup=False, soft_wrap=True)
    began = time.monotonic()
    yield _now_and_then(console, title, began)
    console.print(f"{title} done in {time.monotonic() - began:.0f} s", markup=False)


def _now_and_then(console: Console, title: str, began: float) -> Show:
    """Print a line once the last one is EVERY seconds old: parts, time, an estimate of the rest, the log's line."""
    printed = began

    def show(done: int, parts: int, line: str) -> None:
        nonlocal printed
        now = time.monotonic()
        if now - printed < EVERY:
            return
        printed, elapsed = now, now - began
        left = f", about {elapsed * (parts - done) / done:.0f} s left" if 0 < done < parts else ""
        newest = f": {line}" if line else ""
        console.print(
            f"{title} {done} of {parts} parts after {elapsed:.0f} s{left}{newest}", markup=False, soft_wrap=True
        )

    return show


def _label(run: PlannedRun) -> str:
    return f"{run.title}, {run.first} to {run.last}"
