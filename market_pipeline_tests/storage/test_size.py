"""A warehouse in which rows are replaced again and again stays as large as what it holds."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa

from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline_tests.storage.test_warehouse import coverage

DAYS = [dt.date(1970, 1, 1) + dt.timedelta(days=number) for number in range(20_000)]
TIMES = 45
FILLED = 10
"""Replacements after which the file has its size."""

BLOCK = 262_144


def size(warehouse: DuckDBFile) -> int:
    """Bytes of the warehouse with its log, and of whatever lies beside it."""
    return sum(path.stat().st_size for path in warehouse.path.parent.iterdir())


def test_a_partition_that_is_replaced_again_and_again_takes_no_more_space(tmp_path: Path) -> None:
    """A thousand times takes minutes. Tried once, with one row: the file was as large after 1,000 as after 10."""
    warehouse = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")
    draw, sizes = np.random.default_rng(1), list[int]()
    for _ in range(TIMES):
        attempts = pa.array(draw.integers(0, 2**31, len(DAYS), dtype=np.int32))  # no compression makes them smaller
        rows = coverage(*DAYS)
        rows = rows.set_column(rows.column_names.index("attempts"), "attempts", attempts)
        warehouse.replace("coverage", rows, "m", DAYS[0], DAYS[-1])
        sizes.append(size(warehouse))
    few = 2 * BLOCK
    assert (TIMES - FILLED) * attempts.nbytes > 5 * few  # what the file would have grown by
    assert max(sizes[FILLED:]) <= max(sizes[:FILLED]) + few
