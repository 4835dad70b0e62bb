"""Files by relative names, in a folder or in an object store: each is there as a whole or not at all.

Knows bytes, names and addresses. Knows nothing of what a file holds. A name has its parts separated by `/`.
"""

import datetime as dt
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from market_pipeline.config.settings import Settings
from market_pipeline.errors import StoreError
from market_pipeline.storage.whole_files import new_file, write_whole

if TYPE_CHECKING:
    from obstore.store import S3Store

S3 = "s3://"
PIECE = 2**20
"""Bytes of an object that are in memory at once, when it is written to a file."""

CLIENT = {"timeout": "1h", "read_timeout": "60s"}
"""A request may take an hour while bytes arrive; after a minute without any it is made again."""

PARTS_AT_ONCE = 4
"""Parts of a large object that are sent at once: a slow line has to carry these 20 MB within the minute."""

MAX_RETRIES = 60
RETRIED_FOR = dt.timedelta(minutes=2)
"""How long a request is repeated while the object store does not answer, with growing random waits between."""

LONGEST_WAIT = dt.timedelta(seconds=5)
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Variables with the address of an object store that is not Amazon's."""

PUTS = 5
"""How often an object is put, if the store loses its parts: obstore itself repeats requests only."""

CODE = re.compile(r"<Code>(\w+)</Code>")
"""What an object store names the reason of a refusal; the text around it may hold a key."""

FIX = (
    "See that the store is running and can be reached, that the bucket exists, that AWS_ENDPOINT_URL and AWS_REGION "
    "are those of the store and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY a key of it, then run the command again; "
    "what was stored is whole."
)


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


def open_store(settings: Settings) -> Store:
    """The store of the settings: MARKET_PIPELINE_STORE, or the data directory. Opens no connection."""
    return store_at(settings.store or str(settings.home))


def store_at(address: str) -> Store:
    """The store at `s3://bucket/prefix`, or in a folder."""
    if not address.startswith(S3):
        return FolderStore(Path(address))
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


@dataclass(frozen=True)
class ObjectStore:
    """Objects of a bucket whose names begin with a prefix, in Amazon's S3 or a store with the same interface.

    Endpoint, region and keys come from the AWS_* variables.
    """

    bucket: str
    prefix: str = ""

    def address(self, name: str) -> str:
        return f"{S3}{PurePosixPath(self.bucket, self.prefix, name)}"

    def put(self, name: str, content: bytes) -> None:
        self._send(name, content)

    def put_file(self, name: str, path: Path) -> None:
        self._send(name, path)

    def get(self, name: str) -> bytes:
        content = BytesIO()
        self._copy(name, content)
        return content.getvalue()

    def get_file(self, name: str, path: Path) -> None:
        with path.open("wb") as file:
            self._copy(name, file)

    def exists(self, name: str) -> bool:
        with suppress(FileNotFoundError), self._named(name):
            self._objects.head(name)
            return True
        return False

    def list(self, below: str) -> "list[Stored]":
        with self._named(below):
            found = [one for page in self._objects.list(below) for one in page]
        stored = (Stored(one["path"], one["size"], one["last_modified"]) for one in found)
        return sorted(stored, key=lambda one: one.name)

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError), self._named(name):
            self._objects.delete(name)

    def _send(self, name: str, content: bytes | Path) -> None:
        """Put an object; from the start again where a store that was started again has lost the parts it had."""
        with self._named(name):
            for attempt in Retrying(retry=retry_if_exception(_lost), stop=stop_after_attempt(PUTS), reraise=True):
                with attempt:
                    self._objects.put(name, content, attributes=_attributes(name), max_concurrency=PARTS_AT_ONCE)

    def _copy(self, name: str, file: BinaryIO) -> None:
        """Write an object to an open file."""
        with self._named(name):
            file.writelines(self._objects.get(name).stream(min_chunk_size=PIECE))

    @cached_property
    def _objects(self) -> "S3Store":
        try:
            from obstore.store import S3Store
        except ModuleNotFoundError:
            raise StoreError(
                f"{self.address('')} is an object store, and the package obstore is not installed. Install it: pip "
                "install 'market-pipeline[store]'"
            ) from None
        endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)
        return S3Store(
            self.bucket,
            prefix=self.prefix or None,
            config={"endpoint": endpoint} if endpoint else {},
            client_options={**CLIENT, "allow_http": (endpoint or "").startswith("http://")},
            retry_config={
                "max_retries": MAX_RETRIES,
                "retry_timeout": RETRIED_FOR,
                "backoff": {"max_backoff": LONGEST_WAIT},
            },
        )

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Raise StoreError in the place of what obstore raises, but FileNotFoundError where an object is missing."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            reason = _reason(error)
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in reason:
                raise FileNotFoundError(f"There is no {self.address(name)}") from None
            raise StoreError(f"The object store failed at {self.address(name)}: {reason}. {FIX}") from None


def _lost(error: BaseException) -> bool:
    return isinstance(error, FileNotFoundError) and "NoSuchUpload" in str(error)


def _attributes(name: str) -> Mapping[str, str]:
    kind, _ = guess_type(name)
    return {"Content-Type": kind} if kind else {}


def _reason(error: Exception) -> str:
    """The first line of an error and the code in it, without what the store's answer holds otherwise.

    >>> _reason(OSError("Status 403 Forbidden: <Error><Code>InvalidAccessKeyId</Code><Id>A1</Id></Error>"))
    'Status 403 Forbidden: InvalidAccessKeyId'
    """
    text = str(error)
    found = CODE.search(text)
    return f"{' '.join(text.splitlines()[0].split('<')[0].split())}{f' {found[1]}' if found else ''}"
