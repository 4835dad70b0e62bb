"""The rows of one CSV or Parquet file, long or of one symbol, in our columns, a piece at a time.

Knows files, columns and how people spell them; no market, and nothing of what a row means.
"""

import csv
import datetime as dt
import gzip
import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from market_pipeline.errors import SourceError
from market_pipeline.sources.csv_lines import Lines, blocks

SPELLINGS = {
    "ticker": "symbol", "datetime": "date", "timestamp": "date", "vol": "volume",
    "stock_splits": "splits", "split": "splits", "dividend": "dividends",
    "adjclose": "adj_close", "adjusted_close": "adj_close", "close_adjusted": "adj_close",
}  # fmt: skip
REQUIRED = ("date", "open", "high", "low", "close", "volume")
EVENTS = ("dividends", "splits")
EXTRAS = ("adj_close", *EVENTS)
NUMBERS = (*REQUIRED[1:], *EXTRAS)
SUFFIXES = (".csv", ".csv.gz", ".txt", ".parquet")
INTERVAL = re.compile(r"[-_ ](1d|1day|daily|yfinance-multiindex|yfinance|yahoo)$", re.IGNORECASE)
ISO = re.compile(r"\d{4}-\d\d-\d\d")
BLANKS = (*pv.ConvertOptions().null_values, "None")
NAME = pa.dictionary(pa.int32(), pa.string())

PIECE = 1 << 20
"""Rows of a Parquet file that are decoded at once."""

BYTES_PER_ROW = 45
"""Of a plain CSV file; a packed one has a quarter."""

KEPT = 16 << 20
"""Bytes up to which a CSV file's rows are kept until the file changes: a daily run asks more than once."""

NAMED = 3
"""Broken lines of a file that are shown; the others are counted."""


class Stamp(NamedTuple):
    """One state of one file: what was read of it holds until its time or size changes."""

    path: Path
    modified: int
    size: int

    @property
    def kind(self) -> str:
        """The last suffix, in lower case."""
        return self.path.suffix.lower()


class Span(NamedTuple):
    """A part of a file that can be read alone, and what is known of it beforehand."""

    rows: int
    """Roughly."""
    low: str | None = None
    """Its first symbol in the order of text; None when that is not known."""
    high: str | None = None
    """Its last one."""
    since: dt.date = dt.date.min
    """No row is of an earlier day."""
    until: dt.date = dt.date.max
    """No row is of a later day."""


class Head(NamedTuple):
    """What the top of a file says: its columns, and where those of each symbol stand."""

    names: tuple[str, ...]
    skip: int
    """Lines above the first row."""
    parts: tuple[tuple[str | None, Mapping[str, int]], ...]
    """Symbol (None: a column tells) and the position of each of our columns."""
    spans: tuple[Span, ...]
    """One, or the row groups of a Parquet file."""

    @property
    def owner(self) -> str | None:
        """The one symbol of a per-symbol file; None for a long one."""
        return self.parts[0][0] if len(self.parts) == 1 else None

    def spans_with(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> list[int]:
        """Which spans may hold a day from `first` to `last` of one of `symbols`, which are sorted."""
        found = []
        for number, span in enumerate(self.spans):
            at = 0 if span.low is None else bisect_left(symbols, span.low)
            named = span.high is None or (at < len(symbols) and symbols[at] <= span.high)
            if named and span.since <= last and span.until >= first:
                found.append(number)
        return found

    @property
    def tells_days(self) -> bool:
        """Whether it is known between which days each span lies."""
        return all(span.since > dt.date.min for span in self.spans)

    @property
    def missing(self) -> str | None:
        """A required column that the file has not."""
        return next((name for _, places in self.parts for name in REQUIRED if name not in places), None)


@dataclass
class Faults:
    """The lines of one file that cannot be read, the first of them in words."""

    path: Path
    lines: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def short(self) -> bool:
        """Whether another line would be shown."""
        return len(self.lines) < NAMED

    def add(self, line: str) -> None:
        if self.short:
            self.lines.append(line)
        self.count += 1

    def add_all(self, more: "Faults") -> None:
        self.lines.extend(more.lines[: max(NAMED - len(self.lines), 0)])
        self.count += more.count

    @property
    def note(self) -> str:
        more = f", and {self.count - NAMED} more lines" if self.count > NAMED else ""
        return f"{self.path}: left out {'; '.join(self.lines)}{more}"


def symbol_of(path: Path) -> str:
    """The symbol that a per-symbol file is named after: SOL1-USD-1d.csv holds SOL1-USD."""
    stem = path.name[: -len(next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)))]
    return INTERVAL.sub("", stem)


