"""The check `prices_up_to_date` outside of runs: a sensor evaluates it, because prices age while nothing runs."""

import datetime as dt
import json
from collections.abc import Sequence

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.storage.freshness import stored_freshness
from market_pipeline.storage.warehouse import Warehouse

CHECK = "prices_up_to_date"

GRACE = dt.timedelta(hours=2)
"""How long a daily run may take before its session counts as missing."""


def evaluation(warehouse: Warehouse, market: Market, now: dt.datetime) -> dg.AssetCheckEvaluation:
    """The result of the check for the sessions that are due by `now`, UTC."""
    found = stored_freshness(warehouse, market, now)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([market.name, "prices"]),
        check_name=CHECK,
        passed=not found.behind,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "newest stored session": str(found.newest),
            "newest expected session": str(market.newest_due(now)),
            "sessions behind": found.behind,
        },
    )


def freshness_sensor(markets: Sequence[Market]) -> dg.SensorDefinition:
    """The sensor `freshness`: without it the check would stay as the last run left it, passed while no run succeeds."""

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=900,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates prices_up_to_date of each market again when its newest session or the number of "
        "sessions behind has changed. Requests no run.",
    )
    def freshness(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:
        if not warehouse.exists():
            return dg.SensorResult(skip_reason="Nothing is stored yet.")
        now = dt.datetime.now(dt.UTC) - GRACE
        found = {market.name: stored_freshness(warehouse, market, now) for market in markets}
        states = {name: str(one) for name, one in found.items() if one.newest is not None}
        known = json.loads(context.cursor or "{}")
        changed = [market for market in markets if states.get(market.name) != known.get(market.name)]
        return dg.SensorResult(
            skip_reason=". ".join(states.values()) or "Nothing is stored yet.",
            asset_events=[evaluation(warehouse, market, now) for market in changed],
            cursor=json.dumps(states),
        )

    return freshness
