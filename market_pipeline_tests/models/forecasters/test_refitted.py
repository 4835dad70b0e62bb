"""Trials of the refitted models: successive months share them, and each knows nothing after its origin."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.models.forecasters.classical import ETS, THETA
from market_pipeline.models.forecasters.prophet import PROPHET
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.refitted import MeansAndWidths, Refitted
from market_pipeline.prices.history import History
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline_tests.panels import walk_panel

PANEL = walk_panel(symbols=3, sessions=400)
ENDS = (330, 351, 372)
"""The last sessions before three successive months."""


@dataclass(frozen=True)
class Counted(Refitted):
    """Forecasts the last return, and notes what it was asked for."""

    common_trials: ClassVar[bool] = True
    least: int = 120
    trials: int = 25
    tried: int = 2
    asked: list[tuple[int, int]] = field(default_factory=list, repr=False)
    """The position of each origin, and the last session that was known."""

    def predict(self, history: History, origins: Origins) -> MeansAndWidths:
        self.asked.extend((position, len(history.sessions) - 1) for position in origins.position.tolist())
        mean = np.repeat(np.log(history.close)[:, origins.position, None], len(HORIZONS), axis=2)
        return mean, np.ones_like(mean)


def until(panel: Panel, position: int) -> Panel:
    return panel.until(panel.history.sessions[position])


def test_successive_months_fit_each_trial_once() -> None:
    model, panel = Counted(), replace(PANEL, shared=SharedResults())
    for end in ENDS:
        model.fit(until(panel, end))
    assert sorted(position for position, _ in model.asked) == list(range(140, 360, 20))
    assert all(known == position for position, known in model.asked)


def test_the_targets_of_all_trials_are_known() -> None:
    for end in range(300, 341):
        model = Counted()
        model.fit(until(replace(PANEL, shared=SharedResults()), end))
        newest = max(position for position, _ in model.asked)
        assert end - 2 * max(HORIZONS) < newest <= end - max(HORIZONS)


def test_a_month_learns_the_same_alone_and_after_others() -> None:
    together = replace(PANEL, shared=SharedResults())
    for model in (replace(ETS, trials=3), replace(THETA, trials=3), replace(PROPHET, trials=4, window=130)):
        for end in ENDS[:0:-1]:
            alone = model.fit(until(replace(PANEL, shared=SharedResults()), end))
            after_others = model.fit(until(together, end))
            for name, learned in alone.items():
                np.testing.assert_array_equal(after_others[name], learned)


def test_a_restated_close_is_fitted_again() -> None:
    model, panel = Counted(), replace(PANEL, shared=SharedResults())
    model.fit(until(panel, ENDS[0]))
    before, close = len(model.asked), panel.history.close.copy()
    close[:, 250] *= 1.01
    history = replace(panel.history, close=close)
    model.fit(until(replace(panel, history=history), ENDS[0]))
    assert [position for position, _ in model.asked[before:]] == [260, 280, 300]


def test_a_young_market_has_no_trials() -> None:
    young = walk_panel(symbols=2, sessions=130)
    assert all(np.isnan(value).all() for value in Counted().fit(young).values())
