"""More rows than memory should hold, brought together by symbol: some are kept, the others wait in a temporary file.

Knows tables and the disk; no source, no market.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from tempfile import TemporaryFile, gettempdir
from threading import Lock
from typing import IO, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from market_pipeline.errors import SourceError

Item = TypeVar("Item")
Made = TypeVar("Made")

AT_ONCE = 1 << 19
"""Rows that are sorted at once, at least."""

KEPT = 2 << 30
"""Bytes that stay in memory; what is more goes to the temporary file."""


def by_group(pieces: Iterable[pa.Table], schema: pa.Schema, groups: Sequence[np.ndarray]) -> Iterator[pa.Table]:
    """The rows of all pieces, a table for each group: by symbol, those of a symbol in the order in which they came.

    The column `symbol`, the first of the schema, is a symbol's place; each place is in one of the groups, and stands
    in its table where it stands there. Columns that a piece lacks are null. What is more than KEPT lies in Python's
    folder for temporary files (TMPDIR), about 8 bytes a value; raises SourceError when that is full.
    """
    order = np.concatenate(groups)
    rank_of = np.empty(len(order), np.uint16 if len(order) <= 1 << 16 else np.int32)
    rank_of[order] = np.arange(len(order))
    with TemporaryFile(prefix="market-pipeline-") as file:
        runs = list(ahead(partial(_run, schema, rank_of, _Shelf(file)), gathered(pieces)))
        for low, high in pairwise(np.cumsum([0, *map(len, groups)]).tolist()):
            yield _merged(runs, schema, order, low, high)


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


def gathered(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The pieces, put together until they have AT_ONCE rows; each in one chunk, missing columns null."""
    held: list[pa.Table] = []
    for piece in pieces:
        if piece.num_rows:
            held.append(piece)
        if sum(rows.num_rows for rows in held) >= AT_ONCE:
            yield pa.concat_tables(held, promote_options="default").combine_chunks()
            held = []
    if held:
        yield pa.concat_tables(held, promote_options="default").combine_chunks()


class _Shelf:
    """Where sorted columns wait: in memory until that is full, then in a file. Several threads may put at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._lock, self._kept = file, Lock(), 0

    def put(self, values: np.ndarray) -> "np.ndarray | int":
        """The values themselves, or where they begin in the file."""
        with self._lock:
            if self._kept + values.nbytes <= KEPT:
                self._kept += values.nbytes
                return values
            try:
                start = self._file.seek(0, 2)
                self._file.write(values)
                self._file.flush()
            except OSError as error:
                raise SourceError(
                    f"More rows than memory should hold are brought together in {gettempdir()}, which failed: "
                    f"{error.strerror}. Make room there, or set TMPDIR to a folder with room."
                ) from None
            return start

    def copy(self, column: "np.ndarray | int", start: int, into: np.ndarray) -> None:
        """Fill `into` with the values of a column from place `start` on."""
        if isinstance(column, np.ndarray):
            into[:] = column[start : start + len(into)]
        elif len(into):
            with self._lock:
                self._file.seek(column + start * into.itemsize)
                self._file.readinto(into)


class _Run(NamedTuple):
    """Rows in the order of their symbols' ranks, column by column."""

    ends: np.ndarray
    """Where the rows of each rank begin, and after them the end of the last; (symbols + 1,)."""
    values: tuple[np.ndarray | int, ...]
    nulls: tuple[np.ndarray | int | None, ...]
    """Of each column which values are null; None if none is."""
    shelf: _Shelf


def _run(schema: pa.Schema, rank_of: np.ndarray, shelf: _Shelf, rows: pa.Table) -> _Run:
    rank = rank_of[rows["symbol"].to_numpy()]
    ends = np.concatenate([[0], np.cumsum(np.bincount(rank, minlength=len(rank_of)))])
    # A radix sort, for ranks are small integers.
    order = np.argsort(rank, kind="stable") if (rank[1:] < rank[:-1]).any() else slice(None)
    values, nulls = list[np.ndarray | int](), list[np.ndarray | int | None]()
    for name, kind in zip(schema.names[1:], schema.types[1:], strict=True):
        column = rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(len(rank), kind)])
        nulls.append(shelf.put(column.is_null().to_numpy()[order]) if column.null_count else None)
        plain = column.cast(pa.int32()) if pa.types.is_date32(kind) else column
        values.append(shelf.put(plain.fill_null(0).to_numpy()[order]))
    return _Run(ends, tuple(values), tuple(nulls), shelf)


def _merged(runs: Sequence[_Run], schema: pa.Schema, order: np.ndarray, low: int, high: int) -> pa.Table:
    """The rows of the symbols whose ranks are from `low` to before `high`."""
    counts = np.array([np.diff(run.ends[low : high + 1]) for run in runs]).reshape(len(runs), high - low)
    starts = (np.cumsum(counts) - counts.ravel()).reshape(counts.shape)
    lengths = counts.T.ravel()
    # Block by block the way from where a row comes out to where it stands when run lies after run.
    moves = starts.T.ravel() - (np.cumsum(lengths) - lengths)
    index = np.repeat(moves, lengths) + np.arange(lengths.sum())
    columns = [pa.array(np.repeat(order[low:high], counts.sum(axis=0)), pa.int32())]
    for place, kind in enumerate(schema.types[1:]):
        plain = np.int32 if pa.types.is_date32(kind) else kind.to_pandas_dtype()
        values = _laid(runs, [run.values[place] for run in runs], low, high, plain)[index]
        nulls = [run.nulls[place] for run in runs]
        known = all(column is None for column in nulls)
        mask = None if known else _laid(runs, nulls, low, high, np.bool_)[index]
        columns.append(pa.array(values, mask=mask).cast(kind))
    return pa.table(columns, schema)


def _laid(
    runs: Sequence[_Run], columns: Sequence[np.ndarray | int | None], low: int, high: int, kind: type
) -> np.ndarray:
    """One column of some ranks, run after run; zero where a run has none."""
    ends = np.cumsum([0, *(run.ends[high] - run.ends[low] for run in runs)]).tolist()
    laid = np.zeros(ends[-1], kind)
    for run, column, (start, end) in zip(runs, columns, pairwise(ends), strict=True):
        if column is not None:
            run.shelf.copy(column, int(run.ends[low]), laid[start:end])
    return laid
