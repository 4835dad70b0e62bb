"""What the top of a CSV or Parquet file says: its columns as people spell them, its symbols, its parts.

Knows where a column stands; not what is in it.
"""

import csv
import datetime as dt
import gzip
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from market_pipeline.errors import SourceError

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

BYTES_PER_ROW = 45
"""Of a plain CSV file; a packed one has a quarter."""


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


def opened(stamp: Stamp) -> IO[bytes]:
    return gzip.open(stamp.path, "rb") if stamp.kind == ".gz" else stamp.path.open("rb")  # type: ignore[return-value]  # GzipFile reads bytes as IO[bytes] does, but is no subclass of it


def _csv_header(stamp: Stamp) -> tuple[list[list[str]], list[int]]:
    """Up to three rows that are not blank, and the line on which each ends."""
    with opened(stamp) as file:
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


def _spans(about: pq.FileMetaData, places: Mapping[str, int]) -> tuple[Span, ...]:
    """The row groups; their days only if all of them tell theirs, for then each has a row that can be read."""
    kinds = about.schema.to_arrow_schema().types
    flat = len(kinds) == about.num_columns  # else the numbers of columns are not the places of names
    named = flat and "symbol" in places and is_text(kinds[places["symbol"]])
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


def _spelling(name: str) -> str:
    plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    return SPELLINGS.get(plain, plain)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the readers raise, as a SourceError that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read: {reason}. Mend or remove the file.") from None


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
