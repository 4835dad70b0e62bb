"""F9: one daily run after another in one data directory; how large does every file become?"""

import datetime as dt
from collections import Counter
from pathlib import Path

from benchmarks.faults import directories, traced
from benchmarks.faults.directories import Directory
from benchmarks.faults.protocol import Outcome
from market_pipeline.orchestration.maintenance import KEPT_RUNS

MONTHLY = "prices,indicators,models,forecasts,scores,leaderboard,signals,mart"

ALLOWED = 3.0
"""The warehouse may be this many times as large as the same tables written into a new file."""

BESIDE = 10
"""Databases of runs beside those that are kept: a run's log goes with the publication after it."""

COPY = "attach '{}' as old (read_only); attach '{}' as new; copy from database old to new; detach new"


class DailyRuns:
    """Trial after trial, one session more, as the daily schedule asks for it; the month's models on its first one."""

    name = "F9"
    continued = True
    title = "daily runs, one after another: bytes of every kind of file"
    aim = "200 runs: size of every file bounded"
    full = 200
    minutes = 60.0

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.folder, self.work = folder, Directory(folder / "work")
        self.work.become(directories.filled(folder.parent / "filled"))
        self.sessions = iter(sessions_from(dt.date.fromisoformat(directories.NEXT)))
        self.month = directories.NEXT[:7]
        self.runs = 0

    def trial(self, seed: int) -> Outcome:  # noqa: ARG002  it has no draw
        """The next session; trials continue each other whatever the seed."""
        day = next(self.sessions)
        assets = directories.DAILY if day[:7] == self.month else MONTHLY
        self.month = day[:7]
        ended = self.work.run("backfill", "--market", "stocks", "--start", day, "--end", day, "--assets", assets)
        if ended.status:
            return Outcome("daily runs", f"The run of {day} ended with {ended.status}: {ended.output[-300:].strip()}")
        self.runs += 1
        sizes = self._sizes()
        fault = self._bloat() if self.runs % 50 == 0 else ""
        return Outcome("daily runs", fault or self._kept(), numbers=sizes)

    def _sizes(self) -> dict[str, float]:
        """Megabytes and number of files, by kind."""
        sizes, files = Counter[str](), Counter[str]()
        for path in self.work.data.rglob("*"):
            if path.is_file():
                kind = traced.group_of(path, self.work.data)
                sizes[f"MB of {kind}"] += path.stat().st_size
                files[f"files of {kind}"] += 1
        large = {kind: size / 1e6 for kind, size in sizes.items() if size > 1e4}
        return large | {kind: count for kind, count in files.items() if count > 1}

    def _kept(self) -> str:
        """What is wrong when the logs of more runs are there than are kept."""
        logs = len([*(self.work.data / "dagster" / "history" / "runs").glob("*-*.db")])
        return f"After {self.runs} runs there are the logs of {logs}." if logs > KEPT_RUNS + BESIDE else ""

    def _bloat(self) -> str:
        """What is wrong when the warehouse is much larger than what it holds."""
        import duckdb

        from benchmarks.faults.forked import answer

        compact = self.folder / "compact.duckdb"
        compact.unlink(missing_ok=True)

        def copied() -> int:
            with duckdb.connect() as connection:
                for statement in COPY.format(self.work.warehouse, compact).split("; "):
                    connection.execute(statement)
            return compact.stat().st_size

        least, size = answer(copied, self.folder), self.work.warehouse.stat().st_size
        if size > ALLOWED * least:
            return f"After {self.runs} runs the warehouse has {size / least:.1f} times the bytes of a new copy of it."
        return ""


def sessions_from(first: dt.date) -> list[str]:
    """Sessions of New York from `first` on, as text."""
    import exchange_calendars as xc

    calendar = xc.get_calendar("XNYS", start="2023-01-03", end="2026-12-31")
    return [day.date().isoformat() for day in calendar.sessions if day.date() >= first]
