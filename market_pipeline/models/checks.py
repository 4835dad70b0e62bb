"""Checks of fitted models: when their training ended, that it saw no future, and whether the market has moved away."""

import datetime as dt

import dagster as dg
import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.models.features.covariate_shift import RECENT, SHIFTED, distances
from market_pipeline.models.features.reading import TRAINING_WINDOW, read_panel, training_start
from market_pipeline.models.forecasters.catalogue import FORECASTERS, PLUGINS
from market_pipeline.models.look_ahead import saw_its_future
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.orchestration.partitions import span_of_check
from market_pipeline.storage.artifacts import load
from market_pipeline.storage.store import open_store
from market_pipeline.storage.warehouse import Warehouse

TRAINED_TOO_LATE = """
select model, month, trained_through from models where market = $market and trained_through >= month
"""
NEWEST_FITS = """
select model, month, trained_through, fitted_at, path, sha256 from models where market = $market
qualify fitted_at >= max(fitted_at) over () - interval 1 day order by month, model
"""
"""The fits of the newest runs. Older ones may depend on bars that were restated since, or on other code."""
CUTOFF = "select max(trained_through) as cutoff from models where market = $market"
NEWEST_BAR = "select max(session) as day from prices where market = $market and final"
NEWEST_CHANGE = "select max(fetched_at) as moment from prices where market = $market and session <= $cutoff"


def models_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/models`."""
    before_the_month = Condition(
        "training_ends_before_the_month", TRAINED_TOO_LATE,
        description="The newest session that a fit used is before the month that it forecasts.",
    )  # fmt: skip
    return [
        conditions_hold(market, "models", [before_the_month]),
        look_ahead_check(market),
        own_models_check(market),
        covariate_shift_check(market),
    ]


def look_ahead_check(market: Market) -> dg.AssetChecksDefinition:
    """One random model of one random month of the run is trained again without its future."""

    @dg.asset_check(
        asset=[market.name, "models"],
        name="training_sees_no_future",
        blocking=True,
        description="A model that is trained again on a panel without its future, which was noise before it was cut "
        "off, makes the same forecasts.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> dg.AssetCheckResult:
        span = span_of_check(context)
        by_name = {forecaster.name: forecaster for forecaster in FORECASTERS}
        rows = [
            row
            for row in warehouse.read(NEWEST_FITS, {"market": market.name}).to_pylist()
            if row["model"] in by_name and (span is None or span.first <= row["month"] <= span.last)
        ]
        if not rows:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: the run trained no model"})
        row = rows[np.random.default_rng(int(context.run.run_id[:8], 16)).integers(len(rows))]
        cutoff = row["trained_through"]
        compared = f"{row['model']} of {row['month']:%Y-%m}, trained through {cutoff}"
        changed = warehouse.read(NEWEST_CHANGE, {"market": market.name, "cutoff": cutoff})["moment"][0].as_py()
        if changed > row["fitted_at"]:
            nothing = f"nothing: bars of the training have changed, or are those of a new symbol, since {compared}"
            return dg.AssetCheckResult(passed=True, metadata={"compared": nothing})
        newest = warehouse.read(NEWEST_BAR, {"market": market.name})["day"][0].as_py()
        beyond = min(max(newest, cutoff), cutoff + dt.timedelta(days=31))
        wide = read_panel(warehouse, market, beyond, since=training_start(market, cutoff))
        stored = load(open_store(settings), row["path"], row["sha256"])
        saw = saw_its_future(by_name[row["model"]], stored, wide, np.datetime64(cutoff), market)
        return dg.AssetCheckResult(passed=not saw, metadata={"compared": compared})

    return check


def own_models_check(market: Market) -> dg.AssetChecksDefinition:
    """Warns of plugins that cannot be loaded or were not trained; the other models go on without them."""

    @dg.asset_check(
        asset=[market.name, "models"],
        name="own_models_trained",
        description="Each own model can be loaded, and was trained for the months of the run.",
    )
    def check(context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        span, trained = span_of_check(context), dict[dt.date, set[str]]()
        names = [plugin.name for plugin in PLUGINS.usable]
        for row in warehouse.read(NEWEST_FITS, {"market": market.name}).to_pylist() if names else ():
            if span is None or span.first <= row["month"] <= span.last:
                trained.setdefault(row["month"], set()).add(row["model"])
        lacking = [
            f"{name} was not trained for {month:%Y-%m}; the log of the run has its file and line"
            for month, models in trained.items()
            for name in names
            if name not in models
        ]
        problems = [*PLUGINS.broken, *lacking]
        return dg.AssetCheckResult(
            passed=not problems,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"own models": ", ".join(names) or "none", "problems": "\n\n".join(problems) or "none"},
        )

    return check


def covariate_shift_check(market: Market) -> dg.AssetChecksDefinition:
    """Warns when recent indicators are distributed differently from those that the newest models were trained on."""

    @dg.asset_check(
        asset=[market.name, "models"],
        name="indicators_distributed_as_in_training",
        description=f"The last {RECENT} sessions before the newest month are compared with the training window, by the "
        f"Kolmogorov-Smirnov distance. Warns from {SHIFTED} on: a possible reason why a model loses skill.",
    )
    def check(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        cutoff = warehouse.read(CUTOFF, {"market": market.name})["cutoff"][0].as_py()
        if cutoff is None:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: no model is trained"})
        panel = read_panel(warehouse, market, cutoff, since=training_start(market, cutoff))
        found = distances(panel, TRAINING_WINDOW)
        shifted = [name for name, distance in found.items() if distance >= SHIFTED]
        return dg.AssetCheckResult(
            passed=not shifted,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "shifted": ", ".join(shifted) or "none",
                "largest distances": ", ".join(f"{name} {distance:.2f}" for name, distance in list(found.items())[:5]),
            },
        )

    return check
