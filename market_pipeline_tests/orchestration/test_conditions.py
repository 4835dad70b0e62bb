"""What a check looks at: what its run wrote, or everything."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from market_pipeline.definitions import build_definitions
from market_pipeline_tests.pipeline import Pipeline

START, PLANTED, LAST = dt.date(2023, 1, 3), dt.date(2023, 3, 1), dt.date(2023, 6, 30)
ONCE = "a_symbol_and_session_appear_once"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Its indicators have the rows of one session twice."""
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
    ("day", "right"),
    [
        (LAST, True),
        (dt.date(2023, 4, 3), True),
        (dt.date(2023, 3, 31), False),  # as far back as a run may write
        (dt.date(2023, 2, 28), True),
    ],
)
def test_a_run_is_held_to_what_it_may_have_written(pipeline: Pipeline, day: dt.date, *, right: bool) -> None:
    result = pipeline.materialise(("indicators",), day, day)
    assert found(pipeline, result)[ONCE] == right
    assert result.success == right


def test_a_check_that_is_asked_for_alone_looks_at_everything(pipeline: Pipeline) -> None:
    definitions = build_definitions(pipeline.settings)
    asset = dg.AssetKey([pipeline.market.name, "indicators"])
    job = dg.define_asset_job("alone", dg.AssetSelection.checks_for_assets(asset)).resolve(
        asset_graph=definitions.resolve_asset_graph()
    )
    result = job.execute_in_process(instance=pipeline.instance, raise_on_error=False, resources=pipeline.handed())
    checks = found(pipeline, result)
    assert not checks.pop(ONCE)
    assert all(checks.values())


def test_a_step_is_seen_across_a_halt_longer_than_a_run_looks_back(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.compute(("prices",), START, LAST)
    read = "select session, before, step from price_steps(?) where symbol = 'SIM1' and session >= ? order by 1"
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from prices where session > ? and session < ?", [PLANTED, LAST])
        [early, late] = (connection.execute(read, [since, LAST]).fetchall() for since in (dt.date.min, LAST))
    assert early == late
    assert early[0][1] is not None
