"""What Prophet makes of a set of days: time, seasons and changepoints, and their inner products.

The rules are those of the prophet package (`set_auto_seasonalities`, `set_changepoints`, `fourier_series`), written
down here because asking it costs more than a hundred fits; a test holds every number to the package. Knows days only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from market_pipeline.models.prophet_exact.arrays import Days, Grid

TREND_PRECISION = 1 / 25
"""Inverse variance of the normal priors of the first slope k and the offset m."""

YEARLY, WEEKLY = 365.25, 7.0
"""Periods in days."""


@dataclass(frozen=True)
class Settings:
    """Those settings of the prophet package that have an exact solution, by its own names and with its defaults."""

    n_changepoints: int = 25
    changepoint_range: float = 0.8
    changepoint_prior_scale: float = 0.05
    seasonality_prior_scale: float = 10.0
    yearly_seasonality: int | str = "auto"
    """"auto", True, False or the number of Fourier terms."""
    weekly_seasonality: int | str = "auto"


PLAIN = {
    "growth": ("linear",),
    "changepoints": (None,),
    "daily_seasonality": ("auto", False),
    "holidays": (None,),
    "seasonality_mode": ("additive",),
    "mcmc_samples": (0,),
    "scaling": ("absmax",),
}
"""The package's other settings, and the values at which the solution is exact."""


def uncovered(options: Mapping[str, Any]) -> list[str]:
    """Those of the package's settings, by its own names, that have no exact solution here."""
    known = {field.name for field in fields(Settings)}
    odd = [name for name, value in options.items() if name not in known and value not in PLAIN.get(name, ())]
    return odd + [name for name in ("n_changepoints",) if options.get(name, 1) < 1]


def settings_of(options: Mapping[str, Any]) -> Settings:
    """The settings among the package's, when none is uncovered."""
    return Settings(**{field.name: options[field.name] for field in fields(Settings) if field.name in options})


@dataclass(frozen=True)
class Design:
    """What all series of the same days share, in Prophet's units: time runs from 0 to 1 over the history."""

    smooth: Grid
    """(bars, 2 + seasons): time, one, Fourier terms."""
    hinges: Grid
    """(bars, changepoints): time since each changepoint, 0 before."""
    precision: Grid
    """(2 + seasons,): inverse variances of the normal priors of k, m and beta."""
    tau: float
    """Scale of the Laplace prior of the slope changes."""
    changepoints: Grid
    future: Grid
    """(targets, 2 + seasons)."""

    @property
    def future_hinges(self) -> Grid:
        """(targets, changepoints)."""
        return np.maximum(self.future[:, :1] - self.changepoints, 0.0)

    @cached_property
    def products(self) -> "Products":
        """What the fit of every series on these days starts from."""
        root = 1 / np.sqrt(self.precision)
        # By way of the columns, not of their inner products: of weak directions these hold only half the digits.
        _, strength, turned = np.linalg.svd(np.linalg.qr(self.smooth * root, mode="r"))
        # Five weekdays leave two of the seven weekly columns without a direction of their own: only noise lies there.
        empty = strength <= strength[0] * len(self.smooth) * np.finfo(np.float64).eps
        basis = np.where(empty, 0.0, root[:, None] * turned.T)
        columns = np.ascontiguousarray(np.hstack([self.smooth @ basis, self.hinges]).T)
        gram, width = columns @ columns.T, len(root)
        return Products(
            columns, basis, np.where(empty, 1.0, strength**2), gram[:width, width:].copy(), gram[width:, width:].copy()
        )


@dataclass(frozen=True)
class Products:
    """With Q smooth, D hinges, P precision: (Q'Q + v P)^-1 = basis diag(1 / (eigenvalues + v)) basis' for every v."""

    columns: Grid
    """(smooth + changepoints, bars): Q basis and D, as rows."""
    basis: Grid
    """(smooth, smooth)."""
    eigenvalues: Grid
    """(smooth,)."""
    crossed: Grid
    """(smooth, changepoints): basis' Q'D."""
    corner: Grid
    """(changepoints, changepoints): D'D."""


def design_of(sessions: Days, targets: Days, settings: Settings) -> Design:
    """The design for histories at `sessions` (bars,), rising, and forecasts at `targets`."""
    day, later = (days.astype("datetime64[D]").astype(np.int64) for days in (sessions, targets))
    span = int(day[-1] - day[0])
    time, ahead = (day - day[0]) / span, (later - day[0]) / span
    seasons = ((YEARLY, yearly_terms(settings, span)), (WEEKLY, weekly_terms(settings, day)))
    size = int(np.floor(len(day) * settings.changepoint_range))
    count = min(settings.n_changepoints, size - 1)
    changepoints = time[np.linspace(0, size - 1, count + 1).round().astype(np.int64)[1:]]
    terms = sum(2 * order for _, order in seasons)
    season_precision = np.full(terms, 1 / settings.seasonality_prior_scale**2)
    return Design(
        smooth=np.column_stack([time, np.ones(len(day)), *(fourier(day, *season) for season in seasons)]),
        hinges=np.maximum(time[:, None] - changepoints, 0.0),
        precision=np.concatenate([[TREND_PRECISION, TREND_PRECISION], season_precision]),
        tau=settings.changepoint_prior_scale,
        changepoints=changepoints,
        future=np.column_stack([ahead, np.ones(len(later)), *(fourier(later, *season) for season in seasons)]),
    )


def yearly_terms(settings: Settings, span: int) -> int:
    """Order of the yearly season of a history that spans so many days: by itself from two years on."""
    return _terms(settings.yearly_seasonality, by_itself=span >= 730, default=10)


def weekly_terms(settings: Settings, day: np.ndarray) -> int:
    """Order of the weekly season: by itself from two weeks on, unless bars are a week or more apart."""
    return _terms(settings.weekly_seasonality, by_itself=day[-1] - day[0] >= 14 and np.diff(day).min() < 7, default=3)


def _terms(wanted: int | str, *, by_itself: bool, default: int) -> int:
    if isinstance(wanted, str):
        return default if by_itself else 0
    return default if wanted is True else int(wanted)


def fourier(day: np.ndarray, period: float, order: int) -> Grid:
    """Sine and cosine in turn, `order` of each (days, 2 order); days since 1970."""
    angles = (np.arange(1, order + 1) / period) * (2 * np.pi * day)[:, None]
    waves: Grid = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(day), 2 * order)
    return waves
