"""The rows of one CSV or Parquet file, long or of one symbol, in our columns, a piece at a time.

Knows files and which part of one to read; no market, and nothing of what a row means.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from market_pipeline.errors import SourceError
from market_pipeline.sources.csv_lines import Lines, blocks
from market_pipeline.sources.file_columns import BLANKS, NAME, Faults, typed
from market_pipeline.sources.file_heads import NUMBERS, REQUIRED, Span, Stamp, head_of, is_text, naming, opened

PIECE = 1 << 20
"""Rows of a Parquet file that are decoded at once."""

KEPT = 16 << 20
"""Bytes up to which a CSV file's rows are kept until the file changes: a daily run asks more than once."""


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
    texts = [column.name for column in pq.read_schema(stamp.path) if is_text(column.type) and column.name in named]
    row = sum(earlier.rows for earlier in head.spans[:span])
    with pq.ParquetFile(stamp.path, read_dictionary=texts, pre_buffer=False) as file:
        for batch in file.iter_batches(PIECE, [span], list(named)):
            piece = pa.table(batch).select(list(named)).rename_columns(list(named.values()))
            yield typed(piece, head, faults, partial(_row_name, row))
            row += batch.num_rows


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
    with opened(stamp) as file:
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
            yield typed(raw, head, faults, partial(_line_name, whole))


def _row_name(before: int, at: int) -> str:
    return f"row {before + at + 1}"


def _line_name(lines: Lines, at: int) -> str:
    return f"line {lines.of(at)}"
