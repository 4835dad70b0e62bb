"""What holds for every forecaster, and what each is for."""

import numpy as np
import pytest

from market_pipeline.models.calibration.distribution import FINE_LEVELS, average, location_scale
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.models.forecasters.classical import ETS, THETA, at_origin
from market_pipeline.models.forecasters.har import log_variances
from market_pipeline.models.forecasters.linear import LINEAR
from market_pipeline.models.forecasters.prophet import PROPHET, Prophet
from market_pipeline.models.forecasters.protocol import Forecaster, Origins
from market_pipeline.models.forecasters.random_walk import EWMA, RANDOM_WALK
from market_pipeline.storage.tables.forecasts import HORIZONS, LEVELS
from market_pipeline_tests.panels import walk_panel, with_noise_after

MONTHLY = (ETS, THETA)
CHEAP = [forecaster for forecaster in FORECASTERS if forecaster is not PROPHET]
DAILY = [forecaster for forecaster in CHEAP if forecaster not in MONTHLY]


def origins_of(panel: Panel, first: int, last: int) -> Origins:
    position = np.arange(first, last + 1)
    return Origins(
        position,
        {horizon: np.busday_offset(panel.history.sessions[position], horizon) for horizon in HORIZONS},
    )


@pytest.mark.parametrize("forecaster", CHEAP, ids=lambda forecaster: forecaster.name)
def test_the_future_changes_no_forecast(forecaster: Forecaster) -> None:
    panel = walk_panel()
    parameters = forecaster.fit(panel.until(panel.history.sessions[350]))
    for position in (351, 377, 395):
        asked = origins_of(panel, 351, position)
        wide = forecaster.forecast(parameters, panel, asked)
        with_future_noise = forecaster.forecast(parameters, with_noise_after(panel, position), asked)
        cut = forecaster.forecast(parameters, panel.until(panel.history.sessions[position]), asked)
        for horizon in HORIZONS:
            for field in ("mean", "quantiles", "p_up"):
                truth = getattr(cut[horizon], field)
                np.testing.assert_array_equal(getattr(wide[horizon], field), truth)
                np.testing.assert_array_equal(getattr(with_future_noise[horizon], field), truth)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda forecaster: forecaster.name)
def test_an_origin_has_the_same_forecast_alone_and_among_others(forecaster: Forecaster) -> None:
    panel = walk_panel(symbols=40)
    parameters = forecaster.fit(panel.until(panel.history.sessions[350]))
    many = forecaster.forecast(parameters, panel, origins_of(panel, 360, 399))
    for position in (360, 374, 399):
        alone = forecaster.forecast(parameters, panel, origins_of(panel, position, position))
        for horizon in HORIZONS:
            for field in ("mean", "quantiles", "p_up"):
                among = getattr(many[horizon], field)[:, [position - 360]]
                np.testing.assert_array_equal(getattr(alone[horizon], field), among)


def test_the_log_variances_of_a_session_are_the_same_whatever_others_are_asked_for() -> None:
    history = walk_panel(symbols=300).history  # numpy adds up a single column in another order than the first of many
    everything = log_variances(history, np.arange(len(history.sessions)))
    for position in (360, 374, 399):
        np.testing.assert_array_equal(log_variances(history, np.array([position])), everything[:, :, [position]])


@pytest.mark.parametrize("forecaster", CHEAP, ids=lambda forecaster: forecaster.name)
def test_training_sees_nothing_after_its_last_session(forecaster: Forecaster) -> None:
    panel = walk_panel()
    cut = panel.history.sessions[350]
    asked = origins_of(panel, 351, 370)
    one = forecaster.forecast(forecaster.fit(panel.until(cut)), panel, asked)
    other = forecaster.forecast(forecaster.fit(with_noise_after(panel, 350).until(cut)), panel, asked)
    for horizon in HORIZONS:
        np.testing.assert_array_equal(one[horizon].quantiles, other[horizon].quantiles)


