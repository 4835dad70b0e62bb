"""F8: a market under its schedule and sensors, hour by hour for a quarter; vendor, runs and machine fail now and then.

The schedule, the sensors, the instance, the warehouse and the loading of bars are real. A requested run is simulated:
it loads its bars and ends at once, with success, or it dies before or after it has stored something, as drawn.
"""

import datetime as dt
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np

from benchmarks.faults.forked import answer
from benchmarks.faults.protocol import Outcome
from benchmarks.faults.quick import Clock, Runs, quick
from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.orchestration.alerts import stale_markets
from market_pipeline.orchestration.chain import job_name
from market_pipeline.orchestration.jobs import jobs_of, schedules_of
from market_pipeline.orchestration.sensors import gaps_sensor, restatements_sensor
from market_pipeline_tests.cached_pipeline import CachedPipeline
from market_pipeline_tests.vendor import Vendor

CALENDARS = ("XNYS", "24/7", "XLON", "XTKS")
"""Clocks change in two of them, on different days; 2024 has a leap day."""

QUARTERS = (dt.date(2024, 2, 1), dt.date(2024, 5, 1), dt.date(2024, 8, 1), dt.date(2024, 11, 1), dt.date(2025, 2, 1))
"""Of the simulated year: a trial of all of it would take ten minutes."""

BEFORE = dt.timedelta(days=60)
"""Of bars that are there when a quarter begins."""

MISSED_TICKS = 5
"""So many missed times of a schedule Dagster makes up for after a sleep."""

DYING = 0.05
"""The share of runs that die, half of them before they store anything."""

PATIENCE = 3600.0
"""Seconds of a trial, on a machine that has other work too."""

SETTLED = dt.timedelta(days=3)
"""How long before the end a gap may be open: a bar may be 40 hours late, and the next request waits for up to 32."""

LOGGED = "select count(*) as logged from restatements where recompute"


class SimulatedYear:
    """Each trial: a quarter of the year in one calendar, with outages, late and changed bars, and sleep, as drawn."""

    name = "F8"
    continued = False
    title = "quarters of a simulated year under schedule and sensors: outages, late and changed bars, a week of sleep"
    aim = "0 false alarms, 0 missed, 0 repeated requests"
    full = 64
    minutes = 180.0

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.folder = folder

    def trial(self, seed: int) -> Outcome:
        calendar, quarter = CALENDARS[seed % len(CALENDARS)], seed // len(CALENDARS) % (len(QUARTERS) - 1)

        def lived() -> tuple[str, dict[str, float]]:
            shutil.rmtree(self.folder / "year", ignore_errors=True)
            year = Year(self.folder / "year", calendar, quarter, seed)
            year.live()
            return year.fault(), year.numbers()

        fault, numbers = answer(lived, self.folder, PATIENCE)
        return Outcome(f"quarters of {calendar}", fault, numbers=numbers)


class Year:
    """A quarter of the year: what the daemon would evaluate, and what came of it."""

    def __init__(self, folder: Path, calendar: str, quarter: int, seed: int) -> None:
        self.first, self.end = QUARTERS[quarter : quarter + 2]
        toml = f'[stocks]\ncalendar = "{calendar}"\nstart = {self.first - BEFORE}\nsymbols = ["WALK1", "AUTOREG"]\n'
        self.pipeline = CachedPipeline(folder, toml)
        self.market = self.pipeline.market
        self.warehouse = self.pipeline.warehouse
        self.start = first_session(self.market)
        self.zone = ZoneInfo(self.market.timezone)
        self.clock = Clock(dt.datetime.combine(self.first, dt.time(12), dt.UTC))
        self.runs = Runs(self.pipeline.instance)
        self.draw = np.random.default_rng(seed)
        self.vendor = self.pipeline.source = Vendor(self.market, self.end + BEFORE, seed)
        self.resources = {"warehouse": self.warehouse, "source": self.vendor}
        self.schedule, jobs = schedules_of(self.market)[0], jobs_of(self.market)
        self.sensors = [
            (sensor, dg.build_sensor_context(self.pipeline.instance, resources=self.resources))
            for sensor in (gaps_sensor(self.market, jobs), restatements_sensor(self.market))
        ]
        self.keys = set[str | None]()
        self.requests, self.died, self.repeated = 0, 0, list[str]()
        self.refused = list[str]()
        self.false_alarms, self.missed_alarms = list[str](), list[str]()
        self.changed, self.recomputed, self.handled = 0, 0, 0
        self.sleeping, self.slept = self._span(24 * 7, 24 * 7), 0
        self.outages = [self._span(6, 24 * 10), self._span(2, 24)]

    def _span(self, shortest: int, longest: int) -> tuple[dt.datetime, dt.datetime]:
        """A span of hours somewhere in the quarter, ended weeks before its end."""
        since = dt.datetime.combine(self.first, dt.time(), dt.UTC) + dt.timedelta(
            hours=int(self.draw.integers(24, 24 * 60))
        )
        return since, since + dt.timedelta(hours=int(self.draw.integers(shortest, longest + 1)))

    def live(self) -> None:
        """Hour by hour; the bars before the quarter are there."""
        with self.clock.running(), quick(self.runs, self.sensors[0][1].resources):
            self._hours()

    def _hours(self) -> None:
        moment = self.clock.moment
        closes = self.market.close_of(self.vendor.bars["session"].to_numpy().astype("datetime64[D]"))
        late = np.where(self.draw.random(len(closes)) < 0.03, 40, 0).astype("timedelta64[h]")
        self.pipeline.compute(("prices",), self.start, self.market.newest_closed(moment) or self.start)
        changes = {int(hour) for hour in self.draw.integers(100, 24 * 80, 3)}
        hour = 0
        while moment < dt.datetime.combine(self.end, dt.time(), dt.UTC):
            self.clock.set(moment)
            self.vendor.missing = closes + late > np.datetime64(moment.replace(tzinfo=None), "s")
            self.vendor.down = any(since <= moment < until for since, until in self.outages)
            if hour in changes:
                self._change()
            if self.sleeping[0] <= moment < self.sleeping[1]:
                self.slept += 1
            else:
                self._tick(moment)
            moment += dt.timedelta(hours=1)
            hour += 1

    def _change(self) -> None:
        """The vendor changes the newest stored close by a thousandth."""
        newest = self.warehouse.read("select max(session) as newest from prices")["newest"][0].as_py()
        self.vendor.bars.loc[self.vendor.where("WALK1", newest), "close"] *= 1.001
        self.vendor.bars.loc[self.vendor.where("WALK1", newest), "high"] *= 1.01
        self.changed += 1

    def _tick(self, moment: dt.datetime) -> None:
        """What the daemon evaluates in this hour; after a sleep, the newest missed times of the schedule too."""
        hours = [moment - dt.timedelta(hours=back) for back in range(self.slept, -1, -1)]
        due = [hour for hour in hours if hour.astimezone(self.zone).hour == self.market.schedule_hour]
        self.slept = 0
        for hour in due[-MISSED_TICKS:]:
            asked = self.schedule(dg.build_schedule_context(self.pipeline.instance, hour, resources=self.resources))
            if isinstance(asked, dg.RunRequest):
                self._run(moment, asked, "daily", "the schedule")
        for sensor, context in self.sensors:
            answered = sensor(context)
            assert isinstance(answered, dg.SensorResult)
            if answered.cursor:
                context.update_cursor(answered.cursor)
            for request in answered.run_requests or []:
                self._run(moment, request, "downstream", sensor.name)
        self._alarm(moment)

    def _run(self, moment: dt.datetime, request: dg.RunRequest, job: str, by: str) -> None:
        """Run a request whose key is new, of `job` where it names none, and record how it ended."""
        if request.run_key in self.keys:
            return
        self.keys.add(request.run_key)
        name, tags = request.job_name or job_name(self.market, job), dict(request.tags)
        first, last = (
            dt.date.fromisoformat(request.partition_key or tags[f"dagster/asset_partition_range_{end}"])
            for end in ("start", "end")
        )
        again = name == job_name(self.market, "downstream")
        needless = self._logged() <= self.handled if again else self._complete(first, last)
        self.recomputed, self.requests = self.recomputed + again, self.requests + (not again)
        if needless:
            self.repeated.append(f"{by} at {moment:%Y-%m-%d %H:%M} UTC for {first} to {last}")
        dies, before = self.draw.random() < DYING, self.draw.random() < 0.5
        stored = not (dies and before) and (again or self._loaded(first, last))
        self.died += dies
        if again and stored and not dies:
            self.handled = self._logged()
        self.runs.end(name, tags, succeeded=stored and not dies)

    def _complete(self, first: dt.date, last: dt.date) -> bool:
        """Whether no bar is missing of these sessions."""
        missing = self._missing()
        return not any(missing.get(day, 1) for day in self.market.sessions_between(first, last).tolist())

    def _loaded(self, first: dt.date, last: dt.date) -> bool:
        """Load the bars of these sessions; whether the vendor had any."""
        try:
            self.pipeline.compute(("prices",), first, last)
        except SourceError as error:
            if not self.vendor.down and self._lacking(first, last):
                self.refused.append(f"{first} to {last}: {error}")
            return False
        return True

    def _lacking(self, first: dt.date, last: dt.date) -> set[tuple[str, dt.date]]:
        """The bars of these sessions that the vendor has, and the warehouse not."""
        bars = self.vendor.bars[~self.vendor.missing & self.vendor.bars["session"].dt.date.between(first, last)]
        stored = self.warehouse.read("select symbol, session from prices").to_pylist()
        return {*zip(bars["symbol"], bars["session"].dt.date, strict=True)} - {
            (r["symbol"], r["session"]) for r in stored
        }

    def _logged(self) -> int:
        """How many restatements are logged that need a run."""
        return int(self.warehouse.read(LOGGED)["logged"][0].as_py())

    def _missing(self) -> dict[dt.date, int]:
        """Symbols without a bar, of each session that was ever requested."""
        rows = self.warehouse.read("select session, missing from coverage")
        return dict(zip(rows["session"].to_pylist(), rows["missing"].to_pylist(), strict=True))

    def _alarm(self, moment: dt.datetime) -> None:
        """Compare the alarm with the calendar, by hand: a session is due six hours after the next local midnight."""
        alarm = bool(list(stale_markets(self.warehouse, [self.market], moment)))
        local = moment.astimezone(self.zone)
        due = (local.replace(tzinfo=None) - dt.timedelta(hours=self.market.schedule_hour + 2)).date()
        expected = max(day for day in self.market.sessions_between(self.start, due).tolist() if day < due)
        newest = self.warehouse.read("select max(session) as newest from prices where final")["newest"][0].as_py()
        if alarm and newest >= expected:
            self.false_alarms.append(f"{local:%Y-%m-%d %H:%M}")
        if not alarm and newest < expected:
            self.missed_alarms.append(f"{local:%Y-%m-%d %H:%M}")

    def fault(self) -> str:
        """What was wrong."""
        missing = self._missing()
        newest = self.market.newest_closed(self.clock.moment - SETTLED) or self.end
        sessions = self.market.sessions_between(self.start, newest).tolist()
        holes = [str(day) for day in sessions if missing.get(day, 1)]
        pending = [f"number {number}" for number in range(self.handled + 1, self._logged() + 1)]
        wrong = {"missed sessions": holes, "stored bars that differ from the vendor's": self._different(newest),
                 "changed values without a run": pending, "repeated requests": self.repeated,
                 "loads that failed though there were bars": self.refused,
                 "false alarms": self.false_alarms, "missed alarms": self.missed_alarms}  # fmt: skip
        return "; ".join(f"{len(found)} {name}, the first {found[0]}" for name, found in wrong.items() if found)

    def _different(self, newest: dt.date) -> list[str]:
        """Bars up to a session whose close is not the vendor's last one."""
        rows = self.warehouse.read("select symbol, session, close from prices").to_pylist()
        stored = {(row["symbol"], row["session"]): row["close"] for row in rows}
        bars = self.vendor.bars[self.vendor.bars["session"].dt.date <= newest]
        found = zip(bars["symbol"], bars["session"].dt.date, bars["close"], strict=True)
        return [f"{symbol} {day}" for symbol, day, close in found if stored.get((symbol, day), close) != close]

    def numbers(self) -> dict[str, float]:
        return {"requests of bars": self.requests, "requests after changed values": self.recomputed,
                "changed values": self.changed, "runs that died": self.died}  # fmt: skip


def first_session(market: Market) -> dt.date:
    """The first session of a market's history."""
    first: dt.date = market.sessions_between(market.start, dt.date.max)[0].item()
    return first
