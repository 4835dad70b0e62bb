"""The months of a quarter share trees that know nothing of it, and learn the rest from their own past."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.models.forecasters import boosting
from market_pipeline.models.forecasters.boosting import BOOSTING
from market_pipeline.models.registry.training import months_between
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Features, Grid
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline_tests.panels import walk_panel, with_noise_after

PANEL = walk_panel(symbols=6, sessions=480)
MONTHS = months_between(PANEL.history.sessions, dt.date(2021, 4, 1), dt.date(2021, 8, 31))


def pasts(panel: Panel) -> list[Panel]:
    """What is known before April, May, June, July and August 2021, with one memory, which is empty."""
    panel = replace(panel, shared=SharedResults())
    return [panel.until(np.datetime64(month.cutoff)) for month in MONTHS]


def trees_of(parameters: Parameters) -> Mapping[str, np.ndarray]:
    return {name: value for name, value in parameters.items() if name.startswith(("tree", "node"))}


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def test_the_months_of_a_quarter_have_the_same_trees_and_errors_of_their_own() -> None:
    april, may, june, july, august = (BOOSTING.fit(past) for past in pasts(PANEL))
    assert same(trees_of(april), trees_of(may))
    assert same(trees_of(april), trees_of(june))
    assert same(trees_of(july), trees_of(august))
    assert not same(trees_of(june), trees_of(july))
    assert not np.array_equal(april["residuals_1"], may["residuals_1"])


def test_a_month_that_is_trained_alone_learns_the_same() -> None:
    together = [BOOSTING.fit(past) for past in pasts(PANEL)]
    for number, month in enumerate(MONTHS):
        alone = walk_panel(symbols=6, sessions=480).until(np.datetime64(month.cutoff))
        assert same(BOOSTING.fit(alone), together[number])


def test_trees_know_nothing_of_their_quarter() -> None:
    before = int(np.searchsorted(PANEL.history.sessions, np.datetime64(MONTHS[0].cutoff)))
    june = BOOSTING.fit(pasts(with_noise_after(PANEL, before))[2])
    assert same(trees_of(june), trees_of(BOOSTING.fit(pasts(PANEL)[2])))


def test_a_quarter_costs_two_fits_for_each_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def counting(features: Features, target: Grid) -> object:
        counted.append(len(target))
        return fitted(features, target)

    fitted = boosting.fitted_trees
    monkeypatch.setattr(boosting, "fitted_trees", counting)
    for past in pasts(PANEL)[:3]:
        BOOSTING.fit(past)
    assert len(counted) == 2 * len(HORIZONS)
    for past in pasts(PANEL)[:3]:
        replace(BOOSTING, months=1).fit(past)
    assert len(counted) == 2 * len(HORIZONS) + 3 * 2 * len(HORIZONS)
