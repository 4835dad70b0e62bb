import datetime as dt
from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market_pipeline.scores.daily_means import DAY, daily_means, losses_by_question
from market_pipeline.storage.tables.scores import DAILY_SCORES
from market_pipeline_tests.pipeline import Pipeline

ORIGIN = dt.date(2024, 1, 2)


def tables(*rows: dict[str, object]) -> tuple[pa.Table, pa.Table]:
    """Forecasts and their scores, row by row; columns that are not given have a default."""
    key = {"symbol": "A", "origin": ORIGIN, "horizon": 1, "target_session": ORIGIN + dt.timedelta(days=1)}
    losses = dict.fromkeys(("realised", "squared_error", "brier", "crps", "mean"), 0.0)
    covered = dict.fromkeys(("covered_50", "covered_80", "covered_95"), True)
    covered |= {"fz_025": -3.0, **dict.fromkeys(("exceeded_01", "exceeded_025", "exceeded_05"), False)}
    table = pa.Table.from_pylist(
        [{**key, "model": "random_walk", **losses, **covered, "p_up": 0.5, **row} for row in rows]
    )
    return table, table


def of(model: str, symbols: Sequence[str], loss: float, **others: object) -> list[dict[str, object]]:
    losses = dict.fromkeys(("squared_error", "brier", "crps"), loss)
    return [{"model": model, "symbol": symbol, **losses, **others} for symbol in symbols]


def test_losses_are_averaged_over_symbols_and_origins_that_both_forecast() -> None:
    later = {"origin": ORIGIN + dt.timedelta(days=1), "target_session": ORIGIN + dt.timedelta(days=2)}
    rows = [
        *of("random_walk", "AB", 0.5),
        *of("linear", "A", 0.1),
        *of("linear", "C", 0.9),  # the baseline has no forecast of C
        *of("linear", "A", 0.9, **later),  # nor any on this day
    ]
    found = {row["model"]: row for row in daily_means(*tables(*rows)).to_pylist()}
    assert set(found) == {"random_walk", "linear"}
    assert (found["linear"]["symbols"], found["random_walk"]["symbols"]) == (1, 2)
    assert (found["linear"]["crps"], found["linear"]["baseline_crps"]) == (0.1, 0.5)


def test_a_tail_that_only_one_of_them_has_is_in_neither_mean() -> None:
    rows = [
        *of("random_walk", "A", 0.5, fz_025=-2.0, exceeded_025=True),
        *of("random_walk", "B", 0.5, fz_025=None, exceeded_025=None),
        *of("random_walk", "C", 0.5, fz_025=-4.0),
        *of("har", "A", 0.1, fz_025=-2.5, exceeded_025=True),
        *of("har", "B", 0.1, fz_025=-9.0, exceeded_025=True),
        *of("har", "C", 0.1, fz_025=None, exceeded_025=None),
        *of("linear", "AB", 0.1, fz_025=None, exceeded_025=None),
    ]
    found = {row["model"]: row for row in daily_means(*tables(*rows)).to_pylist()}
    means = {model: (row["fz_025"], row["baseline_fz_025"], row["exceeded_025"]) for model, row in found.items()}
    assert means == {"random_walk": (-3.0, -3.0, 0.5), "har": (-2.5, -2.0, 1.0), "linear": (None, None, None)}
    assert found["har"]["crps"] == 0.1
    daily = daily_means(*tables(*rows))
    no_ranks = daily.select(["origin", "horizon", "model", "crps"]).rename_columns({"crps": "rps"}).slice(0, 0)
    losses = losses_by_question(daily, no_ranks)
    assert [row["model"] for row in losses.to_pylist() if row["question"] == "tail"] == ["har"]


def test_a_probability_of_exactly_one_half_is_no_forecast_of_a_rise() -> None:
    rows = [
        {"symbol": "FELL", "realised": -0.01, "p_up": 0.5, "brier": 0.25},
        {"symbol": "ROSE", "realised": 0.01, "p_up": 0.5, "brier": 0.25},
        {"symbol": "CALLED", "realised": 0.01, "p_up": np.nextafter(0.5, 1), "brier": 0.25},
        {"symbol": "WRONG", "realised": -0.01, "p_up": 0.75, "brier": 0.5625},
    ]
    [row] = daily_means(*tables(*rows)).to_pylist()
    assert (row["rose"], row["called_up"], row["called_up_and_rose"]) == (0.5, 0.5, 0.25)


def test_the_product_leaves_out_forecasts_of_zero() -> None:
    one = {"realised": 0.02, "mean": 0.01}
    assert daily_means(*tables({"symbol": "B"}, one))["product"].to_pylist() == [pytest.approx(0.0004)]
    assert daily_means(*tables({"realised": 0.02}))["product"].to_pylist() == [None]


def test_the_means_are_the_same_in_any_order_of_rows() -> None:
    draw = np.random.default_rng(3)
    symbols = [f"S{number}" for number in range(300)]
    rows = [row for symbol in symbols for row in of("linear", [symbol], float(draw.random()) ** 9)]
    rows += of("random_walk", symbols, 0.1)
    orders = (rows, rows[::-1], [rows[place] for place in draw.permutation(len(rows))])
    found = {repr(daily_means(*tables(*order)).sort_by("model").to_pylist()) for order in orders}
    assert len(found) == 1


