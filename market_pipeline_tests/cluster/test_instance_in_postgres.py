"""The Dagster instance of several hosts: in Postgres, without a password in a file, and no trace of it on a laptop."""

import datetime as dt
import logging
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import dagster as dg
import psycopg2
import pytest
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from market_pipeline.compute.instance_storage import url_of
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ComputeError
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.maintenance import old_runs
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline_tests.orchestration.test_maintenance import numbers, numbers_are_numbers, run

CLUSTER = "127.0.0.1:6379"


def settings_of(home: Path, connection: str = "", compute: str = "") -> Settings:
    lake = {"MARKET_PIPELINE_WAREHOUSE": f"ducklake:postgres:{connection}", "MARKET_PIPELINE_STORE": str(home / "lake")}
    return Settings.from_environment(
        {
            "MARKET_PIPELINE_HOME": str(home),
            "MARKET_PIPELINE_SOURCE": "simulated",
            "MARKET_PIPELINE_COMPUTE": compute,
            **(lake if connection else {}),
        }
    )


@pytest.fixture
def environment(connection: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MARKET_PIPELINE_WAREHOUSE", f"ducklake:postgres:{connection}")
    monkeypatch.setenv("MARKET_PIPELINE_STORE", "/lake")
    monkeypatch.setenv("MARKET_PIPELINE_COMPUTE", CLUSTER)
    return connection


def test_hosts_share_their_runs_in_a_schema_of_their_own(environment: str, tmp_path: Path) -> None:
    one, two = (open_instance(settings_of(tmp_path / host, environment, CLUSTER)) for host in ("one", "two"))
    run = one.create_run_for_job(dg.job(name="empty")(lambda: None))
    assert two.get_run_by_id(run.run_id) == run
    with psycopg2.connect(environment).cursor() as cursor:
        cursor.execute("select distinct schemaname from pg_tables where schemaname not in ('pg_catalog')")
        assert {row[0] for row in cursor.fetchall()} - {"information_schema"} == {"dagster"}


def test_old_runs_go_and_the_history_of_assets_and_checks_stays(environment: str, tmp_path: Path) -> None:
    days = [f"2024-01-0{day}" for day in range(1, 5)]
    with open_instance(settings_of(tmp_path, environment)) as instance:
        runs = [run(instance, day) for day in days]
        before = size(environment)
        freed = old_runs(instance, kept=1)
        assert len(freed) == 3
        assert min(freed) > 1_000
        assert size(environment) < before - 3 * 5
        assert [record.dagster_run.run_id for record in instance.get_run_records()] == runs[3:]
        assert not instance.all_logs(runs[0], of_type=dg.DagsterEventType.STEP_START)
        assert instance.all_logs(runs[3], of_type=dg.DagsterEventType.STEP_START)
        assert instance.get_materialized_partitions(numbers.key) == set(days)
        check = dg.AssetCheckKey(numbers.key, "numbers_are_numbers")
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
        assert [(one.run_id, one.status.value) for one in history] == [(one, "SUCCEEDED") for one in runs[::-1]]
        assert old_runs(instance, kept=1) == []


def test_a_run_that_waits_for_a_host_is_no_error_and_no_failure(environment: str, tmp_path: Path) -> None:
    with open_instance(settings_of(tmp_path, environment, CLUSTER)) as instance:
        run_id = instance.create_run_for_job(dg.job(name="empty")(lambda: None)).run_id
        server = SimpleNamespace(instance=instance, create_request_context=lambda: None)
        errors = list(execute_run_monitoring_iteration(server, logging.getLogger(__name__)))  # type: ignore[arg-type]
        assert errors == [None]
        waiting = instance.get_run_by_id(run_id)
        assert waiting
        assert waiting.status == dg.DagsterRunStatus.NOT_STARTED


def sessions(connection: str) -> int:
    """The number of connections that the database has had."""
    with psycopg2.connect(connection).cursor() as cursor:
        cursor.execute("select pg_stat_force_next_flush()")
        cursor.execute("select sessions from pg_stat_database where datname = current_database()")
        [(count,)] = cursor.fetchall()
        return int(count)


def test_the_partitions_of_a_range_are_planned_on_few_connections(environment: str, tmp_path: Path) -> None:
    definitions = dg.Definitions(assets=[numbers], asset_checks=[numbers_are_numbers])
    job = definitions.resolve_implicit_global_asset_job_def()
    first, last = dt.date(2024, 1, 1), dt.date(2024, 1, 31)
    with open_instance(settings_of(tmp_path, environment)) as instance:
        before = sessions(environment)
        run_id = instance.create_run_for_job(job, tags=range_tags(first, last)).run_id
        assert sessions(environment) - before < 10
        planned = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        days = [entry.get_dagster_event().partition for entry in planned]
        assert sorted(filter(None, days)) == [str(first + dt.timedelta(days=place)) for place in range(31)]
        [record] = instance.get_asset_records([numbers.key])
        assert record.asset_entry.last_run_id == run_id
        check = dg.AssetCheckKey(numbers.key, "numbers_are_numbers")
        [waiting] = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
        assert (waiting.run_id, waiting.status.value) == (run_id, "PLANNED")


def size(connection: str) -> int:
    """The number of stored events."""
    with psycopg2.connect(connection).cursor() as cursor:
        cursor.execute("select count(*) from dagster.event_logs")
        [(count,)] = cursor.fetchall()
        return int(count)


def test_no_file_of_a_host_has_the_password(environment: str, tmp_path: Path) -> None:
    open_instance(settings_of(tmp_path, environment, CLUSTER))
    password = environment.split("password=")[1].split(maxsplit=1)[0]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if password.encode() in path.read_bytes()]


def test_the_configuration_follows_the_settings(environment: str, tmp_path: Path) -> None:
    kinds = []
    for settings in (settings_of(tmp_path), settings_of(tmp_path, environment, CLUSTER),
                     settings_of(tmp_path, environment), settings_of(tmp_path)):  # fmt: skip
        with open_instance(settings) as instance:
            kinds.append((type(instance.event_log_storage).__name__, type(instance.run_launcher).__name__))
    here = ("BatchedEventLog", "LocalRunLauncher")
    assert kinds == [
        here, ("CatalogueEventLog", "ClusterRunLauncher"), ("CatalogueEventLog", "LocalRunLauncher"), here,
    ]  # fmt: skip


def test_a_password_with_signs_survives_in_an_address_and_none_is_left_to_libpq() -> None:
    assert urlsplit(url_of(r"host=h user=u password='p@ss/w:rd \'%'")).password == "p%40ss%2Fw%3Ard %27%25"
    assert urlsplit(url_of("host=h user=u dbname=d")).password is None
    assert {"host=h", "port=5433", "sslmode=require"} <= {
        *urlsplit(url_of("postgresql://u@h:5433/d?sslmode=require")).query.split("&")
    }


def test_a_database_that_does_not_answer_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "host=127.0.0.1 port=1 user=u password=secret-word dbname=d"
    monkeypatch.setenv("MARKET_PIPELINE_WAREHOUSE", f"ducklake:postgres:{nowhere}")
    monkeypatch.setenv("MARKET_PIPELINE_STORE", "/lake")
    with pytest.raises(ComputeError, match=r"which has Dagster's runs, cannot be used: .*refused") as raised:
        open_instance(settings_of(tmp_path, nowhere))
    assert "secret-word" not in str(raised.value)
