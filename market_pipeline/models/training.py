"""One month's models, each fitted on what was known before the month began."""

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from market_pipeline.models.artifacts import save
from market_pipeline.models.catalogue import FORECASTERS
from market_pipeline.models.samples import Panel

LEAST_SESSIONS = 250
"""Sessions of history below which a month gets no models: a year, as the longest indicators need."""

WINDOW = 1100
"""Sessions of indicators that training reads: the longest window of any forecaster and the longest horizon."""


@dataclass(frozen=True)
class Month:
    """A month to train for: `cutoff` is the last session before it."""

    first: dt.date
    cutoff: dt.date


def months_between(sessions: np.ndarray, first: dt.date, last: dt.date) -> tuple[Month, ...]:
    """The months from `first` to `last` that have at least LEAST_SESSIONS sessions before them."""
    starts = np.arange(np.datetime64(first, "M"), np.datetime64(last, "M") + 1).astype("datetime64[D]")
    before = np.searchsorted(sessions, starts)
    return tuple(
        Month(start.item(), sessions[count - 1].item())
        for start, count in zip(starts, before, strict=True)
        if count >= LEAST_SESSIONS
    )


def train(past: Panel, month: Month, folder: Path, now: dt.datetime) -> pa.Table:
    """Fit every forecaster on `past`, which ends at the month's cutoff; save each below `folder`; registry rows."""
    assert past.history.sessions[-1] == np.datetime64(month.cutoff)
    rows = []
    for forecaster in FORECASTERS:
        began = time.perf_counter()
        # One thread for each fit: sums in another order end in other bits, and so would the forecasts.
        with threadpool_limits(1):
            learned = forecaster.fit(past)
        path, digest = save(learned, folder / forecaster.name, month.first.isoformat())
        rows.append(
            {
                "model": forecaster.name,
                "month": month.first,
                "trained_through": month.cutoff,
                "path": str(path.relative_to(folder.parent)),
                "sha256": digest,
                "bytes": path.stat().st_size,
                "seconds": time.perf_counter() - began,
                "fitted_at": now.replace(tzinfo=None),
            }
        )
    return pa.Table.from_pylist(rows)
