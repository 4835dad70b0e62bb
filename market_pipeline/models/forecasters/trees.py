"""Boosted trees as plain arrays: small files, and scores without the estimator that fitted them."""

from itertools import pairwise
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
    """The sum of the trees' values for each row of `features` (n, features), the same bits as the estimator's own.

    Every node is decided for all rows, in the type of the features, children before their parents: the estimator's
    nodes lie parents first.
    """
    columns, threshold = np.ascontiguousarray(features.T), rounded_down(trees["node_threshold"], features.dtype)
    known = (trees[f"node_{name}"].tolist() for name in ("feature", "left_if_unknown", "left", "right", "value"))
    feature, left_if_unknown, left, right, value = known
    score = np.full(len(features), trees["tree_start"])
    for root, end in pairwise([*trees["tree_root"].tolist(), len(left)]):
        reached: dict[int, Any] = {}
        for node in reversed(range(root, end)):
            if left[node] == node:
                reached[node] = value[node]
                continue
            column, limit = columns[feature[node]], threshold[node]
            to_left = ~(column > limit) if left_if_unknown[node] else column <= limit
            reached[node] = np.where(to_left, reached.pop(left[node]), reached.pop(right[node]))
        score += reached[root]
    return score


def rounded_down(values: Grid, kind: np.dtype[Any]) -> Any:
    """The largest numbers of a type that are not above the values: what is at most the one is at most the other."""
    nearest = values.astype(kind)
    return np.where(nearest > values, np.nextafter(nearest, kind.type(-np.inf)), nearest)
