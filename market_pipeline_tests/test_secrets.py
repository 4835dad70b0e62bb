"""A secret of the environment appears in no file of the data directory and in no output."""

import os
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._utils.error import serializable_error_info_from_exc_info

from market_pipeline.config.settings import Settings
from market_pipeline.definitions import build_definitions
from market_pipeline.errors import SourceError
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.storage.duckdb_file import DuckDBFile

TOKEN = "planted7f3ac1"
"""In the path, the user and a parameter of an address, and as a variable of its own."""

SMALL = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["WALK1"]\n'


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "markets.toml").write_text(SMALL, encoding="utf-8")
    return {
        "MARKET_PIPELINE_HOME": str(folder / "data"),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "MARKET_PIPELINE_CONFIG": str(folder / "markets.toml"),
        "MARKET_PIPELINE_ALERTS": f"json://{TOKEN}:{TOKEN}@127.0.0.1:9/{TOKEN}?+key={TOKEN}",
        "MARKET_PIPELINE_ALERT": TOKEN,  # misspelt: doctor reports it
    }


def output(environment: dict[str, str], *arguments: str) -> str:
    """Everything that a command prints, with the traceback of an unexpected error."""
    line = [sys.executable, "-m", "market_pipeline.cli", *arguments]
    variables = os.environ | environment | {"MARKET_PIPELINE_TRACEBACK": "1"}
    done = subprocess.run(line, env=variables, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr


def test_a_planted_token_appears_in_no_output_and_no_file(environment: dict[str, str]) -> None:
    settings = Settings.from_environment(environment)
    assert settings.alerts[0].get_secret_value().count(TOKEN) == 4
    span = ("--start", "2024-01-02", "--end", "2024-01-03")
    printed = output(environment, "backfill", "--market", "stocks", *span, "--assets", "prices")
    assert "report" in printed, printed
    doctor = output(environment, "doctor", "--json")
    assert "MARKET_PIPELINE_ALERT is set" in doctor
    printed += doctor + output(environment, "--help") + repr(settings) + str(settings)
    assert files_with("ExecutionPlanSnapshot", settings.home) == ["runs.db"]  # which Dagster compresses
    assert files_with(TOKEN, settings.home) == []
    assert TOKEN not in printed


def files_with(word: str, folder: Path) -> list[str]:
    """The files below a folder that have a word in their name or content, compressed values of SQLite included."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path.name for path in found if any(word.encode() in content for content in contents(path))]


def contents(path: Path) -> Iterator[bytes]:
    """The name and the bytes of a file; the values of a database of SQLite, as they are and uncompressed."""
    yield from (path.name.encode(), path.read_bytes())
    if path.suffix != ".db":
        return
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for value in chain.from_iterable(connection.execute(f"select * from '{table}'")):
                stored = value if isinstance(value, bytes) else str(value).encode()
                yield stored
                with suppress(zlib.error):
                    yield zlib.decompress(stored)


def test_a_token_is_found_in_a_name_in_bytes_in_a_text_and_in_a_compressed_value(tmp_path: Path) -> None:
    (tmp_path / TOKEN).touch()
    (tmp_path / "bytes").write_bytes(b"\0" + TOKEN.encode())
    (tmp_path / "without").write_bytes(TOKEN.encode()[1:])
    for name, value in {"text": TOKEN, "compressed": zlib.compress(TOKEN.encode()), "empty": None}.items():
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection, connection:
            connection.execute("pragma encoding = 'UTF-16'")  # so the bytes of the file do not show the text
            connection.execute("create table 'a table' (id integer, body blob)")
            connection.execute("insert into 'a table' values (1, ?)", [value])
    assert files_with(TOKEN, tmp_path) == ["bytes", "compressed.db", TOKEN, "text.db"]


def test_an_alert_that_fails_stores_no_address(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.from_environment(environment)
    instance = open_instance(settings)
    repository = build_definitions(settings).get_repository_def()
    sensor = repository.get_sensor_def("alerts")
    instance.report_run_failed(instance.create_run_for_job(repository.get_job("stocks_prices")))
    resources = {"warehouse": DuckDBFile(settings.warehouse_file, settings.source)}
    with pytest.raises(SourceError) as refused:
        sensor(dg.build_sensor_context(instance, resources=resources, repository_def=repository))
    assert TOKEN not in f"{refused.value!r}{refused.value.__cause__!r}{caplog.text}"
    error = serializable_error_info_from_exc_info((refused.type, refused.value, refused.tb))
    status, now = TickStatus.FAILURE, time.time()
    instance.create_tick(TickData("origin", "alerts", InstigatorType.SENSOR, status, now, error=error))  # as the daemon
    assert "schedules.db" in files_with("could not be delivered", settings.home)
    assert files_with(TOKEN, settings.home) == []
