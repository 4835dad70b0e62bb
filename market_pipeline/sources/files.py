"""Bars from a folder of CSV or Parquet files: long ones, or one per symbol as Yahoo and yfinance write them.

Decides which rows are read together. How a file is read is in file_queries.py, what a bar is in file_bars.py.
"""

import datetime as dt
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources.file_bars import bars_of
from market_pipeline.sources.file_days import days_in
from market_pipeline.sources.file_heads import EXTRAS, NUMBERS, SUFFIXES, Head, head_of, symbol_of
from market_pipeline.sources.file_tables import FileTables
from market_pipeline.sources.protocol import Fetched, Outcome, outcome_of
from market_pipeline.storage.grids import Days

Item = TypeVar("Item")
Made = TypeVar("Made")

AT_ONCE = 1_000_000
"""Rows that are turned into bars at once, about."""

OVERLAP = 4
"""A chunk may touch row groups of this many times as many rows: those of other chunks are skipped, which takes time."""


class FilesSource:
    """The folder that MARKET_PIPELINE_FILES names."""

    name = "files"

    def __init__(self, folder: Path, at_once: int = AT_ONCE) -> None:
        self.folder, self.at_once = folder, at_once

    def problem(self) -> str | None:
        if not self.folder.is_dir():
            return f"The folder {self.folder} does not exist. Set MARKET_PIPELINE_FILES to the folder of your files."
        if not self._paths():
            return f"{self.folder} holds no {', '.join(SUFFIXES)} file. Put long or per-symbol files there."
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        [whole] = FilesSource(self.folder, at_once=sys.maxsize).batches(market, symbols, first, last)
        return whole

    def batches(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Iterator[Fetched]:
        """What `fetch` answers, in chunks that fit in memory however much the files have: of symbols, or of days."""
        if problem := self.problem():
            raise SourceError(problem)
        with TemporaryDirectory(prefix="market-pipeline-") as temporary:
            reading = _Reading(self.folder, self._paths(), symbols, first, last, Path(temporary))
            noted = 0
            for chunk in ahead(partial(reading.answer, market), reading.rows(market, self.at_once)):
                yield replace(chunk, notes=tuple(reading.notes[noted:]))
                noted = len(reading.notes)

    def days(self, symbols: Sequence[str]) -> tuple[dt.date, dt.date] | None:
        """The first and the last day of their rows; the files are read again only when one has changed."""
        inside = (path for path in self._paths() if path.is_file() and is_inside(self.folder, path))
        stats = ((path, path.stat()) for path in inside)
        return days_in(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats), tuple(sorted(symbols)))

    def _paths(self) -> list[Path]:
        """Hidden files and folders are other programs' copies and locks, not data."""
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.name.lower().endswith(SUFFIXES)
            and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
            and (path.is_file() or path.is_symlink())
        )


def is_inside(folder: Path, path: Path) -> bool:
    """Whether a path of the folder is no link that leads out of it."""
    return not path.is_symlink() or Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def require_inside(folder: Path, path: Path) -> None:
    """Raise SourceError for a link to a file elsewhere, which its author may not be allowed to read."""
    if not is_inside(folder, path):
        raise SourceError(
            f"{path} is a link to {os.path.realpath(path)}, which is not in {folder}. Put the file itself there, or "
            "remove the link."
        )


class _Chunk(NamedTuple):
    """Rows that are read together: of the symbols from `low` to `high` by name, for bars from `first` to `last`."""

    low: int
    high: int
    first: dt.date
    last: dt.date


