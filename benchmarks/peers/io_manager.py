"""B9: what dagster-duckdb-pandas' I/O manager does with a partition range: delete the slice, insert the frame."""

from pathlib import Path

import pandas as pd
from stopwatch import Stopwatch


def io_manager(folder: Path, size: float) -> dict[str, float]:
    import duckdb
    from dagster import TimeWindow, build_output_context
    from dagster._core.storage.db_io_manager import TablePartitionDimension, TableSlice
    from dagster_duckdb.io_manager import DuckDbClient
    from dagster_duckdb_pandas.duckdb_pandas_type_handler import DuckDBPandasTypeHandler

    rows = pd.read_parquet(folder / "indicators.parquet")
    rows["session"] = pd.to_datetime(rows["session"])
    target = folder / "peer.duckdb"
    target.unlink(missing_ok=True)
    window = TimeWindow(rows["session"].min(), rows["session"].max() + pd.Timedelta(days=1))
    handler = DuckDBPandasTypeHandler()
    with duckdb.connect(str(target)) as connection:
        handler.handle_output(
            build_output_context(), TableSlice("indicators", "main", "peer", [], None), rows.iloc[:1], connection
        )
    part = TableSlice("indicators", "main", "peer", [TablePartitionDimension("session", window)], None)
    with Stopwatch() as watch, duckdb.connect(str(target)) as connection:
        DuckDbClient.delete_table_slice(build_output_context(), part, connection)
        handler.handle_output(build_output_context(), part, rows, connection)
    return {"seconds": watch.seconds}
