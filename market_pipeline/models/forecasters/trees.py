"""Boosted trees as plain arrays: small files, and scores without the estimator that fitted them."""

from typing import Any

import numpy as np

from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid


def arrays_of(estimator: Any) -> dict[str, np.ndarray]:
    """The trees of a fitted HistGradientBoostingRegressor without categories: one array for each property of a node.

    The nodes of all trees lie one after another; `tree_root` has the place of each tree's first. A leaf is its own
    child.
    """
    every = [predictor.nodes for (predictor,) in estimator._predictors]  # noqa: SLF001  there is no public way
    sizes = [len(nodes) for nodes in every]
    nodes, root = np.concatenate(every), np.cumsum([0, *sizes[:-1]])
    offset, itself = np.repeat(root, sizes), np.arange(sum(sizes))
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "tree_root": root,
        "node_feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32),
        "node_threshold": np.where(leaf, 0.0, nodes["num_threshold"]),
        "node_left_if_unknown": nodes["missing_go_to_left"].astype(bool),
        "node_left": np.where(leaf, itself, nodes["left"] + offset).astype(np.int32),
        "node_right": np.where(leaf, itself, nodes["right"] + offset).astype(np.int32),
        "node_value": nodes["value"].copy(),
        "tree_start": np.array(float(estimator._baseline_prediction.item())),  # noqa: SLF001
    }


def score_of(trees: Parameters, features: Features) -> Grid:
    """The sum of the trees' values for each row of `features` (n, features), the same bits as the estimator's own."""
    score, everyone = np.full(len(features), trees["tree_start"]), np.arange(len(features))
    for root in trees["tree_root"]:
        node = np.full(len(features), root)
        while (trees["node_left"][node] != node).any():
            value = features[everyone, trees["node_feature"][node]]
            to_left = (value <= trees["node_threshold"][node]) | (np.isnan(value) & trees["node_left_if_unknown"][node])
            node = np.where(to_left, trees["node_left"][node], trees["node_right"][node])
        score = score + trees["node_value"][node]
    return score
