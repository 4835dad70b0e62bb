"""Prophet on the log price of each symbol, refitted at every origin."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.conformal import conformal_quantiles
from market_pipeline.models.distribution import HORIZONS, Distribution, location_scale
from market_pipeline.models.prophet_exact import design_of, expected, fit, simulated
from market_pipeline.models.protocol import Origins, Parameters
from market_pipeline.models.samples import Panel, forward_returns
from market_pipeline.panel import Days, Grid
from market_pipeline.prices.history import History

FEW = 500
"""Fits that are done sooner than worker processes start."""


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
    draws: int = 400
    """Simulated paths that the width of its ranges is read from."""
    trials: int = 25
    """Past origins, the longest horizon apart, whose errors say how wide its ranges have to be."""
    tried: int = 60
    """Symbols that are tried at them, spread evenly."""

    def fit(self, past: Panel) -> Parameters:
        """Only how far off it was: its trend and seasons are fitted at each origin."""
        history = past.history
        some = history.some(np.arange(len(history.symbols))[:: -(-len(history.symbols) // self.tried)])
        apart, last = max(HORIZONS), len(history.sessions) - 1
        position = np.arange(last - apart, self.least, -apart)[: self.trials][::-1]
        targets = {horizon: history.sessions[position + horizon] for horizon in HORIZONS}
        said = self._said(some, Origins(position, targets))
        learned = {}
        for horizon in HORIZONS:
            mean, width = said[horizon]
            off = (forward_returns(some, horizon)[:, position] - mean) / width
            learned[f"residuals_{horizon}"] = conformal_quantiles(off, 1)
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        said = self._said(known.history, origins)
        return {horizon: location_scale(*said[horizon], parameters[f"residuals_{horizon}"]) for horizon in HORIZONS}

    def _said(self, history: History, origins: Origins) -> Mapping[int, tuple[Grid, Grid]]:
        """Mean log return and half the width of its own 80 % range; (symbols, origins) each."""
        from joblib import Parallel, delayed

        count = len(origins.position)
        if not count:
            return dict.fromkeys(HORIZONS, (np.empty((len(history.symbols), 0)), np.empty((len(history.symbols), 0))))
        level = np.log(history.close)
        jobs = -1 if len(level) * count > FEW else 1
        answers = Parallel(n_jobs=jobs)(
            delayed(_at_origin)(
                self,
                history.symbols,
                history.sessions[: position + 1],
                level[:, : position + 1],
                np.array([origins.targets[horizon][place] for horizon in HORIZONS]),
            )
            for place, position in enumerate(origins.position)
        )
        means, widths = (np.stack(parts, axis=1) for parts in zip(*answers, strict=True))
        return {horizon: (means[:, :, place], widths[:, :, place]) for place, horizon in enumerate(HORIZONS)}


def _at_origin(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, targets: Days
) -> tuple[Grid, Grid]:
    """Mean and half the width of the 80 % range (symbols, targets) of all symbols at the last of `sessions`.

    Symbols with bars on the same days share their design.
    """
    mean = np.full((len(symbols), len(targets)), np.nan)
    width = mean.copy()
    designs = {}
    for row, symbol in enumerate(symbols):
        bars = np.flatnonzero(~np.isnan(level[row]))
        if len(bars) < settings.least or bars[-1] != len(sessions) - 1:
            continue
        bars = bars[-settings.window :]
        key = bars.tobytes()
        if key not in designs:
            designs[key] = design_of(sessions[bars], targets)
        found = fit(designs[key], level[row, bars])
        seed = zlib.crc32(f"{symbol} {sessions[-1]}".encode())
        returns = simulated(designs[key], found, settings.draws, seed) - level[row, -1]
        mean[row] = expected(designs[key], found) - level[row, -1]
        low, high = np.quantile(returns, (0.1, 0.9), axis=1)
        width[row] = (high - low) / 2
    return mean, np.where(width > 0, width, np.nan)


PROPHET = Prophet()
