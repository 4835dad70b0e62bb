"""The design that the package derives from the same days, and which of its settings are supported."""

from typing import Any

import numpy as np
import pandas as pd
import prophet
import pytest

from market_pipeline.models.prophet_exact.design import Settings, design_of, settings_of, unsupported

DAYS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(800))


@pytest.mark.parametrize(
    ("bars", "options"),
    [
        (750, {}),
        (300, {"yearly_seasonality": True, "weekly_seasonality": 2, "seasonality_prior_scale": 0.3}),
        (130, {"weekly_seasonality": False, "changepoint_prior_scale": 0.4}),
        (20, {"n_changepoints": 30, "changepoint_range": 0.9}),
    ],
    ids=str,
)
def test_a_design_is_the_packages(bars: int, options: dict[str, Any]) -> None:
    days = DAYS[np.sort(np.random.default_rng(bars).permutation(780)[:bars])]
    targets = np.busday_offset(days[-1], [1, 5, 20])
    design = design_of(days, targets, settings_of(options))
    model = prophet.Prophet(daily_seasonality=False, **options)
    data = model.preprocess(pd.DataFrame({"ds": pd.to_datetime(days), "y": np.linspace(1.0, 2.0, bars)}))
    ahead = model.setup_dataframe(pd.DataFrame({"ds": pd.to_datetime(targets)}))
    seasons = 0 if not model.seasonalities else data.K
    np.testing.assert_array_equal(design.smooth[:, 0], data.t)
    np.testing.assert_array_equal(design.changepoints, data.t_change)
    np.testing.assert_allclose(design.smooth[:, 2:], np.asarray(data.X)[:, :seasons], atol=1e-10)
    np.testing.assert_allclose(design.precision[2:], 1 / np.asarray(data.sigmas)[:seasons] ** 2)
    np.testing.assert_array_equal(design.future[:, 0], ahead["t"])
    if seasons:
        theirs = model.make_all_seasonality_features(ahead)[0].to_numpy()
        np.testing.assert_allclose(design.future[:, 2:], theirs, atol=1e-10)
    assert design.tau == data.tau


def test_fewer_bars_than_columns_are_refused() -> None:
    settings = Settings(weekly_seasonality=True, yearly_seasonality=True)
    with pytest.raises(ValueError, match="27 bars are too few: these settings need at least 28"):
        design_of(DAYS[:27], DAYS[30:31], settings).products  # noqa: B018  the property raises
    assert design_of(DAYS[:28], DAYS[30:31], settings).products.basis.shape == (28, 28)


def test_unsupported_settings_are_named() -> None:
    assert unsupported({"growth": "linear", "changepoint_prior_scale": 0.1, "weekly_seasonality": False}) == []
    assert unsupported({"growth": "logistic", "mcmc_samples": 300, "seasonality_mode": "multiplicative"}) == [
        "growth",
        "mcmc_samples",
        "seasonality_mode",
    ]
    assert unsupported({"n_changepoints": 0}) == ["n_changepoints"]
