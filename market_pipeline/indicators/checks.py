"""What must be true of indicators."""

import dagster as dg

from market_pipeline.checks import holds_when_empty
from market_pipeline.markets import Market

ONCE = """
select symbol, session, count(*) as rows from indicators where market = $market
group by symbol, session having count(*) > 1
"""
BESIDE_BARS = """
select i.symbol, i.session from indicators i
anti join (from prices where final) p using (market, symbol, session)
where i.market = $market
"""
FINITE = """
with numbers as (
    unpivot (select * exclude (market) from indicators where market = $market)
    on columns(* exclude (symbol, session)) into name indicator value value
)
select * from numbers where not isfinite(value)
"""


def indicators_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/indicators`."""
    asset = dg.AssetKey([market.name, "indicators"])
    return [
        holds_when_empty(asset, sentence, sql, parameters={"market": market.name})
        for sentence, sql in {
            "a_symbol_and_session_appear_once": ONCE,
            "every_row_stands_beside_a_bar": BESIDE_BARS,
            "every_value_is_finite": FINITE,
        }.items()
    ]
