"""Rank forecasts at a range of origins, as rows: the joint simulation beside the baseline of a fifth in each."""

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.models.forecasters.catalogue import JOINT
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.models.forecasters.ranking import FIFTHS, fifth_chances
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days, Mask, to_rows

COLUMNS = ("p_q1", "p_q2", "p_q3", "p_q4", "p_q5")


def rank_rows(known: History, market: Market, origins: Days) -> pa.Table:
    """Rows of `ranks` for every symbol that has a bar at the origin and a past; an origin with fewer than 5 has none.

    `known` ends at the last origin or later; the rows of an origin depend on nothing after it.
    """
    tables = []
    for horizon, chances in fifth_chances(known, known.position_of(origins)).items():
        said: Mask = np.isfinite(chances[..., 0])
        targets = market.session_after(origins, horizon)
        for model, values in ((BASELINE, np.full_like(chances, 1 / FIFTHS)), (JOINT, chances)):
            grids = {name: values[..., place] for place, name in enumerate(COLUMNS)}
            rows = to_rows(market.symbols, origins, grids, said, day="origin")
            place = np.searchsorted(origins, rows["origin"].to_numpy().astype("datetime64[D]"))
            named = {
                "horizon": pa.repeat(pa.scalar(horizon, pa.int32()), rows.num_rows),
                "target_session": pa.array(targets[place], pa.date32()),
                "model": pa.repeat(pa.scalar(model), rows.num_rows),
            }
            for name, column in named.items():
                rows = rows.append_column(name, column)
            tables.append(rows)
    return pa.concat_tables(tables)
