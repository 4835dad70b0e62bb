"""Old prices are called old: at publication, whenever they are read, and in the UI, by the calendar of their market."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from market_pipeline import mart
from market_pipeline.config.markets import Market
from market_pipeline.definitions import build_definitions
from market_pipeline.mart.ages import read_freshness
from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import query
from market_pipeline.orchestration.freshness import CHECK, freshness_sensor
from market_pipeline.storage.freshness import freshness_of, stored_freshness
from market_pipeline_tests.pipeline import Pipeline, clock_at

TOML = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["WALK1", "SIM1"]\n'
FRIDAY, TUESDAY = dt.date(2024, 5, 24), dt.date(2024, 5, 28)  # Monday was Memorial Day
DUE = dt.datetime(2024, 5, 29, 4, tzinfo=ZoneInfo("America/New_York"))
"""When the daily run of Tuesday's session starts."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Prices that end on a Friday, published on the Saturday after it."""
    pipeline = Pipeline(tmp_path_factory.mktemp("freshness"), TOML)
    pipeline.compute(("prices",), dt.date(2024, 1, 2), FRIDAY)
    moment = dt.datetime(2024, 5, 25, 12, tzinfo=dt.UTC)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, moment)
    return pipeline


@pytest.mark.parametrize("zone", ["XNYS", "XTKS", "24/7"])
def test_a_session_is_due_at_the_hour_of_its_daily_run(zone: str) -> None:
    market = Market("m", zone, dt.date(2024, 1, 4), ("A",), schedule_hour=5)
    for session in market.sessions_between(dt.date(2024, 3, 1), dt.date(2024, 4, 30)).tolist():  # clocks change
        due, instant = market.due_at(session), dt.timedelta(seconds=1)
        assert due.astimezone(ZoneInfo(market.timezone)).hour == 5
        assert market.newest_due(due) == session
        assert market.newest_due(due - instant) != session


def test_a_bar_that_settles_late_is_due_a_day_later() -> None:
    market = Market("m", "XNYS", dt.date(2024, 1, 2), ("A",), settle_minutes=1000)
    assert market.due_at(FRIDAY).astimezone(ZoneInfo("America/New_York")) == dt.datetime(
        2024, 5, 26, 4, tzinfo=ZoneInfo("America/New_York")
    )


def test_only_sessions_count_and_only_once_they_are_due(pipeline: Pipeline) -> None:
    def behind(moment: dt.datetime) -> int | None:
        return stored_freshness(pipeline.warehouse, pipeline.market, moment).behind

    assert behind(dt.datetime(2024, 5, 28, 12, tzinfo=dt.UTC)) == 0  # a weekend and a holiday
    assert behind(DUE - dt.timedelta(seconds=1)) == 0
    assert behind(DUE) == 1
    assert behind(dt.datetime(2025, 5, 28, 12, tzinfo=dt.UTC)) == 250
    found = stored_freshness(pipeline.warehouse, pipeline.market, dt.datetime(2025, 5, 28, 12, tzinfo=dt.UTC))
    assert str(found) == "stocks: 250 sessions behind; newest 2024-05-24"
    never = freshness_of(pipeline.market, None, dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC))
    assert str(never) == "stocks: 3 sessions behind; newest none"


def test_a_publication_of_old_prices_has_how_many_sessions_it_is_behind(pipeline: Pipeline, tmp_path: Path) -> None:
    columns = "select calendar, sessions_behind, current_until from meta"
    until = DUE.astimezone(dt.UTC).replace(tzinfo=None)
    fresh = {"calendar": "XNYS", "sessions_behind": 0, "current_until": until}
    assert query(pipeline.mart, columns).to_pylist() == [fresh]
    late = tmp_path / "mart.duckdb"
    publish(pipeline.warehouse, [pipeline.market], late, dt.datetime(2025, 10, 1, 12, tzinfo=dt.UTC))
    assert query(late, columns).to_pylist() == [fresh | {"sessions_behind": 337}]


