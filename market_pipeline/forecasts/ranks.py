"""Rank forecasts at a range of origins, as rows: the joint simulation beside the baseline of equal chances."""

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.rows import keyed_rows
from market_pipeline.models.forecasters.catalogue import JOINT
from market_pipeline.models.forecasters.ranking import quintile_chances
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import BASELINE, CHANCES


def rank_rows(known: History, market: Market, origins: Days) -> pa.Table:
    """Rows of `ranks` for every symbol that has a bar at the origin and a past; an origin with fewer than 5 has none.

    `known` ends at the last origin or later; the rows of an origin depend on nothing after it.
    """
    tables = []
    for horizon, joint in quintile_chances(known, known.position_of(origins)).items():
        for model, chances in ((BASELINE, np.full_like(joint, 1 / len(CHANCES))), (JOINT, joint)):
            grids = {name: chances[..., place] for place, name in enumerate(CHANCES)}
            tables.append(keyed_rows(market, origins, horizon, model, grids, np.isfinite(joint[..., 0])))
    return pa.concat_tables(tables)
