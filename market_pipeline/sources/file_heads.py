"""What the head of a CSV or Parquet file states: its columns by our names, its symbols, its row groups.

Reads no row. How rows are read from a file follows from its layout: file_queries.py.
"""

import csv
import datetime as dt
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO, TypeAlias, cast

import pyarrow as pa
import pyarrow.parquet as pq

from market_pipeline.errors import SourceError
from market_pipeline.storage.tables.prices import PRICES

SPELLINGS = {
    "ticker": "symbol", "datetime": "date", "timestamp": "date", "vol": "volume",
    "stock_splits": "splits", "split": "splits", "dividend": "dividends",
    "adjclose": "adj_close", "adjusted_close": "adj_close", "close_adjusted": "adj_close",
}  # fmt: skip
REQUIRED = ("date", *PRICES, "volume")
EVENTS = ("dividends", "splits")
EXTRAS = ("adj_close", *EVENTS)
NUMBERS = (*REQUIRED[1:], *EXTRAS)
SUFFIXES = (".csv", ".csv.gz", ".txt", ".parquet")
INTERVAL = re.compile(r"[-_ ](1d|1day|daily|yfinance-multiindex|yfinance|yahoo)$", re.IGNORECASE)

DATE_FORMATS = {r"\d{8}": "%Y%m%d", r"\d{4}\.\d\d\.\d\d": "%Y.%m.%d"}
"""Dates that DuckDB reads only if it knows their format; it knows 2024-01-31 and 2024/1/31, with or without a time."""

TOP = 20
"""Rows of a CSV file that are looked at."""

LONGEST_LINE = 2_000_000
"""Characters of a line of a CSV file; one of a wide file of 10,000 symbols is shorter. DuckDB has the same limit."""

SAMPLE = 1 << 16
"""Bytes in which a line usually ends."""

Columns: TypeAlias = tuple[tuple[str, str], ...]
"""Our names of columns, with their names in a Parquet file or places in a CSV file."""


Bounds: TypeAlias = tuple[int, str, str, dt.date, dt.date]
"""Rows, first and last symbol, first and last day of a part of a file."""


class Layout(NamedTuple):
    """How rows are read; files that share it are read by one query."""

    columns: Columns
    """Of a wide file those of its first symbol."""
    date: str
    """Of CSV the format of dates, '' if DuckDB knows it; of Parquet their type: text, day, or the name of a zone."""
    width: int = 0
    """Columns of a CSV file; 0 for Parquet."""
    skip: int = 0
    """Lines of a CSV file above its first row."""
    wide: tuple[tuple[str, Columns], ...] = ()
    """The symbols of a wide file with the columns of each."""
    numbers: str = "DOUBLE"
    """The type in which DuckDB reads the numbers of a CSV file: VARCHAR if words are among them."""


class Head(NamedTuple):
    """What a file states of itself."""

    layout: Layout
    symbols: tuple[str, ...]
    """Of a per-symbol file the one, of a wide file all; of a long file none, since a column has them."""
    fault: str = ""
    """Why no row of it can be read."""
    row_groups: tuple[Bounds, ...] = ()
    """Of a Parquet file that states the symbols and days of all its row groups; else none."""

    @property
    def owner(self) -> str | None:
        """The symbol of a per-symbol file."""
        return self.symbols[0] if len(self.symbols) == 1 else None


def symbol_of(path: Path) -> str:
    """The symbol that a per-symbol file is named after: SOL1-USD-1d.csv holds SOL1-USD."""
    stem = path.name[: -len(next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)))]
    return INTERVAL.sub("", stem)


