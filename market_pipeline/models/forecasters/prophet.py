"""Prophet on the log price of each symbol, fitted again at every origin."""

import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from market_pipeline.errors import ConfigurationError
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.calibration.residuals import MeansAndWidths, past_residuals
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.prophet_stan import forecast_by_stan
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.prophet_exact.design import design_of, settings_of, unsupported
from market_pipeline.models.prophet_exact.solver import expected, fits, range_half_width
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
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
class Prophet:
    """Piecewise linear trend and seasons (Taylor & Letham 2018), fitted for each symbol and origin.

    Fits the log price, so no price is ever negative, and forecasts sessions only: on days without trading, Prophet's
    weekly season is meaningless. The fit at an origin uses what was known at the origin. How wide a range has to be for
    the right coverage is learned monthly, from errors at past origins.
    """

    # `trials` and `tried` keep their names because the table `tried` stores settings as they are written here.
    refitted: ClassVar[bool] = True
    name: str = "prophet"
    window: int = 750
    """Bars to fit."""
    least: int = 120
    """Bars below which there is no forecast."""
    engine: str = "exact"
    """"exact", or "stan" for the prophet package's own solver, about a thousand times slower."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the prophet package by its own names; any without an exact solution makes the engine "stan"."""
    draws: int = 400
    """Simulated paths from which Stan's ranges are read; the exact engine has a formula."""
    trials: int = 25
    """Past origins, the longest horizon apart, whose errors give the widths of ranges."""
    tried: int = 60
    """Symbols whose errors are taken there, spread evenly."""

    def fit(self, past: Panel) -> Parameters:
        """Learn only the size of errors: trend and seasons are fitted at each origin."""

        def predict(history: History, position: np.ndarray) -> MeansAndWidths:
            targets = {horizon: history.sessions[position + horizon] for horizon in HORIZONS}
            return self._predict(history, Origins(position, targets))

        return past_residuals(past.history, predict, least=self.least, origins=self.trials, symbols=self.tried)

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        mean, width = self._predict(known.history, origins)
        return {
            horizon: location_scale(mean[..., place], width[..., place], parameters[f"residuals_{horizon}"])
            for place, horizon in enumerate(HORIZONS)
        }

    def _predict(self, history: History, origins: Origins) -> MeansAndWidths:
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

    def bars_at(self, present: np.ndarray, position: int) -> np.ndarray:
        """The bars to fit at an origin, from the positions of a symbol's bars; none if there is no forecast."""
        end = int(np.searchsorted(present, position, side="right"))
        enough = end >= self.least and present[end - 1] == position
        return present[max(0, end - self.window) : end] if enough else present[:0]


def _exactly(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, positions: np.ndarray, targets: np.ndarray
) -> MeansAndWidths:
    """(symbols, origins, horizons) each, from log prices (symbols, sessions) and targets (origins, horizons).

    Symbols with bars on the same days share their design.
    """
    from threadpoolctl import threadpool_limits

    mean = np.full((len(symbols), *targets.shape), np.nan)
    width = mean.copy()
    options, present = settings_of(settings.options), [np.flatnonzero(~np.isnan(row)) for row in level]
    # One thread for each product: in another order of summation the last digits differ.
    with threadpool_limits(1):
        for batch in _batches(settings, present, positions):
            designs = [design_of(sessions[bars], targets[place], options) for place, _, bars in batch]
            levels = [level[rows][:, bars] for _, rows, bars in batch]
            all_fits = fits(list(zip(designs, levels, strict=True)))
            for (place, rows, _), design, known, found in zip(batch, designs, levels, all_fits, strict=True):
                mean[rows, place] = expected(design, found) - known[:, -1:]
                width[rows, place] = range_half_width(design, found)
    return mean, width


def _batches(
    settings: Prophet, present: list[np.ndarray], positions: np.ndarray
) -> Iterator[list[tuple[int, np.ndarray, np.ndarray]]]:
    """The place of an origin, the symbols with the same bars at it, and these bars; about BATCH series at a time."""
    batch: list[tuple[int, np.ndarray, np.ndarray]] = []
    size = 0
    for place, position in enumerate(positions.tolist()):
        alike: dict[bytes, tuple[list[int], np.ndarray]] = {}
        for row, its in enumerate(present):
            bars = settings.bars_at(its, position)
            if len(bars):
                alike.setdefault(bars.tobytes(), ([], bars))[0].append(row)
        for rows, bars in alike.values():
            for start in range(0, len(rows), BATCH):
                some = rows[start : start + BATCH]
                batch.append((place, np.array(some), bars))
                size += len(some)
                if size >= BATCH:
                    yield batch
                    batch, size = [], 0
    if batch:
        yield batch


def _by_stan(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, positions: np.ndarray, targets: np.ndarray
) -> MeansAndWidths:
    """As `_exactly`, by the prophet package."""
    mean = np.full((len(symbols), *targets.shape), np.nan)
    width = mean.copy()
    for row, symbol in enumerate(symbols):
        present = np.flatnonzero(~np.isnan(level[row]))
        for place, position in enumerate(positions.tolist()):
            bars = settings.bars_at(present, position)
            if len(bars):
                known, seed = level[row, bars], zlib.crc32(f"{symbol} {sessions[position]}".encode())
                mean[row, place], width[row, place] = forecast_by_stan(
                    settings.options, sessions[bars], known, targets[place], draws=settings.draws, seed=seed
                )
                mean[row, place] -= known[-1]
    return mean, width


PROPHET = Prophet()
