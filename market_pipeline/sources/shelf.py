"""Bytes that wait to be read again: in memory until it is full, then in a temporary file.

Knows memory and the disk; no table.
"""

import mmap
from io import BufferedRandom
from tempfile import gettempdir
from threading import Lock

import numpy as np

from market_pipeline.errors import SourceError

LARGEST = 31 << 20
"""Bytes of the largest block that glibc may keep, less than 32 MB."""


def keep_freed_memory() -> None:
    """Let the C library keep blocks that are freed for the next ones of their size, as far as it ever does.

    glibc asks the kernel for each block above a threshold, and gives it back, a page at a time; the threshold is the
    largest such block that was freed so far. Other C libraries take no notice.
    """
    np.empty(LARGEST, np.uint8)


class Shelf:
    """Where bytes are put once and copied from later; several threads may put at once.

    The memory is taken up as it is filled.
    """

    def __init__(self, memory: int, file: BufferedRandom) -> None:
        # Not from numpy, which asks for huge pages: where a hypervisor has to find them they cost three times as much.
        self._memory, self._used = np.frombuffer(mmap.mmap(-1, max(memory, 1)), np.uint8), 0
        self._file, self._lock = file, Lock()

    def block(self, size: int) -> tuple[np.ndarray, int | None]:
        """Bytes to fill, and where they stand; None if they have to be written."""
        with self._lock:
            start = self._used
            if start + size > len(self._memory):
                return np.empty(size, np.uint8), None
            self._used += size
        return self._memory[start : start + size], start

    def write(self, block: np.ndarray) -> int:
        """Where a block stands from now on; raises SourceError when the disk is full."""
        with self._lock:
            try:
                start = self._file.seek(0, 2)
                self._file.write(block.data)
                self._file.flush()
            except OSError as error:
                raise SourceError(
                    f"Rows that are brought together by symbol cannot wait in {gettempdir()}: {error.strerror}. "
                    "Make room there, or set TMPDIR to a folder with room."
                ) from None
        return len(self._memory) + start  # the file follows the memory

    def copy(self, start: int, into: np.ndarray) -> None:
        """Fill `into` with what stands from `start` on."""
        if start < len(self._memory):
            into[:] = self._memory[start : start + into.nbytes].view(into.dtype)
        elif len(into):
            with self._lock:
                self._file.seek(start - len(self._memory))
                self._file.readinto(into.data)
