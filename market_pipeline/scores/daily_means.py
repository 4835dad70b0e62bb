"""Losses averaged over the symbols of a market, beside the random walk's, and paired for each question.

A model and the random walk are averaged over the same forecasts: those that both made. Knows losses; no verdict.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.storage.tables.forecasts import BASELINE, RANGES, TAILS_AT
from market_pipeline.storage.tables.scores import LOSSES, OF_SYMBOLS

FORECAST = ["symbol", "origin", "horizon", "target_session"]
"""Columns that name a forecast, whichever model made it."""

DAY = ["target_session", "origin", "horizon", "model"]

MEANS = [LOSSES[question] for question in OF_SYMBOLS]

UNIT = pa.decimal128(38, 0)

UNITS = 1e15
"""Losses are summed as whole numbers of 1 / UNITS. Such sums are exact, so the order of rows does not matter."""


def daily_means(forecasts: pa.Table, scores: pa.Table) -> pa.Table:
    """Rows of `daily_scores`; `scores` are those of `forecasts`, row by row."""
    rose, called_up = pc.greater(scores["realised"], 0), pc.greater(forecasts["p_up"], 0.5)
    product = pc.multiply(pc.multiply(2.0, scores["realised"]), forecasts["mean"])
    forecast_of_zero = pc.equal(forecasts["mean"], 0)
    losses = {name: _in_units(scores[name]) for name in MEANS}
    products = {"product": _in_units(pc.if_else(forecast_of_zero, pa.scalar(None, pa.float64()), product))}
    shares = {f"covered_{percent}": scores[f"covered_{percent}"] for percent in RANGES}
    shares |= {f"exceeded_{name}": scores[f"exceeded_{name}"] for name in TAILS_AT}
    shares |= {"rose": rose, "called_up": called_up, "called_up_and_rose": pc.and_(rose, called_up)}
    rows = pa.table({name: scores[name] for name in [*FORECAST, "model"]} | losses | products | shares)
    baseline = rows.filter(pc.field("model") == BASELINE).select([*FORECAST, *MEANS])
    baseline = baseline.rename_columns([*FORECAST, *(f"baseline_{name}" for name in MEANS)])
    exact = [*MEANS, *baseline.column_names[len(FORECAST) :], "product"]
    paired = rows.join(baseline, FORECAST, join_type="inner")
    for one, other in ((name, f"baseline_{name}") for name in MEANS):
        both = pc.and_(pc.is_valid(paired[one]), pc.is_valid(paired[other]))
        for name in (one, other):  # a tail that only one of them has is in neither mean
            paired = paired.set_column(
                paired.column_names.index(name), name, pc.if_else(both, paired[name], pa.scalar(None, UNIT))
            )
    days = paired.group_by(DAY)
    days = days.aggregate([(name, how) for name in exact for how in ("sum", "count")] + [(s, "mean") for s in shares])
    means = {name: _mean(days[f"{name}_sum"], days[f"{name}_count"]) for name in exact}
    means |= {name: days[f"{name}_mean"] for name in shares}
    return pa.table({name: days[name] for name in DAY} | {"symbols": days["crps_count"]} | means)


def losses_by_question(daily: pa.Table, ranks: pa.Table) -> pa.Table:
    """Each question's loss and the baseline's by horizon, model and origin, from rows of daily_scores and rank_scores.

    Columns horizon, model, question, origin, loss, baseline_loss; without the baseline's own rows, and without those of
    origins that have no loss.
    """
    baseline = ranks.filter(pc.field("model") == BASELINE).select(["origin", "horizon", "rps"])
    baseline = baseline.rename_columns(["origin", "horizon", "baseline_rps"])
    paired = ranks.join(baseline, ["origin", "horizon"], join_type="inner")
    tables = []
    for question, loss in LOSSES.items():
        if question == "portfolio":  # scores/portfolios.py has its losses
            continue
        rows = (daily if question in OF_SYMBOLS else paired).filter(pc.field("model") != BASELINE)
        rows = rows.filter(pc.field(loss).is_valid())
        columns = {name: rows[name] for name in ("horizon", "model", "origin")}
        columns |= {"question": pa.repeat(question, rows.num_rows)}
        tables.append(pa.table(columns | {"loss": rows[loss], "baseline_loss": rows[f"baseline_{loss}"]}))
    return pa.concat_tables(tables)


def _in_units(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.round(pc.multiply(values, UNITS), round_mode="half_towards_infinity").cast(UNIT)


def _mean(total: pa.ChunkedArray, count: pa.ChunkedArray) -> pa.Array:
    """Means of totals in units, rounded once; null where nothing was counted."""
    totals = np.array([int(value or 0) for value in total.to_pylist()], np.longdouble)
    with np.errstate(invalid="ignore"):
        means = (totals / (count.to_numpy() * np.longdouble(UNITS))).astype(np.float64)
    return pa.array(means, from_pandas=True)
