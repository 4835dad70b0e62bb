"""Bars from a folder of CSV or Parquet files: long ones, or one per symbol as Yahoo and yfinance write them.

Knows which rows to read for which bars; no warehouse, no network, and no rule of what a good bar is.
"""

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources.file_bars import ROWS, bars_of
from market_pipeline.sources.file_columns import Faults
from market_pipeline.sources.file_heads import EXTRAS, SUFFIXES, Head, Stamp, head_of, naming, symbol_of
from market_pipeline.sources.file_rows import PIECE, rows_of, symbols_of
from market_pipeline.sources.protocol import Fetched, Outcome, outcome_of
from market_pipeline.sources.spill import ahead, by_group
from market_pipeline.sources.stretches import Stretch, stretches_of, units_of

AT_ONCE = 1_000_000
"""Rows that are turned into bars at once, about: a fetch of more comes in pieces, few enough that memory is reused."""

AGAIN = 1.6
"""How many times as many rows may be read as there are, to spare bringing them together on disk."""


class FilesSource:
    """The folder that MARKET_PIPELINE_FILES names."""

    name = "files"

    def __init__(self, folder: Path, at_once: int = AT_ONCE) -> None:
        self.folder, self.at_once = folder, at_once

    def problem(self) -> str | None:
        if not self.folder.is_dir():
            return f"The folder {self.folder} does not exist. Set MARKET_PIPELINE_FILES to the folder of your files."
        if not self._files():
            return f"{self.folder} holds no {', '.join(SUFFIXES)} file. Put long or per-symbol files there."
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        [whole] = FilesSource(self.folder, at_once=sys.maxsize).batches(market, symbols, first, last)
        return whole

    def batches(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Iterator[Fetched]:
        """What `fetch` answers, in pieces that memory holds however much the files have: of symbols, or of days."""
        if problem := self.problem():
            raise SourceError(problem)
        reading = _Reading(self.folder, self._files(), symbols, first, last)
        said = 0
        for piece in ahead(partial(reading.answer, market), reading.parts(market, self.at_once)):
            yield replace(piece, notes=tuple(reading.notes[said:]))
            said = len(reading.notes)

    def _files(self) -> list[Path]:
        """Hidden files and folders are other programs' copies and locks, not data."""
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.name.lower().endswith(SUFFIXES)
            and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
            and path.is_file()
        )


class _Part(NamedTuple):
    """Rows of some of the asked symbols that their bars from `first` to `last` can be made of."""

    rows: pa.Table
    places: np.ndarray
    """Of the symbols among those asked, in order."""
    first: dt.date
    last: dt.date


