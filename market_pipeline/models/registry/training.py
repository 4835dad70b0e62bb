"""Fits the models of months, each on what was known before its month began, and saves them with their registry rows."""

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib import import_module
from threading import Lock
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from market_pipeline.compute.protocol import Compute
from market_pipeline.compute.threads import THREADS
from market_pipeline.errors import PluginError
from market_pipeline.models.features.panel import LEAST_SESSIONS, Panel
from market_pipeline.models.features.samples import LookAheadError
from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.plugin import Plugin
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.storage.artifacts import deserialised, save, serialised
from market_pipeline.storage.store import Store

LOG = logging.getLogger(__name__)

LIBRARIES = (
    "arch", "scipy.linalg", "scipy.optimize", "scipy.stats", "sklearn.ensemble", "sklearn.linear_model",
    "sklearn.preprocessing", "statsforecast.models",
)  # fmt: skip
"""What forecasters import when they are first used."""

_LOADING = Lock()


def load_libraries() -> None:
    """Import them one after the other: threads that do so at once would find modules that are only half loaded."""
    with _LOADING:
        for name in LIBRARIES:
            import_module(name)


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


Piece: TypeAlias = tuple[Forecaster, tuple[Month, ...]]
"""A forecaster and the months for which it is fitted one after the other."""


@dataclass(frozen=True)
class Fit:
    """What a forecaster learned of a month: the content of its file, and the seconds that it took."""

    content: bytes
    seconds: float


def train(
    panel: Panel,
    months: Sequence[Month],
    store: Store,
    market: str,
    now: dt.datetime,
    forecasters: Sequence[Forecaster] = FORECASTERS,
    *,
    compute: Compute = THREADS,
    report: Callable[[str], None] = LOG.warning,
) -> Iterator[pa.Table]:
    """Fit every forecaster for each month on what `panel` knew at its cutoff, and save each in `store`.

    Yields the registry rows of each month in turn. `compute` runs the fits at once, and each saves nothing. If one
    fails, its error is raised in place of its month's rows, and fits that have not begun do not begin. A plugin that
    fails has no row, and its fault goes to `report`. Months share what they have in common where one process
    computes them.
    """
    panel = replace(panel, shared=SharedResults())
    pieces = pieces_of(forecasters, months)
    modules = sorted({one.module for one in forecasters if isinstance(one, Plugin) and one.module})
    found = dict[tuple[str, Month], Fit | PluginError]()
    with closing(compute.each(fit_months, panel, pieces, modules=modules)) as fits:
        coming = zip(pieces, fits, strict=True)
        for month in months:
            rows = []
            for forecaster in forecasters:
                while (forecaster.name, month) not in found:
                    (one, its_months), fitted = next(coming)
                    found |= {(one.name, each): fit for each, fit in zip(its_months, fitted, strict=True)}
                fit = found.pop((forecaster.name, month))
                if isinstance(fit, PluginError):
                    report(str(fit))
                else:
                    path, digest = save(fit.content, store, f"{market}/{forecaster.name}/{month.first}")
                    rows.append(_row(forecaster, month, fit, path, digest) | {"fitted_at": now.replace(tzinfo=None)})
            yield pa.Table.from_pylist(rows)


def pieces_of(forecasters: Sequence[Forecaster], months: Sequence[Month]) -> list[Piece]:
    """The pieces of work in the order in which their first months come: months that share what is learned are one."""
    found = dict[tuple[str, int], tuple[Forecaster, list[Month]]]()
    for month in months:
        for forecaster in forecasters:
            number = 12 * month.first.year + month.first.month - 1
            key = forecaster.name, number // getattr(forecaster, "months", 1)
            found.setdefault(key, (forecaster, []))[1].append(month)
    return [(forecaster, tuple(its_months)) for forecaster, its_months in found.values()]


def _row(forecaster: Forecaster, month: Month, fit: Fit, path: str, digest: str) -> dict[str, object]:
    return {
        "model": forecaster.name,
        "month": month.first,
        "trained_through": month.cutoff,
        "path": path,
        "sha256": digest,
        "bytes": len(fit.content),
        "seconds": fit.seconds,
    }


def fit_months(panel: Panel, piece: Piece) -> list[Fit | PluginError]:
    """What a forecaster learned of each month, or the fault of a plugin.

    It may run on another host: it reads and writes nothing, and its result is bytes. Raises LookAheadError where the
    panel does not end at a month's cutoff.
    """
    load_libraries()
    forecaster, months = piece
    return [_fit_month(panel, forecaster, month) for month in months]


def _fit_month(panel: Panel, forecaster: Forecaster, month: Month) -> Fit | PluginError:
    began = time.perf_counter()
    past = panel.until(np.datetime64(month.cutoff))
    if (last := past.history.sessions[-1]) != np.datetime64(month.cutoff):
        raise LookAheadError(f"Training for {month.first} must end at {month.cutoff}, but its panel ends at {last}.")
    try:
        content = _fitted(forecaster, past)
    except PluginError as fault:
        return PluginError(str(fault))  # without its cause, which another process may not know
    return Fit(content, time.perf_counter() - began)


def _fitted(forecaster: Forecaster, past: Panel) -> bytes:
    """What a fit learned, as a file's content; raises PluginError where a plugin learned what cannot be read back."""
    parameters = forecaster.fit(past)
    if not isinstance(forecaster, Plugin):
        return serialised(parameters)
    with forecaster.named_faults("saving what fit returned"):
        content = serialised(parameters)
        deserialised(content, forecaster.name)
    return content
