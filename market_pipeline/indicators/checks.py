"""What must be true of indicators."""

from dataclasses import replace

import dagster as dg
import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.indicators.look_ahead import saw_their_future
from market_pipeline.orchestration.conditions import Condition, conditions_hold
from market_pipeline.orchestration.partitions import span_of_check
from market_pipeline.prices.history import read_history
from market_pipeline.storage.grids import to_grids
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.storage.warehouse import Warehouse

WITHOUT_BAR = """
select i.symbol, i.session from indicators i
anti join (from prices where final and session between $first and $last) p using (market, symbol, session)
where i.market = $market and i.session between $first and $last
"""
INFINITE = """
with numbers as (
    unpivot (select * exclude (market) from indicators where market = $market and session between $first and $last)
    on columns(* exclude (symbol, session)) into name indicator value value
)
select * from numbers where not isfinite(value)
"""
NEWEST = "select max(session) as day from indicators where market = $market"
ROWS = """
select * from indicators where market = $market and session = $session and list_contains($symbols, symbol)
"""
SAMPLED = 3
"""Symbols and sessions that each run computes again."""


def indicators_checks(market: Market) -> list[dg.AssetChecksDefinition]:
    """The checks of `<market>/indicators`."""
    conditions = (
        Condition(
            "every_row_has_a_bar", WITHOUT_BAR,
            description="No indicator of a session on which the symbol has no final bar.",
        ),
        Condition(
            "values_finite", INFINITE,
            description="A number or nothing (NULL during a lookback), never infinity or NaN.",
        ),
    )  # fmt: skip
    return [conditions_hold(market, "indicators", conditions), look_ahead_check(market)]


def look_ahead_check(market: Market) -> dg.AssetChecksDefinition:
    """A random sample of what the run wrote, computed again without its future."""

    @dg.asset_check(
        asset=[market.name, "indicators"],
        name="indicators_see_no_future",
        blocking=True,
        description="Bars that end at a session, or go on as noise, must yield the stored values, bit by bit.",
    )
    def check(context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        draw = np.random.default_rng(int(context.run.run_id[:8], 16))
        span = span_of_check(context)
        newest = warehouse.read(NEWEST, {"market": market.name})["day"][0].as_py()
        if newest is None:
            return dg.AssetCheckResult(passed=True, metadata={"compared": "nothing: no indicator is stored"})
        last = min(span.last, newest) if span else newest
        sessions = market.sessions_between(span.first if span else last, last)
        names = tuple(draw.choice(market.symbols, min(SAMPLED, len(market.symbols)), replace=False).tolist())
        few = replace(market, symbols=names)
        wide = read_history(warehouse, few, last)
        chosen = draw.choice(sessions, min(SAMPLED, len(sessions)), replace=False)
        seen: dict[str, str] = {}
        for session in chosen.reshape(-1, 1):
            values = {"market": market.name, "session": session[0].item(), "symbols": list(names)}
            grids = to_grids(warehouse.read(ROWS, values), names, session, NAMES)
            stored = {name: grid[:, 0] for name, grid in grids.items()}
            cut = read_history(warehouse, few, session[0].item())
            seen |= dict.fromkeys(saw_their_future(stored, cut, wide), str(session[0]))
        return dg.AssetCheckResult(
            passed=not seen,
            metadata={
                "compared": f"{len(NAMES)} indicators x {len(names)} symbols x {len(chosen)} sessions",
                "differ": ", ".join(f"{name} at {session}" for name, session in seen.items()) or "none",
            },
        )

    return check
