"""What must be true of stored bars."""

import datetime as dt

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.orchestration.freshness import CHECK, evaluation
from market_pipeline.storage.tables.prices import BAR_RULES
from market_pipeline.storage.warehouse import Warehouse

IMPOSSIBLE = (
    "from prices where market = $market and session between $first and $last "
    f"and not ({' and '.join(f'({rule})' for rule in BAR_RULES.values())})"
)
INCOMPLETE = """
select session, expected, present, rejected, missing from coverage
where market = $market and missing > 0 order by session desc
"""
UNRECORDED = """
select symbol, session, before, close, ratio as looks_like_a_split_of from price_steps($first)
join (values (1.5), (2.0), (3.0), (4.0), (5.0), (10.0), (20.0),
    (1 / 2.0), (1 / 3.0), (1 / 4.0), (1 / 5.0), (1 / 8.0), (1 / 10.0), (1 / 20.0)) usual(ratio)
    on abs(step + ln(ratio)) < 0.03
where market = $market and session <= $last and split_ratio = 1 and abs(ln(close / before) + ln(ratio)) < 0.15
order by session desc
"""
WITHOUT_STEP = """
select symbol, session, split_ratio, before, close from price_steps($first)
where market = $market and session <= $last and abs(ln(split_ratio)) > 0.25 and abs(step) < abs(step + ln(split_ratio))
order by session desc
"""


def prices_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/prices`."""
    conditions = (
        Condition(
            "every_bar_is_possible", IMPOSSIBLE,
            description="Prices above zero, the high highest and the low lowest, no volume or dividend below zero.",
        ),
        Condition(
            "no_missing_bars", INCOMPLETE, blocking=False,
            description="Every symbol that was listed has a bar or a quarantined one.",
        ),
        Condition(
            "no_unrecorded_splits", UNRECORDED, blocking=False,
            description="No overnight step is near a split's ratio without a split on record: the vendor may lack it.",
        ),
        Condition(
            "every_split_moves_the_price", WITHOUT_STEP, blocking=False,
            description="No split is on record without a step of the price: the vendor may have invented it.",
        ),
    )  # fmt: skip
    return [conditions_hold(market, "prices", conditions), newest_session_check(market)]


def newest_session_check(market: Market) -> dg.AssetChecksDefinition:
    """Freshness by the calendar; the sensor `freshness` evaluates it again while no run does."""

    @dg.asset_check(
        asset=[market.name, "prices"],
        name=CHECK,
        description="Compares the newest stored session with the exchange's calendar, not with the time of a run.",
    )
    def check(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        found = evaluation(warehouse, market, dt.datetime.now(dt.UTC))
        return dg.AssetCheckResult(passed=found.passed, severity=found.severity, metadata=found.metadata)

    return check
