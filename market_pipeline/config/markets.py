"""A market: its calendar, its symbols, its hours. Each field is a key of the markets file.

Knows nothing of files, Dagster, DuckDB or where prices come from.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Annotated, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from market_pipeline.config.portfolios import MadePortfolio

if TYPE_CHECKING:
    import exchange_calendars as xc

Sessions: TypeAlias = npt.NDArray[np.datetime64]

FIRST_DAY = dt.date(1970, 1, 1)

Day: TypeAlias = Annotated[dt.date, Field(ge=FIRST_DAY)]
Days: TypeAlias = Annotated[tuple[Day, ...], Field(strict=False)]  # TOML has lists
Symbol: TypeAlias = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[^\s\p{C}]+( +[^\s\p{C}]+)*$",
        title="a name of 1 to 64 printable characters, no space at either end",
    ),
]
Exchange: TypeAlias = Annotated[str, Field(pattern="^[a-z0-9_]+$", title="a name of small letters, digits and '_'")]


@dataclass(
    frozen=True,
    config=ConfigDict(
        strict=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True, use_attribute_docstrings=True
    ),
)
class Market:
    """One exchange calendar and the symbols that follow it. All days are sessions of that calendar.

    The fields declare each key's meaning, type, bounds and example. A value that does not fit raises pydantic's
    ValidationError; markets_file.py translates it, and checks what concerns several keys.
    """

    name: str
    calendar_name: Annotated[str, Field(validation_alias="calendar", examples=['"XNYS"'])]
    """A calendar of exchange_calendars; `24/7` for coins. Required."""
    start: Annotated[Day, Field(examples=["2018-01-02"])]
    """The first day of the history. Required."""
    symbols: Annotated[tuple[Symbol, ...], Field(strict=False, min_length=1, examples=['["AAPL", "MSFT"]'])]
    """Symbols as the source spells them, each once. Required."""
    schedule_hour: Annotated[int, Field(ge=0, le=23)] = 4
    """Local hour of the daily run: past midnight, clear of the hours that daylight saving moves; from 3 for `24/7`."""
    settle_minutes: Annotated[int, Field(ge=0, le=1440)] = 60
    """A bar is final this many minutes after its session closed."""
    absurd_factor: Annotated[float, Field(gt=1)] = 5.0
    """A close this many times above or below its recent median is quarantined."""
    exchange: Exchange = "coinbaseexchange"
    """The exchange of the `exchange` source, as ccxt names it."""
    cross_check: Annotated[Exchange | None, Field(examples=['"bitstamp"'])] = None
    """The exchange whose closes the stored ones are compared with, as ccxt names it. Unset: none."""
    cross_check_tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Largest accepted difference of the two, as a share of the close."""
    cost_bps: Annotated[float, Field(ge=0, lt=10_000)] = 10.0
    """Cost of trading, in basis points of the value traded, for `strategies`."""
    listed: Annotated[Mapping[str, Day], Field(examples=["{NEW = 2024-03-01}"])] = field(default_factory=dict)
    """No bar of a symbol is expected before its day."""
    delisted: Annotated[Mapping[str, Day], Field(examples=["{OLD = 2022-10-27}"])] = field(default_factory=dict)
    """No bar of a symbol is expected after its day."""
    accepted_holes: Annotated[Mapping[str, Days], Field(examples=['{"SAP.DE" = [2020-07-01]}'])] = field(
        default_factory=dict
    )
    """Sessions of a symbol that no vendor has; they are not requested again."""
    portfolios: Annotated[
        tuple[MadePortfolio, ...], Field(strict=False, examples=["{mine = {AAPL = 0.5, MSFT = 0.5}}"])
    ] = ()
    """What is held together: by name, weights, equal weights, or a CSV file of holdings."""

    @cached_property
    def calendar(self) -> "xc.ExchangeCalendar":
        """The calendar from `start` to `last_day`; raises exchange_calendars' errors where it has no such days."""
        import exchange_calendars as xc

        return xc.get_calendar(self.calendar_name, start=self.start.isoformat(), end=self.last_day.isoformat())

    @cached_property
    def last_day(self) -> dt.date:
        """The last day of the calendar, the end of next year; partitions stay the same from day to day."""
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
        moment = np.datetime64(now.astimezone(dt.UTC).replace(tzinfo=None), "s")
        settled = self.closes + np.timedelta64(self.settle_minutes, "m") <= moment
        ended = self.sessions < np.datetime64(now.astimezone(ZoneInfo(self.timezone)).date())
        done = self.sessions[settled & ended]
        return done[-1].item() if len(done) else None

    def newest_due(self, now: dt.datetime) -> dt.date | None:
        """The newest session whose daily run has started by `now`, by the schedule."""
        local = now.astimezone(ZoneInfo(self.timezone))
        day = local.date() - dt.timedelta(days=int(local.hour < self.schedule_hour))
        return self.newest_closed(dt.datetime.combine(day, dt.time(self.schedule_hour), tzinfo=local.tzinfo))

    def due_at(self, session: dt.date) -> dt.datetime:
        """When the daily run of a session starts, by the schedule, UTC; `newest_due` is this session from then on."""
        closed = self.close_of(np.array([session], "datetime64[D]"))[0].item().replace(tzinfo=dt.UTC)
        final = closed + dt.timedelta(minutes=self.settle_minutes)
        hour = dt.time(self.schedule_hour, tzinfo=ZoneInfo(self.timezone))
        starts = (dt.datetime.combine(session + dt.timedelta(days=days), hour) for days in count(1))
        return next(start for start in starts if start >= final).astimezone(dt.UTC)

    def expected_sessions(self, symbol: str, first: dt.date, last: dt.date) -> Sessions:
        """The sessions of the range that should have a bar of the symbol: it is listed, and no hole is accepted."""
        since, until = max(first, self.listed.get(symbol, first)), min(last, self.delisted.get(symbol, last))
        sessions = self.sessions_between(since, until)
        accepted = self.accepted_holes.get(symbol)
        return np.setdiff1d(sessions, np.array(accepted, "datetime64[D]")) if accepted else sessions
