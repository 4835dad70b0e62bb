"""The models of months, each fitted on what was known before its month began."""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from market_pipeline.models.features.samples import Panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.storage.artifacts import save

LEAST_SESSIONS = 250
"""Sessions of history below which a month gets no models: a year, as the longest indicators need."""

WINDOW = 1100
"""Sessions of indicators that training reads: the longest window of any forecaster and the longest horizon."""

AT_ONCE = 4
"""Fits at once, however many cores there are: each takes memory, of thousands of symbols about 1 GB."""


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


def train(
    panel: Panel,
    months: Sequence[Month],
    folder: Path,
    now: dt.datetime,
    forecasters: Sequence[Forecaster] = FORECASTERS,
) -> Iterator[pa.Table]:
    """Fit every forecaster for each month on what `panel` knew at its cutoff, and save each below `folder`.

    Registry rows, one table for each month in turn. Fits share the cores as threads, and what they read; one that fails
    raises its error in the place of its month's rows, and those not yet begun never begin.
    """
    from joblib import cpu_count

    # One thread for each fit: sums in another order end in other bits, and so would the forecasts.
    with threadpool_limits(1), ThreadPoolExecutor(min(cpu_count(), AT_ONCE)) as pool:
        begun = [
            [pool.submit(_trained, forecaster, panel, month, folder, now) for forecaster in forecasters]
            for month in months
        ]
        try:
            for fits in begun:
                yield pa.Table.from_pylist([fit.result() for fit in fits])
        finally:
            pool.shutdown(cancel_futures=True)


def _trained(forecaster: Forecaster, panel: Panel, month: Month, folder: Path, now: dt.datetime) -> dict[str, object]:
    """The registry row of a model that was fitted and saved."""
    began = time.perf_counter()
    past = panel.until(np.datetime64(month.cutoff))
    assert past.history.sessions[-1] == np.datetime64(month.cutoff)
    path, digest = save(forecaster.fit(past), folder / forecaster.name, month.first.isoformat())
    return {
        "model": forecaster.name,
        "month": month.first,
        "trained_through": month.cutoff,
        "path": str(path.relative_to(folder.parent)),
        "sha256": digest,
        "bytes": path.stat().st_size,
        "seconds": time.perf_counter() - began,
        "fitted_at": now.replace(tzinfo=None),
    }
