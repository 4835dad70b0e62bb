"""Tests of a market's tails: those of each symbol's exceedances, combined to one number.

Symbols fall together, so their tests are not independent: twice the median of p-values is a p-value however they depend
(Rüger 1978; Vovk & Wang 2020, "Combining p-values via averaging"). Knows outcomes of forecasts; no database.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.scores.tail_tests import (
    christoffersen,
    christoffersen_independence,
    dynamic_quantile,
    kupiec,
    shortfall_test,
    traffic_light,
)
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.scores import TESTS

LEVEL = 0.025
"""Of the question `tail`, and of all tests but the traffic light."""

LEAST = 100
"""Outcomes of a symbol below which nothing is tested: two to three exceedances are expected in them."""

NEWEST = 1000
"""Outcomes of a symbol that are tested, from the newest back."""

LIGHT, LIGHT_LEVEL = 250, 0.01
"""Outcomes and level of the traffic light (Basel Committee 1996)."""

SYMBOLS = 200
"""Of a larger market, as many symbols are tested, spread evenly over their names: more would not move the median."""

Test: TypeAlias = Callable[[pd.DataFrame], float]

_TESTS: Mapping[str, Test] = {
    "kupiec": lambda one: kupiec(one["exceeded_025"].to_numpy(bool), LEVEL),
    "christoffersen_independence": lambda one: christoffersen_independence(one["exceeded_025"].to_numpy(bool)),
    "christoffersen": lambda one: christoffersen(one["exceeded_025"].to_numpy(bool), LEVEL),
    "dynamic_quantile": lambda one: dynamic_quantile(
        one["exceeded_025"].to_numpy(bool), one["var_025"].to_numpy(), LEVEL
    ),
    "shortfall": lambda one: shortfall_test(*(one[name].to_numpy() for name in ("realised", "var_025", "es_025"))),
}


def origins_apart(sessions: Days, last: np.datetime64, horizon: int) -> Days:
    """The newest origins up to `last` whose forecasts share no session: every `horizon`-th of a market's `sessions`.

    They are counted from the market's first one, so a new session moves none of them.
    """
    return sessions[sessions <= last][::horizon][-NEWEST:]


def exceedance_tests(outcomes: Iterable[pa.Table]) -> pa.Table:
    """Rows of `tests`, from the outcomes of one model and horizon each.

    Columns symbol, origin, horizon, model, realised, var_025, es_025, exceeded_025, exceeded_01; of `origins_apart`.
    """
    rows = [row for table in outcomes if table.num_rows for row in _tests_of(table)]
    return pa.Table.from_pylist(rows, TESTS.schema)


def _tests_of(outcomes: pa.Table) -> Iterator[dict[str, object]]:
    frame = outcomes.to_pandas().sort_values(["symbol", "origin"])
    series = [one.tail(NEWEST) for _, one in frame.groupby("symbol", sort=False) if len(one) >= LEAST]
    series = series[:: -(-len(series) // SYMBOLS)] if series else []
    if not series:
        return
    key = {name: frame[name].iloc[0] for name in ("horizon", "model")}
    shared = {**key, "question": "tail", "n_origins": max(map(len, series))}
    for name, test in _TESTS.items():
        values = [value for one in series if np.isfinite(value := test(one))]
        if values:
            yield {**shared, "test": name, "value": min(1.0, 2 * float(np.median(values)))}
    newest = [known.tail(LIGHT) for one in series if len(known := one.dropna(subset="exceeded_01")) >= LIGHT]
    if newest:
        zones = [traffic_light(one["exceeded_01"].to_numpy(bool), LIGHT_LEVEL) for one in newest]
        value = float(np.mean([zone != "green" for zone in zones]))
        yield {**shared, "n_origins": LIGHT, "test": "traffic_light", "value": value}