@lru_cache(maxsize=1 << 16)
def head_of(stamp: Stamp) -> Head:
    """The columns of a file, from its top alone; raises SourceError when there are none or one comes twice."""
    path = stamp.path
    with naming(path):
        if stamp.kind == ".parquet":
            about = pq.read_metadata(path)
            header, ends = [about.schema.to_arrow_schema().names], [0]
        else:
            about = None
            header, ends = _csv_header(stamp)
    if not header:
        raise SourceError(f"{path} cannot be read: it is empty. Mend or remove the file.")
    spans = (Span(stamp.size // BYTES_PER_ROW * (4 if stamp.kind == ".gz" else 1)),)
    fields = [_spelling(name) for name in header[0]]
    if "symbol" not in fields:
        fields = ["symbol" if name == "name" else name for name in fields]
    corner = [row[0] for row in header[:2]]
    if corner in (["Price", "Ticker"], ["Ticker", "Price"]):
        prices, tickers = header[:2] if corner[0] == "Price" else header[1::-1]
        fields = ["date", *map(_spelling, prices[1:])]
        skip = ends[2 if len(header) > 2 and _spelling(header[2][0]) == "date" else 1]
        parts = [
            (ticker, _places(path, fields, [0, *(i for i, of in enumerate(tickers) if i and of == ticker)]))
            for ticker in dict.fromkeys(tickers[1:])
        ]
        return Head(tuple(prices), skip, tuple(parts), spans)
    own = None if "symbol" in fields else symbol_of(path)
    places = _places(path, fields, range(len(fields)))
    return Head(tuple(header[0]), ends[0], ((own, places),), spans if about is None else _spans(about, places))


def _opened(stamp: Stamp) -> IO[bytes]:
    return gzip.open(stamp.path, "rb") if stamp.kind == ".gz" else stamp.path.open("rb")  # type: ignore[return-value]  # GzipFile reads bytes as IO[bytes] does, but is no subclass of it


def _csv_header(stamp: Stamp) -> tuple[list[list[str]], list[int]]:
    """Up to three rows that are not blank, and the line on which each ends."""
    with _opened(stamp) as file:
        reader = csv.reader(line.decode("utf-8-sig") for line in file)
        found = list(islice(((row, reader.line_num) for row in reader if row), 3))
    return [row for row, _ in found], [line for _, line in found]


def _places(path: Path, fields: Sequence[str], among: Sequence[int]) -> dict[str, int]:
    """The position of each of our columns; raises SourceError when two columns are the same one."""
    places = dict[str, int]()
    for place in among:
        if fields[place] in places:
            raise SourceError(f"{path} has the column {fields[place]!r} twice, perhaps spelt differently. Remove one.")
        if fields[place] in ("symbol", "date", *NUMBERS):
            places[fields[place]] = place
    return places


@lru_cache(maxsize=4096)
def symbols_of(stamp: Stamp) -> frozenset[str]:
    """Every symbol that a file has."""
    head = head_of(stamp)
    if head.parts[0][0] is not None:
        return frozenset(str(part[0]) for part in head.parts)
    columns: Iterable[pa.Array | pa.ChunkedArray]
    if stamp.kind != ".parquet":
        columns = (rows["symbol"] for rows in rows_of(stamp, [0], Faults(stamp.path)))
    else:
        columns = _symbol_columns(stamp)
    return frozenset(str(name) for column in columns for name in pc.unique(column).to_pylist() if name is not None)


def _symbol_columns(stamp: Stamp) -> Iterator[pa.Array]:
    head = head_of(stamp)
    name = head.names[head.parts[0][1]["symbol"]]
    with naming(stamp.path), pq.ParquetFile(stamp.path, read_dictionary=[name], pre_buffer=False) as file:
        yield from (batch.column(0) for batch in file.iter_batches(PIECE, columns=[name]))


def rows_of(stamp: Stamp, spans: Sequence[int], faults: Faults) -> Iterator[pa.Table]:
    """A file's rows in some of its spans, in pieces.

    Columns: symbol (NAME), session (date32), and float64 those of NUMBERS that the file has: 0 where an event's
    stands empty, else NaN for what is no number. Rows that cannot be read go to `faults`. Raises SourceError naming
    file and fault when none can.
    """
    head = head_of(stamp)
    if head.missing:
        raise SourceError(
            f"{stamp.path} has no column {head.missing!r}; it has {', '.join(head.names)}. A file needs "
            f"{', '.join(REQUIRED)}, and symbol unless it is named after its one symbol."
        )
    pieces: Iterator[pa.Table]
    if stamp.kind == ".parquet":
        pieces = _parquet_rows(stamp, spans, faults)
    elif stamp.size <= KEPT:
        kept, found = _kept_rows(stamp)
        faults.add_all(found)
        pieces = iter(kept)
    else:
        pieces = _csv_rows(stamp, faults)
    count = 0
    with naming(stamp.path):
        for piece in pieces:
            count += piece.num_rows
            yield piece
    if faults.count and not count:
        raise SourceError(f"{stamp.path} cannot be read: {'; '.join(faults.lines)}. Mend or remove the file.")


def _parquet_rows(stamp: Stamp, spans: Sequence[int], faults: Faults) -> Iterator[pa.Table]:
    head = head_of(stamp)
    for span in spans:
        pieces: Iterable[pa.Table]
        if head.spans[span].rows > PIECE:
            pieces = _span_rows(stamp, span, faults)
        else:
            pieces, found = _kept_span(stamp, span)
            faults.add_all(found)
        for piece in pieces:
            _refuse_other_days(piece["session"], head.spans[span], stamp.path)
            yield piece


def _refuse_other_days(days: pa.ChunkedArray, span: Span, path: Path) -> None:
    told, found = pa.array([span.since, span.until], pa.date32()), pc.min_max(days)
    if len(days) and (pc.less(found["min"], told[0]).as_py() or pc.greater(found["max"], told[1]).as_py()):
        raise SourceError(
            f"{path} cannot be read: it says of a row group that its dates are from {span.since} to {span.until}, but "
            "there are others, perhaps in another spelling. Write the file anew."
        )


@lru_cache(maxsize=1)
def _kept_span(stamp: Stamp, span: int) -> tuple[tuple[pa.Table, ...], Faults]:
    """The span that was read last: where one symbol's rows end in it, the next one's begin."""
    faults = Faults(stamp.path)
    return tuple(_span_rows(stamp, span, faults)), faults


def _span_rows(stamp: Stamp, span: int, faults: Faults) -> Iterator[pa.Table]:
    head = head_of(stamp)
    named = {head.names[place]: str(place) for place in head.parts[0][1].values()}
    texts = [column.name for column in pq.read_schema(stamp.path) if _is_text(column.type) and column.name in named]
    row = sum(earlier.rows for earlier in head.spans[:span])
    with pq.ParquetFile(stamp.path, read_dictionary=texts, pre_buffer=False) as file:
        for batch in file.iter_batches(PIECE, [span], list(named)):
            piece = pa.table(batch).select(list(named)).rename_columns(list(named.values()))
            yield _typed(piece, head, faults, partial(_row_name, row))
            row += batch.num_rows


def _spans(about: pq.FileMetaData, places: Mapping[str, int]) -> tuple[Span, ...]:
    """The row groups; their days only if all of them tell theirs, for then each has a row that can be read."""
    kinds = about.schema.to_arrow_schema().types
    flat = len(kinds) == about.num_columns  # else the numbers of columns are not the places of names
    named = flat and "symbol" in places and _is_text(kinds[places["symbol"]])
    dated = flat and {*REQUIRED} <= {*places}
    spans = []
    for group in map(about.row_group, range(about.num_row_groups)):
        low, high = _ends(group.column(places["symbol"])) if named else (None, None)
        since, until = map(_day, _ends(group.column(places["date"])) if dated else (None, None))
        spans.append(Span(group.num_rows, low, high, since or dt.date.min, until or dt.date.max))
    if any(span.since == dt.date.min or span.until == dt.date.max for span in spans):
        return tuple(span._replace(since=dt.date.min, until=dt.date.max) for span in spans)
    return tuple(spans)


def _ends(column: pq.ColumnChunkMetaData) -> tuple[Any, Any]:
    """The least and the greatest value of a row group's column; None where the file or the calendar has none."""
    known = column.statistics
    with suppress(OverflowError):
        if known is not None and known.has_min_max:
            return known.min, known.max
    return None, None


def _day(end: object) -> dt.date | None:
    """The day of a least or greatest date; None where days may have another order than what stands there."""
    if isinstance(end, str) and ISO.match(end):
        with suppress(ValueError):
            return dt.date.fromisoformat(end[:10])
    if isinstance(end, dt.datetime):
        return end.date() if end.tzinfo is None else None  # clocks may be set back over midnight
    return end if isinstance(end, dt.date) else None


@lru_cache(maxsize=1024)
def _kept_rows(stamp: Stamp) -> tuple[tuple[pa.Table, ...], Faults]:
    faults = Faults(stamp.path)
    with naming(stamp.path):
        return tuple(_csv_rows(stamp, faults)), faults


def _csv_rows(stamp: Stamp, faults: Faults) -> Iterator[pa.Table]:
    head = head_of(stamp)
    used = {str(place): name for _, places in head.parts for name, place in places.items()}
    text = {place: NAME if name == "symbol" else pa.string() for place, name in used.items()}
    numbers = text | {place: pa.float64() for place, name in used.items() if name in NUMBERS}
    days = numbers | {place: pa.date32() for place, name in used.items() if name == "date"}
    reading = pv.ReadOptions(column_names=[str(place) for place in range(len(head.names))])
    # From the strict to the lenient: one word among the numbers is that row's fault, not the file's.
    ways = [days, numbers, text]
    with _opened(stamp) as file:
        for _ in range(head.skip):
            file.readline()
        for line, block in blocks(file, head.skip + 1):
            strange: list[str] = []

            def left_out(row: pv.InvalidRow, strange: list[str] = strange) -> str:
                strange.append(row.text)
                return "skip"

            while True:
                converting = pv.ConvertOptions(column_types=ways[0], include_columns=list(used), null_values=BLANKS)
                parsing = pv.ParseOptions(invalid_row_handler=left_out)
                strange.clear()
                try:
                    raw = pv.read_csv(pa.BufferReader(block), reading, parsing, converting)
                    break
                except pa.ArrowInvalid:
                    if len(ways) == 1:
                        raise
                    ways.pop(0)
            whole = Lines(block, line, strange)
            for at in whole.strange:
                faults.add(f"line {at} has not {len(head.names)} fields")
            yield _typed(raw, head, faults, partial(_line_name, whole))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the readers raise, as a SourceError that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read: {reason}. Mend or remove the file.") from None


def _typed(raw: pa.Table, head: Head, faults: Faults, where: Callable[[int], str]) -> pa.Table:
    """The columns of every part, one part below the other, from a table whose columns are named by position."""
    tables = []
    for symbol, places in head.parts:
        column = {name: raw[str(place)] for name, place in places.items()}
        name = pa.repeat(symbol, raw.num_rows) if symbol is not None else column["symbol"]
        days = _days(column["date"], faults.path, head.names[places["date"]])
        numbers = {name: _numbers(column[name], event=name in EVENTS) for name in NUMBERS if name in places}
        rows = pa.table({"symbol": _names(name), "session": days, **numbers})
        if days.null_count:
            if symbol == head.parts[0][0]:
                _name_days(faults, column["date"], days, where)
            rows = rows.filter(days.is_valid())
        tables.append(rows)
    return pa.concat_tables(tables, promote_options="default") if len(tables) > 1 else tables[0]


def _row_name(before: int, at: int) -> str:
    return f"row {before + at + 1}"


def _line_name(lines: Lines, at: int) -> str:
    return f"line {lines.of(at)}"


def _spelling(name: str) -> str:
    plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    return SPELLINGS.get(plain, plain)


def _names(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if column.type == NAME:
        return column
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(kind).cast(pa.string()).dictionary_encode()


def _numbers(column: pa.ChunkedArray, *, event: bool) -> pa.ChunkedArray:
    """Float64: where nothing stands 0 for an event, else NaN; NaN for what is no number."""
    blank = 0.0 if event else np.nan
    if column.type == pa.float64():
        if event and column.null_count < len(column):
            column = pc.if_else(pc.is_nan(column), blank, column)
        return column.fill_null(blank)
    if not pa.types.is_dictionary(column.type) and not _is_text(column.type):
        return _numbers(column.cast(pa.float64(), safe=False), event=event)
    text = column.cast(pa.string())
    nothing = pc.is_in(pc.utf8_trim_whitespace(text), pa.array([*BLANKS, None], pa.string())).to_numpy()
    numbers = pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(np.float64)
    return pa.chunked_array([np.where(nothing, blank, numbers)])


def _days(column: pa.ChunkedArray, path: Path, name: str) -> pa.ChunkedArray:
    """The local day of each row, null where there is none: of a time with an offset the day it shows, not UTC's."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_text(column.type):
        return _days_of_text(column)
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise SourceError(f"{path}: the column {name!r} holds {column.type}, not dates. Write it as dates.")
    return column.cast(pa.date32(), safe=False)


def _days_of_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(column), 0, 10)
    try:
        return text.cast(pa.date32())
    except pa.ArrowInvalid:
        text = pc.replace_substring_regex(text, r"^(\d{4})[/.]?(\d\d)[/.]?(\d\d)$", r"\1-\2-\3")
    try:
        return text.cast(pa.date32())
    except pa.ArrowInvalid:
        days = pd.to_datetime(text.to_pandas(), format="%Y-%m-%d", errors="coerce")
        return pa.chunked_array([pa.array(days.to_numpy().astype("datetime64[D]"), pa.date32(), from_pandas=True)])


def _name_days(faults: Faults, column: pa.ChunkedArray, days: pa.ChunkedArray, where: Callable[[int], str]) -> None:
    for row in np.flatnonzero(days.is_null().to_numpy()).tolist():
        named = f"{where(row)} has the date {column[row].as_py()!r}, not one like 2024-01-31" if faults.short else ""
        faults.add(named)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
