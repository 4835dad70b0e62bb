"""Files that appear whole or not at all: written beside their place, then renamed; one process at a time for some.

Knows paths and bytes. Knows nothing of what a file holds.
"""

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from market_pipeline.config.places import remembered_source, source_marker
from market_pipeline.errors import WarehouseError

PATIENCE = 600.0
"""Seconds to wait for another process that writes the same file."""

UNFINISHED = ("*.new", "*.new.wal", "*.partial", "duckdb_temp_*")
"""Files that are not in place yet: `*.partial` are models of version 0.1.0, `duckdb_temp_*` are sorted."""

SORTS = "spill"
"""The folder for external sorts in a data directory: one below it for each process."""

LEFT_AFTER = dt.timedelta(days=1)
"""An unfinished file that nobody has written to for this long was left by a process that was killed."""


def beside(path: Path, suffix: str) -> Path:
    """A path in the same folder.

    >>> beside(Path("data/mart.duckdb"), "new").as_posix()
    'data/mart.duckdb.new'
    """
    return path.with_name(f"{path.name}.{suffix}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, such that readers, kills and power cuts find the old content or the new one, never a part of it."""
    with new_file(path) as new:
        new.write_bytes(content)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what was written takes its place at the end, unless an error is raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = beside(path, f"{uuid4().hex}.new")
    try:
        yield new
        put_in_place(new, path)
    finally:
        new.unlink(missing_ok=True)


def put_in_place(new: Path, path: Path) -> None:
    """Rename a complete file or folder, once it and then its name are on the disk."""
    _flush(new)
    new.replace(path)
    _flush(path.parent)


def remove_durably(path: Path) -> None:
    """Remove a file if it is there, such that it is not there after a power cut."""
    if path.exists():
        path.unlink()
        _flush(path.parent)


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Keep other processes and threads from doing the same with a file or folder, such as "published".

    A thread that has it may ask for it again. Raises WarehouseError when another one has not ended within PATIENCE.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(beside(path, "lock"), timeout=PATIENCE, is_singleton=True):
            yield
    except Timeout:
        raise WarehouseError(
            f"{path} is being {doing} by another process, which has not ended within {PATIENCE:.0f} seconds. Wait for "
            "it, or end it; the file is not harmed by that."
        ) from None


def remove_unfinished(folder: Path, now: dt.datetime) -> list[int]:
    """Remove what killed processes have left in a folder and below it; the sizes in bytes."""
    found = {path for pattern in UNFINISHED for path in folder.rglob(pattern) if path.is_file()}
    return [size for path in sorted(found) if (size := remove_older(path, now - LEFT_AFTER)) is not None]


def remove_older(path: Path, since: dt.datetime) -> int | None:
    """Remove a file that was written before a moment; its size in bytes, None where it stays or was gone already."""
    with suppress(FileNotFoundError):
        found = path.stat()
        if found.st_mtime < since.timestamp():
            path.unlink()
            return found.st_size
    return None


def remove_empty_folders(folder: Path, now: dt.datetime) -> None:
    """Remove the empty folders in a folder, such as those of external sorts that processes have ended with."""
    for path in folder.iterdir() if folder.exists() else ():
        with suppress(OSError):  # it is no folder, is not empty, or another process has removed it
            if path.stat().st_mtime < (now - LEFT_AFTER).timestamp():
                path.rmdir()


def remember_source(home: Path, source: str) -> None:
    """Note the source beside the warehouse, so that later commands need no variable."""
    if remembered_source(home) is None:
        write_whole(source_marker(home), f"{source}\n".encode())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
