"""Files by relative names, in a folder or in an object store: each is there as a whole or not at all.

Knows bytes, names and addresses. Knows nothing of what a file holds. A name has its parts separated by `/`.
"""

import datetime as dt
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from market_pipeline.storage.whole_files import new_file, write_whole

if TYPE_CHECKING:
    from market_pipeline.config.settings import Settings

S3 = "s3://"


@dataclass(frozen=True)
class Stored:
    """A file of a store."""

    name: str
    size: int
    """In bytes."""
    written_at: dt.datetime
    """In UTC."""


class Store(Protocol):
    """Where files lie. Each method raises StoreError when an object store does not answer or refuses."""

    def address(self, name: str) -> str:
        """Where a file is, or will be, for people to read."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file; readers find the old content or the new one, never a part of it."""

    def put_file(self, name: str, path: Path) -> None:
        """The same of a local file, whatever its size."""

    def get(self, name: str) -> bytes:
        """The content of a file; raises FileNotFoundError where there is none."""

    def get_file(self, name: str, path: Path) -> None:
        """Write a file to a local path, whatever its size; raises FileNotFoundError where there is none."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def list(self, below: str) -> "list[Stored]":
        """All files of a folder and of those in it, in the order of their names; none where there is no folder."""

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""


def open_store(settings: "Settings") -> Store:
    """The store of the settings: MARKET_PIPELINE_STORE, or the data directory. Opens no connection."""
    return store_at(settings.store or str(settings.home))


def store_at(address: str) -> Store:
    """The store at `s3://bucket/prefix`, or in a folder."""
    if not address.startswith(S3):
        return FolderStore(Path(address))
    from market_pipeline.storage.object_store import ObjectStore

    parts = urlsplit(address)
    return ObjectStore(parts.netloc, parts.path.strip("/"))


@dataclass(frozen=True)
class FolderStore:
    """Files below a folder of this machine, or of one that several machines share."""

    folder: Path

    def address(self, name: str) -> str:
        return str(self.folder / name)

    def put(self, name: str, content: bytes) -> None:
        write_whole(self.folder / name, content)

    def put_file(self, name: str, path: Path) -> None:
        with new_file(self.folder / name) as new:
            shutil.copyfile(path, new)

    def get(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def get_file(self, name: str, path: Path) -> None:
        shutil.copyfile(self.folder / name, path)

    def exists(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def list(self, below: str) -> "list[Stored]":
        found = []
        for path in (self.folder / below).rglob("*"):
            with suppress(FileNotFoundError):  # removed since
                status = path.stat()
                if path.is_file():
                    name = path.relative_to(self.folder).as_posix()
                    found.append(Stored(name, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)))
        return sorted(found, key=lambda stored: stored.name)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
