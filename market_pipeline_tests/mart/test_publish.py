import datetime as dt
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from market_pipeline import __version__
from market_pipeline.cli.tables import print_signals, print_verdicts
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.publish import adjusted_closes, publish
from market_pipeline.mart.read import query, read_forecast, read_rows
from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.storage.catalog import MART, MART_VIEWS, PUBLISHED
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.schema import Table, View
from market_pipeline.storage.tables.keys import MARKET
from market_pipeline.storage.upgrade import SCHEMA_VERSION
from market_pipeline_tests.pipeline import SMALL, Pipeline

START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 2, 20), dt.date(2024, 3, 15)
NOW = dt.datetime(2024, 3, 16, tzinfo=dt.UTC)

CONTRACT = {
    "prices": "market symbol session open high low close volume dividend split_ratio adj_close source",
    "forecasts": "market symbol origin horizon target_session model mean q025 q05 q10 q25 q50 q75 q90 q95 q975 p_up "
    "trained_through made_at mode",
    "tails": "market symbol origin horizon target_session model var_01 es_01 var_025 es_025 var_05 es_05",
    "ranks": "market symbol origin horizon target_session model p_q1 p_q2 p_q3 p_q4 p_q5",
    "scores": "market symbol origin horizon target_session model realised abs_error squared_error crps brier "
    "covered_50 covered_80 covered_95 fz_01 fz_025 fz_05 exceeded_01 exceeded_025 exceeded_05",
    "daily_scores": "market target_session origin horizon model symbols squared_error brier crps "
    "baseline_squared_error baseline_brier baseline_crps covered_50 covered_80 covered_95 rose called_up "
    "called_up_and_rose product fz_025 baseline_fz_025 exceeded_01 exceeded_025 exceeded_05",
    "rank_scores": "market origin horizon model rps",
    "leaderboard": "market horizon model question n_origins loss baseline_loss skill p_value p_adjusted verdict",
    "signals": "market symbol as_of horizon trend p_up expected_return low_80 high_80 model verdict question",
    "coverage": "market session expected present rejected missing",
    "changes": "market kind symbol session horizon question model field before after",
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("mart"), SMALL.replace('"SIM2"', '"SIM2", "SIM3", "WALK1"'))
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), dt.date(2024, 2, 1), dt.date(2024, 3, 1))
    pipeline.compute(("forecasts", "scores", "leaderboard", "signals"), FIRST, LAST)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, NOW)
    return pipeline


def columns_of(mart: Path, table: str) -> list[str]:
    return query(mart, f"from {table} limit 0").column_names


@pytest.mark.parametrize("table", CONTRACT)
def test_a_table_has_the_columns_of_the_contract(pipeline: Pipeline, table: str) -> None:
    assert columns_of(pipeline.mart, table) == CONTRACT[table].split()


def test_views_and_indicators_are_there(pipeline: Pipeline) -> None:
    mart = pipeline.mart
    assert len(columns_of(mart, "indicators")) >= 3 + 25
    prices = query(mart, "select * from forecast_prices where model = 'ewma' and horizon = 5 order by all").to_pylist()
    returns = query(mart, "select * from forecasts where model = 'ewma' and horizon = 5 order by all").to_pylist()
    assert len(prices) == len(returns) > 0
    assert prices[7]["q90"] == pytest.approx(prices[7]["origin_price"] * np.exp(returns[7]["q90"]))
    levels = query(mart, "from indicator_levels where symbol = 'AUTOREG' order by session").to_pandas()
    np.testing.assert_allclose(levels["sma_20"].iloc[19:], levels["adj_close"].rolling(20).mean().iloc[19:])
    assert (levels["bollinger_upper"].iloc[30:] > levels["bollinger_lower"].iloc[30:]).all()


def test_meta_has_the_source_the_time_and_the_versions(pipeline: Pipeline) -> None:
    row = query(pipeline.mart, "from meta").to_pylist()[0]
    assert tuple(row) == MART["meta"].names
    assert (row["code_version"], row["schema_version"]) == (__version__, SCHEMA_VERSION)
    assert (row["source"], row["newest_session"], row["published_at"]) == ("simulated", LAST, NOW.replace(tzinfo=None))


@pytest.mark.parametrize("table", [*MART.values(), *MART_VIEWS], ids=lambda table: table.name)
def test_every_column_has_its_declared_description(pipeline: Pipeline, table: Table | View) -> None:
    comments = query(
        pipeline.mart,
        "select column_name, comment from duckdb_columns() where table_name = $table order by column_index",
        {"table": table.name},
    )
    declared = [(column.name, column.description) for column in table.columns if column.published]
    assert [tuple(row.values()) for row in comments.to_pylist()] == declared


