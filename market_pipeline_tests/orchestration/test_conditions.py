"""The rows that a check reads, and the conditions that follow from the declarations of tables."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from market_pipeline.definitions import build_definitions
from market_pipeline_tests.pipeline import Pipeline

START, PLANTED, LAST = dt.date(2023, 1, 3), dt.date(2023, 3, 1), dt.date(2023, 6, 30)
UNIQUE = "symbol_and_session_unique"


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
