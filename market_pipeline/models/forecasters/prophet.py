"""Prophet on the log price of each symbol, fitted again at every origin."""

import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from market_pipeline.errors import ConfigurationError
from market_pipeline.models.forecasters.prophet_stan import forecast_by_stan
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.refitted import MeansAndWidths, Refitted
from market_pipeline.models.prophet_exact.design import design_of, settings_of, unsupported
from market_pipeline.models.prophet_exact.solver import expected, fits, range_half_width
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

LOG = logging.getLogger(__name__)

FEW, FEW_BY_STAN = 5000, 4
"""Fits that finish before worker processes would have started."""

BATCH = 128
"""Series that are fitted together: enough to outweigh the cost of calls, few enough for the processor's cache."""

PARTS = 4
"""Tasks for each processor: with several, the last one to end is short."""


@dataclass(frozen=True)
class Prophet(Refitted):
    """Piecewise linear trend and seasons (Taylor & Letham 2018), fitted for each symbol and origin.

    Fits the log price, so no price is ever negative, and forecasts sessions only: on days without trading, Prophet's
    weekly season is meaningless. The fit at an origin uses what was known at the origin. How wide a range has to be for
    the right coverage is learned monthly, from errors at past origins.
    """

    name: str = "prophet"
    window: int = 750
    """Bars to fit."""
    least: int = 120
    engine: str = "exact"
    """"exact", or "stan" for the prophet package's own solver, about a thousand times slower."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the prophet package by its own names; any without an exact solution makes the engine "stan"."""
    draws: int = 400
    """Simulated paths from which Stan's ranges are read; the exact engine has a formula."""
    trials: int = 25
    tried: int = 60

    def predict(self, history: History, origins: Origins) -> MeansAndWidths:
        """The origins are shared out among processors."""
        from joblib import Parallel, cpu_count, delayed

        if self.engine not in ("exact", "stan"):
            raise ConfigurationError(f'Prophet\'s engine is "exact" or "stan", not "{self.engine}".')
        odd = unsupported(self.options) if self.engine == "exact" else []
        if odd:
            LOG.warning("Prophet uses Stan, series by series: there is no exact solution with %s.", ", ".join(odd))
        at_origins, few = (_by_stan, FEW_BY_STAN) if odd or self.engine == "stan" else (_exactly, FEW)
        level, targets = np.log(history.close), np.stack([origins.targets[horizon] for horizon in HORIZONS], axis=1)
        count = len(origins.position)
        jobs = cpu_count() if len(level) * count > few else 1
        parts = np.array_split(np.arange(count), max(1, min(count, PARTS * jobs if jobs > 1 else 1)))
        found = Parallel(n_jobs=jobs)(
            delayed(at_origins)(self, history.symbols, history.sessions, level, origins.position[part], targets[part])
            for part in parts
        )
        mean, width = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
        return mean, np.where(width > 0, width, np.nan)

    def fits_at(self, level: Grid, positions: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """For each fit the place of its origin, the row of its symbol, and the positions of the bars to fit."""
        present = [np.flatnonzero(~np.isnan(row)) for row in level]
        for place, position in enumerate(positions.tolist()):
            for row, bars in enumerate(present):
                end = int(np.searchsorted(bars, position, side="right"))
                if end >= self.least and bars[end - 1] == position:
                    yield place, row, bars[max(0, end - self.window) : end]


def _exactly(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, positions: np.ndarray, targets: np.ndarray
) -> MeansAndWidths:
    """(symbols, origins, horizons) each, from log prices (symbols, sessions) and targets (origins, horizons).

    Symbols with bars on the same days share their design.
    """
    from threadpoolctl import threadpool_limits

    mean = np.full((len(symbols), *targets.shape), np.nan)
    width = mean.copy()
    options = settings_of(settings.options)
    # One thread for each product: in another order of summation the last digits differ.
    with threadpool_limits(1):
        for batch in _batches(settings.fits_at(level, positions)):
            designs = [design_of(sessions[bars], targets[place], options) for place, bars, _ in batch]
            series = [(design, level[rows][:, bars]) for design, (_, bars, rows) in zip(designs, batch, strict=True)]
            for (place, _, rows), (design, known), found in zip(batch, series, fits(series), strict=True):
                mean[rows, place] = expected(design, found) - known[:, -1:]
                width[rows, place] = range_half_width(design, found)
    return mean, width


def _batches(fits_: Iterator[tuple[int, int, np.ndarray]]) -> Iterator[list[tuple[int, np.ndarray, list[int]]]]:
    """The place of an origin, the bars, and all symbols with these bars at it; about BATCH series at a time."""
    batch: list[tuple[int, np.ndarray, list[int]]] = []
    for place, of_origin in groupby(fits_, key=itemgetter(0)):
        alike: dict[bytes, tuple[np.ndarray, list[int]]] = {}
        for _, row, bars in of_origin:
            alike.setdefault(bars.tobytes(), (bars, []))[1].append(row)
        for bars, rows in alike.values():
            for start in range(0, len(rows), BATCH):
                batch.append((place, bars, rows[start : start + BATCH]))
                if sum(len(some) for _, _, some in batch) >= BATCH:
                    yield batch
                    batch = []
    if batch:
        yield batch


def _by_stan(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, positions: np.ndarray, targets: np.ndarray
) -> MeansAndWidths:
    """As `_exactly`, by the prophet package."""
    mean = np.full((len(symbols), *targets.shape), np.nan)
    width = mean.copy()
    for place, row, bars in settings.fits_at(level, positions):
        seed = zlib.crc32(f"{symbols[row]} {sessions[positions[place]]}".encode())
        mean[row, place], width[row, place] = forecast_by_stan(
            settings.options, sessions[bars], level[row, bars], targets[place], draws=settings.draws, seed=seed
        )
        mean[row, place] -= level[row, bars[-1]]
    return mean, width


PROPHET = Prophet()
