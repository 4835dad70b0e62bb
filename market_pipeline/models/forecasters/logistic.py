"""A logistic regression of direction on the indicators, one for all symbols of a market."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.conformal import tracked_quantiles
from market_pipeline.models.calibration.direction import chance_of_a_rise, earned_slope
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import (
    Panel,
    Samples,
    base_rate,
    features_at,
    purged_split,
    standardised_returns,
    training_samples,
)
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.models.forecasters.linear import predicted, scaled, scaling
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS


@dataclass(frozen=True)
class Logistic:
    """Log odds of a rise = those of the base rate + what a linear score of the indicators has earned; mean 0."""

    name: str = "logistic"
    window: int = 1000
    """Sessions to learn from."""
    at_most: int = 50_000
    """Samples to learn from."""
    strength: float = 1e-3
    """Inverse ridge penalty: with unit-variance features, coefficients stay near 0 until thousands of samples agree."""

    def fit(self, past: Panel) -> Parameters:
        learned: dict[str, Grid] = {}
        volatility = ewma_volatility(past.history)
        for horizon in HORIZONS:
            samples = training_samples(past, horizon, window=self.window, at_most=self.at_most)
            early, late = purged_split(samples, horizon)
            score, target = predicted(self._coefficients(samples, early), samples.features[late]), samples.target[late]
            learned[f"residuals_{horizon}"] = tracked_quantiles(
                standardised_returns(past.history, horizon, volatility), horizon
            )
            learned[f"slope_{horizon}"] = np.array(earned_slope(samples.base_rate[late], score, target > 0))
            everything = self._coefficients(samples, np.arange(len(samples.target)))
            learned |= {f"{name}_{horizon}": value for name, value in everything.items()}
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        volatility = ewma_volatility(known.history)[:, origins.position]
        features = np.moveaxis(features_at(known, origins.position), 0, -1)  # (symbols, origins, features)
        spoken = np.isfinite(volatility)
        said = {}
        for horizon in HORIZONS:
            parts = {name: parameters[f"{name}_{horizon}"] for name in ("centre", "spread", "coefficients")}
            base = base_rate(known.history, horizon)[:, origins.position]
            chance = chance_of_a_rise(base, predicted(parts, features), parameters[f"slope_{horizon}"])
            said[horizon] = location_scale(
                mean=np.where(spoken, 0.0, np.nan),
                scale=volatility * np.sqrt(horizon),
                residuals=parameters[f"residuals_{horizon}"],
                p_up=np.where(spoken, chance, np.nan),
            )
        return said

    def _coefficients(self, samples: Samples, chosen: np.ndarray) -> dict[str, Grid]:
        from sklearn.linear_model import LogisticRegression

        learned = scaling(samples.features[chosen])
        rose = samples.target[chosen] > 0
        if rose.all() or not rose.any():  # nothing to tell apart
            return learned | {"coefficients": np.zeros(samples.features.shape[1])}
        # Without an intercept: how often things rise is the base rate's business.
        model = LogisticRegression(C=self.strength, fit_intercept=False, tol=1e-6, max_iter=500)
        model.fit(scaled(learned, samples.features[chosen]), rose)
        return learned | {"coefficients": np.asarray(model.coef_[0])}


LOGISTIC = Logistic()
