"""How many outcomes fell between which quantiles of their forecasts: the probability integral transform, counted."""

import numpy as np
import pyarrow as pa

from market_pipeline.scores.losses import quantiles_of
from market_pipeline.storage.tables.forecasts import LEVELS
from market_pipeline.storage.tables.scores import PIECES, PIT

EXPECTED_SHARES = np.diff([0.0, *LEVELS, 1.0])
"""The share of outcomes that each of PIECES should contain (Dawid 1984)."""


def pit_counts(forecasts: pa.Table) -> pa.Table:
    """Rows of `pit`: for each target session, horizon and model, how many outcomes fell into each of PIECES.

    `forecasts` have their log return as `realised`.
    """
    piece = (forecasts["realised"].to_numpy()[:, None] > quantiles_of(forecasts)).sum(axis=1)
    keys = list(PIT.key)
    rows = forecasts.select(keys)
    for place, name in enumerate(PIECES):
        rows = rows.append_column(name, pa.array((piece == place).astype(np.int32)))
    counts = rows.group_by(keys).aggregate([(name, "sum") for name in PIECES])
    return counts.rename_columns([*keys, *PIECES]).sort_by([(key, "ascending") for key in keys])
