"""The assets `scores`, `leaderboard` and `signals` of a market: how good forecasts were, and which are selected."""

from collections.abc import Iterator, Mapping
from functools import partial

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.config.portfolios import RESERVED
from market_pipeline.models.forecasters.catalogue import MODELS
from market_pipeline.orchestration.decorator import market_asset
from market_pipeline.orchestration.partitions import Span, span_of
from market_pipeline.orchestration.ui_metadata import lineage_of, record_metadata
from market_pipeline.prices.history import read_history
from market_pipeline.scores.backtest import TREND_QUESTIONS, strategies
from market_pipeline.scores.calibration import pit_counts
from market_pipeline.scores.champions import champions as champion_history
from market_pipeline.scores.daily_means import daily_means, losses_by_question
from market_pipeline.scores.exceedances import exceedance_tests, origins_apart
from market_pipeline.scores.further_tests import further_tests
from market_pipeline.scores.losses import score, score_ranks
from market_pipeline.scores.multiplicity import retired_comparisons, settings_of
from market_pipeline.scores.outcomes import with_outcomes
from market_pipeline.scores.portfolios import portfolio_losses, portfolio_tests, score_portfolios
from market_pipeline.scores.signals import selected_models, signal_rows
from market_pipeline.scores.ui_metadata import leaderboard_metadata, session_numbers, signals_metadata
from market_pipeline.scores.verdicts import comparisons_of
from market_pipeline.scores.verdicts import leaderboard as verdicts
from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS
from market_pipeline.storage.tables.scores import LEADERBOARD, LOSSES, SCORES, SIGNALS
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse

AT_ONCE = 300_000
"""Forecasts that are scored at once: of a small market many months, of a large one a month."""

SESSIONS_OF_A_MONTH = 21
"""About."""

FORECASTS_FOR = """
select f.*, t.* exclude (market, symbol, origin, horizon, target_session, model)
from forecasts f left join (
    from tails where market = $market and target_session between $first and $last
) t using (market, symbol, origin, horizon, model)
where f.market = $market and f.target_session between $first and $last
"""
RANKS_FOR = "select * from ranks where market = $market and target_session between $first and $last"
PORTFOLIOS_FOR = "select * from portfolios where market = $market and target_session between $first and $last"
WEIGHTS_OF = """
select portfolio, origin, symbol, weight from portfolio_weights where market = $market and origin in (
    select origin from portfolios where market = $market and target_session between $first and $last
)
"""
DAILY = "select * exclude (market) from daily_scores where market = $market"
RANK_SCORES = "select * exclude (market) from rank_scores where market = $market"
TAIL_OUTCOMES = """
select symbol, s.origin, s.horizon, s.model, realised, var_025, es_025, exceeded_025, exceeded_01
from scores s join tails t using (market, symbol, origin, horizon, model)
where s.market = $market and s.horizon = $horizon and s.origin in (select unnest($origins)) and exceeded_025 is not null
    and t.market = $market and t.horizon = $horizon and t.origin in (select unnest($origins)) and var_025 is not null
"""
PORTFOLIO_LOSSES = """
select portfolio, origin, horizon, target_session, model, realised, crps, fz_025 from portfolio_scores
where market = $market and starts_with(portfolio, $reserved)
"""
PIT = "select * exclude (market) from pit where market = $market"
TRIED = "select model, settings from tried where market = $market"
VERDICTS = "select * exclude (market) from leaderboard where market = $market"
CHAMPIONS = "select * exclude (market) from champions where market = $market"
NEWEST = """
select * from forecasts where market = $market
and origin = (select max(origin) from forecasts where market = $market and model = $baseline)
"""
BACKTESTED = """
select f.symbol, f.origin, f.horizon, f.model, f.mean, f.p_up from forecasts f
join (
    select horizon, model, min(since) as since from champions
    where market = $market and list_contains($questions, question) group by all
) c on c.horizon = f.horizon and c.model = f.model and f.origin >= c.since
where f.market = $market and f.model <> $baseline
"""
BACKTESTED_DAYS = """
select (select min(origin) from forecasts where market = $market) as first,
    (select max(session) from prices where market = $market and final) as last
"""


