"""How old a mart is: what is published of it, and what a reader finds later.

A mart ages while nobody publishes, so a reader compares it with the calendar again.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from market_pipeline.mart.read import read_rows
from market_pipeline.storage.freshness import Freshness, freshness_of
from market_pipeline.storage.schema import ARROW
from market_pipeline.storage.tables.mart import AGE, META

if TYPE_CHECKING:
    from market_pipeline.config.markets import Market

AGES = pa.schema([(column.name, ARROW[column.type]) for column in META.columns if column.name in ("market", *AGE)])


def ages_of(markets: Sequence["Market"], newest: Mapping[str, dt.date], now: dt.datetime) -> pa.Table:
    """The columns AGE of `meta` for each market with a newest session; `now` in UTC."""
    rows = []
    for market in markets:
        if market.name in newest:
            [following] = market.session_after(np.array([newest[market.name]], "datetime64[D]"), 1).tolist()
            age = {
                "calendar": market.calendar_name,
                "sessions_behind": freshness_of(market, newest[market.name], now).behind,
                "current_until": following and market.due_at(following).replace(tzinfo=None),
            }
            rows.append({"market": market.name} | age)
    return pa.Table.from_pylist(rows, AGES)


def read_freshness(mart: Path, now: dt.datetime) -> list[Freshness]:
    """How many sessions of each market of a mart are due by `now`, in UTC, after its newest one."""
    rows = read_rows(mart, "meta").to_pylist()
    return [Freshness(row["market"], row["newest_session"], sessions_behind(row, now)) for row in rows]


def sessions_behind(meta: Mapping[str, Any], now: dt.datetime) -> int | None:
    """The sessions that are due by `now` after the newest one of a row of `meta`; None if it has no calendar.

    A session is due as long after its close as the first one was, at `current_until`.
    """
    if meta.get("current_until") is None:
        return None
    until = np.datetime64(meta["current_until"], "s")
    moment = np.datetime64(now.astimezone(dt.UTC).replace(tzinfo=None), "s")
    if moment < until:
        return 0
    from market_pipeline.config.markets import Market

    closes = Market(meta["market"], meta["calendar"], meta["newest_session"], ("any",)).closes[1:]
    return int((closes + (until - closes[0]) <= moment).sum())
