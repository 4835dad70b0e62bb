"""More rows than memory should hold, brought together by symbol.

Knows tables; no source, no market.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, pairwise
from tempfile import TemporaryFile
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from market_pipeline.sources.shelf import Shelf

Item = TypeVar("Item")
Made = TypeVar("Made")

AT_ONCE = 1 << 18
"""Rows that are sorted at once: few enough for the processor's cache."""

KEPT = 2 << 30
"""Bytes that wait in memory; what is more waits in a temporary file."""


def by_group(pieces: Iterable[pa.Table], schema: pa.Schema, groups: Sequence[np.ndarray]) -> Iterator[pa.Table]:
    """The rows of all pieces, a table for each group: by symbol, those of a symbol in the order in which they came.

    The first column of the schema, `symbol`, has a symbol's place, the others have dates or float64. Each place is in
    one of the groups; a group's table has its symbols as they stand there. Columns that a piece lacks are null. What
    is more than KEPT lies in a temporary file (TMPDIR), 8 bytes a value; raises SourceError when the disk is full.
    """
    order = np.concatenate(groups).astype(np.int32)
    rank_of = np.empty(len(order), np.uint16 if len(order) <= 1 << 16 else np.int32)
    rank_of[order] = np.arange(len(order))
    with TemporaryFile(prefix="market-pipeline-") as file:
        shelf = Shelf(KEPT, file)
        runs = list(ahead(partial(_run, schema, rank_of, shelf), gathered(pieces)))
        bounds = np.cumsum([0, *map(len, groups)]).tolist()
        merging = _Merging(runs, shelf, schema, bounds)
        for low, high in pairwise(bounds):
            yield merging.table(order[low:high], low)


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
    """The rows, AT_ONCE of them at a time, or somewhat fewer; each time in one chunk, missing columns null."""
    held: list[pa.Table] = []
    for piece in chain(pieces, [None]):
        if piece is not None and piece.num_rows:
            held.append(piece)
        if held and (piece is None or sum(rows.num_rows for rows in held) >= AT_ONCE):
            whole = pa.concat_tables(held, promote_options="default").combine_chunks()
            yield from (whole.slice(start, AT_ONCE) for start in range(0, len(whole), AT_ONCE))
            held = []


class _Run(NamedTuple):
    """Rows in the order of their symbols' ranks, column after column on the shelf."""

    ends: np.ndarray
    """Where the rows of each rank begin, and after them the end of the last; (symbols + 1,)."""
    values: tuple[int, ...]
    """Where each column begins."""
    nulls: tuple[int | None, ...]
    """Where begins which of its values are null; None if none is."""


def _run(schema: pa.Schema, rank_of: np.ndarray, shelf: Shelf, rows: pa.Table) -> _Run:
    rank = rank_of[rows["symbol"].to_numpy()]
    ends = np.concatenate([[0], np.cumsum(np.bincount(rank, minlength=len(rank_of)))]).astype(np.int32)
    order = np.argsort(rank, kind="stable")  # a radix sort, for ranks are small integers
    values, nulls = list[np.ndarray](), list[np.ndarray | None]()
    for name, kind in zip(schema.names[1:], schema.types[1:], strict=True):
        column = rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(len(rank), kind)])
        nulls.append(column.is_null().to_numpy() if column.null_count else None)
        values.append((column.cast(pa.int32()) if pa.types.is_date32(kind) else column).fill_null(0).to_numpy())
    parts = [*values, *(part for part in nulls if part is not None)]
    starts = np.cumsum([0, *(-(-part.nbytes // 8) * 8 for part in parts)]).tolist()
    block, at = shelf.block(starts[-1])
    for part, start in zip(parts, starts[:-1], strict=True):
        _take(part, order, block[start : start + part.nbytes].view(part.dtype))
    at = shelf.write(block) if at is None else at
    places = iter([at + start for start in starts])
    return _Run(
        ends, tuple(next(places) for _ in values), tuple(None if part is None else next(places) for part in nulls)
    )


def _take(values: np.ndarray, order: np.ndarray, into: np.ndarray) -> None:
    values.take(order, out=into, mode="clip")  # no place is outside; the mode "raise" would fill a copy first


class _Merging:
    """Tables of whole symbols from the runs; what one needs for a while serves the next again."""

    def __init__(self, runs: Sequence[_Run], shelf: Shelf, schema: pa.Schema, bounds: Sequence[int]) -> None:
        self._runs, self._shelf, self._schema = runs, shelf, schema
        ends = sum((run.ends[bounds].astype(np.int64) for run in runs), np.zeros(len(bounds), np.int64))
        most = int(np.diff(ends).max())
        self._index, self._laid = np.empty(most, np.intp), np.empty(most, np.float64)

    def table(self, places: np.ndarray, low: int) -> pa.Table:
        """The rows of the symbols at `places`, whose ranks are `low` and the next ones."""
        ends = np.array([run.ends[low : low + len(places) + 1] for run in self._runs], np.int64)
        counts = np.diff(ends.reshape(len(self._runs), len(places) + 1))
        index = self._order(counts)
        lengths = counts.sum(axis=1).tolist()
        columns = [pa.array(np.repeat(places, counts.sum(axis=0)), pa.int32())]
        for number, kind in enumerate(self._schema.types[1:]):
            plain = np.dtype(np.int32 if pa.types.is_date32(kind) else np.float64)
            values = self._column([run.values[number] for run in self._runs], low, lengths, index, plain)
            nulls = [run.nulls[number] for run in self._runs]
            known = all(start is None for start in nulls)
            mask = None if known else self._column(nulls, low, lengths, index, np.dtype(np.bool_))
            columns.append(pa.array(values, mask=mask).cast(kind))
        return pa.table(columns, schema=self._schema)

    def _order(self, counts: np.ndarray) -> np.ndarray:
        """Where each row of the table stands when run lies after run, from the rows of (run, symbol)."""
        starts = (np.cumsum(counts) - counts.ravel()).reshape(counts.shape).T.ravel()
        lengths = counts.T.ravel()
        starts, lengths = starts[lengths > 0], lengths[lengths > 0]
        index = self._index[: lengths.sum()]
        index[:] = 1
        if len(index):
            before = np.concatenate([[0], starts[:-1] + lengths[:-1] - 1])
            index[np.cumsum(lengths) - lengths] = starts - before
        return np.cumsum(index, out=index)

    def _column(
        self, starts: Sequence[int | None], low: int, lengths: Sequence[int], index: np.ndarray, kind: np.dtype
    ) -> np.ndarray:
        """A column that starts in each run where `starts` says; zero where it starts nowhere."""
        laid = self._laid.view(kind)[: len(index)]
        at = 0
        for run, start, length in zip(self._runs, starts, lengths, strict=True):
            part = laid[at : at + length]
            if start is None:
                part[:] = 0
            else:
                self._shelf.copy(start + int(run.ends[low]) * kind.itemsize, part)
            at += length
        values = np.empty(len(index), kind)
        _take(laid, index, values)
        return values
