"""The rate of requests to a vendor, shared by all processes of one host through a file, or of all hosts in Postgres."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import cached_property
from pathlib import Path

from pydantic import SecretStr
from pyrate_limiter import Limiter, Rate, SQLiteBucket

from market_pipeline.config.settings import lake_of
from market_pipeline.errors import SourceError

SCHEMA = "market_pipeline"

MAKE = (
    "select pg_advisory_xact_lock(1481072717)",
    f"create schema if not exists {SCHEMA}",
    f"create table if not exists {SCHEMA}.vendor_rate (vendor text primary key, at timestamptz not null)",
)
"""The table of the moments of each vendor's last request, made by the first process that needs it."""

RESERVE = """
insert into market_pipeline.vendor_rate as last values (%(vendor)s, clock_timestamp())
on conflict (vendor) do update set at = greatest(clock_timestamp(), last.at + %(interval)s * interval '1 second')
returning extract(epoch from last.at - clock_timestamp())
"""
"""Takes the next free moment of a vendor; the row's lock puts processes in order, and the clock is that of Postgres."""

PATIENCE = 120.0
"""Seconds for which Postgres is asked again while it does not answer."""


def shared_rate(path: Path, interval: float) -> Callable[[], None]:
    """A function that waits for a turn: at most one request every `interval` seconds by all that name the same file.

    On several hosts the file's name without its folder names the rate. It raises SourceError where it cannot be shared.
    """
    lake, _ = lake_of(os.environ)
    if interval <= 0:
        return lambda: None
    return CatalogueRate(lake, path.stem, interval) if lake else FileRate(path, interval)


class FileRate:
    """The rate of the processes of one host."""

    def __init__(self, path: Path, interval: float) -> None:
        self.path, self.interval = path, interval

    def __call__(self) -> None:
        self._limiter.try_acquire("request")

    @cached_property
    def _limiter(self) -> Limiter:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            bucket = SQLiteBucket.init_from_file(
                [Rate(1, max(1, round(1000 * self.interval)))], db_path=str(self.path), use_file_lock=True
            )
            bucket.leak(time.time_ns() // 1_000_000)
        except (OSError, sqlite3.Error) as error:
            raise SourceError(
                f"{self.path}, through which processes share a vendor's rate, cannot be used: {error}. "
                "Delete it, or name another cache folder with XDG_CACHE_HOME."
            ) from error
        return Limiter(bucket)


class CatalogueRate:
    """The rate of all hosts.

    pyrate-limiter's own bucket for Postgres needs a second driver, and asks again and again until it is free.
    """

    def __init__(self, lake: SecretStr, vendor: str, interval: float) -> None:
        self.lake, self.vendor, self.interval = lake, vendor, interval

    def __call__(self) -> None:
        time.sleep(max(0.0, self._reserve()))

    def _reserve(self) -> float:
        """Seconds until the moment that is reserved for this request."""
        import psycopg2
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

        attempts = Retrying(
            retry=retry_if_exception_type(psycopg2.OperationalError),
            stop=stop_after_delay(PATIENCE),
            wait=wait_random_exponential(max=10),
            reraise=True,
        )
        try:
            return attempts(self._next)
        except psycopg2.Error as error:
            raise SourceError(
                "The Postgres of MARKET_PIPELINE_WAREHOUSE, through which hosts share a vendor's rate, cannot be used: "
                f"{' '.join(str(error).split())}. Start it, or let its user create the schema {SCHEMA}."
            ) from error

    def _next(self) -> float:
        import psycopg2

        from market_pipeline.storage.lake.catalogue import Catalogue

        with closing(psycopg2.connect(Catalogue.of(self.lake).dsn)) as session, session, session.cursor() as cursor:
            for statement in MAKE:
                cursor.execute(statement)
            session.commit()
            cursor.execute(RESERVE, {"vendor": self.vendor, "interval": self.interval})
            return float(cursor.fetchone()[0])