@pytest.mark.parametrize("scale", [1e-6, 0.02, 40.0, 1e9])
def test_the_means_equal_those_of_decimals_in_every_bit(scale: float) -> None:
    losses = np.random.default_rng(7).standard_t(3, 2000) ** 2 * scale
    half_units = (np.random.default_rng(8).integers(0, 10**9, 500) + 0.5) * 1e-15
    rows = [row for n, loss in enumerate([*losses, *half_units]) for row in of("random_walk", [f"S{n}"], float(loss))]
    forecasts, scores = tables(*rows)
    expected = duckdb.sql("select avg(crps::decimal(38, 15)) from scores").fetchall()[0][0]
    assert scores.num_rows == 2500
    assert daily_means(forecasts, scores)["crps"].to_pylist() == [expected]


def test_each_question_has_its_loss_beside_the_baselines() -> None:
    daily = daily_means(*tables(*of("random_walk", "AB", 0.5), *of("linear", "AB", 0.1)))
    ranks = pa.table(
        {
            "origin": pa.array([ORIGIN] * 3, pa.date32()),
            "horizon": [1, 1, 20],
            "model": ["random_walk", "joint", "joint"],  # the baseline has no score at horizon 20
            "rps": [0.16, 0.15, 0.1],
        }
    )
    losses = losses_by_question(daily, ranks)
    assert {(row["question"], row["model"], row["loss"], row["baseline_loss"]) for row in losses.to_pylist()} == {
        *((question, "linear", 0.1, 0.5) for question in ("return", "direction", "range")),
        ("tail", "linear", -3.0, -3.0),
        ("rank", "joint", 0.15, 0.16),
    }
    assert losses_by_question(daily.slice(0, 0), ranks.slice(0, 0)).num_rows == 0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Scores of a quarter, loaded in two runs that overlap."""
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline"))
    pipeline.compute(("prices", "indicators"), dt.date(2023, 1, 3), dt.date(2024, 3, 28))
    pipeline.compute(("models", "forecasts"), dt.date(2024, 1, 2), dt.date(2024, 3, 28))
    for first, last in ((dt.date(2024, 1, 2), dt.date(2024, 2, 20)), (dt.date(2024, 2, 1), dt.date(2024, 3, 28))):
        pipeline.compute(("scores",), first, last)
    return pipeline


def test_they_are_the_means_of_every_score(pipeline: Pipeline) -> None:
    key = ["symbol", "model", "origin", "horizon"]
    forecasts = pipeline.warehouse.read("select symbol, mean, p_up, model, origin, horizon from forecasts").to_pandas()
    every = pipeline.warehouse.read("from scores").to_pandas().merge(forecasts, on=key)
    stored = pipeline.warehouse.read("select * exclude (market) from daily_scores").to_pandas().set_index(DAY)
    walk = every[every["model"] == "random_walk"].drop(columns="model")
    paired = every.merge(walk, on=["symbol", "origin", "horizon"], suffixes=("", "_of_walk"))
    rose, called = paired["realised"] > 0, paired["p_up"] > 0.5
    paired["fz_025_of_walk"] = paired["fz_025_of_walk"].where(paired["fz_025"].notna())
    assert paired["fz_025"].notna().any()
    product = 2 * paired["realised"] * paired["mean"].where(paired["mean"] != 0)
    paired = paired.assign(rose=rose, called_up=called, called_up_and_rose=rose & called, product=product)
    columns = {f"baseline_{loss}": f"{loss}_of_walk" for loss in ("squared_error", "brier", "crps", "fz_025")}
    columns |= {name: name for name in set(stored.columns) - {"symbols", *columns}}
    days = paired.groupby(DAY)
    expected = pd.DataFrame({name: days[column].mean() for name, column in columns.items()})
    pd.testing.assert_frame_equal(
        stored.sort_index()[list(columns)], expected, rtol=1e-9, atol=1e-15, check_dtype=False
    )
    assert {*DAY, *stored.columns} == set(DAILY_SCORES.schema.names)
    assert stored["symbols"].sum() == len(every)
    assert stored["product"].isna().any()
    assert stored["product"].notna().any()


def test_a_run_reports_scores_without_means(pipeline: Pipeline) -> None:
    day = dt.date(2024, 3, 20)
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from daily_scores where target_session = date '2024-02-08'")
    missing, scored_again = (
        pipeline.materialise(("scores",), first, day).get_asset_check_evaluations()
        for first in (day, dt.date(2024, 2, 8))
    )
    failed = [[check.check_name for check in found if not check.passed] for found in (missing, scored_again)]
    assert failed == [["daily_means_complete"], []]


def test_scoring_fewer_forecasts_again_leaves_no_mean_of_the_old_ones(pipeline: Pipeline) -> None:
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from forecasts where model = 'drift' and target_session = date '2024-02-20'")
    pipeline.compute(("scores",), dt.date(2024, 2, 20), dt.date(2024, 2, 20))
    left = pipeline.warehouse.read("select distinct model from daily_scores where target_session = date '2024-02-20'")
    assert "drift" not in left["model"].to_pylist()
    assert "random_walk" in left["model"].to_pylist()
