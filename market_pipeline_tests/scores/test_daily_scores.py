import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market_pipeline.models.calibration.distribution import QUANTILES
from market_pipeline.storage.warehouse import Warehouse
from market_pipeline_tests.pipeline import Pipeline

DAYS = "select * exclude (market) from scored_days where market = 'stocks'"
KEYS = ["target_session", "origin", "horizon", "model"]


def scored(model: str, origin: str, symbols: Sequence[str], loss: float) -> list[dict[str, object]]:
    day = dt.date.fromisoformat(origin)
    covered = dict.fromkeys(("covered_50", "covered_80", "covered_95"), True)
    lost = dict.fromkeys(("realised", "abs_error", "squared_error", "crps", "brier"), loss)
    key = {"origin": day, "horizon": 1, "target_session": day + dt.timedelta(days=1), "model": model}
    return [{"symbol": symbol, **key, **lost, **covered} for symbol in symbols]


def forecast(row: dict[str, object]) -> dict[str, object]:
    """A forecast that such a score is of."""
    said = dict.fromkeys(("mean", *QUANTILES), 0.0) | {"p_up": 0.5, "mode": "replayed"}
    key = {name: row[name] for name in ("symbol", *KEYS)}
    return key | said | {"trained_through": row["origin"], "made_at": row["origin"]}


def fill(warehouse: Warehouse, rows: list[dict[str, object]], market: str = "stocks") -> None:
    with warehouse.transaction(market) as transaction:
        transaction.append("forecasts", pa.Table.from_pylist([forecast(row) for row in rows]))
        transaction.append("scores", pa.Table.from_pylist(rows))


def test_losses_are_compared_on_symbols_and_origins_that_both_forecast(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", "simulated")
    rows = [
        *scored("random_walk", "2024-01-02", "AB", 0.5),
        *scored("linear", "2024-01-02", "A", 0.1),
        *scored("linear", "2024-01-02", "C", 0.9),  # the baseline said nothing of C
        *scored("linear", "2024-01-03", "A", 0.9),  # nor anything on this day
    ]
    fill(warehouse, rows)
    fill(warehouse, scored("random_walk", "2024-01-03", "A", 0.5), "crypto")
    with warehouse.transaction("stocks") as transaction:
        transaction.append("daily_scores", transaction.read(DAYS))
    paired = warehouse.read(
        "select question, origin::varchar as origin, loss, baseline_loss from daily_losses"
    ).to_pylist()
    assert {row["question"] for row in paired} == {"return", "direction", "range"}
    assert {(row["origin"], row["loss"], row["baseline_loss"]) for row in paired} == {("2024-01-02", 0.1, 0.5)}


def test_the_means_are_the_same_in_any_order_of_rows(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    symbols = [f"S{number}" for number in range(300)]
    rows = [row for symbol in symbols for row in scored("linear", "2024-01-02", [symbol], float(draw.random()) ** 9)]
    rows += scored("random_walk", "2024-01-02", symbols, 0.1)
    found = set()
    for order in (rows, rows[::-1], [rows[place] for place in draw.permutation(len(rows))]):
        warehouse = Warehouse(tmp_path / f"{len(found)}.duckdb", "simulated")
        fill(warehouse, order)
        found.add(repr(warehouse.read(f"{DAYS} order by all").to_pylist()))
        warehouse.path.unlink()
    assert len(found) == 1


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
    said = pipeline.warehouse.read("select symbol, mean, model, origin, horizon from forecasts").to_pandas()
    every = pipeline.warehouse.read("from scores").to_pandas().merge(said, on=["symbol", "model", "origin", "horizon"])
    stored = pipeline.warehouse.read("select * exclude (market) from daily_scores").to_pandas().set_index(KEYS)
    walk = every[every["model"] == "random_walk"].drop(columns="model")
    paired = every.merge(walk, on=["symbol", "origin", "horizon"], suffixes=("", "_of_walk"))
    rose, right = paired["realised"] > 0, paired["brier"] < 0.25
    spoken = paired["mean"].where(paired["mean"] != 0)
    paired = paired.assign(
        rose=rose, called_up=rose == right, called_up_and_rose=rose & right, product=2 * paired["realised"] * spoken
    )
    columns = {f"baseline_{loss}": f"{loss}_of_walk" for loss in ("squared_error", "brier", "crps")}
    columns |= {name: name for name in set(stored.columns) - {"symbols", *columns}}
    days = paired.groupby(KEYS)
    expected = pd.DataFrame({name: days[column].mean() for name, column in columns.items()})
    pd.testing.assert_frame_equal(
        stored.sort_index()[list(columns)], expected, rtol=1e-9, atol=1e-15, check_dtype=False
    )
    assert stored["symbols"].sum() == len(every)
    assert stored["product"].isna().any()
    assert stored["product"].notna().any()


def test_a_run_says_so_where_scores_have_no_means(pipeline: Pipeline) -> None:
    day = dt.date(2024, 3, 20)
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from daily_scores where target_session = date '2024-02-08'")
    missing, scored_again = (
        pipeline.materialise(("scores",), first, day).get_asset_check_evaluations()
        for first in (day, dt.date(2024, 2, 8))
    )
    failed = [[check.check_name for check in found if not check.passed] for found in (missing, scored_again)]
    assert failed == [["the_means_are_of_every_score"], []]


def test_scoring_fewer_forecasts_again_leaves_no_mean_of_the_old_ones(pipeline: Pipeline) -> None:
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("delete from forecasts where model = 'drift' and target_session = date '2024-02-20'")
    pipeline.compute(("scores",), dt.date(2024, 2, 20), dt.date(2024, 2, 20))
    left = pipeline.warehouse.read("select distinct model from daily_scores where target_session = date '2024-02-20'")
    assert "drift" not in left["model"].to_pylist()
    assert "random_walk" in left["model"].to_pylist()
