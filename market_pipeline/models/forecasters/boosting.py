"""Gradient-boosted trees on the indicators, one ensemble for all symbols of a market."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from market_pipeline.models.forecasters.supervised import Supervised
from market_pipeline.models.forecasters.trees import arrays_of, score_of
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid


@dataclass(frozen=True)
class Boosting(Supervised):
    """The score is histogram gradient boosting on the indicators, fitted to returns in units of their volatility.

    Shallow trees, a low rate and large leaves, because daily returns have little signal and much noise. The months of a
    quarter have the same trees, which know nothing after it began; how far their score moves the chance, and how wide
    the range has to be, is learned monthly.
    """

    name: str = "boosting"
    window: int = 750
    at_most: int = 40_000
    months: int = 3

    def learn(self, features: Features, target: Grid) -> dict[str, Any]:
        return arrays_of(fitted_trees(features, target))

    def score(self, learned: Parameters, features: Features) -> Grid:
        """Files of version 0.2.0 and before have the estimator itself."""
        trees = arrays_of(learned["trees"]) if "trees" in learned else learned
        return score_of(trees, features.reshape(-1, features.shape[-1])).reshape(features.shape[:-1])


def fitted_trees(features: Features, target: Grid) -> Any:
    """Trees that predict `target` (samples,) from `features` (samples, features)."""
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
    # A column without any value yet has no bins; as a constant it is never split on.
    features = np.where(np.isnan(features).all(axis=0), np.float32(0), features)
    return trees.fit(features, target)


BOOSTING = Boosting()
