"""What vendors change afterwards: noticed, recorded with its cause, and the older vintage stays readable."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.prices.restatements import FIELDS, NOISE, Changes, reconcile
from market_pipeline.storage.tables.prices import PRICES
from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor

THEN, LATER = (dt.datetime.fromisoformat(day) for day in ("2024-01-10", "2024-03-01"))
FIRST, LAST = dt.date(2023, 1, 3), dt.date(2023, 3, 31)
DAY = dt.date(2023, 3, 15)


def row(read: dt.datetime = THEN, *, final: bool = True, **values: float | None) -> pa.Table:
    usual = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 1e6, "dividend": 0.0, "split_ratio": 1.0}
    return pa.table(
        {
            "symbol": ["A"],
            "session": pa.array([dt.date(2024, 1, 9)], pa.date32()),
            **{name: pa.array([value], pa.float64()) for name, value in {**usual, **values}.items()},
            "fetched_at": pa.array([read], pa.timestamp("us")),
            "known_at": pa.array([THEN], pa.timestamp("us")),
            "final": [final],
        }
    )


def against(stored: pa.Table, arriving: pa.Table) -> Changes:
    """The two compared by a run that computes the next session."""
    return reconcile(stored, arriving, np.array(["2024-01-09"], "datetime64[D]"), dt.date(2024, 1, 10), ["A"])


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"close": 10.6}, "vendor fix"),
        ({"volume": 1.1e6}, "volume settling"),
        ({"volume": None}, "volume settling"),
        ({"dividend": 0.2}, "dividend"),
        ({"split_ratio": 2.0}, "split"),
        ({"open": 5.0, "high": 5.5, "low": 4.5, "close": 5.25, "volume": 2e6}, "split"),
    ],
)
def test_a_changed_value_is_a_restatement_with_its_cause(values: dict[str, float | None], cause: str) -> None:
    found = against(row(), row(LATER, **values))
    assert found.restatements["cause"].to_pylist() == [cause] * len(values)
    assert dict(zip(*(found.restatements[name].to_pylist() for name in ("field", "new")), strict=True)) == values
    assert found.restatements["old_known_at"].to_pylist() == [THEN] * len(values)
    assert found.bars["known_at"].to_pylist() == [LATER]


@given(st.lists(st.floats(-NOISE / 2, NOISE / 2), min_size=5, max_size=5))
@settings(max_examples=50)
def test_noise_changes_nothing_at_all(noise: list[float]) -> None:
    usual = [10.0, 11.0, 9.0, 10.5, 1e6]
    values = {name: value * (1 + n) for name, value, n in zip(FIELDS, usual, noise, strict=False)}
    found = against(row(), row(LATER, **values))
    assert not found.bars.num_rows
    assert not found.restatements.num_rows


def test_a_provisional_bar_is_replaced_silently_and_never_replaces_a_final_one() -> None:
    replaced = against(row(final=False), row(LATER, close=10.6))
    assert replaced.bars["close"].to_pylist() == [10.6]
    assert not replaced.restatements.num_rows
    kept = against(row(), row(LATER, final=False, close=10.6))
    assert not kept.bars.num_rows
    assert not kept.restatements.num_rows


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.source = Vendor(pipeline.market, LAST)
    return pipeline


def vendor_of(pipeline: Pipeline) -> Vendor:
    assert isinstance(pipeline.source, Vendor)
    return pipeline.source


def test_replaying_any_day_twice_under_noise_gives_the_same_digest(pipeline: Pipeline) -> None:
    vendor = vendor_of(pipeline)
    pipeline.compute(("prices",), FIRST, LAST)
    before = pipeline.digest("prices")
    vendor.noise = 0.9e-5
    for day in (FIRST, DAY, DAY, LAST):
        pipeline.compute(("prices",), day, day)
    assert pipeline.digest("prices") == before
    assert not pipeline.warehouse.read("from restatements").num_rows


def test_a_restatement_before_the_asked_session_is_noticed_and_the_older_vintage_stays(pipeline: Pipeline) -> None:
    vendor = vendor_of(pipeline)
    pipeline.compute(("prices",), FIRST, LAST)
    old = float(vendor.bars.loc[vendor.where("SIM1", "2023-03-24"), "close"].iloc[0])
    vendor.bars.loc[vendor.where("SIM1", "2023-03-24"), "close"] = old * 0.999
    vendor.bars.loc[vendor.where("SIM1", "2023-03-23"), "volume"] *= 1.02
    vendor.bars.loc[vendor.where("SIM1", "2023-01-17"), "volume"] *= 1.02  # before the overlap
    result = pipeline.materialise(("prices",), LAST, LAST)
    assert result.success
    [data] = [event.step_materialization_data for event in result.get_asset_materialization_events()]
    assert data.materialization.metadata["partitions to compute again"].value == f"2023-03-23..{LAST}"
    rows = pipeline.warehouse.read("select field, cause, old, new from restatements order by field").to_pylist()
    assert [(r["field"], r["cause"]) for r in rows] == [("close", "vendor fix"), ("volume", "volume settling")]
    sql = "select close from prices_as_of($moment::timestamp) where symbol = 'SIM1' and session = '2023-03-24'"
    noticed = pipeline.warehouse.read("select known_at from restatements limit 1")["known_at"][0].as_py()
    for moment, close in ((noticed - dt.timedelta(seconds=1), old), (noticed, old * 0.999)):
        assert pipeline.warehouse.read(sql, {"moment": moment})["close"].to_pylist() == [pytest.approx(close)]
    known = pipeline.warehouse.read(
        "select max(session) as newest from prices_as_of('2023-02-14 12:00'::timestamp)"
    )["newest"][0].as_py()  # fmt: skip
    assert known == dt.date(2023, 2, 13)


def test_a_bar_that_does_not_arrive_again_stays_and_a_bad_bar_replaces_no_good_one(pipeline: Pipeline) -> None:
    vendor = vendor_of(pipeline)
    pipeline.compute(("prices",), FIRST, LAST)
    before = pipeline.digest("prices")
    vendor.missing |= vendor.where("SIM1", DAY)
    vendor.bars.loc[vendor.where("SIM2", DAY), "close"] = -1.0
    pipeline.compute(("prices",), DAY, DAY)
    assert pipeline.digest("prices") == before
    quarantined = pipeline.warehouse.read("select symbol, session from quarantine").to_pylist()
    assert quarantined == [{"symbol": "SIM2", "session": DAY}]
    row = pipeline.warehouse.read("select * from coverage where session = $day", {"day": DAY}).to_pylist()[0]
    assert (row["present"], row["rejected"], row["missing"]) == (3, 0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_planted_holes_are_found_and_filled_and_none_is_invented(pipeline: Pipeline, seed: int) -> None:
    vendor = vendor_of(pipeline)
    draw = np.random.default_rng(seed)
    vendor.missing[draw.choice(len(vendor.missing), 7, replace=False)] = True
    planted = vendor.bars.loc[vendor.missing, "session"].dt.date.value_counts().to_dict()
    pipeline.compute(("prices",), FIRST, LAST)
    found = pipeline.warehouse.read("select session, missing from coverage where missing > 0").to_pylist()
    assert {row["session"]: row["missing"] for row in found} == planted
    vendor.missing[:] = False
    for day in planted:
        pipeline.compute(("prices",), day, day)
    assert pipeline.warehouse.read("select sum(missing) as m from coverage")["m"].to_pylist() == [0]
    late = pipeline.warehouse.read("select session, cause, old_known_at = known_at as so from restatements").to_pylist()
    assert {row["cause"] for row in late} == {"late"}
    assert all(row["so"] for row in late)
    assert len(late) == 7
    assert pipeline.warehouse.read("from prices").num_rows == len(vendor.bars)


def test_a_late_split_and_a_late_dividend_correct_what_was_appended_day_by_day(tmp_path: Path) -> None:
    split, paid = dt.date(2023, 3, 15), dt.date(2023, 3, 22)
    late, fresh = Pipeline(tmp_path / "late"), Pipeline(tmp_path / "fresh")
    for pipeline in (late, fresh):
        vendor = Vendor(pipeline.market, LAST)
        after = (vendor.bars["symbol"] == "SIM1") & (vendor.bars["session"] >= "2023-03-15")
        vendor.bars.loc[after, [*PRICES]] /= 2
        pipeline.source = vendor
    days = late.market.sessions_between(dt.date(2023, 3, 10), LAST).tolist()
    late.compute(("prices",), FIRST, dt.date(2023, 3, 9))
    for pipeline in (late, fresh):
        vendor = vendor_of(pipeline)
        for day in days if pipeline is late else [LAST]:
            if day >= dt.date(2023, 3, 21):
                vendor.bars.loc[vendor.where("SIM1", split), "split_ratio"] = 2.0
            if day >= dt.date(2023, 3, 28):
                vendor.bars.loc[vendor.where("SIM1", paid), "dividend"] = 0.4
            if pipeline is late:
                pipeline.compute(("prices",), day, day)
    fresh.compute(("prices",), FIRST, LAST)
    assert late.digest("prices") == fresh.digest("prices")
    rows = late.warehouse.read("select session, field, cause from restatements order by session").to_pylist()
    assert [tuple(r.values()) for r in rows] == [(split, "split_ratio", "split"), (paid, "dividend", "dividend")]


def test_outcomes_count_their_attempts(pipeline: Pipeline) -> None:
    for _ in range(3):
        pipeline.compute(("prices",), DAY, DAY)
    attempts = pipeline.warehouse.read("select symbol, max(attempt) as n from outcomes group by symbol").to_pylist()
    assert {row["n"] for row in attempts} == {3}
