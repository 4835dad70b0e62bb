"""Gradient-boosted trees on the indicators, one forest for all symbols of a market."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from market_pipeline.models.calibration.conformal import conformal_quantiles
from market_pipeline.models.calibration.direction import chance_of_a_rise, earned_slope
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import Panel, base_rate, features_at, purged_split, training_samples
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid
from market_pipeline.storage.tables.forecasts import HORIZONS


@dataclass(frozen=True)
class Boosting:
    """Expected return = EWMA volatility x root of the horizon x histogram gradient boosting on the indicators.

    Shallow, slow and with large leaves: there is little to find in daily returns and much to imagine.
    """

    name: str = "boosting"
    window: int = 750
    """Sessions to learn from."""
    at_most: int = 40_000
    """Samples to learn from."""

    def fit(self, past: Panel) -> Parameters:
        learned: dict[str, Any] = {}
        for horizon in HORIZONS:
            samples = training_samples(past, horizon, window=self.window, at_most=self.at_most)
            early, late = purged_split(samples, horizon)
            trees = grown(samples.features[early], samples.target[early])
            score, target = trees.predict(samples.features[late]), samples.target[late]
            learned[f"residuals_{horizon}"] = conformal_quantiles(target - score, horizon, age=samples.age[late])
            learned[f"slope_{horizon}"] = np.array(earned_slope(samples.base_rate[late], score, target > 0))
            learned[f"trees_{horizon}"] = grown(samples.features, samples.target)
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        volatility = ewma_volatility(known.history)[:, origins.position]
        features = np.moveaxis(features_at(known, origins.position), 0, -1)  # (symbols, origins, features)
        said = {}
        for horizon in HORIZONS:
            predicted = parameters[f"trees_{horizon}"].predict(features.reshape(-1, features.shape[-1]))
            scale = volatility * np.sqrt(horizon)
            score = predicted.reshape(scale.shape)
            base = base_rate(known.history, horizon)[:, origins.position]
            said[horizon] = location_scale(
                score * scale,
                scale,
                parameters[f"residuals_{horizon}"],
                np.where(np.isfinite(scale), chance_of_a_rise(base, score, parameters[f"slope_{horizon}"]), np.nan),
            )
        return said


def grown(features: Features, target: Grid) -> Any:
    """Trees that expect the targets (samples,) from the features (samples, features), in units of their spread."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        learning_rate=0.05,
        max_iter=80,
        max_leaf_nodes=8,
        min_samples_leaf=max(20, len(target) // 100),
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    # A column without any value yet has no bins to be cut into; as a constant it is never split on.
    features = np.where(np.isnan(features).all(axis=0), np.float32(0), features)
    return trees.fit(features, target)


BOOSTING = Boosting()
