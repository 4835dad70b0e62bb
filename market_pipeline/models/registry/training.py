"""Fits the models of months, each on what was known before its month began, and saves them with their registry rows."""

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from market_pipeline.errors import PluginError
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.samples import LookAheadError
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.plugin import Plugin
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.storage.artifacts import deserialised, save, serialised
from market_pipeline.storage.store import Store

LOG = logging.getLogger(__name__)

LEAST_SESSIONS = 250
"""Sessions of history that a month needs before it gets models: a year, as the longest indicators need."""

AT_ONCE = 4
"""Fits at once, however many cores there are: with thousands of symbols each takes about 1 GB of memory."""


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
    store: Store,
    market: str,
    now: dt.datetime,
    forecasters: Sequence[Forecaster] = FORECASTERS,
    *,
    report: Callable[[str], None] = LOG.warning,
) -> Iterator[pa.Table]:
    """Fit every forecaster for each month on what `panel` knew at its cutoff, and save each in `store`.

    Yields the registry rows of each month in turn. Fits run in parallel threads, which share the panel. If one fails,
    its error is raised in place of its month's rows, and fits that have not begun do not begin. A plugin that fails has
    no row, and its fault goes to `report`.
    """
    from joblib import cpu_count

    # One thread for each fit: in another order of summation the last digits of forecasts would differ.
    with threadpool_limits(1), ThreadPoolExecutor(min(cpu_count(), AT_ONCE)) as pool:
        begun = [
            [pool.submit(_fit_and_save, forecaster, panel, month, store, market, now) for forecaster in forecasters]
            for month in months
        ]
        try:
            for fits in begun:
                yield pa.Table.from_pylist(list(_rows(fits, report)))
        finally:
            pool.shutdown(cancel_futures=True)


def _rows(fits: Iterable[Future[dict[str, object]]], report: Callable[[str], None]) -> Iterator[dict[str, object]]:
    for fit in fits:
        try:
            yield fit.result()
        except PluginError as error:
            report(str(error))


def _fit_and_save(
    forecaster: Forecaster, panel: Panel, month: Month, store: Store, market: str, now: dt.datetime
) -> dict[str, object]:
    """The registry row of a model that was fitted and saved; raises LookAheadError if the panel ends elsewhere."""
    began = time.perf_counter()
    past = panel.until(np.datetime64(month.cutoff))
    if (last := past.history.sessions[-1]) != np.datetime64(month.cutoff):
        raise LookAheadError(f"Training for {month.first} must end at {month.cutoff}, but its panel ends at {last}.")
    content = _fitted(forecaster, past)
    path, digest = save(content, store, f"{market}/{forecaster.name}/{month.first}")
    return {
        "model": forecaster.name,
        "month": month.first,
        "trained_through": month.cutoff,
        "path": path,
        "sha256": digest,
        "bytes": len(content),
        "seconds": time.perf_counter() - began,
        "fitted_at": now.replace(tzinfo=None),
    }


def _fitted(forecaster: Forecaster, past: Panel) -> bytes:
    """What a fit learned, as a file's content; raises PluginError where a plugin learned what cannot be read back."""
    parameters = forecaster.fit(past)
    if not isinstance(forecaster, Plugin):
        return serialised(parameters)
    with forecaster.named_faults("saving what fit returned"):
        content = serialised(parameters)
        deserialised(content, forecaster.name)
    return content
