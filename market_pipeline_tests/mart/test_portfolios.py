"""The newest forecast of each configured portfolio, by the selected joint model, with what it saves and its verdict."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from rich.console import Console

from market_pipeline.cli.portfolios import line_of, print_portfolio
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.portfolios import read_parts, read_portfolio_names, read_portfolios
from market_pipeline_tests.mart.small_mart import TABLES

ROWS = """
insert into meta by name select 'stocks' as market;
insert into portfolios by name select 'stocks' as market, name as portfolio, day as origin, h as horizon,
    day + h as target_session, model, 0 as mean, -0.02 as q10, 0.03 as q90, 0.55 as p_up, -0.04 as var_025,
    -0.05 * h as es_025
from unnest(['mine', 'test_equal']) as n(name), unnest([date '2024-03-05', date '2024-03-06']) as d(day),
    unnest([1, 5]) as t(h), unnest(['constant', 'shrunk']) as m(model);
insert into portfolio_parts by name select market, portfolio, origin, horizon, model, symbol, part * es_025 as es_025,
    0.8 * es_025 as single_es_025
from portfolios, (values ('AAA', 0.9), ('BBB', 0.1)) as s(symbol, part) where portfolio = 'mine';
insert into portfolio_weights values ('stocks', 'mine', '2024-03-06', 'AAA', 0.75, 7500),
    ('stocks', 'mine', '2024-03-06', 'BBB', -0.25, -2500);
insert into champions by name select 'stocks' as market, 1 as horizon, 'portfolio' as question,
    date '2024-02-29' as since, 'shrunk' as model;
insert into leaderboard by name select 'stocks' as market, h as horizon, 'shrunk' as model, 'portfolio' as question,
    p as p_value, v as verdict
from (values (1, 0.001, 'beats_baseline'), (5, 0.4, 'no_evidence')) as l(h, p, v)
"""


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("portfolios") / "mart.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES)
        connection.execute(ROWS)
    return path


def test_each_horizon_has_its_selected_model_at_the_newest_origin(mart: Path) -> None:
    one, five = read_portfolios(mart).to_pylist()
    assert (one["portfolio"], str(one["origin"]), one["model"], one["verdict"]) == (
        "mine", "2024-03-06", "shrunk", "beats_baseline",
    )  # fmt: skip
    assert (five["horizon"], five["model"], five["verdict"]) == (5, "constant", "no_evidence")
    assert (one["capital"], one["positions"]) == (10_000, 2)
    assert one["single_es_025"] == pytest.approx(-0.08)


def test_a_portfolio_is_found_whatever_its_letters_and_an_unknown_one_names_those_there_are(mart: Path) -> None:
    assert read_portfolios(mart, "MINE").num_rows == 2
    assert read_portfolio_names(mart) == ["mine"]
    with pytest.raises(MarketPipelineError, match=r"The mart has no portfolio 'yours'\. It has mine\."):
        read_portfolios(mart, "yours")


def test_losses_are_in_money_and_parts_beside_them(mart: Path) -> None:
    console = Console(width=120, record=True)
    print_portfolio(console, read_portfolios(mart, "mine"), read_parts(mart, "mine"))
    text = console.export_text()
    assert "mine (stocks) at the close of 2024-03-06, positions of 10,000.00 in all" in text
    assert "-4.0% (-400)" in text
    assert "AAA" in text
    assert "-4.5% (-450)" in text  # 0.9 of the shortfall over one session
    assert "1 session: in the worst 1 of 40 cases it loses 5.0% (500) on average; holding these positions" in text
    assert "saves 38% of that loss" in text
    assert "The ranges of this joint model have been better" in text
    assert "No joint model has been better than constant correlations" in text


@pytest.mark.parametrize("width", [80, 120])
def test_a_verdict_names_its_question_and_no_number_is_cut(mart: Path, width: int) -> None:
    assert read_portfolios(mart)["question"].to_pylist() == ["portfolio", "portfolio"]
    console = Console(width=width, record=True)
    print_portfolio(console, read_portfolios(mart, "mine"), read_parts(mart, "mine"))
    text = console.export_text()
    assert "…" not in text.replace(" … ", "")
    words = " ".join(text.split())
    if width == 120:
        assert "shrunk portfolio: beats baseline" in words
        assert "constant portfolio: no evidence" in words
    else:  # the verdict takes a second line
        assert "shrunk portfolio: beats" in words
        assert "constant portfolio: no" in words


def test_a_symbol_is_printed_as_it_is_spelt(mart: Path) -> None:
    console = Console(width=120, record=True)
    rows, parts = read_portfolios(mart, "mine"), read_parts(mart, "mine")
    symbols = pa.array([f"[red]{symbol}[/red]" for symbol in parts["symbol"].to_pylist()])
    named = parts.set_column(parts.column_names.index("symbol"), "symbol", symbols)
    portfolio = pa.array(["[red]mine[/red]"] * rows.num_rows)
    print_portfolio(console, rows.set_column(rows.column_names.index("portfolio"), "portfolio", portfolio), named)
    text = console.export_text()
    assert "[red]mine[/red] (stocks)" in text
    assert "[red]AAA[/red]" in text
    assert "[red]BBB[/red]" in text


def test_a_level_without_a_number_is_a_dash(mart: Path) -> None:
    console = Console(width=120, record=True)
    rows = read_portfolios(mart)
    console.print(line_of(rows.to_pylist()[0]), markup=False)
    without = rows.set_column(rows.column_names.index("es_025"), "es_025", [[None, None]])
    print_portfolio(console, without, read_parts(mart, "mine"))
    console.print(line_of(without.to_pylist()[0]), markup=False)
    text = console.export_text()
    assert "mine over 1 session: in the worst 1 of 40 cases it loses 5.0% (500) on average." in text
    assert "–" in text
    assert "too few past errors for the worst cases" in text
