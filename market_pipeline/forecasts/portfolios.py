"""Portfolio forecasts at a range of origins, as rows of three tables."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.holdings import Holding
from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.joint.held import Wanted
from market_pipeline.models.joint.portfolio_risk import Outlook
from market_pipeline.models.joint.simulation import Found, forecast_portfolios
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import HORIZONS, TAILS_AT
from market_pipeline.storage.tables.portfolios import PORTFOLIO_PARTS, PORTFOLIO_WEIGHTS, PORTFOLIOS

TABLES = (PORTFOLIOS.name, PORTFOLIO_PARTS.name, PORTFOLIO_WEIGHTS.name)

KEY = ("portfolio", "origin", "horizon", "target_session", "model")

Of: TypeAlias = tuple[dt.date, int, dt.date, str]
"""The values of KEY after the portfolio."""

Day: TypeAlias = tuple[dt.date, Mapping[int, dt.date]]
"""An origin, and its target session by horizon."""


class PortfolioRows(NamedTuple):
    """What is forecast for portfolios."""

    portfolios: pa.Table
    parts: pa.Table
    weights: pa.Table
    missing: Mapping[str, tuple[str, ...]]
    """By configured portfolio the symbols for which it had no row at some origin."""

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The rows by the names of their tables."""
        return dict(zip(TABLES, (self.portfolios, self.parts, self.weights), strict=True))


def portfolio_rows(
    known: History,
    market: Market,
    origins: Days,
    distributions: Mapping[str, Mapping[int, Distribution]],
    held: Sequence[Sequence[Holding]],
    *,
    unchosen: bool = True,
) -> PortfolioRows:
    """Rows for the configured portfolios in `held`, one list for each origin, and for the `unchosen` ones.

    `known` ends at the last origin or later; the rows of an origin depend on nothing after it. `distributions` are
    those of the single symbols by model and horizon, (symbols, origins). A portfolio of which a symbol has no forecast
    at an origin has no row there, and the symbol is named in `missing`.
    """
    wanted = [[Wanted(one.name, one.weights) for one in at_origin] for at_origin in held]
    found = forecast_portfolios(known, known.position_of(origins), distributions, wanted, unchosen=unchosen)
    targets = {horizon: market.session_after(origins, horizon).tolist() for horizon in HORIZONS}
    days = [(day, {horizon: ends[at] for horizon, ends in targets.items()}) for at, day in enumerate(origins.tolist())]
    missing = dict[str, set[str]]()
    for one in found:
        for name, symbols in one.missing.items():
            missing.setdefault(name, set()).update(symbols)
    return PortfolioRows(
        _outlooks(found, days),
        _parts(found, days),
        _weights(found, days, [{one.name: one.values for one in at_origin} for at_origin in held]),
        {name: tuple(sorted(symbols)) for name, symbols in missing.items()},
    )


def _outlooks(found: Sequence[Found], days: Sequence[Day]) -> pa.Table:
    """Every portfolio, model and horizon of each origin that has numbers."""
    keys, names, numbers = list[Of](), list[np.ndarray](), [np.empty((0, len(PORTFOLIOS.schema) - len(KEY)))]
    for one, (origin, targets) in zip(found, days, strict=True):
        every = np.array([*one.weights], object)
        for (model, horizon), outlook in one.outlooks.items():
            known = np.isfinite(outlook.mean)
            keys.append((origin, horizon, targets[horizon], model))
            names.append(every[known])
            numbers.append(_numbers(outlook)[known])
    schema, values = PORTFOLIOS.schema, np.concatenate(numbers)
    named = zip(schema.names[len(KEY) :], values.T, strict=True)
    columns = {name: pa.array(column, from_pandas=True) for name, column in named}
    portfolios = pa.array([name for some in names for name in some], pa.string())
    return pa.table({"portfolio": portfolios, **_repeated(keys, [*map(len, names)]), **columns}, schema)


def _numbers(outlook: Outlook) -> np.ndarray:
    """The columns of `portfolios` after its key; (portfolios, columns)."""
    tails = np.stack([outlook.var, outlook.es], axis=2).reshape(len(outlook.var), 2 * len(TAILS_AT))
    return np.column_stack([outlook.mean, outlook.quantiles, outlook.p_up, tails])


def _parts(found: Sequence[Found], days: Sequence[Day]) -> pa.Table:
    """What each symbol adds, of the configured portfolios."""
    keys, names, symbols = list[Of](), list[str](), list[pa.Array]()
    added, single = [np.empty(0)], [np.empty(0)]
    for one, (origin, targets) in zip(found, days, strict=True):
        held = {name: pa.array([*one.weights[name]], pa.string()) for name in {name for *_, name in one.parts}}
        for (model, horizon, name), (parts, losses) in one.parts.items():
            keys.append((origin, horizon, targets[horizon], model))
            names.append(name)
            symbols.append(held[name])
            added.append(parts)
            single.append(losses)
    sizes = [len(part) for part in symbols]
    columns = {
        "portfolio": pa.array(names, pa.string()).take(_repeats(sizes)),
        "symbol": pa.chunked_array(symbols, pa.string()),
        "es_025": np.concatenate(added),
        "single_es_025": np.concatenate(single),
    }
    return pa.table(_repeated(keys, sizes) | columns, PORTFOLIO_PARTS.schema)


def _repeated(keys: Sequence[Of], times: Sequence[int]) -> dict[str, pa.Array]:
    """The columns of KEY after the portfolio, each key as many times as it has rows."""
    rows = _repeats(times)
    columns = zip(*keys, strict=True) if keys else ((),) * len(KEY[1:])
    named = zip(KEY[1:], columns, strict=True)
    return {name: pa.array(values, PORTFOLIOS.schema.field(name).type).take(rows) for name, values in named}


def _repeats(times: Sequence[int]) -> pa.Array:
    """The positions in a list of which each value is repeated so many times."""
    return pa.array(np.repeat(np.arange(len(times), dtype=np.int32), times))


def _weights(
    found: Sequence[Found], days: Sequence[Day], values: Sequence[Mapping[str, Mapping[str, float]]]
) -> pa.Table:
    columns: dict[str, list[object]] = {name: [] for name in PORTFOLIO_WEIGHTS.schema.names}
    for one, (origin, _), in_money in zip(found, days, values, strict=True):
        for name, weights in one.weights.items():
            columns["portfolio"] += [name] * len(weights)
            columns["origin"] += [origin] * len(weights)
            columns["symbol"] += weights.keys()
            columns["weight"] += weights.values()
            columns["value"] += map(in_money.get(name, {}).get, weights)
    return pa.table(columns, PORTFOLIO_WEIGHTS.schema)
