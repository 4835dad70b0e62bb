"""The exact engine against the prophet package itself."""

import logging
from typing import Any

import numpy as np
import pandas as pd
import prophet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.prophet_exact import Fit, design_of, expected, fit, lasso, log_posterior, simulated

DAYS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(800))
TARGETS = np.array([0, 4, 19])


def series(seed: int, bars: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return 4 + np.cumsum(draw.normal(0, 0.02, bars)) + 0.05 * np.sin(np.arange(bars) / 20)


def by_stan(level: np.ndarray, days: np.ndarray, **options: Any) -> tuple[Any, Fit]:
    """The package's own fit of the same series."""
    logging.getLogger("cmdstanpy").disabled = True
    model = prophet.Prophet(daily_seasonality=False)
    model.fit(pd.DataFrame({"ds": pd.to_datetime(days), "y": level}), **options)
    found = {name: np.ravel(np.asarray(values)[0]) for name, values in model.params.items()}
    smooth = np.concatenate([found["k"], found["m"], found["beta"]])
    return model, Fit(smooth, found["delta"], float(found["sigma_obs"][0]), float(model.y_scale))


@pytest.mark.parametrize(("seed", "bars"), [(1, 750), (2, 300), (3, 130)])
def test_the_posterior_is_never_below_stans_and_the_forecast_is_prophets(seed: int, bars: int) -> None:
    level, days = series(seed, bars), DAYS[:bars]
    targets = DAYS[bars + TARGETS]
    design = design_of(days, targets)
    found = fit(design, level)
    model, converged = by_stan(level, days, tol_rel_obj=1, tol_rel_grad=1, tol_obj=1e-14, iter=100_000)
    assert log_posterior(design, level, found) >= log_posterior(design, level, converged) - 1e-6
    theirs = model.predict(pd.DataFrame({"ds": pd.to_datetime(targets)}))["yhat"].to_numpy()
    # From the same parameters the same forecast; L-BFGS stops short of the kinks of the L1 norm: they differ a little.
    np.testing.assert_allclose(expected(design, converged), theirs, rtol=1e-9)
    np.testing.assert_allclose(expected(design, found), theirs, atol=4e-3 * found.scale)


def test_days_with_holes_are_the_packages_too() -> None:
    kept = np.random.default_rng(0).random(400) > 0.05
    level, days = series(4, 400)[kept], DAYS[:400][kept]
    design = design_of(days, DAYS[400 + TARGETS])
    _, stan = by_stan(level, days)
    assert log_posterior(design, level, fit(design, level)) >= log_posterior(design, level, stan)


def test_the_simulated_spread_is_that_of_the_packages_exact_path() -> None:
    level, days = series(5, 750), DAYS[:750]
    targets = DAYS[750 + TARGETS]
    model, stan = by_stan(level, days)
    np.random.seed(0)  # noqa: NPY002  the package draws from the global generator
    every_session = pd.DataFrame({"ds": pd.to_datetime(DAYS[750:770])})
    model.uncertainty_samples = 4000
    theirs = model.predictive_samples(every_session)["yhat"][TARGETS]
    ours = simulated(design_of(days, targets), stan, 20_000, seed=1)
    np.testing.assert_allclose(ours.std(axis=1), theirs.std(axis=1), rtol=0.06)
    np.testing.assert_allclose(ours.mean(axis=1), theirs.mean(axis=1), atol=0.003)


@given(seed=st.integers(0, 10_000), penalty=st.floats(1e-4, 10))
@settings(max_examples=60, deadline=None)
def test_the_lasso_meets_its_optimality_conditions(seed: int, penalty: float) -> None:
    draw = np.random.default_rng(seed)
    wide = draw.normal(size=(40, 12))
    curvature, slope = wide.T @ wide, draw.normal(0, 5, 12)
    x = lasso(curvature, slope, penalty, np.zeros(12))
    gradient = slope - curvature @ x
    np.testing.assert_allclose(gradient[x != 0], penalty * np.sign(x[x != 0]), atol=1e-7)
    assert (np.abs(gradient[x == 0]) <= penalty * (1 + 1e-6)).all()


def test_a_series_that_never_moves_is_forecast_where_it_stands() -> None:
    design = design_of(DAYS[:200], DAYS[200 + TARGETS])
    found = fit(design, np.full(200, 3.0))
    np.testing.assert_allclose(expected(design, found), 3.0, atol=1e-3)
