"""What a check looks at: what its run wrote, or everything."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from market_pipeline.definitions import build_definitions
from market_pipeline_tests.house import House

START, PLANTED, LAST = dt.date(2023, 1, 3), dt.date(2023, 3, 1), dt.date(2023, 6, 30)
ONCE = "a_symbol_and_session_appear_once"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Its indicators have the rows of one session twice."""
    house = House(tmp_path_factory.mktemp("checks"))
    house.compute(("prices", "indicators"), START, LAST)
    with house.warehouse.connect(read_only=False) as connection:
        connection.execute("insert into indicators from indicators where session = ?", [PLANTED])
    return house


def found(house: House, result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        check.check_name: check.passed
        for check in result.get_asset_check_evaluations()
        if check.asset_key == dg.AssetKey([house.market.name, "indicators"])
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
def test_a_run_is_held_to_what_it_may_have_written(house: House, day: dt.date, *, right: bool) -> None:
    result = house.materialise(("indicators",), day, day)
    assert found(house, result)[ONCE] == right
    assert result.success == right


def test_a_check_that_is_asked_for_alone_looks_at_everything(house: House) -> None:
    definitions = build_definitions(house.settings)
    asset = dg.AssetKey([house.market.name, "indicators"])
    job = dg.define_asset_job("alone", dg.AssetSelection.checks_for_assets(asset)).resolve(
        asset_graph=definitions.resolve_asset_graph()
    )
    result = job.execute_in_process(instance=house.instance, raise_on_error=False, resources=house.handed())
    checks = found(house, result)
    assert not checks.pop(ONCE)
    assert all(checks.values())


def test_a_step_is_seen_across_a_halt_longer_than_a_run_looks_back(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.compute(("prices",), START, LAST)
    read = "select session, before, step from price_steps(?) where symbol = 'SIM1' and session >= ? order by 1"
    with house.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from prices where session > ? and session < ?", [PLANTED, LAST])
        [early, late] = (connection.execute(read, [since, LAST]).fetchall() for since in (dt.date.min, LAST))
    assert early == late
    assert early[0][1] is not None
