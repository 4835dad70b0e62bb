"""The assets `scores`, `leaderboard` and `signals` of a market: what came of the forecasts, and what to serve."""

from collections.abc import Mapping
from dataclasses import asdict

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.models.features.samples import realised_returns
from market_pipeline.models.features.volatility import session_returns
from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.orchestration.partitions import Span, session_partitions, span_of
from market_pipeline.orchestration.ui_metadata import asset_tags, lineage_of, record_metadata, table_metadata
from market_pipeline.prices.history import History, read_history
from market_pipeline.scores.backtest import follow
from market_pipeline.scores.calibration import pit_counts
from market_pipeline.scores.champions import champions, reigns
from market_pipeline.scores.further_tests import other_tests
from market_pipeline.scores.losses import score
from market_pipeline.scores.multiplicity import retired_contests, settings_of
from market_pipeline.scores.ranks import score_ranks
from market_pipeline.scores.signals import RISE, served, signal_rows
from market_pipeline.scores.ui_metadata import FELL, leaderboard_shown, numbers_of, signals_shown
from market_pipeline.scores.verdicts import leaderboard as judge
from market_pipeline.storage.grids import to_grids
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline.storage.tables.scores import LEADERBOARD, SCORES, SIGNALS
from market_pipeline.storage.warehouse import Warehouse

DUE = "select * from forecasts where market = $market and target_session between $first and $last"
DUE_RANKS = "select * from ranks where market = $market and target_session between $first and $last"
MEANS = "select * exclude (market) from scored_days where market = $market and target_session between $first and $last"
DAILY_LOSSES = "select * exclude (market) from daily_losses where market = $market"
TRIED = "select model, settings from tried where market = $market"
PRODUCTS = """
select horizon, model, origin, product from daily_scores
where market = $market and product is not null order by horizon, model, origin
"""
CALLS = """
select horizon, model, origin, rose, called_up, called_up_and_rose from daily_scores
where market = $market and list_contains($models, model) order by horizon, model, origin
"""
TRENDS = """
select symbol, origin, case when mean > 0 and p_up >= $rise then 1.0
    when mean < 0 and p_up <= 1 - $rise then -1.0 else 0.0 end as position
from forecasts where market = $market and horizon = $horizon and model = $model and origin >= $since and origin < $until
"""
NEWEST = """
select * from forecasts where market = $market
and origin = (select max(origin) from forecasts where market = $market and model = 'random_walk')
"""


BEGUN = "select min(origin) as first from forecasts where market = $market"
NEWEST_BAR = "select max(session) as last from prices where market = $market and final"
TREND_CLAIMS = ("return", "direction")
UNTRIED = "insufficient_data"
STRATEGIES = pa.schema(
    [
        ("horizon", pa.int32()), ("sessions", pa.int32()),
        *((name, pa.float64()) for name in (
            "net_return", "buy_and_hold", "sharpe", "deflated_sharpe", "max_drawdown", "turnover", "exposure",
            "cost_bps",
        )),
        ("trials", pa.int32()),
    ]
)  # fmt: skip


def scores_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/scores`, partitioned by the session that forecasts were for."""

    @dg.asset(
        key=[market.name, "scores"],
        group_name=market.name,
        partitions_def=session_partitions(market),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            dg.AssetDep(
                [market.name, "forecasts"],
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-20, end_offset=-1, allow_nonexistent_upstream_partitions=True
                ),
            ),
            dg.AssetKey([market.name, "prices"]),
        ],
        kinds={"duckdb", "table"},
        owners=["team:forecasting"],
        metadata=table_metadata(market.name, SCORES),
        tags=asset_tags(market.name, "session"),
    )
    def scores(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Every forecast that came due, against what happened: absolute, squared, CRPS and Brier losses, coverage."""
        span = span_of(context)
        history = read_history(warehouse, market, span.last)
        written, numbers = 0, dict[str, Mapping[str, float]]()
        for month in months_of(market, span):
            asked = {"market": market.name, "first": month.first, "last": month.last}
            due = warehouse.read(DUE, asked)
            realised = realised_of(due, history, market)
            scored = score(due, realised)
            with warehouse.transaction(market.name) as transaction:
                written += transaction.replace("scores", scored, month.first, month.last)
                transaction.replace("daily_scores", transaction.read(MEANS, asked), month.first, month.last)
                transaction.replace("pit", pit_counts(due, realised), month.first, month.last)
            due = warehouse.read(DUE_RANKS, asked)
            store_ranks(warehouse, market, due, score_ranks(due, realised_of(due, history, market)))
            numbers |= numbers_of(scored)
        told = {"rows of the run": written} | lineage_of(market.name, SCORES)
        record_metadata(context, numbers, told)
        return dg.MaterializeResult()

    return scores


def store_ranks(warehouse: Warehouse, market: Market, due: pa.Table, rows: pa.Table) -> None:
    """Replace the scores of the origins that came due, which are others for each horizon."""
    with warehouse.transaction(market.name) as transaction:
        for horizon in due["horizon"].unique().to_pylist():
            origins = pc.min_max(due.filter(pc.field("horizon") == horizon)["origin"]).as_py()
            mine = rows.filter(pc.field("horizon") == horizon)
            transaction.replace("rank_scores", mine, origins["min"], origins["max"], keep=f"horizon <> {int(horizon)}")


def leaderboard_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/leaderboard`."""

    @dg.asset(
        key=[market.name, "leaderboard"],
        group_name=market.name,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetDep([market.name, "scores"], partition_mapping=dg.AllPartitionMapping())],
        kinds={"duckdb", "table"},
        owners=["team:forecasting"],
        metadata=table_metadata(market.name, LEADERBOARD),
        tags=asset_tags(market.name, "market"),
    )
    def leaderboard(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Each model's skill against the random walk, with the verdict, by horizon and question; and the champions."""
        named = {"market": market.name}
        daily = warehouse.read(DAILY_LOSSES, named)
        settings = settings_of(daily["model"].unique().to_pylist())
        retired = retired_contests(warehouse.read(TRIED, named), settings)
        rows, titles = judge(daily, market.sessions, retired), champions(daily, market.sessions, retired)
        asked = sorted({model for model in daily["model"].unique().to_pylist() if "direction" in claims_of(model)})
        calls = warehouse.read(CALLS, named | {"models": asked})
        other = other_tests(daily, titles, warehouse.read(PRODUCTS, named), calls, market.sessions)
        with warehouse.transaction(market.name) as transaction:
            transaction.replace_all("leaderboard", rows)
            transaction.replace_all("champions", titles)
            transaction.replace_all("tests", other)
            transaction.upsert("tried", settings)
        shown = leaderboard_shown(rows, titles, daily, warehouse.read(FELL, named))
        told = {"contests of settings tried before": retired, **shown}
        return dg.MaterializeResult(metadata=lineage_of(market.name, LEADERBOARD) | told)

    return leaderboard


