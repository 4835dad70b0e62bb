"""Prophet on the log price of each symbol, refitted at every origin."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.distribution import HORIZONS, LEVELS, Distribution
from market_pipeline.models.prophet_exact import design_of, expected, fit, simulated
from market_pipeline.models.protocol import Origins, Parameters
from market_pipeline.models.samples import Panel
from market_pipeline.panel import Days, Grid

FEW = 500
"""Fits that are done sooner than worker processes start."""


@dataclass(frozen=True)
class Prophet:
    """Piecewise linear trend and seasons (Taylor & Letham 2018), fitted for each symbol and origin.

    Fits the log price, so no price is ever negative, and asks only for sessions: on days the market never traded,
    Prophet's weekly season is nonsense. Nothing is learned monthly; the fit at an origin sees what the origin saw.
    """

    name: str = "prophet"
    window: int = 750
    """Bars to fit."""
    least: int = 120
    """Bars below which it says nothing."""
    draws: int = 400
    """Simulated paths that the quantiles are read from."""

    def fit(self, past: Panel) -> Parameters:  # noqa: ARG002  learns nothing monthly
        return {}

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:  # noqa: ARG002  learns nothing monthly
        from joblib import Parallel, delayed

        history, count = known.history, len(origins.position)
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
        means, quantiles, rises = (np.stack(parts, axis=1) for parts in zip(*answers, strict=True))
        return {
            horizon: Distribution(means[:, :, place], quantiles[:, :, place], rises[:, :, place])
            for place, horizon in enumerate(HORIZONS)
        }


def _at_origin(
    settings: Prophet, symbols: tuple[str, ...], sessions: Days, level: Grid, targets: Days
) -> tuple[Grid, Grid, Grid]:
    """Mean (symbols, targets), quantiles (symbols, targets, 9) and p_up of all symbols at the last of `sessions`.

    Symbols with bars on the same days share their design.
    """
    mean = np.full((len(symbols), len(targets)), np.nan)
    quantiles, p_up = np.full((*mean.shape, len(LEVELS)), np.nan), mean.copy()
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
        quantiles[row] = np.quantile(returns, LEVELS, axis=1).T
        p_up[row] = (returns > 0).mean(axis=1)
    return mean, quantiles, p_up


PROPHET = Prophet()
