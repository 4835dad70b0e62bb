"""Data of the interactive chart, as columns of rounded numbers: closes of each symbol and its forecast ranges.

Knows the mart's rows and what page/chart.js reads.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from market_pipeline.mart.report.forecasts import SelectedModel
from market_pipeline.mart.report.queries import PLOTTED_QUANTILES
from market_pipeline.mart.report.sentences import VERDICT_MARKS, verdict_label
from market_pipeline.storage.grids import to_grids

DIGITS = 6
"""Significant digits of a price: finer than a screen, and shorter than a double."""


def chart_of(closes: pa.Table, selected: Sequence[SelectedModel], symbols: tuple[str, ...]) -> dict[str, Any]:
    """One market's part of the chart.

    `closes` has symbol, session and adj_close of the newest sessions. In the result `sessions` (n,) are ISO dates,
    `closes` a list (n,) for each of `symbols`, null without a bar, and `forecasts` one entry for each selected model.
    """
    sessions = np.unique(closes["session"].to_numpy().astype("datetime64[D]"))
    grid = to_grids(closes, symbols, sessions, ("adj_close",))["adj_close"]
    forecasts = [_forecast(group, symbols) for group in selected]
    return {
        "sessions": [str(session) for session in sessions],
        "symbols": list(symbols),
        "closes": [[rounded(close) for close in line] for line in grid.tolist()],
        "forecasts": [forecast for forecast in forecasts if forecast["symbols"]],
    }


def _forecast(selected: SelectedModel, symbols: tuple[str, ...]) -> dict[str, Any]:
    """The ranges of one model, without those whose origin has no price.

    `symbols` are positions among the market's; `prices` at the origin, `quantiles` and `p_up` are in their order.
    """
    position = {symbol: place for place, symbol in enumerate(symbols)}
    rows = [row for row in selected.signals if row["origin_price"] is not None]
    return {
        "horizon": selected.horizon,
        "origin": str(selected.as_of),
        "target": str(rows[0]["target_session"]) if rows else None,
        "model": selected.model,
        "verdict": f"{VERDICT_MARKS[selected.verdict]} {verdict_label(selected.verdict, selected.questions)}",
        "directional": selected.directional,
        "symbols": [position[row["symbol"]] for row in rows],
        "prices": [rounded(row["origin_price"]) for row in rows],
        "quantiles": [[rounded(row[name]) for name in PLOTTED_QUANTILES] for row in rows],
        "p_up": [round(row["p_up"], 3) for row in rows],
    }


def rounded(value: float) -> float | int | None:
    """To DIGITS significant digits; None for NaN.

    >>> rounded(103412.43), rounded(0.0712345678), rounded(float("nan"))
    (103412, 0.0712346, None)
    """
    if not math.isfinite(value):
        return None
    number = float(f"{value:.{DIGITS}g}")
    return int(number) if number.is_integer() else number
