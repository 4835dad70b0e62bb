"""What must be true of scores, verdicts and signals."""

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.conditions import Condition, conditions_hold

POSSIBLE = """
select symbol, origin, horizon, model, realised, abs_error, squared_error, crps, brier from scores
where market = $market and target_session between $first and $last and not (
    isfinite(realised) and abs_error >= 0 and squared_error >= 0 and crps >= 0 and brier between 0 and 1
)
"""
ONCE = """
select symbol, origin, horizon, model, count(*) as rows from scores
where market = $market and target_session between $first and $last
group by symbol, origin, horizon, model having count(*) > 1
"""
AVERAGED = """
select scored, averaged
from (select count(*) as scored from scores where market = $market and model = 'random_walk'),
    (select coalesce(sum(symbols), 0) as averaged from daily_scores where market = $market and model = 'random_walk')
where scored <> averaged
"""
SCORED = """
select f.symbol, f.origin, f.target_session, f.model from forecasts f
semi join (from prices where final and session between $first and $last) p
    on p.market = f.market and p.symbol = f.symbol and p.session = f.target_session
semi join prices o on o.market = f.market and o.symbol = f.symbol and o.session = f.origin and o.final
anti join (from scores where target_session between $first and $last) s using (market, symbol, origin, horizon, model)
where f.market = $market and f.target_session between $first and $last
"""
SIGNALS_ARE_FORECASTS = """
select s.symbol, s.horizon, s.model from signals s
left join forecasts f on f.market = s.market and f.symbol = s.symbol and f.origin = s.as_of
    and f.horizon = s.horizon and f.model = s.model
where s.market = $market and (f.mean, f.q10, f.q90, f.p_up) is distinct from
    (s.expected_return, s.low_80, s.high_80, s.p_up)
"""
PROVEN = """
select s.symbol, s.horizon, s.model from signals s
where s.market = $market and s.model <> 'random_walk' and not exists (
    from (
        from champions where market = s.market and horizon = s.horizon
        qualify row_number() over (partition by question order by since desc) = 1
    ) where model = s.model
)
"""
DEPOSABLE = """
select horizon, question, model, value as e_value, n_origins from tests
where market = $market and test = 'e_value' and value >= 20
"""


def scores_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/scores`, `<market>/leaderboard` and `<market>/signals`."""
    conditions = {
        "scores": (
            Condition(
                "every_loss_is_possible", POSSIBLE,
                description="No loss below zero, no Brier score above one, and every outcome a number.",
            ),
            Condition(
                "a_score_appears_once", ONCE,
                description="One row for each symbol, origin, horizon and model, however often it was scored.",
            ),
            Condition(
                "the_means_are_of_every_score", AVERAGED,
                description="The daily means rest on as many scores of the random walk as there are. A home that was "
                "scored before there were daily means has to be scored again, over all its sessions.",
            ),
            Condition(
                "every_forecast_that_came_due_is_scored", SCORED, blocking=False,
                description="Where the bars of origin and target session are final, there is a score.",
            ),
        ),
        "leaderboard": (
            Condition(
                "no_champion_has_come_to_lose", DEPOSABLE, blocking=False,
                description="A bet, ever since the first origin, that a champion loses to the walk on most days has "
                "not grown twentyfold: while nothing is wrong it ever does with a chance of at most 5 %.",
            ),
        ),
        "signals": (
            Condition(
                "every_signal_is_a_stored_forecast", SIGNALS_ARE_FORECASTS,
                description="What is served is what the model forecast at that origin, digit for digit.",
            ),
            Condition(
                "only_the_proven_replace_the_random_walk", PROVEN,
                description="Whoever is served in its place is champion of a question at that horizon.",
            ),
        ),
    }  # fmt: skip
    return [conditions_hold(market, room, held) for room, held in conditions.items()]
