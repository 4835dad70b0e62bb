"""The command `risk`: which model it shows, how it explains it, and that no number is cut."""

import csv
import io
import json
import re
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from market_pipeline.cli.main import main
from market_pipeline.cli.risk import print_risk
from market_pipeline.mart import tails
from market_pipeline.mart.read import read_risk
from market_pipeline_tests.mart.small_mart import FORECASTS, PRICES, TAILS, report_of

JUDGED = """
insert into champions values ('stocks', 5, 'tail', '2024-01-31', 'random_walk', ''),
    ('stocks', 5, 'tail', '2024-02-29', 'linear', '');
insert into leaderboard values
    ('stocks', 1, 'linear', 'tail', 240, -3.1, -3.1, 0.001, 0.4, 0.5, 'no_evidence'),
    ('stocks', 5, 'linear', 'tail', 240, -3.1, -3.0, 0.095, 0.001, 0.004, 'beats_baseline');
update forecasts set q025 = 2 * q025, q05 = 2 * q05 where model = 'random_walk'
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a published mart: AAA and BBB, horizons 1 and 5, two models."""
    report_of(tmp_path, PRICES, FORECASTS, JUDGED, TAILS, symbols=("AAA", "BBB"))
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["risk", *arguments], env={"COLUMNS": "160"})


def test_the_champion_of_the_tail_is_shown_and_else_the_walk(home: Path) -> None:
    rows = read_risk(home / "mart.duckdb", "aaa").to_pylist()
    assert [(row["horizon"], row["model"], row["verdict"]) for row in rows] == [
        (1, "random_walk", "no_evidence"),
        (5, "linear", "beats_baseline"),
    ]
    assert rows[1]["var_025"] == pytest.approx(-0.3)
    assert rows[1]["es_025"] == pytest.approx(-0.42)
    assert len(tails("AAA", model="linear")) == 2


def test_a_model_that_is_only_kept_is_not_called_the_walk(home: Path) -> None:
    with duckdb.connect(str(home / "mart.duckdb")) as mart:
        mart.execute("update leaderboard set verdict = 'no_evidence' where question = 'tail'")
    text = " ".join(run("AAA").output.split())
    assert "1 session: No model's tails had been better" in text
    assert "5 sessions: These tails were better than the random walk's before and stay selected" in text


def test_a_person_reads_simple_returns_and_a_script_log_returns(home: Path) -> None:
    result = run("AAA")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "-25.9% (-34.3%)" in text  # exp(-0.3) - 1, exp(-0.42) - 1
    assert "linear tail: beats baseline" in text
    assert "random_walk tail: no evidence" in text
    assert "a loss of more than 11.3% is to be expected in 2.5 of 100 cases, of 15.5% on average then" in text
    assert "5 sessions: These tails have been better than the random walk" in text
    rows = json.loads(run("AAA", "--json", "--horizon", "5").stdout)
    assert [(row["es_05"], row["question"]) for row in rows] == [(pytest.approx(-0.3), "tail")]
    every = list(csv.DictReader(io.StringIO(run("--csv", "--sort", "shortfall", "--limit", "2").stdout)))
    assert [(row["horizon"], row["question"]) for row in every] == [("5", "tail"), ("5", "tail")]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_number_is_cut_and_a_refused_level_is_a_dash(home: Path, width: int) -> None:
    with duckdb.connect(str(home / "mart.duckdb")) as connection:
        connection.execute("update tails set var_01 = null, es_01 = null where symbol = 'BBB'")
    paper = io.StringIO()
    print_risk(Console(file=paper, width=width), read_risk(home / "mart.duckdb"))
    assert "…" not in paper.getvalue().replace(" … ", "")
    assert "–" in paper.getvalue()
    assert "tail: beats" in paper.getvalue()


@pytest.mark.parametrize("width", [80, 160])
def test_a_symbol_is_printed_as_it_is_spelt(home: Path, width: int) -> None:
    with duckdb.connect(str(home / "mart.duckdb")) as connection:
        for table in ("forecasts", "tails"):
            connection.execute(f"update {table} set symbol = '[red]' || symbol || '[/red]'")
    paper = io.StringIO()
    print_risk(Console(file=paper, width=width), read_risk(home / "mart.duckdb"))
    lines = paper.getvalue().splitlines()
    assert any(line.startswith("[red]BBB[/red] ") for line in lines)
    assert any(line.startswith("[red]AAA[/red] over 1 session: a loss of more than") for line in lines)


def test_old_prices_are_called_old_above_the_table_or_beside_what_a_script_reads(home: Path) -> None:
    old = re.compile(r"Old prices: stocks: [\d,]+ sessions behind; newest 2024-03-06\n")
    assert old.match(run("AAA").stdout)
    for form in ("--json", "--csv"):
        result = run("AAA", form)
        assert old.fullmatch(result.stderr)
        assert "Old prices" not in result.stdout


def test_a_portfolio_is_found_by_its_name_and_listed_below_the_symbols(home: Path) -> None:
    with duckdb.connect(str(home / "mart.duckdb")) as connection:
        connection.execute(
            "insert into portfolios by name select 'stocks' as market, 'mine' as portfolio, date '2024-03-06' as "
            "origin, 5 as horizon, 'constant' as model, -0.02 as q10, 0.03 as q90, 0.5 as p_up, -0.04 as var_025, "
            "-0.05 as es_025"
        )
    result = run("MINE")
    assert result.exit_code == 0, result.output
    assert "in the worst 1 of 40 cases it loses 5.0% on average" in " ".join(result.output.split())
    assert result.stdout.startswith("Old prices: stocks: ")
    assert "portfolio: insufficient data" in result.output
    [row] = json.loads(run("mine", "--json").stdout)
    assert (row["es_025"], row["question"]) == (-0.05, "portfolio")
    assert "Portfolios, with market-pipeline risk NAME: mine" in run().output
    with duckdb.connect(str(home / "mart.duckdb")) as connection:
        connection.execute("drop table portfolios")
    assert run("AAA").exit_code == 0


def test_what_is_not_there_is_named(home: Path) -> None:
    assert "Did you mean AAA" in " ".join(run("AAB").stderr.split())
    with duckdb.connect(str(home / "mart.duckdb")) as connection:
        connection.execute("drop table tails")
    assert "published by an earlier version, without tails" in " ".join(run("AAA").stderr.split())
