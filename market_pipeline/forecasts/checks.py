"""What must be true of forecasts."""

import dagster as dg
import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.forecasts.ledger import data_digests
from market_pipeline.forecasts.look_ahead import saw_their_future
from market_pipeline.forecasts.replay import REGISTRY, STORED
from market_pipeline.models.features.reading import read_panel
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.orchestration.partitions import span_of_check
from market_pipeline.storage.artifacts import load
from market_pipeline.storage.warehouse import Warehouse

ORDERED = """
select symbol, origin, horizon, model, q025, q05, q10, q25, q50, q75, q90, q95, q975 from forecasts
where market = $market and origin between $first and $last and not (
    q025 <= q05 and q05 <= q10 and q10 <= q25 and q25 <= q50
    and q50 <= q75 and q75 <= q90 and q90 <= q95 and q95 <= q975
)
"""
FINITE = """
select symbol, origin, horizon, model, mean, q025, q975, p_up from forecasts
where market = $market and origin between $first and $last
and not (isfinite(mean) and isfinite(q025) and isfinite(q975) and isfinite(p_up))
"""
ONCE = """
select symbol, origin, horizon, model, count(*) as rows from forecasts
where market = $market and origin between $first and $last
group by symbol, origin, horizon, model having count(*) > 1
"""
NO_LOOK_AHEAD = """
select f.symbol, f.origin, f.model, f.trained_through from forecasts f
where f.market = $market and f.origin between $first and $last
and (f.trained_through > f.origin or f.target_session <= f.origin)
"""
BASELINE_EVERYWHERE = """
select distinct f.symbol, f.origin, f.horizon from forecasts f
anti join (from forecasts where model = 'random_walk' and origin between $first and $last) b
    using (market, symbol, origin, horizon)
where f.market = $market and f.origin between $first and $last
"""

MADE = """
select origin, bars from ledger where market = $market
and made_at >= (select max(made_at) from ledger where market = $market) - interval 1 day order by origin
"""
"""The origins of the newest runs; older ones may rest on code that has changed since."""

CHANCES_SUM_TO_ONE = """
select symbol, origin, horizon, model, p_q1, p_q2, p_q3, p_q4, p_q5 from ranks
where market = $market and origin between $first and $last and not (
    abs(p_q1 + p_q2 + p_q3 + p_q4 + p_q5 - 1) < 1e-9 and least(p_q1, p_q2, p_q3, p_q4, p_q5) >= 0
)
"""


def forecasts_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/forecasts`."""
    conditions = (
        Condition("quantiles_rise", ORDERED, description="No quantile lies above the next higher one."),
        Condition(
            "every_value_is_finite", FINITE,
            description="Mean, quantiles and probability are numbers; a model that knows nothing has no row.",
        ),
        Condition(
            "a_forecast_appears_once", ONCE,
            description="One row for each symbol, origin, horizon and model, however often it was forecast.",
        ),
        Condition(
            "no_forecast_knows_its_future", NO_LOOK_AHEAD,
            description="Training ended at the origin or before, and the target session lies after it.",
        ),
        Condition(
            "chances_of_ranks_sum_to_one", CHANCES_SUM_TO_ONE,
            description="Each symbol ends in exactly one fifth of the market.",
        ),
        Condition(
            "the_random_walk_stands_beside_every_forecast", BASELINE_EVERYWHERE,
            description="Whatever a model says can be held against the baseline on the same symbol and origin.",
        ),
    )  # fmt: skip
    return [conditions_hold(market, "forecasts", conditions), look_ahead_check(market)]


def look_ahead_check(market: Market) -> dg.AssetChecksDefinition:
    """One random origin of the run, every symbol and model, made again without its future."""

    @dg.asset_check(
        asset=[market.name, "forecasts"],
        name="forecasts_made_again_without_their_future_are_the_same",
        blocking=True,
        description="A panel that ends at the origin, or goes on as noise, must yield the stored rows, bit by bit.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> dg.AssetCheckResult:
        span = span_of_check(context)
        pins = warehouse.read(MADE, {"market": market.name}).to_pylist()
        pins = [pin for pin in pins if span is None or span.first <= pin["origin"] <= span.last]
        if not pins:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: the run made no forecast"})
        pin = pins[np.random.default_rng(int(context.run.run_id[:8], 16)).integers(len(pins))]
        day = pin["origin"]
        cut = read_panel(warehouse, market, day, since=day)
        if data_digests(cut.history)[-1] != pin["bars"]:
            why = f"nothing: bars up to {day} were restated since; the origin waits to be forecast again"
            return dg.AssetCheckResult(passed=True, metadata={"compared": why})
        registry = warehouse.read(REGISTRY, {"market": market.name, "month": day.replace(day=1)}).to_pylist()
        parameters = {row["model"]: load(settings.models / row["path"], row["sha256"]) for row in registry}
        stored = warehouse.read(STORED, {"market": market.name, "origin": day})
        newest = pins[-1]["origin"]
        wide = cut if newest == day else read_panel(warehouse, market, newest, since=day)
        seen = saw_their_future(stored, cut, wide, market, parameters)
        return dg.AssetCheckResult(
            passed=not seen,
            metadata={"compared": f"{stored.num_rows:,} forecasts at {day}", "rows that differ": seen},
        )

    return check
