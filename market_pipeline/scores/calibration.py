"""Where what happened fell among the quantiles of each forecast: the probability integral transform, counted."""

import numpy as np
import pyarrow as pa

from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS, QUANTILES
from market_pipeline.storage.tables.scores import PIECES

CLAIMED = np.diff([0.0, *LEVELS, 1.0])
"""The share of outcomes that each piece should hold (Dawid 1984)."""


def pit_counts(due: pa.Table, realised: Grid) -> pa.Table:
    """Rows of `pit`: for each target session, horizon and model, how many outcomes fell into each of PIECES.

    `due` are forecasts, `realised` (n,) their log returns; those that are NaN are left out.
    """
    known = np.isfinite(realised)
    due, realised = due.filter(pa.array(known)), realised[known]
    quantiles = np.column_stack([due[name].to_numpy() for name in QUANTILES]).reshape(-1, len(QUANTILES))
    counted = due.select(["target_session", "horizon", "model"])
    piece = (realised[:, None] > quantiles).sum(axis=1)
    for place, name in enumerate(PIECES):
        counted = counted.append_column(name, pa.array((piece == place).astype(np.int32)))
    keys = ["target_session", "horizon", "model"]
    summed = counted.group_by(keys).aggregate([(name, "sum") for name in PIECES])
    renamed = summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
    return renamed.sort_by([(key, "ascending") for key in keys])
