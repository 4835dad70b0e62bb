"""Signal backtest, net of costs: the trend of the champion of each time, traded at the next close."""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.prices.history import History
from market_pipeline.scores.signals import trend
from market_pipeline.scores.verdicts import INSUFFICIENT_DATA
from market_pipeline.storage.grids import Grid, to_grids
from market_pipeline.storage.returns import simple_returns
from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS
from market_pipeline.storage.tables.scores import STRATEGIES

EULER = 0.5772156649015329
DELAY = 2
"""Sessions from an origin to the first return that its position earns: it is taken at the next close, so the first
return is the one after."""

TREND_QUESTIONS = ("direction", "return")
"""Questions whose champions have a trend; where both have one, the trend of the last counts."""


def strategies(
    champions: pa.Table, leaderboard: pa.Table, forecasts: pa.Table, history: History, since: dt.date, cost_bps: float
) -> pa.Table:
    """Rows of `strategies`: for each horizon the trend of its champions, each from the session that made it champion.

    `champions` and `leaderboard` are rows of these tables, `forecasts` have symbol, origin, horizon, model, mean and
    p_up of all champions of TREND_QUESTIONS. Returns start at the session `since`. No rows before a model has a verdict
    on one of TREND_QUESTIONS.
    """
    rows = [row for row in leaderboard.to_pylist() if row["question"] in TREND_QUESTIONS]
    tested = [row for row in rows if row["verdict"] != INSUFFICIENT_DATA]
    if not tested:
        return STRATEGIES.schema.empty_table()
    trials = len({(row["horizon"], row["model"]) for row in tested if row["question"] in claims_of(row["model"])})
    inside = history.sessions >= np.datetime64(since)
    returns = simple_returns(session_returns(history))[:, inside]
    per_year = 365.25 * len(history.sessions) / max((history.sessions[-1] - history.sessions[0]).astype(int), 1)
    rows = []
    for horizon in HORIZONS:
        positions = np.zeros_like(returns)
        for model, first, end in trend_periods(champions, horizon):
            chosen = (pc.field("horizon") == horizon) & (pc.field("model") == model)
            found = forecasts.filter(chosen & (pc.field("origin") >= first) & (pc.field("origin") < end))
            position = trend(found["mean"].to_numpy(), found["p_up"].to_numpy())
            found = found.append_column("position", pa.array(position))
            grid = to_grids(found, history.symbols, history.sessions[inside], ("position",), day="origin")["position"]
            positions = np.where(np.isfinite(grid), grid, positions)
        figures = performance(positions, returns, horizon, cost_bps, per_year, trials)
        rows.append({"horizon": horizon, **figures, "cost_bps": float(cost_bps), "trials": trials})
    return pa.Table.from_pylist(rows, STRATEGIES.schema)


def trend_periods(champions: pa.Table, horizon: int) -> Iterator[tuple[str, dt.date, dt.date]]:
    """When models other than the random walk were champions of TREND_QUESTIONS: model, first session, session after.

    In order of questions: where periods overlap, the later one counts. The random walk has no trend.
    """
    for question in TREND_QUESTIONS:
        chosen = champions.filter((pc.field("horizon") == horizon) & (pc.field("question") == question))
        rows = chosen.sort_by("since").to_pylist()
        for row, following in zip_longest(rows, rows[1:]):
            if row["model"] != BASELINE:
                yield row["model"], row["since"], following["since"] if following else dt.date.max


def performance(
    positions: Grid, returns: Grid, horizon: int, cost_bps: float, per_year: float, trials: int
) -> Mapping[str, float]:
    """The figures of `strategies` when each origin's positions are held for `horizon` sessions.

    `positions` and simple `returns` are (symbols, sessions); positions -1, 0 or 1 by origin, NaN without a forecast; a
    return belongs to the session at whose close it ends, NaN without a bar. Each origin's positions get one part in
    `horizon` of the capital, spread equally over the symbols that have a bar. `cost_bps` are paid on each unit of
    capital traded. `per_year` are sessions of a year, `trials` the strategies that were tried. The Sharpe ratio of a
    strategy that never trades is 0.
    """
    traded = np.isfinite(returns)
    count = np.maximum(traded.sum(axis=0), 1)
    targets = np.nan_to_num(positions.astype(np.float64))
    held = np.zeros_like(targets)
    for age in range(horizon):
        delay = DELAY + age
        held[:, delay:] += targets[:, : targets.shape[1] - delay] / horizon
    weights = np.where(traded, held, 0.0) / count
    change = np.abs(np.diff(weights, axis=1, prepend=0.0)).sum(axis=0)
    net = np.nansum(weights * np.nan_to_num(returns), axis=0) - change * cost_bps / 1e4
    market = np.nansum(np.nan_to_num(returns), axis=0) / count
    years = len(net) / per_year
    wealth = np.cumprod(1 + net)
    return {
        "sessions": len(net),
        "net_return": float(wealth[-1] ** (1 / years) - 1),
        "buy_and_hold": float(np.prod(1 + market) ** (1 / years) - 1),
        "sharpe": float(_ratio(net) * np.sqrt(per_year)),
        "deflated_sharpe": deflated_sharpe(net, trials),
        "max_drawdown": float((1 - wealth / np.maximum.accumulate(np.maximum(wealth, 1.0))).max()),
        "turnover": float(change.sum() / years),
        "exposure": float(np.abs(weights).sum(axis=0).mean()),
    }


def deflated_sharpe(returns: Grid, trials: int) -> float:
    """Probability that the true Sharpe ratio of `returns` (sessions,) exceeds what the best of `trials` has by luck.

    Bailey & López de Prado (2014), "The Deflated Sharpe Ratio", eq. 1 and 2; the ratios of the trials are taken to
    spread as estimates of a true 0 do, by 1 / (T - 1). One half for a strategy that never trades.
    """
    from scipy.stats import kurtosis, norm, skew

    count, ratio = len(returns), _ratio(returns)
    if not returns.any():
        return 0.5
    luck = 0.0
    if trials > 1:
        tail = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * np.e))
        luck = float(((1 - EULER) * tail[0] + EULER * tail[1]) / np.sqrt(count - 1))
    spread = 1 - skew(returns) * ratio + (kurtosis(returns, fisher=False) - 1) / 4 * ratio**2
    return float(norm.cdf((ratio - luck) * np.sqrt(count - 1) / np.sqrt(max(spread, 1e-12))))


def _ratio(returns: Grid) -> float:
    """Mean over standard deviation; 0 when they do not vary."""
    spread = float(returns.std())
    return float(returns.mean()) / spread if spread > 0 else 0.0