def test_a_mart_ages_while_nobody_publishes(pipeline: Pipeline) -> None:
    for moment in (DUE - dt.timedelta(seconds=1), DUE, dt.datetime(2024, 7, 5, 9, tzinfo=dt.UTC)):
        [read] = read_freshness(pipeline.mart, moment)
        assert read == stored_freshness(pipeline.warehouse, pipeline.market, moment)
    query_of_a_notebook = "select market from meta where current_until < timestamp '2024-05-29 08:00:01'"
    assert query(pipeline.mart, query_of_a_notebook).num_rows == 1


def test_a_notebook_sees_how_old_each_market_is(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(pipeline.settings.home))
    monkeypatch.setattr(mart, "dt", clock_at(dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)))
    row = mart.freshness().to_dict("records")[0]
    assert (row["market"], row["newest_session"].date(), row["sessions_behind"]) == ("stocks", FRIDAY, 4)


def test_a_market_without_a_calendar_has_no_age(pipeline: Pipeline, tmp_path: Path) -> None:
    others = [replace(pipeline.market, name="others")]
    publish(pipeline.warehouse, others, tmp_path / "mart.duckdb", dt.datetime(2024, 6, 3, tzinfo=dt.UTC))
    [found] = read_freshness(tmp_path / "mart.duckdb", dt.datetime(2024, 6, 3, tzinfo=dt.UTC))
    assert found.behind is None
    assert str(found) == "stocks: newest 2024-05-24, and no calendar to compare it with"


def test_no_asset_is_fresh_because_a_run_was_recent(pipeline: Pipeline) -> None:
    graph = build_definitions(pipeline.settings).resolve_asset_graph()
    assert {key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy} == set()


def summary(instance: dg.DagsterInstance) -> tuple[bool, int]:
    """The newest result of the check in the UI, and the sessions behind that it shows."""
    key = dg.AssetCheckKey(dg.AssetKey(["stocks", "prices"]), CHECK)
    record = instance.event_log_storage.get_asset_check_summary_records([key])[key]
    assert record.last_completed_check_execution_record is not None
    evaluation = record.last_completed_check_execution_record.evaluation
    assert evaluation is not None
    return evaluation.passed, int(str(evaluation.metadata["sessions behind"].value))


def test_a_backfill_of_old_sessions_does_not_pass_as_fresh_and_prices_age_while_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(tmp_path, TOML)
    saturday = dt.datetime(2024, 5, 25, 12, tzinfo=dt.UTC)
    monkeypatch.setattr("market_pipeline.prices.checks.dt", clock_at(saturday))
    pipeline.build(("prices",), dt.date(2024, 5, 1), dt.date(2024, 5, 22))
    assert summary(pipeline.instance) == (False, 2)
    pipeline.build(("prices",), dt.date(2024, 5, 23), FRIDAY)
    assert summary(pipeline.instance) == (True, 0)

    sensor, cursor = freshness_sensor([pipeline.market]), None
    for days, events, state in ((0, 1, (True, 0)), (1, 0, (True, 0)), (4, 1, (False, 1)), (5, 1, (False, 2))):
        monkeypatch.setattr("market_pipeline.orchestration.freshness.dt", clock_at(saturday + dt.timedelta(days)))
        context = dg.build_sensor_context(
            instance=pipeline.instance, cursor=cursor, resources={"warehouse": pipeline.warehouse}
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert len(result.asset_events) == events
        for event in result.asset_events:  # as the daemon does
            pipeline.instance.report_runless_asset_event(event)
        assert summary(pipeline.instance) == state
        cursor = result.cursor


def test_the_sensor_makes_no_warehouse(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, TOML)
    result = freshness_sensor([pipeline.market])(dg.build_sensor_context(resources={"warehouse": pipeline.warehouse}))
    assert isinstance(result, dg.SensorResult)
    assert "Nothing is stored yet" in str(result.skip_reason)
    assert not pipeline.settings.warehouse_file.exists()
