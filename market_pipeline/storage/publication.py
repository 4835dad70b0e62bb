"""Where readers find the mart and the report: files of the data directory, or the newest ones of a store.

In the data directory, a new file takes the place of the old one. A store has each mart under a name of its own, made of
the time of publication and the content's digest: the newest name is the mart. Nothing that readers read is ever written
to, so no mart changes while it is read, and one that arrives late replaces none of a later moment.
"""

import datetime as dt
import hashlib
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from market_pipeline.config.places import MART, REPORT, data_directory, store_of
from market_pipeline.errors import MarketPipelineError, StoreError
from market_pipeline.storage.store import Store, Stored, store_at
from market_pipeline.storage.whole_files import LEFT_AFTER, alone, beside, put_in_place, remove_unfinished, write_whole

if TYPE_CHECKING:
    from market_pipeline.config.settings import Settings

Name = TypeVar("Name")

FOLDER = "mart"
"""Of a store: the marts. The report is beside it."""

NAMED = re.compile(r"(^|/)\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{64}\.duckdb$")
TIME = "%Y%m%dT%H%M%S.%fZ"
LEAST = dt.timedelta(microseconds=1)
KEPT = dt.timedelta(hours=1)
"""How long a mart stays after a newer one has come: a reader may just be copying or opening it."""

ATTEMPTS = 3
"""How often a reader looks for the newest mart, if the one that it found has gone meanwhile or is not whole."""

UNPUBLISHED = (
    "Fill it first: make demo for a simulated market, or market-pipeline backfill --market stocks --start 2024-01-02 "
    "--end <newest session>."
)

REPLACED = (
    "The next publication replaces it: market-pipeline backfill --market <market> --start <session> --end <session> "
    "--assets mart, with a session that is stored."
)
"""Of a mart that cannot be read, and of a report."""


@dataclass(frozen=True)
class Publication(ABC):
    """The published mart and report. What needs a store raises StoreError when it does not answer or refuses."""

    folder: Path
    """Of this machine: where the next mart and report are made."""

    @property
    def file(self) -> Path:
        """The next mart. Within a turn, the mart before is there, if there is one."""
        return self.folder / MART

    @property
    def report_file(self) -> Path:
        """The next report."""
        return self.folder / REPORT

    @property
    @abstractmethod
    def address(self) -> str:
        """Where the mart is published, for people to read."""

    @property
    @abstractmethod
    def report(self) -> str:
        """Where the report is published, for people to read."""

    @abstractmethod
    def turn(self) -> AbstractContextManager[dt.datetime | None]:
        """Keep other processes of this machine from publishing; the time that `put` takes as `earlier`."""

    @abstractmethod
    def put(self, published_at: dt.datetime, earlier: dt.datetime | None) -> bool:
        """Give readers the mart and the report that were made, within a turn and with its time; in UTC.

        False if another machine has published since the turn began. As two clocks differ, nobody knows then whose mart
        is of the later moment: the caller publishes again.
        """

    @abstractmethod
    def exists(self) -> bool:
        """Whether a mart is published."""

    @abstractmethod
    def newest(self) -> Path:
        """The published mart as a file of this machine, to be read only."""


def open_publication(settings: "Settings") -> Publication:
    """What a process of the pipeline publishes."""
    return _publication(settings.store, settings.home)


def published(environment: Mapping[str, str] = os.environ) -> Publication:
    """What readers read; of all settings they need MARKET_PIPELINE_STORE alone, or MARKET_PIPELINE_HOME."""
    from platformdirs import user_cache_path

    store = store_of(environment)
    no_folder = bool(store) and not environment.get("MARKET_PIPELINE_HOME")
    return _publication(store, user_cache_path("market-pipeline") if no_folder else data_directory(environment))


def _publication(store: str | None, folder: Path) -> Publication:
    return PublishedInStore(folder, store_at(store)) if store else PublishedInFolder(folder)


@dataclass(frozen=True)
class PublishedInFolder(Publication):
    """`mart.duckdb` and `report.html` in the data directory: made there, they are published."""

    @property
    def address(self) -> str:
        return str(self.file)

    @property
    def report(self) -> str:
        return str(self.report_file)

    @contextmanager
    def turn(self) -> Iterator[None]:
        with alone(self.file, "published"):
            yield None

    def put(self, published_at: dt.datetime, earlier: dt.datetime | None) -> bool:  # noqa: ARG002  of a store
        """Nothing is left to do, and there is no other machine."""
        return True

    def exists(self) -> bool:
        return self.file.exists()

    def newest(self) -> Path:
        return self.file


