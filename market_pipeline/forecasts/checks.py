"""What must be true of forecasts."""

import dagster as dg

from market_pipeline.checks import holds_when_empty
from market_pipeline.markets import Market

ORDERED = """
select symbol, origin, horizon, model, q025, q05, q10, q25, q50, q75, q90, q95, q975 from forecasts
where market = $market and not (
    q025 <= q05 and q05 <= q10 and q10 <= q25 and q25 <= q50
    and q50 <= q75 and q75 <= q90 and q90 <= q95 and q95 <= q975
)
"""
FINITE = """
select symbol, origin, horizon, model, mean, q025, q975, p_up from forecasts
where market = $market and not (isfinite(mean) and isfinite(q025) and isfinite(q975) and isfinite(p_up))
"""
ONCE = """
select symbol, origin, horizon, model, count(*) as rows from forecasts where market = $market
group by symbol, origin, horizon, model having count(*) > 1
"""
NO_LOOK_AHEAD = """
select f.symbol, f.origin, f.model, f.trained_through from forecasts f
where f.market = $market and (f.trained_through > f.origin or f.target_session <= f.origin)
"""
BASELINE_EVERYWHERE = """
select distinct f.symbol, f.origin, f.horizon from forecasts f
anti join (from forecasts where model = 'random_walk') b using (market, symbol, origin, horizon)
where f.market = $market
"""

CHANCES_SUM_TO_ONE = """
select symbol, origin, horizon, model, p_q1, p_q2, p_q3, p_q4, p_q5 from ranks
where market = $market and not (
    abs(p_q1 + p_q2 + p_q3 + p_q4 + p_q5 - 1) < 1e-9 and least(p_q1, p_q2, p_q3, p_q4, p_q5) >= 0
)
"""


def forecasts_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/forecasts`."""
    asset = dg.AssetKey([market.name, "forecasts"])
    return [
        holds_when_empty(asset, sentence, sql, parameters={"market": market.name})
        for sentence, sql in {
            "quantiles_rise": ORDERED,
            "every_value_is_finite": FINITE,
            "a_forecast_appears_once": ONCE,
            "no_forecast_knows_its_future": NO_LOOK_AHEAD,
            "chances_of_ranks_sum_to_one": CHANCES_SUM_TO_ONE,
            "the_random_walk_stands_beside_every_forecast": BASELINE_EVERYWHERE,
        }.items()
    ]
