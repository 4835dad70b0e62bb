"""A market that needs no network: the same on every machine, whatever other symbols and sessions are requested with it.

`WALK*` are pure random walks, `AUTOREG*` has a planted, known predictability, `SIM*` are like real ones: a common
factor, fat tails, volatility that clusters and changes regime, splits and dividends of stocks, and a vendor's defects.
The verdicts can be judged against this truth. Knows no warehouse and no rule of what a good bar is.
"""

import datetime as dt
import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market, Sessions
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, outcome_of
from market_pipeline.storage.grids import Grid

PLANTED_AUTOCORRELATION = 0.35
"""Correlation of AUTOREG's successive returns; the square is the skill there is to find over one session."""

KINDS = ("AUTOREG", "WALK", "SIM")

DEFECTS = {
    "missing": 0.0015,
    "crossed": 0.0005,
    "hundredfold": 0.0005,
    "empty": 0.001,
    "twice": 0.0005,
    "closed": 0.002,
}
"""Share of SIM sessions with this defect of a vendor."""

DECIMALS = 8
"""Prices end here: processors differ in the last bits of an exponential, and no price is quoted so finely."""


class Path(NamedTuple):
    """All bars of one symbol from the market's start; (sessions,) each, as traded, defective values included."""

    open: Grid
    high: Grid
    low: Grid
    close: Grid
    volume: Grid
    dividend: Grid
    split_ratio: Grid
    defect: Grid
    """Position in DEFECTS of the session's defect, -1 without."""


class SimulatedSource:
    """Seeded prices for symbols named AUTOREG*, WALK* or SIM*; those ending in -USD behave like coins."""

    name = "simulated"

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed

    def problem(self) -> str | None:
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        parts, outcomes = list[dict[str, np.ndarray]](), list[Outcome]()
        for symbol in symbols:
            if not symbol.startswith(KINDS):
                cause = f"the simulated source has {', '.join(kind + '*' for kind in KINDS)} only"
                outcomes.append(Outcome(symbol, "unknown_symbol", cause))
                continue
            path = _path(self.seed, market.name, symbol, len(market.sessions))
            parts.append(_bars(symbol, path, market.sessions, first, last))
            outcomes.append(outcome_of(market, symbol, parts[-1]["session"].astype("datetime64[D]"), first, last))
        columns = {name: np.concatenate([part[name] for part in parts]) for name in BAR_COLUMNS} if parts else {}
        return Fetched(pd.DataFrame(columns, columns=list(BAR_COLUMNS)).astype({"symbol": str}), tuple(outcomes))


@lru_cache(maxsize=64)
def _path(seed: int, market: str, symbol: str, sessions: int) -> Path:
    """One symbol's path. Every column has a generator of its own, so that a longer path begins as a shorter one."""
    names = ("shock", "mood", "regime", "gap", "reach", "volume", "action", "defect")
    draw = {name: _generator(seed, f"{market} {symbol} {name}") for name in names}
    coin, real = symbol.endswith("-USD"), symbol.startswith("SIM")
    usual = 0.03 if coin else 0.013
    spread, returns = _returns(draw, symbol, sessions, usual)
    if real:
        returns = returns + 0.0003 + 0.6 * usual * _generator(seed, f"{market} common").standard_normal(sessions)
    dividend_yield, split_ratio = np.zeros(sessions), np.ones(sessions)
    if real and not coin:
        dividend_yield[63 + zlib.crc32(symbol.encode()) % 63 :: 63] = 0.005
        chance = draw["action"].random(sessions)
        split_ratio = np.select([chance < 1 / 2000, chance < 1 / 500], [3.0, 2.0], 1.0)
        split_ratio[0] = 1.0
    # A dividend of y times the last close takes that share out of the price: the adjustment factor run backwards.
    close = 100 * np.exp(np.cumsum(returns)) / np.cumprod(split_ratio / (1 - dividend_yield))
    before = np.concatenate([[close[0]], close[:-1]])
    opened = before * (1 - dividend_yield) / split_ratio * np.exp(0.3 * spread * draw["gap"].standard_normal(sessions))
    reach = np.abs(draw["reach"].standard_normal((sessions, 2))) * spread[:, None] / 2
    volume = np.round(1e6 * np.exp(np.abs(returns) / spread / 2 + 0.3 * draw["volume"].standard_normal(sessions)))
    defect = _defects(draw["defect"].random(sessions), quiet=(dividend_yield == 0) & (split_ratio == 1))
    prices = np.stack([
        opened,
        np.maximum(opened, close) * np.exp(reach[:, 0]),
        np.minimum(opened, close) * np.exp(-reach[:, 1]),
        close,
    ])  # fmt: skip
    dividend = np.round(dividend_yield * before / split_ratio, DECIMALS)
    defect = defect if real else np.full(sessions, -1)
    opened, high, low, close = _as_sent(np.round(prices, DECIMALS), defect)
    return Path(opened, high, low, close, volume, dividend, split_ratio, defect)


