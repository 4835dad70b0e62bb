"""What must be true of stored bars."""

import datetime as dt

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.storage.warehouse import Warehouse

POSSIBLE = """
select symbol, session, open, high, low, close, volume, dividend, split_ratio from prices
where market = $market and session between $first and $last and not (
    isfinite(open) and isfinite(high) and isfinite(low) and isfinite(close) and low > 0 and split_ratio > 0
    and dividend >= 0 and coalesce(volume, 0) >= 0
    and high * 1.000001 >= greatest(open, low, close) and low * 0.999999 <= least(open, high, close)
)
"""
ONCE = """
select symbol, session, count(*) as bars from prices
where market = $market and session between $first and $last
group by symbol, session having count(*) > 1
"""
COMPLETE = """
select session, expected, present, rejected, missing from coverage
where market = $market and missing > 0 order by session desc
"""
UNANNOUNCED = """
select symbol, session, before, close, ratio as looks_like_a_split_of from price_steps($first)
join (values (1.5), (2.0), (3.0), (4.0), (5.0), (10.0), (20.0),
    (1 / 2.0), (1 / 3.0), (1 / 4.0), (1 / 5.0), (1 / 8.0), (1 / 10.0), (1 / 20.0)) usual(ratio)
    on abs(step + ln(ratio)) < 0.03
where market = $market and session <= $last and split_ratio = 1 and abs(ln(close / before) + ln(ratio)) < 0.15
order by session desc
"""
UNFELT = """
select symbol, session, split_ratio, before, close from price_steps($first)
where market = $market and session <= $last and abs(ln(split_ratio)) > 0.25 and abs(step) < abs(step + ln(split_ratio))
order by session desc
"""
SCHEMA = """
select column_name, data_type from (values
    ('symbol', 'VARCHAR'), ('session', 'DATE'), ('open', 'DOUBLE'), ('high', 'DOUBLE'), ('low', 'DOUBLE'),
    ('close', 'DOUBLE'), ('volume', 'DOUBLE'), ('dividend', 'DOUBLE'), ('split_ratio', 'DOUBLE'), ('final', 'BOOLEAN')
) wanted(column_name, data_type)
where (column_name, data_type) not in (
    select (column_name, data_type) from information_schema.columns where table_name = 'prices'
)
"""


def prices_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/prices`."""
    conditions = (
        Condition(
            "the_columns_are_the_contract", SCHEMA,
            description="The table has the columns that readers rely on, each of its type.",
        ),
        Condition(
            "every_bar_is_possible", POSSIBLE,
            description="Prices above zero, the high highest and the low lowest, no volume or dividend below zero.",
        ),
        Condition(
            "a_symbol_and_session_appear_once", ONCE,
            description="One bar for each symbol and session, however often it was asked for.",
        ),
        Condition(
            "every_session_is_complete", COMPLETE, blocking=False,
            description="Every symbol that was listed has a bar or a quarantined one.",
        ),
        Condition(
            "a_step_like_a_split_has_its_split", UNANNOUNCED, blocking=False,
            description="An overnight step near a split's ratio, with no split on record: did the vendor forget it?",
        ),
        Condition(
            "every_split_moves_the_price", UNFELT, blocking=False,
            description="A split on record at which the price did not step: did the vendor invent or double it?",
        ),
    )  # fmt: skip
    return [conditions_hold(market, "prices", conditions), newest_session_check(market)]


def newest_session_check(market: Market) -> dg.AssetChecksDefinition:
    """Freshness by the calendar: a policy on the last run's time would call a backfill of old sessions fresh."""

    @dg.asset_check(
        asset=[market.name, "prices"],
        name="the_newest_closed_session_is_stored",
        description="Compares the newest stored session with the exchange's calendar, not with the time of a run.",
    )
    def check(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        wanted = market.newest_due(dt.datetime.now(dt.UTC))
        answer = warehouse.read(
            "select max(session) as newest from prices where market = $market and final", {"market": market.name}
        )
        newest = answer["newest"][0].as_py()
        return dg.AssetCheckResult(
            passed=wanted is None or (newest is not None and newest >= wanted),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"newest stored session": str(newest), "newest session due": str(wanted)},
        )

    return check
