"""What must be true of forecasts. Keys and required values are checked from the declared tables."""

import datetime as dt
from itertools import pairwise, starmap

import dagster as dg
import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.forecasts.look_ahead import saw_their_future
from market_pipeline.forecasts.portfolio_replay import stored_portfolios
from market_pipeline.forecasts.replay import LOST, REGISTRY, Past, changes_of, panel_of, past_of, stored_rows
from market_pipeline.models.calibration.distribution import TOLERANCE
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.reading import read_panel
from market_pipeline.models.forecasters.catalogue import MODELS, claims_of
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.orchestration.partitions import span_of_check
from market_pipeline.storage.artifacts import load
from market_pipeline.storage.store import open_store
from market_pipeline.storage.tables.forecasts import BASELINE, CHANCES, FORECASTS, QUANTILES, TAILS_AT
from market_pipeline.storage.tables.portfolios import PORTFOLIOS
from market_pipeline.storage.warehouse import Warehouse

WRITTEN = "market = $market and origin between $first and $last"
KEY = ", ".join(FORECASTS.key)
LOWEST, *_, HIGHEST = QUANTILES
NUMBERS = ("mean", *QUANTILES, "p_up")
NOT_ORDERED = f"""
select {KEY}, {", ".join(QUANTILES)} from forecasts
where {WRITTEN} and not ({" and ".join(f"{low} <= {high}" for low, high in pairwise(QUANTILES))})
"""
NOT_FINITE = f"""
select {KEY}, {", ".join(NUMBERS)} from forecasts
where {WRITTEN} and not ({" and ".join(f"isfinite({number})" for number in NUMBERS)})
"""
LOOK_AHEAD = f"""
select {KEY}, trained_through, target_session from forecasts
where {WRITTEN} and not ({" and ".join(FORECASTS.checks)})
"""


def _agrees(quantile: str, level: float) -> str:
    """SQL: a quantile above 0 means a chance of a rise of at least 1 - level, one below 0 of at most that."""
    rise, slack = f"{1 - level:.3f}", f"if({quantile} = 0, {TOLERANCE}, 1e-9)"
    return f"({quantile} < 0 or p_up > {rise} - {slack}) and ({quantile} > 0 or p_up < {rise} + {slack})"


