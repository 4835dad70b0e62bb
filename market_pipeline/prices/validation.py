"""The answer of a source, split into rows of `prices` and rows of `quarantine`."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.prices.rules import broken_rule
from market_pipeline.sources.protocol import FAILED, Fetched, Outcome
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.prices import BAR_VALUES, BARS

OBSERVED_WITHIN = np.timedelta64(7, "D")
"""A bar read later than this after its session settled is assumed to have been known when it settled."""


@dataclass(frozen=True)
class Batch:
    """One validated answer: rows for two tables, and how the request for each symbol ended."""

    bars: pa.Table
    quarantine: pa.Table
    outcomes: tuple[Outcome, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols that were requested."""
        return tuple(outcome.symbol for outcome in self.outcomes)

    @property
    def answered(self) -> tuple[str, ...]:
        """The symbols whose stored rows this batch may change."""
        return tuple(outcome.symbol for outcome in self.outcomes if outcome.status not in FAILED)

    def bars_of(self, sessions: Days) -> pa.Table:
        """The bars of the symbols that answered, at these sessions."""
        bars = self.bars.filter(pc.is_in(self.bars["session"], pa.array(sessions)))
        return bars.filter(pc.is_in(bars["symbol"], pa.array(self.answered, pa.string())))

    def without(self, rescaled: Mapping[str, float]) -> "Batch":
        """The batch without symbols that arrived on another scale, given as symbol to factor; they end as rejected."""
        if not rescaled:
            return self
        outcomes = [
            Outcome(outcome.symbol, "rejected", _another_scale(rescaled[outcome.symbol]))
            if outcome.symbol in rescaled
            else outcome
            for outcome in self.outcomes
        ]
        names = pa.array(list(rescaled), pa.string())
        bars, quarantine = (
            rows.filter(pc.invert(pc.is_in(rows["symbol"], names))) for rows in (self.bars, self.quarantine)
        )
        return replace(self, bars=bars, quarantine=quarantine, outcomes=tuple(outcomes))


def validate(fetched: Fetched, market: Market, source: str, now: dt.datetime) -> Batch:
    """Apply the rules to every bar; `now` is when the source was asked, UTC.

    A good bar gets the moment at which it became known, and whether its session was over and settled by then.
    """
    bars = _each_once(fetched.bars)
    rule = broken_rule(bars, market, now)
    rows = pa.table(
        {
            "symbol": pa.array(bars["symbol"], pa.string()),
            "session": pa.array(bars["session"].to_numpy().astype("datetime64[D]"), pa.date32()),
            **{name: pa.array(bars[name].to_numpy(np.float64), from_pandas=True) for name in BAR_VALUES},
            "source": pa.repeat(pa.scalar(source), len(bars)),
            "fetched_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), len(bars)),
        }
    )
    good = rows.filter(pa.array(rule == ""))
    bad = rows.append_column("rule", pa.array(rule, pa.string())).filter(pa.array(rule != ""))
    moment = np.datetime64(now.replace(tzinfo=None), "s")
    settled = market.close_of(good["session"].to_numpy().astype("datetime64[D]"))
    settled += np.timedelta64(market.settle_minutes, "m")
    known = np.where(moment - settled > OBSERVED_WITHIN, settled, moment).astype("datetime64[us]")
    good = good.append_column("known_at", pa.array(known)).append_column("final", pa.array(settled <= moment))
    return Batch(good, bad, fetched.outcomes)


def _each_once(bars: pd.DataFrame) -> pd.DataFrame:
    """The bars without repetitions of identical ones."""
    again = np.array(bars.duplicated(list(BARS.key), keep=False))
    again[again] = bars[again].duplicated()
    return bars[~again]


def _another_scale(factor: float) -> str:
    return (
        f"its closes came back {factor:.4g} times as high: another currency, or a split without its event; "
        "what was stored stays. To accept the new scale, backfill from the market's start"
    )
