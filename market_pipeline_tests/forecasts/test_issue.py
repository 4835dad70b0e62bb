import datetime as dt

import numpy as np
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.issue import issue
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS, MEMBERS
from market_pipeline.prices.history import History
from market_pipeline_tests.panels import history_of, walk_panel

MARKET = Market("stocks", "XNYS", dt.date(2020, 1, 6), ("S0", "S1", "S2", "S3"))
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def panel() -> Panel:
    walk = walk_panel(symbols=4)
    sessions = MARKET.sessions[: len(walk.history.sessions)]
    return Panel(history_of(walk.history.close, sessions), walk.recent, walk.feature_names)


def rows_at(panel: Panel, origins: np.ndarray, now: dt.datetime = NOW) -> list[dict[str, object]]:
    cutoff = panel.history.sessions[panel.history.sessions < origins[0].astype("datetime64[M]")][-1]
    past = panel.until(cutoff)
    daily = {forecaster.name: forecaster.fit(past) for forecaster in FORECASTERS}
    return issue(panel, MARKET, origins, daily, cutoff, now).forecasts.to_pylist()


def test_every_daily_model_forecasts_every_bar_at_every_horizon(panel: Panel) -> None:
    origins = panel.history.sessions[360:364]
    rows = rows_at(panel, origins)
    bars = int(panel.history.present[:, 360:364].sum())
    for model in (*MEMBERS, "ensemble"):
        assert sum(row["model"] == model for row in rows) == bars * 3
    assert {row["mode"] for row in rows} == {"replayed"}


def test_too_few_errors_give_no_forecast(panel: Panel) -> None:
    one = Panel(history_of(panel.history.close[:1], panel.history.sessions), panel.recent[:, :1], panel.feature_names)
    market = Market("stocks", "XNYS", dt.date(2020, 1, 6), ("S0",))
    origins = panel.history.sessions[360:361]
    past = one.until(panel.history.sessions[345])
    daily = {forecaster.name: forecaster.fit(past) for forecaster in FORECASTERS}
    rows = issue(one, market, origins, daily, past.history.sessions[-1], NOW).forecasts.to_pylist()
    # 326 overlapping errors over 20 sessions are worth 16: no 95 % range can rest on them.
    assert {row["horizon"] for row in rows if row["model"] == "ewma"} == {1, 5}


def test_no_model_has_a_forecast_where_the_random_walk_has_none(panel: Panel) -> None:
    origins = panel.history.sessions[360:362]
    past = panel.until(panel.history.sessions[345])
    daily = {forecaster.name: forecaster.fit(past) for forecaster in FORECASTERS}
    unknown = daily["random_walk"]["residuals_20"] * np.nan
    daily["random_walk"] = {**daily["random_walk"], "residuals_20": unknown}
    rows = issue(panel, MARKET, origins, daily, past.history.sessions[-1], NOW).forecasts.to_pylist()
    assert {row["horizon"] for row in rows} == {1, 5}
    assert {row["model"] for row in rows} >= {*MEMBERS, "ensemble"}


def test_targets_are_counted_in_sessions_of_the_calendar(panel: Panel) -> None:
    origin = np.datetime64("2021-05-27")  # Thursday before Memorial Day
    rows = rows_at(panel, np.array([origin]))
    targets = {row["horizon"]: row["target_session"] for row in rows}
    assert targets[1] == dt.date(2021, 5, 28)
    assert targets[5] == dt.date(2021, 6, 4)


def test_a_forecast_is_live_only_until_the_next_session_closes(panel: Panel) -> None:
    origin = panel.history.sessions[362]
    close = MARKET.close_of(MARKET.session_after(np.array([origin]), 1))[0].item().replace(tzinfo=dt.UTC)
    for now, mode in ((close - dt.timedelta(minutes=1), "live"), (close + dt.timedelta(minutes=1), "replayed")):
        assert {row["mode"] for row in rows_at(panel, np.array([origin]), now)} == {mode}


def test_a_symbol_without_a_bar_at_the_origin_has_no_forecast(panel: Panel) -> None:
    close = panel.history.close.copy()
    close[0, 362] = np.nan
    holed = Panel(history_of(close, panel.history.sessions), panel.recent, panel.feature_names)
    assert {row["symbol"] for row in rows_at(holed, panel.history.sessions[362:363])} == {"S1", "S2", "S3"}


def test_training_ends_before_the_month(panel: Panel) -> None:
    rows = rows_at(panel, panel.history.sessions[360:362])
    month = panel.history.sessions[360].astype("datetime64[M]").astype("datetime64[D]").item()
    assert all(row["trained_through"] < month for row in rows if row["model"] != "prophet")
    assert isinstance(panel.history, History)
