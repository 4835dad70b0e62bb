"""The rows of one CSV or Parquet file, long or of one symbol, in our columns; read once for each state of the file.

Knows files, columns and how people spell them; no market, and nothing of what a row means.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from market_pipeline.errors import SourceError
from market_pipeline.panel import Grid

SPELLINGS = {
    "ticker": "symbol", "datetime": "date", "timestamp": "date", "stock_splits": "splits", "split": "splits",
    "dividend": "dividends", "adjclose": "adj_close", "adjusted_close": "adj_close",
}  # fmt: skip
REQUIRED = ("date", "open", "high", "low", "close", "volume")
EVENTS = ("dividends", "splits")
NUMBERS = (*REQUIRED[1:], "adj_close", *EVENTS)
SUFFIXES = (".csv", ".csv.gz", ".parquet")
INTERVAL = re.compile(r"[-_ ](1d|1day|daily|yfinance-multiindex|yfinance|yahoo)$", re.IGNORECASE)
BLANKS = pv.ConvertOptions().null_values


class Stamp(NamedTuple):
    """One state of one file: what was read of it holds until its time or size changes."""

    path: Path
    modified: int
    size: int


class Head(NamedTuple):
    """What the top of a file says: its columns, and where those of each symbol stand."""

    names: tuple[str, ...]
    skip: int
    """Lines above the first row."""
    parts: tuple[tuple[str | None, Mapping[str, int]], ...]
    """Symbol (None: a column tells) and the position of each of our columns."""

    @property
    def owner(self) -> str | None:
        """The one symbol of a per-symbol file; None for a long one."""
        return self.parts[0][0] if len(self.parts) == 1 else None


def symbol_of(path: Path) -> str:
    """The symbol that a per-symbol file is named after: SOL1-USD-1d.csv holds SOL1-USD."""
    stem = path.name[: -len(next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)))]
    return INTERVAL.sub("", stem)


@lru_cache(maxsize=4096)
def head_of(stamp: Stamp) -> Head:
    """The columns of a file, from its top alone; raises SourceError when there are none or one comes twice."""
    path = stamp.path
    with naming(path):
        if path.suffix.lower() == ".parquet":
            header, ends = [pq.read_schema(path).names], [0]
        else:
            header, ends = _csv_header(path)
    if not header:
        raise SourceError(f"{path} cannot be read: it is empty. Mend or remove the file.")
    fields = [_spelling(name) for name in header[0]]
    corner = [row[0] for row in header[:2]]
    if corner in (["Price", "Ticker"], ["Ticker", "Price"]):
        prices, tickers = header[:2] if corner[0] == "Price" else header[1::-1]
        fields = ["date", *map(_spelling, prices[1:])]
        skip = ends[2 if len(header) > 2 and _spelling(header[2][0]) == "date" else 1]
        parts = [
            (ticker, _places(path, fields, [0, *(i for i, of in enumerate(tickers) if i and of == ticker)]))
            for ticker in dict.fromkeys(tickers[1:])
        ]
        return Head(tuple(prices), skip, tuple(parts))
    own = None if "symbol" in fields else symbol_of(path)
    return Head(tuple(header[0]), ends[0], ((own, _places(path, fields, range(len(fields)))),))


def _csv_header(path: Path) -> tuple[list[list[str]], list[int]]:
    """Up to three rows that are not blank, and the line on which each ends."""
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
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
    symbol, places = head.parts[0]
    if symbol is not None:
        return frozenset(str(part[0]) for part in head.parts)
    if stamp.path.suffix.lower() != ".parquet":
        column = _csv_rows(stamp)["symbol"]
    else:
        with naming(stamp.path):
            column = pq.read_table(stamp.path, columns=[head.names[places["symbol"]]], partitioning=None)[0]
    return frozenset(str(name) for name in pc.unique(column).to_pylist() if name is not None)


def rows_of(stamp: Stamp, symbols: Sequence[str]) -> pa.Table:
    """A file's rows of `symbols`, all dates: symbol, session (date32), NUMBERS as float64, and whether dividends came.

    Without dividends or splits those are 0, without adj_close it is NaN. Raises SourceError naming file and fault.
    """
    if stamp.path.suffix.lower() == ".parquet":
        return _parquet_rows(stamp, symbols)
    rows = _csv_rows(stamp)
    return rows.filter(pc.is_in(rows["symbol"], pa.array(symbols, pa.string())))


def _parquet_rows(stamp: Stamp, symbols: Sequence[str]) -> pa.Table:
    path, head = stamp.path, head_of(stamp)
    _check(path, head)
    places = head.parts[0][1]
    named = {head.names[place]: str(place) for place in places.values()}
    with naming(path):
        wanted = None
        if "symbol" in places:
            name = head.names[places["symbol"]]
            field = pc.field(name)
            # Only a plain column is compared with what the file says of its row groups, which spares reading most.
            plain = pq.read_schema(path).field(name).type == pa.string()
            wanted = (field if plain else field.cast(pa.string())).isin(pa.array(symbols, pa.string()))
        read = partial(pq.read_table, path, columns=list(named), partitioning=None)
        try:
            return _typed(read(filters=wanted).rename_columns(list(named.values())), path, head)
        except SourceError:
            # Once more in full, so that the row it names is counted in the file.
            return _typed(read().rename_columns(list(named.values())), path, head)


@lru_cache(maxsize=1024)
def _csv_rows(stamp: Stamp) -> pa.Table:
    path, head = stamp.path, head_of(stamp)
    _check(path, head)
    used = {str(place): name for _, places in head.parts for name, place in places.items()}
    text = dict.fromkeys(used, pa.string())
    numbers = text | {place: pa.float64() for place, name in used.items() if name in NUMBERS}
    reading = pv.ReadOptions(column_names=[str(place) for place in range(len(head.names))], skip_rows=head.skip)
    with naming(path):
        try:
            raw = pv.read_csv(path, reading, convert_options=pv.ConvertOptions(column_types=numbers))
        except pa.ArrowInvalid:
            # One word among the numbers is that row's fault, not the file's.
            raw = pv.read_csv(path, reading, convert_options=pv.ConvertOptions(column_types=text))
        return _typed(raw, path, head)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the readers raise, as a SourceError that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read: {reason}. Mend or remove the file.") from None


def _check(path: Path, head: Head) -> None:
    """Raise SourceError when a column is missing."""
    for _, places in head.parts:
        if missing := [name for name in REQUIRED if name not in places]:
            raise SourceError(
                f"{path} has no column {missing[0]!r}; it has {', '.join(head.names)}. A file needs "
                f"{', '.join(REQUIRED)}, and symbol unless it is named after its one symbol."
            )


def _typed(raw: pa.Table, path: Path, head: Head) -> pa.Table:
    """The columns of every part, one part below the other, from a table whose columns are named by position."""
    tables = []
    for symbol, places in head.parts:
        column = {name: raw[str(place)] for name, place in places.items()}
        named = column["symbol"].cast(pa.string()) if symbol is None else pa.repeat(symbol, raw.num_rows)
        columns = {"symbol": named, "session": _days(column["date"], path, head.names[places["date"]])}
        for name in NUMBERS:
            blank = 0.0 if name in EVENTS else np.nan
            columns[name] = _numbers(column[name], blank) if name in places else np.full(raw.num_rows, blank)
        tables.append(pa.table(columns | {"told": pa.repeat("dividends" in places, raw.num_rows)}))
    return pa.concat_tables(tables)


def _spelling(name: str) -> str:
    plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    return SPELLINGS.get(plain, plain)


def _numbers(column: pa.ChunkedArray, blank: float) -> Grid:
    """Float64: `blank` where nothing stands, NaN for what is no number."""
    if not pa.types.is_dictionary(column.type) and not _is_text(column.type):
        numbers: Grid = column.cast(pa.float64(), safe=False).to_numpy()
        return numbers if np.isnan(blank) else np.nan_to_num(numbers, nan=blank, posinf=np.inf, neginf=-np.inf)
    text = column.cast(pa.string())
    nothing = pc.is_in(pc.utf8_trim_whitespace(text), pa.array([*BLANKS, None], pa.string())).to_numpy()
    return np.where(nothing, blank, pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(np.float64))


def _days(column: pa.ChunkedArray, path: Path, name: str) -> pa.ChunkedArray:
    """The local day of each row: of a time with an offset the day it shows, not the day it is in UTC."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_text(column.type):
        return _days_of_text(column, path, name)
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise SourceError(f"{path}: the column {name!r} holds {column.type}, not dates. Write it as dates.")
    if column.null_count:
        raise _no_date(path, name, int(column.is_null().index(pa.scalar(value=True)).as_py()), None)
    return column.cast(pa.date32(), safe=False)


def _days_of_text(column: pa.ChunkedArray, path: Path, name: str) -> pa.ChunkedArray:
    text = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(column), 0, 10)
    try:
        if not text.null_count:
            return text.cast(pa.date32())
    except pa.ArrowInvalid:
        pass
    days = pd.to_datetime(text.to_pandas(), format="%Y-%m-%d", errors="coerce")
    if days.isna().any():
        row = int(days.isna().to_numpy().argmax())
        raise _no_date(path, name, row, column[row].as_py())
    return pa.chunked_array([pa.array(days.to_numpy().astype("datetime64[D]"), pa.date32())])


def _no_date(path: Path, name: str, row: int, value: object) -> SourceError:
    return SourceError(
        f"{path}: row {row + 1} has the date {value!r} in column {name!r}, which is not of the form 2024-01-31. "
        "Write dates year first, then month, then day."
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
