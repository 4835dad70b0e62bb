"""A market: its calendar, its symbols, its hours; and the TOML file that declares markets.

Knows nothing of Dagster, DuckDB or where prices come from.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import exchange_calendars as xc
import numpy as np
import numpy.typing as npt
import pandas as pd

from market_pipeline.errors import ConfigurationError

Sessions: TypeAlias = npt.NDArray[np.datetime64]

KEYS = {
    "calendar", "start", "symbols", "listed", "delisted",
    "schedule_hour", "settle_minutes", "absurd_factor", "accepted_holes",
    "exchange", "cross_check", "cross_check_tolerance", "cost_bps",
}  # fmt: skip

AS_WRITTEN = {
    "schedule_hour", "settle_minutes", "absurd_factor", "exchange", "cross_check", "cross_check_tolerance",
    "cost_bps",
}  # fmt: skip


@dataclass(frozen=True)
class Market:
    """One exchange calendar and the symbols that follow it. All days are sessions of that calendar."""

    name: str
    calendar_name: str
    start: dt.date
    symbols: tuple[str, ...]
    schedule_hour: int = 4
    """Local hour of the daily run: past midnight, clear of the hours that daylight saving moves."""
    settle_minutes: int = 60
    """A bar is final this long after its session closed."""
    absurd_factor: float = 5.0
    """A close this many times above or below its recent median is held back."""
    exchange: str = "coinbaseexchange"
    """Which exchange the `exchange` source asks, as ccxt names it."""
    cross_check: str | None = None
    """The exchange whose closes the stored ones are held against, as ccxt names it."""
    cross_check_tolerance: float = 0.02
    """Share of a close by which the two may differ."""
    cost_bps: float = 10.0
    """What it costs to trade, in basis points of the value traded."""
    listed: Mapping[str, dt.date] = field(default_factory=dict)
    delisted: Mapping[str, dt.date] = field(default_factory=dict)
    accepted_holes: Mapping[str, tuple[dt.date, ...]] = field(default_factory=dict)
    """Sessions of a symbol that no vendor will ever fill: nobody asks for them again."""

    @cached_property
    def calendar(self) -> xc.ExchangeCalendar:
        return xc.get_calendar(self.calendar_name, start=self.start.isoformat(), end=self.last_day.isoformat())

    @cached_property
    def last_day(self) -> dt.date:
        """The last day that the calendar tells of; fixed, so that partitions stay the same from day to day."""
        return dt.date(dt.datetime.now(dt.UTC).year + 1, 12, 31)

    @property
    def timezone(self) -> str:
        return str(self.calendar.tz)

    @cached_property
    def sessions(self) -> Sessions:
        """Every session from the first one at or after `start`, as days; shape (sessions,)."""
        days: Sessions = self.calendar.sessions.to_numpy().astype("datetime64[D]")
        return days

    @cached_property
    def closes(self) -> np.ndarray:
        """The moment each session closes, UTC seconds; shape (sessions,)."""
        moments: np.ndarray = self.calendar.closes.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        return moments

    def sessions_between(self, first: dt.date, last: dt.date) -> Sessions:
        """The sessions from `first` to `last`, both included, in order."""
        return self.sessions[(self.sessions >= np.datetime64(first)) & (self.sessions <= np.datetime64(last))]

    def session_after(self, sessions: Sessions, steps: int) -> Sessions:
        """The session `steps` sessions after each given one; NaT past the calendar's end."""
        position = np.searchsorted(self.sessions, sessions) + steps
        known = position < len(self.sessions)
        return np.where(known, self.sessions[np.minimum(position, len(self.sessions) - 1)], np.datetime64("NaT"))

    def close_of(self, sessions: Sessions) -> np.ndarray:
        """The moment each given session closes, UTC."""
        return self.closes[np.searchsorted(self.sessions, sessions)]

    def newest_closed(self, now: dt.datetime) -> dt.date | None:
        """The newest session whose partition exists at `now`: closed, settled, and local midnight passed."""
        local_midnight = pd.Timestamp(now).tz_convert(self.timezone).normalize()
        moment = np.datetime64(pd.Timestamp(now).tz_convert("UTC").tz_localize(None), "s")
        settled = self.closes + np.timedelta64(self.settle_minutes, "m") <= moment
        ended = self.sessions < np.datetime64(local_midnight.date())
        done = self.sessions[settled & ended]
        return done[-1].item() if len(done) else None

    def newest_due(self, now: dt.datetime) -> dt.date | None:
        """The newest session whose daily run has started by `now`, as the schedule has it."""
        local = pd.Timestamp(now).tz_convert(self.timezone)
        day = local.normalize() if local.hour >= self.schedule_hour else local.normalize() - pd.Timedelta(1, "D")
        start = dt.datetime.combine(day.date(), dt.time(self.schedule_hour), tzinfo=ZoneInfo(self.timezone))
        return self.newest_closed(start)

    def expected_sessions(self, symbol: str, first: dt.date, last: dt.date) -> Sessions:
        """The sessions of the range at which a symbol should have a bar: listed, and no hole accepted for good."""
        since, until = max(first, self.listed.get(symbol, first)), min(last, self.delisted.get(symbol, last))
        sessions = self.sessions_between(since, until)
        accepted = self.accepted_holes.get(symbol)
        return np.setdiff1d(sessions, np.array(accepted, "datetime64[D]")) if accepted else sessions


