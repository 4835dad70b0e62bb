"""The view of price levels, over tables shaped as in the mart: levels are on the scale of adj_close, whatever it is."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, to_rows
from market_pipeline.storage.tables.indicators import INDICATOR_VALUES
from market_pipeline.storage.tables.mart import INDICATOR_LEVELS

SESSIONS = 300
DAYS = np.datetime64("2021-01-04") + np.arange(SESSIONS)
SCALE = 3.7
"""From the forward-adjusted closes that indicators see to the backward-adjusted ones of the mart."""


def walk() -> History:
    draw = np.random.default_rng(5)
    close = 20 * np.exp(np.cumsum(draw.normal(0, 0.02, (1, SESSIONS)), axis=1))
    return History(("ONE",), DAYS, close, close * 1.01, close * 0.98, close, np.full(close.shape, 1e6))


def levels_of(history: History) -> dict[str, Grid]:
    market = pa.array(["test"] * SESSIONS)
    with duckdb.connect() as connection:
        for statement in INDICATOR_VALUES.ddl():
            connection.execute(statement)
        rows = to_rows(history.symbols, DAYS, compute_indicators(history), history.present)
        connection.register("arriving", rows.append_column("market", market))
        connection.execute("insert into indicators by name from arriving")
        closes = to_rows(history.symbols, DAYS, {"adj_close": history.close * SCALE}, history.present)
        connection.register("closes", closes.append_column("market", market))
        connection.execute("create table prices as from closes")
        for statement in INDICATOR_LEVELS.ddl():
            connection.execute(statement)
        found = connection.execute("from indicator_levels order by session").to_arrow_table()
    return {name: found[name].to_numpy().astype(float) for name in found.column_names[3:]}


@pytest.fixture(scope="module")
def levels() -> dict[str, Grid]:
    return levels_of(walk())


C = walk().close[0] * SCALE
"""Closes on the scale of adj_close; the truths below follow from their definitions alone."""


def exponential(length: int) -> float:
    value = C[:length].mean()
    for close in C[length:]:
        value += (close - value) * 2 / (length + 1)
    return float(value)


def average_true_range() -> float:
    ranges = np.maximum(C[1:] * 1.01, C[:-1]) - np.minimum(C[1:] * 0.98, C[:-1])
    value = ranges[:14].mean()
    for spread in ranges[14:]:
        value = (value * 13 + spread) / 14
    return float(value)


TRUTHS = {
    "adj_close": C[-1],
    "sma_20": C[-20:].mean(),
    "sma_50": C[-50:].mean(),
    "sma_200": C[-200:].mean(),
    "ema_12": exponential(12),
    "ema_26": exponential(26),
    "bollinger_upper": C[-20:].mean() + 2 * C[-20:].std(),
    "bollinger_lower": C[-20:].mean() - 2 * C[-20:].std(),
    "atr_14": average_true_range(),
    "highest_252": C[-252:].max(),
    "lowest_252": C[-252:].min(),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_a_level_equals_its_definition_in_price_units(name: str, levels: dict[str, Grid]) -> None:
    assert levels[name][-1] == pytest.approx(TRUTHS[name], rel=1e-9)


def test_every_level_has_a_truth_and_is_missing_during_its_lookback(levels: dict[str, Grid]) -> None:
    assert list(levels) == list(TRUTHS)
    assert all(np.isnan(levels[name][0]) for name in TRUTHS if name != "adj_close")
    assert not np.isnan(levels["adj_close"]).any()
