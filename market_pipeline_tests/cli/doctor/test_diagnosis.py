"""The likeliest mistakes, each made once: the doctor names it with the fix, and is satisfied when it is fixed."""

import datetime as dt
import socket
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from market_pipeline import __version__
from market_pipeline.cli.doctor import diagnosis, environment, published, stored_data
from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.config.places import REPORT
from market_pipeline.errors import WarehouseError
from market_pipeline.mart.publish import publish
from market_pipeline.mart.report.render import write_report
from market_pipeline.storage.upgrade import SCHEMA_VERSION
from market_pipeline_tests.pipeline import Pipeline, clock_at

DAILY = '[crypto]\ncalendar = "24/7"\nstart = {start}\nsymbols = ["WALK1-USD", "SIM1-USD"]\n'
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
NEWEST = dt.date(2026, 2, 28)


@pytest.fixture(scope="module")
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path / "pipeline", DAILY.format(start="2026-01-01"))


def variables(pipeline: Pipeline, **settings: str) -> dict[str, str]:
    return {
        "MARKET_PIPELINE_HOME": str(pipeline.settings.home),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "MARKET_PIPELINE_CONFIG": str(pipeline.settings.config),
        **{f"MARKET_PIPELINE_{name}": value for name, value in settings.items()},
    }


def wrong(settings: Mapping[str, str], port: int) -> dict[str, str]:
    """Subject to message of what is wrong."""
    return {finding.subject: finding.message for finding in diagnosis.diagnose(settings, port) if not finding.ok}


def messages(settings: Mapping[str, str], port: int) -> dict[str, str]:
    """Subject to message of everything."""
    return {finding.subject: finding.message for finding in diagnosis.diagnose(settings, port)}


def filled(pipeline: Pipeline, last: dt.date) -> Pipeline:
    pipeline.compute(("prices",), dt.date(2026, 1, 1), last)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, NOW)
    return pipeline


def test_an_empty_data_directory_and_a_current_one_are_healthy(
    pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_pipeline.prices.assets.dt", clock_at(NOW))
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(NOW))
    assert wrong(variables(pipeline), free_port) == {}
    filled(pipeline, NEWEST)
    assert wrong(variables(pipeline), free_port) == {}


def test_a_setting_that_nothing_reads(pipeline: Pipeline, free_port: int) -> None:
    found = wrong(variables(pipeline, SORUCE="files"), free_port)
    assert found == {
        "settings": "MARKET_PIPELINE_SORUCE is set, but nothing reads it. Did you mean MARKET_PIPELINE_SOURCE?"
    }


def test_a_calendar_that_does_not_exist(pipeline: Pipeline, free_port: int) -> None:
    assert pipeline.settings.config is not None
    pipeline.settings.config.write_text(DAILY.format(start="2026-01-01").replace("24/7", "NYSE2"))
    assert "calendar is 'NYSE2', which is not" in wrong(variables(pipeline), free_port)["configuration"]


