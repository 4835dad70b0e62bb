"""Columns of a file as numbers, names and days, whatever they were written as; and the lines that cannot be read.

Knows values and how people write them; no file is opened here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from market_pipeline.errors import SourceError
from market_pipeline.sources.file_heads import EVENTS, NUMBERS, Head, is_text

BLANKS = (*pv.ConvertOptions().null_values, "None")
NAME = pa.dictionary(pa.int32(), pa.string())

NAMED = 3
"""Broken lines of a file that are shown; the others are counted."""


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


def typed(raw: pa.Table, head: Head, faults: Faults, where: Callable[[int], str]) -> pa.Table:
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
    if not pa.types.is_dictionary(column.type) and not is_text(column.type):
        return _numbers(column.cast(pa.float64(), safe=False), event=event)
    text = column.cast(pa.string())
    nothing = pc.is_in(pc.utf8_trim_whitespace(text), pa.array([*BLANKS, None], pa.string())).to_numpy()
    numbers = pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(np.float64)
    return pa.chunked_array([np.where(nothing, blank, numbers)])


def _days(column: pa.ChunkedArray, path: Path, name: str) -> pa.ChunkedArray:
    """The local day of each row, null where there is none: of a time with an offset the day it shows, not UTC's."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
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