def signals_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/signals`."""

    @dg.asset(
        key=[market.name, "signals"],
        group_name=market.name,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            dg.AssetDep([market.name, "forecasts"], partition_mapping=dg.LastPartitionMapping()),
            dg.AssetKey([market.name, "leaderboard"]),
        ],
        kinds={"duckdb", "table"},
        owners=["team:forecasting"],
        metadata=table_metadata(market.name, SIGNALS),
        tags=asset_tags(market.name, "market"),
    )
    def signals(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """The newest forecast of each horizon's champion, or of the random walk; and what following it earned."""
        verdicts = warehouse.read("select * from leaderboard where market = $market", {"market": market.name})
        newest = warehouse.read(NEWEST, {"market": market.name})
        titles = warehouse.read("select * from champions where market = $market", {"market": market.name})
        models = served(titles, verdicts, newest)
        rows = signal_rows(newest, models)
        earned = followed(warehouse, market, titles, verdicts)
        with warehouse.transaction(market.name) as transaction:
            transaction.replace_all("signals", rows)
            transaction.replace_all("strategies", earned)
        until = newest["origin"][0].as_py() if newest.num_rows else market.start
        shown = signals_shown(rows, earned, models, newest, read_history(warehouse, market, until))
        return dg.MaterializeResult(metadata={**lineage_of(market.name, SIGNALS), **shown})

    return signals


def followed(warehouse: Warehouse, market: Market, titles: pa.Table, leaderboard: pa.Table) -> pa.Table:
    """Rows of `strategies`: the trend of each horizon's champions, each from the session that made it champion."""
    tried = [row for row in leaderboard.to_pylist() if row["question"] in TREND_CLAIMS and row["verdict"] != UNTRIED]
    trials = len({(row["horizon"], row["model"]) for row in tried if row["question"] in claims_of(row["model"])})
    begun = warehouse.read(BEGUN, {"market": market.name})["first"][0].as_py()
    if begun is None or not tried:
        return pa.Table.from_pylist([], STRATEGIES)
    newest = warehouse.read(NEWEST_BAR, {"market": market.name})["last"][0].as_py()
    history = read_history(warehouse, market, newest)
    inside = history.sessions >= np.datetime64(begun)
    returns = np.expm1(session_returns(history))[:, inside]
    per_year = 365.25 * len(history.sessions) / max((history.sessions[-1] - history.sessions[0]).astype(int), 1)
    rows = []
    for horizon in HORIZONS:
        positions = np.zeros_like(returns)
        for model, since, until in reigns(titles, horizon):
            asked = {"horizon": horizon, "model": model, "since": since, "until": until, "rise": RISE}
            said = warehouse.read(TRENDS, {"market": market.name, **asked})
            grid = to_grids(said, market.symbols, history.sessions[inside], ("position",), day="origin")["position"]
            positions = np.where(np.isfinite(grid), grid, positions)
        earned = follow(positions, returns, horizon, market.cost_bps, per_year, trials)
        rows.append({"horizon": horizon, **asdict(earned), "cost_bps": float(market.cost_bps), "trials": trials})
    return pa.Table.from_pylist(rows, STRATEGIES)


def months_of(market: Market, span: Span) -> list[Span]:
    """The span cut at the ends of months, each piece from a session to a session."""
    sessions = market.sessions_between(span.first, span.last)
    borders = np.flatnonzero(np.diff(sessions.astype("datetime64[M]").astype(int))) + 1
    return [Span(piece[0].item(), piece[-1].item()) for piece in np.split(sessions, borders) if len(piece)]


def realised_of(due: pa.Table, history: History, market: Market) -> np.ndarray:
    """What happened to each forecast: log return from its origin to its target, NaN when either has no bar."""
    symbol = pd.Index(market.symbols).get_indexer(due["symbol"].to_pandas())
    days = {name: due[name].to_numpy().astype("datetime64[D]") for name in ("origin", "target_session")}
    realised = realised_returns(history, symbol, days["origin"], days["target_session"])
    return np.where(symbol >= 0, realised, np.nan)
