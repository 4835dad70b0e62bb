"""What changed since a bar was last read: arriving bars held against the stored ones, value by value.

A vendor's noise changes nothing, a provisional bar gives way silently, and anything else is a restatement: the stored
row takes the new value, and the old one stays readable beside it. Knows tables; no source, no warehouse, no clock.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.storage.grids import Days, Mask

MOVED = 0.02
"""Logarithm: closes that are all re-read this far from the stored ones, one way, are on another scale."""

LEAST_MOVED = 3
"""Bars that must agree on that: a vendor may well mend one or two."""

NOISE = 1e-5
"""Relative: the same request gives another seventh digit each time."""

SMALL = 0.05
"""Logarithm of a common price ratio too small to be a re-basing on a split."""

SETTLING = 5e-3
"""Relative: a volume that changes by less moves no indicator that anyone would act on."""

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
        ("recompute", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Reconciled:
    """What is to be written: bars that are new or changed, and one row for each value that a vendor restated."""

    bars: pa.Table
    restatements: pa.Table


def reconcile(stored: pa.Table, arriving: pa.Table, covered: Days, first: dt.date, before: Sequence[str]) -> Reconciled:
    """Hold `arriving` against `stored`; both have the columns of the table prices but the market, keys once each.

    `covered` are the sessions that were asked for before, `first` is the first one that this run computes, `before`
    are the symbols that had a bar in the run's range when it began. A stored bar that did not arrive stays: a vendor's
    silence takes nothing back. A changed bar, or one that fills a hole, became known when it was read, whatever its
    session.
    """
    if not before or not arriving.num_rows:
        return Reconciled(arriving, SCHEMA.empty_table())
    place = _places(stored, arriving)
    met = place >= 0
    # A symbol without any stored bar is new in the universe: its past is assumed known, like that of a first backfill.
    of_old = pc.is_in(arriving["symbol"], pa.array(before, pa.string())).to_numpy(zero_copy_only=False)
    late = ~met & of_old & np.isin(arriving["session"].to_numpy().astype("datetime64[D]"), covered)
    old = stored.take(pa.array(place, mask=~met))
    differs = _differences(old, arriving) & met
    was_final = old["final"].fill_null(False).to_numpy()
    is_final = arriving["final"].to_numpy()
    restated = differs & was_final & is_final
    # A bar that was read while its session still ran says nothing against one that is final.
    written = ~met | (~was_final & (is_final | differs.any(axis=0))) | restated.any(axis=0)
    known = pa.array(
        np.where(
            restated.any(axis=0) | late,
            arriving["fetched_at"].to_numpy().astype("datetime64[us]"),
            arriving["known_at"].to_numpy().astype("datetime64[us]"),
        )
    )
    bars = arriving.set_column(arriving.schema.get_field_index("known_at"), "known_at", known)
    told = pa.concat_tables([_rows(old, bars, restated), _late_rows(bars, late)])
    stale = pc.and_(told["recompute"], pc.less(told["session"], pa.scalar(first)))
    return Reconciled(bars.filter(pa.array(written)), told.set_column(len(SCHEMA) - 1, "recompute", stale))


def rescaled(stored: pa.Table, arriving: pa.Table, beyond: Sequence[str]) -> dict[str, float]:
    """Symbols whose bars came back on another scale, with the factor: another currency, a split without its event.

    Bars are stored as traded, so no later split moves them; what moves all of them is no restatement of a bar, and
    would leave two scales in one history. `beyond` are the symbols with bars that this fetch did not read again: one
    whose whole history is read anew may change its scale.
    """
    place = _places(stored, arriving) if stored.num_rows else np.full(arriving.num_rows, -1)
    met = place >= 0
    old, new = stored.take(place[met]), arriving.filter(pa.array(met))
    moved = np.log(new["close"].to_numpy() / old["close"].to_numpy())
    by_symbol = pd.Series(moved).groupby(new["symbol"].to_pandas())
    spans = pd.DataFrame({"least": by_symbol.min(), "most": by_symbol.max(), "bars": by_symbol.size()})
    far = (spans["least"] > MOVED) | (spans["most"] < -MOVED)
    found = spans[far & (spans["bars"] >= LEAST_MOVED) & spans.index.isin(beyond)].index
    return {str(symbol): float(np.exp(by_symbol.get_group(symbol).median())) for symbol in found}


def to_recompute(restatements: pa.Table, last: dt.date) -> str:
    """The session partitions whose indicators and forecasts rest on an older vintage, as 'first..last' or 'none'."""
    stale = restatements.filter(restatements["recompute"])["session"].to_pylist()
    return f"{min(stale)}..{last}" if stale else "none"


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
    differs: Mask = far | (np.isnan(before) != np.isnan(after))
    return differs


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
            "recompute": pa.array(_matters(old, new)[field, row]),
        },
        schema=SCHEMA,
    )


def _late_rows(bars: pa.Table, late: Mask) -> pa.Table:
    """One row for each bar that fills a hole."""
    rows = bars.filter(pa.array(late))
    nothing = pa.nulls(rows.num_rows, pa.float64())
    columns = {
        "symbol": rows["symbol"], "session": rows["session"], "field": pa.repeat("bar", rows.num_rows),
        "old": nothing, "new": nothing, "cause": pa.repeat("late", rows.num_rows),
        "old_known_at": rows["known_at"], "known_at": rows["known_at"],
        "recompute": pa.repeat(pa.scalar(value=True), rows.num_rows),
    }  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


def _matters(old: pa.Table, new: pa.Table) -> Mask:
    """Whether a changed value moves what rests on it: any but a volume that settled a little; (fields, bars)."""
    before, after = _values(old), _values(new)
    volume = FIELDS.index("volume")
    matters = np.ones(before.shape, bool)
    matters[volume] = ~(np.abs(after[volume] - before[volume]) <= SETTLING * np.abs(before[volume]))
    return matters


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
