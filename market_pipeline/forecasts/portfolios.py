"""Portfolio forecasts at a range of origins, as rows of three tables."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.holdings import Holding
from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.joint.portfolio_risk import Outlook
from market_pipeline.models.joint.simulation import Found, Wanted, forecast_portfolios
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import HORIZONS, QUANTILES, TAILS_AT
from market_pipeline.storage.tables.portfolios import PORTFOLIO_PARTS, PORTFOLIO_WEIGHTS, PORTFOLIOS


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
        parts = (self.portfolios, self.parts, self.weights)
        return dict(zip((PORTFOLIOS.name, PORTFOLIO_PARTS.name, PORTFOLIO_WEIGHTS.name), parts, strict=True))


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
    targets = {horizon: market.session_after(origins, horizon) for horizon in HORIZONS}
    portfolios, parts, weights, missing = [], [], [], dict[str, set[str]]()
    for place, one in enumerate(found):
        days = {horizon: target[place] for horizon, target in targets.items()}
        portfolios += [_outlooks(one, origins[place], days)] if one.outlooks else []
        parts += _parts(one, origins[place], days)
        weights += _weights(one, origins[place], {holding.name: holding.values for holding in held[place]})
        for name, symbols in one.missing.items():
            missing.setdefault(name, set()).update(symbols)
    empty = PORTFOLIOS.schema.empty_table()
    return PortfolioRows(
        pa.concat_tables([empty, *portfolios]),
        pa.concat_tables([PORTFOLIO_PARTS.schema.empty_table(), *parts]),
        pa.Table.from_pylist(weights, PORTFOLIO_WEIGHTS.schema),
        {name: tuple(sorted(symbols)) for name, symbols in missing.items()},
    )


def _outlooks(found: Found, origin: np.datetime64, targets: Mapping[int, np.datetime64]) -> pa.Table:
    """Every portfolio, model and horizon of an origin that has numbers."""
    names, keys, numbers = [*found.weights], list[dict[str, object]](), []
    for (model, horizon), outlook in found.outlooks.items():
        known = np.isfinite(outlook.mean)
        key = {"origin": origin.item(), "horizon": horizon, "target_session": targets[horizon].item(), "model": model}
        keys += [{"portfolio": name, **key} for name, there in zip(names, known, strict=True) if there]
        numbers.append(_numbers(outlook)[known])
    values = np.concatenate(numbers)
    columns = {name: [key[name] for key in keys] for name in keys[0]} if keys else {}
    arrays = {name: pa.array(column, PORTFOLIOS.schema.field(name).type) for name, column in columns.items()}
    named = zip(PORTFOLIOS.schema.names[len(columns) :], values.T, strict=True)
    return pa.table(
        {**arrays, **{name: pa.array(column, from_pandas=True) for name, column in named}}, PORTFOLIOS.schema
    )


def _numbers(outlook: Outlook) -> np.ndarray:
    """The columns of `portfolios` after its key; (portfolios, columns)."""
    tails = np.stack([outlook.var, outlook.es], axis=2).reshape(len(outlook.var), 2 * len(TAILS_AT))
    found: np.ndarray = np.column_stack([outlook.mean, outlook.quantiles, outlook.p_up, tails])
    assert found.shape[1] == 2 + len(QUANTILES) + 2 * len(TAILS_AT)  # noqa: S101  columns as declared
    return found


def _parts(found: Found, origin: np.datetime64, targets: Mapping[int, np.datetime64]) -> list[pa.Table]:
    """What each symbol adds, of the configured portfolios of an origin."""
    tables = []
    for (model, horizon, name), (added, single) in found.parts.items():
        if not np.isfinite(added).all():
            continue
        same = {
            "portfolio": name, "origin": origin.item(), "horizon": horizon, "target_session": targets[horizon].item(),
            "model": model,
        }  # fmt: skip
        count = len(added)
        schema = PORTFOLIO_PARTS.schema
        columns = {key: pa.repeat(pa.scalar(value, schema.field(key).type), count) for key, value in same.items()}
        columns |= {"symbol": pa.array([*found.weights[name]], pa.string())}
        columns |= {"es_025": pa.array(added), "single_es_025": pa.array(single)}
        tables.append(pa.table(columns, schema))
    return tables


def _weights(found: Found, origin: np.datetime64, values: Mapping[str, Mapping[str, float]]) -> list[dict[str, object]]:
    return [
        {
            "portfolio": name,
            "origin": origin.item(),
            "symbol": symbol,
            "weight": weight,
            "value": values.get(name, {}).get(symbol),
        }
        for name, weights in found.weights.items()
        for symbol, weight in weights.items()
    ]
