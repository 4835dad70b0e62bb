"""What every forecaster has: fit on the past, then forecast the distribution of the returns that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.features.panel import Panel
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days

CLAIMS = ("return", "direction")
"""The claims of a forecaster that names none."""


@dataclass(frozen=True)
class Origins:
    """Sessions at whose close forecasts are made, and the sessions that they are for, by the calendar."""

    position: np.ndarray
    """(origins,), among the sessions of the panel."""
    targets: Mapping[int, Days]
    """For each horizon the target session of each origin; (origins,)."""


class Forecaster(Protocol):
    """A method that forecasts all symbols of a market at once. Holds settings only; what it learns is Parameters.

    A class may also have `claims`, the questions for which it may be selected (CLAIMS if it has none), and
    `refitted = True` if it learns its forecast at each origin from all that is known there.
    """

    @property
    def name(self) -> str:
        """The model's name in tables."""
        ...

    def fit(self, past: Panel) -> Parameters:
        """Learn from everything up to the panel's last session; the same panel gives the same parameters.

        Several fits run at once, as threads that read the same panel: it must not be written to.
        """
        ...

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        """The log return over each horizon from each origin.

        The value at an origin uses nothing after it, even if `known` reaches further. NaN where the symbol has no bar
        at the origin or too little history before it.
        """
        ...
