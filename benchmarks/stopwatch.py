"""Seconds between two points of a side; both sides use it, so it knows no package."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Stopwatch:
    """`with Stopwatch() as watch: ...; watch.seconds`."""

    seconds: float

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._began


def forget(folder: Path) -> None:
    """Ask the kernel to drop the files below `folder` from its cache, so that reading them is cold."""
    for path in [folder] if folder.is_file() else folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)