def head_of(path: Path) -> Head:
    """The head of a file; raises SourceError when it cannot be read, is empty or has a column twice."""
    with naming(path):
        return _parquet_head(path) if path.suffix.lower() == ".parquet" else _csv_head(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What reading a file raises, as a SourceError that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        raise unreadable(path, str(error) or type(error).__name__) from None


def unreadable(path: Path, reason: str) -> SourceError:
    return SourceError(f"{path} cannot be read: {reason.splitlines()[0]}. Fix or remove the file.")


def opened(path: Path) -> IO[bytes]:
    """The bytes of a CSV file, unpacked."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def require_short_lines(path: Path) -> None:
    """Raise SourceError where a line of a CSV file is longer than LONGEST_LINE: DuckDB would scan all of it.

    A longer line has no end in one of the samples, which lie LONGEST_LINE apart; so little of a large file is read.
    """
    with path.open("rb") as file:
        for start in range(0, path.stat().st_size, LONGEST_LINE):
            file.seek(start)
            if ends_a_line(file.read(SAMPLE)):
                continue
            following = file.read(LONGEST_LINE)
            if len(following) == LONGEST_LINE and not ends_a_line(following):
                raise too_long(path, f"the line at byte {start:,}")


def ends_a_line(part: bytes) -> bool:
    return b"\n" in part or b"\r" in part


def too_long(path: Path, line: str) -> SourceError:
    return unreadable(path, f"{line} has more than {LONGEST_LINE:,} characters")


def lines_of(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a CSV file; raises SourceError at a line that is too long, of which no more is read."""
    number = 1
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise too_long(path, f"line {number}")
        yield line
        number += 1


def _csv_head(path: Path) -> Head:
    with io.TextIOWrapper(opened(path), encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(lines_of(path, file))
        found = list(islice(((row, reader.line_num) for row in reader if row), TOP))
    if path.suffix.lower() != ".gz":  # whose copy is checked as it is made
        require_short_lines(path)
    rows, ends = [row for row, _ in found], [line for _, line in found]
    if not rows or "\ufffd" in "".join(rows[0]):
        raise unreadable(path, "its first line is not UTF-8" if rows else "it is empty")
    if [row[0] for row in rows[:2]] in (["Price", "Ticker"], ["Ticker", "Price"]):
        prices, tickers = rows[:2] if rows[0][0] == "Price" else rows[1::-1]
        fields, above = ["date", *map(_our_name, prices[1:])], 3 if rows[2:] and _our_name(rows[2][0]) == "date" else 2
        of = {ticker: [0] for ticker in tickers[1:]}
        for place, ticker in enumerate(tickers[1:], 1):
            of[ticker].append(place)
        wide = tuple((ticker, _columns(path, fields, places)) for ticker, places in of.items())
        symbols, columns = tuple(of), wide[0][1]
    else:
        fields, above, wide = _our_names(rows[0]), 1, ()
        symbols, columns = _owner(path, fields), _columns(path, fields, range(len(fields)))
    place = int(dict(columns).get("date", 0))
    dates = [row[place].strip()[:10] for row in rows[above:] if len(row) > place]
    known = (known for date in dates for pattern, known in DATE_FORMATS.items() if re.fullmatch(pattern, date))
    layout = Layout(columns, next(known, ""), len(rows[0]), ends[above - 1], wide if len(wide) > 1 else ())
    faults = [_missing(columns, rows[0]) for _, columns in wide or (("", columns),)]
    return Head(layout, symbols, next(filter(None, faults), ""))


def _parquet_head(path: Path) -> Head:
    about = pq.read_metadata(path)
    schema = about.schema.to_arrow_schema()
    fields = _our_names(schema.names)
    columns = tuple((name, schema.names[int(place)]) for name, place in _columns(path, fields, range(len(fields))))
    kinds = {name: _kind(schema.field(column).type) for name, column in columns}
    fault = _missing(columns, schema.names)
    if not fault and not kinds["date"]:
        column = dict(columns)["date"]
        fault = f"the column {column!r} holds {schema.field(column).type}, not dates. Write it as dates."
    row_groups: list[Bounds] = []
    if kinds.get("date") == "day" and kinds.get("symbol", "text") == "text":
        with suppress(LookupError, OverflowError):
            groups = map(about.row_group, range(about.num_row_groups))
            row_groups = [_bounds(group, dict(columns), symbol_of(path)) for group in groups]
    return Head(Layout(columns, kinds.get("date", "")), _owner(path, fields), fault, tuple(row_groups))


def _bounds(group: pq.RowGroupMetaData, columns: Mapping[str, str], owner: str) -> Bounds:
    """Raises LookupError where statistics are missing or a date is, OverflowError for days beyond the calendar."""
    known = {column.path_in_schema: column.statistics for column in map(group.column, range(group.num_columns))}

    def ends(name: str) -> tuple[Any, Any]:
        found = known[columns[name]]
        if found is None or not found.has_min_max or (name == "date" and found.null_count != 0):
            raise LookupError
        return found.min, found.max

    low, high = ends("symbol") if "symbol" in columns else (owner, owner)
    since, until = (end.date() if isinstance(end, dt.datetime) else end for end in ends("date"))
    return group.num_rows, low, high, since, until


def _owner(path: Path, fields: Sequence[str]) -> tuple[str, ...]:
    return () if "symbol" in fields else (symbol_of(path),)


def _our_names(names: Sequence[str]) -> list[str]:
    fields = [_our_name(name) for name in names]
    return fields if "symbol" in fields else ["symbol" if field == "name" else field for field in fields]


def _our_name(name: str) -> str:
    plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    return SPELLINGS.get(plain, plain)


def _columns(path: Path, fields: Sequence[str], among: Sequence[int]) -> Columns:
    """Our columns with their places; raises SourceError when two columns are the same one."""
    found = [(fields[place], str(place)) for place in among if fields[place] in ("symbol", "date", *NUMBERS)]
    names = [name for name, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"{path} has the column {name!r} twice, perhaps spelt differently. Remove one.")
    return tuple(found)


def _missing(columns: Columns, names: Sequence[str]) -> str:
    """Which required column a file lacks, in words, or ''."""
    missing = [name for name in REQUIRED if name not in dict(columns)]
    if not missing:
        return ""
    return (
        f"it has no column {missing[0]!r}; it has {', '.join(names)}. A file needs {', '.join(REQUIRED)}, and symbol "
        "unless it is named after its one symbol."
    )


def _kind(kind: pa.DataType) -> str:
    """Whether a column holds text, days or times of a zone, which is named; '' for something else."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return getattr(kind, "tz", None) or "day"
    return ""
