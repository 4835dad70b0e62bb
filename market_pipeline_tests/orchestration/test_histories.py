"""Random histories of failures: every gap closes once it can, and the sensors repeat nothing without a reason.

The sensors and the warehouse are real; what a run stores is written by hand, so that an hour of a history takes
milliseconds. The vendor is up or down, has some bars late, restates others; runs die before or after they store.
"""

import datetime as dt
from dataclasses import dataclass, field
from itertools import pairwise

import dagster as dg
import pyarrow as pa
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from market_pipeline.orchestration.gaps import stored_of
from market_pipeline.orchestration.jobs import jobs_of
from market_pipeline.orchestration.requests import memory_of
from market_pipeline.orchestration.sensors import gaps_sensor, restatements_sensor, universe_sensor, unloaded
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline_tests.cached_pipeline import CachedPipeline
from market_pipeline_tests.orchestration.test_sensors import evaluated, finish, restate

START, LAST = dt.date(2024, 4, 1), dt.date(2024, 5, 10)
BEGIN = dt.datetime(2024, 5, 11, 12, tzinfo=dt.UTC)
COINS = '[coins]\ncalendar = "24/7"\nstart = 2024-04-01\nsymbols = ["OLD", "NEW"]\n'
HOURS = 8


@dataclass
class World:
    """A market, what its vendor has, and the runs that were requested; a run ends at once."""

    pipeline: CachedPipeline
    absent: dict[tuple[str, dt.date], int]
    """The hour from which the vendor has a bar, for those that it lacks at first."""
    down: frozenset[int]
    """Hours at which the vendor does not answer."""
    dying: frozenset[int]
    """Hours at which runs die before they store anything."""
    failing: frozenset[int]
    """Hours at which runs fail after the bars are stored."""
    hour: int = 0
    cursors: dict[str, str | None] = field(default_factory=dict)
    requests: list[tuple[int, str, str]] = field(default_factory=list)
    """Hour, request, and the information that the warehouse had at that time."""

    @property
    def now(self) -> dt.datetime:
        return BEGIN + dt.timedelta(hours=self.hour)

    def sessions(self, first: dt.date, last: dt.date) -> list[dt.date]:
        days: list[dt.date] = self.pipeline.market.sessions_between(first, last).tolist()
        return days

    def stored_bars(self) -> set[tuple[str, dt.date]]:
        rows = self.pipeline.warehouse.read("select symbol, session from prices where market = 'coins'").to_pylist()
        return {(row["symbol"], row["session"]) for row in rows}

    def run(self, job: str, request: dg.RunRequest) -> bool:
        """What a run of a job stores at this hour; whether it succeeds."""
        first, last = (
            dt.date.fromisoformat(request.tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end")
        )
        if self.hour in self.dying:
            return False
        symbols = tuple(symbols_of(request)) or self.pipeline.market.symbols
        if job in ("daily", "prices") and not self.load(symbols, first, last):
            return False
        if self.hour in self.failing:
            return False
        if job in ("daily", "downstream"):
            self.forecast(first, last)
        return True

    def load(self, symbols: tuple[str, ...], first: dt.date, last: dt.date) -> bool:
        """Store bars and outcomes of a range, and coverage where a bar arrived, as a load does; whether one did."""
        answered, asked_at = self.hour not in self.down, self.now.replace(tzinfo=None)
        stored = self.stored_bars()
        new = [
            (symbol, day)
            for symbol in symbols
            for day in self.sessions(first, last)
            if answered and (symbol, day) not in stored and self.absent.get((symbol, day), 0) <= self.hour
        ]
        stored |= set(new)
        brought = {symbol for symbol, day in stored if first <= day <= last} if answered else set()
        bars = [
            {"symbol": symbol, "session": day, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0,
             "dividend": 0.0, "split_ratio": 1.0, "source": "simulated", "fetched_at": asked_at, "known_at": asked_at,
             "final": True}
            for symbol, day in new
        ]  # fmt: skip
        outcomes = [
            {"symbol": symbol, "first_session": first, "last_session": last, "cause": "", "attempt": 1,
             "asked_at": asked_at,
             "status": "ok" if symbol in brought else "hole" if answered else "unavailable"}
            for symbol in symbols
        ]  # fmt: skip
        present = {
            day: sum((s, day) in stored for s in self.pipeline.market.symbols) for day in self.sessions(first, last)
        }
        coverage = [
            {"session": day, "expected": 2, "present": count, "rejected": 0, "missing": 2 - count, "attempts": 1,
             "asked_at": asked_at}
            for day, count in present.items()
        ]  # fmt: skip
        with self.pipeline.warehouse.transaction("coins") as transaction:
            transaction.append("prices", rows("prices", bars))
            transaction.append("outcomes", rows("outcomes", outcomes))
            if brought & set(symbols):
                transaction.replace("coverage", rows("coverage", coverage), first, last)
        return bool(brought & set(symbols))

    def forecast(self, first: dt.date, last: dt.date) -> None:
        """Store a forecast of each session that has a bar."""
        made_at = self.now.replace(tzinfo=None)
        origins = sorted({day for _, day in self.stored_bars() if first <= day <= last})
        numbers = {column.name: 0.0 for column in WAREHOUSE["forecasts"].columns if column.type == "double"}
        found = [
            numbers | {"symbol": "OLD", "origin": day, "horizon": 1, "target_session": day + dt.timedelta(days=1),
                       "model": "random_walk", "trained_through": day, "made_at": made_at, "mode": "replayed"}
            for day in origins
        ]  # fmt: skip
        with self.pipeline.warehouse.transaction("coins") as transaction:
            transaction.replace("forecasts", rows("forecasts", found), first, last)

    def tick(self) -> None:
        """Evaluate the three sensors, execute what they request, and note it."""
        market = self.pipeline.market
        for sensor in (gaps_sensor(market, jobs_of(market)), universe_sensor(market), restatements_sensor(market)):
            result = evaluated(sensor, self.pipeline, self.now, self.cursors.get(sensor.name))
            self.cursors[sensor.name] = result.cursor
            for request in result.run_requests or []:
                job = (request.job_name or sensor.job_name).partition("_")[2]
                subjects = symbols_of(request) or [request.tags["dagster/asset_partition_range_start"]]
                self.requests += [(self.hour, f"{job} {subject}", self.information()) for subject in subjects]
                success = self.run(job, request)
                status = dg.DagsterRunStatus.SUCCESS if success else dg.DagsterRunStatus.FAILURE
                finish(self.pipeline, request, job, status)

    def information(self) -> str:
        """Everything that may be a reason for a request: the bars and the restatements."""
        log = self.pipeline.warehouse.read("select count(*) as n from restatements")["n"][0].as_py()
        return f"{len(self.stored_bars())} {log}"

    def open_gaps(self) -> list[str]:
        """What is missing and could be there: bars that the vendor has, forecasts of sessions with bars, a history.

        And what was restated and is not computed again.
        """
        stored, origins = self.stored_bars(), stored_of(self.pipeline.market, self.pipeline.warehouse).origins
        days = self.sessions(START, self.pipeline.market.newest_due(self.now - dt.timedelta(hours=1)) or LAST)
        bars = [
            f"bar {symbol} {day}"
            for symbol in self.pipeline.market.symbols
            for day in days
            if (symbol, day) not in stored and self.absent.get((symbol, day), 0) <= self.hour
        ]
        forecasts = [f"forecast {day}" for _, day in stored if day not in origins and day >= min(origins)]
        logged = self.pipeline.warehouse.read("select count(*) as n from restatements")["n"][0].as_py()
        handled = memory_of(self.cursors["coins_restatements"]).handled
        restated = [f"restatement {number}" for number in range(handled, logged)]
        return bars + forecasts + restated + list(unloaded(self.pipeline.market, self.pipeline.warehouse))


def symbols_of(request: dg.RunRequest) -> list[str]:
    """The symbols to which a request for prices is limited."""
    return [symbol for one in request.run_config.get("ops", {}).values() for symbol in one["config"]["symbols"]]


def rows(table: str, found: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(found, WAREHOUSE[table].schema)


HOUR = st.integers(0, HOURS)
RECENT = st.integers(0, 20).map(lambda days: LAST - dt.timedelta(days=days))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> CachedPipeline:
    return CachedPipeline(tmp_path_factory.mktemp("histories"), COINS)


@given(
    absent=st.dictionaries(st.tuples(st.sampled_from(["OLD", "NEW"]), RECENT), st.integers(1, 5 * HOURS), max_size=3),
    down=st.frozensets(HOUR),
    dying=st.frozensets(HOUR),
    failing=st.frozensets(HOUR),
    restated=st.dictionaries(HOUR, RECENT, max_size=2),
)
@example(  # the vendor is down, and a run dies after a restatement
    absent={("NEW", LAST): 3}, down=frozenset({0, 1, 2}), dying=frozenset({3}), failing=frozenset({4}),
    restated={0: LAST - dt.timedelta(days=9), 5: LAST},
)  # fmt: skip
@example(  # the vendor answers, but lacks every bar of the newest sessions at first
    absent={(symbol, LAST - dt.timedelta(days=back)): 9 for symbol in ("OLD", "NEW") for back in range(3)},
    down=frozenset(), dying=frozenset({0}), failing=frozenset(), restated={},
)  # fmt: skip
@settings(max_examples=1, derandomize=True, phases=[Phase.explicit, Phase.generate])
def test_every_gap_closes_and_nothing_is_repeated_without_a_reason(
    pipeline: CachedPipeline,
    absent: dict[tuple[str, dt.date], int],
    down: frozenset[int],
    dying: frozenset[int],
    failing: frozenset[int],
    restated: dict[int, dt.date],
) -> None:
    pipeline.instance = dg.DagsterInstance.ephemeral()
    with pipeline.warehouse.transaction("coins") as transaction:
        for table in ("prices", "outcomes", "coverage", "forecasts", "restatements"):
            transaction.connection.execute(f"delete from {table}")
    world = World(pipeline, absent, frozenset(), dying, failing)
    world.load(("OLD",), START, LAST)  # the first backfill, in which the new symbol is not yet configured
    # The sensor looks back a month, and the history lasts eleven days.
    world.forecast(START, LAST - dt.timedelta(days=15))
    world.down = down
    for hour in [*range(HOURS), *(HOURS * 2**step for step in range(6))]:
        world.hour = hour
        if hour in restated:
            restate(pipeline, restated[hour].isoformat(), world.now.replace(tzinfo=None))
        world.tick()
    assert world.open_gaps() == []
    waits: dict[tuple[str, str], list[int]] = {}
    for at, request, information in world.requests:
        waits.setdefault((request, information), []).append(at)
    for hours in waits.values():
        between = [later - earlier for earlier, later in pairwise(hours)]
        assert all(later > earlier for earlier, later in pairwise(between)), world.requests