@pytest.mark.parametrize("forecaster", CHEAP, ids=lambda forecaster: forecaster.name)
def test_every_forecast_is_a_distribution_where_there_is_a_bar(forecaster: Forecaster) -> None:
    panel = walk_panel(symbols=20)
    asked = origins_of(panel, 300, 419)
    forecast = forecaster.forecast(forecaster.fit(panel.until(panel.history.sessions[299])), panel, asked)
    present = panel.history.present[:, asked.position]
    if forecaster in MONTHLY:
        not_first = ~ETS.forecasts_at(panel.history.sessions)[asked.position]
        assert np.isnan(forecast[1].mean[:, not_first]).all()
        present = present & ~not_first
        assert present.sum() > 40
    for horizon in HORIZONS:
        distribution = forecast[horizon]
        assert np.isnan(distribution.mean[~present]).all()
        assert (np.diff(distribution.quantiles[present], axis=-1) >= 0).all()
        assert ((distribution.p_up[present] > 0) & (distribution.p_up[present] < 1)).all()


@pytest.mark.parametrize("forecaster", DAILY, ids=lambda forecaster: forecaster.name)
def test_80_percent_ranges_cover_80_percent_on_a_random_walk(forecaster: Forecaster) -> None:
    panel = walk_panel(symbols=30, sessions=700)
    asked = origins_of(panel, 400, 698)
    forecast = forecaster.forecast(forecaster.fit(panel.until(panel.history.sessions[399])), panel, asked)[1]
    realised = np.log(panel.history.close)[:, asked.position + 1] - np.log(panel.history.close)[:, asked.position]
    known = np.isfinite(realised) & np.isfinite(forecast.mean)
    inside = (realised >= forecast.quantiles[..., 2]) & (realised <= forecast.quantiles[..., 6])
    assert inside[known].mean() == pytest.approx(0.80, abs=0.02)


@pytest.mark.parametrize("forecaster", MONTHLY, ids=lambda forecaster: forecaster.name)
def test_a_classical_forecast_of_a_walk_is_its_last_price_with_the_right_coverage(forecaster: Forecaster) -> None:
    panel = walk_panel(symbols=40, sessions=500)
    asked = origins_of(panel, 300, 498)
    forecast = forecaster.forecast(forecaster.fit(panel.until(panel.history.sessions[299])), panel, asked)[1]
    level = np.log(panel.history.close)
    realised = level[:, asked.position + 1] - level[:, asked.position]
    known = np.isfinite(realised) & np.isfinite(forecast.mean)
    inside = (realised >= forecast.quantiles[..., 2]) & (realised <= forecast.quantiles[..., 6])
    assert known.sum() > 300
    assert np.abs(forecast.mean[known]).mean() < 0.005  # a step has 0.02
    assert inside[known].mean() == pytest.approx(0.80, abs=0.07)


def test_the_random_walks_claim_no_drift_and_no_direction_of_their_own() -> None:
    panel = walk_panel()
    asked = origins_of(panel, 300, 310)
    past = panel.until(panel.history.sessions[299])
    walk, ewma = (model.forecast(model.fit(past), panel, asked)[5] for model in (RANDOM_WALK, EWMA))
    assert np.nanmax(np.abs(walk.mean)) == 0
    np.testing.assert_array_equal(walk.p_up, ewma.p_up)


@pytest.mark.parametrize("forecaster", DAILY, ids=lambda forecaster: forecaster.name)
def test_mean_quantiles_and_chance_of_a_rise_are_one_distribution(forecaster: Forecaster) -> None:
    panel = walk_panel()
    fitted = forecaster.fit(panel.until(panel.history.sessions[399]))
    for horizon, forecast in forecaster.forecast(fitted, panel, origins_of(panel, 400, 419)).items():
        known = np.isfinite(forecast.mean)
        mean, p_up, quantiles = forecast.mean[known], forecast.p_up[known, None], forecast.quantiles[known]
        assert known.any() or horizon == max(HORIZONS)  # for which a small panel may have too few errors
        assert ((quantiles[:, 0] <= mean) & (mean <= quantiles[:, -1])).all()
        rising = 1 - np.array(LEVELS)
        assert ((p_up >= rising - 1e-9) | (quantiles < 0)).all()
        assert ((p_up <= rising + 1e-9) | (quantiles > 0)).all()


