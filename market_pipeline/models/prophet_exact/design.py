"""The design that Prophet derives from a set of days: time, Fourier terms, changepoints, and their inner products.

The rules are those of the prophet package (`set_auto_seasonalities`, `set_changepoints`, `fourier_series`). They are
repeated here because a call of the package takes longer than a hundred fits; a test compares every number with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import Days, Grid

TREND_PRECISION = 1 / 25
"""Inverse variance of the normal priors of the first slope k and the offset m."""

YEARLY, WEEKLY = 365.25, 7.0
"""Periods in days."""


@dataclass(frozen=True)
class Settings:
    """The settings of the prophet package that have an exact solution, with its names and its defaults."""

    n_changepoints: int = 25
    changepoint_range: float = 0.8
    changepoint_prior_scale: float = 0.05
    seasonality_prior_scale: float = 10.0
    yearly_seasonality: int | str = "auto"
    """"auto", True, False or the number of Fourier terms."""
    weekly_seasonality: int | str = "auto"


FIXED = {
    "growth": ("linear",),
    "changepoints": (None,),
    "daily_seasonality": ("auto", False),
    "holidays": (None,),
    "seasonality_mode": ("additive",),
    "mcmc_samples": (0,),
    "scaling": ("absmax",),
}
"""Other settings of the package, and the values for which the solution is exact."""


def unsupported(options: Mapping[str, Any]) -> list[str]:
    """Names of those of the package's settings that have no exact solution here."""
    free = {field.name for field in fields(Settings)}
    names = [name for name, value in options.items() if name not in free and value not in FIXED.get(name, ())]
    return [*names, "n_changepoints"] if options.get("n_changepoints", 1) < 1 else names


def settings_of(options: Mapping[str, Any]) -> Settings:
    """Settings from the package's options, none of which is `unsupported`."""
    return Settings(**{field.name: options[field.name] for field in fields(Settings) if field.name in options})


@dataclass(frozen=True)
class Design:
    """What all series with the same days share, in Prophet's units: time runs from 0 to 1 over the history."""

    smooth: Grid
    """Q (bars, 2 + terms): time, one, Fourier terms."""
    hinges: Grid
    """D (bars, changepoints): time since each changepoint, 0 before it."""
    precision: Grid
    """P (2 + terms,): inverse variances of the normal priors of k, m and beta."""
    tau: float
    """Scale of the Laplace prior of the slope changes."""
    changepoints: Grid
    """(changepoints,): their times."""
    future: Grid
    """(targets, 2 + terms): Q at the targets."""

    @property
    def future_hinges(self) -> Grid:
        """(targets, changepoints): D at the targets."""
        return np.maximum(self.future[:, :1] - self.changepoints, 0.0)

    @cached_property
    def products(self) -> "Products":
        """The inner products from which the fit of every series with these days starts.

        Raises ValueError for fewer bars than columns of Q.
        """
        bars, width = self.smooth.shape
        if bars < width:
            raise ValueError(f"{bars} bars are too few: these settings need at least {width}, one for each column.")
        root = 1 / np.sqrt(self.precision)
        # From the columns themselves: their inner products keep only half the digits of weak directions.
        _, singular, rotation = np.linalg.svd(np.linalg.qr(self.smooth * root, mode="r"))
        # With five weekdays, two of the seven weekly columns depend on the others: these directions hold only noise.
        empty = singular <= singular[0] * bars * np.finfo(np.float64).eps
        basis = np.where(empty, 0.0, root[:, None] * rotation.T)
        columns = np.ascontiguousarray(np.hstack([self.smooth @ basis, self.hinges]).T)
        gram = columns @ columns.T
        return Products(
            columns, basis, np.where(empty, 1.0, singular**2), gram[:width, width:].copy(), gram[width:, width:].copy()
        )


@dataclass(frozen=True)
class Products:
    """Inner products of a design, in a basis B with (Q'Q + v P)^-1 = B diag(1 / (eigenvalues + v)) B' for every v."""

    columns: Grid
    """(2 + terms + changepoints, bars): Q B and D, transposed."""
    basis: Grid
    """B (2 + terms, 2 + terms)."""
    eigenvalues: Grid
    """(2 + terms,)."""
    cross: Grid
    """B'Q'D (2 + terms, changepoints)."""
    hinges: Grid
    """D'D (changepoints, changepoints)."""


def design_of(days: Days, targets: Days, settings: Settings) -> Design:
    """The design for histories at `days` (bars,), in rising order, and forecasts at `targets`."""
    day, later = (part.astype("datetime64[D]").astype(np.int64) for part in (days, targets))
    span = int(day[-1] - day[0])
    yearly = _order(settings.yearly_seasonality, 10, automatic=span >= 730)
    weekly = _order(settings.weekly_seasonality, 3, automatic=span >= 14 and np.diff(day).min() < 7)
    terms = 2 * (yearly + weekly)
    size = int(np.floor(len(day) * settings.changepoint_range))
    count = min(settings.n_changepoints, size - 1)

    def smooth(at: np.ndarray) -> Grid:
        season = (fourier(at, YEARLY, yearly), fourier(at, WEEKLY, weekly))
        return np.column_stack([(at - day[0]) / span, np.ones(len(at)), *season])

    history = smooth(day)
    changepoints = history[np.linspace(0, size - 1, count + 1).round().astype(np.int64)[1:], 0]
    return Design(
        smooth=history,
        hinges=np.maximum(history[:, :1] - changepoints, 0.0),
        precision=np.array([TREND_PRECISION] * 2 + [1 / settings.seasonality_prior_scale**2] * terms),
        tau=settings.changepoint_prior_scale,
        changepoints=changepoints,
        future=smooth(later),
    )


def _order(setting: int | str, default: int, *, automatic: bool) -> int:
    """Number of Fourier terms; "auto" stands for the default where the history is long enough."""
    if isinstance(setting, str):
        return default if automatic else 0
    return default if setting is True else int(setting)


def fourier(day: np.ndarray, period: float, order: int) -> Grid:
    """Sine and cosine in turn, `order` of each, (days, 2 order); `day` counts from 1970."""
    angles = (np.arange(1, order + 1) / period) * (2 * np.pi * day)[:, None]
    waves: Grid = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(day), 2 * order)
    return waves
