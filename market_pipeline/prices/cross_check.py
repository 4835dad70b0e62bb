"""Closes of the same sessions from two sources, compared."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.storage.tables.prices import BARS, DISAGREEMENTS


def disagreements(
    stored: pa.Table, other: pd.DataFrame, tolerance: float, exchange: str, now: dt.datetime
) -> tuple[pa.Table, int]:
    """The sessions where both have a close and these differ by more than `tolerance`, and how many both have.

    `stored` has symbol, session and close, as traded; `other` has these in BAR_COLUMNS. `tolerance` is a share of
    the stored close. A close that is no positive number counts as absent: the reference source is never validated.
    """
    key = list(BARS.key)
    closes = stored.to_pandas(date_as_object=False).astype({"session": "datetime64[s]"})
    reference = other.rename(columns={"close": "other_close"})[[*key, "other_close"]]
    reference = reference[reference["other_close"] > 0].drop_duplicates(key, keep=False)
    both = closes.merge(reference, on=key, validate="one_to_one")
    both["difference"] = both["other_close"] / both["close"] - 1
    apart = both[np.abs(both["difference"]) > tolerance]
    apart = apart.assign(exchange=exchange, fetched_at=now.replace(tzinfo=None))
    return pa.Table.from_pandas(apart, DISAGREEMENTS.schema, preserve_index=False), len(both)
