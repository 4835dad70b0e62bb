"""How wrong a forecast was, once its target session has closed. Each loss is paired with what it rewards honestly.

The squared error is minimised by the mean, the absolute error by the median, the CRPS by the whole distribution, the
Brier score by the probability (Gneiting 2011, "Making and Evaluating Point Forecasts"; Gneiting & Raftery 2007).
Knows forecasts and what happened: no baseline, no verdict, no database.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS, QUANTILES

Ranks: TypeAlias = npt.NDArray[np.int64]

FIFTHS = np.arange(1, 6)
"""Fifths of a market's cross-section of returns, lowest first, as in p_q1 to p_q5."""

KEPT = ("symbol", "origin", "horizon", "target_session", "model")

_levels = np.array(LEVELS)
# Trapezoid over the levels; the outer pieces reach to 0 and 1, where the pinball loss is 0.
_borders = np.concatenate([[0.0], _levels, [1.0]])
WEIGHTS = (_borders[2:] - _borders[:-2]) / 2


def score(due: pa.Table, realised: Grid) -> pa.Table:
    """Rows of `scores` for the forecasts of `due` whose realised log return (n,) is known."""
    known = np.isfinite(realised)
    due, realised = due.filter(pa.array(known)), realised[known]
    quantiles = np.column_stack([due[name].to_numpy() for name in QUANTILES]).reshape(-1, len(QUANTILES))
    named = dict(zip(QUANTILES, quantiles.T, strict=True))
    losses = {
        "realised": realised,
        "abs_error": np.abs(realised - named["q50"]),
        "squared_error": (realised - due["mean"].to_numpy()) ** 2,
        "crps": crps(quantiles, realised),
        "brier": (due["p_up"].to_numpy() - (realised > 0)) ** 2,
    }
    ranges = {"covered_50": ("q25", "q75"), "covered_80": ("q10", "q90"), "covered_95": ("q025", "q975")}
    held = {name: (named[low] <= realised) & (realised <= named[high]) for name, (low, high) in ranges.items()}
    return pa.table({name: due[name] for name in KEPT} | {name: pa.array(v) for name, v in (losses | held).items()})


def crps(quantiles: Grid, realised: Grid) -> Grid:
    """Continuous ranked probability score of each forecast (n,), in log return, from its quantiles (n, 9) at LEVELS.

    CRPS = 2 x the integral over the levels of the pinball loss (Laio & Tamea 2007, eq. 9; Gneiting & Ranjan 2011),
    here by the trapezoid rule. Nine levels understate a true normal's mean CRPS by about 3 %, and a sum of pinball
    losses is proper whatever the weights, as long as none is negative.
    """
    off = realised[:, None] - quantiles
    pinball = np.maximum(_levels * off, (_levels - 1) * off)
    summed: Grid = 2 * (pinball * WEIGHTS).sum(axis=1)
    return summed


def ranked_probability_score(chances: Grid, fifth: Ranks) -> Grid:
    """RPS of each forecast (n,): `chances` (n, 5) of ending in each fifth, lowest first; `fifth` (n,) is 1 to 5.

    The mean over the five classes of (F - O) squared, F and O the cumulative forecast and outcome (Epstein 1969; Murphy
    1971), divided by 5 as in the M6 competition: 0 is perfect, 0.8 the worst, and 0.2 in each gives 0.16 on average
    over the fifths. A row with a NaN chance is NaN; raises ValueError for a fifth that is none.

    >>> ranked_probability_score(np.full((5, 5), 0.2), np.arange(1, 6)).round(2).tolist()
    [0.24, 0.12, 0.08, 0.12, 0.24]
    """
    if not np.isin(fifth, FIFTHS).all():
        raise ValueError(f"The fifths of the realised returns must be 1 to 5, but they reach {np.unique(fifth)}.")
    reached = fifth[:, None] <= FIFTHS
    score_of_each: Grid = ((chances.cumsum(axis=1) - reached) ** 2).mean(axis=1)
    return score_of_each
