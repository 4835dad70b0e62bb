"""What past writes leave in a lake, and how it is removed: small files, old snapshots, files of killed writers.

`ducklake_rewrite_data_files` is left out: it is unreliable beside inlined rows, and files all of whose rows were
replaced go without it.
"""

import datetime as dt

import duckdb

from market_pipeline.storage.lake.attachment import NAME
from market_pipeline.storage.schema import quoted

KEPT = dt.timedelta(days=7)
"""How long snapshots stay. The log of restatements, not they, is the record of vintages."""

UNUSED = dt.timedelta(days=1)
"""A file that no snapshot has named for this long is read by nobody."""

STEPS = (
    "ducklake_flush_inlined_data({lake})",
    "ducklake_merge_adjacent_files({lake})",
    "ducklake_expire_snapshots({lake}, older_than => {kept})",
    "ducklake_cleanup_old_files({lake}, older_than => {unused})",
    "ducklake_delete_orphaned_files({lake}, older_than => {unused})",
)
SIZES = """
select (select count(*) from ducklake_snapshots({lake})) as snapshots, sum(file_count + delete_file_count) as files,
    sum(file_size_bytes + delete_file_size_bytes) as bytes
from ducklake_table_info({lake})
"""


def keep_up(connection: duckdb.DuckDBPyConnection, now: dt.datetime) -> dict[str, int]:
    """Take every step; the sizes before and after. Nobody may be writing."""
    before = sizes(connection)
    kept, unused = (f"{quoted((now - age).isoformat())}::timestamptz" for age in (KEPT, UNUSED))
    for step in STEPS:
        connection.execute("call " + step.format(lake=quoted(NAME), kept=kept, unused=unused)).fetchall()
    after = sizes(connection)
    return {f"{name} of the lake {when}": found[name] for name in before for when, found in
            (("before", before), ("after", after))}  # fmt: skip


def sizes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many snapshots a lake has, and the files and bytes of the newest one."""
    found = connection.execute(SIZES.format(lake=quoted(NAME)))
    names, row = [column[0] for column in found.description], found.fetchone()
    return {name: int(value or 0) for name, value in zip(names, row or (), strict=True)}
