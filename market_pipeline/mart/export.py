"""A table of the mart as a file for other programs: CSV, Parquet or XLSX, whole or absent."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.read import require_published, statement_of
from market_pipeline.storage.catalog import MART, MART_VIEWS
from market_pipeline.storage.whole_files import beside, put_in_place

TABLES = (*MART, *(view.name for view in MART_VIEWS))
SHEET_ROWS = 1_048_575
"""Of a sheet, below its heading."""


def export(mart: Path, table: str, target: Path, filters: Mapping[str, Any]) -> int:
    """Write the rows of a table that meet the filters of read_rows to `target`, in order; how many there are.

    The ending of the name chooses the format. Raises MarketPipelineError for another ending, an unknown table, a filter
    that the table has no column for, or too many rows for a sheet; the file is then as it was.
    """
    if table not in TABLES:
        raise MarketPipelineError(f"The mart has no table {table!r}. It has {', '.join(TABLES)}.")
    write = FORMATS.get(target.suffix.lower())
    if write is None:
        raise MarketPipelineError(f"The name {target.name} ends in none of {', '.join(FORMATS)}. Choose one of them.")
    if not target.parent.is_dir():
        raise MarketPipelineError(f"The folder {target.parent} does not exist. Create it, or name another file.")
    sql, parameters = statement_of(table, filters)
    require_published(mart)
    new = beside(target, "new")
    try:
        with duckdb.connect(str(mart), read_only=True) as connection:
            rows = connection.sql(sql, params=parameters)
            write(rows, new)
            count = len(rows)
        put_in_place(new, target)
    except duckdb.BinderException as error:
        raise MarketPipelineError(
            f"{table} cannot be filtered by one of {', '.join(parameters)}: {str(error).splitlines()[0]}. Leave it out."
        ) from None
    finally:
        new.unlink(missing_ok=True)
    return count


def _write_csv(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    rows.write_csv(str(path), header=True)


def _write_parquet(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    rows.write_parquet(str(path))


def _write_sheet(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    import pandas as pd

    if len(rows) > SHEET_ROWS:
        raise MarketPipelineError(
            f"A sheet holds {SHEET_ROWS:,} rows, and there are {len(rows):,}. Narrow them with the options, or write "
            "Parquet."
        )
    # A symbol such as =A1 is text, and the name of a site no link.
    options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    try:
        writer = pd.ExcelWriter(path.open("wb"), engine="xlsxwriter", engine_kwargs=options)
    except ImportError:
        raise MarketPipelineError(
            "The package xlsxwriter is not installed. Install the extra: pip install 'market-pipeline[xlsx]'."
        ) from None
    with writer:
        rows.df().to_excel(writer, index=False)


FORMATS: Mapping[str, Callable[[duckdb.DuckDBPyRelation, Path], None]] = {
    ".csv": _write_csv, ".parquet": _write_parquet, ".xlsx": _write_sheet,
}  # fmt: skip
"""How each format is written, by the ending of a file's name."""
