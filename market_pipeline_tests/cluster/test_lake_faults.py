"""What goes wrong between writers, Postgres and the store: nothing is there twice or lost, no secret is shown."""

import datetime as dt
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import duckdb
import psycopg2
import pyarrow as pa
import pytest
from pydantic import SecretStr

from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError, WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.lake.attachment import Attachment
from market_pipeline.storage.lake.warehouse import Lake
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.transaction import Transaction
from market_pipeline_tests.cluster import services
from market_pipeline_tests.cluster.conftest import need
from market_pipeline_tests.cluster.hosts import Network, lacking
from market_pipeline_tests.storage.test_warehouse import DAY, coverage, stored

TIMES = int(os.environ.get("LAKE_TIMES", "20"))
"""New partitions that two processes write at once."""

CUT = float(os.environ.get("LAKE_CUT", "5"))
"""Seconds for which a writer's host cannot be reached."""

SPAN = 50
BEGIN = dt.date(2024, 1, 1)

WRITER = """
import datetime as dt, sys, time
from market_pipeline.config.settings import Settings
from market_pipeline.storage.selection import open_warehouse
from market_pipeline_tests.storage.test_warehouse import coverage
market, times, span, begin = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), dt.date(2024, 1, 1)
warehouse = open_warehouse(Settings.from_environment())
print("ready", flush=True)
sys.stdin.readline()
for turn in range(times):
    days = [begin + dt.timedelta(days=turn * span + place) for place in range(span)]
    warehouse.replace("coverage", coverage(*days, present=turn % 2), market, days[0], days[-1])
"""
FOREVER = """
import datetime as dt
from market_pipeline.config.settings import Settings
from market_pipeline.storage.selection import open_warehouse
from market_pipeline_tests.storage.test_warehouse import coverage
warehouse, turn = open_warehouse(Settings.from_environment()), 0
days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(300)]
warehouse.replace("coverage", coverage(*days), "m", days[0], days[-1])
print("writing", flush=True)
while True:
    turn += 1
    warehouse.replace("coverage", coverage(*days, present=turn % 2), "m", days[0], days[-1])
"""


LOG = """
import time
from market_pipeline.config.settings import Settings
from market_pipeline.storage.selection import open_warehouse
from market_pipeline_tests.cluster.test_lake_faults import outcomes
warehouse, begun = open_warehouse(Settings.from_environment()), []
def append(transaction):
    transaction.append("outcomes", outcomes(turn))
    if turn == 2 and not begun:
        begun.append(print("writing", flush=True))
        time.sleep(2)
for turn in range(20):
    warehouse.write("m", append)
"""


@pytest.fixture
def settings(tmp_path: Path, connection: str, store: str) -> Settings:
    return settings_of(tmp_path, connection, store)


def settings_of(folder: Path, connection: str, store: str) -> Settings:
    (folder / "home").mkdir()
    warehouse = SecretStr(f"ducklake:postgres:{connection}")
    return Settings(home=folder / "home", source="simulated", warehouse=warehouse, store=store)


@pytest.fixture
def warehouse(settings: Settings) -> Lake:
    return lake_of(settings)


def lake_of(settings: Settings, **waiting: float) -> Lake:
    warehouse = open_warehouse(settings)
    assert isinstance(warehouse, Lake)
    return replace(warehouse, **waiting)


