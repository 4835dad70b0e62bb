"""Prophet as a forecaster: the same forecast in any batch, and settings that need Stan."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from market_pipeline.errors import ConfigurationError
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters import prophet
from market_pipeline.models.forecasters.prophet import Prophet
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline_tests.panels import walk_panel

BRIEF = Prophet(window=150, least=120)


def origins_of(history: History, positions: list[int]) -> Origins:
    place = np.array(positions)
    return Origins(place, {h: np.busday_offset(history.sessions[place], h) for h in HORIZONS})


def forecast(forecaster: Prophet, history: History, positions: list[int]) -> np.ndarray:
    """Means and half widths (2, symbols, origins, horizons)."""
    return np.stack(forecaster.predict(history, origins_of(history, positions)))


def panel_with_a_late_listing() -> Panel:
    """Six symbols with holes, most on days of their own; the last lists late."""
    panel = walk_panel(seed=3, symbols=6, sessions=330)
    panel.history.close[5, :150] = np.nan
    return panel


def without_holes(history: History) -> History:
    """The same symbols with a bar at every session, so that they share their days and are fitted together."""
    return replace(history, close=np.where(np.isnan(history.close), 100.0, history.close))


@pytest.mark.parametrize("batch", [prophet.BATCH, 7])
@pytest.mark.parametrize(
    "history", [panel_with_a_late_listing().history, without_holes(panel_with_a_late_listing().history)]
)
def test_origins_have_the_same_forecasts_in_any_order_and_day_by_day(
    history: History, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prophet, "BATCH", batch)  # with 7, batches of six symbols that share their days end in between
    positions = list(range(255, 290))
    together = forecast(BRIEF, history, positions)
    assert np.isfinite(together).any(axis=(0, 3)).sum() > 100
    np.testing.assert_array_equal(forecast(BRIEF, history, positions[::-1]), together[:, :, ::-1])
    for place, position in enumerate(positions):
        cut = history.until(history.sessions[position].item())
        np.testing.assert_array_equal(forecast(BRIEF, cut, [position]), together[:, :, place : place + 1])


def test_a_symbol_has_the_same_forecast_alone_and_in_its_market() -> None:
    history = panel_with_a_late_listing().history
    together = forecast(BRIEF, history, [270, 280, 300])
    for row in range(len(history.symbols)):
        alone = forecast(BRIEF, history.some(np.array([row])), [270, 280, 300])
        np.testing.assert_array_equal(alone[:, 0], together[:, row])


@pytest.mark.parametrize("batch", [1, 7])
def test_the_size_of_a_batch_changes_no_bit(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    history = panel_with_a_late_listing().history
    together = forecast(BRIEF, history, [270, 280, 300])
    monkeypatch.setattr(prophet, "BATCH", batch)
    np.testing.assert_array_equal(forecast(BRIEF, history, [270, 280, 300]), together)


def test_workers_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    history = panel_with_a_late_listing().history
    alone = forecast(BRIEF, history, [270, 280, 300, 310])
    monkeypatch.setattr(prophet, "FEW", 0)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    np.testing.assert_array_equal(forecast(BRIEF, history, [270, 280, 300, 310]), alone)


def test_a_symbol_has_forecasts_from_the_least_history_on() -> None:
    history = walk_panel(seed=4, symbols=1, sessions=200).history
    history.close[0] = np.where(np.isnan(history.close[0]), 100.0, history.close[0])
    known = np.isfinite(forecast(BRIEF, history, [118, 119, 120])[0, 0]).all(axis=-1)
    np.testing.assert_array_equal(known, [False, True, True])


def test_stan_forecasts_what_the_exact_engine_forecasts() -> None:
    history = walk_panel(seed=5, symbols=2, sessions=200).history
    history.close[:, 190] = 100.0
    by_stan = Prophet(window=150, engine="stan", draws=300)
    exact, stan = forecast(BRIEF, history, [190]), forecast(by_stan, history, [190])
    scale = np.log(history.close[:, 41:191])
    np.testing.assert_allclose(stan[0], exact[0], atol=4e-3 * float(np.nanmax(np.abs(scale))))
    np.testing.assert_allclose(stan[1], exact[1], rtol=0.3)
    np.testing.assert_array_equal(stan, forecast(by_stan, history, [190]))


def test_a_setting_without_an_exact_solution_uses_stan_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    history = walk_panel(seed=5, symbols=1, sessions=200).history
    history.close[:, 190] = 100.0
    odd = {"growth": "logistic", "cap": 6.0}
    with caplog.at_level(logging.WARNING, logger="market_pipeline.models.forecasters.prophet"):
        answer = forecast(Prophet(window=150, options=odd, draws=20), history, [190])
        assert "no exact solution with growth" in caplog.text
    assert np.isfinite(answer).all()
    np.testing.assert_array_equal(
        answer, forecast(Prophet(window=150, options=odd, draws=20, engine="stan"), history, [190])
    )


def test_an_engine_that_does_not_exist_is_refused() -> None:
    history = walk_panel(symbols=1, sessions=200).history
    with pytest.raises(ConfigurationError, match='"exact" or "stan", not "fast"'):
        forecast(Prophet(engine="fast"), history, [190])
