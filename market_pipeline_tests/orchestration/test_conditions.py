"""The rows that a check reads, and the conditions that follow from the declarations of tables."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from market_pipeline.definitions import build_definitions
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.conditions import declared_conditions
from market_pipeline.storage.schema import Column
from market_pipeline.storage.tables.prices import BARS, COVERAGE, QUARANTINE
from market_pipeline_tests.pipeline import Pipeline

START, PLANTED, LAST = dt.date(2023, 1, 3), dt.date(2023, 3, 1), dt.date(2023, 6, 30)
UNIQUE = "keys_unique"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline whose indicators have the rows of one session twice."""
    pipeline = Pipeline(tmp_path_factory.mktemp("checks"))
    pipeline.compute(("prices", "indicators"), START, LAST)
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("insert into indicators from indicators where session = ?", [PLANTED])
    return pipeline


def found(pipeline: Pipeline, result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        check.check_name: check.passed
        for check in result.get_asset_check_evaluations()
        if check.asset_key == dg.AssetKey([pipeline.market.name, "indicators"])
    }


@pytest.mark.parametrize(
    ("day", "passes"),
    [
        (LAST, True),
        (dt.date(2023, 4, 3), True),
        (dt.date(2023, 3, 31), False),  # as far back as a run may write
        (dt.date(2023, 2, 28), True),
    ],
)
def test_a_check_reads_what_its_run_may_have_written(pipeline: Pipeline, day: dt.date, *, passes: bool) -> None:
    result = pipeline.materialise(("indicators",), day, day)
    assert found(pipeline, result)[UNIQUE] == passes
    assert result.success == passes


def test_a_check_that_is_launched_alone_reads_everything(pipeline: Pipeline) -> None:
    definitions = build_definitions(pipeline.settings)
    asset = dg.AssetKey([pipeline.market.name, "indicators"])
    job = dg.define_asset_job("alone", dg.AssetSelection.checks_for_assets(asset)).resolve(
        asset_graph=definitions.resolve_asset_graph()
    )
    result = job.execute_in_process(instance=pipeline.instance, raise_on_error=False, resources=pipeline.resources())
    checks = found(pipeline, result)
    assert not checks.pop(UNIQUE)
    assert all(checks.values())


def test_a_price_step_is_measured_across_a_halt_longer_than_the_reach_of_a_check(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.compute(("prices",), START, LAST)
    read = "select session, before, step from price_steps(?) where symbol = 'SIM1' and session >= ? order by 1"
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from prices where session > ? and session < ?", [PLANTED, LAST])
        [early, late] = (connection.execute(read, [since, LAST]).fetchall() for since in (dt.date.min, LAST))
    assert early == late
    assert early[0][1] is not None


def test_a_missing_required_value_is_found_with_its_table_key_and_column() -> None:
    nullable = [replace(column, nullable=True) for column in BARS.columns]
    [condition] = [one for one in declared_conditions(ASSETS["prices"]) if one.name == "required_values_present"]
    with duckdb.connect() as connection:
        for table in (replace(BARS, columns=tuple(nullable), checks=()), QUARANTINE, COVERAGE):
            for statement in table.ddl():
                connection.execute(statement)
        bar = "insert into prices (market, symbol, session, open, final) values"
        connection.execute(f"{bar} ('stocks', 'A', '2023-03-01', null, null), ('crypto', 'B', '2023-03-01', 1, true)")
        named = {"market": "stocks", "first": START, "last": LAST}
        [(table, row, columns)] = connection.execute(condition.sql, named).fetchall()
    assert (table, row) == ("prices", "A 2023-03-01")
    required = [column.name for column in BARS.columns if not column.nullable]
    assert columns.split(", ") == [name for name in required if name not in ("market", "symbol", "session")]


def test_a_column_that_is_added_to_a_declaration_is_checked() -> None:
    shares = Column("shares", "double", "Shares outstanding")
    prices = replace(ASSETS["prices"], tables=(replace(BARS, columns=(*BARS.columns, shares)),))
    sql = {one.name: one.sql for one in declared_conditions(prices)}
    assert "shares is null" in sql["required_values_present"]
    assert "volume is null" not in sql["required_values_present"]


def test_every_asset_with_partitions_is_checked_for_the_keys_of_its_tables() -> None:
    declared = {name: {one.name: one for one in declared_conditions(asset)} for name, asset in ASSETS.items()}
    assert {name for name, conditions in declared.items() if "keys_unique" in conditions} == {
        name for name, asset in ASSETS.items() if asset.partition != "none"
    }
    assert declared["forecasts"]["keys_unique"].description == (
        "Each key has one row: symbol, origin, horizon, model of forecasts; symbol, origin, horizon, model of tails; "
        "symbol, origin, horizon, model of ranks; portfolio, origin, horizon, model of portfolios; "
        "portfolio, origin, horizon, model, symbol of portfolio_parts; portfolio, origin, symbol of portfolio_weights; "
        "origin, made_at of ledger."
    )


def test_a_repeated_key_of_a_further_table_is_found(pipeline: Pipeline) -> None:
    [condition] = [one for one in declared_conditions(ASSETS["prices"]) if one.name == "keys_unique"]
    named = {"market": pipeline.market.name, "first": START, "last": LAST}
    assert pipeline.warehouse.read(condition.sql, named).num_rows == 0
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("begin")
        connection.execute("insert into coverage from coverage where session = ?", [PLANTED])
        found = connection.execute(condition.sql, named).fetchall()
        connection.execute("rollback")
    assert found == [("coverage", str(PLANTED), 2)]
