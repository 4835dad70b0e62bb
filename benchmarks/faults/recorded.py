"""The steps in which a command changed files, read from a log of strace that has the data of every write."""

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.traced import BY_DESCRIPTOR, bytes_of, lines, plain

REPLAYED = ("openat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "lseek")
UNKNOWN = ("writev", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile", "link", "renameat2")
"""Calls that would change a file and are not replayed; a record with one is refused."""

OPTIONS = ("-xx", "-s", "1000000000", "-e", f"trace={','.join((*REPLAYED, *UNKNOWN))}",
           "-e", "inject=sendfile:error=EINVAL")  # fmt: skip
"""Of strace, for a log that `steps` can read: where sendfile fails, Python copies a file by reads and writes."""

ACKNOWLEDGED = b"done"
"""What a command writes to its output once its work is acknowledged."""

RESULT = re.compile(r"\) += ")
"""Between arguments and result: strace aligns results where a line is short, as that of a call which was resumed is."""

TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True)
class Step:
    """One change of a file, or a flush."""

    name: str
    path: Path
    other: Path = Path()
    """The new name, of a rename."""
    data: bytes = b""
    number: int = 0
    """Offset of a write, or a new length."""


class Reader:
    """Keeps the places at which open files are written next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[Step] = []
        self.acknowledged = -1
        self._places: dict[tuple[str, Path], int] = {}

    def take(self, name: str, rest: str) -> None:
        """One successful call with its arguments and result."""
        texts = [bytes_of(text) for text, _ in TEXT.findall(rest)]
        by = BY_DESCRIPTOR.match(rest)
        descriptor = by["descriptor"] if by else ""
        path = Path(plain(by["path"]).removesuffix(" (deleted)") if by else texts[0].decode() if texts else "")
        if name == "write" and descriptor == "1" and texts == [ACKNOWLEDGED]:
            self.acknowledged = len(self.steps)
        if not path.is_relative_to(self.folder):
            return
        if name in UNKNOWN or '"...' in rest:
            raise ValueError(f"{name} of {path} cannot be replayed: {rest[:200]}")
        if name in ("fsync", "fdatasync"):
            self.steps.append(Step("flush", path))
        elif name == "rename":
            self.steps.append(Step(name, path, Path(texts[1].decode())))
        elif name == "unlink":
            self.steps.append(Step(name, path))
        elif name == "openat":
            self._opened(path, rest)
        else:
            self._written(name, path, descriptor, texts, rest)

    def _opened(self, path: Path, rest: str) -> None:
        self._places[rest.rpartition("= ")[2].partition("<")[0], path] = 0
        if "O_TRUNC" in rest:
            self.steps.append(Step("create", path))
        elif "O_CREAT" in rest:
            self.steps.append(Step("open", path))

    def _written(self, name: str, path: Path, descriptor: str, texts: list[bytes], rest: str) -> None:
        arguments, result = RESULT.split(rest)
        if name == "lseek":
            self._places[descriptor, path] = int(result)
        elif name == "ftruncate":
            self.steps.append(Step(name, path, number=int(arguments.rpartition(", ")[2])))
        elif name == "pwrite64":
            self.steps.append(Step("write", path, data=texts[0], number=int(arguments.rpartition(", ")[2])))
        else:
            place = self._places.get((descriptor, path), 0)
            self.steps.append(Step("write", path, data=texts[0], number=place))
            self._places[descriptor, path] = place + len(texts[0])


def steps(log: Path, folder: Path) -> tuple[list[Step], int]:
    """The steps of a log below `folder`, and how many came before the work was acknowledged; -1 if it never was."""
    reader = Reader(folder)
    for _, name, rest in lines(log):
        if " = -1 " not in rest:
            reader.take(name, rest)
    return reader.steps, reader.acknowledged
