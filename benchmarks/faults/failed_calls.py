"""F3: input/output errors and a full disk, at each kind of system call on each kind of file."""

import importlib
import itertools
import random
import re
from pathlib import Path
from uuid import UUID

from benchmarks.faults import directories, traced
from benchmarks.faults.contents import different, partial
from benchmarks.faults.directories import Directory
from benchmarks.faults.flipped_bits import UNCLEAR
from benchmarks.faults.forked import Child, Ended, FailedError, command
from benchmarks.faults.protocol import Outcome

ARGUMENTS = (
    "backfill", "--market", "stocks", "--start", directories.NEXT, "--end", directories.NEXT, "--assets",
    "prices,models,mart",
)  # fmt: skip
"""It writes every kind of file."""

RUN = re.compile(r"^[0-9a-f]{8}-[0-9a-f-]{27}\.db")
"""The event log of one run, which has another name in the next one; of the event log the index remains."""

FULL_DISK = {"write", "pwrite64", "ftruncate", "openat", "rename", "fsync", "fdatasync"}
"""Calls that can fail because the disk is full."""


class FailedCalls:
    """Each trial: a backfill of a day of which one call fails, once or from then on; then the same without faults."""

    name = "F3"
    continued = False
    title = "EIO and ENOSPC at each kind of system call on warehouse, mart, models and event log"
    aim = "clear error, whole data, next command proceeds"
    full = 400
    minutes = 180.0

    def lacking(self) -> str:
        return traced.lacking()

    def prepare(self, folder: Path) -> None:
        self.work, self.log = Directory(folder / "work"), folder / "strace.log"
        self.start = directories.filled(folder.parent / "filled")
        self.work.become(self.start)
        self.before = self.work.contents()
        waiting = self._started()
        ended = traced.run_traced(waiting, self.log, "-e", f"trace={','.join(traced.USING)}")
        if ended.status:
            raise FailedError(f"An undisturbed backfill ended with {ended.status}: {ended.output[-500:]}")
        self.after = self.work.contents()
        self.kinds: dict[tuple[str, str], list[str]] = {}
        for call in traced.calls(self.log, self.work.data):
            if RUN.search(call.path.name):
                continue
            path = str(call.path).replace(f".{waiting.pid}.", ".{pid}.")
            paths = self.kinds.setdefault((call.name, traced.group_of(call.path, self.work.data)), [])
            if path not in paths:
                paths.append(path)

    def _started(self) -> Child:
        """A backfill that waits; the names of its unfinished files are those of every other one."""
        work = command(self.work.environment, *ARGUMENTS)

        def with_known_names() -> int:
            numbers = itertools.count()
            importlib.import_module("market_pipeline.storage.whole_files").uuid4 = lambda: UUID(int=next(numbers))
            return work()

        return Child(with_known_names, self.work.folder / "output.txt", waits=True)

    def trial(self, seed: int) -> Outcome:
        """Kinds of calls in turn; the file, the moment, the error and whether it lasts are drawn."""
        draw = random.Random(f"{self.name} {seed}")
        name, group = sorted(self.kinds)[seed % len(self.kinds)]
        error = draw.choice(("EIO", "ENOSPC")) if name in FULL_DISK else "EIO"
        when = f"{draw.choice((1, 1, 2, 3, 5))}{draw.choice(('', '+'))}"
        kind = f"{error} at {name} of {group}"
        self.work.become(self.start)
        waiting = self._started()
        path = Path(draw.choice(self.kinds[name, group]).format(pid=waiting.pid))
        injected = f"inject={name}:error={error}:when={when}"
        ended = traced.run_traced(waiting, self.log, "-P", str(path), "-e", f"trace={name}", "-e", injected)
        if "(INJECTED)" not in self.log.read_text(encoding="utf-8", errors="replace"):
            return Outcome("the call did not happen again")
        return Outcome(kind, self._fault(ended, f"{when} of {path.relative_to(self.work.data)}"))

    def _fault(self, ended: Ended, where: str) -> str:
        """What is wrong with how the command ended, what it left, and how the next one ends."""
        wrong = _ending(ended) or self._left(ended) or self._continued()
        return f"call {where}: {wrong}" if wrong else ""

    def _left(self, ended: Ended) -> str:
        try:
            found = self.work.contents()
        except FailedError as error:
            return f"afterwards a file cannot be read: {error}"
        if assets := partial(found, self.before, self.after):
            return f"afterwards neither as before nor as after: {', '.join(assets)}"
        if not ended.status and (tables := different(found, self.after)):
            return f"exit status 0, but other rows than without the fault: {', '.join(tables)}"
        return ""

    def _continued(self) -> str:
        again = self.work.run(*ARGUMENTS)
        if again.status:
            return f"the next command ended with {again.status}: {again.output[-300:].strip()}"
        tables = different(self.work.contents(), self.after)
        return f"the next command left other rows: {', '.join(tables)}" if tables else ""


def _ending(ended: Ended) -> str:
    text = " ".join(ended.output.split())[-400:]
    if ended.hung or ended.status < 0:
        return f"the command {'hung' if ended.hung else f'crashed ({ended.status})'}: {text}"
    return f"no message of its own: {text}" if any(mark in ended.output for mark in UNCLEAR) else ""
