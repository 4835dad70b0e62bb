"""The exact solver against the prophet package."""

import logging
from typing import Any

import numpy as np
import pandas as pd
import prophet
import pytest

from market_pipeline.models.prophet_exact import solver
from market_pipeline.models.prophet_exact.design import Design, design_of, settings_of
from market_pipeline.models.prophet_exact.solver import Fits, expected, fits, range_half_width

DAYS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(800))
TARGETS = np.array([0, 4, 19])
CONVERGED = {"algorithm": "Newton", "iter": 10_000}
"""L-BFGS, the default of the package, stops short of the kinks of the L1 norm."""


def series(seed: int, bars: int, count: int = 1) -> np.ndarray:
    """Walks with a season (count, bars)."""
    draw = np.random.default_rng(seed)
    return 4 + np.cumsum(draw.normal(0, 0.02, (count, bars)), axis=1) + 0.05 * np.sin(np.arange(bars) / 20)


def design_for(days: np.ndarray, **options: Any) -> Design:
    return design_of(days, np.busday_offset(days[-1], TARGETS + 1), settings_of(options))


def by_stan(level: np.ndarray, days: np.ndarray, options: dict[str, Any], **how: Any) -> tuple[Any, Fits]:
    """The package's own fit of the same series."""
    logging.getLogger("cmdstanpy").disabled = True
    model = prophet.Prophet(daily_seasonality=False, **options)
    model.fit(pd.DataFrame({"ds": pd.to_datetime(days), "y": level}), **how)
    found = {name: np.ravel(np.asarray(values)[0]) for name, values in model.params.items()}
    smooth = np.concatenate([found["k"], found["m"], found["beta"]])[None]
    if not model.seasonalities:
        smooth = smooth[:, :2]  # without seasons the package has a column of zeros
    return model, Fits(smooth, found["delta"][None], found["sigma_obs"][:1], np.array([model.y_scale]))


def log_posterior(design: Design, level: np.ndarray, found: Fits) -> np.ndarray:
    """Prophet's log posterior (series,) of fits to `level` (series, bars), up to a constant: what Stan maximises."""
    error = level / found.scale[:, None] - found.smooth @ design.smooth.T - found.delta @ design.hinges.T
    likelihood = -level.shape[1] * np.log(found.sigma) - (error**2).sum(axis=1) / (2 * found.sigma**2)
    priors = -(design.precision * found.smooth**2).sum(axis=1) / 2 - np.abs(found.delta).sum(axis=1) / design.tau
    return np.asarray(likelihood + priors - 2 * found.sigma**2)


@pytest.mark.parametrize(
    ("seed", "bars", "options"),
    [
        (1, 300, {}),
        (2, 130, {}),
        (3, 200, {"changepoint_prior_scale": 0.02, "weekly_seasonality": False}),
        (4, 200, {"changepoint_prior_scale": 0.5, "n_changepoints": 15}),
        (5, 600, {"yearly_seasonality": 2, "seasonality_prior_scale": 0.1, "n_changepoints": 12}),
    ],
    ids=str,
)
def test_the_posterior_is_not_below_stans_and_the_forecast_is_the_packages(
    seed: int, bars: int, options: dict[str, Any]
) -> None:
    level, days = series(seed, bars), DAYS[:bars]
    design = design_for(days, **options)
    found = fits([(design, level)])[0]
    model, converged = by_stan(level[0], days, options, **CONVERGED)
    assert log_posterior(design, level, found) >= log_posterior(design, level, converged) - 1e-6
    targets = pd.to_datetime(np.busday_offset(days[-1], TARGETS + 1))
    theirs = model.predict(pd.DataFrame({"ds": targets}))["yhat"].to_numpy()
    # From the same parameters the same forecast.
    np.testing.assert_allclose(expected(design, converged)[0], theirs, rtol=1e-9)
    np.testing.assert_allclose(expected(design, found)[0], theirs, atol=1e-3 * found.scale[0])


@pytest.mark.parametrize("seed", range(4))
def test_the_posterior_is_not_below_stans_on_days_with_holes(seed: int) -> None:
    draw = np.random.default_rng(seed)
    bars = int(draw.integers(120, 700))
    days = DAYS[np.sort(draw.permutation(780)[:bars])]
    options = {
        "changepoint_prior_scale": float(10 ** draw.uniform(-2.5, 0)),
        "n_changepoints": int(draw.integers(3, 35)),
    }
    level = series(seed, bars)
    design = design_for(days, **options)
    _, stan = by_stan(level[0], days, options)
    assert log_posterior(design, level, fits([(design, level)])[0]) >= log_posterior(design, level, stan)