def test_adjusted_closes_end_at_the_close_and_move_as_the_total_return(pipeline: Pipeline) -> None:
    rows = query(
        pipeline.mart,
        "select session, close, adj_close, dividend, split_ratio from prices where symbol = 'SIM1' order by session",
    ).to_pandas()
    assert rows["adj_close"].iloc[-1] == pytest.approx(rows["close"].iloc[-1])
    before = rows["close"].shift()
    total = rows["split_ratio"] * rows["close"] / (before - rows["dividend"] * rows["split_ratio"])
    np.testing.assert_allclose((rows["adj_close"] / rows["adj_close"].shift())[1:], total[1:])
    assert adjusted_closes(pipeline.warehouse, pipeline.market, LAST).num_rows


def test_a_symbol_that_left_the_configuration_stays_published(pipeline: Pipeline, tmp_path: Path) -> None:
    smaller = replace(pipeline.market, symbols=("WALK1", "SIM2"))
    publish(pipeline.warehouse, [smaller], tmp_path / "mart.duckdb", NOW)
    marts = [query(mart, "from prices") for mart in (pipeline.mart, tmp_path / "mart.duckdb")]
    assert marts[0].num_rows
    assert marts[0] == marts[1]


def test_a_warehouse_without_bars_makes_an_empty_mart(pipeline: Pipeline, tmp_path: Path) -> None:
    rows = publish(DuckDBFile(tmp_path / "new.duckdb", "simulated"), [pipeline.market], tmp_path / "mart.duckdb", NOW)
    assert set(rows) == set(MART) - {"meta"}
    assert {table for table, count in rows.items() if count} == {"symbols"}


def test_a_reader_keeps_its_view_while_a_new_mart_takes_its_place(pipeline: Pipeline) -> None:
    with duckdb.connect(str(pipeline.mart), read_only=True) as reader:
        publish(pipeline.warehouse, [pipeline.market], pipeline.mart, NOW + dt.timedelta(days=1))
        assert reader.execute("select published_at from meta").fetchone() == (NOW.replace(tzinfo=None),)
    newer = query(pipeline.mart, "select published_at from meta")["published_at"][0].as_py()
    assert newer == NOW.replace(tzinfo=None) + dt.timedelta(days=1)


def test_a_mart_lists_what_the_one_before_had_not(pipeline: Pipeline, tmp_path: Path) -> None:
    mart = tmp_path / "mart.duckdb"
    publish(pipeline.warehouse, [pipeline.market], mart, NOW)
    assert query(mart, "from changes").num_rows == 0
    assert query(mart, "select compared_with from meta")["compared_with"].to_pylist() == [None]
    with duckdb.connect(str(mart)) as earlier:
        earlier.execute("delete from prices where session > date '2024-03-13'")
        earlier.execute(
            "update leaderboard set verdict = 'worse' where (model, horizon, question) = ('ewma', 5, 'range')"
        )
    publish(pipeline.warehouse, [pipeline.market], mart, NOW + dt.timedelta(days=1))
    found = query(mart, "from changes").to_pylist()
    assert [row["session"] for row in found if row["kind"] == "session"] == [dt.date(2024, 3, 14), LAST]
    turned = [row for row in found if row["kind"] == "verdict"]
    assert [(row["model"], row["before"], row["after"]) for row in turned] == [("ewma", "worse", "insufficient_data")]
    assert query(mart, "select compared_with from meta")["compared_with"].to_pylist() == [NOW.replace(tzinfo=None)]


@pytest.mark.parametrize("damage", ["no database", "create table meta as select 1 as other", "create table x (y int)"])
def test_a_mart_that_cannot_be_compared_with_is_replaced(pipeline: Pipeline, tmp_path: Path, damage: str) -> None:
    mart = tmp_path / "mart.duckdb"
    if damage == "no database":
        mart.write_text(damage, encoding="utf-8")
    else:
        with duckdb.connect(str(mart)) as earlier:
            earlier.execute(damage)
    publish(pipeline.warehouse, [pipeline.market], mart, NOW)
    assert query(mart, "select compared_with from meta")["compared_with"].to_pylist() == [None]
    assert query(mart, "from changes").num_rows == 0


def test_a_publication_that_fails_leaves_the_old_mart_and_no_other_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pipeline.mart.read_bytes()
    monkeypatch.setattr("market_pipeline.mart.publish.PUBLISHED", (*PUBLISHED, Table("no_such_table", "", (MARKET,))))
    with pytest.raises(duckdb.CatalogException):
        publish(pipeline.warehouse, [pipeline.market], pipeline.mart, NOW)
    assert pipeline.mart.read_bytes() == before
    assert not list(pipeline.settings.home.glob("*.new"))


