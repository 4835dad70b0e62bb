"""What is new in a publication beside the one before: sessions, champions, verdicts, bars that became doubtful.

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
"""What of each table is compared, as distinct rows."""

KINDS = ("session", "champion", "verdict", "quarantine", "restatement")

ROWS = pa.schema([(column.name, ARROW[column.type]) for column in CHANGES.columns])

Tables: TypeAlias = Mapping[str, pa.Table]
Row: TypeAlias = dict[str, Any]


def changes(before: Tables, after: Tables) -> pa.Table:
    """Rows of `changes`, by kind, market and key; both sides have the tables and columns of COMPARED.

    What was withdrawn since (a bar that left quarantine) is no row: only what is new or otherwise.
    """
    titles = [_held(tables["champions"]) for tables in (before, after)]
    verdicts = [
        _by_key(tables["leaderboard"], ("market", "horizon", "question", "model")) for tables in (before, after)
    ]
    rows = [
        *({**row, "kind": "session"} for row in _new(before["prices"], after["prices"])),
        *_turned("champion", "model", titles[0], titles[1], BASELINE),
        *_turned("verdict", "verdict", verdicts[0], verdicts[1], None),
        *(
            {**row, "kind": "quarantine", "after": row["rule"]}
            for row in _new(before["quarantine"], after["quarantine"])
        ),
        *(
            {**row, "kind": "restatement", "before": _text(row["old"]), "after": _text(row["new"])}
            for row in _new(before["restatements"], after["restatements"])
        ),
    ]
    return pa.Table.from_pylist([{name: row.get(name) for name in CHANGES.names} for row in rows], ROWS)


def _new(before: pa.Table, after: pa.Table) -> list[Row]:
    """Distinct rows that only `after` has, in order of their values."""
    known = {tuple(row.values()) for row in before.to_pylist()}
    found = {key: row for row in after.to_pylist() if (key := tuple(row.values())) not in known}
    return [found[key] for key in sorted(found, key=lambda key: tuple(str(value) for value in key))]


def _by_key(rows: pa.Table, key: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in key): row for row in rows.to_pylist()}


def _held(champions: pa.Table) -> dict[tuple[Any, ...], Row]:
    """Who holds each question now; one that the baseline holds again is as one that was never won."""
    newest = _by_key(champions.sort_by("since"), ("market", "horizon", "question"))
    return {key: row for key, row in newest.items() if row["model"] != BASELINE}


def _turned(
    kind: str,
    value: str,
    before: Mapping[tuple[Any, ...], Row],
    after: Mapping[tuple[Any, ...], Row],
    absent: str | None,
) -> Iterator[Row]:
    """Keys whose value is another now; a key that one side has not has the value `absent` there."""
    for key in sorted({*before, *after}):
        old, new = (side[key][value] if key in side else absent for side in (before, after))
        if old != new:
            whose = dict(zip(("market", "horizon", "question", "model"), key, strict=False))
            yield {**whose, "kind": kind, "before": old, "after": new}


def _text(value: float | None) -> str | None:
    return None if value is None else f"{value:.10g}"