def test_a_data_directory_of_another_source(
    pipeline: Pipeline, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(pipeline, NEWEST)
    (tmp_path / "a.csv").write_text("symbol,date,open,high,low,close,volume\n")
    found = wrong(variables(pipeline, SOURCE="files", FILES=str(tmp_path)), free_port)["warehouse"]
    assert "holds simulated data, but the source is now files" in found
    assert "MARKET_PIPELINE_HOME" in found


@pytest.mark.parametrize(
    ("made", "expected"), [("others", "does not exist. Set MARKET_PIPELINE_FILES"), ("files", "holds no .csv")]
)
def test_a_folder_of_files_that_is_missing_or_empty(
    pipeline: Pipeline, free_port: int, tmp_path: Path, made: str, expected: str
) -> None:
    folder = tmp_path / "files"
    (tmp_path / made).mkdir()
    assert expected in wrong(variables(pipeline, SOURCE="files", FILES=str(folder)), free_port)["source"]


def test_symbols_as_another_vendor_spells_them(
    pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.7", 443))]
    monkeypatch.setattr(environment.socket, "getaddrinfo", lambda *_args, **_more: answer)
    assert pipeline.settings.config is not None
    pipeline.settings.config.write_text(DAILY.format(start="2026-01-01").replace("WALK1-USD", "BTC/USD"))
    found = wrong(variables(pipeline, SOURCE="yahoo"), free_port)
    assert found == {"symbols of crypto": "'BTC/USD' is probably 'BTC-USD'. Correct the markets file."}


def test_symbols_that_the_source_does_not_know(pipeline: Pipeline, free_port: int) -> None:
    assert pipeline.settings.config is not None
    pipeline.settings.config.write_text(DAILY.format(start="2026-01-01").replace("WALK1-USD", "BTC-USD"))
    pipeline.compute(("prices",), NEWEST, NEWEST)
    assert "BTC-USD: the simulated source has" in wrong(variables(pipeline), free_port)["symbols of crypto"]
    pipeline.settings.config.write_text(DAILY.format(start="2026-01-01"))
    assert "symbols of crypto" not in wrong(variables(pipeline), free_port)


def test_a_data_directory_that_cannot_be_written(
    pipeline: Pipeline, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    found = wrong(variables(pipeline, HOME=str(tmp_path / "file" / "data")), free_port)["data directory"]
    assert "is a file" in found
    pipeline.settings.home.mkdir()
    # An administrator may write everywhere, so the check itself is replaced.
    monkeypatch.setattr(environment.os, "access", lambda path, _mode: path != pipeline.settings.home)
    assert "cannot be written by this user" in wrong(variables(pipeline), free_port)["data directory"]


def test_a_disk_that_is_short(pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LEAST_FREE", 10**18)
    assert "free some" in wrong(variables(pipeline), free_port)["disk"]


def test_a_locked_warehouse_is_reported_with_its_process(pipeline: Pipeline, free_port: int) -> None:
    """A lock stops no connection of the same process; test_commands.py has a real one."""
    filled(pipeline, NEWEST)

    def locked(*_: object) -> Iterator[Finding]:
        raise WarehouseError("warehouse.duckdb is held by process 7 (python)")
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_data, "_symbols_and_models", locked)
        assert "process 7" in wrong(variables(pipeline), free_port)["warehouse"]


def test_models_of_the_month_that_are_missing(
    pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(NOW))
    filled(pipeline, NEWEST)
    with pipeline.warehouse.connect(read_only=False) as connection:
        registered = "insert into models values ('crypto', 'm', $month, '2025-12-31', 'p', 's', 1, 1, now()::timestamp)"
        connection.execute(registered, {"month": dt.date(2026, 1, 1)})
    assert (
        "--start 2026-02-28 --end 2026-02-28 --assets models"
        in wrong(variables(pipeline), free_port)["models of crypto"]
    )
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute(registered, {"month": dt.date(2026, 2, 1)})
    assert "models of crypto" not in wrong(variables(pipeline), free_port)


def test_sessions_that_are_stale_and_a_daemon_that_does_not_run(
    pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(NOW))
    filled(pipeline, dt.date(2026, 2, 20))
    found = wrong(variables(pipeline), free_port)["crypto"]
    assert "newest 2026-02-20, newest closed 2026-02-28" in found
    assert "market-pipeline backfill --market crypto --start 2026-02-20 --end 2026-02-28" in found
    assert "The daemon has never run here" in found
    for ago, expected in ((60, "The daemon is running"), (3600, "has not run since 2026-03-01 11:00 UTC")):
        beat = NOW - dt.timedelta(seconds=ago)
        monkeypatch.setattr("market_pipeline.orchestration.instance.last_beat", lambda _settings, beat=beat: beat)
        assert expected in wrong(variables(pipeline), free_port)["crypto"]


def test_a_mart_that_is_missing_or_behind_or_of_another_version(
    pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(NOW))
    pipeline.compute(("prices",), dt.date(2026, 2, 1), dt.date(2026, 2, 27))
    fix = "Publish it: market-pipeline backfill --market crypto --start 2026-02-27 --end 2026-02-27 --assets mart"
    assert wrong(variables(pipeline), free_port)["mart"] == f"nothing is published of what is stored. {fix}"
    filled(pipeline, NEWEST)
    pipeline.compute(("prices",), dt.date(2026, 3, 1), dt.date(2026, 3, 1))
    assert "stored to 2026-03-01, but published to 2026-02-28" in wrong(variables(pipeline), free_port)["mart"]
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, NOW)
    monkeypatch.setattr(published, "__version__", "9.9")
    assert "and this program is version 9.9, schema version" in wrong(variables(pipeline), free_port)["mart"]


def test_a_report_with_a_flipped_bit(pipeline: Pipeline, free_port: int) -> None:
    report = filled(pipeline, NEWEST).settings.home / REPORT
    write_report(pipeline.mart, report)
    assert "report" not in wrong(variables(pipeline), free_port)
    content = bytearray(report.read_bytes())
    content[len(content) // 2] ^= 1
    report.write_bytes(content)
    assert f"{report} is not as it was published" in wrong(variables(pipeline), free_port)["report"]


def test_the_schema_versions_of_warehouse_mart_and_program_are_shown_and_nothing_is_changed(
    pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(NOW))
    filled(pipeline, NEWEST)
    found = messages(variables(pipeline), free_port)
    assert found["warehouse"] == f"schema version {SCHEMA_VERSION}, the one of this program"
    assert f"by version {__version__}, schema version {SCHEMA_VERSION}" in found["mart"]

    def stored_version(version: int) -> None:
        with pipeline.warehouse.connect(read_only=False) as connection:
            connection.execute(f"update origin_of_data set schema_version = {version}")

    stored_version(SCHEMA_VERSION + 1)
    assert (
        f"has schema version {SCHEMA_VERSION + 1}, but this program knows versions up to"
        in wrong(variables(pipeline), free_port)["warehouse"]
    )
    stored_version(SCHEMA_VERSION - 1)
    found = messages(variables(pipeline), free_port)
    assert found["warehouse"].startswith(
        f"schema version {SCHEMA_VERSION - 1}; the next backfill or run upgrades it to"
    )
    assert "crypto" not in found
    assert pipeline.warehouse.schema_version() == SCHEMA_VERSION - 1
    monkeypatch.setattr(published, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert (
        f"and this program is version {__version__}, schema version {SCHEMA_VERSION + 1}"
        in wrong(variables(pipeline), free_port)["mart"]
    )


class Page(BaseHTTPRequestHandler):
    body = b"something else"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


class DagsterPage(Page):
    body = b'{"dagster_webserver_version": "1.13"}'


@pytest.mark.parametrize("page", [Page, DagsterPage])
def test_a_port_that_is_taken_by_another_program_or_by_dagster(pipeline: Pipeline, page: type[Page]) -> None:
    server = HTTPServer(("127.0.0.1", 0), page)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = wrong(variables(pipeline), server.server_port)
        if page is DagsterPage:
            assert "port" not in found
        else:
            assert f"market-pipeline ui --port {server.server_port + 1}" in found["port"]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("address", "settings", "expected"),
    [
        ("203.0.113.7", {}, None),
        ("0.0.0.0", {}, "an ad-blocking DNS or hosts file"),
        ("127.0.0.1", {}, "an ad-blocking DNS or hosts file"),
        (None, {}, "cannot be looked up"),
        (None, {"https_proxy": "http://proxy:8080"}, None),
        ("203.0.113.7", {"SSL_CERT_FILE": "/no/such.pem"}, "names /no/such.pem, which does not exist"),
    ],
)
def test_a_network_without_yahoo(
    monkeypatch: pytest.MonkeyPatch, address: str | None, settings: dict[str, str], expected: str | None
) -> None:
    def look_up(*_: object, **__: object) -> list[object]:
        if address is None:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    monkeypatch.setattr(environment.socket, "getaddrinfo", look_up)
    finding = environment.network(settings)
    assert finding.ok is (expected is None)
    assert (expected or "") in finding.message


def test_a_clock_that_is_wrong(pipeline: Pipeline, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(dt.datetime(2001, 1, 1, tzinfo=dt.UTC)))
    assert "but this program was released at 2025-01-01" in wrong(variables(pipeline), free_port)["clock"]
    filled(pipeline, NEWEST)  # at the time of the real clock
    monkeypatch.setattr("market_pipeline.cli.doctor.diagnosis.dt", clock_at(dt.datetime(2025, 6, 1, tzinfo=dt.UTC)))
    assert "but the newest bars were read at" in wrong(variables(pipeline), free_port)["clock"]
