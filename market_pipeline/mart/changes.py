"""What is new in a publication beside the one before: sessions, champions, verdicts, quarantined and restated bars.

Knows the small tables of two marts: no file, no database, no page.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa

from market_pipeline.storage.schema import ARROW
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.mart import CHANGES

COMPARED = {
    "prices": ("market", "session"),
    "champions": ("market", "horizon", "question", "since", "model"),
    "leaderboard": ("market", "horizon", "question", "model", "verdict"),
    "quarantine": ("market", "symbol", "session", "rule"),
    "restatements": ("market", "symbol", "session", "field", "old", "new", "known_at"),
}
"""The columns of each table that are compared, as distinct rows."""

KINDS = ("session", "champion", "verdict", "quarantine", "restatement")

ROWS = pa.schema([(column.name, ARROW[column.type]) for column in CHANGES.columns])

Tables: TypeAlias = Mapping[str, pa.Table]
Row: TypeAlias = dict[str, Any]


def changes(before: Tables, after: Tables) -> pa.Table:
    """Rows of `changes`, by kind, market and key; both sides have the tables and columns of COMPARED.

    Only what is new or different: a bar that left quarantine is no row.
    """
    new = {table: _new(before[table], after[table]) for table in ("prices", "quarantine", "restatements")}
    rows = [
        *({**row, "kind": "session"} for row in new["prices"]),
        *_different("champion", "model", _champions(before), _champions(after), absent=BASELINE),
        *_different("verdict", "verdict", _verdicts(before), _verdicts(after), absent=None),
        *({**row, "kind": "quarantine", "after": row["rule"]} for row in new["quarantine"]),
        *(
            {**row, "kind": "restatement", "before": _text(row["old"]), "after": _text(row["new"])}
            for row in new["restatements"]
        ),
    ]
    return pa.Table.from_pylist([{name: row.get(name) for name in CHANGES.names} for row in rows], ROWS)


def _new(before: pa.Table, after: pa.Table) -> list[Row]:
    """Distinct rows that only `after` has, in order of their values as text."""
    known = {tuple(row.values()) for row in before.to_pylist()}
    found = {key: row for row in after.to_pylist() if (key := tuple(row.values())) not in known}
    return [found[key] for key in sorted(found, key=lambda key: tuple(str(value) for value in key))]


def _champions(tables: Tables) -> dict[tuple[Any, ...], Row]:
    """The champion of each question now; the baseline counts as none."""
    newest = _by_key(tables["champions"].sort_by("since"), ("market", "horizon", "question"))
    return {key: row for key, row in newest.items() if row["model"] != BASELINE}


def _verdicts(tables: Tables) -> dict[tuple[Any, ...], Row]:
    return _by_key(tables["leaderboard"], ("market", "horizon", "question", "model"))


def _by_key(rows: pa.Table, key: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    """The last row of each key."""
    return {tuple(row[name] for name in key): row for row in rows.to_pylist()}


def _different(
    kind: str,
    value: str,
    before: Mapping[tuple[Any, ...], Row],
    after: Mapping[tuple[Any, ...], Row],
    *,
    absent: str | None,
) -> Iterator[Row]:
    """Keys with another value than before; where one side lacks a key, its value there is `absent`."""
    for key in sorted({*before, *after}):
        old, new = (side[key][value] if key in side else absent for side in (before, after))
        if old != new:
            names = ("market", "horizon", "question", "model")
            yield {**dict(zip(names, key, strict=False)), "kind": kind, "before": old, "after": new}


def _text(value: float | None) -> str | None:
    return None if value is None else f"{value:.10g}"
