"""What the interactive chart draws, as columns of rounded numbers: closes of each symbol and the ranges ahead.

Knows the mart's rows and the shape that page/chart.js reads; no colour, no word.
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa

from market_pipeline.storage.grids import to_grids

LEVELS = ("q025", "q10", "q25", "q50", "q75", "q90", "q975")

DIGITS = 6
"""Significant ones of a price: finer than a screen, coarser than a double by eleven characters."""


def columns_of(closes: pa.Table, fans: list[dict[str, Any]], symbols: tuple[str, ...]) -> dict[str, Any]:
    """One market's data for the chart.

    `closes` has symbol, session, adj_close of the newest sessions; `fans` are signals with the questions that their
    model has `earned` and their rows of `forecast_prices`, all NULL where the origin has no price: nothing is drawn
    there. `sessions` (n,) are ISO dates; `closes` a list (n,) per symbol, null without a bar; `fans` have one entry per
    horizon, origin, target, model and verdict, with the places of its symbols in `who` and, in that order, the origin's
    price, seven quantiles and the chance of a rise.
    """
    sessions = np.unique(closes["session"].to_numpy().astype("datetime64[D]"))
    grid = to_grids(closes, symbols, sessions, ("adj_close",))["adj_close"]
    place = {symbol: at for at, symbol in enumerate(symbols)}
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in fans:
        if row["origin_price"] is None:
            continue
        key = (row["horizon"], row["origin"], row["target_session"], row["model"], row["verdict"])
        names = ("horizon", "origin", "target", "model", "verdict")
        empty: dict[str, Any] = {"who": [], "now": [], "quantiles": [], "p_up": []}
        group = groups.setdefault(
            key, {**dict(zip(names, map(_plain, key), strict=True)), "earned": row["earned"], **empty}
        )
        group["who"].append(place[row["symbol"]])
        group["now"].append(rounded(row["origin_price"]))
        group["quantiles"].append([rounded(row[level]) for level in LEVELS])
        group["p_up"].append(round(row["p_up"], 3))
    return {
        "sessions": [str(session) for session in sessions],
        "symbols": list(symbols),
        "closes": [[rounded(close) for close in line] for line in grid.tolist()],
        "fans": [groups[key] for key in sorted(groups)],
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


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)