class _Reading:
    """One pass over the files of a folder, and what was wrong with them."""

    def __init__(
        self, folder: Path, files: Sequence[Path], symbols: Sequence[str], first: dt.date, last: dt.date
    ) -> None:
        self.folder, self.symbols, self.first, self.last = folder, symbols, first, last
        self.heads = dict[Stamp, Head]()
        """Of the files that can be read, as far as is known."""
        self.broken = dict[str, SourceError]()
        """The fault of each of the others, by the symbol that it has or is named after."""
        self.notes = list[str]()
        for path in files:
            try:
                with naming(path):
                    state = path.stat()
                stamp = Stamp(path, state.st_mtime_ns, state.st_size)
                head = head_of(stamp)
            except SourceError as error:
                self._failed(symbol_of(path), error)
                continue
            if not head.missing or stamp.kind != ".txt":  # which may be somebody's notes
                self.heads[stamp] = head
        self.wanted = {stamp: head for stamp, head in self.heads.items() if head.owner in {*symbols, None}}
        told = {name for head in self.wanted.values() for _, places in head.parts for name in places}
        self.schema = pa.schema([column for column in ROWS if column.name not in EXTRAS or column.name in told])
        # Splits, dividends and adjusted closes say something of bars of other days, prices do not.
        self.days = (first, last) if told.isdisjoint(EXTRAS) else (dt.date.min, dt.date.max)

    def expected(self, groups: Sequence[Sequence[str]]) -> int:
        """The rows that are read for one group of symbols after the other, roughly; the last span read is kept."""
        told = (spans for symbols in groups for spans in self._spans(symbols))
        order = [(stamp, span, head.spans[span].rows) for stamp, head, spans in told for span in spans]
        kept = (now for before, now in pairwise(order) if now == before and now[2] <= PIECE)
        return sum(rows for _, _, rows in order) - sum(rows for _, _, rows in kept)

    def _spans(self, symbols: Sequence[str]) -> Iterator[tuple[Stamp, Head, list[int]]]:
        """What is read of each file for these symbols."""
        asked, names = {*symbols, None}, sorted(symbols)
        for stamp, head in list(self.wanted.items()):
            if head.owner in asked:
                yield stamp, head, head.spans_with(names, *self.days)

    def _failed(self, symbol: str, error: SourceError) -> None:
        self.broken[symbol] = error
        self.notes.append(str(error))

    def parts(self, market: Market, at_once: int) -> Iterator[_Part]:
        """All rows there are, about `at_once` at a time: of some symbols on all days, or of all symbols on some days.

        Files of one symbol each, or in the order of their symbols, are read a group of symbols at a time, others in
        the order of their days if they tell it and nothing is said across days. What remains is brought together.
        """
        expected, count = self.expected([self.symbols]), len(self.symbols)
        size = min(1 + expected // at_once, count)
        order = np.argsort(self.symbols, kind="stable") if size > 1 else np.arange(count)
        groups = [np.sort(places) for places in np.array_split(order, size)]
        names = [[self.symbols[place] for place in places] for places in groups]
        tables: Iterator[pa.Table]
        if self.expected(names) <= AGAIN * expected:
            tables = (pa.concat_tables(self._rows(group), promote_options="default") for group in names)
        elif stretches := self._stretches(market, at_once):
            for stretch, rows in zip(stretches, self._rows_by_day(stretches), strict=True):
                yield _Part(rows, np.arange(count), stretch.first, stretch.last)
            return
        else:
            tables = by_group(self._rows(self.symbols), self.schema, groups)
        for places, rows in zip(groups, tables, strict=True):
            yield _Part(rows, places, self.first, self.last)

    def _stretches(self, market: Market, at_once: int) -> list[Stretch] | None:
        if self.days != (self.first, self.last):
            return None
        units = [unit for told in self._spans(self.symbols) for unit in units_of(*told)]
        sessions = market.sessions_between(self.first, self.last)
        return stretches_of(units, sessions, self.first, self.last, at_once)

    def _rows(self, symbols: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of some of the asked symbols, file by file."""
        asked = {*symbols}
        names = pa.array([symbol if symbol in asked else None for symbol in self.symbols], pa.string())
        yield self.schema.empty_table()
        for stamp, _, spans in self._spans(symbols):
            faults = Faults(stamp.path)
            yield from self._rows_of(stamp, spans, faults, names)
            self._note(faults)
        self._refuse_nothing()

    def _rows_by_day(self, stretches: Sequence[Stretch]) -> Iterator[pa.Table]:
        """The rows of each stretch; what a row group has of later ones waits for them."""
        names = pa.array(self.symbols, pa.string())
        faults = {stamp: Faults(stamp.path) for stamp in self.wanted}
        waiting: list[pa.Table] = []
        for stretch in stretches:
            for unit in stretch.units:
                waiting.extend(self._rows_of(unit.stamp, unit.spans, faults[unit.stamp], names))
            if stretch is stretches[-1]:
                for found in faults.values():
                    self._note(found)
                self._refuse_nothing()
            parts = [_parted(rows, stretch.last) for rows in waiting]
            waiting = [later for _, later in parts if later.num_rows]
            yield pa.concat_tables([self.schema.empty_table(), *(rows for rows, _ in parts)], promote_options="default")

    def _rows_of(self, stamp: Stamp, spans: Sequence[int], faults: Faults, names: pa.Array) -> Iterator[pa.Table]:
        """A file's rows of the symbols in `names`; a file that cannot be read stops no other."""
        if stamp not in self.wanted:
            return
        try:
            for piece in rows_of(stamp, spans, faults):
                yield _placed(piece, names)
        except SourceError as error:
            self._failed(self.wanted[stamp].owner or symbol_of(stamp.path), error)
            del self.heads[stamp], self.wanted[stamp]

    def _note(self, faults: Faults) -> None:
        if faults.count and faults.note not in self.notes:
            self.notes.append(faults.note)

    def _refuse_nothing(self) -> None:
        if not self.heads and not any(symbol in self.broken for symbol in self.symbols):
            raise next(iter(self.broken.values()))

    def answer(self, market: Market, part: _Part) -> Fetched:
        """Bars and outcomes of a part."""
        rows = part.rows
        lost = [place for place in part.places.tolist() if self.symbols[place] in self.broken]
        if lost:
            rows = rows.filter(pc.invert(pc.is_in(rows["symbol"], pa.array(lost, pa.int32()))))
        bars = bars_of(rows)
        day = (bars["session"].to_numpy().astype("datetime64[D]") - np.datetime64(part.first)).astype(np.int64)
        inside = (day >= 0) & (day <= (part.last - part.first).days)
        held = np.zeros(len(self.symbols), bool)
        held[bars["symbol"].to_numpy()] = True
        if not inside.all():
            bars, day = bars[inside].reset_index(drop=True), day[inside]
        outcomes = self._outcomes(market, part, held, bars["symbol"].to_numpy(), day)
        names = pa.DictionaryArray.from_arrays(bars["symbol"].to_numpy(np.int32), pa.array(self.symbols, pa.string()))
        bars["symbol"] = names.cast(pa.string()).to_pandas()
        whole = (part.first, part.last) == (self.first, self.last)
        return Fetched(bars, outcomes, days=None if whole else (part.first, part.last))

    def _outcomes(
        self, market: Market, part: _Part, held: np.ndarray, place: np.ndarray, day: np.ndarray
    ) -> tuple[Outcome, ...]:
        """How the request for each symbol of a part ended.

        `held` tells of each asked symbol whether there is any row of it, `place` and `day` of each bar of the part its
        symbol and how many days after the first it is.
        """
        row_of = np.zeros(len(self.symbols), np.int64)
        row_of[part.places] = np.arange(len(part.places))
        found = np.zeros((len(part.places), (part.last - part.first).days + 1), bool)
        found[row_of[place], day] = True
        usual = np.zeros(found.shape[1], bool)
        first = np.datetime64(part.first)
        usual[(market.sessions_between(part.first, part.last) - first).astype(np.int64)] = True
        complete = (found == usual).all(axis=1) & usual.any()
        own = {head.owner for head in list(self.heads.values())}
        outcomes = []
        for at, row, is_complete in zip(part.places.tolist(), found, complete.tolist(), strict=True):
            symbol = self.symbols[at]
            if is_complete and symbol not in market.listed and symbol not in market.delisted:
                outcomes.append(Outcome(symbol, "ok"))
            elif symbol not in self.broken and (held[at] or symbol in own or symbol in self._known):
                days = first + np.flatnonzero(row)
                outcomes.append(outcome_of(market, symbol, days, part.first, part.last))
            else:
                outcomes.append(self._not_found(symbol))
        return tuple(outcomes)

    @cached_property
    def _known(self) -> set[str]:
        return set[str]().union(*(symbols_of(stamp) for stamp in list(self.heads)))

    def _not_found(self, symbol: str) -> Outcome:
        if symbol in self.broken:
            return Outcome(symbol, "unavailable", str(self.broken[symbol]))
        if unread := sorted(set(self.broken) - self._known):
            return Outcome(symbol, "unavailable", f"in no file that can be read, but {self.broken[unread[0]]}")
        near = get_close_matches(symbol, sorted(self._known), n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        return Outcome(symbol, "unknown_symbol", f"no file in {self.folder} has it{hint}")


def _placed(rows: pa.Table, names: pa.Array) -> pa.Table:
    """The rows of the symbols in `names`, which their places there take the place of."""
    chunks = rows["symbol"].chunks
    places = pa.chunked_array(
        [pc.take(pc.index_in(chunk.dictionary, names), chunk.indices) for chunk in chunks], pa.int32()
    )
    rows = rows.set_column(0, "symbol", places)
    return _chosen(rows, places.is_valid()) if places.null_count else rows


def _parted(rows: pa.Table, last: dt.date) -> tuple[pa.Table, pa.Table]:
    """The rows up to a day, and the later ones."""
    later = pc.greater(rows["session"], pa.scalar(last, pa.date32()))
    return _chosen(rows, pc.invert(later)), _chosen(rows, later)


def _chosen(rows: pa.Table, which: pa.ChunkedArray) -> pa.Table:
    """Some of the rows, without a copy where they stand together."""
    mask = which.to_numpy()
    start, count = int(mask.argmax()) if len(mask) else 0, int(mask.sum())
    return rows.slice(start, count) if mask[start : start + count].all() else rows.filter(which)
