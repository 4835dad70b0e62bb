"""Disks in memory whose size can change, so that they are full when a test wants it. As root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = "4g"
"""The size of a disk that is not full."""


@contextmanager
def disk_at(folder: Path) -> Iterator[Path]:
    """A disk of its own at a new folder."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> None:
    """Leave no space but what is used already."""
    found = os.statvfs(disk)
    _resize(disk, str((found.f_blocks - found.f_bfree) * found.f_frsize))


def enlarge(disk: Path) -> None:
    """Give a disk its first size again."""
    _resize(disk, SIZE)


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
