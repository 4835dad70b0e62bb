"""What must be true of fitted models."""

import datetime as dt

import dagster as dg
import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.models.features.covariate_shift import FAR, RECENT, distances
from market_pipeline.models.features.reading import read_panel, training_start
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.look_ahead import saw_its_future
from market_pipeline.models.registry.training import WINDOW
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.orchestration.partitions import span_of_check
from market_pipeline.storage.artifacts import load
from market_pipeline.storage.warehouse import Warehouse

STRICTLY_BEFORE = """
select model, month, trained_through from models where market = $market and trained_through >= month
"""
ONCE = """
select model, month, count(*) as rows from models where market = $market
group by model, month having count(*) > 1
"""
FITTED = """
select model, month, trained_through, path, sha256 from models where market = $market
and fitted_at >= (select max(fitted_at) from models where market = $market) - interval 1 day order by month, model
"""
"""The fits of the newest runs; older ones may rest on bars that were restated since, or on other code."""
TRAINED = "select max(trained_through) as cutoff from models where market = $market"
NEWEST = "select max(session) as day from prices where market = $market and final"


def models_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/models`."""
    conditions = (
        Condition(
            "training_ends_before_the_month", STRICTLY_BEFORE,
            description="The newest session that a fit saw lies before the month that it forecasts.",
        ),
        Condition(
            "a_model_and_month_appear_once", ONCE,
            description="One fit of each model for each month, however often it was trained.",
        ),
    )  # fmt: skip
    return [
        conditions_hold(market, "models", conditions),
        look_ahead_check(market),
        covariate_shift_check(market),
    ]


def look_ahead_check(market: Market) -> dg.AssetChecksDefinition:
    """One random model of one random month of the run, trained again without its future."""

    @dg.asset_check(
        asset=[market.name, "models"],
        name="a_model_trained_again_without_its_future_is_the_same",
        blocking=True,
        description="Training on a panel whose future was noise before it was cut off must yield the same forecasts.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> dg.AssetCheckResult:
        span = span_of_check(context)
        rows = warehouse.read(FITTED, {"market": market.name}).to_pylist()
        rows = [row for row in rows if span is None or span.first <= row["month"] <= span.last]
        by_name = {forecaster.name: forecaster for forecaster in FORECASTERS}
        rows = [row for row in rows if row["model"] in by_name]
        if not rows:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: the run trained no model"})
        row = rows[np.random.default_rng(int(context.run.run_id[:8], 16)).integers(len(rows))]
        cutoff = row["trained_through"]
        newest = warehouse.read(NEWEST, {"market": market.name})["day"][0].as_py()
        beyond = min(max(newest, cutoff), cutoff + dt.timedelta(days=31))
        wide = read_panel(warehouse, market, beyond, since=training_start(market, cutoff))
        stored = load(settings.models / row["path"], row["sha256"])
        forecaster = by_name[row["model"]]
        saw = saw_its_future(forecaster, stored, wide, np.datetime64(cutoff), market)
        return dg.AssetCheckResult(
            passed=not saw, metadata={"compared": f"{row['model']} of {row['month']:%Y-%m}, trained through {cutoff}"}
        )

    return check


def covariate_shift_check(market: Market) -> dg.AssetChecksDefinition:
    """Warns when an indicator's last month lies elsewhere than what the newest models were trained on."""

    @dg.asset_check(
        asset=[market.name, "models"],
        name="the_indicators_are_where_training_saw_them",
        description=f"The last {RECENT} sessions before the newest month against the training window, by the distance "
        f"of Kolmogorov and Smirnov; a diagnosis for when a model comes to lose. Warns from {FAR} on.",
    )
    def check(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        rows = warehouse.read(TRAINED, {"market": market.name}).to_pylist()
        if rows[0]["cutoff"] is None:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: no model is trained"})
        cutoff = rows[0]["cutoff"]
        panel = read_panel(warehouse, market, cutoff, since=training_start(market, cutoff))
        found = distances(panel, WINDOW)
        far = [name for name, distance in found.items() if distance >= FAR]
        return dg.AssetCheckResult(
            passed=not far,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "shifted": ", ".join(far) or "none",
                "farthest": ", ".join(f"{name} {distance:.2f}" for name, distance in list(found.items())[:5]),
            },
        )

    return check
