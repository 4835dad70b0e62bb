"""How good portfolio forecasts were: what was held at the origin, what it returned, and losses by joint model."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.portfolios import RESERVED
from market_pipeline.models.features.returns import realised_returns
from market_pipeline.models.joint.unchosen import MINIMUM_VARIANCE
from market_pipeline.prices.history import History
from market_pipeline.scores.losses import crps, fissler_ziegel, quantiles_of
from market_pipeline.scores.verdicts import comparisons_of
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.returns import simple_returns
from market_pipeline.storage.tables.forecasts import RANGES
from market_pipeline.storage.tables.portfolios import PORTFOLIO_SCORES
from market_pipeline.storage.tables.scores import BASELINES, LOSSES, TESTS

FORECAST = ["portfolio", "origin", "horizon", "target_session"]
"""Columns that name a portfolio's forecast, whichever model made it."""

QUESTION = "portfolio"

DAYS = 1 << 32
"""More than there are days in the calendar."""

LOSS_ROWS = pa.schema(
    [
        ("horizon", pa.int32()),
        ("model", pa.string()),
        ("origin", pa.date32()),
        ("question", pa.string()),
        ("loss", pa.float64()),
        ("baseline_loss", pa.float64()),
    ]
)


def score_portfolios(forecasts: pa.Table, weights: pa.Table, history: History) -> pa.Table:
    """Rows of `portfolio_scores`, one for each of `forecasts` of which every symbol has a bar at both sessions.

    `forecasts` are rows of `portfolios`, `weights` those of `portfolio_weights` of the same origins; `history` reaches
    the last target session.
    """
    realised = _realised(forecasts, weights, history)
    known = np.isfinite(realised)
    scored, realised = forecasts.filter(pa.array(known)), realised[known]
    rows = {name: scored[name].to_numpy() for name in (*RANGES[80], "var_025", "es_025")}
    low, high = (rows[name] for name in RANGES[80])
    tail = [rows[name] for name in ("var_025", "es_025")]
    value_at_risk, shortfall = (np.where((tail[0] < 0) & (tail[1] < 0), part, np.nan) for part in tail)
    fz = fissler_ziegel(value_at_risk, shortfall, realised, 0.025)
    columns = {name: scored[name] for name in PORTFOLIO_SCORES.schema.names if name in scored.column_names}
    columns |= {
        "realised": pa.array(realised),
        "crps": pa.array(crps(quantiles_of(scored), realised)),
        "fz_025": pa.array(fz, from_pandas=True),
        "covered_80": pa.array((low <= realised) & (realised <= high)),
    }
    return pa.table({name: columns[name] for name in PORTFOLIO_SCORES.schema.names}).cast(PORTFOLIO_SCORES.schema)


def _realised(forecasts: pa.Table, weights: pa.Table, history: History) -> Grid:
    """The simple return of what each of `forecasts` held; NaN where a symbol lacks a bar or no weight is known.

    Sums are by portfolio and origin, symbols in the order of their names, so no other row changes a bit.
    """
    names = weights["portfolio"].unique()
    by_name = np.argsort(history.symbols)
    place = pc.index_in(weights["symbol"], pa.array(np.array(history.symbols)[by_name])).fill_null(-1).to_numpy()
    held = _held(weights, names)
    order = np.lexsort((place, held))
    held, symbol = held[order], np.append(by_name, -1)[place[order]]
    weight, origin = weights["weight"].to_numpy()[order], weights["origin"].to_numpy()[order].astype("datetime64[D]")
    group, starts, sizes = np.unique(held, return_index=True, return_counts=True)
    asked, found = _held(forecasts, names), np.full(forecasts.num_rows, np.nan)
    horizon, target = forecasts["horizon"].to_numpy(), forecasts["target_session"].to_numpy().astype("datetime64[D]")
    for one in np.unique(horizon):
        here = np.flatnonzero((horizon == one) & np.isin(asked, group))
        which, first, of_row = np.unique(np.searchsorted(group, asked[here]), return_index=True, return_inverse=True)
        ends = np.cumsum(sizes[which])
        rows = np.repeat(starts[which] - (ends - sizes[which]), sizes[which]) + np.arange(ends[-1] if len(ends) else 0)
        targets = np.repeat(target[here][first], sizes[which])
        returns = simple_returns(realised_returns(history, symbol[rows], origin[rows], targets))
        earned = np.where(symbol[rows] >= 0, weight[rows] * returns, np.nan)
        found[here] = np.add.reduceat(earned, ends - sizes[which])[of_row] if len(ends) else np.nan
    return found


