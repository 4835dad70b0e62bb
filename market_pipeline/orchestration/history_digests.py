"""Digests of Dagster's databases while no process has them open: SQLite has no checksums of its own.

The last process that closes the history notes the digests. The first one that opens it compares them, and removes the
note before anybody writes. After a kill there is no note, and nothing is compared until the next process has closed it.
"""

import errno
import fcntl
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.whole_files import alone, remove_durably, write_whole

NOTE = "digests.json"
"""Beside the databases; by file, as in Digests."""

USERS = "users.lock"
"""A file that every process locks while it has the history open."""

Digests: TypeAlias = dict[str, str]
"""SHA-256 of each database, by its path below the instance's folder."""

DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


class OpenHistory:
    """That this process has the history in a folder open, as others may at the same time."""

    def __init__(self, folder: Path) -> None:
        """Raises WarehouseError where a database has changed while no process had it open.

        A user who may not write there cannot change the databases either, and compares nothing.
        """
        self._folder, self._users = folder, None
        try:
            with alone(folder / NOTE, "compared"):
                users = (folder / USERS).open("ab")
                try:
                    fcntl.flock(users, fcntl.LOCK_SH)
                    compare(folder)
                    remove_durably(folder / NOTE)
                except BaseException:
                    users.close()
                    raise
                self._users = users
        except OSError as error:
            if error.errno not in DENIED:
                raise

    def close(self) -> None:
        """Note the digests if no other process has the history open. Without a note, nothing is compared later."""
        users, self._users = self._users, None
        if users is None:
            return
        with suppress(OSError), users, alone(self._folder / NOTE, "written"):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not any(journal.stat().st_size for journal in self._folder.rglob("*.db-wal")):
                write_whole(self._folder / NOTE, json.dumps(digests_of(self._folder), indent=1).encode())


def compare(folder: Path) -> None:
    """Raise WarehouseError where a database is not as its digest was noted; one that is gone was removed on purpose."""
    note = folder / NOTE
    if not note.exists():
        return
    found = digests_of(folder)
    try:
        noted: Digests = json.loads(note.read_bytes())
        changed = [name for name, digest in noted.items() if found.get(name, digest) != digest]
    except (ValueError, AttributeError):
        changed = [NOTE]
    if changed:
        raise WarehouseError(
            f"Dagster's history in {folder} has changed while no process had it open: {', '.join(changed)}. The disk "
            "may be failing, or another program has written there. Move the folder away: it holds only the history of "
            f"runs, and the next command makes it again. Or delete {note} to keep the history as it is."
        )


def digests_of(folder: Path) -> Digests:
    """The digests of all databases in an instance's folder."""
    found = {}
    for path in sorted(folder.rglob("*.db")):
        with path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
