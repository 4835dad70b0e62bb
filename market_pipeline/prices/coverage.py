"""How complete the stored bars are: symbols expected, present, in quarantine and missing at each session."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.storage.grids import Days, Mask, to_grids
from market_pipeline.storage.tables.prices import COVERAGE

COUNTED = ("expected", "present", "rejected", "missing")


def count_symbols(
    market: Market, symbols: Sequence[str], sessions: Days, stored: pa.Table, quarantined: pa.Table
) -> np.ndarray:
    """How many of `symbols` are in each of the states COUNTED at each of `sessions`; shape (4, sessions).

    `stored` and `quarantined` have symbol and session. A symbol with a stored bar is present, whatever else of it is
    in quarantine; one in quarantine is not missing.
    """
    first, last = sessions[0].item(), sessions[-1].item()
    expected = np.stack([np.isin(sessions, market.expected_sessions(symbol, first, last)) for symbol in symbols])
    present = _where(stored, symbols, sessions) & expected
    rejected = _where(quarantined, symbols, sessions) & expected & ~present
    missing = expected & ~present & ~rejected
    return np.stack([state.sum(axis=0, dtype=np.int32) for state in (expected, present, rejected, missing)])


def coverage_rows(sessions: Days, counts: np.ndarray, before: pa.Table, now: dt.datetime) -> pa.Table:
    """Rows of `coverage`; `before` has the session and attempts of earlier requests, `now` is in UTC."""
    earlier = dict(zip(before["session"].to_pylist(), before["attempts"].to_pylist(), strict=True))
    return pa.table(
        {
            "session": pa.array(sessions, pa.date32()),
            **dict(zip(COUNTED, map(pa.array, counts), strict=True)),
            "attempts": pa.array([earlier.get(session, 0) + 1 for session in sessions.tolist()], pa.int32()),
            "asked_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), len(sessions)),
        },
        schema=COVERAGE.schema,
    )


def _where(rows: pa.Table, symbols: Sequence[str], sessions: Days) -> Mask:
    """Which symbols have a row at which session; shape (symbols, sessions)."""
    marked = rows.append_column("row", pa.repeat(1.0, rows.num_rows))
    return ~np.isnan(to_grids(marked, symbols, sessions, ("row",))["row"])