class _Reading:
    """One pass over the files of a folder; temporary files go to `temporary`."""

    def __init__(
        self,
        folder: Path,
        paths: Sequence[Path],
        symbols: Sequence[str],
        first: dt.date,
        last: dt.date,
        temporary: Path,
    ) -> None:
        self.folder, self.symbols, self.first, self.last = folder, symbols, first, last
        self.heads = dict[Path, Head]()
        """Of the files that can be read, as far as is known."""
        self.broken = dict[str, SourceError]()
        """The fault of each of the others, by the symbol that it has or is named after."""
        self.notes = list[str]()
        wanted = self._wanted(paths)
        columns = {name for head in wanted.values() for name, _ in head.layout.columns}
        # Splits, dividends and adjusted closes affect bars of other days, prices do not.
        self.any_days = columns.isdisjoint(EXTRAS)
        self.place_of_name = np.argsort(symbols, kind="stable").astype(np.int32)
        self.names = np.array([symbols[place] for place in self.place_of_name], object)
        numbers = [name for name in NUMBERS if name in columns or name not in EXTRAS]
        self.tables = FileTables(self.names.tolist(), numbers, temporary, self._failed, self.notes.append)
        self.in_place = {path: head for path, head in wanted.items() if head.row_groups}
        """Parquet files that are read where they are."""
        self.tables.load({path: head for path, head in wanted.items() if not head.row_groups})

    def _wanted(self, paths: Sequence[Path]) -> dict[Path, Head]:
        """The files that may have rows of the requested symbols."""
        for path in paths:
            try:
                require_inside(self.folder, path)
                head = head_of(path)
            except SourceError as error:
                self._failed(path, error)
                continue
            if not head.fault or path.suffix.lower() != ".txt":  # which may be somebody's notes
                self.heads[path] = head
        asked = {*self.symbols}
        wanted = {path: head for path, head in self.heads.items() if not asked.isdisjoint(head.symbols or asked)}
        for path in [path for path, head in wanted.items() if head.fault]:
            self._failed(path, SourceError(f"{path}: {wanted.pop(path).fault}"))
        return wanted

    def _failed(self, path: Path, error: SourceError) -> None:
        head = self.heads.pop(path, None)
        self.broken[(head and head.owner) or symbol_of(path)] = error
        self.notes.append(str(error))

    def rows(self, market: Market, at_once: int) -> Iterator[tuple[_Chunk, pa.Table]]:
        """All rows, about `at_once` at a time: of some symbols on all days, or of all symbols on some days."""
        for chunk in self._chunks(market.sessions_between(self.first, self.last), at_once):
            low, high = self.names[chunk.low], self.names[chunk.high]
            files = {path: head for path, head in self.in_place.items() if low <= (head.owner or low) <= high}
            days = (chunk.first, chunk.last) if self.any_days else None
            rows = self.tables.rows(files, chunk.low, chunk.high, days)
            if not self.heads and self.broken.keys().isdisjoint(self.symbols):
                raise next(iter(self.broken.values()))
            self.in_place = {path: head for path, head in self.in_place.items() if path in self.heads}
            yield chunk, rows.set_column(0, "symbol", pa.array(self.place_of_name[rows["symbol"].to_numpy()]))

    def _chunks(self, sessions: Days, at_once: int) -> list[_Chunk]:
        """Of symbols if the files are in their order; of days if in theirs, and no row affects bars of other days.

        If in neither, all rows are loaded, which sorts them by symbol.
        """
        rows, low, high, since, until = self._spans(sessions)
        starts, most = cut(low, high, rows, at_once)
        if most <= OVERLAP * at_once or not self.in_place:
            ends = [*(starts[1:] - 1).tolist(), len(self.names) - 1]
            return [_Chunk(*ranks, self.first, self.last) for ranks in zip(starts.tolist(), ends, strict=True)]
        starts, most = cut(since, until, rows, at_once)
        if most <= OVERLAP * at_once and self.any_days:
            begins = [self.first, *sessions[starts[1:]].tolist()]
            lasts = [*(day - dt.timedelta(days=1) for day in begins[1:]), self.last]
            return [_Chunk(0, len(self.names) - 1, *days) for days in zip(begins, lasts, strict=True)]
        self.tables.load(self.in_place)
        self.in_place = {}
        return self._chunks(sessions, at_once)

    def _spans(self, sessions: Days) -> tuple[np.ndarray, ...]:
        """Rows, first and last symbol, first and last day of row groups, and of the loaded rows of each symbol.

        Symbols are positions in `names`, days in `sessions`. Those without any requested one are left out.
        """
        bounds = [group for head in self.in_place.values() for group in head.row_groups]
        bounds += [(rows, self.names[at], self.names[at], *days) for at, rows, *days in self.tables.loaded()]
        rows, low, high, since, until = zip(*bounds, strict=True) if bounds else [()] * 5
        spans = (
            np.array(rows, np.int64),
            np.searchsorted(self.names, np.array(low, object)),
            np.searchsorted(self.names, np.array(high, object), side="right") - 1,
            np.searchsorted(sessions, np.array(since, "datetime64[D]")),
            np.searchsorted(sessions, np.array(until, "datetime64[D]"), side="right") - 1,
        )
        asked = (spans[1] <= spans[2]) & (not self.any_days or spans[3] <= spans[4])
        return tuple(column[asked] for column in spans)

    def answer(self, market: Market, read: tuple[_Chunk, pa.Table]) -> Fetched:
        """Bars and outcomes of a chunk."""
        chunk, rows = read
        places = np.sort(self.place_of_name[chunk.low : chunk.high + 1])
        if lost := [place for place in places.tolist() if self.symbols[place] in self.broken]:
            rows = rows.filter(pc.invert(pc.is_in(rows["symbol"], pa.array(lost, pa.int32()))))
        bars = bars_of(rows)
        seen = np.zeros(len(self.symbols), bool)
        seen[bars["symbol"].to_numpy()] = True
        count = (chunk.last - chunk.first).days + 1
        day = (bars["session"].to_numpy().astype("datetime64[D]") - np.datetime64(chunk.first)).astype(np.int64)
        inside = (day >= 0) & (day < count)
        if not inside.all():
            bars, day = bars[inside].reset_index(drop=True), day[inside]
        row_of = np.zeros(len(self.symbols), np.int64)
        row_of[places] = np.arange(len(places))
        found = np.zeros((len(places), count), bool)
        found[row_of[bars["symbol"].to_numpy()], day] = True
        outcomes = tuple(self._outcomes(market, chunk, places, seen, found))
        names = pa.DictionaryArray.from_arrays(bars["symbol"].to_numpy(np.int32), pa.array(self.symbols, pa.string()))
        bars["symbol"] = names.cast(pa.string()).to_pandas()
        whole = (chunk.first, chunk.last) == (self.first, self.last)
        return Fetched(bars, outcomes, days=None if whole else (chunk.first, chunk.last))

    def _outcomes(
        self, market: Market, chunk: _Chunk, places: np.ndarray, seen: np.ndarray, found: np.ndarray
    ) -> Iterator[Outcome]:
        """How the request for the symbol at each of `places` ended.

        `seen` (symbols) is True where there are rows, of other days too; `found` (places, days) where there is a bar.
        """
        first = np.datetime64(chunk.first)
        sessions = np.zeros(found.shape[1], bool)
        sessions[(market.sessions_between(chunk.first, chunk.last) - first).astype(np.int64)] = True
        complete = (found == sessions).all(axis=1) & sessions.any()
        stated = {symbol for head in list(self.heads.values()) for symbol in head.symbols}
        for place, row, is_complete in zip(places.tolist(), found, complete.tolist(), strict=True):
            symbol = self.symbols[place]
            if is_complete and symbol not in market.listed and symbol not in market.delisted:
                yield Outcome(symbol, "ok")
            elif symbol not in self.broken and (seen[place] or symbol in stated or symbol in self._known):
                yield outcome_of(market, symbol, first + np.flatnonzero(row), chunk.first, chunk.last)
            else:
                yield self._not_found(symbol)

    @cached_property
    def _known(self) -> set[str]:
        return self.tables.symbols(dict(self.heads))

    def _not_found(self, symbol: str) -> Outcome:
        if symbol in self.broken:
            return Outcome(symbol, "unavailable", str(self.broken[symbol]))
        if unread := sorted(set(self.broken) - self._known):
            return Outcome(symbol, "unavailable", f"in no file that can be read, but {self.broken[unread[0]]}")
        near = get_close_matches(symbol, sorted(self._known), n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        return Outcome(symbol, "unknown_symbol", f"no file in {self.folder} has it{hint}")


def cut(low: np.ndarray, high: np.ndarray, rows: np.ndarray, at_once: int) -> tuple[np.ndarray, int]:
    """Where chunks of about `at_once` rows begin, and the most rows of the spans that one of them touches.

    Each span has `rows` from position `low` to `high`.
    """
    if not len(rows):
        return np.zeros(1, np.int64), 0
    order = np.argsort(low, kind="stable")
    before = np.cumsum(rows[order]) - rows[order]
    starts = np.unique(low[order][np.diff(before // at_once, prepend=-1) > 0])
    starts[0] = 0
    touched = np.zeros(len(starts) + 1, np.int64)
    np.add.at(touched, np.searchsorted(starts, low, side="right") - 1, rows)
    np.add.at(touched, np.searchsorted(starts, high, side="right"), -rows)
    return starts, int(touched.cumsum().max())


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
