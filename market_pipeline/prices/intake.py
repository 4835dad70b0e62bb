"""Bars as a source gave them, sorted into good rows, quarantined rows and the coverage they amount to."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.prices.rules import broken_rule
from market_pipeline.sources.protocol import FAILED, Fetched

OBSERVED_WITHIN = np.timedelta64(7, "D")
"""A bar read later than this after its session settled is assumed to have been known when it settled."""

VALUES = ["open", "high", "low", "close", "volume", "dividend", "split_ratio"]


@dataclass(frozen=True)
class Intake:
    """What one request amounts to: rows for three tables, and the symbols that the source did answer for."""

    prices: pa.Table
    quarantine: pa.Table
    outcomes: pa.Table
    answered: tuple[str, ...]
    asked_at: dt.datetime
    failed: dict[str, str]
    """Symbol to cause, for those whose stored bars stay as they are."""


def sort_bars(fetched: Fetched, market: Market, source: str, first: dt.date, last: dt.date, now: dt.datetime) -> Intake:
    """Judge every bar and stamp it with its origin; `now` is when the source was asked, UTC."""
    bars = fetched.bars.drop_duplicates(ignore_index=True)
    rule = broken_rule(bars, market, now)
    session = bars["session"].to_numpy().astype("datetime64[D]")
    stamp = pa.scalar(now.replace(tzinfo=None), pa.timestamp("us"))
    moment = np.datetime64(now.replace(tzinfo=None), "s")
    good = rule == ""
    closes = market.close_of(np.where(good, session, market.sessions[0])) + np.timedelta64(market.settle_minutes, "m")
    columns = {
        "symbol": pa.array(bars["symbol"], pa.string()),
        "session": pa.array(session, pa.date32()),
        **{name: pa.array(bars[name].to_numpy(np.float64), from_pandas=True) for name in VALUES},
        "source": pa.repeat(pa.scalar(source), len(bars)),
        "fetched_at": pa.repeat(stamp, len(bars)),
    }
    rows = pa.table(columns)
    failed = {o.symbol: f"{o.status}: {o.cause}" for o in fetched.outcomes if o.status in FAILED}
    known = np.where(moment - closes > OBSERVED_WITHIN, closes, moment).astype("datetime64[us]")
    told = rows.append_column("known_at", pa.array(known)).append_column("final", pa.array(closes <= moment))
    return Intake(
        prices=told.filter(pa.array(good)),
        quarantine=rows.append_column("rule", pa.array(rule, pa.string())).filter(pa.array(~good)),
        outcomes=pa.table(
            {
                "symbol": [o.symbol for o in fetched.outcomes],
                "first_session": pa.array([first] * len(fetched.outcomes), pa.date32()),
                "last_session": pa.array([last] * len(fetched.outcomes), pa.date32()),
                "status": [o.status for o in fetched.outcomes],
                "cause": [o.cause for o in fetched.outcomes],
                "asked_at": pa.repeat(stamp, len(fetched.outcomes)),
            }
        ),
        answered=tuple(o.symbol for o in fetched.outcomes if o.status not in FAILED),
        asked_at=now,
        failed=failed,
    )


def refused(intake: Intake, rescaled: Mapping[str, float]) -> Intake:
    """The intake without the symbols that came on another scale, given as symbol to factor; they end as rejected."""
    if not rescaled:
        return intake
    causes = {
        symbol: f"its closes came back {factor:.4g} times as high: another currency, or a split without its event; "
        "what was stored stays. To accept the new scale, backfill from the market's start"
        for symbol, factor in rescaled.items()
    }
    outcomes = intake.outcomes.to_pandas()
    strange = outcomes["symbol"].isin(causes)
    outcomes.loc[strange, "status"] = "rejected"
    outcomes.loc[strange, "cause"] = outcomes["symbol"].map(causes)
    names = pa.array(list(causes), pa.string())
    tables = (intake.prices, intake.quarantine)
    prices, quarantine = (rows.filter(pc.invert(pc.is_in(rows["symbol"], names))) for rows in tables)
    return replace(
        intake,
        prices=prices,
        quarantine=quarantine,
        outcomes=pa.Table.from_pandas(outcomes, intake.outcomes.schema, preserve_index=False),
        answered=tuple(symbol for symbol in intake.answered if symbol not in causes),
        failed=intake.failed | {symbol: f"rejected: {cause}" for symbol, cause in causes.items()},
    )


def numbered(outcomes: pa.Table, before: pa.Table) -> pa.Table:
    """The outcomes with their `attempt`: one more than the highest in `before` for the same symbol and sessions."""
    key = ["symbol", "first_session", "last_session"]
    asked = before.to_pandas().set_index(key)["attempt"] if before.num_rows else pd.Series(dtype=np.int64)
    mine = pd.MultiIndex.from_frame(outcomes.select(key).to_pandas())
    earlier = asked.reindex(mine).fillna(0).to_numpy() if len(asked) else np.zeros(len(mine))
    return outcomes.append_column("attempt", pa.array(earlier.astype(np.int32) + 1))


def coverage_rows(
    market: Market, stored: pa.Table, quarantined: pa.Table, first: dt.date, last: dt.date, symbols: Sequence[str]
) -> pa.Table:
    """For each session of the range: how many of `symbols` are expected, present, rejected and missing.

    `stored` and `quarantined` have symbol and session. A symbol that is rejected counts as such, not as missing.
    """
    sessions = market.sessions_between(first, last)
    expected = np.stack([np.isin(sessions, market.expected_sessions(symbol, first, last)) for symbol in symbols])
    present = _marks(symbols, sessions, stored) & expected
    rejected = _marks(symbols, sessions, quarantined) & expected & ~present
    counts = {
        "expected": expected,
        "present": present,
        "rejected": rejected,
        "missing": expected & ~present & ~rejected,
    }
    return pa.table(
        {
            "session": pa.array(sessions, pa.date32()),
            **{name: pa.array(mask.sum(axis=0), pa.int32()) for name, mask in counts.items()},
        }
    )


def added(counts: Sequence[pa.Table]) -> pa.Table:
    """The coverage of the same sessions by several sets of symbols, taken together."""
    total = counts[0]
    for more in counts[1:]:
        summed = [pc.add(total[name], more[name]) for name in total.column_names[1:]]
        total = pa.table([total["session"], *summed], schema=total.schema)
    return total


def asked_again(coverage: pa.Table, before: pa.Table, now: dt.datetime) -> pa.Table:
    """The coverage with its `attempts`, one more than `before` has for the session, and `asked_at`."""
    earlier = dict(zip(before["session"].to_pylist(), before["attempts"].to_pylist(), strict=True))
    attempts = [earlier.get(session, 0) + 1 for session in coverage["session"].to_pylist()]
    stamp = pa.scalar(now.replace(tzinfo=None), pa.timestamp("us"))
    told = coverage.append_column("attempts", pa.array(attempts, pa.int32()))
    return told.append_column("asked_at", pa.repeat(stamp, coverage.num_rows))


def _marks(symbols: Sequence[str], sessions: np.ndarray, rows: pa.Table) -> np.ndarray:
    marks = np.zeros((len(symbols), len(sessions)), bool)
    row = pd.Index(symbols).get_indexer(rows["symbol"].to_pandas())
    column = pd.Index(sessions).get_indexer(rows["session"].to_numpy().astype("datetime64[D]"))
    inside = (row >= 0) & (column >= 0)
    marks[row[inside], column[inside]] = True
    return marks