@dataclass(frozen=True)
class PublishedInStore(Publication):
    """Marts of a store, of which this machine has copies in `folder`."""

    store: Store

    @property
    def address(self) -> str:
        return self.store.address(FOLDER)

    @property
    def report(self) -> str:
        return self.store.address(REPORT)

    @contextmanager
    def turn(self) -> Iterator[dt.datetime | None]:
        with alone(self.file, "published"):
            newest = self._newest()
            self.file.unlink(missing_ok=True)
            if newest and (copy := self._copied(newest)):
                shutil.copyfile(copy, self.file)
                write_whole(digest_beside(self.file), Path(newest.name).stem.rpartition("-")[2].encode())
            yield _time_in(newest.name) if newest else None

    def put(self, published_at: dt.datetime, earlier: dt.datetime | None) -> bool:
        """The mart's name is of a later time than `earlier`, even where this machine's clock is behind."""
        moment = max(published_at, earlier + LEAST) if earlier else published_at
        name = f"{FOLDER}/{moment.astimezone(dt.UTC).strftime(TIME)}-{_digest(self.file)}.duckdb"
        self.store.put_file(name, self.file)
        self.store.put(REPORT, self.report_file.read_bytes())
        others = [mart.name for mart in self._marts() if mart.name != name]
        self._remove_old(dt.datetime.now(dt.UTC))
        return not [other for other in others if earlier is None or _time_in(other) > earlier]

    def exists(self) -> bool:
        return self._newest() is not None

    def newest(self) -> Path:
        """A copy in `folder`, which is made once; raises MarketPipelineError where no mart is published."""
        for _ in range(ATTEMPTS):
            if not (newest := self._newest()):
                raise MarketPipelineError(f"No mart is published at {self.address}. {UNPUBLISHED}")
            if copy := self._copied(newest):
                return copy
        raise StoreError(
            f"The newest mart at {self.address} is not the one that was published: its content has another digest. "
            f"{REPLACED}"
        )

    def _newest(self) -> Stored | None:
        marts = self._marts()
        return marts[-1] if marts else None

    def _marts(self) -> list[Stored]:
        """All marts of the store, the newest last."""
        return [stored for stored in self.store.list(FOLDER) if NAMED.search(stored.name)]

    def _copied(self, stored: Stored) -> Path | None:
        """The copy of a mart in `folder`; None where it is no longer in the store, or its content is not its own."""
        copies = self.folder / "marts"
        path = copies / Path(stored.name).name
        with alone(copies, "copied"):
            if path.exists() and path.stat().st_size == stored.size:
                return path
            copies.mkdir(parents=True, exist_ok=True)
            new = beside(path, f"{uuid4().hex}.new")
            try:
                with suppress(FileNotFoundError):
                    self.store.get_file(stored.name, new)
                    if _digest(new) in path.name:
                        put_in_place(new, path)
                        _remove_old_copies(copies, dt.datetime.now(dt.UTC))
                        return path
            finally:
                new.unlink(missing_ok=True)
        return None

    def _remove_old(self, now: dt.datetime) -> None:
        """Remove what nobody reads from the store: marts with a newer one, and what killed publishers left."""
        listed = self.store.list(FOLDER)
        marts = ((stored.name, stored.written_at) for stored in listed if NAMED.search(stored.name))
        left = (one.name for one in listed if one.name.endswith(".new") and one.written_at < now - LEFT_AFTER)
        for name in (*_replaced(marts, now), *left):
            self.store.remove(name)


def _remove_old_copies(copies: Path, now: dt.datetime) -> None:
    """The same on this machine."""
    found = sorted(path for path in copies.iterdir() if NAMED.search(path.name))
    for old in _replaced(((path, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)) for path in found), now):
        with suppress(PermissionError):  # Windows keeps a file that is open
            old.unlink(missing_ok=True)
    remove_unfinished(copies, now)


def _replaced(marts: Iterable[tuple[Name, dt.datetime]], now: dt.datetime) -> list[Name]:
    """Those of which the next one was written more than KEPT ago; given in order, each with its time of writing."""
    return [old for (old, _), (_, replaced_at) in pairwise(marts) if replaced_at < now - KEPT]


def _time_in(name: str) -> dt.datetime:
    """The time of publication in a mart's name.

    >>> _time_in("mart/20240102T030405.000006Z-" + 64 * "0" + ".duckdb").isoformat()
    '2024-01-02T03:04:05.000006+00:00'
    """
    return dt.datetime.strptime(Path(name).name.partition("-")[0], TIME).replace(tzinfo=dt.UTC)


def note_digest(mart: Path) -> None:
    """Note the digest of a mart that was published beside it."""
    write_whole(digest_beside(mart), _digest(mart).encode())


def copy_whole(mart: Path, copy: Path) -> bool:
    """Copy what was published at `mart`; False, and no copy, where the file is not that to the byte.

    It is read twice at once, to copy it and for its digest, which takes half as long as one after the other.
    """
    noted = digest_beside(mart)
    if not noted.exists():
        return False
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(_digest, mart)
        shutil.copyfile(mart, copy)
    if noted.read_bytes() == digest.result().encode():
        return True
    copy.unlink()
    return False


def digest_beside(mart: Path) -> Path:
    """The file with the SHA-256 digest of a published mart, by which the next publication knows that it is whole."""
    return beside(mart, "sha256")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