def test_of_two_peaks_of_the_posterior_the_higher_one_is_found() -> None:
    """A bend that is expensive to follow: much noise and a straight trend, or little noise and a broken one."""
    level = 0.3 + np.abs(np.arange(120) - 60) * 0.01 + np.random.default_rng(5).normal(0, 7e-6, (1, 120))
    options = {"changepoint_prior_scale": 0.01, "n_changepoints": 40, "changepoint_range": 0.95}
    design = design_for(DAYS[:120], **options)
    _, stan = by_stan(level[0], DAYS[:120], options)
    found = fits([(design, level)])[0]
    assert found.sigma < 0.01
    assert log_posterior(design, level, found) >= log_posterior(design, level, stan)


def test_the_range_is_the_one_that_the_package_simulates() -> None:
    level, days = series(5, 750), DAYS[:750]
    design = design_for(days)
    model, stan = by_stan(level[0], days, {})
    np.random.seed(0)  # noqa: NPY002  the package draws from the global generator
    model.uncertainty_samples = 1500
    targets = pd.DataFrame({"ds": pd.to_datetime(DAYS[750 + TARGETS])})
    low, high = np.quantile(model.predictive_samples(targets, vectorized=False)["yhat"], (0.1, 0.9), axis=1)
    np.testing.assert_allclose(range_half_width(design, stan)[0], (high - low) / 2, rtol=0.1)


def batch_of_many() -> list[tuple[Design, np.ndarray]]:
    """Series of several days, lengths and settings."""
    return [
        (design_for(DAYS[:300]), series(1, 300, 7)),
        (design_for(DAYS[5:305]), series(2, 300, 1)),
        (design_for(DAYS[:750]), series(3, 750, 5)),
        (design_for(DAYS[:300], changepoint_prior_scale=0.5), series(4, 300, 3)),
        (design_for(DAYS[:400][np.arange(400) % 11 != 4]), series(5, 364, 4)),
    ]


def test_a_series_has_the_same_fit_alone_and_in_a_batch() -> None:
    many = batch_of_many()
    for (design, level), together in zip(many, fits(many), strict=True):
        for row in range(len(level)):
            alone = fits([(design, level[row : row + 1])])[0]
            for part in ("smooth", "delta", "sigma", "scale"):
                np.testing.assert_array_equal(getattr(alone, part)[0], getattr(together, part)[row])
            np.testing.assert_array_equal(expected(design, alone)[0], expected(design, together)[row])
            np.testing.assert_array_equal(range_half_width(design, alone)[0], range_half_width(design, together)[row])


def test_the_order_of_levels_in_memory_changes_no_bit() -> None:
    many = batch_of_many()
    columnwise = fits([(design, np.asfortranarray(level)) for design, level in many])
    for rowwise, found in zip(fits(many), columnwise, strict=True):
        for part in ("smooth", "delta", "sigma", "scale"):
            np.testing.assert_array_equal(getattr(found, part), getattr(rowwise, part))


def test_the_fallback_for_a_single_series_ends_where_the_batch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    design, level = design_for(DAYS[:300]), series(8, 300, 3)
    found = fits([(design, level)])[0]
    monkeypatch.setattr(solver, "ROUNDS", 1)
    slow = fits([(design, level)])[0]
    np.testing.assert_allclose(slow.sigma, found.sigma, rtol=1e-7)
    np.testing.assert_allclose(expected(design, slow), expected(design, found), rtol=1e-8)


@pytest.mark.parametrize("constant", [3.0, 0.0, -2.0])
def test_a_constant_series_is_forecast_at_its_level(constant: float) -> None:
    design = design_for(DAYS[:200])
    found = fits([(design, np.vstack([np.full(200, constant), series(1, 200)]))])[0]
    np.testing.assert_allclose(expected(design, found)[0], constant, atol=1e-12)
    assert found.sigma[0] == pytest.approx(1e-9)
    assert (range_half_width(design, found)[0] < 1e-7).all()
