"""What happened to each forecast. Knows forecasts and bars; no loss, no model."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.models.features.returns import realised_returns
from market_pipeline.prices.history import History


def with_outcomes(forecasts: pa.Table, history: History) -> pa.Table:
    """The forecasts whose origin and target session have bars, with the log return between them as `realised`.

    `forecasts` are rows of `forecasts` or `ranks`; their order stays. `history` reaches the last target session.
    """
    symbol = pc.index_in(forecasts["symbol"], pa.array(history.symbols, pa.string())).fill_null(-1).to_numpy()
    origin, target = (forecasts[name].to_numpy().astype("datetime64[D]") for name in ("origin", "target_session"))
    realised = np.where(symbol >= 0, realised_returns(history, symbol, origin, target), np.nan)
    return forecasts.append_column("realised", pa.array(realised)).filter(pa.array(np.isfinite(realised)))
