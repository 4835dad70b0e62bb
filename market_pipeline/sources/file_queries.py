"""The SQL that reads rows of files: those of a layout, under our names, with a day and numbers.

Knows how DuckDB reads a file. Opens none.
"""

import re
from collections.abc import Mapping

from market_pipeline.sources.file_heads import EVENTS, NUMBERS, Layout

BLANKS = (
    "", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "n/a", "na", "nan", "none", "null",
    "#n/a", "#n/a n/a", "#na",
)  # fmt: skip
"""What stands for no event, in lower case."""

FILE = "path of the file"
"""The column with the file of a row."""

KNOWN = "session between date '0001-01-01' and date '9999-12-31'"
"""Of the days that DuckDB knows, infinity among them, those that Python knows; no other is a session anywhere."""

DAY_OF_TEXT = r"""coalesce(
    try_cast(date as date),
    try_cast(regexp_replace(left(trim(date), 10), '^(\d{4})[/.]?(\d\d)[/.]?(\d\d)$', '\1-\2-\3') as date)
)"""


def rows_of_symbols(layout: Layout, owners: Mapping[str, str | None], where: str = "true") -> str:
    """The rows of symbols in the table `names`: symbol as its place there; session, NULL if there is none; numbers."""
    rows = f"({rows_as_stated(layout, owners)}) join names using (symbol)"
    return f"select place::integer as symbol, {_day_and_numbers(layout)} from {rows} where {where}"


def hashed_rows(layout: Layout, owners: Mapping[str, str | None], where: str) -> str:
    """The rows of any symbols: symbol as its hash, session, numbers.

    A Parquet file has each symbol once for many rows; DuckDB computes a hash once, but would join every row.
    """
    columns = f"hash(symbol) as symbol, {_day_and_numbers(layout)}"
    return f"from (select {columns} from ({rows_as_stated(layout, owners)}) where {where}) where {KNOWN}"


def _day_and_numbers(layout: Layout) -> str:
    numbers = "".join(f", {_number(name)} as {identifier(name)}" for name, _ in layout.columns if name in NUMBERS)
    return f"{session_of(layout)} as session{numbers}"


def rows_as_stated(layout: Layout, owners: Mapping[str, str | None]) -> str:
    """Rows under our names, as the files have them; beside them the file, and the row in a Parquet file.

    `owners` are the paths of files of this layout with the symbol of each that has only one.
    """
    options = _csv_options(layout) if layout.width else ", file_row_number = true"
    source = (
        f"{'read_csv' if layout.width else 'read_parquet'}([{', '.join(map(literal, owners))}], "
        f"filename = '{FILE}', hive_partitioning = false{options})"
    )
    if layout.wide:
        blocks = (
            ", ".join(
                [
                    f"symbol: {literal(symbol)}",
                    *(f"{identifier(name)}: {identifier(column)}" for name, column in columns),
                ]
            )
            for symbol, columns in layout.wide
        )
        return f"select unnest([{', '.join(f'{{{block}}}' for block in blocks)}], recursive := true) from {source}"
    columns = ", ".join(f"{identifier(column)} as {identifier(name)}" for name, column in layout.columns)
    rows = f'select {columns}, "{FILE}"{"" if layout.width else ", file_row_number + 1 as row"} from {source}'
    if "symbol" in dict(layout.columns):
        return f"select * replace (symbol::varchar as symbol) from ({rows})"
    known = ", ".join(f"({literal(path)}, {literal(owner or '')})" for path, owner in owners.items())
    return f'select * from ({rows}) join (values {known}) as owners("{FILE}", symbol) using ("{FILE}")'


def _csv_options(layout: Layout) -> str:
    """A line whose date or number cannot be read, or with another number of fields, is rejected."""
    date = dict(layout.columns)["date"]
    blocks = layout.wide or (("", layout.columns),)
    numbers = {place for _, columns in blocks for name, place in columns if name in NUMBERS}
    types = {place: layout.numbers if place in numbers else "VARCHAR" for place in map(str, range(layout.width))}
    return (
        f", columns = {types | {date: 'DATE'}}, skip = {layout.skip}, header = false, auto_detect = false, "
        f"delim = ',', quote = '\"', escape = '\"', store_rejects = true, force_not_null = ['{date}']"
        + (f", dateformat = '{layout.date}'" if layout.date else "")
    )


def session_of(layout: Layout) -> str:
    """The day of a row: of a time with a zone the day that its clocks show."""
    if layout.width or layout.date == "day":
        return "date::date"
    if layout.date == "text":
        return DAY_OF_TEXT
    if offset := re.fullmatch(r"([+-])(\d\d):(\d\d)", layout.date):
        sign, hours, minutes = offset.groups()
        return f"(timezone('UTC', date) {sign} interval '{hours} hours {minutes} minutes')::date"
    return f"timezone({literal(layout.date)}, date)::date"


def _number(name: str) -> str:
    """A double: NULL where no number stands, but for an event 0 where nothing stands and NaN for words."""
    column = identifier(name)
    number = f"try_cast({column} as double)"
    if name not in EVENTS:
        return number
    blank = f"coalesce(lower(trim({column}::varchar)), '') in ({', '.join(map(literal, BLANKS))})"
    return f"coalesce(nullif({number}, 'nan'), case when {blank} then 0 else 'nan'::double end)"


def literal(value: str) -> str:
    """Text in a query."""
    return "'" + value.replace("'", "''") + "'"


def identifier(column: str) -> str:
    """The name of a column in a query."""
    return '"' + column.replace('"', '""') + '"'
