"""F1: commands killed with -9, at random moments and at random writes; then the same command, to its end."""

import random
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import directories, traced
from benchmarks.faults.contents import Contents, different, partial
from benchmarks.faults.directories import Directory
from benchmarks.faults.forked import Ended, FailedError
from benchmarks.faults.protocol import Outcome

LONGEST = 1 << 20
"""Bytes of a write that strace prints."""


@dataclass(frozen=True)
class Command:
    """A command that is killed, with what an undisturbed one found and left."""

    name: str
    arguments: tuple[str, ...]
    start: Directory
    before: Contents
    after: Contents
    seconds: float
    calls: list[traced.Call]


PARTS = {
    "bars": "prices,indicators",
    "training": "models",
    "forecasts": "forecasts,scores",
    "verdicts and publication": "leaderboard,signals,mart",
}
WHOLE = ("backfill", "--market", "stocks", "--start", directories.NEXT, "--end", directories.LAST)
COMMANDS = {
    "a first backfill": WHOLE,
    "a further backfill": WHOLE,
    **{name: (*WHOLE, "--assets", assets) for name, assets in PARTS.items()},
}
"""Each begins at a filled directory, except the first one; the parts find the bars up to LAST there."""


class Kills:
    """Each trial: a copy of the directory, a command, its death, what is there then, the command again."""

    name = "F1"
    continued = False
    title = "`kill -9` at random moments and at random writes, flushes, renames and removals, some writes torn"
    aim = "0 rows lost, doubled or partial; every next command proceeds"
    full = 1000
    minutes = 480.0

    def lacking(self) -> str:
        return traced.lacking()

    def prepare(self, folder: Path) -> None:
        self.work = Directory(folder / "work")
        self.log = folder / "strace.log"
        self.filled = directories.filled(folder.parent / "filled")
        self.empty = directories.empty(folder / "empty")
        self.loaded = Directory(folder / "loaded")
        self.commands: dict[str, Command] = {}

    def _command(self, name: str) -> Command:
        """A command with its undisturbed run, made when it is first drawn."""
        if name not in self.commands:
            if name in PARTS and name != "bars" and not self.loaded.folder.exists():
                self.loaded.become(self.filled)
                self.loaded.must(*WHOLE, "--assets", PARTS["bars"])
            start = {"a first backfill": self.empty, "a further backfill": self.filled, "bars": self.filled}
            self.commands[name] = self._undisturbed(name, start.get(name, self.loaded))
        return self.commands[name]

    def _undisturbed(self, name: str, start: Directory) -> Command:
        """Run it once without strace and once with it; both must leave the same."""
        found = []
        self.work.become(start)
        before = self.work.contents()
        ended = self.work.must(*COMMANDS[name])
        found.append(self.work.contents())
        self.work.become(start)
        waiting = self.work.start(*COMMANDS[name], waits=True)
        traced.run_traced(waiting, self.log, "-e", f"trace={','.join(traced.CHANGING)}")
        found.append(self.work.contents())
        if tables := different(*found):
            raise FailedError(f"{name}, run twice without any kill, leaves different tables: {', '.join(tables)}")
        calls = traced.calls(self.log, self.work.data)
        return Command(name, COMMANDS[name], start, before, found[0], ended.seconds, calls)

    def trial(self, seed: int) -> Outcome:
        draw = random.Random(f"{self.name} {seed}")
        chosen, how = self._command(draw.choice(list(COMMANDS))), draw.choice(("moment", "call", "torn"))
        self.work.become(chosen.start)
        if how == "moment":
            ended, kind = self._killed_at_a_moment(chosen, draw), "at a random moment"
        else:
            ended, kind = self._killed_at_a_call(chosen, draw, torn=how == "torn")
        if not traced.was_killed(ended):
            return Outcome(f"{chosen.name}: ended before the kill", _unexpected(ended))
        kind = f"{chosen.name}: {kind}"
        try:
            found = self.work.contents()
        except FailedError as error:
            return Outcome(kind, f"After the kill a file cannot be read: {error}")
        if assets := partial(found, chosen.before, chosen.after):
            return Outcome(kind, f"After the kill these are neither as before nor as after: {', '.join(assets)}.")
        return Outcome(kind, self._continued(chosen), numbers={"files left": self._left()})

    def _killed_at_a_moment(self, chosen: Command, draw: random.Random) -> Ended:
        child = self.work.start(*chosen.arguments)
        ended = child.wait(draw.uniform(0, chosen.seconds))
        return Ended(ended.status, ended.output, ended.seconds)

    def _killed_at_a_call(self, chosen: Command, draw: random.Random, *, torn: bool) -> tuple[Ended, str]:
        calls = [call for call in chosen.calls if not torn or call.name == "pwrite64"]
        call = draw.choice(calls)
        waiting = self.work.start(*chosen.arguments, waits=True)
        options = ("-xx", "-s", str(LONGEST)) if torn else ()
        ended = traced.run_traced(waiting, self.log, *traced.killed_at(call), *options)
        last = traced.calls(self.log, self.work.data)[-1:]
        where = f"{call.name} of {traced.group_of(call.path, self.work.data)}"
        if torn and last and traced.was_killed(ended):
            tear(last[0], draw)
            return ended, f"at a torn {where}"
        return ended, f"at {where}"

    def _continued(self, chosen: Command) -> str:
        """Run the command again; what is wrong then."""
        again = self.work.run(*chosen.arguments)
        if again.status:
            return f"The next command ended with {again.status}: {again.output[-300:].strip()}"
        if tables := different(self.work.contents(), chosen.after):
            return f"The next command left other rows than one that was never killed: {', '.join(tables)}."
        return ""

    def _left(self) -> int:
        """Files of the killed process that nothing has removed."""
        return sum(path.is_file() and (".new" in path.name or ".partial" in path.name)
                   for path in self.work.data.rglob("*"))  # fmt: skip


def tear(call: traced.Call, draw: random.Random) -> None:
    """Write a part of the data of the write that did not happen, as a disk that was interrupted in it."""
    if call.name != "pwrite64" or not call.path.exists():
        return
    content, _, rest = call.rest.partition('"')[2].partition('"')
    data = bytes.fromhex(content.replace("\\x", ""))
    offset = int(rest.removeprefix("...").strip(", ").split(",")[1].split(")")[0])
    with call.path.open("r+b") as file:
        file.seek(offset)
        file.write(data[: draw.randrange(1, max(len(data), 2))])


def _unexpected(ended: Ended) -> str:
    """A command that was quicker than its kill must have succeeded."""
    return f"It ended with {ended.status}: {ended.output[-300:].strip()}" if ended.status else ""
