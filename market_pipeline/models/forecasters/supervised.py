"""What the linear, logistic and boosting models share: a score of the indicators, learned from pooled samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import Any, ClassVar, TypeAlias

import numpy as np

from market_pipeline.models.calibration.conformal import conformal_quantiles
from market_pipeline.models.calibration.direction import chance_of_rise, fitted_slope
from market_pipeline.models.calibration.distribution import Distribution, by_chance, standard_mean, zero_mean
from market_pipeline.models.calibration.residuals import reverted_scales
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import base_rate
from market_pipeline.models.features.samples import Samples, features_at, purged_split, training_samples
from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.models.features.volatility import ewma_volatility, over_horizons
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.random_walk import EWMA
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

Trial: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""What was learned from the earlier samples, and from all of them."""


class Supervised(ABC):
    """A score moves the chance of a rise, and with it the whole distribution; one model for all symbols and horizon.

    The score is learned twice: from the earlier samples, to see how well it forecasts the last 20 % of the time, and
    from all of them for the forecasts. The held-out part shows how far the score may move the chance, and how wide the
    range has to be. The expected return is the mean of the distribution that has this chance.
    """

    predicts_mean: ClassVar[bool] = True
    """False for a score of direction alone: its mean is 0, and its residuals are those of the EWMA walk."""

    window: int
    """Sessions to learn from."""
    at_most: int
    """Samples to learn from."""
    months: int = 1
    """Months of the year that share the score, learned from what was known before the first of them."""

    @abstractmethod
    def learn(self, features: Features, target: Grid) -> dict[str, Any]:
        """Parameters of the score by name, from `features` (samples, features) and `target` (samples,)."""

    @abstractmethod
    def score(self, learned: Parameters, features: Features) -> Grid:
        """One number for each row of `features` (..., features), the same whatever other rows there are."""

    def fit(self, past: Panel) -> Parameters:
        parameters: dict[str, Any] = {}
        to_learn_from = self._samples(past.before_months(self.months)) if self.months > 1 else repeat(None)
        for horizon, samples, of_months in zip(HORIZONS, self._samples(past), to_learn_from, strict=False):
            _, late = purged_split(samples, horizon)
            trial, whole = self._once(past.shared, horizon, of_months) if of_months else self._learned(horizon, samples)
            target, score = samples.target[late], self.score(trial, samples.features[late])
            slope = fitted_slope(samples.base_rate[late], score, target > 0)
            calibrated = partial(conformal_quantiles, overlap=horizon, age=samples.age[late], symmetric=True)
            chance = chance_of_rise(samples.base_rate[late], score, slope)
            learned = whole | {
                "residuals": calibrated(target - standard_mean(chance, calibrated(target))),
                "slope": np.array(slope),
            }
            parameters |= {f"{name}_{horizon}": value for name, value in learned.items()}
        return parameters if self.predicts_mean else {**parameters, **EWMA.fit(past)}

    def _samples(self, panel: Panel) -> Iterator[Samples]:
        return training_samples(panel, HORIZONS, window=self.window, at_most=self.at_most)

    def _learned(self, horizon: int, samples: Samples) -> Trial:
        early, _ = purged_split(samples, horizon)
        features, target = samples.features, samples.target
        return self.learn(features[early], target[early]), self.learn(features, target)

    def _once(self, shared: SharedResults, horizon: int, samples: Samples) -> Trial:
        """What is learned, once for the months that have these samples."""
        read = samples.features, samples.target, samples.origin
        return shared.result(lambda: self._learned(horizon, samples), repr(self), *read)

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        features = np.moveaxis(features_at(known, origins.position), 0, -1)  # (symbols, origins, features)
        forecasts = {}
        scales = over_horizons(ewma_volatility(known.history)[:, origins.position])
        for horizon, scale in reverted_scales(scales, parameters).items():
            ending = f"_{horizon}"
            learned = {key.removesuffix(ending): value for key, value in parameters.items() if key.endswith(ending)}
            score, rate = self.score(learned, features), base_rate(known.history, horizon, origins.position)
            chance = chance_of_rise(rate, score, learned["slope"])
            if self.predicts_mean:
                forecasts[horizon] = by_chance(chance, scale, learned["residuals"])
            else:
                forecasts[horizon] = zero_mean(scale, learned["residuals"], chance)
        return forecasts
