"""A disk that forgets: the writes of a command, replayed up to a power cut with what was flushed by then.

After ALICE (Pillai et al., OSDI 2014): the command runs once under strace, which records every write with its data;
any number of power cuts follow from the record. No file system has to be mounted.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias

from benchmarks.faults.recorded import Step

Survives: TypeAlias = Literal["what was flushed", "what was flushed, and every name", "everything", "a part"]
SURVIVES: tuple[Survives, ...] = ("what was flushed", "what was flushed, and every name", "everything", "a part")
"""What of the unflushed a power cut leaves: nothing, renames and removals, all, or a random part torn somewhere."""


@dataclass(eq=False)
class Inode:
    """A file's content: in the cache, on the disk, and the writes since the last flush."""

    cached: bytearray
    stored: bytes
    unflushed: list[tuple[int, bytes] | int] = field(default_factory=list)
    """Each a write at an offset, or a new length."""


class Disk:
    """The files below a folder as they were, and every step since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.names = {path: Inode(bytearray(content), content) for path, content in contents.items()}
        self.stored_names = dict(self.names)

    def take(self, step: Step) -> None:
        """Apply one step to the cache; a flush brings a file, and its own new name, to the disk."""
        match step.name:
            case "open" | "create":
                if step.path not in self.names:
                    self.names[step.path] = Inode(bytearray(), b"")
                if step.name == "create":
                    self._change(self.names[step.path], 0)
            case "write":
                self._change(self.names[step.path], (step.number, step.data))
            case "ftruncate":
                self._change(self.names[step.path], step.number)
            case "flush":
                self._flush(step.path)
            case "rename":
                self.names[step.other] = self.names.pop(step.path)
            case "unlink":
                self.names.pop(step.path, None)

    def _change(self, inode: Inode, change: tuple[int, bytes] | int) -> None:
        inode.unflushed.append(change)
        apply(inode.cached, change)

    def _flush(self, path: Path) -> None:
        if path in self.names:
            inode = self.names[path]
            inode.stored, inode.unflushed = bytes(inode.cached), []
            if inode not in self.stored_names.values():
                self.stored_names[path] = inode
        else:  # a folder: its names
            for known in (self.names, self.stored_names):
                for name in [name for name in known if name.parent == path]:
                    if name in self.names:
                        self.stored_names[name] = self.names[name]
                    else:
                        self.stored_names.pop(name, None)

    def after_power_cut(self, survives: Survives, draw: Random) -> dict[Path, bytes]:
        """The files that are found when the power is back."""
        if survives == "everything":
            return {path: bytes(inode.cached) for path, inode in self.names.items()}
        if survives == "a part":
            names = draw.choice((self.names, self.stored_names))
            return {path: _some(inode, draw) for path, inode in names.items()}
        names = self.names if survives == "what was flushed, and every name" else self.stored_names
        return {path: inode.stored for path, inode in names.items()}


def _some(inode: Inode, draw: Random) -> bytes:
    """The stored content with a random part of the later writes, one of them perhaps torn."""
    content = bytearray(inode.stored)
    for change in inode.unflushed:
        if draw.random() < 0.5:
            continue
        if not isinstance(change, int) and draw.random() < 0.2:
            change = (change[0], change[1][: draw.randrange(len(change[1]) + 1)])  # noqa: PLW2901  torn
        apply(content, change)
    return bytes(content)


def apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    """Write at an offset, or set the length; what lies between is zeros."""
    if isinstance(change, int):
        del content[change:]
        content.extend(bytes(change - len(content)))
        return
    offset, data = change
    content.extend(bytes(max(offset - len(content), 0)))
    content[offset : offset + len(data)] = data
