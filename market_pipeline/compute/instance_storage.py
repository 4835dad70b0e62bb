"""Dagster's runs, events and schedules in the database of the lake's catalogue, in a schema of their own."""

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import dagster as dg
import psycopg2
import sqlalchemy
from dagster._config.config_schema import UserConfigSchema  # no public names; the version is pinned below 1.14
from dagster._core.events import DagsterEventType
from dagster._core.storage.config import PostgresStorageConfig
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine
from psycopg2.extensions import parse_dsn
from sqlalchemy import URL

from market_pipeline.compute.range_checks import planned_once
from market_pipeline.config.settings import lake_of
from market_pipeline.errors import ComputeError, ConfigurationError
from market_pipeline.storage.lake.catalogue import Catalogue

SCHEMA = "dagster"

PLANNED = DagsterEventType.ASSET_MATERIALIZATION_PLANNED

KEPT = {"pool_size": 1, "max_overflow": -1, "pool_pre_ping": True}
"""A process keeps one connection, where Dagster makes one for each question; a lost one is replaced."""

MADE_ONCE = 4_817_223
"""The number of the lock under which the schema is made: processes of several hosts start at once."""


class CatalogueEventLog(PostgresEventLogStorage):  # type: ignore[misc]  # of the cluster extra
    """Dagster's event log in Postgres, from which a run can go without the history of assets and checks."""

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store planned materialisations in one transaction, where Dagster has two connections for each partition."""
        planned = [event for event in events if event.dagster_event_type is PLANNED]
        others = [event for event in events if event.dagster_event_type is not PLANNED]
        if planned:
            insert = self.prepare_insert_event_batch(planned).returning(SqlEventLogStorageTable.c.id)
            with self.index_transaction() as connection:
                numbers = [number for (number,) in connection.execute(insert)]
                # Only the newest event of an asset counts.
                newest = {event.get_dagster_event().asset_key: place for place, event in enumerate(planned)}
                for place in newest.values():
                    self._store_asset_event(connection, planned[place], numbers[place])
        super().store_event_batch(others)

    def _store_asset_check_evaluation_planned(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        super()._store_asset_check_evaluation_planned(planned_once(event), event_id)

    def remove_run(self, run_id: str) -> int:
        """Remove the events of a run, but not those of assets and checks; the bytes of what was removed."""
        events = SqlEventLogStorageTable.c
        kind = sqlalchemy.func.coalesce(events.dagster_event_type, "")
        going = SqlEventLogStorageTable.delete().where(events.run_id == run_id, kind.not_like("ASSET%"))
        with self.index_connection() as connection:
            return sum(len(event) for (event,) in connection.execute(going.returning(events.event)))


class CatalogueStorage(DagsterPostgresStorage):  # type: ignore[misc]  # of the cluster extra
    """Reads the connection from MARKET_PIPELINE_WAREHOUSE, so that no file has a password."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, _config_value: PostgresStorageConfig
    ) -> "CatalogueStorage":
        lake, _ = lake_of(os.environ)
        if lake is None:
            raise ConfigurationError(
                "MARKET_PIPELINE_WAREHOUSE is not set on this host. Set it as on the host of the server."
            )
        connection = Catalogue.of(lake).dsn
        make_schema(connection)
        url = url_of(connection)
        made = cls(postgres_url=url, inst_data=inst_data)
        made._event_log_storage = CatalogueEventLog(url, made.should_autocreate_tables)
        engine = create_pg_engine(url, isolation_level="AUTOCOMMIT", **KEPT)
        # Their public optimize_for_webserver keeps a connection as well, but uses a lost one.
        for storage in (made._run_storage, made._event_log_storage, made._schedule_storage):
            storage._engine = engine  # noqa: SLF001  see above
        return made


def make_schema(connection: str) -> None:
    """Make the schema if there is none; raises ComputeError where Postgres does not answer."""
    try:
        with closing(psycopg2.connect(connection)) as session, session, session.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [MADE_ONCE])
            cursor.execute(f"create schema if not exists {SCHEMA}")
    except psycopg2.OperationalError as error:
        raise ComputeError(
            f"The Postgres of MARKET_PIPELINE_WAREHOUSE, which has Dagster's runs, cannot be used: "
            f"{' '.join(str(error).split())}. Start it, or correct the connection; a password may also be in "
            "PGPASSWORD or ~/.pgpass."
        ) from error


def url_of(connection: str) -> str:
    """A connection of libpq as SQLAlchemy's address, with the schema of Dagster's tables.

    >>> url_of("host=catalog user=market password=p@ss dbname=lake")
    'postgresql+psycopg2://market:p%40ss@/lake?host=catalog&options=-c+search_path%3Ddagster'
    """
    parts: dict[str, Any] = parse_dsn(connection)
    options = " ".join([*filter(None, [parts.pop("options", "")]), f"-c search_path={SCHEMA}"])
    named = {theirs: parts.pop(ours, None) for ours, theirs in (("user", "username"), ("password", "password"))}
    url = URL.create("postgresql+psycopg2", database=parts.pop("dbname", None), **named)
    return url.set(query=parts | {"options": options}).render_as_string(hide_password=False)
