"""A ridge regression on the indicators, one for all symbols of a market."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.distribution import HORIZONS, Distribution, location_scale, residual_quantiles
from market_pipeline.models.protocol import Origins, Parameters
from market_pipeline.models.samples import Panel, Samples, purged_split, training_samples
from market_pipeline.models.volatility import ewma_volatility
from market_pipeline.panel import Features, Grid

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
            off = samples.target[late] - _predicted(trial, samples.features[late])
            learned[f"residuals_{horizon}"] = residual_quantiles(off)
            everything = self._coefficients(samples, np.arange(len(samples.target)))
            learned |= {f"{name}_{horizon}": value for name, value in everything.items()}
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        volatility = ewma_volatility(known.history)[:, origins.position]
        features = np.moveaxis(known.features[:, :, origins.position], 0, -1)  # (symbols, origins, features)
        said = {}
        for horizon in HORIZONS:
            parts = {name: parameters[f"{name}_{horizon}"] for name in ("centre", "spread", "coefficients")}
            scale = volatility * np.sqrt(horizon)
            said[horizon] = location_scale(
                _predicted(parts, features) * scale, scale, parameters[f"residuals_{horizon}"]
            )
        return said

    def _coefficients(self, samples: Samples, chosen: np.ndarray) -> dict[str, Grid]:
        from sklearn.linear_model import Ridge
        from sklearn.preprocessing import StandardScaler

        features = samples.features[chosen]
        with np.errstate(invalid="ignore", divide="ignore"):  # a column without any value yet
            scaler = StandardScaler().fit(features)
        learned = {"centre": np.nan_to_num(scaler.mean_), "spread": np.nan_to_num(scaler.scale_, nan=1.0)}
        ridge = Ridge(alpha=self.shrinkage * len(chosen), fit_intercept=False, solver="cholesky")
        ridge.fit(_standardised(learned, features), samples.target[chosen])
        return learned | {"coefficients": np.asarray(ridge.coef_)}


def _standardised(learned: dict[str, Grid], features: Features) -> Grid:
    """Features about 0 in units of their spread, clipped; an unknown one counts as average."""
    return np.clip(np.nan_to_num((features - learned["centre"]) / learned["spread"]), -CLIP, CLIP)


def _predicted(learned: dict[str, Grid], features: Features) -> Grid:
    """One number per row of `features` (..., features).

    Not a matrix product: BLAS adds in another order for another number of rows, and a day alone would differ from the
    same day within a range in its last digit.
    """
    terms = np.ascontiguousarray(_standardised(learned, features) * learned["coefficients"])
    predicted: Grid = terms.sum(axis=-1)
    return predicted


LINEAR = Linear()
