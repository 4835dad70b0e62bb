"""How wrong rank forecasts were, once their target session has closed: one number per origin, horizon and model."""

import numpy as np
import pyarrow as pa

from market_pipeline.models.forecasters.ranking import LEAST_SYMBOLS, fifth_of
from market_pipeline.scores.losses import ranked_probability_score
from market_pipeline.storage.grids import Grid

CHANCES = ["p_q1", "p_q2", "p_q3", "p_q4", "p_q5"]


def score_ranks(due: pa.Table, realised: Grid) -> pa.Table:
    """Rows of `rank_scores`: the mean RPS over the symbols whose realised log return (n,) is known.

    The fifths of what happened are those among these symbols, counted as the forecasts count them.
    """
    frame = due.select(["symbol", "origin", "horizon", "model", *CHANCES]).to_pandas()
    frame["realised"] = realised
    frame = frame[np.isfinite(realised)].sort_values(["horizon", "origin", "model", "symbol"])
    rows = []
    for (horizon, origin, model), group in frame.groupby(["horizon", "origin", "model"], sort=False):
        if len(group) < LEAST_SYMBOLS:
            continue
        fifth = 1 + fifth_of(group["realised"].to_numpy()[:, None])[:, 0]
        loss = float(ranked_probability_score(group[CHANCES].to_numpy(), fifth).mean())
        rows.append({"origin": origin, "horizon": horizon, "model": model, "rps": loss})
    kinds = [("origin", pa.date32()), ("horizon", pa.int32()), ("model", pa.string()), ("rps", pa.float64())]
    return pa.Table.from_pylist(rows, pa.schema(kinds))
