"""What must be true of fitted models."""

import dagster as dg

from market_pipeline.checks import holds_when_empty
from market_pipeline.markets import Market

STRICTLY_BEFORE = """
select model, month, trained_through from models where market = $market and trained_through >= month
"""
ONCE = """
select model, month, count(*) as rows from models where market = $market
group by model, month having count(*) > 1
"""


def models_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/models`."""
    asset = dg.AssetKey([market.name, "models"])
    mine = {"market": market.name}
    return [
        holds_when_empty(asset, "training_ends_before_the_month", STRICTLY_BEFORE, parameters=mine),
        holds_when_empty(asset, "a_model_and_month_appear_once", ONCE, parameters=mine),
    ]
