"""Two sources' closes of the same sessions, held against each other."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa


def disagreements(
    stored: pa.Table, other: pd.DataFrame, tolerance: float, exchange: str, now: dt.datetime
) -> tuple[pa.Table, int]:
    """The sessions where both have a close and these differ by more than `tolerance`, and how many both have.

    `stored` has symbol, session and close, as traded; `other` has these in BAR_COLUMNS. `tolerance` is a share of
    the stored close. A close that is no positive number counts as absent: the second source is only a witness.
    """
    held = stored.to_pandas(date_as_object=False).astype({"session": "datetime64[s]"})
    said = other.rename(columns={"close": "other_close"})[["symbol", "session", "other_close"]]
    said = said[said["other_close"] > 0].drop_duplicates(["symbol", "session"], keep=False)
    both = held.merge(said, on=["symbol", "session"], validate="one_to_one")
    both["difference"] = both["other_close"] / both["close"] - 1
    apart = both[np.abs(both["difference"]) > tolerance]
    rows = pa.table(
        {
            "symbol": pa.array(apart["symbol"], pa.string()),
            "session": pa.array(apart["session"].to_numpy().astype("datetime64[D]"), pa.date32()),
            **{name: pa.array(apart[name], pa.float64()) for name in ("close", "other_close", "difference")},
            "exchange": pa.repeat(pa.scalar(exchange), len(apart)),
            "fetched_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), len(apart)),
        }
    )
    return rows, len(both)
