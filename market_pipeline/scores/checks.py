"""What must be true of scores, verdicts and signals. Keys and required values are checked from the declared tables."""

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.storage.tables.forecasts import BASELINE

FAR_OFF = 0.1
"""How far the coverage of 80 % ranges may be from 0.8 in a third of their width."""
APART = 50
"""Origins, none of which share a session of their horizon, before that is looked at."""

IMPOSSIBLE = """
select symbol, origin, horizon, model, realised, abs_error, squared_error, crps, brier from scores
where market = $market and target_session between $first and $last and not (
    isfinite(realised) and abs_error >= 0 and squared_error >= 0 and crps >= 0 and brier between 0 and 1
)
"""
NOT_AVERAGED = f"""
select scored, averaged
from (select count(*) as scored from scores where market = $market and model = '{BASELINE}'),
    (select coalesce(sum(symbols), 0) as averaged from daily_scores where market = $market and model = '{BASELINE}')
where scored <> averaged
"""
NOT_SCORED = """
select f.symbol, f.origin, f.target_session, f.model from forecasts f
semi join (from prices where final and session between $first and $last) p
    on p.market = f.market and p.symbol = f.symbol and p.session = f.target_session
semi join prices o on o.market = f.market and o.symbol = f.symbol and o.session = f.origin and o.final
anti join (from scores where target_session between $first and $last) s using (market, symbol, origin, horizon, model)
where f.market = $market and f.target_session between $first and $last
"""
NO_STORED_FORECAST = """
select s.symbol, s.horizon, s.model from signals s
left join forecasts f on f.market = s.market and f.symbol = s.symbol and f.origin = s.as_of
    and f.horizon = s.horizon and f.model = s.model
where s.market = $market and (f.mean, f.q10, f.q90, f.p_up) is distinct from
    (s.expected_return, s.low_80, s.high_80, s.p_up)
"""
NO_CHAMPION = f"""
select s.symbol, s.horizon, s.model from signals s
where s.market = $market and s.model <> '{BASELINE}' and not exists (
    from (
        from champions where market = s.market and horizon = s.horizon
        qualify row_number() over (partition by question order by since desc) = 1
    ) where model = s.model
)
"""
LOSING_CHAMPION = """
select horizon, question, model, value as e_value, n_origins from tests
where market = $market and test = 'e_value' and value >= 20
"""
RANGES_OFF = f"""
with chosen as (
    select distinct market, horizon, model from signals where market = $market
), held as (
    select horizon, model, origin, symbol, covered_80::integer as held,
        ntile(3) over (partition by horizon, model order by q90 - q10, symbol, origin) as third
    from (from scores semi join chosen using (market, horizon, model))
    join (from forecasts semi join chosen using (market, horizon, model)) using (market, symbol, origin, horizon, model)
)
select horizon, model, ['narrow', 'middle', 'wide'][third] as width, avg(held) as share
from held group by all having abs(share - 0.8) > {FAR_OFF} and count(distinct origin) >= {APART} * horizon
order by all
"""

CONDITIONS = {
    "scores": (
        Condition(
            "losses_possible", IMPOSSIBLE,
            "Every outcome is a number, no loss is below zero and no Brier score above one.",
        ),
        Condition(
            "daily_means_complete", NOT_AVERAGED,
            "The daily means include every score of the random walk. A data directory that was scored before daily "
            "means existed must be scored again over all its sessions.",
        ),
        Condition(
            "closed_forecasts_scored", NOT_SCORED,
            "Every forecast has a score if the bars of its origin and target session are final.", blocking=False,
        ),
    ),
    "leaderboard": (
        Condition(
            "no_losing_champion", LOSING_CHAMPION,
            "The e-value of no champion reaches 20. It would be evidence that the champion loses to the random walk on "
            "most days; without such a loss, it is reached with a probability of at most 5 %.", blocking=False,
        ),
    ),
    "signals": (
        Condition(
            "signals_equal_stored_forecasts", NO_STORED_FORECAST,
            "Each signal has exactly the numbers of the model's stored forecast at that origin.",
        ),
        Condition(
            "only_champions_selected", NO_CHAMPION,
            "A model other than the random walk is champion of a question at its horizon.",
        ),
        Condition(
            "ranges_hold_by_width", RANGES_OFF,
            "The 80 % ranges of each selected model held 70 to 90 % of the time where they were narrow, of middle width"
            f" and wide; looked at after {APART} origins that do not overlap.", blocking=False,
        ),
    ),
}  # fmt: skip


def scores_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/scores`, `<market>/leaderboard` and `<market>/signals`."""
    return [conditions_hold(market, asset, conditions) for asset, conditions in CONDITIONS.items()]