def packaged_config(source: str) -> Path:
    """The markets file used when none is configured: a real universe, or the simulated one."""
    name = "simulated.toml" if source == "simulated" else "markets.toml"
    return Path(str(files("market_pipeline.config"))) / name


def load_markets(path: Path) -> tuple[Market, ...]:
    """Every market that the TOML file declares, in its order; raises ConfigurationError naming the fault."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"The markets file {path} does not exist. Check MARKET_PIPELINE_CONFIG.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from None
    if not tables:
        raise ConfigurationError(f"{path} declares no market. Add a table such as [stocks].")
    return tuple(_market(path, name, table) for name, table in tables.items())


def _market(path: Path, name: str, table: Any) -> Market:
    where = f"[{name}] in {path}"
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: {name!r} stands outside a market. Put it below a table such as [stocks].")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ConfigurationError(f"{where}: a market's name is letters, digits and '_', for it names assets.")
    if unknown := sorted(set(table) - KEYS):
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}. The keys are {', '.join(sorted(KEYS))}.")
    if missing := [key for key in ("calendar", "start", "symbols") if key not in table]:
        raise ConfigurationError(f"{where}: {missing[0]!r} is missing.")
    market = Market(
        name=name,
        calendar_name=_calendar_name(where, table["calendar"]),
        start=_day(where, "start", table["start"]),
        symbols=_symbols(where, table["symbols"]),
        listed={s: _day(where, f"listed.{s}", day) for s, day in table.get("listed", {}).items()},
        delisted={s: _day(where, f"delisted.{s}", day) for s, day in table.get("delisted", {}).items()},
        accepted_holes={
            s: tuple(_day(where, f"accepted_holes.{s}", day) for day in days)
            for s, days in table.get("accepted_holes", {}).items()
        },
        **{key: table[key] for key in AS_WRITTEN if key in table},
    )
    for key in ("listed", "delisted", "accepted_holes"):
        if strangers := sorted(set(getattr(market, key)) - set(market.symbols)):
            raise ConfigurationError(f"{where}: {key} names {strangers[0]!r}, which is not among the symbols.")
    earliest = 3 if market.calendar_name == "24/7" else 0
    if not (isinstance(market.schedule_hour, int) and earliest <= market.schedule_hour <= 23):
        raise ConfigurationError(
            f"{where}: schedule_hour is {market.schedule_hour!r}, but the daily run starts at an hour from "
            f"{earliest} to 23 of {market.timezone} time; vendors need the first hours after midnight."
        )
    _refuse_bad_exchanges(where, market)
    if not (isinstance(market.cost_bps, int | float) and 0 <= market.cost_bps < 1e4):
        raise ConfigurationError(
            f"{where}: cost_bps is {market.cost_bps!r}, but is a cost in basis points, such as 10."
        )
    if market.start >= dt.datetime.now(dt.UTC).date():
        raise ConfigurationError(f"{where}: start is {market.start}, which is not in the past.")
    return market


def _refuse_bad_exchanges(where: str, market: Market) -> None:
    for key, value in (("exchange", market.exchange), ("cross_check", market.cross_check or "")):
        if not isinstance(value, str):
            raise ConfigurationError(f'{where}: {key} is {value!r}, but names an exchange such as "bitstamp".')
    tolerance = market.cross_check_tolerance
    if not (isinstance(tolerance, int | float) and 0 < tolerance < 1):
        raise ConfigurationError(
            f"{where}: cross_check_tolerance is {tolerance!r}, but is a share of the close, such as 0.02."
        )


def _calendar_name(where: str, value: Any) -> str:
    if value not in xc.get_calendar_names():
        raise ConfigurationError(
            f"{where}: {value!r} is not a calendar of exchange_calendars. "
            "Stocks in New York are 'XNYS', Frankfurt 'XETR', London 'XLON', Tokyo 'XTKS'; crypto is '24/7'."
        )
    return str(value)


def _day(where: str, key: str, value: Any) -> dt.date:
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise ConfigurationError(f"{where}: {key} is {value!r}, but must be a date such as 2018-01-02 (no quotes).")
    return value


def _symbols(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(symbol, str) and symbol for symbol in value):
        raise ConfigurationError(f'{where}: symbols must be a list of names such as ["AAPL", "MSFT"].')
    if not value:
        raise ConfigurationError(f"{where}: the list of symbols is empty. Name at least one.")
    if repeated := _first_repeated(value):
        raise ConfigurationError(f"{where}: the symbol {repeated!r} is listed twice. Remove one.")
    return tuple(value)


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
