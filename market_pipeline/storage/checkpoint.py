"""Checkpoints of a DuckDB file that neither a power cut nor a full disk can tear.

A checkpoint of DuckDB writes into blocks of metadata that the file needs until the new header is on the disk. No disk
writes 256 KB at once: what ends in between leaves a block that is half new, and the file is corrupt from then on. So
these blocks are copied beside the file before, and put back when it is opened after such an end. InnoDB's doublewrite
buffer and SQLite's rollback journal do the same.

Knows the layout of a DuckDB file: three headers of 4 KB, then blocks of one size. Knows nothing of tables.
"""

import fcntl
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import duckdb
from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.whole_files import beside, write_whole

HEADERS = 3 * 4096
"""Bytes before the first block."""

BLOCKS = "select block_id from pragma_metadata_info()"
SIZE = "select block_size from pragma_database_size()"

SIZE_AND_PLACES = TypeAdapter(tuple[NonNegativeInt, list[NonNegativeInt]])
"""Of the copied blocks: their size in bytes, and where each begins in the file."""

LOG = logging.getLogger(__name__)

KEPT = 64
"""Files of which this process keeps a descriptor."""

_descriptors: OrderedDict[tuple[int, int], int] = OrderedDict()
_at_work: set[Path] = set()
"""Files of which this process is making a checkpoint."""


def commit(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Commit the transaction of a connection to the file at `path`, and move it from DuckDB's log into the file.

    Once this returns, the transaction is on the disk: in the log alone, with a warning, where the file could not be
    written. Whatever happens, the file is whole when it is opened again. Raises WarehouseError if nothing was stored.
    """
    log, stored = beside(path, "wal"), False
    try:
        with _copied(connection, path):
            connection.execute("commit")
            stored = True
            if log.exists() and log.stat().st_size:  # else the commit was a checkpoint already, as large ones are
                connection.execute("checkpoint")
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        if stored:
            LOG.warning(
                "%s could not be written. DuckDB reports: %s See that its disk works and has space. What was stored is "
                "whole, in %s, and the next command tries again.", path, reason, log.name,
            )  # fmt: skip
            return
        if not isinstance(error, duckdb.FatalException):
            raise
        raise WarehouseError(
            f"{path} cannot be written. DuckDB reports: {reason} See that its disk works and has space, then run the "
            "command again; what was stored before is whole."
        ) from error


def checkpoint(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Move DuckDB's log into the file at `path`; raises DuckDB's error where the file could not be written."""
    with _copied(connection, path):
        connection.execute("checkpoint")


@contextmanager
def _copied(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """The blocks that a checkpoint writes over lie beside the file until it is complete; they stay if it is not."""
    copied = beside(path, "blocks")
    _at_work.add(path)
    try:
        write_whole(copied, _copies(connection, path))
        yield
        copied.unlink()
    finally:
        _at_work.discard(path)


def put_back(path: Path) -> None:
    """Undo what an interrupted checkpoint has written into the file at `path`; a process that makes one is left alone.

    Its transaction is not lost: it is in the log, and in the file with the next checkpoint. Raises WarehouseError, and
    changes nothing, if the copy is damaged.
    """
    copied = beside(path, "blocks")
    if path in _at_work or not copied.exists() or not path.exists():
        return
    try:
        descriptor = _descriptor(path)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as DuckDB locks it
    except OSError:  # it is at work, or may write and this user may not
        return
    try:
        headers, blocks = _read(copied)
        if os.pread(descriptor, HEADERS, 0) == headers:  # else the checkpoint was complete
            for place, block in blocks.items():
                os.pwrite(descriptor, block, place)
            os.fsync(descriptor)
        copied.unlink()
    except FileNotFoundError:  # another process has done it
        pass
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)


def _copies(connection: duckdb.DuckDBPyConnection, path: Path) -> bytes:
    """The digest of what follows; the size and the places of a file's blocks of metadata; its headers, these blocks.

    The digest and the JSON are a line each.
    """
    [(size,)], blocks = (connection.execute(query).fetchall() for query in (SIZE, BLOCKS))
    descriptor, end = _descriptor(path), path.stat().st_size
    places = [place for (block,) in blocks if (place := HEADERS + block * size) + size <= end]
    found = (os.pread(descriptor, size, place) for place in places)
    content = b"".join((json.dumps([size, places]).encode(), b"\n", os.pread(descriptor, HEADERS, 0), *found))
    return b"\n".join((_digest(content), content))


def _read(copied: Path) -> tuple[bytes, dict[int, bytes]]:
    """The headers and the blocks by their places, as `_copies` wrote them; raises WarehouseError for a damaged copy."""
    stored = copied.read_bytes()
    digest, _, content = stored.partition(b"\n")
    if stored.startswith(b"["):  # an earlier version wrote no digest: only the length shows whether it is whole
        digest, content = _digest(stored), stored
    first, _, rest = content.partition(b"\n")
    try:
        size, places = SIZE_AND_PLACES.validate_json(first)
    except ValidationError:
        size, places = 0, []
    if not size or len(rest) != HEADERS + size * len(places) or digest != _digest(content):
        raise WarehouseError(
            f"{copied}, the copy of blocks that an interrupted checkpoint may have written over, is damaged. Nothing "
            "was changed. Move it away, then run market-pipeline doctor: if it reports the warehouse as damaged, "
            "restore a backup; if not, nothing is lost."
        )
    starts = range(HEADERS, len(rest), size)
    return rest[:HEADERS], {place: rest[start : start + size] for place, start in zip(places, starts, strict=True)}


def _digest(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()


def _descriptor(path: Path) -> int:
    """A descriptor of a file that stays open: closing one would release the lock that DuckDB has on it (fcntl(2))."""
    found = path.stat()
    key = (found.st_dev, found.st_ino)
    if key not in _descriptors:
        _descriptors[key] = os.open(path, os.O_RDWR)
        if len(_descriptors) > KEPT:
            os.close(_descriptors.popitem(last=False)[1])
    _descriptors.move_to_end(key)
    return _descriptors[key]