def scores_asset(market: Market, *, cut: bool = False) -> dg.AssetsDefinition:
    """The asset `<market>/scores`, partitioned by the session that forecasts were for."""
    horizons = dg.TimeWindowPartitionMapping(
        start_offset=-max(HORIZONS), end_offset=-min(HORIZONS), allow_nonexistent_upstream_partitions=True
    )

    @market_asset(
        market,
        "scores",
        cut=cut,
        deps=[
            dg.AssetDep([market.name, "forecasts"], partition_mapping=horizons),
            dg.AssetKey([market.name, "prices"]),
        ],
        kinds={"duckdb", "table"},
        owners=["team:forecasting"],
    )
    def scores(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Forecasts whose target session has closed: absolute, squared, CRPS, Brier and rank losses, and coverage."""
        span = span_of(context)
        history = read_history(warehouse, market, span.last)
        written, numbers = 0, dict[str, Mapping[str, float]]()
        for part in parts_of(market, span):
            days = {"market": market.name, "first": part.first, "last": part.last}
            with warehouse.snapshot():
                forecasts, ranks = warehouse.read(FORECASTS_FOR, days), warehouse.read(RANKS_FOR, days)
                of_portfolios = warehouse.read(PORTFOLIOS_FOR, days), warehouse.read(WEIGHTS_OF, days)
            forecasts = with_outcomes(forecasts, history)
            rows, rank_rows = score(forecasts), score_ranks(with_outcomes(ranks, history))
            tables = {"scores": rows, "daily_scores": daily_means(forecasts, rows), "pit": pit_counts(forecasts)}
            tables["portfolio_scores"] = score_portfolios(*of_portfolios, history)
            put = partial(replace_scores, tables=tables, part=part, ranks=ranks, rank_rows=rank_rows)
            warehouse.write(market.name, put)
            written += rows.num_rows
            numbers |= session_numbers(rows)
            context.log.info("%s: %d forecasts scored from %s to %s", market.name, rows.num_rows, part.first, part.last)
        record_metadata(context, numbers, {"rows of the run": written} | lineage_of(market.name, SCORES))
        return dg.MaterializeResult()

    return scores


def parts_of(market: Market, span: Span) -> Iterator[Span]:
    """The span in parts of whole months, or of one, each from a session to a session, of about AT_ONCE forecasts."""
    sessions = market.sessions_between(span.first, span.last)
    months = sessions.astype("datetime64[M]").astype(np.int64)
    a_month = len(market.symbols) * len(HORIZONS) * len(MODELS) * SESSIONS_OF_A_MONTH
    number = (months - months[:1]) // max(1, AT_ONCE // a_month)
    borders = np.flatnonzero(np.diff(number)) + 1
    yield from (Span(part[0].item(), part[-1].item()) for part in np.split(sessions, borders) if len(part))


def replace_scores(
    transaction: Transaction, tables: Mapping[str, pa.Table], part: Span, ranks: pa.Table, rank_rows: pa.Table
) -> None:
    """Replace the scores of a part: `tables` by their names, and `rank_rows`, which are of the forecasts `ranks`."""
    for name, table in tables.items():
        transaction.replace(name, table, part.first, part.last)
    replace_rank_scores(transaction, ranks, rank_rows)


def replace_rank_scores(transaction: Transaction, ranks: pa.Table, rows: pa.Table) -> None:
    """Replace the scores of the origins of `ranks`, which differ by horizon."""
    for horizon in ranks["horizon"].unique().to_pylist():
        origins = pc.min_max(ranks.filter(pc.field("horizon") == horizon)["origin"]).as_py()
        scored = rows.filter(pc.field("horizon") == horizon)
        transaction.replace("rank_scores", scored, origins["min"], origins["max"], keep=f"horizon <> {int(horizon)}")


def leaderboard_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/leaderboard`."""

    @market_asset(
        market,
        "leaderboard",
        deps=[dg.AssetDep([market.name, "scores"], partition_mapping=dg.AllPartitionMapping())],
        kinds={"duckdb", "table"},
        owners=["team:forecasting"],
    )
    def leaderboard(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """Each model's skill against the random walk, with the verdict, by horizon and question; and the champions."""
        with warehouse.snapshot():
            daily, ranks, pit, tried = (
                warehouse.read(query, {"market": market.name}) for query in (DAILY, RANK_SCORES, PIT, TRIED)
            )
            portfolios = warehouse.read(PORTFOLIO_LOSSES, {"market": market.name, "reserved": RESERVED})
            of_tails = exceedance_tests(tail_outcomes(warehouse, market, daily))
        losses = pa.concat_tables([losses_by_question(daily, ranks), portfolio_losses(portfolios)])
        settings = settings_of(losses["model"].unique().to_pylist())
        retired = retired_comparisons(tried, settings)
        comparisons = comparisons_of(losses, market.sessions)
        rows = verdicts(comparisons, retired)
        champions = champion_history(comparisons, market.sessions, retired)
        tests = further_tests(comparisons, champions, daily)
        tests = pa.concat_tables([tests, of_tails, portfolio_tests(portfolios, market.sessions)])
        tables = {"leaderboard": rows, "champions": champions, "tests": tests}
        warehouse.write(market.name, partial(replace_tables, tables=tables, tried=settings))
        metadata = {"comparisons of retired settings": retired, **leaderboard_metadata(rows, champions, losses, pit)}
        return dg.MaterializeResult(metadata=lineage_of(market.name, LEADERBOARD) | metadata)

    return leaderboard


def tail_outcomes(warehouse: Warehouse, market: Market, daily: pa.Table) -> Iterator[pa.Table]:
    """What `exceedance_tests` reads, one horizon and model at a time: of the random walk and of all that have tails."""
    judged = daily.filter(pc.field(LOSSES["tail"]).is_valid())
    if not judged.num_rows:
        return
    newest = np.datetime64(pc.max(judged["origin"]).as_py(), "D")
    models = (BASELINE, *sorted({*judged["model"].unique().to_pylist()} - {BASELINE}))
    for horizon in HORIZONS:
        apart = origins_apart(market.sessions, newest, horizon).tolist()
        found = warehouse.read(TAIL_OUTCOMES, {"market": market.name, "horizon": horizon, "origins": apart})
        yield from (found.filter(pc.field("model") == model) for model in models)


def replace_tables(transaction: Transaction, tables: Mapping[str, pa.Table], tried: pa.Table | None = None) -> None:
    """Replace everything that the market has in some unpartitioned tables, and note the settings that were `tried`."""
    for name, table in tables.items():
        transaction.replace_all(name, table)
    if tried is not None:
        transaction.upsert("tried", tried)


def signals_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/signals`."""

    @market_asset(
        market,
        "signals",
        deps=[
            dg.AssetDep([market.name, "forecasts"], partition_mapping=dg.LastPartitionMapping()),
            dg.AssetKey([market.name, "leaderboard"]),
        ],
        kinds={"duckdb", "table"},
        owners=["team:forecasting"],
    )
    def signals(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
        """The newest forecast of each horizon's champion, or of the random walk; and the signal backtest."""
        named = {"market": market.name}
        leaderboard, champions = (warehouse.read(query, named) for query in (VERDICTS, CHAMPIONS))
        first, last = (day[0].as_py() or market.start for day in warehouse.read(BACKTESTED_DAYS, named).columns)
        named |= {"baseline": BASELINE}
        newest = warehouse.read(NEWEST, named)
        past = warehouse.read(BACKTESTED, named | {"questions": list(TREND_QUESTIONS)})
        history = read_history(warehouse, market, last)
        selected = selected_models(champions, leaderboard, newest)
        rows = signal_rows(newest, selected)
        backtest = strategies(champions, leaderboard, past, history, first, market.cost_bps)
        warehouse.write(market.name, partial(replace_tables, tables={"signals": rows, "strategies": backtest}))
        origin = newest["origin"][0].as_py() if newest.num_rows else market.start
        metadata = signals_metadata(rows, backtest, selected, newest, history.until(origin))
        return dg.MaterializeResult(metadata={**lineage_of(market.name, SIGNALS), **metadata})

    return signals
