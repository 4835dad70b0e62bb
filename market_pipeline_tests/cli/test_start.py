"""What a command that reads, and the code location, load at the start: their time is that of these imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from market_pipeline_tests.mart.small_mart import FORECASTS, LEADERBOARD, PRICES, SIGNALS, TAILS, report_of

LOADED = """
import sys
from market_pipeline.cli.main import main
main(standalone_mode=False)
print(*sorted({name for name in sys.modules}), file=sys.stderr)
"""
HEAVIEST = {"click", "duckdb", "numpy", "pyarrow", "rich"}
"""Packages of others that a forecast needs, each tens of milliseconds; others are a few."""

NOT_TO_READ = {
    "alembic", "arch", "dagster", "exchange_calendars", "filelock", "jinja2", "joblib", "matplotlib", "pandas",
    "plotly", "pydantic", "scipy", "sklearn", "sqlalchemy", "statsforecast", "talib", "yfinance",
}  # fmt: skip
"""What has no part in reading: pandas alone takes as long as all that a forecast loads."""


COMPUTES = {
    "arch", "ccxt", "cmdstanpy", "joblib", "matplotlib", "numba", "prophet", "scipy", "sklearn", "statsforecast",
    "statsmodels", "yfinance",
}  # fmt: skip
"""What the code location loads where it is used."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a mart that is not behind: no calendar is needed."""
    folder = tmp_path_factory.mktemp("home")
    current = "update meta set current_until = timestamp '2999-01-01'"
    report_of(folder, PRICES, FORECASTS, SIGNALS, LEADERBOARD, TAILS, symbols=("AAA", "BBB"), afterwards=current)
    return folder


def packages_of(home: Path, *arguments: str) -> set[str]:
    """The top-level packages that a command has loaded when it ends."""
    line = [sys.executable, "-c", LOADED, *arguments]
    environment = os.environ | {"MARKET_PIPELINE_HOME": str(home)}
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout
    return {name.split(".")[0] for name in ended.stderr.split()}


@pytest.mark.parametrize("arguments", [("forecast", "AAA"), ("forecast", "--market", "stocks", "--sort", "width")])
def test_a_forecast_loads_what_it_needs_to_read_and_to_print(home: Path, arguments: tuple[str, ...]) -> None:
    loaded = packages_of(home, *arguments)
    assert loaded >= HEAVIEST
    assert sorted(loaded & NOT_TO_READ) == []


@pytest.mark.parametrize("command", ["verdicts", "risk"])
def test_verdicts_and_risk_load_neither_dagster_nor_pandas(home: Path, command: str) -> None:
    assert sorted(packages_of(home, command) & NOT_TO_READ - {"pydantic", "scipy"}) == []


def test_the_definitions_load_no_library_that_only_computing_needs(tmp_path: Path) -> None:
    """Dagster and pandas, which calendars need, are most of their time."""
    code = "import sys, market_pipeline.definitions as d; d.defs(); print(*sys.modules)"
    line = [sys.executable, "-W", "ignore", "-c", code]
    environment = os.environ | {"MARKET_PIPELINE_SOURCE": "yahoo", "MARKET_PIPELINE_HOME": str(tmp_path)}
    found = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    loaded = {name.split(".")[0] for name in found.split()}
    assert loaded >= {"dagster", "duckdb", "exchange_calendars", "numpy", "pandas", "pyarrow", "pydantic"}
    assert sorted(loaded & COMPUTES) == []


def test_the_help_names_the_settings_all_the_same() -> None:
    line = [sys.executable, "-c", "from market_pipeline.cli.main import main; main()", "--help"]
    shown = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "MARKET_PIPELINE_HOME" in shown
    assert "MARKET_PIPELINE_TRACEBACK" in shown
