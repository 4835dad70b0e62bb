"""What changed since a bar was last read: arriving bars compared with the stored ones, value by value.

Noise of a vendor changes nothing, a provisional bar is replaced silently, and any other change is a restatement: the
stored row takes the new value, and the old one stays readable in the log. Knows tables; no source, no warehouse, no
clock.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.storage.grids import Days, Mask
from market_pipeline.storage.tables.prices import BAR_VALUES, BARS, PRICES, RESTATEMENTS

MOVED = 0.02
"""Logarithm: closes that all moved at least this far from the stored ones, in one direction, are on another scale."""

LEAST_MOVED = 3
"""Bars that must agree on that: a vendor may well correct one or two."""

NOISE = 1e-5
"""Relative: the same request returns another seventh digit each time."""

SMALL = 0.05
"""Logarithm of a common price ratio too small for an adjustment for a split."""

SETTLING = 5e-3
"""Relative: a volume that changes by less moves no indicator noticeably."""

FIELDS = (*BAR_VALUES, "bar")
"""What a restatement may be about: a value, or a whole bar that came late."""

VOLUME, DIVIDEND, SPLIT_RATIO, BAR = (FIELDS.index(name) for name in ("volume", "dividend", "split_ratio", "bar"))


@dataclass(frozen=True)
class Changes:
    """Bars that are new or changed, and one row for each value that a vendor restated."""

    bars: pa.Table
    restatements: pa.Table


def reconcile(stored: pa.Table, arriving: pa.Table, covered: Days, first: dt.date, before: Sequence[str]) -> Changes:
    """Compare `arriving` with `stored`; both have the columns of the table prices but the market, each key once.

    `covered` are the sessions that were requested before, `first` is the first one that this run computes, `before`
    are the symbols that had a bar in the run's range when it began. A stored bar that did not arrive stays: no answer
    is no correction. A changed bar, or one that fills a hole, became known when it was read, whatever its session.
    """
    if not before or not arriving.num_rows:
        return Changes(arriving, RESTATEMENTS.schema.empty_table())
    position = _positions(stored, arriving)
    found = position >= 0
    # A symbol without any stored bar is new in the market: its past is assumed known, like that of a first backfill.
    known_symbol = pc.is_in(arriving["symbol"], pa.array(before, pa.string())).to_numpy()
    late = ~found & known_symbol & np.isin(arriving["session"].to_numpy().astype("datetime64[D]"), covered)
    old = stored.take(pa.array(position, mask=~found))
    differs = _differences(old, arriving) & found
    was_final, is_final = old["final"].fill_null(False).to_numpy(), arriving["final"].to_numpy()
    restated = differs & was_final & is_final
    changed = restated.any(axis=0)
    # A bar that was read while its session still ran is no evidence against a final one.
    written = ~found | (~was_final & (is_final | differs.any(axis=0))) | changed
    known_at = pc.if_else(pa.array(changed | late), arriving["fetched_at"], arriving["known_at"])
    bars = arriving.set_column(arriving.column_names.index("known_at"), "known_at", known_at)
    return Changes(bars.filter(pa.array(written)), _rows(old, bars, np.vstack([restated, late]), first))


def rescaled(stored: pa.Table, arriving: pa.Table, beyond: Sequence[str]) -> dict[str, float]:
    """Symbols whose bars came back on another scale, with the factor: another currency, a split without its event.

    Bars are stored as traded, so no later split moves them; a move of all of them is no restatement of a bar, and
    would leave two scales in one history. `beyond` are the symbols with bars that this fetch did not read again: one
    whose whole history is read again may change its scale.
    """
    position = _positions(stored, arriving)
    old, new = stored.take(position[position >= 0]), arriving.filter(pa.array(position >= 0))
    moved = pd.Series(np.log(new["close"].to_numpy() / old["close"].to_numpy())).groupby(new["symbol"].to_pandas())
    far = ((moved.min() > MOVED) | (moved.max() < -MOVED)) & (moved.size() >= LEAST_MOVED)
    found = far[far].index.intersection(list(beyond))
    return {str(symbol): float(np.exp(moved.get_group(symbol).median())) for symbol in found}


def to_recompute(restatements: pa.Table, last: dt.date) -> str:
    """The session partitions whose indicators and forecasts rest on an older vintage, as 'first..last' or 'none'."""
    stale = restatements.filter(restatements["recompute"])["session"].to_pylist()
    return f"{min(stale)}..{last}" if stale else "none"


def _positions(stored: pa.Table, arriving: pa.Table) -> np.ndarray:
    """The position of each arriving bar among the stored ones, -1 for a new one; shape (arriving,)."""
    if not stored.num_rows:
        return np.full(arriving.num_rows, -1)
    known, asked = (
        pd.MultiIndex.from_arrays([rows[name].to_numpy(zero_copy_only=False) for name in BARS.key])
        for rows in (stored, arriving)
    )
    positions: np.ndarray = known.get_indexer(asked)
    return positions


def _differences(old: pa.Table, new: pa.Table) -> Mask:
    """Which of BAR_VALUES differ by more than noise; unknown equals unknown; shape (values, bars)."""
    before, after = _values(old), _values(new)
    far = np.abs(after - before) > NOISE * np.maximum(np.abs(after), np.abs(before))
    differs: Mask = far | (np.isnan(before) != np.isnan(after))
    return differs


def _values(rows: pa.Table) -> np.ndarray:
    """BAR_VALUES of each bar, NaN where unknown; shape (values, bars)."""
    return np.stack([rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in BAR_VALUES])


def _rows(old: pa.Table, new: pa.Table, restated: Mask, first: dt.date) -> pa.Table:
    """One row for each True of `restated`, shape (FIELDS, bars).

    It is to be recomputed if it lies before `first` and moves anything: a volume that settled a little does not.
    """
    field, row = np.nonzero(restated)
    old_known_at = pc.coalesce(old["known_at"], new["known_at"]).take(row)
    old, new = old.take(row), new.take(row)
    nothing = np.full(len(row), np.nan)
    before, after = np.vstack([_values(old), nothing]), np.vstack([_values(new), nothing])
    value_before, value_after = (values[field, np.arange(len(row))] for values in (before, after))
    settled = (field == VOLUME) & (np.abs(value_after - value_before) <= SETTLING * np.abs(value_before))
    prices = slice(0, len(PRICES))
    return pa.table(
        {
            "symbol": new["symbol"],
            "session": new["session"],
            "field": pa.array(np.array(FIELDS, object)[field], pa.string()),
            "old": pa.array(value_before, from_pandas=True),
            "new": pa.array(value_after, from_pandas=True),
            "cause": pa.array(_causes(field, before[prices], after[prices], restated[prices][:, row])),
            "old_known_at": old_known_at,
            "known_at": new["known_at"],
            "recompute": pc.and_(pc.less(new["session"], pa.scalar(first)), pa.array(~settled)),
        },
        schema=RESTATEMENTS.schema,
    )


def _causes(field: np.ndarray, before: np.ndarray, after: np.ndarray, restated: Mask) -> np.ndarray:
    """Why each value changed, as far as the prices of its bar show: `before`, `after`, and which are restated."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(after / before)
    adjusted = (np.ptp(ratio, axis=0) < 10 * NOISE) & (np.abs(ratio[0]) > SMALL)
    return np.select(
        [field == BAR, adjusted | (field == SPLIT_RATIO), field == DIVIDEND, (field == VOLUME) & ~restated.any(axis=0)],
        ["late", "split", "dividend", "volume settling"],
        default="vendor fix",
    )
