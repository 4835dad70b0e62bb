"""F1: commands killed with -9 again and again, at random moments and writes; then the same command, to its end."""

import random
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import directories, traced
from benchmarks.faults.contents import LOG, NOTHING, Contents, different, partial
from benchmarks.faults.directories import Directory
from benchmarks.faults.forked import Ended, FailedError
from benchmarks.faults.protocol import Outcome

LONGEST = 1 << 20
"""Bytes of a write that strace prints."""

KILLS = 4
"""Of a command in a row, until it is left to succeed: each kill is a trial, and meets what the ones before it left."""


@dataclass(frozen=True)
class Command:
    """A command that is killed, with what an undisturbed one found and left."""

    name: str
    arguments: tuple[str, ...]
    start: Directory
    before: Contents
    after: Contents
    """Without the log of requests."""
    requests: frozenset[tuple[str, ...]]
    """The log of requests afterwards."""
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
    """Each seed: a copy of the directory, a command, its deaths, what is there after each, the command to its end."""

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
        before = self._contents()
        ended = self.work.must(*COMMANDS[name])
        found.append(self._contents())
        requests = self.work.requests()
        self.work.become(start)
        waiting = self.work.start(*COMMANDS[name], waits=True)
        traced.run_traced(waiting, self.log, "-e", f"trace={','.join(traced.CHANGING)}")
        found.append(self._contents())
        if tables := different(*found):
            raise FailedError(f"{name}, run twice without any kill, leaves different tables: {', '.join(tables)}")
        calls = traced.calls(self.log, self.work.data)
        return Command(name, COMMANDS[name], start, before, found[0], requests, ended.seconds, calls)

    def _contents(self) -> Contents:
        """The tables; the log of requests grows with each repetition, and is compared by its lines."""
        return {table: found for table, found in self.work.contents().items() if table != LOG}

    def trial(self, seed: int) -> Outcome:
        """One command, killed again and again, and in the end left to succeed; each kill counts."""
        draw = random.Random(f"{self.name} {seed}")
        chosen = self._command(draw.choice(list(COMMANDS)))
        self.work.become(chosen.start)
        kinds, fault, killed = list[str](), "", True
        while killed and not fault and len(kinds) < KILLS:
            ended, kind, fault = self._killed(chosen, draw)
            killed = traced.was_killed(ended)
            fault = fault if killed else _unexpected(ended)
            kinds.append(f"{chosen.name}: {kind if killed else 'ended before the kill'}")
        fault = f"kill {len(kinds)} in a row: {fault}" if fault else self._continued(chosen)
        return Outcome(kinds[-1], fault, numbers={"files left": self._left()}, others=tuple(kinds[:-1]))

    def _killed(self, chosen: Command, draw: random.Random) -> tuple[Ended, str, str]:
        """A command's death: how it ended, where it was killed, and what is wrong with what is there then."""
        how = draw.choice(("moment", "call", "torn"))
        if how == "moment":
            ended, kind = self._killed_at_a_moment(chosen, draw), "at a random moment"
        else:
            ended, kind = self._killed_at_a_call(chosen, draw, torn=how == "torn")
        try:
            found, lacking = self._contents(), chosen.requests - self.work.requests()
        except FailedError as error:
            return ended, kind, f"After the kill a file cannot be read: {error}"
        assets = partial(found, chosen.before, chosen.after)
        if lacking and found.get("prices", NOTHING) != chosen.before.get("prices", NOTHING):
            assets.append("bars without the log of their request")
        wrong = f"After the kill these are neither as before nor as after: {', '.join(assets)}." if assets else ""
        return ended, kind, wrong

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
        tables = different(self._contents(), chosen.after)
        tables += [f"{LOG}, without {line}" for line in chosen.requests - self.work.requests()]
        if tables:
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
