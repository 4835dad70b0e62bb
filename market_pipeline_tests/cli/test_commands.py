"""Every command in a process of its own, with real runs, and one paragraph when something is wrong."""

import datetime as dt
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner

from market_pipeline.cli.completion import symbol_names
from market_pipeline.cli.main import main
from market_pipeline.config.markets_file import load_markets
from market_pipeline.config.settings import Settings
from market_pipeline.mart.read import query
from market_pipeline.orchestration.instance import open_instance

SMALL = """
[stocks]
calendar = "XNYS"
start = 2024-01-02
symbols = ["AUTOREG", "SIM1"]
"""


def command(folder: Path, *arguments: str, config: str = SMALL, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run market-pipeline in a process of its own, on the simulated source unless `settings` name another."""
    folder.mkdir(parents=True, exist_ok=True)
    toml = folder / "markets.toml"
    toml.write_text(config, encoding="utf-8")
    environment = {
        **os.environ,
        "MARKET_PIPELINE_HOME": str(folder / "data"),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "MARKET_PIPELINE_CONFIG": str(toml),
        "COLUMNS": "200",
        **settings,
    }
    line = [sys.executable, "-c", "from market_pipeline.cli.main import main; main()", *arguments]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=300)


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one paragraph of an error; fails for a traceback or a success."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    message = result.stderr.strip()
    assert message.startswith("Error: ")
    assert "\n\n" not in message
    return " ".join(message.split())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data directory has one backfill."""
    folder = tmp_path_factory.mktemp("filled")
    result = command(folder, "backfill", "--market", "stocks", "--start", "2025-02-20", "--end", "2025-03-10")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return folder


def test_a_backfill_loads_history_trains_models_and_publishes(filled: Path) -> None:
    mart = filled / "data" / "mart.duckdb"
    origins = query(mart, "select min(origin) as first, max(origin) as last from forecasts").to_pylist()[0]
    assert (origins["first"], origins["last"]) == (dt.date(2025, 2, 20), dt.date(2025, 3, 10))
    assert query(mart, "select min(session) as first from indicators")["first"][0].as_py() == dt.date(2024, 1, 2)
    assert (filled / "data" / "report.html").stat().st_size > 1000
    assert list((filled / "data" / "models" / "stocks").rglob("2025-03-01-*.npz"))


def test_the_forecast_of_a_symbol_has_its_verdict(filled: Path) -> None:
    result = command(filled, "forecast", "autoreg")
    assert result.returncode == 0
    assert "AUTOREG (stocks) at the close of 2025-03-10" in result.stdout
    assert "insufficient data" in result.stdout


def test_json_is_all_that_is_printed_for_a_script(filled: Path) -> None:
    one = json.loads(command(filled, "forecast", "AUTOREG", "--json").stdout)
    assert [row["horizon"] for row in one] == [1, 5], "two symbols of a year have too few errors for 20 sessions"
    assert one[0]["as_of"] == "2025-03-10"
    assert 0 < one[0]["p_up"] < 1
    assert {row["symbol"] for row in json.loads(command(filled, "forecast", "--json").stdout)} == {"AUTOREG", "SIM1"}
    judged = json.loads(command(filled, "verdicts", "--json", "--market", "stocks").stdout)
    assert {row["verdict"] for row in judged} == {"insufficient_data"}
    arguments = ("--market", "stocks", "--start", "2025-03-10", "--end", "2025-03-10", "--assets", "mart", "--json")
    ended = command(filled, "backfill", *arguments)
    result = json.loads(ended.stdout)
    assert result["runs"][0] | {"seconds": 0} == {
        "market": "stocks", "assets": ["mart"], "first": "2025-03-10", "last": "2025-03-10", "seconds": 0,
    }  # fmt: skip
    assert Path(result["mart"]).exists()
    assert result["sessions_behind"]["stocks"] > 400
    assert "[1 of 1] mart" in ended.stderr
    assert re.search(r"\nOld prices: stocks: \d+ sessions behind; newest 2025-03-10\n$", ended.stderr)


def test_commands_that_read_state_how_old_the_prices_are(filled: Path) -> None:
    for arguments in (("forecast",), ("forecast", "SIM1"), ("verdicts",)):
        result = command(filled, *arguments)
        assert re.match(r"Old prices: stocks: \d+ sessions behind; newest 2025-03-10\n", result.stdout), result.stdout
    result = command(filled, "forecast", "--json")
    assert "Old prices: stocks: " in result.stderr
    behind = {row["sessions_behind"] for row in json.loads(result.stdout)}
    assert len(behind) == 1
    assert behind.pop() > 400
    findings = {row["subject"]: row for row in json.loads(command(filled, "doctor", "--port", "1", "--json").stdout)}
    for subject in ("stocks", "mart"):
        assert not findings[subject]["ok"]
        assert "sessions behind" in findings[subject]["message"]


def test_a_backfill_ends_with_the_age_of_what_it_loaded_and_with_nothing_of_a_library(filled: Path) -> None:
    days = ("--start", "2025-03-06", "--end", "2025-03-10")
    result = command(filled, "backfill", "--market", "stocks", *days, "--assets", "leaderboard,signals,mart")
    assert result.returncode == 0
    assert re.search(r"\nOld prices: stocks: \d+ sessions behind; newest 2025-03-10\n$", result.stdout)
    assert result.stderr == ""


def test_files_are_not_asked_for_sessions_after_their_end(tmp_path: Path) -> None:
    days = pd.bdate_range("2024-01-02", "2024-03-28")
    bars = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1e5}
    (tmp_path / "files").mkdir()
    rows = [pd.DataFrame({"symbol": symbol, "date": days} | bars) for symbol in ("AUTOREG", "SIM1")]
    pd.concat(rows).to_csv(tmp_path / "files" / "bars.csv", index=False)
    files = {"MARKET_PIPELINE_SOURCE": "files", "MARKET_PIPELINE_FILES": str(tmp_path / "files")}
    beyond = ("backfill", "--market", "stocks", "--start", "2024-02-01", "--end", "2025-06-30", "--assets", "prices")
    message = refused(command(tmp_path, *beyond, **files))
    assert "stocks: the bars of files end at 2024-03-28, so the session 2025-06-30 cannot be loaded" in message
    assert "or end at 2024-03-28" in message
    assert "the bars of files end at 2024-03-28" in refused(command(tmp_path, "run", **files))
    assert not (tmp_path / "data" / "warehouse.duckdb").exists()


