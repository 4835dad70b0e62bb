"""Rows of files as bars: in order, with the dividends and splits that they state or imply, on the scale of their day.

Knows what the rows of files mean; no file, no market.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.sources.file_heads import EVENTS, EXTRAS
from market_pipeline.sources.protocol import BAR_COLUMNS
from market_pipeline.sources.split_adjustment import as_traded, without_empty_rows

NOISE = 1e-6
"""Relative change of adj_close / close that is rounding, not a dividend."""


def bars_of(rows: pa.Table) -> pd.DataFrame:
    """Rows of any files as bars in BAR_COLUMNS, with the place of a symbol instead of its name.

    Rows with one of EXTRAS have to be all that there are of their symbols.
    """
    rows = _in_order(rows.combine_chunks())
    symbol, day = rows["symbol"].to_numpy(), rows["session"].to_numpy()
    missing = {name: rows[name].is_null().to_numpy() for name in EVENTS if name in rows.column_names}
    bars = rows.drop_columns("session").to_pandas(split_blocks=True)
    bars.insert(1, "session", day.astype("datetime64[D]").astype("datetime64[s]"))
    bars["split_ratio"] = (
        np.where(missing["splits"] | (bars["splits"] == 0), 1.0, bars["splits"]) if "splits" in missing else 1.0
    )
    bars["stated"] = ~missing["dividends"] if "dividends" in missing else False
    if ((symbol[1:] == symbol[:-1]) & (day[1:] == day[:-1])).any():
        # Rows that contradict each other have no order of their own.
        bars = bars.drop_duplicates().sort_values([*bars.columns], ignore_index=True)
    bars["dividend"] = np.where(bars["stated"], bars.get("dividends", 0.0), implied_dividends(bars))
    bars = without_empty_rows(bars[list(BAR_COLUMNS)])
    splits = bars.loc[(bars["split_ratio"] > 0) & (bars["split_ratio"] != 1), ["symbol", "session", "split_ratio"]]
    return as_traded(bars, splits)


def _in_order(rows: pa.Table) -> pa.Table:
    """The rows by symbol and session, or by session and symbol if they come so and no row affects another."""
    symbol, day = rows["symbol"].to_numpy(), rows["session"].to_numpy()
    if _ordered(symbol, day) or (_ordered(day, symbol) and not {*EXTRAS} & {*rows.column_names}):
        return rows
    low = symbol - symbol.min()
    order = np.argsort(low.astype(np.uint16) if low.max() < 1 << 16 else low, kind="stable")
    if not _ordered(symbol[order], day[order]):
        order = np.lexsort((day, symbol))
    return rows.take(pa.array(order))


def _ordered(by: np.ndarray, then: np.ndarray) -> bool:
    later = (by[1:] > by[:-1]) | ((by[1:] == by[:-1]) & (then[1:] >= then[:-1]))
    return bool(later.all())


def implied_dividends(bars: pd.DataFrame) -> np.ndarray:
    """The dividends that adj_close implies, for bars sorted by symbol and session; 0 without adj_close.

    Backwards adjustment multiplies the past by 1 - dividend / last close, so where adj_close / close steps up by more
    than NOISE, dividend = (1 - factor before / factor after) x the close before.
    """
    dividend = np.zeros(len(bars))
    if "adj_close" not in bars:
        return dividend
    priced = (bars["close"].notna() & bars["adj_close"].notna()).to_numpy()
    known = bars[priced]
    factor = (known["adj_close"] / known["close"]).to_numpy()
    before = np.concatenate([[np.nan], factor])[: len(factor)]
    same = (known["symbol"] == known["symbol"].shift()).to_numpy()
    share = np.where(same, 1 - before / factor, 0.0)
    dividend[priced] = np.where(share > NOISE, share * known["close"].shift().to_numpy(), 0.0)
    return dividend
