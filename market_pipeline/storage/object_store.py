"""An object store, by obstore: requests are repeated while nobody answers, and errors name the object and no key."""

import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from market_pipeline.errors import ConfigurationError, StoreError
from market_pipeline.storage.store import S3, Stored

if TYPE_CHECKING:
    from obstore.store import S3Store

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
        with suppress(FileNotFoundError), self._named(name) as objects:
            objects.head(name)
            return True
        return False

    def list(self, below: str) -> "list[Stored]":
        with self._named(below) as objects:
            found = [one for page in objects.list(below) for one in page]
        stored = (Stored(one["path"], one["size"], one["last_modified"]) for one in found)
        return sorted(stored, key=lambda one: one.name)

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError), self._named(name) as objects:
            objects.delete(name)

    def _send(self, name: str, content: bytes | Path) -> None:
        """Put an object; from the start again where a store that was started again has lost the parts it had."""
        with self._named(name) as objects:
            for attempt in Retrying(retry=retry_if_exception(_lost), stop=stop_after_attempt(PUTS), reraise=True):
                with attempt:
                    objects.put(name, content, attributes=_attributes(name), max_concurrency=PARTS_AT_ONCE)

    def _copy(self, name: str, file: BinaryIO) -> None:
        """Write an object to an open file."""
        with self._named(name) as objects:
            file.writelines(objects.get(name).stream(min_chunk_size=PIECE))

    @cached_property
    def _objects(self) -> "S3Store":
        from obstore.store import S3Store

        endpoint = endpoint_of(os.environ)
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
    def _named(self, name: str) -> Iterator["S3Store"]:
        """Raise StoreError in the place of what obstore raises, but FileNotFoundError where an object is missing."""
        try:
            from obstore.exceptions import BaseError
        except ModuleNotFoundError:
            raise StoreError(
                f"{self.address('')} is an object store, and the package obstore is not installed. Install it: pip "
                "install 'market-pipeline[store]'"
            ) from None
        try:
            yield self._objects
        except (BaseError, FileNotFoundError) as error:
            reason = _reason(error)
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in reason:
                raise FileNotFoundError(f"There is no {self.address(name)}") from None
            raise StoreError(f"The object store failed at {self.address(name)}: {reason}. {FIX}") from None


def endpoint_of(environment: Mapping[str, str]) -> str | None:
    """The address of an object store that is not Amazon's; raises ConfigurationError where it is none.

    >>> endpoint_of({"AWS_ENDPOINT_URL": "http://store:8333"})
    'http://store:8333'
    """
    named = next((name for name in ENDPOINTS if environment.get(name)), None)
    if named is None:
        return None
    parts = urlsplit(environment[named])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{named} is no address of an object store. Set it to scheme, host and port, such as http://store:8333."
        )
    return environment[named]


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
