"""Tests of a market's tails: those of each symbol's exceedances, combined to one number.

Symbols fall together, so their tests are not independent: twice the median of p-values is a p-value however they depend
(Rüger 1978; Vovk & Wang 2020, "Combining p-values via averaging"). Knows outcomes of forecasts; no database.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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

Outcomes: TypeAlias = Mapping[str, np.ndarray]
"""Columns of one symbol's outcomes, in order of origin."""

Test: TypeAlias = Callable[[Outcomes], float]

_TESTS: Mapping[str, Test] = {
    "kupiec": lambda one: kupiec(one["exceeded_025"], LEVEL),
    "christoffersen_independence": lambda one: christoffersen_independence(one["exceeded_025"]),
    "christoffersen": lambda one: christoffersen(one["exceeded_025"], LEVEL),
    "dynamic_quantile": lambda one: dynamic_quantile(one["exceeded_025"], one["var_025"], LEVEL),
    "shortfall": lambda one: shortfall_test(one["realised"], one["var_025"], one["es_025"]),
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
    series = _by_symbol(outcomes)
    if not series:
        return
    key = {name: outcomes[name][0].as_py() for name in ("horizon", "model")}
    shared = {**key, "question": "tail", "n_origins": max(len(one["realised"]) for one in series)}
    for name, test in _TESTS.items():
        values = [value for one in series if np.isfinite(value := test(one))]
        if values:
            yield {**shared, "test": name, "value": min(1.0, 2 * float(np.median(values)))}
    newest = [known[-LIGHT:] for one in series if len(known := one["exceeded_01"][one["known_01"]]) >= LIGHT]
    if newest:
        value = float(np.mean([traffic_light(exceeded, LIGHT_LEVEL) != "green" for exceeded in newest]))
        yield {**shared, "n_origins": LIGHT, "test": "traffic_light", "value": value}


def _by_symbol(outcomes: pa.Table) -> list[Outcomes]:
    """The outcomes of at most SYMBOLS symbols, by name; `known_01` is where `exceeded_01` has a value."""
    encoded = outcomes["symbol"].combine_chunks().dictionary_encode()
    place = np.argsort(np.argsort(encoded.dictionary.to_numpy(zero_copy_only=False)))[encoded.indices.to_numpy()]
    order = np.lexsort((outcomes["origin"].to_numpy(), place))
    columns = {name: outcomes[name].to_numpy() for name in ("realised", "var_025", "es_025")}
    columns |= {name: pc.fill_null(outcomes[name], False).to_numpy() for name in ("exceeded_025", "exceeded_01")}
    columns["known_01"] = outcomes["exceeded_01"].is_valid().to_numpy()
    ends = np.flatnonzero(np.diff(place[order], append=-1)) + 1
    rows = [
        order[max(start, end - NEWEST) : end]
        for start, end in pairwise([0, *ends.tolist()])
        if end - start >= LEAST
    ]  # fmt: skip
    return [
        {name: values[some] for name, values in columns.items()} for some in rows[:: max(1, -(-len(rows) // SYMBOLS))]
    ]
