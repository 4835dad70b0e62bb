"""Schema versions of the warehouse: what a file has, and how an older one becomes a current one.

A new file is written beside the old one, compared with it table by table, and put in its place by one rename: whatever
interrupts an upgrade leaves the old file working. A copy of the old file stays until the new one has been opened.
"""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.schema import Table, quoted

SCHEMA_VERSION = 2
"""Of the tables as this program declares them. Raise it with each change of a declaration, and add to CONVERSIONS."""

CONVERSIONS: Mapping[int, Mapping[str, str]] = {1: {}}
"""For each older version the tables that differ from today's, with the query that makes today's rows of them.

The query reads from the schema `old`; a table that is not named is copied column by column.
"""

LOG = logging.getLogger(__name__)


def make_tables(connection: duckdb.DuckDBPyConnection, database: str = "") -> None:
    """Create what is missing of the tables, with their comments."""
    prefix = f"{database}." if database else ""
    for table in WAREHOUSE.values():
        for statement in Table(**{**vars(table), "name": f"{prefix}{table.name}"}).ddl():
            connection.execute(statement)
    connection.execute(
        f"create table if not exists {prefix}origin_of_data (source varchar not null, schema_version integer not null)"
    )


def version_of(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The schema version of an open warehouse; None for a file without tables."""
    rows = connection.execute(
        "select column_name from information_schema.columns where table_name = 'origin_of_data'"
    ).fetchall()
    if not rows:
        return None
    if ("schema_version",) not in rows:
        return 1
    stored = connection.execute("select schema_version from origin_of_data").fetchone()
    return SCHEMA_VERSION if stored is None else int(stored[0])


def stored_version(path: Path) -> int | None:
    """The schema version of a warehouse file, which is not changed; None where there is none, or no tables in it."""
    if not path.exists():
        return None
    with duckdb.connect(str(path), read_only=True) as connection:
        return version_of(connection)


def refuse_newer(path: Path, version: int | None) -> None:
    """Raise WarehouseError for a file that a later version of the program wrote."""
    if version is not None and version > SCHEMA_VERSION:
        raise WarehouseError(
            f"{path} has schema version {version}, but this program knows versions up to {SCHEMA_VERSION}: a newer one "
            "wrote it. Nothing was changed. Install that version again, or use another MARKET_PIPELINE_HOME."
        )


def upgrade(path: Path, config: Mapping[str, Any], open_file: Callable[[], duckdb.DuckDBPyConnection]) -> None:
    """Bring the warehouse at `path` to SCHEMA_VERSION, if it is older; `open_file` opens it for writing.

    Raises WarehouseError when another process upgrades it already and does not end, or when a table did not come
    through whole; the file is then as it was.
    """
    new, kept = _beside(path, "upgrading"), _beside(path, "before-upgrade")
    try:
        with (
            FileLock(_beside(path, "upgrade.lock"), timeout=600),
            closing(open_file()) as held,
        ):
            version = version_of(held)
            if version is None or version >= SCHEMA_VERSION:
                return
            held.execute("checkpoint")  # so that the file alone holds everything
            held.close()
            LOG.warning("Upgrading %s from schema version %d to %d ...", path, version, SCHEMA_VERSION)
            new.unlink(missing_ok=True)
            with duckdb.connect(config=dict(config)) as connection:
                # Attached, the old file can be read by everybody and written by nobody until it has been replaced.
                connection.execute(f"attach {quoted(str(path))} as old (read_only)")
                connection.execute(f"attach {quoted(str(new))} as new")
                _copy(connection, version)
                connection.execute("detach new")
                _flush(new)
                kept.unlink(missing_ok=True)
                os.link(path, kept)
                new.replace(path)
                _flush(path.parent)
            with duckdb.connect(str(path), read_only=True) as connection:
                if version_of(connection) != SCHEMA_VERSION:
                    kept.replace(path)
                    raise WarehouseError(f"{path} could not be upgraded: the new file does not open. It is as it was.")
    except Timeout:
        raise WarehouseError(
            f"{path} is being upgraded by another process, which has not ended within ten minutes. Wait for it, or end "
            "it; the file is not harmed by that."
        ) from None
    remove_leftovers(path)


def remove_leftovers(path: Path) -> None:
    """Remove what an interrupted upgrade left beside a warehouse that is current."""
    for suffix in ("upgrading", "upgrading.wal", "before-upgrade"):
        with suppress(OSError):
            _beside(path, suffix).unlink(missing_ok=True)


def _copy(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    make_tables(connection, "new")
    stored = connection.execute("select table_name from duckdb_tables() where database_name = 'old'").fetchall()
    for name, table in WAREHOUSE.items():
        if (name,) not in stored:
            continue
        columns = ", ".join(table.names)
        query = CONVERSIONS[version].get(name, f"select {columns} from old.{name}")
        connection.execute(f"insert into new.{name} by name {query}")
        before, after = (_digest(connection, source) for source in (f"({query})", f"new.{name}"))
        if before != after:
            raise WarehouseError(
                f"The upgrade stopped: {name} has {before[0]} rows, its copy has {after[0]}, or their content differs. "
                "The warehouse is as it was. Please report this."
            )
    connection.execute(f"insert into new.origin_of_data select source, {SCHEMA_VERSION} from old.origin_of_data")


def _digest(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[Any, ...]:
    """The number of rows and a digest of all their values, whatever their order."""
    found = connection.execute(f"select count(*), sum(hash(t)::hugeint) from {source} t").fetchone()
    return tuple(found or ())


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _flush(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
