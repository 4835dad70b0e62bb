"""Making a warehouse, and upgrading an older one to the tables that this program declares.

Either is a new file beside the old one, put in its place by one rename once it is complete: whatever interrupts it
leaves what was there. No table is ever made or changed in a file that is in use, for DuckDB's replay of its log is weak
in schema changes. An upgrade compares the copy with the original, table by table.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE, WAREHOUSE_VIEWS
from market_pipeline.storage.checkpoint import checkpoint
from market_pipeline.storage.schema import Table, View, quoted
from market_pipeline.storage.whole_files import alone, beside, put_in_place
from market_pipeline.storage.writes import WRITES

SCHEMA_VERSION = 5
"""Of the tables and views as declared. Raise it with each change of a declaration, and add to CONVERSIONS."""

INTERNAL = ("origin_of_data", "writes")
"""Tables that every warehouse has beside the declared ones."""

ORIGIN = "create table origin_of_data (source varchar not null, schema_version integer not null)"

SINCE_3 = {
    "ledger": "select *, null::varchar[] as symbols, null::varchar as libraries, null::varchar as plugins "
    "from old.ledger",
}
SINCE_4 = {
    "scores": "select *, null::double as fz_01, null::double as fz_025, null::double as fz_05, "
    "null::boolean as exceeded_01, null::boolean as exceeded_025, null::boolean as exceeded_05 from old.scores",
    "daily_scores": "select *, null::double as fz_025, null::double as baseline_fz_025, null::double as exceeded_01, "
    "null::double as exceeded_025, null::double as exceeded_05 from old.daily_scores",
}
CONVERSIONS: Mapping[int, Mapping[str, str]] = {1: SINCE_3 | SINCE_4, 2: SINCE_3 | SINCE_4, 3: SINCE_4, 4: {}}
"""For each older version the tables that differ from today's, with the query that makes today's rows of them.

The query reads from the schema `old`; a table that is not named is copied column by column, and one that the older
version did not have is made without rows.
"""

LOG = logging.getLogger(__name__)


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
    return None if stored is None else int(stored[0])


def stored_version(path: Path) -> int | None:
    """The schema version of a warehouse file, which is not changed; None where there is none, or no tables in it."""
    if not path.exists():
        return None
    with duckdb.connect(str(path), read_only=True) as connection:
        return version_of(connection)


def refuse_newer(warehouse: str, version: int | None) -> None:
    """Raise WarehouseError for a warehouse that a later version of the program wrote."""
    if version is not None and version > SCHEMA_VERSION:
        raise WarehouseError(
            f"{warehouse} has schema version {version}, but this program knows versions up to {SCHEMA_VERSION}: a "
            "newer one wrote it. Nothing was changed. Install that version again, or use another MARKET_PIPELINE_HOME."
        )


def make(path: Path, source: str, config: Mapping[str, Any]) -> None:
    """A warehouse without rows at `path`, for data of `source`; does nothing where another process has made it."""
    with alone(path, "made or upgraded"):
        if path.exists() and stored_version(path) is not None:
            return
        _refuse_foreign(path)
        with closing(_new(path, config)) as connection:
            connection.execute("insert into origin_of_data values (?, ?)", [source, SCHEMA_VERSION])
            connection.execute("checkpoint")
        put_in_place(beside(path, "new"), path)


def upgrade(
    path: Path, source: str, config: Mapping[str, Any], open_file: Callable[[], duckdb.DuckDBPyConnection]
) -> None:
    """Bring the warehouse at `path` to SCHEMA_VERSION, if it is older; `open_file` opens it for writing.

    Raises WarehouseError when a table did not come through whole; the file is then as it was.
    """
    with alone(path, "made or upgraded"):
        with closing(open_file()) as connection:
            version = version_of(connection)
            if version is None or version >= SCHEMA_VERSION:
                return
            checkpoint(connection, path)  # so that the file alone holds everything
        LOG.warning("Upgrading %s from schema version %d to %d ...", path, version, SCHEMA_VERSION)
        with closing(_new(path, config)) as connection:
            # As long as it is attached, the old file can be read by everybody and written by nobody.
            connection.execute(f"attach {quoted(str(path))} as old (read_only)")
            _copy(connection, version)
            connection.execute("insert into origin_of_data values (?, ?)", [source, SCHEMA_VERSION])
            connection.execute("checkpoint")
            put_in_place(beside(path, "new"), path)


def _copy(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Copy every table of the attached `old`, and compare each copy with its original."""
    stored = connection.execute("select table_name from duckdb_tables() where database_name = 'old'").fetchall()
    for name, table in WAREHOUSE.items():
        if (name,) not in stored:
            continue
        rows = CONVERSIONS[version].get(name, f"from old.{name}")
        query = f"select {', '.join(table.names)} from ({rows})"  # a digest goes by the order of columns
        connection.execute(f"insert into {name} by name {query}")
        before, after = (_digest(connection, source) for source in (f"({query})", name))
        if before != after:
            raise WarehouseError(
                f"The upgrade stopped: {name} has {before[0]} rows, its copy has {after[0]}, or their content differs. "
                "The warehouse is as it was. Please report this."
            )


def _digest(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[Any, ...]:
    """The number of rows and a digest of all their values, whatever their order."""
    found = connection.execute(f"select count(*), sum(hash(t)::hugeint) from {source} t").fetchone()
    return tuple(found or ())


def _refuse_foreign(path: Path) -> None:
    """Raise WarehouseError for a file with tables that are not ours: making a warehouse would replace it."""
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as connection:
            stored = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        if foreign := sorted(stored - {*WAREHOUSE, *INTERNAL}):
            raise WarehouseError(
                f"{path} is a DuckDB file of another program: it has the table {foreign[0]}. Move it away, or use "
                "another MARKET_PIPELINE_HOME."
            )


def _new(path: Path, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """An open file beside `path` with all tables and views, none of which has a row."""
    new = beside(path, "new")
    for left in (new, beside(path, "new.wal")):
        left.unlink(missing_ok=True)
    connection = duckdb.connect(str(new), config=dict(config))
    try:
        for statement in (ORIGIN, WRITES):
            connection.execute(statement)
        declared: tuple[Table | View, ...] = (*WAREHOUSE.values(), *WAREHOUSE_VIEWS)
        for statement in (text for one in declared for text in one.ddl()):
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection
