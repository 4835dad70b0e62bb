"""Dagster runs started from the command line: which ones a range needs, and how they end.

They run in this process, through the same definitions and the same instance as the web server's.
"""

import datetime as dt
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError, MarketPipelineError
from market_pipeline.orchestration.event_log import gather_events
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline.storage.warehouse import Warehouse

UNPARTITIONED = ("leaderboard", "signals", "mart")
BY_MONTH = ("models", "forecasts")
ROOMS = ("prices", "cross_check", "indicators", "models", "forecasts", "scores", *UNPARTITIONED)


@dataclass(frozen=True)
class PlannedRun:
    """One Dagster run: rooms of a market over a range of sessions, or of months."""

    market: str
    rooms: tuple[str, ...]
    first: dt.date
    last: dt.date

    @property
    def title(self) -> str:
        return f"{self.market}: {', '.join(self.rooms)}"

    @property
    def parts_of(self) -> dict[str, int]:
        """Room to the parts of its work that are told one by one: months, where the log has a line for each."""
        months = 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1
        return {room: months if room in BY_MONTH else 1 for room in self.rooms}

    @property
    def parts(self) -> int:
        return sum(self.parts_of.values())


Progress = Callable[[int, int, str], None]
"""Called with the parts done, the parts in all, and the newest line of the run's log."""


def plan(
    market: Market, warehouse: Warehouse, first: dt.date, last: dt.date, rooms: Sequence[str], *, from_start: bool
) -> list[PlannedRun]:
    """The runs that a range needs, one for each partitioning: sessions, months, and sessions that need the months.

    Indicators accumulate from the market's start: with `from_start`, bars and indicators begin at the oldest session
    that is not there yet.
    """
    chosen = tuple(room for room in ROOMS if room in rooms and (room != "cross_check" or market.cross_check))
    if not chosen:
        raise ConfigurationError(
            f'{market.name} names no second source. Set cross_check = "bitstamp", say, in [{market.name}].'
        )
    runs = []
    inputs = tuple(room for room in chosen if room in ("prices", "cross_check", "indicators"))
    if inputs:
        since = oldest_absent(market, warehouse, first) if from_start else first
        runs.append(PlannedRun(market.name, inputs, since, last))
    if "models" in chosen:
        runs.append(PlannedRun(market.name, ("models",), first.replace(day=1), last.replace(day=1)))
    outputs = tuple(room for room in chosen if room in ("forecasts", "scores", *UNPARTITIONED))
    if outputs:
        runs.append(PlannedRun(market.name, outputs, first, last))
    return runs


def oldest_absent(market: Market, warehouse: Warehouse, first: dt.date) -> dt.date:
    """The oldest session before `first` that was never asked for or has no indicators; `first` if there is none."""
    rows = warehouse.read(
        "select distinct c.session from coverage c left join indicators i using (market, session) "
        "where c.market = $market and (i.session is not null or c.present = 0)",
        {"market": market.name},
    )
    held = set(rows["session"].to_pylist())
    past = market.sessions_between(market.start, first - dt.timedelta(days=1)).tolist()
    return min((session for session in past if session not in held), default=first)


def check_range(market: Market, first: dt.date, last: dt.date, now: dt.datetime) -> tuple[dt.date, dt.date]:
    """The first and last closed session of a range; raises ConfigurationError when it cannot be loaded."""
    newest = market.newest_closed(now)
    if first > last:
        raise ConfigurationError(f"The range ends ({last}) before it starts ({first}). Swap --start and --end.")
    if newest is None or last > newest:
        raise ConfigurationError(
            f"{market.name}: the range ends at {last}, but the newest closed session is {newest}. "
            f"Nothing can be known of later ones: end at {newest} or before."
        )
    if first < market.start:
        raise ConfigurationError(
            f"{market.name} starts at {market.start}, but the range starts at {first}. Start later, or set an earlier "
            f"start for [{market.name}] in the markets file."
        )
    sessions = market.sessions_between(first, last)
    if not len(sessions):
        raise ConfigurationError(
            f"{market.name} has no session from {first} to {last}: {market.calendar_name} was closed."
        )
    return sessions[0].item(), sessions[-1].item()


def warehouse_of(settings: Settings) -> Warehouse:
    """The warehouse of this home."""
    return Warehouse(settings.warehouse, settings.source)


