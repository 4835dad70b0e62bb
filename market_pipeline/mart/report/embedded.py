"""Data that the report's scripts read, as columns of rounded numbers: forecasts, closes, past ranges, records, doubts.

Knows the mart's rows and what page/*.js reads.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.mart.report.forecasts import SelectedModel
from market_pipeline.mart.report.queries import COMPARED_SESSIONS, PLOTTED_QUANTILES, TAIL
from market_pipeline.mart.report.rows import Rows
from market_pipeline.mart.report.sentences import VERDICT_MARKS, of_doubts, of_selected, verdict_label
from market_pipeline.storage.grids import Days, Grid, to_grids
from market_pipeline.storage.tables.scores import TRENDS

DIGITS = 6
"""Significant digits of a price: finer than a screen, and shorter than a double."""

PARTS = 10_000
"""A past range is in whole parts of the close: finer than a pixel of the chart."""


def data_of(
    name: str, rows: Mapping[str, Rows], selected: Sequence[SelectedModel], closes: pa.Table, past: pa.Table
) -> dict[str, Any]:
    """One market's part of the data.

    `rows` are those of QUERIES, `closes` has symbol, session and adj_close of the newest sessions, `past` the rows of
    PAST. In the result `sessions` (n,) are ISO dates, and what is by symbol is in the order of `symbols`: `closes`
    (n,) with null for no bar, [] for a symbol without any; `reasons` and `doubts` have the symbol's place as key.
    """
    symbols = tuple(row["symbol"] for row in rows["symbols"])
    sessions = np.unique(closes["session"].to_numpy().astype("datetime64[D]"))
    grid = to_grids(closes, symbols, sessions, ("adj_close",))["adj_close"]
    place = {symbol: at for at, symbol in enumerate(symbols)}
    return {
        "name": name,
        "sessions": [str(session) for session in sessions],
        "symbols": list(symbols),
        "closes": lines([[rounded(close) for close in line] for line in grid.tolist()]),
        "reasons": {place[row["symbol"]]: row["no_forecast"] for row in rows["symbols"] if row["no_forecast"]},
        "forecasts": [forecast_of(group, place) | record_of(group, rows["records"], place) for group in selected],
        "past": [past_of(group.horizon, past, symbols, sessions) for group in selected],
        "doubts": doubts_of(rows, place),
    }


def forecast_of(selected: SelectedModel, place: Mapping[str, int]) -> dict[str, Any]:
    """The signals of one model: returns are simple ones, `quantiles` prices, and changes are since the last publish.

    `at` has the places of the symbols, and every list is in its order; null where the mart has no value.
    """
    rows = selected.signals
    return {
        "horizon": selected.horizon,
        "origin": str(selected.as_of),
        "target": next((str(row["target_session"]) for row in rows if row["target_session"]), None),
        "model": selected.model,
        "verdict": f"{VERDICT_MARKS[selected.verdict]} {verdict_label(selected.verdict, selected.questions)}",
        "sentence": of_selected(selected.model, selected.verdict, selected.questions),
        "directional": selected.directional,
        "at": [place[row["symbol"]] for row in rows],
        "trend": [1 - TRENDS.index(row["trend"]) for row in rows],
        "p_up": [share(row["p_up"]) for row in rows],
        "price": [rounded(row["origin_price"]) for row in rows],
        "quantiles": [[rounded(row[name]) for name in PLOTTED_QUANTILES] for row in rows],
        **{name: [share(row[column]) for row in rows] for name, column in _COPIED.items()},
        "expected_change": [share(_less(row["expected_return"], row["earlier_expected"])) for row in rows],
        "width_change": [
            share(_less(row["high_80"] - row["low_80"], _less(row["earlier_high"], row["earlier_low"]))) for row in rows
        ],
    }


_COPIED = {"expected": "expected_return", "low": "low_80", "high": "high_80", "moved": "moved"} | {
    name: name for name in TAIL
}


def record_of(selected: SelectedModel, records: Rows, place: Mapping[str, int]) -> dict[str, Any]:
    """How the model of a horizon did on each symbol, as `record`: place, scored, inside the 80 % range, skill."""
    return {
        "record": {
            place[row["symbol"]]: [row["scored"], row["held"], share(row["skill"])]
            for row in records
            if row["horizon"] == selected.horizon and row["symbol"] in place
        }
    }


def past_of(horizon: int, past: pa.Table, symbols: Sequence[str], sessions: Days) -> dict[str, Any]:
    """The ranges that were forecast for the newest sessions, `low` and `high` a list by symbol.

    Whole parts of the close that came, less that close: -250 is 2.5 % below it, and it lay inside if the signs differ.
    """
    of_horizon = past.filter(pc.field("horizon") == horizon)
    newest = sessions[-COMPARED_SESSIONS:]
    grids = to_grids(of_horizon, symbols, newest, ("low", "high"))
    return {"horizon": horizon} | {side: lines(_parts(grid)) for side, grid in grids.items()}


def doubts_of(rows: Mapping[str, Rows], place: Mapping[str, int]) -> dict[int, list[str]]:
    """What is doubtful in the data of each symbol, in sentences; symbols without doubts are left out."""
    by_symbol = {
        kind: {row["symbol"]: row for row in rows[kind]}
        for kind in ("symbols", "quarantine_by_symbol", "restatements_by_symbol")
    }
    found = {at: of_doubts(*(table.get(symbol) for table in by_symbol.values())) for symbol, at in place.items()}
    return {at: sentences for at, sentences in found.items() if sentences}


def lines(grid: Iterable[list[float | int | None]]) -> list[list[float | int | None]]:
    """The lines of a grid, and an empty one for one of nulls.

    >>> lines([[1, None], [None, None]])
    [[1, None], []]
    """
    return [line if any(value is not None for value in line) else [] for line in grid]


def rounded(value: float | None) -> float | int | None:
    """To DIGITS significant digits; None for none and NaN.

    >>> rounded(103412.43), rounded(0.0712345678), rounded(float("nan"))
    (103412, 0.0712346, None)
    """
    if value is None or not math.isfinite(value):
        return None
    number = float(f"{value:.{DIGITS}g}")
    return int(number) if number.is_integer() else number


def share(value: float | None) -> float | int | None:
    """A fraction to five decimals, a thousandth of a per cent; None for none and NaN.

    >>> share(0.123456789), share(-0.000001), share(None)
    (0.12346, 0, None)
    """
    if value is None or not math.isfinite(value):
        return None
    number = round(value, 5) or 0.0
    return int(number) if number.is_integer() else number


def _less(after: float, before: float | None) -> float | None:
    return None if before is None else after - before


def _parts(grid: Grid) -> list[list[float | int | None]]:
    return [[None if math.isnan(value) else int(value) for value in line] for line in np.round(grid * PARTS).tolist()]