def test_a_missing_mart_and_an_unknown_symbol_are_errors_with_the_fix(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(MarketPipelineError, match="make demo"):
        query(tmp_path / "mart.duckdb", "from meta")
    with pytest.raises(MarketPipelineError, match="Did you mean AUTOREG"):
        read_forecast(pipeline.mart, "AUTOREGG")
    assert read_forecast(pipeline.mart, "autoreg").num_rows == 3


def test_a_terminal_shows_every_verdict_on_one_line_each(pipeline: Pipeline) -> None:
    written = StringIO()
    console = Console(file=written, width=110)
    verdicts = read_rows(pipeline.mart, "leaderboard")
    print_verdicts(console, verdicts)
    print_signals(console, read_rows(pipeline.mart, "signals"))
    lines = [line for line in written.getvalue().splitlines() if line.startswith("stocks")]
    judged = [row for row in verdicts.to_pylist() if row["question"] in claims_of(row["model"])]
    claimed = {(row["model"], row["question"]) for row in judged}
    assert "holds only what survived until today" in written.getvalue()
    assert {tuple(line.split()[1:3]) for line in lines} >= claimed
    assert not any(line.split()[1:3] == ["har", "return"] for line in lines)
    assert "in which a model forecasts as the random walk does" in written.getvalue()
    assert all("insufficient" in line for line in lines)


ANOTHER = """
import sys
from pathlib import Path
from typing import Any
from market_pipeline.storage.duckdb_file import DuckDBFile
with DuckDBFile(Path(sys.argv[1]), "simulated", patience=1).connect(read_only=False) as connection:
    for table in ("prices", "coverage"):
        connection.execute(
            f"insert into {table} by name select * replace (date '2024-03-18' as session) from {table} "
            f"where session = '2024-03-15'"
        )
"""


def copied(pipeline: Pipeline, folder: Path) -> DuckDBFile:
    """A warehouse of its own with the same content."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(pipeline.settings.warehouse_file, folder / "warehouse.duckdb")
    return DuckDBFile(folder / "warehouse.duckdb", "simulated")


def newest_of(mart: Path) -> dict[str, dt.date]:
    """The newest session of two tables."""
    return {
        name: query(mart, f"select max(session) as s from {name}")["s"][0].as_py() for name in ("prices", "coverage")
    }


def test_a_mart_is_of_one_moment_of_the_warehouse(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = copied(pipeline, tmp_path)

    def then_another_writes(*arguments: Any) -> pa.Table:
        adjusted = adjusted_closes(*arguments)
        line = [sys.executable, "-c", ANOTHER, str(warehouse.path)]
        subprocess.run(line, capture_output=True, check=False, timeout=60)
        return adjusted

    monkeypatch.setattr("market_pipeline.mart.publish.adjusted_closes", then_another_writes)
    publish(warehouse, [pipeline.market], tmp_path / "mart.duckdb", NOW + dt.timedelta(days=3))
    assert newest_of(tmp_path / "mart.duckdb") == {"prices": LAST, "coverage": LAST}


LASTING = """
import datetime as dt, sys
from pathlib import Path
from market_pipeline.config.markets_file import load_markets
from market_pipeline.mart.publish import publish
from market_pipeline.storage.duckdb_file import DuckDBFile
replace_file = Path.replace

def wait(self, target):
    if target == Path(sys.argv[2]):
        print("reached", flush=True)
        sys.stdin.readline()
    return replace_file(self, target)

Path.replace = wait
moment = dt.datetime(2024, 3, 19, tzinfo=dt.UTC)
publish(DuckDBFile(Path(sys.argv[1]), "simulated"), load_markets(Path(sys.argv[3])), Path(sys.argv[2]), moment)
"""


def test_a_publication_that_lasts_does_not_replace_a_newer_one(pipeline: Pipeline, tmp_path: Path) -> None:
    warehouse, mart = copied(pipeline, tmp_path), tmp_path / "mart.duckdb"
    line = [sys.executable, "-c", LASTING, warehouse.path, mart, str(pipeline.settings.config)]
    older = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert older.stdout is not None
    assert older.stdout.readline() == "reached\n"
    subprocess.run([sys.executable, "-c", ANOTHER, warehouse.path], check=True, timeout=60)
    newer = threading.Thread(target=publish, args=(warehouse, [pipeline.market], mart, NOW + dt.timedelta(days=3)))
    newer.start()
    newer.join(2)  # without waiting for the other, it would be published by now
    older.communicate("\n", timeout=60)
    newer.join()
    assert newest_of(mart) == dict.fromkeys(("prices", "coverage"), dt.date(2024, 3, 18))


def test_what_a_killed_publication_left_is_in_nobodys_way(pipeline: Pipeline, tmp_path: Path) -> None:
    for name in ("mart.duckdb.new", "mart.duckdb.new.wal"):
        (tmp_path / name).write_bytes(b"half a file")
    publish(pipeline.warehouse, [pipeline.market], tmp_path / "mart.duckdb", NOW)
    assert newest_of(tmp_path / "mart.duckdb")["prices"] == LAST
    assert not list(tmp_path.glob("*.new*"))
