"""Tables, views and macros as data: what the warehouse, the mart, Dagster, the checks and the reference are made from.

Knows SQL text and Arrow types. Knows neither a database nor what any table holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import pyarrow as pa

Type: TypeAlias = Literal["varchar", "varchar[]", "date", "timestamp", "boolean", "integer", "bigint", "double"]

ARROW: dict[Type, pa.DataType] = {
    "varchar": pa.string(),
    "varchar[]": pa.list_(pa.string()),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
}


@dataclass(frozen=True)
class Column:
    """One column; `description` names the unit."""

    name: str
    type: Type
    description: str
    nullable: bool = False
    check: str = ""
    """What every stored value meets, as SQL after the name: ">= 0"."""
    sources: tuple[str, ...] = ()
    """The columns that it is computed from, each as table.column."""
    published: bool = True
    """Whether the mart has it."""

    def of(self, table: str) -> "Column":
        """The same column, taken over from a table."""
        return replace(self, sources=(f"{table}.{self.name}",))


@dataclass(frozen=True)
class Table:
    """One table; every table has the column `market` first, and a row belongs to one market."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    """Columns whose values, with the market, appear once; none for an append-only log."""
    partition: str = ""
    """The date column by which rows are replaced; none for a table that is replaced as a whole."""
    checks: tuple[str, ...] = ()
    """Conditions on several columns, in SQL."""
    order: tuple[str, ...] = ()
    """How rows lie in the mart, if not by key."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of rows before they are stored: without the market, which a transaction adds."""
        return pa.schema(
            [
                pa.field(column.name, ARROW[column.type], nullable=column.nullable)
                for column in self.columns
                if column.name != "market"
            ]
        )

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """Each column that is computed from others, with these as table.column."""
        return {column.name: column.sources for column in self.columns if column.sources}

    @property
    def conditions(self) -> tuple[str, ...]:
        """What every row meets, in SQL."""
        return (*(f"{column.name} {column.check}" for column in self.columns if column.check), *self.checks)

    def ddl(self, *, constraints: bool = True) -> Iterator[str]:
        """The statements that make the table and comment on it; without `constraints` for stores that refuse CHECK."""
        lines = [f"{column.name} {column.type}{'' if column.nullable else ' not null'}" for column in self.columns]
        if constraints:
            lines += [f"check ({condition})" for condition in self.conditions]
        yield f"create table if not exists {self.name} ({', '.join(lines)})"
        yield from comments("table", self.name, self.description, self.columns)


@dataclass(frozen=True)
class View:
    """A named query; with `parameters` it is a table macro."""

    name: str
    query: str
    description: str = ""
    columns: tuple[Column, ...] = ()
    """Those that need a description of their own."""
    parameters: tuple[str, ...] = ()

    def ddl(self) -> Iterator[str]:
        """The statements that make it and comment on it."""
        if self.parameters:
            yield f"create or replace macro {self.name}({', '.join(self.parameters)}) as table {self.query}"
            return
        yield f"create or replace view {self.name} as {self.query}"
        yield from comments("view", self.name, self.description, self.columns)


def comments(kind: str, name: str, description: str, columns: tuple[Column, ...]) -> Iterator[str]:
    """The statements that put descriptions beside a table or view and its columns."""
    yield f"comment on {kind} {name} is {quoted(description)}"
    for column in columns:
        yield f"comment on column {name}.{column.name} is {quoted(column.description)}"


def quoted(text: str) -> str:
    """Text as SQL spells it.

    >>> quoted("the market's calendar")
    "'the market''s calendar'"
    """
    return "'" + text.replace("'", "''") + "'"
