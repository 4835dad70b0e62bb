"""What changed since a bar was last read: arriving bars held against the stored ones, value by value.

A vendor's noise changes nothing, a provisional bar gives way silently, and anything else is a restatement: the stored
row takes the new value, and the old one stays readable beside it. Knows tables; no source, no warehouse, no clock.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.panel import Mask

NOISE = 1e-5
"""Relative: the same request gives another seventh digit each time."""

SMALL = 0.05
"""Logarithm of a common price ratio too small to be a re-basing on a split."""

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume", "dividend", "split_ratio")
KEY = ["symbol", "session"]
SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("session", pa.date32()),
        ("field", pa.string()),
        ("old", pa.float64()),
        ("new", pa.float64()),
        ("cause", pa.string()),
        ("old_known_at", pa.timestamp("us")),
        ("known_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class Reconciled:
    """What is to be written: bars that are new or changed, and one row for each value that a vendor restated."""

    bars: pa.Table
    restatements: pa.Table


def reconcile(stored: pa.Table, arriving: pa.Table) -> Reconciled:
    """Hold `arriving` against `stored`; both have the columns of the table prices but the market, keys once each.

    A stored bar that did not arrive stays: a vendor's silence takes nothing back. A changed bar became known when it
    was read, whatever its session.
    """
    if not stored.num_rows or not arriving.num_rows:
        return Reconciled(arriving, SCHEMA.empty_table())
    place = _places(stored, arriving)
    met = place >= 0
    old = stored.take(np.maximum(place, 0))
    differs = _differences(old, arriving) & met
    was_final = old["final"].to_numpy()
    is_final = arriving["final"].to_numpy()
    restated = differs & was_final & is_final
    # A bar that was read while its session still ran says nothing against one that is final.
    written = ~met | (~was_final & (is_final | differs.any(axis=0))) | restated.any(axis=0)
    known = pa.array(
        np.where(
            restated.any(axis=0),
            arriving["fetched_at"].to_numpy().astype("datetime64[us]"),
            arriving["known_at"].to_numpy().astype("datetime64[us]"),
        )
    )
    bars = arriving.set_column(arriving.schema.get_field_index("known_at"), "known_at", known)
    return Reconciled(bars.filter(pa.array(written)), _rows(old, bars, restated))


def to_recompute(restatements: pa.Table, last: dt.date) -> str:
    """The session partitions whose indicators and forecasts rest on an older vintage, as 'first..last' or 'none'."""
    if not restatements.num_rows:
        return "none"
    return f"{min(restatements['session'].to_pylist())}..{last}"


def _places(stored: pa.Table, arriving: pa.Table) -> np.ndarray:
    """Where each arriving bar stands among the stored ones, -1 for a new one; shape (arriving,)."""
    index = pd.MultiIndex.from_arrays([stored[name].to_numpy(zero_copy_only=False) for name in KEY])
    places: np.ndarray = index.get_indexer(
        pd.MultiIndex.from_arrays([arriving[name].to_numpy(zero_copy_only=False) for name in KEY])
    )
    return places


def _differences(old: pa.Table, new: pa.Table) -> Mask:
    """Which of FIELDS differ by more than noise; unknown equals unknown; shape (fields, bars)."""
    before, after = _values(old), _values(new)
    far = np.abs(after - before) > NOISE * np.maximum(np.abs(after), np.abs(before))
    appeared: Mask = np.isnan(before) != np.isnan(after)
    return far | appeared


def _values(rows: pa.Table) -> np.ndarray:
    return np.stack([rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in FIELDS])


def _rows(old: pa.Table, new: pa.Table, restated: Mask) -> pa.Table:
    """One row for each restated value."""
    field, row = np.nonzero(restated)
    return pa.table(
        {
            "symbol": new["symbol"].take(row),
            "session": new["session"].take(row),
            "field": pa.array(np.array(FIELDS, object)[field], pa.string()),
            "old": pa.array(_values(old)[field, row], from_pandas=True),
            "new": pa.array(_values(new)[field, row], from_pandas=True),
            "cause": pa.array(_causes(old, new, restated)[field, row], pa.string()),
            "old_known_at": old["known_at"].take(row),
            "known_at": new["known_at"].take(row),
        },
        schema=SCHEMA,
    )


def _causes(old: pa.Table, new: pa.Table, restated: Mask) -> np.ndarray:
    """Why each value changed, as far as the bar itself tells; shape (fields, bars)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(_values(new)[: len(PRICES)] / _values(old)[: len(PRICES)])
    rebased = (np.ptp(ratio, axis=0) < 10 * NOISE) & (np.abs(ratio[0]) > SMALL)
    untouched = ~restated[: len(PRICES)].any(axis=0)
    cause = np.full(restated.shape, "vendor fix", object)
    cause[:, rebased] = "split"
    cause[FIELDS.index("volume"), untouched & ~rebased] = "volume settling"
    cause[FIELDS.index("dividend"), ~rebased] = "dividend"
    cause[FIELDS.index("split_ratio")] = "split"
    return cause