def test_the_linear_model_finds_a_planted_predictability() -> None:
    planted = walk_panel(symbols=10, sessions=900, autocorrelation=0.3)
    asked = origins_of(planted, 600, 898)
    forecast = LINEAR.forecast(LINEAR.fit(planted.until(planted.history.sessions[599])), planted, asked)[1]
    level = np.log(planted.history.close)
    realised = level[:, asked.position + 1] - level[:, asked.position]
    known = np.isfinite(realised) & np.isfinite(forecast.mean)
    skill = 1 - ((realised - forecast.mean)[known] ** 2).mean() / (realised[known] ** 2).mean()
    assert skill > 0.04  # 0.3² = 0.09 is what there is to find


def test_prophet_uses_only_what_the_origin_knew_and_repeats_itself() -> None:
    panel = walk_panel(symbols=3, sessions=320)
    brief = Prophet(window=130, draws=50)
    learned = brief.fit(panel.until(panel.history.sessions[280]))
    asked = origins_of(panel, 290, 305)
    one, two = brief.forecast(learned, panel, asked), brief.forecast(learned, panel, asked)
    with_future_noise = brief.forecast(learned, with_noise_after(panel, 298), origins_of(panel, 290, 298))
    for horizon in HORIZONS:
        np.testing.assert_array_equal(one[horizon].quantiles, two[horizon].quantiles)
        np.testing.assert_array_equal(with_future_noise[horizon].mean, one[horizon].mean[:, :9])
        known = np.isfinite(one[horizon].mean)
        np.testing.assert_array_equal(known, panel.history.present[:, asked.position])


def test_prophets_ranges_are_as_wide_as_its_errors_were() -> None:
    panel = walk_panel(symbols=6, sessions=620)
    brief = Prophet(window=200, draws=50)
    learned = brief.fit(panel.until(panel.history.sessions[560]))
    forecast = brief.forecast(learned, panel, origins_of(panel, 561, 598))[20]
    level = np.log(panel.history.close)
    realised = level[:, 581:619] - level[:, 561:599]
    known = np.isfinite(realised) & np.isfinite(forecast.mean)
    inside = (realised >= forecast.quantiles[..., 2]) & (realised <= forecast.quantiles[..., 6])
    assert inside[known].mean() > 0.65  # its own 80 % range covers 30 %


def test_prophet_without_known_errors_has_no_forecast() -> None:
    young = walk_panel(symbols=2, sessions=130)
    forecast = PROPHET.forecast(PROPHET.fit(young), young, origins_of(young, 129, 129))
    assert all(np.isnan(forecast[horizon].quantiles).all() for horizon in HORIZONS)


def test_the_ensemble_averages_quantiles_with_equal_weights() -> None:
    residuals = np.quantile(np.random.default_rng(0).normal(size=5000), FINE_LEVELS)
    narrow, wide = (location_scale(np.zeros((1, 1)), np.full((1, 1), s), residuals) for s in (1.0, 3.0))
    both = average([narrow, wide])
    np.testing.assert_allclose(both.quantiles, 2 * narrow.quantiles)
    assert both.quantiles.shape == (1, 1, len(LEVELS))


def test_the_chance_of_a_rise_follows_the_mean() -> None:
    residuals = np.quantile(np.random.default_rng(0).normal(size=100_000), FINE_LEVELS)
    mean = np.array([[-1.0, 0.0, 1.0]])
    p_up = location_scale(mean, np.ones((1, 3)), residuals).p_up
    np.testing.assert_allclose(p_up, [[0.159, 0.5, 0.841]], atol=0.01)


@pytest.mark.parametrize("forecaster", DAILY, ids=lambda forecaster: forecaster.name)
def test_a_feature_that_has_no_value_yet_stops_no_training(forecaster: Forecaster) -> None:
    panel = walk_panel()
    features = panel.recent.copy()
    features[1] = np.nan
    young = Panel(panel.history, features, panel.feature_names)
    forecast = forecaster.forecast(forecaster.fit(young), young, origins_of(young, 400, 419))
    assert np.isfinite(forecast[5].mean).any()


def test_exponential_smoothing_and_theta_give_the_same_bits_wherever_their_series_lies_in_memory() -> None:
    level = np.cumsum(np.random.default_rng(3).normal(0, 0.03, 250)).round(6)
    for forecaster in MONTHLY:
        answers = []
        for shift in range(8):
            space = np.empty(300)
            space[shift : shift + 250] = level
            answers.append(at_origin(forecaster.name, space[shift : shift + 250]).tobytes())
        assert len(set(answers)) == 1, forecaster.name
