"""The assets `scores`, `leaderboard` and `signals` of a market: what came of the forecasts, and what to serve."""

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.markets import Market
from market_pipeline.models.samples import realised_returns
from market_pipeline.partitions import Span, session_partitions, span_of
from market_pipeline.prices.history import History, read_history
from market_pipeline.scores.calibration import pit_counts
from market_pipeline.scores.champions import champions
from market_pipeline.scores.losses import score
from market_pipeline.scores.ranks import score_ranks
from market_pipeline.scores.signals import served, signal_rows
from market_pipeline.scores.verdicts import SURVIVORSHIP
from market_pipeline.scores.verdicts import leaderboard as judge
from market_pipeline.warehouse import Warehouse

DUE = "select * from forecasts where market = $market and target_session between $first and $last"
DUE_RANKS = "select * from ranks where market = $market and target_session between $first and $last"
DAILY_LOSSES = "select * exclude (market) from daily_losses where market = $market"
NEWEST = """
select * from forecasts where market = $market
and origin = (select max(origin) from forecasts where market = $market and model = 'random_walk')
"""


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
        metadata={"dagster/table_name": "scores"},
    )
    def scores(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Every forecast that came due, against what happened: absolute, squared, CRPS and Brier losses, coverage."""
        span = span_of(context)
        history = read_history(warehouse, market, span.last)
        written = 0
        for month in months_of(market, span):
            due = warehouse.read(DUE, {"market": market.name, "first": month.first, "last": month.last})
            realised = realised_of(due, history, market)
            with warehouse.transaction(market.name) as transaction:
                written += transaction.replace("scores", score(due, realised), month.first, month.last)
                transaction.replace("pit", pit_counts(due, realised), month.first, month.last)
            due = warehouse.read(DUE_RANKS, {"market": market.name, "first": month.first, "last": month.last})
            store_ranks(warehouse, market, due, score_ranks(due, realised_of(due, history, market)))
        return dg.MaterializeResult(metadata={"dagster/partition_row_count": written})

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
        metadata={"dagster/table_name": "leaderboard"},
    )
    def leaderboard(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Each model's skill against the random walk, with the verdict, by horizon and question; and the champions."""
        daily = warehouse.read(DAILY_LOSSES, {"market": market.name})
        rows, titles = judge(daily, market.sessions), champions(daily, market.sessions)
        with warehouse.transaction(market.name) as transaction:
            transaction.replace_all("leaderboard", rows)
            transaction.replace_all("champions", titles)
        shown = rows.to_pandas().round(4).to_string(index=False)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows.num_rows,
                "verdicts": dg.MetadataValue.md(f"```\n{shown}\n```"),
                "champions": dg.MetadataValue.md(f"```\n{titles.to_pandas().to_string(index=False)}\n```"),
                "survivorship": SURVIVORSHIP,
            }
        )

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
        metadata={"dagster/table_name": "signals"},
    )
    def signals(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """The newest forecast of each horizon's champion; the random walk, unless something has beaten it."""
        verdicts = warehouse.read("select * from leaderboard where market = $market", {"market": market.name})
        newest = warehouse.read(NEWEST, {"market": market.name})
        titles = warehouse.read("select * from champions where market = $market", {"market": market.name})
        models = served(titles, verdicts, newest)
        rows = signal_rows(newest, models)
        with warehouse.transaction(market.name) as transaction:
            transaction.replace_all("signals", rows)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows.num_rows,
                **{f"champion at {champion.horizon}": champion.model for champion in models},
            }
        )

    return signals


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
