"""What of a market is missing, and the next run that fills some of it. Knows no Dagster.

A gap is a session without all of its bars, a session with bars and without forecasts, or a month without models.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import Job
from market_pipeline.orchestration.requests import Memory, configuration_of
from market_pipeline.storage.warehouse import Warehouse

LOOKBACK = dt.timedelta(days=31)
"""How far back new gaps are looked for. One that was requested remains a gap until it is filled."""

COVERED = "select session, missing, present, asked_at from coverage where market = $market"
FORECAST = "select distinct origin from forecasts where market = $market"
TRAINED = "select distinct month from models where market = $market"


class Covered(NamedTuple):
    """The result of requesting a session: symbols missing and present, time of the last request, UTC without a zone."""

    missing: int
    present: int
    asked_at: dt.datetime


@dataclass(frozen=True)
class Stored:
    """What is stored of a market: sessions that were requested, origins with forecasts, months with models."""

    covered: Mapping[dt.date, Covered]
    origins: Collection[dt.date]
    trained: Collection[dt.date]


class Gap(NamedTuple):
    """What is missing of a session or a month."""

    of: Literal["bars", "forecasts", "models"]
    day: dt.date
    state: str
    """What may fill it: another state is a reason to request it again."""
    tried: dt.datetime | None = None
    """When a run last tried to fill it, UTC without a zone; None if none ever did."""

    @property
    def subject(self) -> str:
        return f"{self.of} {self.day}"


class Repair(NamedTuple):
    """A job to run, its first and last partition, and the gaps that it may fill."""

    job: Job
    first: dt.date
    last: dt.date
    fills: tuple[Gap, ...]


def stored_of(market: Market, warehouse: Warehouse) -> Stored:
    """What is stored of a market; nothing before the first backfill."""
    covered, origins, trained = (
        warehouse.read(query, {"market": market.name}) for query in (COVERED, FORECAST, TRAINED)
    )
    return Stored(
        {row.pop("session"): Covered(**row) for row in covered.to_pylist()},
        frozenset(origins["origin"].to_pylist()),
        frozenset(trained["month"].to_pylist()),
    )


def bar_gaps(market: Market, stored: Stored, memory: Memory, newest: dt.date) -> list[Gap]:
    """Sessions that were never requested or lack a symbol, oldest first."""
    configuration, covered = configuration_of(market), stored.covered
    last = max((session for session, found in covered.items() if found.present), default=dt.date.min)
    gaps = []
    for session in _looked_at(market, covered, memory, "bars", newest):
        found = covered.get(session)
        if found is None or found.missing:
            present = found.present if found else 0
            # Bars of a later session show that an outage is over.
            state = f"{configuration} {present} {present == 0 and last > session}"
            gaps.append(Gap("bars", session, state, found and found.asked_at))
    return gaps


def forecast_gaps(market: Market, stored: Stored, memory: Memory, newest: dt.date) -> list[Gap]:
    """Sessions with bars and without forecasts, oldest first; without a bar, there is nothing to forecast from."""
    configuration, gaps = configuration_of(market), []
    for session in _looked_at(market, stored.origins, memory, "forecasts", newest):
        found = stored.covered.get(session)
        if found and found.present and session not in stored.origins:
            state = f"{configuration} {found.present} {session.replace(day=1) in stored.trained}"
            gaps.append(Gap("forecasts", session, state, found.asked_at))
    return gaps


def model_gaps(market: Market, stored: Stored, first: dt.date, last: dt.date) -> list[Gap]:
    """Months of the sessions from `first` to `last` without models although an earlier month has some."""
    months = {session.replace(day=1) for session in market.sessions_between(first, last).tolist()}
    gaps = []
    for month in sorted(month for month in months - set(stored.trained) if month > min(stored.trained, default=month)):
        bars = sum(found.present for session, found in stored.covered.items() if session < month)
        gaps.append(Gap("models", month, f"{configuration_of(market)} {bars}"))
    return gaps


def next_repair(market: Market, stored: Stored, memory: Memory, newest: dt.date, now: dt.datetime) -> Repair | None:
    """The next run with a reason at `now`: bars first, then training, then everything by session.

    After an outage over a month's end, forecasts wait for the month's models, and these for the bars before the month.
    """
    bars = bar_gaps(market, stored, memory, newest)
    forecasts = forecast_gaps(market, stored, memory, newest)
    missing_bars, requested = _requested(bars, memory, now), _requested([*bars, *forecasts], memory, now)
    first = min((gap.day for gap in requested), default=newest)
    models = model_gaps(market, stored, first, newest)
    if models:
        past = market.sessions_between(min(stored.covered), models[-1].day - dt.timedelta(days=1)).tolist()
        if set(past) <= set(stored.covered) and _requested(models, memory, now):
            return Repair("monthly", models[0].day, models[-1].day, tuple(models))
        trained = [gap for gap in forecasts if gap.day < models[0].day]
        return _repair("prices", missing_bars, bars, newest) or _repair(
            "downstream", _requested(trained, memory, now), trained, trained[-1].day if trained else newest
        )
    return _repair("daily" if missing_bars else "downstream", requested, [*bars, *forecasts], newest)


def unfilled(market: Market, stored: Stored, memory: Memory, newest: dt.date) -> list[str]:
    """The subjects of all gaps, those that wait included."""
    gaps = [*bar_gaps(market, stored, memory, newest), *forecast_gaps(market, stored, memory, newest)]
    months = [gap for gap in memory.made if gap.startswith("models ")]
    trained = {f"models {month}" for month in stored.trained}
    return [*(gap.subject for gap in gaps), *(month for month in months if month not in trained)]


def _looked_at(
    market: Market, known: Collection[dt.date], memory: Memory, of: str, newest: dt.date
) -> Iterable[dt.date]:
    """The sessions of the last month, or since the newest known one, and older ones that were requested before."""
    if not known:
        return []
    since = max(min(newest - LOOKBACK, max(known)), min(known))
    named = (subject.partition(" ") for subject in memory.made)
    before = {dt.date.fromisoformat(day) for kind, _, day in named if kind == of}
    return sorted(before | set(market.sessions_between(since, newest).tolist()))


def _requested(gaps: Iterable[Gap], memory: Memory, now: dt.datetime) -> list[Gap]:
    return [gap for gap in gaps if memory.allows(gap.subject, gap.state, now, gap.tried)]


def _repair(job: Job, requested: list[Gap], gaps: list[Gap], last: dt.date) -> Repair | None:
    """A run from the oldest requested gap to `last`, which may fill every later gap as well; None without one."""
    first = min((gap.day for gap in requested), default=None)
    return None if first is None else Repair(job, first, last, tuple(gap for gap in gaps if gap.day >= first))
