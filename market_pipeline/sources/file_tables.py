"""The rows of files in DuckDB: a table that is sorted on disk, the rows of a chunk, the lines that are left out.

Parquet files that state the symbols and days of their row groups are read where they are. All others are loaded once,
sorted by symbol and session. Knows no market, and nothing of what a row means.
"""

import csv
import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.errors import SourceError
from market_pipeline.sources.file_heads import (
    LONGEST_LINE,
    Head,
    Layout,
    ends_a_line,
    naming,
    opened,
    too_long,
    unreadable,
)
from market_pipeline.sources.file_queries import (
    FILE,
    KNOWN,
    hashed_rows,
    identifier,
    literal,
    rows_as_stated,
    rows_of_symbols,
    session_of,
)

Files: TypeAlias = Mapping[Path, Head]
Result = TypeVar("Result")

SETTINGS = {
    "memory_limit": "1GB",  # what is more waits on disk
    "threads": min(4, os.cpu_count() or 1),  # each reads CSV files in buffers of 32 MB
    "enable_external_file_cache": False,
    "disabled_optimizers": "join_order,build_side_probe_side",  # files have more rows than what they are joined to
}

BLOCK = 16 << 20
"""Bytes of a file that are copied at once."""

NAMED = 3
"""Lines of a file that are named; the others are counted."""

REJECTED = f"""
select file_path, count(*), list([line::varchar, error_type::varchar, csv_line] order by line)[:{NAMED}]
from (
    select distinct on (file_path, line) file_path, line, error_type, csv_line
    from reject_errors join reject_scans using (scan_id, file_id)
)
group by file_path
"""
WORDS = "select 1 from reject_errors where error_type = 'CAST' and column_name != $1 limit 1"
UNDATED = f"""
select "{FILE}", count(*), list([row::varchar, 'UNDATED', date::varchar] order by row)[:{NAMED}]
from ({{rows}}) where {{session}} is null group by all
"""


