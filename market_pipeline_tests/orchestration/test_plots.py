"""Plots draw without a warning of their library, which would end in the terminal of a publication."""

import warnings
from typing import Any

import numpy as np
import pytest

from market_pipeline.orchestration.plots import RangeChart, range_charts, skill_over_time


@pytest.mark.parametrize("count", [1, 2, 30])
def test_skill_over_time_uses_no_dates_of_matplotlib(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks are chosen here; matplotlib's locator of dates would be replaced, after it has warned of few days."""
    from matplotlib import dates

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("matplotlib chooses ticks")

    monkeypatch.setattr(dates.AutoDateLocator, "__init__", refuse)
    origins = np.datetime64("2025-03-10", "D") - np.arange(count)[::-1]
    skill = {1: {"har": (origins, np.linspace(-0.01, 0.02, count)), "ets": (origins[:1], np.array([np.nan]))}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert skill_over_time(skill, "range").startswith(b"\x89PNG")


def test_a_range_chart_has_simple_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn = list[np.ndarray]()
    plot = Axes.plot

    def watched(axes: Axes, *arguments: np.ndarray, **more: Any) -> object:
        drawn.append(arguments[1])
        return plot(axes, *arguments, **more)

    monkeypatch.setattr(Axes, "plot", watched)
    ranges = np.array([[-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.447]])
    range_charts([RangeChart("A", np.array([-0.309, 0.0]), np.array([20.0]), ranges)])
    np.testing.assert_allclose(drawn[0], [-30.9, 0.0])
