"""A ridge regression on the indicators, one for all symbols of a market."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from market_pipeline.models.forecasters.supervised import Supervised
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid

CLIP = 5.0
"""Standard deviations at which a feature is cut off: one extreme day must not set a price."""


class LinearScore(Supervised):
    """A score that is a linear function of standardised indicators."""

    @abstractmethod
    def coefficients(self, features: Grid, target: Grid) -> Grid:
        """(features,), from standardised `features` (samples, features) and `target` (samples,)."""

    def learn(self, features: Features, target: Grid) -> dict[str, Any]:
        from sklearn.preprocessing import StandardScaler

        with np.errstate(invalid="ignore", divide="ignore"):  # a column without any value yet
            scaler = StandardScaler().fit(features)
        scaling = {"centre": np.nan_to_num(scaler.mean_), "spread": np.nan_to_num(scaler.scale_, nan=1.0)}
        return scaling | {"coefficients": np.asarray(self.coefficients(standardised(scaling, features), target))}

    def score(self, learned: Parameters, features: Features) -> Grid:
        """Not a matrix product: the last digits of one depend on the number of rows."""
        terms = np.ascontiguousarray(standardised(learned, features) * learned["coefficients"])
        score: Grid = terms.sum(axis=-1)
        return score


def standardised(scaling: Parameters, features: Features) -> Grid:
    """Features around 0 in units of their spread, clipped; an unknown one counts as average."""
    scaled: Grid = features - scaling["centre"]
    scaled /= scaling["spread"]
    np.nan_to_num(scaled, copy=False)
    return np.clip(scaled, -CLIP, CLIP, out=scaled)


@dataclass(frozen=True)
class Linear(LinearScore):
    """The score is a linear function of standardised indicators, fitted to returns in units of their volatility."""

    name: str = "linear"
    window: int = 1000
    at_most: int = 200_000
    shrinkage: float = 0.1
    """Ridge penalty per sample: with unit-variance features, coefficients shrink by about this share."""

    def coefficients(self, features: Grid, target: Grid) -> Grid:
        from sklearn.linear_model import Ridge

        ridge = Ridge(alpha=self.shrinkage * len(target), fit_intercept=False, solver="cholesky")
        return np.asarray(ridge.fit(features, target).coef_)


LINEAR = Linear()
