"""The Postgres database that is a lake's catalogue, and the lock in it that lets one process write at a time.

Knows Postgres. Knows neither DuckDB nor tables.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from uuid import uuid4

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import make_dsn, parse_dsn
from pydantic import SecretStr

from market_pipeline.config.settings import LAKE
from market_pipeline.errors import ConfigurationError, WarehouseError

LOCK = (1_481_072_715, 1)
"""The advisory lock of writers: a number of this program, and one for what it locks."""

NOTICED = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
"""Both ends notice within half a minute that the other is gone; a lock is free then."""

PIECE_OF_PATIENCE = 1.0
"""Seconds between two looks whether the process shall end, while it waits for the lock."""

HOLDER = """
select application_name, client_addr::text, now() - query_start from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = %s and objid = %s and granted
"""
MADE = """
select exists (select from ducklake_table where table_name = 'origin_of_data' and end_snapshot is null)
"""
END = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = %s"


@dataclass(frozen=True)
class Catalogue:
    """A database by its connection, as libpq takes it; `repr` has no password."""

    connection: SecretStr

    @classmethod
    def of(cls, warehouse: SecretStr) -> "Catalogue":
        """The catalogue that MARKET_PIPELINE_WAREHOUSE names; raises ConfigurationError where it is no connection."""
        catalogue = cls(SecretStr(warehouse.get_secret_value().removeprefix(LAKE)))
        try:
            named = catalogue._parameters
        except psycopg2.Error:
            named = {}
        if not named.get("dbname"):
            raise ConfigurationError(
                f"MARKET_PIPELINE_WAREHOUSE names no database that Postgres understands. Set it to {LAKE} and a "
                "connection, such as host=catalog dbname=market user=market; the password may be in PGPASSWORD."
            )
        return catalogue

    @cached_property
    def _parameters(self) -> dict[str, str]:
        return dict(parse_dsn(self.connection.get_secret_value()))

    @property
    def application(self) -> str:
        """How Postgres names the connections of this process."""
        return _name_of(os.getpid())

    @property
    def dsn(self) -> str:
        """The connection with what notices a lost one."""
        named = {key: value for key, value in NOTICED.items() if key not in self._parameters}
        return str(make_dsn(self.connection.get_secret_value(), application_name=self.application, **named))

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may have."""
        passwords = filter(None, (self._parameters.get("password"), os.environ.get("PGPASSWORD")))
        return (self.connection.get_secret_value(), self.dsn, *passwords)

    def __str__(self) -> str:
        named = self._parameters
        return (
            f"the catalogue {named['dbname']} of Postgres at {named.get('host', 'localhost')}:{named.get('port', 5432)}"
        )

    def ask(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The answer to a query, on a connection of its own."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def has_lake(self) -> bool:
        """Whether the lake's tables were made."""
        with suppress(errors.UndefinedTable):
            return bool(self.ask(MADE)[0][0])
        return False

    def end_connections(self) -> None:
        """End what DuckDB has open in this process: a commit whose answer was lost is then decided."""
        self.ask(END, (self.application,))

    @contextmanager
    def locked(self, patience: float) -> Iterator["Lock"]:
        """Hold the lock of writers; raises WarehouseError when another process has not ended within `patience` seconds.

        The lock is one connection: it is free when the process that holds it, or its host, is gone.
        """
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("select set_config('lock_timeout', %s, false)", (f"{PIECE_OF_PATIENCE}s",))
            end = time.monotonic() + patience
            while True:
                try:
                    cursor.execute("select pg_advisory_lock(%s, %s)", LOCK)
                    break
                except errors.LockNotAvailable:
                    if time.monotonic() > end:
                        self._refuse_to_wait(cursor, patience)
            yield Lock(cursor)

    def _connect(self) -> Any:
        connection = psycopg2.connect(make_dsn(self.dsn, application_name=f"{self.application} lock"))
        connection.autocommit = True
        return connection

    def _refuse_to_wait(self, cursor: Any, patience: float) -> None:
        cursor.execute(HOLDER, LOCK)
        held = cursor.fetchone()
        if held is None:  # it has ended since
            return
        name, address, since = held
        raise WarehouseError(
            f"{self} is held by {name.removesuffix(' lock')} ({address}) since {since}, and did not become free within "
            f"{patience:.0f} seconds. Wait until that process has ended, or end it, then rerun."
        )


@dataclass(frozen=True)
class Lock:
    """The lock of writers, as long as its connection lasts."""

    cursor: Any

    def verify(self) -> None:
        """Raise psycopg2.Error when the lock was lost: another process may be writing."""
        self.cursor.execute("select 1")


@cache
def _name_of(process: int) -> str:
    """Host and process, and a number of their own: two hosts may have one name."""
    return f"market-pipeline {socket.gethostname()[:24]} {process} {uuid4().hex[:8]}"
