"""Bars from a folder of CSV or Parquet files: long ones, or one per symbol as Yahoo and yfinance write them.

Knows what the rows of files mean; no warehouse, no network, and no rule of what a good bar is.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.errors import SourceError
from market_pipeline.markets import Market
from market_pipeline.sources.file_rows import (
    EVENTS,
    EXTRAS,
    REQUIRED,
    SUFFIXES,
    Faults,
    Head,
    Stamp,
    head_of,
    naming,
    rows_of,
    symbol_of,
    symbols_of,
)
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, outcome_of
from market_pipeline.sources.rebasing import as_traded, without_empty_rows
from market_pipeline.sources.spill import ahead, by_group

NOISE = 1e-6
"""Relative change of adj_close / close that is rounding, not a dividend."""

AT_ONCE = 2_000_000
"""Rows that are turned into bars at once, about: a fetch of more comes in pieces, each of whole symbols."""

AGAIN = 1.6
"""How many times as many rows may be read as there are, to spare bringing them together on disk."""

ROWS = pa.schema(
    [("symbol", pa.int32()), ("session", pa.date32()), *((name, pa.float64()) for name in (*REQUIRED[1:], *EXTRAS))]
)
"""What files have to say, `symbol` being its place among those asked for; without EXTRAS that no file has."""


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
        pieces = list(self.batches(market, symbols, first, last))
        return Fetched(
            pd.concat([piece.bars for piece in pieces], ignore_index=True),
            tuple(outcome for piece in pieces for outcome in piece.outcomes),
            tuple(note for piece in pieces for note in piece.notes),
        )

    def batches(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Iterator[Fetched]:
        """What `fetch` answers, in pieces of whole symbols that memory holds however much the files have."""
        if problem := self.problem():
            raise SourceError(problem)
        reading = _Reading(self.folder, self._files(), symbols)
        size = min(1 + reading.expected(symbols) // self.at_once, len(symbols))
        order = np.argsort(symbols, kind="stable") if size > 1 else np.arange(len(symbols))
        groups = [np.sort(places) for places in np.array_split(order, size)]
        names = [[symbols[place] for place in places] for places in groups]
        rows: Iterator[pa.Table]
        # Files of one symbol each, or in the order of their symbols, are read a group at a time, others all at once.
        if sum(map(reading.expected, names)) <= AGAIN * reading.expected(symbols):
            rows = (pa.concat_tables(reading.rows(group), promote_options="default") for group in names)
        else:
            rows = by_group(reading.rows(symbols), reading.schema, groups)
        said = 0
        for piece in ahead(partial(reading.answer, market, first, last), zip(groups, rows, strict=True)):
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


class _Reading:
    """One pass over the files of a folder, and what was wrong with them."""

    def __init__(self, folder: Path, files: Sequence[Path], symbols: Sequence[str]) -> None:
        self.folder, self.symbols = folder, symbols
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

    def expected(self, symbols: Sequence[str]) -> int:
        """The rows that are read for these symbols, roughly."""
        asked, names = {*symbols, None}, sorted(symbols)
        heads = (head for head in self.wanted.values() if head.owner in asked)
        return sum(head.spans[span][0] for head in heads for span in head.spans_with(names))

    def _failed(self, symbol: str, error: SourceError) -> None:
        self.broken[symbol] = error
        self.notes.append(str(error))

    def rows(self, symbols: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of some of the asked symbols, file by file; a file that cannot be read stops no other."""
        asked = {*symbols}
        names = pa.array([symbol if symbol in asked else None for symbol in self.symbols], pa.string())
        yield self.schema.empty_table()
        for stamp, head in list(self.wanted.items()):
            if head.owner is not None and head.owner not in asked:
                continue
            faults = Faults(stamp.path)
            try:
                for piece in rows_of(stamp, symbols, faults):
                    yield _placed(piece, names)
            except SourceError as error:
                self._failed(head.owner or symbol_of(stamp.path), error)
                del self.heads[stamp], self.wanted[stamp]
            if faults.count and faults.note not in self.notes:
                self.notes.append(faults.note)
        if not self.heads and not any(symbol in self.broken for symbol in self.symbols):
            raise next(iter(self.broken.values()))

    def answer(self, market: Market, first: dt.date, last: dt.date, group: tuple[np.ndarray, pa.Table]) -> Fetched:
        """Bars and outcomes of a group: the places of some of the symbols, and all rows that files have of them."""
        places, rows = group
        lost = [place for place in places.tolist() if self.symbols[place] in self.broken]
        if lost:
            rows = rows.filter(pc.invert(pc.is_in(rows["symbol"], pa.array(lost, pa.int32()))))
        bars = bars_of(rows)
        held = set(bars["symbol"].unique().tolist())
        inside = bars["session"].between(pd.Timestamp(first), pd.Timestamp(last)).to_numpy()
        bars = bars if inside.all() else bars[inside].reset_index(drop=True)
        days = bars["session"].to_numpy().astype("datetime64[D]")
        ends = np.searchsorted(bars["symbol"].to_numpy(), [places, places + 1])
        own = {head.owner for head in self.heads.values()}
        outcomes = []
        for place, start, end in zip(places.tolist(), *ends.tolist(), strict=True):
            symbol = self.symbols[place]
            if symbol not in self.broken and (place in held or symbol in own):
                outcomes.append(outcome_of(market, symbol, days[start:end], first, last))
            else:
                outcomes.append(self._not_found(symbol))
        names = pa.DictionaryArray.from_arrays(bars["symbol"].to_numpy(np.int32), pa.array(self.symbols, pa.string()))
        bars["symbol"] = names.cast(pa.string()).to_pandas()
        return Fetched(bars, tuple(outcomes))

    @cached_property
    def _known(self) -> set[str]:
        return set[str]().union(*(symbols_of(stamp) for stamp in self.heads))

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
    return rows.filter(places.is_valid()) if places.null_count else rows