def started(settings: Settings, code: str, *arguments: object, within: Sequence[str] = ()) -> subprocess.Popen[str]:
    assert settings.warehouse
    variables = {"HOME": settings.home, "SOURCE": "simulated", "STORE": settings.store}
    variables |= {"WAREHOUSE": settings.warehouse.get_secret_value()}
    environment = os.environ | {f"MARKET_PIPELINE_{name}": str(value) for name, value in variables.items()}
    line = [*within, sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return subprocess.Popen(line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def all_at_once(writers: list[subprocess.Popen[str]]) -> None:
    """Let writers begin together, and wait until all have ended well."""
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(timeout=300) for writer in writers] == [0] * len(writers)


def test_two_writers_of_new_partitions_leave_each_key_once(settings: Settings, warehouse: Lake) -> None:
    """They also make the lake at the same time, and two markets are written at once."""
    all_at_once([started(settings, WRITER, market, TIMES, SPAN) for market in ("m", "m", "other")])
    found = warehouse.read("select market, count(*), count(distinct session) from coverage group by all order by all")
    rows = TIMES * SPAN
    assert [tuple(row.values()) for row in found.to_pylist()] == [("m", rows, rows), ("other", rows, rows)]


def test_two_transactions_of_one_new_partition_do_not_overlap(warehouse: Lake) -> None:
    """DuckLake would let both commit, and have each key twice: none may end before the other has written."""
    days = [BEGIN + dt.timedelta(days=place) for place in range(400)]
    both_wrote = threading.Barrier(2)

    def do(transaction: Transaction) -> None:
        transaction.replace("coverage", coverage(*days), days[0], days[-1])
        with suppress(threading.BrokenBarrierError):
            both_wrote.wait(3)

    with ThreadPoolExecutor(2) as threads:
        for writing in [threads.submit(warehouse.write, "m", do) for _ in range(2)]:
            writing.result(timeout=120)
    assert stored(warehouse) == [(day, 1) for day in days]


def test_a_writer_killed_at_any_moment_leaves_whole_ranges_and_no_lock(settings: Settings, warehouse: Lake) -> None:
    for pause in (0.05, 0.3, 0.7):
        writer = started(settings, FOREVER)
        assert writer.stdout
        writer.stdout.readline()
        time.sleep(pause)
        writer.kill()
        writer.wait()
        rows = stored(warehouse)
        assert len(rows) == 300
        assert len({present for _, present in rows}) == 1
    lake_of(settings, patience=20).replace("coverage", coverage(BEGIN), "m", BEGIN, BEGIN)


def test_a_reader_during_writes_sees_whole_ranges(settings: Settings, warehouse: Lake) -> None:
    writer = started(settings, FOREVER)
    try:
        assert writer.stdout
        writer.stdout.readline()
        end = time.monotonic() + 60
        seen = set[int]()
        while len(seen) < 2 or time.monotonic() < end - 50:
            rows = stored(warehouse)
            [present] = {present for _, present in rows}
            assert len(rows) == 300
            seen.add(present)
            assert time.monotonic() < end
    finally:
        writer.kill()
        writer.wait()


def outcomes(attempt: int) -> pa.Table:
    """A row of an append-only log: a commit that was done twice would be there twice."""
    row = {"symbol": "A", "first_session": DAY, "last_session": DAY, "status": "ok", "cause": "", "attempt": attempt}
    return pa.Table.from_pylist([row | {"asked_at": dt.datetime(2024, 1, 3)}], WAREHOUSE["outcomes"].schema)  # noqa: DTZ001


def attempts(warehouse: Lake) -> list[int]:
    found: list[int] = warehouse.read("select attempt from outcomes order by attempt")["attempt"].to_pylist()
    return found


@pytest.mark.parametrize(("moment", "calls"), [("before", 2), ("after", 1)])
def test_a_commit_whose_answer_is_lost_is_done_once(
    warehouse: Lake, monkeypatch: pytest.MonkeyPatch, moment: str, calls: int
) -> None:
    warehouse.write("m", lambda one: one.append("outcomes", outcomes(1)))
    called, commit = list[str](), Lake._commit

    def interrupted(self: Lake, connection: duckdb.DuckDBPyConnection) -> None:
        if moment == "after" or len(called) > 1:
            commit(self, connection)
        if len(called) == 1:
            raise duckdb.TransactionException("Failed to commit: server closed the connection unexpectedly")

    monkeypatch.setattr(Lake, "_commit", interrupted)

    def do(transaction: Transaction) -> str:
        called.append(moment)
        transaction.append("outcomes", outcomes(2))
        return "written"

    assert warehouse.write("m", do) == "written"
    assert len(called) == calls
    assert attempts(warehouse) == [1, 2]


def test_a_lock_that_is_lost_before_the_commit_ends_the_attempt(warehouse: Lake, connection: str) -> None:
    called = []

    def do(transaction: Transaction) -> None:
        transaction.append("outcomes", outcomes(len(called)))
        called.append(transaction)
        if len(called) == 1:
            ended = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            with psycopg2.connect(connection) as other, other.cursor() as cursor:
                cursor.execute(ended)

    warehouse.write("m", do)
    assert attempts(warehouse) == [1]


def test_a_conflict_with_a_writer_that_takes_no_lock_is_tried_again(settings: Settings, warehouse: Lake) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    called = []

    def do(transaction: Transaction) -> None:
        transaction.replace("coverage", coverage(DAY, present=0), DAY, DAY)
        called.append(transaction)
        if len(called) == 1:
            other = Attachment(warehouse.catalogue, str(settings.store), {}).cursor()
            other.execute("delete from coverage where market = 'm'")
            other.close()

    warehouse.write("m", do)
    assert (len(called), stored(warehouse)) == (2, [(DAY, 0)])


def test_a_lock_that_lasts_names_its_holder(settings: Settings, warehouse: Lake) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    with warehouse.catalogue.locked(5), pytest.raises(WarehouseError) as error:
        lake_of(settings, patience=1).replace("coverage", coverage(DAY, present=0), "m", DAY, DAY)
    assert f" {os.getpid()} " in str(error.value)
    assert "did not become free within 1 seconds" in str(error.value)
    assert stored(warehouse) == [(DAY, 1)]


@pytest.fixture
def own_catalogue() -> Iterator[services.Postgres]:
    with services.postgres() as server:
        yield server


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[services.ObjectStore]:
    with services.object_store() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


Stoppable = services.Postgres | services.ObjectStore


@pytest.mark.parametrize("which", ["Postgres", "the store"])
def test_a_server_that_stops_during_a_write_delays_it(
    tmp_path: Path, own_catalogue: services.Postgres, own_store: services.ObjectStore, which: str
) -> None:
    settings = settings_of(tmp_path, own_catalogue.make_database(), f"s3://{services.BUCKET}/a")
    warehouse = lake_of(settings)
    server: Stoppable = own_catalogue if which == "Postgres" else own_store
    days = [BEGIN + dt.timedelta(days=place) for place in range(300)]
    warehouse.replace("coverage", coverage(*days), "m", days[0], days[-1])
    stopped = threading.Event()

    def do(transaction: Transaction) -> None:
        if not stopped.is_set():
            server.stop()
            stopped.set()
        transaction.replace("coverage", coverage(*days, present=0), days[0], days[-1])

    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(warehouse.write, "m", do)
        assert stopped.wait(60)
        reading = threads.submit(stored, lake_of(settings))
        time.sleep(3)
        assert not writing.done()
        server.start()
        writing.result(timeout=120)
        assert len(reading.result(timeout=120)) == 300
    assert stored(warehouse) == [(day, 0) for day in days]


def test_a_link_that_is_cut_within_a_transaction_delays_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(lacking())
    network = Network()
    try:
        network.make(["writer"])
        here = f"10.213.{network.octet}.1"
        with services.postgres(here) as catalogue, services.object_store(here) as objects:
            for name, value in objects.environment.items():
                monkeypatch.setenv(name, value)
            settings = settings_of(tmp_path, catalogue.make_database(), f"s3://{services.BUCKET}/a")
            writer = started(settings, LOG, within=("ip", "netns", "exec", network.hosts["writer"]))
            assert writer.stdout
            assert writer.stdout.readline() == "writing\n"
            network.cut("writer")
            time.sleep(CUT)
            network.join("writer")
            assert writer.wait(timeout=240) == 0
            assert attempts(lake_of(settings)) == list(range(20))
    finally:
        network.remove()


def test_no_message_has_a_password_or_a_key(
    tmp_path: Path,
    own_catalogue: services.Postgres,
    own_store: services.ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = own_catalogue.make_database()
    settings = settings_of(tmp_path, connection, f"s3://{services.BUCKET}/a")
    secrets, shown = [own_catalogue.password, own_store.secret, own_store.key], [repr(lake_of(settings)), str(settings)]
    rows = coverage(*(BEGIN + dt.timedelta(days=place) for place in range(100)))
    write = partial(Lake.replace, table="coverage", rows=rows, market="m", first=BEGIN, last=dt.date(2024, 12, 31))
    impatient = partial(lake_of, retried_for=0.5)

    def refused(warehouse: Lake, use: Callable[[Lake], object] = write) -> None:
        with pytest.raises(WarehouseError, match="The lake cannot be used") as error:
            use(warehouse)
        shown.extend((str(error.value), repr(error.value.__cause__), *(text for _, _, text in warehouse.inspect())))
        assert error.value.__suppress_context__

    lake_of(settings).read("from coverage")
    for name in ("wrong'password", "another\\one"):
        quoted = name.replace("\\", "\\\\").replace("'", "\\'")
        wrong = connection.replace(f"password={own_catalogue.password}", f"password='{quoted}'")
        secrets.append(name)
        refused(impatient(replace(settings, warehouse=SecretStr(f"ducklake:postgres:{wrong}"))))
    own_store.stop()
    monkeypatch.setattr("market_pipeline.storage.lake.attachment.PATIENT", {"http_retries": 0})
    refused(impatient(replace(settings, store=f"s3://{services.BUCKET}/{uuid4().hex}")))  # not where the catalogue's is
    refused(impatient(settings))
    own_store.start()
    planted = f"planted{uuid4().hex}"
    secrets.append(planted)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", planted)
    fresh = replace(settings, warehouse=SecretStr(f"ducklake:postgres:{own_catalogue.make_database()}"))
    refused(impatient(fresh))
    own_catalogue.stop()
    refused(impatient(settings), lambda warehouse: warehouse.read("from coverage"))
    with pytest.raises(ConfigurationError, match="names no database") as error:
        lake_of(replace(settings, warehouse=SecretStr(f"ducklake:postgres:{planted} host=catalog")))
    shown.append(str(error.value))
    text = "\n".join((*shown, *(record.getMessage() for record in caplog.records)))
    assert [secret for secret in secrets if secret in text] == []
    assert "***" in text
    assert "Attempt 1 failed" in text