def _held(rows: pa.Table, names: pa.Array) -> np.ndarray:
    """One number for each portfolio and origin, by the place of the portfolio among `names`; -1 for another one."""
    name = pc.index_in(rows["portfolio"], names).fill_null(-1).to_numpy().astype(np.int64)
    day = rows["origin"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(name < 0, -1, name * DAYS + day)


def portfolio_losses(scores: pa.Table) -> pa.Table:
    """The loss of the question `portfolio` beside the baseline's, as `losses_by_question` has those of the others."""
    found = daily_losses(scores, LOSSES[QUESTION], BASELINES[QUESTION])
    return found.append_column("question", pa.repeat(QUESTION, found.num_rows)).select(LOSS_ROWS.names).cast(LOSS_ROWS)


def portfolio_tests(scores: pa.Table, sessions: Days) -> pa.Table:
    """Rows of `tests`: do joint models know the tails of portfolios, and do their correlations lower the risk.

    A p-value of tails needs as many origins as a verdict on tails of symbols.
    """
    losses = daily_losses(scores, "fz_025", BASELINES[QUESTION])
    rows = []
    for one in comparisons_of(losses.append_column("question", pa.repeat("tail", losses.num_rows)), sessions):
        key = {"horizon": one.horizon, "model": one.model, "question": QUESTION, "test": "fissler_ziegel"}
        rows += [key | {"n_origins": len(one.loss), "value": one.p_value}] if one.sufficient else []
    for model, (count, value) in realised_volatility(scores).items():
        key = {"horizon": 1, "model": model, "question": QUESTION, "test": "realised_volatility"}
        rows.append(key | {"n_origins": count, "value": value})
    return pa.Table.from_pylist(rows, TESTS.schema)


def daily_losses(scores: pa.Table, loss: str, baseline: str) -> pa.Table:
    """A loss by horizon, model and origin, averaged over the portfolios that nobody chose, beside the baseline's.

    `scores` are rows of `portfolio_scores`; both are averaged over the portfolios that have both. Columns horizon,
    model, origin, loss, baseline_loss; without the baseline's own rows.
    """
    # Numbered names and days sort and pair several times as fast as text and Python's dates.
    columns = scores.select([*FORECAST, "model", loss])
    frame = columns.to_pandas(categories=["portfolio", "model"], date_as_object=False)
    for name in ("portfolio", "model"):
        frame[name] = frame[name].cat.reorder_categories(sorted(frame[name].cat.categories))
    frame = frame[frame["portfolio"].str.startswith(RESERVED)].dropna().sort_values([*FORECAST, "model"])
    of_baseline = frame[frame["model"] == baseline].drop(columns="model").rename(columns={loss: "baseline_loss"})
    paired = frame[frame["model"] != baseline].rename(columns={loss: "loss"}).merge(of_baseline, on=FORECAST)
    by = ["horizon", "model", "origin"]
    means = paired.groupby(by, as_index=False, observed=True)[["loss", "baseline_loss"]].mean()
    rows = pa.Table.from_pandas(means.astype({"model": str}), preserve_index=False)
    return rows.cast(pa.schema([LOSS_ROWS.field(name) for name in rows.column_names]))


def realised_volatility(scores: pa.Table) -> dict[str, tuple[int, float]]:
    """For each joint model how many origins, and the volatility of its own portfolio of least variance.

    Root mean square of the returns over one session; the smaller, the better its correlations (Engle & Colacito 2006,
    "Testing and Valuing Dynamic Correlations").
    """
    own = (pc.field("horizon") == 1) & pc.starts_with(pc.field("portfolio"), MINIMUM_VARIANCE)
    frame = scores.filter(own).select(["portfolio", "origin", "model", "realised"]).to_pandas()
    frame = frame[frame["portfolio"] == MINIMUM_VARIANCE + frame["model"]].sort_values("origin")
    found = {}
    for model, rows in frame.groupby("model"):
        returns = rows["realised"].to_numpy(np.float64)
        found[str(model)] = (len(returns), float(np.sqrt((returns**2).mean())))
    return found