NOT_COHERENT = f"""
select {KEY}, p_up, mean, {", ".join(QUANTILES)} from forecasts
where {WRITTEN} and made_at >= (select max(made_at) from forecasts where market = $market) - interval 1 day
and not (mean between least({LOWEST}, 0) and greatest({HIGHEST}, 0)
    and {" and ".join(starmap(_agrees, QUANTILES.items()))})
"""
"""Forecasts that were issued live by earlier versions stay as they were."""
NO_BASELINE = f"""
select distinct market, symbol, origin, horizon from forecasts
anti join (from forecasts where model = '{BASELINE}' and {WRITTEN}) b using (market, symbol, origin, horizon)
where {WRITTEN}
"""
TAIL_NUMBERS = ", ".join(f"{kind}_{name}" for name in TAILS_AT for kind in ("var", "es"))
IN_ORDER = (
    *(f"es_{name} <= var_{name} and var_{name} < 0" for name in TAILS_AT),
    *(f"var_{low} <= var_{high} and es_{low} <= es_{high} + 1e-9" for low, high in pairwise(TAILS_AT)),
)
TAILS_NOT_ORDERED = f"""
select {KEY}, {TAIL_NUMBERS} from tails where {WRITTEN} and ({" or ".join(f"not ({one})" for one in IN_ORDER)})
"""
"""A level without a tail is NULL, and offends no order."""
SAME_LEVELS = {quantile: f"var_{name}" for name, at in TAILS_AT.items() for quantile, q in QUANTILES.items() if q == at}
NOT_THE_QUANTILE = f"""
select {KEY}, {", ".join(f"{quantile}, {loss}" for quantile, loss in SAME_LEVELS.items())}
from (from tails where {WRITTEN}) t left join (from forecasts where {WRITTEN}) f using (market, {KEY})
where f.p_up is null or {" or ".join(f"{loss} <> {quantile}" for quantile, loss in SAME_LEVELS.items())}
"""
NOT_CLAIMED = f"""
select {KEY} from tails
where {WRITTEN} and model in ({", ".join(f"'{name}'" for name in MODELS if "range" not in claims_of(name))})
"""
CHANCES_NOT_ONE = f"""
select {KEY}, {", ".join(CHANCES)} from ranks
where {WRITTEN} and not (abs({" + ".join(CHANCES)} - 1) < 1e-9 and least({", ".join(CHANCES)}) >= 0)
"""
PORTFOLIOS_NOT_ORDERED = f"""
select {", ".join(PORTFOLIOS.key)}, {", ".join(QUANTILES)} from portfolios
where {WRITTEN} and not (
    {" and ".join(f"{low} <= {high}" for low, high in pairwise(QUANTILES))}
    and {" and ".join(f"isfinite({name})" for name in NUMBERS)}
    and {" and ".join(f"es_{level} <= var_{level}" for level in TAILS_AT)}
)
"""
PARTS_NOT_THE_WHOLE = f"""
select {", ".join(PORTFOLIOS.key)}, any_value(p.es_025) as es_025, sum(a.es_025) as parts
from portfolio_parts a left join portfolios p using (market, {", ".join(PORTFOLIOS.key)})
where a.market = $market and a.origin between $first and $last group by all
having any_value(p.es_025) is null or abs(sum(a.es_025) - any_value(p.es_025)) > 1e-5 * sum(abs(a.es_025))
"""
HELD_AT_NEWEST = """
select w.portfolio, w.origin from portfolio_weights w
where market = $market and origin = (select max(origin) from ledger where market = $market)
"""
FORECAST_AT_NEWEST = f"""
select max(origin) as origin, list(symbol) as symbols from forecasts
where market = $market and model = '{BASELINE}' and horizon = 1
and origin = (select max(origin) from ledger where market = $market)
"""
NEWEST_ORIGINS = """
select origin, made_at from ledger where market = $market
qualify made_at >= max(made_at) over () - interval 1 day order by origin, made_at
"""
"""The origins of the newest runs. Older forecasts may come from code that has changed since."""
PROVENANCE = "select * from ledger where market = $market and origin = $origin and made_at = $made_at"

CONDITIONS = (
    Condition("quantiles_ordered", NOT_ORDERED, "No quantile lies above the next higher one."),
    Condition("values_finite", NOT_FINITE, "Mean, quantiles and probability are finite numbers."),
    Condition(
        "one_distribution", NOT_COHERENT,
        "The quantiles agree with the probability of a rise, and the mean lies between them or is 0.",
    ),
    Condition(
        "training_before_origin_before_target", LOOK_AHEAD,
        "Training ended at the origin or before, and the target session lies after it.",
    ),
    Condition(
        "rank_chances_sum_to_one", CHANCES_NOT_ONE,
        "The probabilities of the five quintiles of returns are not negative and sum to one.",
    ),
    Condition(
        "tails_ordered", TAILS_NOT_ORDERED,
        "Each expected shortfall is a loss at least as large as the value at risk, and rarer losses are larger.",
    ),
    Condition(
        "tails_equal_published_quantiles", NOT_THE_QUANTILE,
        "Each tail belongs to a stored forecast, and its value at risk is the quantile of the same level.",
    ),
    Condition("tails_of_range_models", NOT_CLAIMED, "Only models that claim the range have tails."),
    Condition(
        "portfolios_ordered", PORTFOLIOS_NOT_ORDERED,
        "Numbers of portfolios are finite, quantiles ascend, and no shortfall is smaller than its value at risk.",
    ),
    Condition(
        "portfolio_parts_sum_to_shortfall", PARTS_NOT_THE_WHOLE,
        "What the symbols of a portfolio add to its expected shortfall sums to it.",
    ),
    Condition(
        "random_walk_beside_every_forecast", NO_BASELINE,
        "The baseline has a forecast of every symbol, origin and horizon that any model has, so all can be compared.",
    ),
)  # fmt: skip