def _generator(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each name: PCG64 by name, since numpy may change what it takes by default."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def _autoregressive(shocks: Grid, coefficient: float) -> Grid:
    """Each value is its shock plus the coefficient times the value before it, which is 0 before the first."""
    return np.fromiter(accumulate(shocks.tolist(), lambda before, shock: coefficient * before + shock), float)


def _returns(draw: dict[str, np.random.Generator], symbol: str, sessions: int, usual: float) -> tuple[Grid, Grid]:
    """Volatility and own log return of each session."""
    constant = np.full(sessions, usual)
    if symbol.startswith("WALK"):
        return constant, usual * draw["shock"].standard_normal(sessions)
    if symbol.startswith("AUTOREG"):
        shocks = usual * draw["shock"].standard_normal(sessions)
        return constant, _autoregressive(shocks, PLANTED_AUTOCORRELATION)
    # Stochastic volatility (Taylor 1986): its logarithm is autoregressive; a regime of two levels on top.
    mood = _autoregressive(0.1 * draw["mood"].standard_normal(sessions), 0.97)
    stressed = np.cumsum(draw["regime"].random(sessions) < 1 / 120) % 2
    spread = usual * np.exp(mood) * np.where(stressed, 1.8, 0.9)
    # Student's t with 5 degrees has variance 5/3.
    return spread, spread * draw["shock"].standard_t(5, sessions) * np.sqrt(3 / 5)


def _defects(chance: Grid, quiet: np.ndarray) -> Grid:
    """The defect of each session; none on the first or on one with an action."""
    kind = np.searchsorted(np.cumsum(list(DEFECTS.values())), chance, side="right")
    defect = np.where((kind < len(DEFECTS)) & quiet, kind, -1)
    defect[0] = -1
    return defect


def _as_sent(prices: Grid, defect: Grid) -> Grid:
    """Open, high, low and close (4, sessions) with the defects that change a value."""
    has = {name: defect == place for place, name in enumerate(DEFECTS)}
    opened, high, low, close = np.where(has["hundredfold"], prices * 100, prices)
    crossed = has["crossed"]
    return np.stack([
        opened,
        np.where(crossed, low, high),
        np.where(crossed, high, low),
        np.where(has["empty"], np.nan, close),
    ])  # fmt: skip


def _bars(symbol: str, path: Path, sessions: Sessions, first: dt.date, last: dt.date) -> dict[str, np.ndarray]:
    """The rows from `first` to `last` as a vendor would send them: some missing, some twice, some on closed days."""
    kind = {name: np.flatnonzero(path.defect == place) for place, name in enumerate(DEFECTS)}
    sent = np.setdiff1d(np.arange(len(sessions)), kind["missing"])
    closed = kind["closed"][~np.isin(sessions[kind["closed"]] + 1, sessions)]
    rows = np.concatenate([sent, kind["twice"], closed])
    day = np.concatenate([sessions[sent], sessions[kind["twice"]], sessions[closed] + 1])
    again = np.repeat([0.0, 1.0, 0.0], [len(sent), len(kind["twice"]), len(closed)])
    asked = (day >= np.datetime64(first)) & (day <= np.datetime64(last))
    rows = rows[asked]
    columns = {name: getattr(path, name)[rows] for name in BAR_COLUMNS[2:]}
    columns["volume"] = columns["volume"] + again[asked]
    return {"symbol": np.full(len(rows), symbol, object), "session": day[asked].astype("datetime64[s]"), **columns}