def bars_of(rows: pa.Table) -> pd.DataFrame:
    """Rows of whole symbols in ROWS, of however many files, as bars in BAR_COLUMNS but with numbers for symbols."""
    rows = _in_order(rows.combine_chunks())
    symbol, day = rows["symbol"].to_numpy(), rows["session"].to_numpy()
    untold = {name: rows[name].is_null().to_numpy() for name in EVENTS if name in rows.column_names}
    bars = rows.drop_columns("session").to_pandas(split_blocks=True)
    bars.insert(1, "session", day.astype("datetime64[D]").astype("datetime64[s]"))
    bars["split_ratio"] = (
        np.where(untold["splits"] | (bars["splits"] == 0), 1.0, bars["splits"]) if "splits" in untold else 1.0
    )
    bars["told"] = ~untold["dividends"] if "dividends" in untold else False
    if ((symbol[1:] == symbol[:-1]) & (day[1:] == day[:-1])).any():
        bars = bars.drop_duplicates(ignore_index=True)
    bars["dividend"] = np.where(bars["told"], bars.get("dividends", 0.0), implied_dividends(bars))
    bars = without_empty_rows(bars[list(BAR_COLUMNS)])
    splits = bars.loc[(bars["split_ratio"] > 0) & (bars["split_ratio"] != 1), ["symbol", "session", "split_ratio"]]
    return as_traded(bars, splits)


def _in_order(rows: pa.Table) -> pa.Table:
    """The rows by symbol and session; files often have them so, or by session and symbol."""
    symbol, day = rows["symbol"].to_numpy(), rows["session"].to_numpy()
    if _ordered(symbol, day):
        return rows
    low = symbol - symbol.min()
    order = np.argsort(low.astype(np.uint16) if low.max() < 1 << 16 else low, kind="stable")
    if not _ordered(symbol[order], day[order]):
        order = np.lexsort((day, symbol))
    return rows.take(pa.array(order))


def _ordered(symbol: np.ndarray, day: np.ndarray) -> bool:
    later = (symbol[1:] > symbol[:-1]) | ((symbol[1:] == symbol[:-1]) & (day[1:] >= day[:-1]))
    return bool(later.all())


def implied_dividends(bars: pd.DataFrame) -> np.ndarray:
    """The dividends that adj_close implies, for bars sorted by symbol and session; 0 without adj_close.

    Backwards adjustment multiplies the past by 1 - dividend / last close, so where adj_close / close steps up by more
    than NOISE, dividend = (1 - factor before / factor after) x the close before.
    """
    dividend = np.zeros(len(bars))
    if "adj_close" not in bars:
        return dividend
    priced = (bars["close"].notna() & bars["adj_close"].notna()).to_numpy()
    known = bars[priced]
    factor = (known["adj_close"] / known["close"]).to_numpy()
    before = np.concatenate([[np.nan], factor])[: len(factor)]
    same = (known["symbol"] == known["symbol"].shift()).to_numpy()
    share = np.where(same, 1 - before / factor, 0.0)
    dividend[priced] = np.where(share > NOISE, share * known["close"].shift().to_numpy(), 0.0)
    return dividend