def untrained_month(settings: Settings, market: Market, session: dt.date) -> bool:
    """Whether the session's month has no models yet."""
    rows = warehouse_of(settings).read(
        "select count(*) as rows from models where market = $market and month = $month",
        {"market": market.name, "month": session.replace(day=1)},
    )
    return bool(rows["rows"][0].as_py() == 0)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of this home, made on first use."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(dagster_yaml(), home / "dagster.yaml")
    gather_events()
    return _instance_at(home)


def _instance_at(home: Path) -> dg.DagsterInstance:
    """The instance that `dagster.yaml` of this folder describes.

    What it says relative to the folder it asks of the environment, as in every process of the web server.
    """
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        return dg.DagsterInstance.from_config(str(home))
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def last_beat(settings: Settings) -> dt.datetime | None:
    """When the daemon of this home last gave a sign of life, UTC; None where none ever did."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        return None
    with _instance_at(settings.dagster_home) as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return dt.datetime.fromtimestamp(max(beats), dt.UTC) if beats else None


def dagster_yaml() -> Path:
    """The instance's configuration: in the package when installed, at the top level of a checkout."""
    packaged = Path(str(files("market_pipeline"))) / "dagster.yaml"
    return packaged if packaged.is_file() else packaged.parent.parent / "dagster.yaml"


def execute(planned: PlannedRun, definitions: dg.Definitions, instance: dg.DagsterInstance, progress: Progress) -> None:
    """Run it to its end; raises MarketPipelineError in the words of whatever stopped it."""
    keys = [dg.AssetKey("mart" if room == "mart" else [planned.market, room]) for room in planned.rooms]
    job = definitions.resolve_implicit_global_asset_job_def()
    run_id = str(uuid.uuid4())
    parts = dict(zip(("__".join(key.path) for key in keys), planned.parts_of.values(), strict=True))
    log = RunLog(parts)
    instance.add_event_listener(run_id, log.take)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            job.execute_in_process,
            instance=instance,
            asset_selection=keys,
            tags=range_tags(planned.first, planned.last),
            raise_on_error=False,
            run_id=run_id,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        try:
            while not running.done():
                wait([running], timeout=0.3)
                progress(log.done, planned.parts, log.newest)
        except KeyboardInterrupt:
            _give_up(instance, run_id)
        result = running.result()
    if not result.success:
        raise MarketPipelineError(log.failure or f"The Dagster run {run_id} failed; the web server shows its log.")


def _give_up(instance: dg.DagsterInstance, run_id: str) -> NoReturn:
    """Leave at once, the run marked as cancelled: its thread would work on to its end, for no thread can be stopped.

    What is being written is in a transaction, so that nothing half remains.
    """
    if run := instance.get_run_by_id(run_id):
        instance.report_run_canceled(run, "Interrupted in the terminal.")
    sys.stderr.write("\nInterrupted. What was stored is whole: run the same command again to go on.\n")
    sys.stderr.flush()
    os._exit(1)


class RunLog:
    """What a run of this process has said so far: the instance hands it each event once it is stored."""

    def __init__(self, parts: Mapping[str, int]) -> None:
        """`parts` has the parts of each step's work."""
        self.parts = parts
        self.newest, self.failure = "", ""
        self._told = dict.fromkeys(parts, 0)

    @property
    def done(self) -> int:
        """Parts that are done: all of a step that has ended, else one for each line it has logged."""
        return sum(min(told, self.parts[step]) for step, told in self._told.items())

    def take(self, entry: dg.EventLogEntry) -> None:
        """Count one more event of the run."""
        event = entry.dagster_event
        if event is None:
            self.newest = entry.user_message
            if entry.step_key in self._told and self.parts[entry.step_key] > 1:
                self._told[entry.step_key] += 1
        elif event.event_type_value == dg.DagsterEventType.STEP_SUCCESS.value and event.step_key in self._told:
            self._told[event.step_key] = self.parts[event.step_key]
        elif event.event_type_value == dg.DagsterEventType.STEP_FAILURE.value and not self.failure:
            self.failure = _words_of(event.step_failure_data.error)


def _words_of(error: Any) -> str:
    """The innermost cause's message, with its class when it is not one of the house's own."""
    while error.cause is not None:
        error = error.cause
    name, _, message = error.message.strip().partition(": ")
    ours = name.rpartition(".")[2] in {kind.__name__ for kind in MarketPipelineError.__subclasses__()}
    return message if ours else f"{name}: {message}"
