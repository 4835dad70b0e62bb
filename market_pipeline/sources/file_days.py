"""The days that files have bars of, without loading them: what a source of files can be asked for."""

import datetime as dt
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from market_pipeline.errors import SourceError
from market_pipeline.sources.file_heads import Head, head_of
from market_pipeline.sources.file_tables import FileTables

State: TypeAlias = tuple[Path, int, int]
"""A file with its size and the time of its last change."""


@lru_cache(maxsize=32)  # schedules and sensors ask every hour, and files may have millions of rows
def days_in(files: tuple[State, ...], symbols: tuple[str, ...]) -> tuple[dt.date, dt.date] | None:
    """The first and the last day on which a file has a close of one of `symbols`, which are sorted; None without any.

    Files that cannot be read have no days: loading them reports the fault.
    """
    heads = dict[Path, Head]()
    for path, _, _ in files:
        with suppress(SourceError):
            head = head_of(path)
            if not head.fault and not {*symbols}.isdisjoint(head.symbols or symbols):
                heads[path] = head
    with TemporaryDirectory(prefix="market-pipeline-") as temporary:
        tables = FileTables(symbols, [], Path(temporary), _left_to_the_load, _left_to_the_load)
        return tables.days(heads)


def _left_to_the_load(*_: object) -> None:
    """A fault that the load reports."""
