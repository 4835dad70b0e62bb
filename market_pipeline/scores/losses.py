"""How far each forecast was from what happened: losses, and whether the ranges contained it.

Each loss is proper for one part of a forecast: the squared error for the mean, the absolute error for the median, the
CRPS for the distribution, the Brier score for the probability, the RPS for the chances of the quintiles, the FZ0 loss
for value at risk with expected shortfall (Gneiting 2011, "Making and Evaluating Point Forecasts"; Gneiting & Raftery
2007). Knows forecasts and outcomes: no baseline, no
verdict, no database.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from market_pipeline.models.forecasters.ranking import LEAST_SYMBOLS, quintile_of
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import CHANCES, LEVELS, QUANTILES, RANGES, TAILS_AT
from market_pipeline.storage.tables.scores import RANK_SCORES, SCORES

Quintiles: TypeAlias = npt.NDArray[np.int64]

_quintiles = np.arange(1, len(CHANCES) + 1)
_levels = np.array(LEVELS)
# Trapezoid over the levels; the outer pieces reach to 0 and 1, where the pinball loss is 0.
_borders = np.concatenate([[0.0], _levels, [1.0]])
WEIGHTS = (_borders[2:] - _borders[:-2]) / 2


def score(forecasts: pa.Table) -> pa.Table:
    """Rows of `scores`, one for each of `forecasts`, in their order.

    `forecasts` are rows of `forecasts` with the value at risk and the shortfall of `tails` beside them, NULL where
    there is none, and with their log return as `realised`, as `with_outcomes` gives them.
    """
    columns = {name: forecasts[name] for name in SCORES.schema.names if name in forecasts.column_names}
    realised, quantiles = forecasts["realised"].to_numpy(), quantiles_of(forecasts)
    named = dict(zip(QUANTILES, quantiles.T, strict=True))
    columns |= {
        "abs_error": pa.array(np.abs(realised - named["q50"])),
        "squared_error": pa.array((realised - forecasts["mean"].to_numpy()) ** 2),
        "crps": pa.array(crps(quantiles, realised)),
        "brier": pa.array((forecasts["p_up"].to_numpy() - (realised > 0)) ** 2),
    }
    for percent, (low, high) in RANGES.items():
        columns[f"covered_{percent}"] = pa.array((named[low] <= realised) & (realised <= named[high]))
    for name, level in TAILS_AT.items():
        var, shortfall = (forecasts[f"{kind}_{name}"].to_numpy() for kind in ("var", "es"))
        columns[f"fz_{name}"] = pa.array(fissler_ziegel(var, shortfall, realised, level), from_pandas=True)
        columns[f"exceeded_{name}"] = pa.array(realised < var, mask=np.isnan(var))
    return pa.table(columns).select(SCORES.schema.names)


def score_ranks(forecasts: pa.Table) -> pa.Table:
    """Rows of `rank_scores`: the mean RPS over the symbols of `forecasts`, rows of `ranks` with `realised` returns.

    The quintiles of the returns are those among these symbols, with ties as in the forecasts.
    """
    keys = ["horizon", "origin", "model"]
    rows = forecasts.sort_by([(name, "ascending") for name in (*keys, "symbol")])
    realised, chances = rows["realised"].to_numpy(), np.column_stack([rows[name].to_numpy() for name in CHANCES])
    codes = [rows[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in keys]
    borders = np.flatnonzero(np.any([np.diff(code, prepend=-1, append=-1) != 0 for code in codes], axis=0))
    starts, sizes = borders[:-1], np.diff(borders)
    losses = np.full(len(sizes), np.nan)
    for size in np.unique(sizes[sizes >= LEAST_SYMBOLS]).tolist():
        of_size = np.flatnonzero(sizes == size)
        members = starts[of_size, None] + np.arange(size)
        quintile = 1 + quintile_of(realised[members].T).T
        of_each = ranked_probability_score(chances[members.ravel()], quintile.ravel()).reshape(members.shape)
        # Group by group: the order in which numpy adds along an axis depends on the other one.
        losses[of_size] = [one.mean() for one in of_each]
    large = sizes >= LEAST_SYMBOLS
    scored = rows.take(pa.array(starts[large])).append_column("rps", pa.array(losses[large]))
    return scored.select(RANK_SCORES.schema.names).cast(RANK_SCORES.schema)


def quantiles_of(forecasts: pa.Table) -> Grid:
    """The quantiles of each forecast; (n, 9) at LEVELS."""
    return np.column_stack([forecasts[name].to_numpy() for name in QUANTILES])


def crps(quantiles: Grid, realised: Grid) -> Grid:
    """Continuous ranked probability score of each forecast (n,), in log return, from its quantiles (n, 9) at LEVELS.

    CRPS = 2 x the integral over the levels of the pinball loss (Laio & Tamea 2007, eq. 9; Gneiting & Ranjan 2011),
    here by the trapezoid rule. Nine levels understate a true normal's mean CRPS by about 3 %. A sum of pinball losses
    is proper with any weights that are not negative.
    """
    error = realised[:, None] - quantiles  # (n, 9)
    pinball = np.maximum(_levels * error, (_levels - 1) * error)
    score_of_each: Grid = 2 * (pinball * WEIGHTS).sum(axis=1)
    return score_of_each


def fissler_ziegel(value_at_risk: Grid, shortfall: Grid, realised: Grid, level: float) -> Grid:
    """FZ0 loss of a value at risk and an expected shortfall at `level`, each of any shape; losses are negative.

    Patton, Ziegel & Chen (2019), "Dynamic Semiparametric Models for Expected Shortfall", eq. 6: of the losses that are
    least for the true pair (Fissler & Ziegel 2016), the one whose differences do not depend on the unit of the returns.
    It may be negative, and a smaller one is better. NaN where one of the three is; raises ValueError unless both
    forecasts are losses.

    >>> fissler_ziegel(np.full(2, -0.02), np.full(2, -0.03), np.array([0.01, -0.05]), 0.025).round(4).tolist()
    [-3.8399, 36.1601]
    """
    if not ((value_at_risk < 0) & (shortfall < 0) | np.isnan(value_at_risk) | np.isnan(shortfall)).all():
        raise ValueError("A value at risk or a shortfall is not below 0, so it has no FZ0 loss: leave its row out.")
    beyond = np.maximum(value_at_risk - realised, 0.0)
    loss: Grid = -beyond / (level * shortfall) + value_at_risk / shortfall + np.log(-shortfall) - 1
    return loss


def ranked_probability_score(chances: Grid, quintile: Quintiles) -> Grid:
    """RPS of each forecast (n,): `chances` (n, 5) of each quintile, lowest first; `quintile` (n,) is 1 to 5.

    The mean over the five classes of (F - O) squared, F and O the cumulative forecast and outcome (Epstein 1969; Murphy
    1971), divided by 5 as in the M6 competition: 0 is perfect, 0.8 the worst, and 0.2 in each gives 0.16 on average
    over the quintiles. A row with a NaN chance is NaN. Raises ValueError for a quintile outside 1 to 5.

    >>> ranked_probability_score(np.full((5, 5), 0.2), np.arange(1, 6)).round(2).tolist()
    [0.24, 0.12, 0.08, 0.12, 0.24]
    """
    if not np.isin(quintile, _quintiles).all():
        raise ValueError(f"The quintiles of realised returns must be 1 to 5, but they are {np.unique(quintile)}.")
    reached = quintile[:, None] <= _quintiles
    score_of_each: Grid = ((chances.cumsum(axis=1) - reached) ** 2).mean(axis=1)
    return score_of_each
