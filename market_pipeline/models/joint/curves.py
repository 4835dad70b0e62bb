"""The scenarios of single symbols: simple returns at even levels, linear between a few nodes of the quantile function.

Knows distributions of single symbols; no correlation, no portfolio.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.joint.levels import Scenarios, levels_of

DRAWS = 999
"""Scenarios: the k-th of a symbol, in ascending order, has the level k / 1000, so all published levels are met."""

NODES = np.array([0, 1, 2, 3, 5, 7, 10, 13, 16, 20, 25, 30, 40, *range(50, 301, 25), *range(310, 501, 10)]) / 1000
NODES = np.concatenate([NODES, 1 - NODES[-2::-1]])
"""Levels at which a symbol's quantile function is read. All published levels are among them, the kink at the chance of
a fall is not."""

BAND = 125
"""Scenarios that are interpolated together."""

Curves: TypeAlias = Mapping[tuple[str, int], npt.NDArray[np.float32]]
"""Simple returns at NODES by model and horizon; the nodes are the last dimension."""


def simple_curves(ranges: Mapping[str, Mapping[int, Distribution]], models: set[str]) -> Curves:
    """The curves (symbols, origins, nodes) of some models; NaN where there is no forecast."""
    return {
        (model, horizon): np.expm1(one.quantile_function(NODES).astype(np.float32))
        for model in sorted(models)
        for horizon, one in ranges[model].items()
        if one.quantile_function is not None
    }


def ascending_scenarios(curve: npt.NDArray[np.float32]) -> Scenarios:
    """The DRAWS simple returns of each symbol in ascending order, from those at NODES; (symbols, DRAWS).

    The lowest and the highest stand for all that lies beyond the second, so that shortfalls are those of the curve.
    """
    found = np.empty((len(curve), DRAWS), np.float32)
    for nodes, draws, shares in _BANDS:
        np.matmul(curve[:, nodes], shares, out=found[:, draws])
    return found


def _interpolation() -> Scenarios:
    """From values at NODES to those of the scenarios; (nodes, DRAWS)."""
    levels = np.concatenate([[0.0], levels_of(DRAWS), [1.0]])
    found = np.stack([np.interp(levels, NODES, unit) for unit in np.eye(len(NODES))])
    found = np.where(np.abs(found - found.round()) < 1e-9, found.round(), found)
    found[:, 1] = (found[:, 0] / 2 + found[:, 1]) / 1.5
    found[:, -2] = (found[:, -1] / 2 + found[:, -2]) / 1.5
    return np.ascontiguousarray(found[:, 1:-1], np.float32)


def _bands() -> Iterator[tuple[slice, slice, Scenarios]]:
    """The interpolation without most of its zeros: BAND scenarios at a time come from the few nodes around them."""
    whole = _interpolation()
    for first in range(0, DRAWS, BAND):
        draws = slice(first, min(first + BAND, DRAWS))
        used = np.flatnonzero(whole[:, draws].any(axis=1))
        nodes = slice(used[0], used[-1] + 1)
        yield nodes, draws, np.ascontiguousarray(whole[nodes, draws])


_BANDS = tuple(_bands())
