"""A secret of the environment appears in no file of the data directory and in no output."""

import os
import subprocess
import sys

import dagster as dg
import pytest

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
    for path in settings.home.rglob("*"):
        assert TOKEN not in path.name
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in printed


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
