"""What every forecaster promises: fit on what is known, then say the distribution of the returns that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.features.samples import Panel
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days


@dataclass(frozen=True)
class Origins:
    """Sessions at whose close forecasts are made, and the sessions they are for, by the calendar."""

    position: np.ndarray
    """(origins,), among the sessions of the panel."""
    targets: Mapping[int, Days]
    """For each horizon the target session of each origin; shape (origins,)."""


class Forecaster(Protocol):
    """One way to forecast all symbols of a market at once. Holds settings only; what it learns is Parameters."""

    @property
    def name(self) -> str:
        """As tables spell it."""
        ...

    def fit(self, past: Panel) -> Parameters:
        """Learn from everything up to the panel's last session; the same panel gives the same parameters.

        Several fits run at once, as threads that read the same panel: nothing of it may be written to.
        """
        ...

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        """The log return over each horizon's sessions from each origin.

        The value at an origin uses nothing after it, though `known` may reach further. NaN where the symbol has no
        bar at the origin or too little history before it.
        """
        ...
