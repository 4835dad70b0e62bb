"""Prophet on the log price of each symbol, refitted at every origin."""

import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from market_pipeline.errors import ConfigurationError
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.calibration.past_errors import Said, tried_residuals
from market_pipeline.models.features.samples import Panel
from market_pipeline.models.forecasters.prophet_stan import said_by_stan
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.prophet_exact.design import design_of, settings_of, unsupported
from market_pipeline.models.prophet_exact.solver import expected, fits, range_half_width
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

LOG = logging.getLogger(__name__)

FEW, FEW_BY_STAN = 5000, 4
"""Fits that are done sooner than worker processes start."""

BATCH = 128
"""Fits that take their steps together: enough to forget what a call costs, few enough for the processor's cache."""

PARTS = 4
"""Tasks for each processor: the last ones to end are short."""


@dataclass(frozen=True)
class Prophet:
    """Piecewise linear trend and seasons (Taylor & Letham 2018), fitted for each symbol and origin.

    Fits the log price, so no price is ever negative, and asks only for sessions: on days the market never traded,
    Prophet's weekly season is nonsense. The fit at an origin sees what the origin saw; only how wide a range must be to
    hold as often as it says is learned monthly, from errors that had come due.
    """

    name: str = "prophet"
    window: int = 750
    """Bars to fit."""
    least: int = 120
    """Bars below which it says nothing."""
    engine: str = "exact"
    """"exact", or "stan" for the prophet package's own solver, about a thousand times slower."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the prophet package by its own names; one without an exact solution goes through Stan."""
    draws: int = 400
    """Simulated paths that the width of Stan's ranges is read from; the exact engine has a formula."""
    trials: int = 25
    """Past origins, the longest horizon apart, whose errors say how wide its ranges have to be."""
    tried: int = 60
    """Symbols that are tried at them, spread evenly."""

    def fit(self, past: Panel) -> Parameters:
        """Only how far off it was: its trend and seasons are fitted at each origin."""
        return tried_residuals(past.history, self._tried, least=self.least, trials=self.trials, tried=self.tried)

    def _tried(self, history: History, position: np.ndarray) -> Said:
        targets = {horizon: history.sessions[position + horizon] for horizon in HORIZONS}
        return self._said(history, Origins(position, targets))

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        said = self._said(known.history, origins)
        return {horizon: location_scale(*said[horizon], parameters[f"residuals_{horizon}"]) for horizon in HORIZONS}

    def _said(self, history: History, origins: Origins) -> Said:
        """Mean log return and half the width of its own 80 % range; (symbols, origins) each."""
        from joblib import Parallel, cpu_count, delayed

        count = len(origins.position)
        if not count:
            return dict.fromkeys(HORIZONS, (np.empty((len(history.symbols), 0)), np.empty((len(history.symbols), 0))))
        if self.engine not in ("exact", "stan"):
            raise ConfigurationError(f'Prophet\'s engine is "exact" or "stan", not "{self.engine}".')
        odd = unsupported(self.options) if self.engine == "exact" else []
        if odd:
            LOG.warning("Prophet goes through Stan, series by series: no exact solution with %s.", ", ".join(odd))
        at_origins, few = (_by_stan, FEW_BY_STAN) if odd or self.engine == "stan" else (_exactly, FEW)
        level, targets = np.log(history.close), np.stack([origins.targets[horizon] for horizon in HORIZONS], axis=1)
        jobs = cpu_count() if len(level) * count > few else 1
        parts = np.array_split(np.arange(count), min(count, PARTS * jobs if jobs > 1 else 1))
        answers = Parallel(n_jobs=jobs)(
            delayed(at_origins)(self, history.symbols, history.sessions, level, origins.position[part], targets[part])
            for part in parts
        )
        mean, width = (np.concatenate(said, axis=1) for said in zip(*answers, strict=True))
        width = np.where(width > 0, width, np.nan)
        return {horizon: (mean[:, :, place], width[:, :, place]) for place, horizon in enumerate(HORIZONS)}

    def bars_at(self, present: np.ndarray, position: int) -> np.ndarray:
        """The bars to fit at an origin, of a symbol with bars at the positions `present`; none if it says nothing."""
        end = int(np.searchsorted(present, position, side="right"))
        silent = end < self.least or present[end - 1] != position
        return present[:0] if silent else present[max(0, end - self.window) : end]


def _exactly(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, positions: np.ndarray, targets: np.ndarray
) -> tuple[Grid, Grid]:
    """Mean and half the width of the 80 % range (symbols, origins, targets); `targets` is (origins, targets).

    Symbols with bars on the same days share their design.
    """
    from threadpoolctl import threadpool_limits

    mean = np.full((len(symbols), *targets.shape), np.nan)
    width = mean.copy()
    asked, present = settings_of(settings.options), [np.flatnonzero(~np.isnan(row)) for row in level]
    # One thread for each product: sums in another order end in other bits.
    with threadpool_limits(1):
        for batch in _batches(settings, present, positions):
            designs = [
                (design_of(sessions[bars], targets[place], asked), level[rows][:, bars]) for place, rows, bars in batch
            ]
            for (place, rows, _), (design, known), found in zip(batch, designs, fits(designs), strict=True):
                mean[rows, place] = expected(design, found) - known[:, -1:]
                width[rows, place] = range_half_width(design, found)
    return mean, width


def _batches(
    settings: Prophet, present: list[np.ndarray], positions: np.ndarray
) -> Iterator[list[tuple[int, np.ndarray, np.ndarray]]]:
    """The place of an origin, the symbols with the same bars then, and the bars; as many as make a batch."""
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
) -> tuple[Grid, Grid]:
    """As `_exactly`, by the prophet package."""
    mean = np.full((len(symbols), *targets.shape), np.nan)
    width = mean.copy()
    for row, symbol in enumerate(symbols):
        present = np.flatnonzero(~np.isnan(level[row]))
        for place, position in enumerate(positions.tolist()):
            bars = settings.bars_at(present, position)
            if len(bars):
                known, seed = level[row, bars], zlib.crc32(f"{symbol} {sessions[position]}".encode())
                said = said_by_stan(
                    settings.options, sessions[bars], known, targets[place], draws=settings.draws, seed=seed
                )
                mean[row, place], width[row, place] = said[0] - known[-1], said[1]
    return mean, width


PROPHET = Prophet()
