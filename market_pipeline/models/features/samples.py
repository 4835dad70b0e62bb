"""Training samples: the features known at an origin, and the return that followed.

No target lies after the last session of the panel, and held-out samples share no session with the earlier ones; both
are checked on the samples themselves, and LookAheadError is raised where they are not true.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import base_rate, forward_returns
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.storage.grids import Features, Grid


class LookAheadError(Exception):
    """Training would have used data from after the last session that it may know: a defect of the program."""


@dataclass(frozen=True)
class Samples:
    """Features with the return that followed, all symbols pooled, by origin then symbol."""

    features: Features
    """(samples, features), NaN where unknown."""
    target: Grid
    """(samples,), log return to the target session in units of the volatility expected for it."""
    origin: np.ndarray
    """(samples,), position of the origin among the sessions."""
    realised: np.ndarray
    """(samples,), position of the target session, at which the target was known."""
    base_rate: Grid
    """(samples,), the symbol's chance of a rise as known at the origin."""

    @property
    def age(self) -> Grid:
        """(samples,), sessions since the origin; 0 for the newest."""
        age: Grid = (self.origin.max(initial=0) - self.origin).astype(np.float64)
        return age


def features_at(panel: Panel, positions: np.ndarray) -> Features:
    """The indicators at some sessions, and the rank of each in the market; (2 x features, symbols, positions).

    Ranks run from -1/2 to 1/2, ties share their mean, NaN where there is no indicator. The ranks of a session depend on
    that session alone.
    """
    values = panel.indicators_at(positions)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    in_session = np.moveaxis(np.where(known, values, np.float32(np.inf)), 1, -1)
    rank = (np.moveaxis(ranks(in_session), -1, 1) - 0.5) / count - 0.5
    return np.concatenate([values, np.where(known, rank, np.nan).astype(np.float32)])


def ranks(values: Features) -> Grid:
    """The rank of each value among those of its row, the last axis, from 1 on; ties share their mean.

    As `scipy.stats.rankdata` of values without NaN, in half its time, which is most of the time that samples take.
    """
    length = values.shape[-1]
    order = np.argsort(values, axis=-1) + length * np.arange(values[..., 0].size).reshape(*values.shape[:-1], 1)
    place = order.ravel()
    ascending = np.ascontiguousarray(values).ravel()[place]
    is_first = np.ones(len(place), bool)
    is_first[1:] = ascending[1:] != ascending[:-1]
    is_first[::length] = True
    first = np.flatnonzero(is_first)
    ties = np.diff(first, append=len(place))
    found = np.empty(len(place))
    found[place] = np.repeat(first % length + (ties + 1) / 2, ties)
    return found.reshape(values.shape)


def training_samples(panel: Panel, horizons: Iterable[int], *, window: int, at_most: int) -> Iterator[Samples]:
    """For each horizon, samples of the last `window` origins whose target is known, thinned evenly to about `at_most`.

    The newest origin lies a horizon before the end of the panel. Targets are divided by the EWMA volatility known at
    the origin times the root of the horizon: one scale for all symbols and times. Raises LookAheadError if a target
    lies after the end of the panel.
    """
    volatility = ewma_volatility(panel.history)
    for horizon in horizons:
        yield _samples(panel, horizon, volatility, window, at_most)


def _samples(panel: Panel, horizon: int, volatility: Grid, window: int, at_most: int) -> Samples:
    history = panel.history
    target = forward_returns(history, horizon) / (volatility * np.sqrt(horizon))
    newest = len(history.sessions) - horizon
    origins = np.arange(max(0, newest - window), max(0, newest))
    step = max(1, -(-len(origins) * len(history.symbols) // at_most))
    origins = origins[::-1][::step][::-1]
    column, row = np.nonzero(np.isfinite(target[:, origins]).T)
    samples = Samples(
        features=features_at(panel, origins)[:, row, column].T,
        target=target[row, origins[column]],
        origin=origins[column],
        realised=origins[column] + horizon,
        base_rate=base_rate(history, horizon, origins)[row, column],
    )
    if (samples.realised >= len(history.sessions)).any():
        raise LookAheadError("A training target lies after the last session that may be known.")
    return samples


def purged_split(samples: Samples, horizon: int, held_out: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the earlier samples and of the last `held_out` share, without the overlap of their targets.

    An origin within `horizon` sessions before the held-out part has a target inside it, and belongs to neither (López
    de Prado 2018, ch. 7: purging).
    """
    border = np.quantile(samples.origin, 1 - held_out)
    early, late = np.flatnonzero(samples.origin <= border - horizon), np.flatnonzero(samples.origin > border)
    require_purged(samples, early, late)
    return early, late


def require_purged(samples: Samples, early: np.ndarray, late: np.ndarray) -> None:
    """Raise LookAheadError if a target of the earlier samples lies after the first origin of the later ones."""
    known = samples.realised[early].max(initial=-1)
    first = samples.origin[late].min(initial=np.iinfo(np.int64).max)
    if known > first:
        raise LookAheadError(
            f"A sample to learn from has its target at session {known}, after the first held-out origin {first}."
        )
