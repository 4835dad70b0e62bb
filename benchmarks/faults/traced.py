"""System calls of a command on its data directory: listed, and one of them failed or made its last, by strace."""

import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.forked import Child, Ended, FailedError

MISSING = "strace is not installed (apt-get install strace)"

CHANGING = ("write", "pwrite64", "sendfile", "fsync", "fdatasync", "rename", "unlink", "ftruncate")
"""Calls that change what is stored."""

USING = (*CHANGING, "openat", "read", "pread64")
"""The same, and those that open and read."""

BEGIN = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")
BY_DESCRIPTOR = re.compile(r"^(?P<descriptor>\d+)<(?P<path>[^>]*)>")
BY_NAME = re.compile(r'"(?P<path>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """One system call on a file of the data directory."""

    name: str
    path: Path
    number: int
    """How many calls of this name its thread had made, this one included."""
    rest: str
    """Its arguments and result as strace prints them."""


def lacking() -> str:
    return "" if shutil.which("strace") else MISSING


class Strace:
    """strace on a child that waits for its release, and on all its threads."""

    def __init__(self, child: Child, log: Path, *options: str) -> None:
        line = ["strace", "-f", "-y", "-o", str(log), *options, "-p", str(child.pid)]
        self.process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        first = self.process.stderr.readline()
        if "attached" not in first:
            child.kill()
            child.wait()
            raise FailedError(f"strace could not attach: {first}")

    def end(self) -> None:
        """Wait until it has written its log."""
        self.process.wait()


def run_traced(child: Child, log: Path, *options: str) -> Ended:
    """Release a waiting child under strace, and wait for both."""
    strace = Strace(child, log, *options)
    child.release()
    ended = child.wait()
    strace.end()
    return ended


def lines(log: Path) -> Iterator[tuple[int, str, str]]:
    """Thread, name and the rest of each call, in the order in which they began; the parts of a line are joined."""
    begun: dict[int, tuple[int, str, str]] = {}
    found: list[tuple[int, str, str]] = []
    places: dict[int, int] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := RESUMED.match(line):
            thread = int(match["thread"])
            if thread in begun:
                place = places.pop(thread)
                _, name, rest = begun.pop(thread)
                found[place] = (thread, name, rest + match["rest"])
        elif match := BEGIN.match(line):
            thread, rest = int(match["thread"]), match["rest"]
            entry = (thread, match["name"], rest.removesuffix(" <unfinished ...>"))
            if rest.endswith("<unfinished ...>"):
                begun[thread], places[thread] = entry, len(found)
            found.append(entry)
    yield from found


def calls(log: Path, folder: Path) -> list[Call]:
    """The calls of a log on files below `folder`, in order."""
    made: Counter[tuple[int, str]] = Counter()
    found = []
    for thread, name, rest in lines(log):
        made[thread, name] += 1
        by = BY_NAME.search(rest) if name in ("rename", "unlink", "openat") else BY_DESCRIPTOR.match(rest)
        path = Path(plain(by["path"])) if by else Path()
        if path.is_relative_to(folder):
            found.append(Call(name, path, made[thread, name], rest))
    return found


def plain(text: str) -> str:
    """Text that strace prints as it is, or each byte as `\\x61`."""
    return bytes_of(text).decode(errors="replace") if text.startswith("\\x") else text


def bytes_of(text: str) -> bytes:
    """The bytes that strace prints as `\\x61\\x62`."""
    return bytes.fromhex(text.replace("\\x", ""))


def killed_at(call: Call) -> tuple[str, ...]:
    """Options of strace that end the process where `call` was, instead of it."""
    return "-e", f"trace={','.join(CHANGING)}", "-e", f"inject={call.name}:signal=SIGKILL:when={call.number}"


def was_killed(ended: Ended) -> bool:
    return ended.status == -signal.SIGKILL


def group_of(path: Path, data: Path) -> str:
    """The kind of a file of the data directory, for counting."""
    if path.is_dir():
        return "a folder"
    name, top = path.name, path.relative_to(data).parts[0]
    if name.endswith(".new.wal") or ".new" in name:
        return "a new mart" if name.startswith("mart") else "a new file"
    if top == "models":
        return "a model"
    if top == "dagster":
        return "Dagster's settings" if name.startswith("dagster.yaml") else "the event log"
    kinds = {"warehouse.duckdb": "the warehouse", "warehouse.duckdb.wal": "the warehouse's log",
             "mart.duckdb": "the mart", "report.html": "the report", "source": "the note of the source"}  # fmt: skip
    return kinds.get(name, "another file")
