"""A ridge regression on the indicators, one for all symbols of a market."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.conformal import conformal_quantiles
from market_pipeline.models.calibration.direction import chance_of_a_rise, earned_slope
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import (
    Panel,
    Samples,
    base_rate,
    features_at,
    purged_split,
    training_samples,
)
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

CLIP = 5.0
"""Standard deviations beyond which a feature counts no more: one absurd day must not set a price."""


@dataclass(frozen=True)
class Linear:
    """Expected return = EWMA volatility x root of the horizon x a linear function of standardised indicators."""

    name: str = "linear"
    window: int = 1000
    """Sessions to learn from."""
    at_most: int = 200_000
    """Samples to learn from."""
    shrinkage: float = 0.1
    """Ridge penalty per sample: with unit-variance features, coefficients shrink by about this share."""

    def fit(self, past: Panel) -> Parameters:
        learned: dict[str, Grid] = {}
        for horizon in HORIZONS:
            samples = training_samples(past, horizon, window=self.window, at_most=self.at_most)
            early, late = purged_split(samples, horizon)
            trial = self._coefficients(samples, early)
            score, target = predicted(trial, samples.features[late]), samples.target[late]
            learned[f"residuals_{horizon}"] = conformal_quantiles(target - score, horizon, age=samples.age[late])
            learned[f"slope_{horizon}"] = np.array(earned_slope(samples.base_rate[late], score, target > 0))
            everything = self._coefficients(samples, np.arange(len(samples.target)))
            learned |= {f"{name}_{horizon}": value for name, value in everything.items()}
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        volatility = ewma_volatility(known.history)[:, origins.position]
        features = np.moveaxis(features_at(known, origins.position), 0, -1)  # (symbols, origins, features)
        said = {}
        for horizon in HORIZONS:
            parts = {name: parameters[f"{name}_{horizon}"] for name in ("centre", "spread", "coefficients")}
            scale, score = volatility * np.sqrt(horizon), predicted(parts, features)
            base = base_rate(known.history, horizon)[:, origins.position]
            said[horizon] = location_scale(
                score * scale,
                scale,
                parameters[f"residuals_{horizon}"],
                np.where(np.isfinite(scale), chance_of_a_rise(base, score, parameters[f"slope_{horizon}"]), np.nan),
            )
        return said

    def _coefficients(self, samples: Samples, chosen: np.ndarray) -> dict[str, Grid]:
        from sklearn.linear_model import Ridge

        learned = scaling(samples.features[chosen])
        ridge = Ridge(alpha=self.shrinkage * len(chosen), fit_intercept=False, solver="cholesky")
        ridge.fit(scaled(learned, samples.features[chosen]), samples.target[chosen])
        return learned | {"coefficients": np.asarray(ridge.coef_)}


def scaling(features: Features) -> dict[str, Grid]:
    """The centre and spread of each column of `features` (samples, features)."""
    from sklearn.preprocessing import StandardScaler

    with np.errstate(invalid="ignore", divide="ignore"):  # a column without any value yet
        scaler = StandardScaler().fit(features)
    return {"centre": np.nan_to_num(scaler.mean_), "spread": np.nan_to_num(scaler.scale_, nan=1.0)}


def scaled(learned: dict[str, Grid], features: Features) -> Grid:
    """Features about 0 in units of their spread, clipped; an unknown one counts as average."""
    return np.clip(np.nan_to_num((features - learned["centre"]) / learned["spread"]), -CLIP, CLIP)


def predicted(learned: dict[str, Grid], features: Features) -> Grid:
    """One number per row of `features` (..., features).

    Not a matrix product: BLAS adds in another order for another number of rows, and a day alone would differ from the
    same day within a range in its last digit.
    """
    terms = np.ascontiguousarray(scaled(learned, features) * learned["coefficients"])
    score: Grid = terms.sum(axis=-1)
    return score


LINEAR = Linear()
