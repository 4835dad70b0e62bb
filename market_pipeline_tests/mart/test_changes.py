"""Each change since the publication before is listed once, with both values, and none is invented."""

import datetime as dt
from typing import Any

import duckdb

from market_pipeline.mart.changes import CHANGED, KINDS, ROWS
from market_pipeline.storage.catalog import MART

DAY, NEXT = dt.date(2024, 3, 5), dt.date(2024, 3, 6)
FOUND = dt.datetime(2024, 3, 6, 22)  # noqa: DTZ001  as the mart stores it

COMPARED = {
    "prices": ("market", "session"),
    "champions": ("market", "horizon", "question", "since", "model"),
    "leaderboard": ("market", "horizon", "question", "model", "verdict"),
    "quarantine": ("market", "symbol", "session", "rule"),
    "restatements": ("market", "symbol", "session", "field", "old", "new", "known_at"),
}

Rows = dict[str, list[tuple[Any, ...]]]


def tables(**rows: list[tuple[Any, ...]]) -> Rows:
    """Rows of the tables that are compared, with their columns of COMPARED; those that are not given are empty."""
    return rows


def listed(before: Rows, after: Rows) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        for file, rows in (("earlier", before), ("mart", after)):
            connection.execute(f"attach ':memory:' as {file}")
            for table, columns in COMPARED.items():
                types = {column.name: column.type for column in MART[table].columns}
                declared = ", ".join(f"{name} {types[name]}" for name in columns)
                connection.execute(f"create table {file}.{table} ({declared})")
                for row in rows.get(table, []):
                    connection.execute(f"insert into {file}.{table} values ({', '.join('?' * len(row))})", row)
        found = connection.execute(CHANGED).to_arrow_table()
    assert set(found.schema.names) == set(ROWS.names)
    return [{name: row[name] for name in ROWS.names if row[name] is not None} for row in found.to_pylist()]


def row(kind: str, market: str = "stocks", **values: Any) -> dict[str, Any]:
    return {"market": market, "kind": kind, **values}


FIRST = tables(
    prices=[("stocks", DAY)],
    champions=[("stocks", 5, "range", DAY, "garch"), ("stocks", 1, "range", DAY, "ewma")],
    leaderboard=[("stocks", 5, "range", "garch", "beats_baseline"), ("stocks", 1, "return", "linear", "no_evidence")],
    quarantine=[("stocks", "AAA", DAY, "no volume is negative")],
    restatements=[("stocks", "AAA", DAY, "close", 10.0, 10.5, FOUND)],
)


def test_the_same_again_is_no_change() -> None:
    assert listed(FIRST, FIRST) == []


def test_each_kind_has_the_old_and_the_new_value() -> None:
    after = tables(
        prices=[("stocks", DAY), ("stocks", NEXT), ("crypto", NEXT)],
        champions=[
            ("stocks", 5, "range", DAY, "garch"),
            ("stocks", 5, "range", NEXT, "har"),
            ("stocks", 1, "range", DAY, "ewma"),
            ("stocks", 1, "range", NEXT, "random_walk"),
            ("stocks", 20, "return", NEXT, "drift"),
        ],
        leaderboard=[
            ("stocks", 5, "range", "garch", "no_evidence"),
            ("stocks", 1, "return", "linear", "no_evidence"),
            ("stocks", 1, "return", "drift", "worse"),
        ],
        quarantine=[
            ("stocks", "AAA", DAY, "no volume is negative"),
            ("stocks", "BBB", NEXT, "every price is positive"),
        ],
        restatements=[
            ("stocks", "AAA", DAY, "close", 10.0, 10.5, FOUND),
            ("stocks", "BBB", DAY, "volume", None, 5e6, FOUND),
        ],
    )
    assert listed(FIRST, after) == [
        row("session", "crypto", session=NEXT),
        row("session", session=NEXT),
        row("champion", horizon=1, question="range", before="ewma", after="random_walk"),
        row("champion", horizon=5, question="range", before="garch", after="har"),
        row("champion", horizon=20, question="return", before="random_walk", after="drift"),
        row("verdict", horizon=1, question="return", model="drift", after="worse"),
        row("verdict", horizon=5, question="range", model="garch", before="beats_baseline", after="no_evidence"),
        row("quarantine", symbol="BBB", session=NEXT, after="every price is positive"),
        row("restatement", symbol="BBB", session=DAY, field="volume", after="5000000"),
    ]
    assert {found["kind"] for found in listed(FIRST, after)} == set(KINDS)


def test_a_model_without_a_verdict_is_listed_and_a_bar_out_of_quarantine_is_not() -> None:
    after = tables(prices=[("stocks", DAY)], champions=[], leaderboard=[], quarantine=[], restatements=[])
    found = listed(FIRST, after)
    assert [one for one in found if one["kind"] in ("quarantine", "restatement", "session")] == []
    gone = [(one["model"], one["before"], one.get("after")) for one in found if one["kind"] == "verdict"]
    assert gone == [("linear", "no_evidence", None), ("garch", "beats_baseline", None)]
