"""Tables of the mart as files: what is read back is what was written, and nothing half written stays."""

import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner
from pandas.testing import assert_frame_equal

from market_pipeline.cli.main import main
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart import export as exporting
from market_pipeline.mart.export import TABLES, export
from market_pipeline.mart.read import read_rows
from market_pipeline_tests.mart.small_mart import FULL, PRICES, report_of

READERS = {
    ".csv": lambda path: duckdb.read_csv(str(path)).df(),
    ".parquet": lambda path: duckdb.read_parquet(str(path)).df(),
    ".xlsx": pd.read_excel,
}


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_of(tmp_path_factory.mktemp("mart"), *FULL).with_name("mart.duckdb")


@pytest.mark.parametrize("ending", READERS)
def test_what_is_read_back_is_what_was_written(mart: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows{ending}"
    filters = {"symbol": "AAA", "since": "2024-02-02"}
    assert export(mart, "prices", path, filters) > 0
    found, wanted = READERS[ending](path), read_rows(mart, "prices", **filters).to_pandas()
    assert [*found.columns] == [*wanted.columns]
    found["session"] = pd.to_datetime(found["session"]).dt.date
    assert_frame_equal(found, wanted, check_dtype=False, check_exact=ending != ".xlsx")
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_exported(mart: Path, tmp_path: Path, table: str) -> None:
    rows = export(mart, table, tmp_path / "rows.parquet", {})
    assert len(READERS[".parquet"](tmp_path / "rows.parquet")) == rows


@pytest.mark.parametrize(
    ("table", "name", "filters", "message"),
    [
        ("price", "rows.csv", {}, "no table 'price'"),
        ("prices", "rows.pdf", {}, "ends in none of .csv, .parquet, .xlsx"),
        ("prices", "absent/rows.csv", {}, "does not exist"),
        ("prices", "rows.csv", {"horizon": 5}, "cannot be filtered by one of horizon"),
    ],
)
def test_what_cannot_be_exported_leaves_no_file(
    mart: Path, tmp_path: Path, table: str, name: str, filters: dict[str, int], message: str
) -> None:
    with pytest.raises(MarketPipelineError, match=message):
        export(mart, table, tmp_path / name, filters)
    assert not [*tmp_path.iterdir()]


def test_a_sheet_that_is_too_long_leaves_the_file_as_it_was(
    mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.xlsx"
    export(mart, "leaderboard", path, {})
    before = path.read_bytes()
    monkeypatch.setattr(exporting, "SHEET_ROWS", 2)
    with pytest.raises(MarketPipelineError, match="A sheet holds 2 rows"):
        export(mart, "prices", path, {})
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_an_export_states_on_stderr_how_old_the_prices_are(tmp_path: Path) -> None:
    coins = "insert into prices select 'coins', * exclude market from prices"
    report_of(tmp_path, PRICES, coins)
    for market, aged in (([], ("coins", "stocks")), (["--market", "coins"], ("coins",))):
        line = ["export", "prices", str(tmp_path / "prices.csv"), *market]
        result = CliRunner(env={"MARKET_PIPELINE_HOME": str(tmp_path)}).invoke(main, line)
        assert result.exit_code == 0, result.output
        assert " rows of prices in " in result.stdout
        assert tuple(re.findall("Old prices: (.*): .* sessions behind; newest 2024-03-06\n", result.stderr)) == aged


def test_a_symbol_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    rows = duckdb.sql("select '=1+1' as symbol, 'https://example.com' as source")
    exporting._write_sheet(rows, tmp_path / "rows.xlsx")
    found = pd.read_excel(tmp_path / "rows.xlsx")
    assert found.to_dict("list") == {"symbol": ["=1+1"], "source": ["https://example.com"]}
