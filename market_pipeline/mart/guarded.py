"""An untrusted SELECT on the published mart: it can change nothing, open no other file and load no extension.

DuckDB itself refuses these; here its settings are chosen, and rows, time and memory are limited. Knows no protocol.
"""

from pathlib import Path
from threading import Timer
from typing import NamedTuple

import duckdb
import pyarrow as pa

from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.read import require_published

SETTINGS: dict[str, str | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "memory_limit": "1GB",
    "temp_directory": "",  # nothing is written to disk, whatever a query needs
    "lock_configuration": True,
}
"""Of the connection, and out of reach of its statements."""

SECONDS = 10.0
MOST_ROWS = 1_000
MOST_BYTES = 1_000_000
"""Limits of one answer: the time to make it, and what it may hold."""


class Answer(NamedTuple):
    """The rows of a query; `complete` is False where there were more."""

    rows: pa.Table
    complete: bool


def select(mart: Path, sql: str, most_rows: int = 100, seconds: float = SECONDS) -> Answer:
    """The first rows of one SELECT.

    Raises MarketPipelineError for any other statement, a failing one, one that takes longer than `seconds`, a limit
    above MOST_ROWS, or rows of more than MOST_BYTES.
    """
    if not 1 <= most_rows <= MOST_ROWS:
        raise MarketPipelineError(f"{most_rows} rows were asked for. Ask for 1 to {MOST_ROWS:,}.")
    require_published(mart)
    with duckdb.connect(str(mart), read_only=True, config=SETTINGS) as connection:
        clock = Timer(seconds, connection.interrupt)
        clock.start()
        try:
            _require_one_select(connection, sql)
            rows = _first_rows(connection, sql, most_rows)
        except duckdb.InterruptException:
            raise MarketPipelineError(
                f"The query took longer than {seconds:g} seconds. Ask for fewer rows of a table, or aggregate less."
            ) from None
        except duckdb.Error as error:
            raise MarketPipelineError(f"DuckDB refuses the query: {error}") from None
        finally:
            clock.cancel()
    complete, rows = rows.num_rows <= most_rows, rows.slice(0, most_rows)
    if rows.nbytes > MOST_BYTES:
        raise MarketPipelineError(
            f"The answer has {rows.nbytes / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB are allowed. Select fewer "
            "columns or rows."
        )
    return Answer(rows, complete)


def _require_one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise MarketPipelineError(f"One SELECT is allowed, and the query has {found}.")


def _first_rows(connection: duckdb.DuckDBPyConnection, sql: str, most_rows: int) -> pa.Table:
    """One row more than `most_rows`, if there are so many."""
    reader = connection.execute(sql).to_arrow_reader(most_rows + 1)
    found, batches = 0, list[pa.RecordBatch]()
    for batch in reader:
        batches.append(batch)
        found += batch.num_rows
        if found > most_rows:
            break
    return pa.Table.from_batches(batches, reader.schema)