def test_shells_complete_the_symbols_of_the_mart(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(filled / "data"))
    context = click.Context(main)
    assert [item.value for item in symbol_names(context, main.params[0], "si")] == ["SIM1"]


def test_verdicts_are_a_table_and_an_unknown_market_is_named(filled: Path) -> None:
    result = command(filled, "verdicts")
    assert result.returncode == 0
    assert "Verdicts: skill against the random walk" in result.stdout
    assert "has nothing of the market 'bonds'. It has stocks" in refused(
        command(filled, "verdicts", "--market", "bonds")
    )


def test_forecasts_and_verdicts_are_csv_for_a_script(filled: Path) -> None:
    for wanted in (["forecast", "--horizon", "5", "--sort", "width", "--limit", "1"], ["verdicts", "--sort", "skill"]):
        result = command(filled, *wanted, "--csv")
        assert result.returncode == 0
        rows = pd.read_csv(io.StringIO(result.stdout))
        assert {"market", "horizon", "verdict"} <= {*rows.columns}
        assert len(rows) == 1 or wanted[0] == "verdicts"
        assert "Old prices" in result.stderr


@pytest.mark.parametrize("form", ["", "--json"])
def test_a_run_ends_with_the_age_of_what_is_stored(filled: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """As when the source had no bar of the newest session."""
    monkeypatch.setattr("market_pipeline.cli.run.materialise", lambda *_: [])
    variables = {"HOME": str(filled / "data"), "SOURCE": "simulated", "CONFIG": str(filled / "markets.toml")}
    environment = {f"MARKET_PIPELINE_{name}": value for name, value in variables.items()}
    monkeypatch.setattr("market_pipeline.cli.run.planned_runs", lambda *_, **__: [])
    result = CliRunner().invoke(main, ["run", *filter(None, [form])], env=environment)
    assert result.exit_code == 0, result.output
    aged = result.stderr if form else result.stdout
    assert re.search(r"(^|\n)Old prices: stocks: \d+ sessions behind; newest 2025-03-10\n$", aged)
    if form:
        assert json.loads(result.stdout)["sessions_behind"]["stocks"] > 400


def test_a_table_is_exported(filled: Path, tmp_path: Path) -> None:
    result = command(
        filled, "export", "prices", str(tmp_path / "prices.csv"), "--symbol", "SIM1", "--since", "2024-06-03"
    )
    assert result.returncode == 0
    assert re.search(r"^[\d,]+ rows of prices in ", result.stdout)
    assert re.fullmatch(r"Old prices: stocks: \d+ sessions behind; newest 2025-03-10\n", result.stderr)
    assert set(pd.read_csv(tmp_path / "prices.csv")["symbol"]) == {"SIM1"}
    assert "has no table 'price'" in refused(command(filled, "export", "price", str(tmp_path / "price.csv")))


def test_an_interrupted_backfill_ends_at_once_and_its_run_as_cancelled(tmp_path: Path) -> None:
    tmp_path.joinpath("markets.toml").write_text(SMALL.replace("2024-01-02", "2022-01-03"), encoding="utf-8")
    environment = {
        **os.environ, "MARKET_PIPELINE_HOME": str(tmp_path / "data"), "MARKET_PIPELINE_SOURCE": "simulated",
        "MARKET_PIPELINE_CONFIG": str(tmp_path / "markets.toml"),
    }  # fmt: skip
    arguments = ("backfill", "--market", "stocks", "--start", "2023-02-01", "--end", "2025-03-10")
    # A background job of a shell ignores the signal, and so do its child processes.
    allow_sigint = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    line = [sys.executable, "-c", f"{allow_sigint}; from market_pipeline.cli.main import main; main()", *arguments]
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "models" not in (line_read := process.stdout.readline()):  # the first run has ended, the long one has begun
        assert line_read, process.communicate()[1]
    instance = open_instance(Settings(home=tmp_path / "data", source="simulated"))
    while len(instance.get_runs()) < 2:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "Interrupted. What was stored is whole" in errors
    assert "Traceback" not in errors
    assert [run.status.value for run in instance.get_runs()] == ["CANCELED", "SUCCESS"]


def test_the_ui_names_a_free_port_instead_of_a_taken_one(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"ui --port {port + 1}" in refused(command(tmp_path, "ui", "--port", str(port)))


def test_a_part_of_the_chain_can_be_named(filled: Path) -> None:
    days = ("--start", "2025-03-05", "--end", "2025-03-10")
    result = command(filled, "backfill", "--market", "stocks", *days, "--assets", "forecasts,scores")
    assert result.returncode == 0
    assert "forecasts, scores" in result.stdout
    assert "models" not in result.stdout


def test_the_source_is_remembered_and_another_is_refused(filled: Path) -> None:
    assert command(filled, "forecast", "SIM1", MARKET_PIPELINE_SOURCE="").returncode == 0
    other = {"MARKET_PIPELINE_SOURCE": "files", "MARKET_PIPELINE_FILES": str(filled)}
    day = ("--start", "2025-03-10", "--end", "2025-03-10")
    message = refused(command(filled, "backfill", "--market", "stocks", *day, **other))
    assert "holds simulated data, but the source is now files" in message
    assert "MARKET_PIPELINE_HOME" in message


def test_a_locked_warehouse_names_its_holder(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = subprocess.Popen(
        [
            sys.executable, "-c",
            "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('locked', flush=True); time.sleep(120)",
            str(filled / "data" / "warehouse.duckdb"),
        ],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        result = command(filled, "doctor")
        assert result.returncode == 1
        assert f"process {holder.pid}" in " ".join(result.stdout.split())
    finally:
        holder.kill()
        holder.wait()
    with duckdb.connect(str(filled / "data" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from prices").fetchone() is not None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--start", "2024-05-25", "--end", "2024-05-27"), "has no session from 2024-05-25 to 2024-05-27"),
        (("--start", "2099-01-02", "--end", "2099-01-03"), "the newest closed session is"),
        (("--start", "2024-03-01", "--end", "2024-02-01"), "before it starts"),
        (("--start", "2020-01-02", "--end", "2024-02-01"), "stocks starts at 2024-01-02"),
        (("--start", "2024-02-01", "--end", "2024-02-02", "--assets", "pricse"), "There is no asset 'pricse'"),
    ],
)
def test_an_impossible_range_is_refused(tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:
    assert expected in refused(command(tmp_path, "backfill", "--market", "stocks", *arguments))
    assert not (tmp_path / "data" / "warehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SMALL.replace("XNYS", "NYSE2"), "calendar is 'NYSE2', which is not a calendar"),
        (SMALL.replace('["AUTOREG", "SIM1"]', "[]"), "symbols is [], but must be a list of one or more"),
        (SMALL.replace("2024-01-02", "2099-01-02"), "not in the past"),
        ("[stocks", "is not valid TOML"),
        ("", "declares no market"),
    ],
)
def test_an_impossible_configuration_is_refused(tmp_path: Path, config: str, expected: str) -> None:
    arguments = ("backfill", "--market", "stocks", "--start", "2024-02-01", "--end", "2024-02-02")
    assert expected in refused(command(tmp_path, *arguments, config=config))


def test_other_impossible_settings_are_refused(tmp_path: Path) -> None:
    assert "the sources are" in refused(command(tmp_path, "run", MARKET_PIPELINE_SOURCE="bloomberg"))
    assert "MARKET_PIPELINE_FILES" in refused(command(tmp_path, "run", MARKET_PIPELINE_SOURCE="files"))
    assert "There is no market 'bonds'" in refused(command(tmp_path, "run", "--market", "bonds"))
    assert "No mart is published" in refused(command(tmp_path, "forecast", "AUTOREG"))


def test_a_run_in_an_empty_data_directory_names_what_to_load_first(tmp_path: Path) -> None:
    message = refused(command(tmp_path, "run"))
    assert "were never loaded, the first 2024-01-02" in message
    assert "market-pipeline backfill --market stocks --start 2024-01-02" in message


def test_an_unknown_symbol_is_recorded_and_stops_no_other(tmp_path: Path) -> None:
    config = SMALL.replace('"SIM1"', '"APPLE"')
    arguments = ("backfill", "--market", "stocks", "--start", "2024-01-02", "--end", "2024-01-31", "--assets", "prices")
    assert command(tmp_path, *arguments, config=config).returncode == 0
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select symbol, status from outcomes order by 1").fetchall() == [
            ("APPLE", "unknown_symbol"), ("AUTOREG", "ok"),
        ]  # fmt: skip
        assert connection.execute("select count(*) from prices").fetchone() == (21,)


def test_an_empty_data_directory_is_healthy(tmp_path: Path) -> None:
    result = command(tmp_path, "doctor", "--port", "1")
    assert result.returncode == 0
    assert "source simulated" in result.stdout


def test_a_run_is_the_newest_session_from_prices_to_the_mart(tmp_path: Path) -> None:
    start = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=300)
    coins = f'[crypto]\ncalendar = "24/7"\nstart = {start}\nsymbols = ["WALK1-USD", "SIM1-USD"]\n'
    coins += "settle_minutes = 0\n"  # in the hour after midnight the newest settled session's first target is past
    newest = load_markets_newest(coins, tmp_path)
    arguments = ("--start", str(start), "--end", str(newest - dt.timedelta(days=1)), "--assets", "prices,indicators")
    assert command(tmp_path, "backfill", "--market", "crypto", *arguments, config=coins).returncode == 0
    result = command(tmp_path, "run", config=coins)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = query(tmp_path / "data" / "mart.duckdb", "select distinct origin, mode from forecasts").to_pylist()
    assert rows == [{"origin": newest, "mode": "live"}]
    again = command(tmp_path, "run", config=coins)
    assert again.returncode == 0
    assert "models" not in again.stdout  # trained once for the month


def load_markets_newest(toml: str, folder: Path) -> dt.date:
    path = folder / "newest.toml"
    path.write_text(toml, encoding="utf-8")
    newest = load_markets(path)[0].newest_closed(dt.datetime.now(dt.UTC))
    assert newest is not None
    return newest


def test_a_replay_reproduces_the_stored_forecasts(filled: Path) -> None:
    result = command(filled, "replay", "--market", "stocks", "--origin", "2025-03-07")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("identical")
    assert "forecasts of stocks at 2025-03-07" in result.stdout
    assert "no rows differ" in result.stdout
    message = refused(command(filled, "replay", "--market", "stocks", "--origin", "2025-03-08"))
    assert "no forecast of 2025-03-08 is in the ledger" in message