def forecasts_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/forecasts`."""
    return [conditions_hold(market, "forecasts", CONDITIONS), look_ahead_check(market), portfolios_check(market)]


def portfolios_check(market: Market) -> dg.AssetChecksDefinition:
    """Warns of configured portfolios without a forecast at the newest origin, and names the symbols that have none."""

    @dg.asset_check(
        asset=[market.name, "forecasts"],
        name="portfolios_complete",
        description="Each configured portfolio has a forecast at the newest origin, as every symbol that it holds has.",
    )
    def check(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        with warehouse.snapshot():
            [newest] = warehouse.read(FORECAST_AT_NEWEST, {"market": market.name}).to_pylist()
            there = {*warehouse.read(HELD_AT_NEWEST, {"market": market.name})["portfolio"].to_pylist()}
        lacking = [
            f"{one.name}: {', '.join(sorted({held.symbol for held in positions} - {*newest['symbols']})) or 'not made'}"
            for one in market.portfolios
            if newest["origin"] and (positions := one.on(newest["origin"])) and one.name not in there
        ]
        return dg.AssetCheckResult(
            passed=not lacking,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"symbols without a forecast": "; ".join(lacking) or "none"},
        )

    return check


def look_ahead_check(market: Market) -> dg.AssetChecksDefinition:
    """One random origin of the run, every symbol and model, issued again without its future."""

    @dg.asset_check(
        asset=[market.name, "forecasts"],
        name="forecasts_see_no_future",
        blocking=True,
        description="Forecasts that are issued again from a panel that ends at the origin, and from one with future "
        "noise, equal the stored ones in every bit.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> dg.AssetCheckResult:
        span = span_of_check(context)
        rows = warehouse.read(NEWEST_ORIGINS, {"market": market.name}).to_pylist()
        rows = [row for row in rows if span is None or span.first <= row["origin"] <= span.last]
        if not rows:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: the run made no forecast"})
        row = rows[np.random.default_rng(int(context.run.run_id[:8], 16)).integers(len(rows))]
        origin, newest = row["origin"], rows[-1]["origin"]
        with warehouse.snapshot():
            [provenance] = warehouse.read(PROVENANCE, {"market": market.name, **row}).to_pylist()
            registry = warehouse.read(REGISTRY, {"market": market.name, "month": origin.replace(day=1)}).to_pylist()
            past = past_of(warehouse, market, provenance)
        changed = [*changes_of(provenance, registry), *([] if past else [LOST])]
        if past is None or changed:
            why = f"nothing: since the forecasts of {origin} there changed {'; '.join(changed)}"
            return dg.AssetCheckResult(passed=True, metadata={"compared": why})
        with warehouse.snapshot():
            cut, wide = panels_of(warehouse, past, origin, newest)
            stored, others = stored_rows(warehouse, market, origin, row["made_at"])
            # Where several runs made forecasts, a later one may have added portfolios, from later bars.
            portfolios = {} if others.num_rows else stored_portfolios(warehouse, market, origin)
        models = open_store(settings)
        parameters = {fit["model"]: load(models, fit["path"], fit["sha256"]) for fit in registry}
        differing = saw_their_future(stored, cut, wide, past.market, parameters, others, portfolios)
        return dg.AssetCheckResult(
            passed=not differing,
            metadata={"compared": f"{stored.num_rows:,} forecasts at {origin}", "rows that differ": differing},
        )

    return check


def panels_of(warehouse: Warehouse, past: Past, origin: dt.date, newest: dt.date) -> tuple[Panel, Panel]:
    """What was known at an origin, and a panel that reaches to the newest one if no bar was restated since."""
    if past.restated:
        cut = panel_of(past.history)
        return cut, cut
    cut = read_panel(warehouse, past.market, origin, since=origin)
    return cut, cut if newest == origin else read_panel(warehouse, past.market, newest, since=origin)