class FileTables:
    """Rows of the symbols in `names`, which are sorted; a symbol is given as its place there.

    `numbers` are the columns beside symbol and session. Copies of files, and what memory cannot hold, go to `folder`.
    `failed` is called with each file that cannot be read, `note` with what was left out of another.
    """

    def __init__(
        self,
        names: Sequence[str],
        numbers: Sequence[str],
        folder: Path,
        failed: Callable[[Path, SourceError], None],
        note: Callable[[str], None],
    ) -> None:
        self.names, self.folder, self.failed, self.note = names, folder, failed, note
        self.copies = dict[Path, Path]()
        self.db = duckdb.connect()
        for setting, value in {"temp_directory": folder, **SETTINGS}.items():
            self.db.execute(f"set {setting} = {literal(str(value))}")
        self.db.execute("create table names as select unnest($1) as symbol, unnest(range(len($1))) as place", [names])
        self.hashes = self.db.execute("select hash(symbol) as hash from names order by place").to_arrow_table()["hash"]
        """Of 64 bits each: that two of 100,000 symbols share one has a chance of 3 in 10 billion."""
        columns = "".join(f", {identifier(number)} double" for number in numbers)
        self.db.execute(f"create table loaded (symbol integer, session date{columns})")

    def load(self, files: Files) -> None:
        """Add the rows of files to the table `loaded`."""
        for layout, some in _by_layout(files):
            self._attempt(partial(self._insert, layout), some)

    def loaded(self) -> list[tuple[int, int, dt.date, dt.date]]:
        """Symbol, rows, first and last day of each symbol that is loaded."""
        sql = "select symbol, count(*), min(session), max(session) from loaded group by all order by symbol"
        return [(symbol, rows, since, until) for symbol, rows, since, until in self.db.execute(sql).fetchall()]

    def rows(self, files: Files, low: int, high: int, days: tuple[dt.date, dt.date] | None) -> pa.Table:
        """The rows, loaded or in Parquet `files`, of the symbols from `low` to `high`, on some or all days."""
        loaded = f"symbol between {low} and {high}"
        stated = f"symbol between {literal(self.names[low])} and {literal(self.names[high])}"
        if days:
            loaded += f" and session between '{days[0]}' and '{days[1]}'"
            stated += f" and date >= date '{days[0]}' and date < date '{days[1] + dt.timedelta(days=1)}'"

        def read(some: Files) -> pa.Table:
            selects = (hashed_rows(layout, self._owners(files), stated) for layout, files in _by_layout(some))
            return self._placed(self.db.execute(" union all by name ".join(selects)).to_arrow_table())

        self.db.execute("set threads = 1")  # meanwhile other threads make bars of the rows before
        tables = [self.db.execute(f"select * from loaded where {loaded}").to_arrow_table(), *self._attempt(read, files)]
        return pa.concat_tables(tables, promote_options="default")

    def _placed(self, rows: pa.Table) -> pa.Table:
        """Rows of the symbols in `names`, with each as its place there in place of its hash."""
        places = pc.index_in(rows["symbol"], self.hashes)
        rows = rows.set_column(0, "symbol", places)
        return rows.filter(places.is_valid()) if places.null_count else rows

    def symbols(self, files: Files) -> set[str]:
        """Every symbol that files have, requested or not."""
        found = {symbol for head in files.values() for symbol in head.symbols}
        for layout, some in _by_layout({path: head for path, head in files.items() if not head.symbols}):
            found.update(*self._attempt(partial(self._distinct, layout), some))
        return found

    def days(self, files: Files) -> tuple[dt.date, dt.date] | None:
        """The first and the last day of the rows of `files` that have a close; None without any. Loads nothing."""
        spans = list[tuple[dt.date | None, dt.date | None]]()
        for layout, some in _by_layout(files):
            spans += self._attempt(partial(self._span, layout), some)
        days = [day for span in spans for day in span if day is not None]
        return (min(days), max(days)) if days else None

    def _span(self, layout: Layout, files: Files) -> tuple[dt.date | None, dt.date | None]:
        rows = rows_of_symbols(layout, self._owners(files))
        sql = (
            f"select min(session), max(session) from ({rows}) where {KNOWN} and close is not null and not isnan(close)"
        )
        [(since, until)] = self.db.cursor().execute(sql).fetchall()
        return since, until

    def _distinct(self, layout: Layout, files: Files) -> list[str]:
        sql = f"select distinct symbol from ({rows_as_stated(layout, self._owners(files))}) where symbol is not null"
        return [symbol for (symbol,) in self.db.cursor().execute(sql).fetchall()]

    def _attempt(self, read: Callable[[Files], Result], files: Files) -> list[Result]:
        """What `read` returns of all files, or of each by itself if one of them cannot be read."""
        try:
            return [read(files)] if files else []
        except (duckdb.Error, SourceError) as error:
            if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in str(error):
                raise SourceError(
                    f"The rows of files cannot be sorted by symbol in {self.folder.parent}: "
                    f"{str(error).splitlines()[0]}. Free disk space there, or set TMPDIR to a folder that has it."
                ) from None
            if len(files) > 1:
                return [result for path in files for result in self._attempt(read, {path: files[path]})]
            [(path, head)] = files.items()
            if isinstance(error, duckdb.InvalidInputException) and head.layout.width and path not in self.copies:
                self._copy(path)  # its lines may end in several ways
                return self._attempt(read, files)
            self.failed(path, error if isinstance(error, SourceError) else unreadable(path, str(error)))
            return []

    def _insert(self, layout: Layout, files: Files) -> None:
        with self.db.cursor() as cursor:  # the tables of rejected lines are its own
            rows = rows_of_symbols(layout, self._owners(files))
            cursor.execute("begin")
            cursor.execute(f"insert into loaded by name from ({rows}) where {KNOWN} order by symbol, session")
            typed = layout.width and layout.numbers == "DOUBLE"
            if typed and cursor.execute(WORDS, [dict(layout.columns)["date"]]).fetchall():
                cursor.execute("rollback")
                self._insert(layout._replace(numbers="VARCHAR"), files)
                return
            cursor.execute("commit")
            undated = UNDATED.format(rows=rows_as_stated(layout, self._owners(files)), session=session_of(layout))
            path_of = {self._path(path): path for path in files}
            for read, count, lines in cursor.execute(REJECTED if layout.width else undated).fetchall():
                self._report(layout, path_of[read], files, count, [_fault(layout, *line) for line in lines])

    def _report(self, layout: Layout, path: Path, files: Files, count: int, lines: Sequence[str]) -> None:
        """Report a file with lines that cannot be read: as broken if no other line can."""
        rows = (
            f"select {session_of(layout)} as session from ({rows_as_stated(layout, self._owners({path: files[path]}))})"
        )
        if self.db.cursor().execute(f"select 1 from ({rows}) where session is not null limit 1").fetchall():
            more = f", and {count - NAMED} more lines" if count > NAMED else ""
            self.note(f"{path}: left out {'; '.join(lines)}{more}")
        else:
            self.failed(path, unreadable(path, "; ".join(lines)))

    def _owners(self, files: Files) -> dict[str, str | None]:
        """Where DuckDB reads each file, with its one symbol."""
        return {self._path(path): head.owner for path, head in files.items()}

    def _path(self, path: Path) -> str:
        """Where DuckDB reads a file: packed ones are copied, so that one that breaks off is noticed."""
        if path.suffix.lower() == ".gz" and path not in self.copies:
            self._copy(path)
        return str(self.copies.get(path, path))

    def _copy(self, path: Path) -> None:
        """Make an unpacked copy of a CSV file whose lines all end alike."""
        copy = self.folder / f"{len(self.copies)}.csv"
        with naming(path), opened(path) as source, copy.open("wb") as target:
            while block := source.read(BLOCK):
                if block.endswith(b"\r"):  # the other half of the end of a line
                    block += source.read(1)
                if len(block) > LONGEST_LINE and not ends_a_line(block):
                    raise too_long(path, "a line")
                target.write(block.replace(b"\r\n", b"\n"))
        self.copies[path] = copy


def _by_layout(files: Files) -> list[tuple[Layout, dict[Path, Head]]]:
    found = dict[Layout, dict[Path, Head]]()
    for path, head in files.items():
        found.setdefault(head.layout, {})[path] = head
    return list(found.items())


def _fault(layout: Layout, line: str, kind: str, content: str | None) -> str:
    """What is wrong with a line that DuckDB rejected, or with a row that has no date."""
    if kind == "UNDATED":
        return f"row {line} has the date {content!r}, not one like 2024-01-31"
    text = (content or "").strip("\r\n")
    if kind == "CAST":
        date = next(csv.reader([text]))[int(dict(layout.columns)["date"])]
        return f"line {line} has the date {date!r}, not one like 2024-01-31"
    if kind in ("MISSING COLUMNS", "TOO MANY COLUMNS"):
        return f"line {line} has not {layout.width} fields"
    last = int(line) + text.count("\n")
    where = f"line {line} has" if last == int(line) else f"lines {line} to {last} have"
    return f"{where} {'a quotation mark that is not closed' if kind == 'UNQUOTED VALUE' else kind.lower()}"
