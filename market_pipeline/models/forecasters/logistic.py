"""A logistic regression of direction on the indicators, one for all symbols of a market."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from market_pipeline.models.forecasters.linear import LinearScore
from market_pipeline.storage.grids import Grid


@dataclass(frozen=True)
class Logistic(LinearScore):
    """Log odds of a rise = those of the base rate + slope x a linear score of the indicators; mean 0."""

    claims: ClassVar[tuple[str, ...]] = ("direction",)
    predicts_mean: ClassVar[bool] = False
    name: str = "logistic"
    window: int = 1000
    at_most: int = 50_000
    strength: float = 1e-3
    """Inverse ridge penalty: with unit-variance features, coefficients stay near 0 until thousands of samples agree."""

    def coefficients(self, features: Grid, target: Grid) -> Grid:
        from sklearn.linear_model import LogisticRegression

        rose = target > 0
        if rose.all() or not rose.any():  # one class only
            return np.zeros(features.shape[1])
        # Without an intercept: the base rate has the share of rises. With few features, Newton's method is the fastest.
        model = LogisticRegression(C=self.strength, fit_intercept=False, tol=1e-6, solver="newton-cholesky")
        return np.asarray(model.fit(features, rose).coef_[0])


LOGISTIC = Logistic()
