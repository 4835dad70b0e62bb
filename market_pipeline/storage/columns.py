"""What the columns of a table mean, as its room's table.sql says it; and how a column's ancestors are written down.

Knows the text of these files only: no database, no Dagster.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

ROOMS = ("prices/table", "prices/cross_check", "indicators/table", "models/table", "forecasts/table", "scores/table")
TABLE = re.compile(r"create table if not exists (\w+) \((.*?)\n\);", re.DOTALL)
COLUMN = re.compile(r"^    (\w+) (\w+)( not null)?", re.MULTILINE)
COMMENT = re.compile(r"comment on column (\w+)\.(\w+) is '((?:[^']|'')*)';")
ABOUT = re.compile(r"comment on table (\w+) is '((?:[^']|'')*)';")

Lineage: TypeAlias = Mapping[str, tuple[tuple[str, str], ...]]
"""Column to the columns that its values are computed from, each with its room."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    type: str
    description: str
    nullable: bool


@cache
def columns_of(table: str) -> tuple[Column, ...]:
    """The columns of a table in their order.

    A name means the same in every table: where a table does not describe it, the first that does speaks for it.
    """
    own, shared = _comments()
    return tuple(
        Column(name, kind, own.get((table, name)) or shared.get(name, ""), nullable=not required)
        for name, kind, required in COLUMN.findall(_tables()[table])
        if name not in ("check", "primary", "unique")
    )


@cache
def about(table: str) -> str:
    """The table in a sentence."""
    return {name: _plain(words) for text in _texts() for name, words in ABOUT.findall(text)}[table]


@cache
def _tables() -> dict[str, str]:
    return {name: body for text in _texts() for name, body in TABLE.findall(text)}


@cache
def _comments() -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Descriptions by table and column, and the first of each column name."""
    found = [(table, column, _plain(words)) for text in _texts() for table, column, words in COMMENT.findall(text)]
    own = {(table, column): words for table, column, words in found}
    return own, {column: words for _, column, words in reversed(found)}


@cache
def _texts() -> tuple[str, ...]:
    """The table.sql of every room, in the order data flows."""
    return tuple((files("market_pipeline") / f"{room}.sql").read_text(encoding="utf-8") for room in ROOMS)


def _plain(words: str) -> str:
    return words.replace("''", "'")
