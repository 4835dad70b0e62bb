"""What DuckDB reports of a file that it cannot read or write, as one paragraph with the fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import duckdb

from market_pipeline.errors import WarehouseError

UNUSABLE = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
"""What DuckDB raises for a file, as opposed to a query, that is wrong."""

FULL = ("No space left", "File too large", "Disk quota exceeded")
DENIED = ("Permission denied", "Read-only file system")


@contextmanager
def usable(path: Path, fix: str) -> Iterator[None]:
    """Raise WarehouseError in the place of UNUSABLE: disk full, no permission, or a damaged file with its `fix`.

    Of the system's own errors, only in the place of a full disk.
    """
    try:
        yield
    except UNUSABLE as error:
        refuse(path, error, fix)
    except (duckdb.TransactionException, OSError) as error:  # a commit that could not be written
        if not _is_full(error):
            raise
        refuse(path, error, fix)


def refuse(path: Path, error: duckdb.Error | OSError, fix: str) -> NoReturn:
    """Raise the WarehouseError of a file that cannot be used."""
    reason = " ".join(str(error).split())
    reporter = "DuckDB" if isinstance(error, duckdb.Error) else "The system"
    if _is_full(error):
        raise WarehouseError(
            f"{path} cannot be written: the disk is full. {reporter} reports: {reason} Free some space, then run the "
            "command again; what was stored is whole."
        ) from error
    if any(words in reason for words in DENIED):
        raise WarehouseError(
            f"{path}, or the folder that it is in, cannot be used by this user. DuckDB reports: {reason} Change the "
            "owner (chown), or set MARKET_PIPELINE_HOME to another directory."
        ) from error
    raise WarehouseError(f"{path} cannot be read; it may be damaged. DuckDB reports: {reason} {fix}") from error


def _is_full(error: duckdb.Error | OSError) -> bool:
    return any(words in str(error) for words in FULL)
