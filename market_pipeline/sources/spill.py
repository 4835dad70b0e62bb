"""More rows than memory should hold, brought together by groups of symbols through a temporary folder.

Knows tables and the disk; no source, no market.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from os import strerror
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TypeVar

import numpy as np
import pyarrow as pa

from market_pipeline.errors import SourceError

Item = TypeVar("Item")
Made = TypeVar("Made")

AT_ONCE = 1 << 20
"""Rows that are sorted into groups at once."""


def by_group(pieces: Iterable[pa.Table], schema: pa.Schema, groups: Sequence[np.ndarray]) -> Iterator[pa.Table]:
    """The rows of all pieces, a table for each group, those of a group in the order in which they came.

    The column `symbol` of the schema has a symbol's place, and each place is in one of the groups; columns that a
    piece lacks are null. On disk, in Python's folder for temporary files (TMPDIR), the rows take about 8 bytes a value
    until they are read. Raises SourceError when the disk is full.
    """
    group_of = np.empty(sum(map(len, groups)), np.uint16)
    for number, places in enumerate(groups):
        group_of[places] = number
    with TemporaryDirectory(prefix="market-pipeline-") as folder:
        paths = [Path(folder) / f"{number}.arrow" for number in range(len(groups))]
        with _room(), ExitStack() as written:
            writers = [written.enter_context(pa.ipc.new_stream(path, schema)) for path in paths]
            for rows, ends in ahead(partial(_sorted, group_of, np.arange(len(groups))), gathered(pieces, schema)):
                for group in np.flatnonzero(np.diff(ends, prepend=0)):
                    start = ends[group - 1] if group else 0
                    writers[group].write_table(rows.slice(start, ends[group] - start))
        yield from map(_read_once, paths)


def ahead(make: Callable[[Item], Made], items: Iterable[Item], threads: int = 2) -> Iterator[Made]:
    """`make` of each item, in order; as many as there are threads are made while one is worked on."""
    coming = deque[Future[Made]]()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            coming.append(pool.submit(make, item))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def gathered(pieces: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The pieces, put together until they have AT_ONCE rows; each in one chunk, missing columns null."""
    held = [schema.empty_table()]
    for piece in pieces:
        held.append(piece)
        if sum(rows.num_rows for rows in held) >= AT_ONCE:
            yield pa.concat_tables(held, promote_options="default").combine_chunks()
            held = [schema.empty_table()]
    if len(held) > 1:
        yield pa.concat_tables(held, promote_options="default").combine_chunks()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"Rows that are brought together by symbol cannot wait in {gettempdir()}: {strerror(error.errno or 0)}. "
            "Make room there, or set TMPDIR to a folder with room."
        ) from None


def _read_once(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        rows = stream.read_all()
    path.unlink()
    return rows


def _sorted(group_of: np.ndarray, groups: np.ndarray, rows: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """The rows in the order of their groups, and where each group ends."""
    group = group_of[rows["symbol"].to_numpy()]
    if (group[1:] < group[:-1]).any():
        order = np.argsort(group, kind="stable")  # a radix sort, for groups are small integers
        rows, group = rows.take(pa.array(order)), group[order]
    return rows, np.searchsorted(group, groups, side="right")
