"""Samples: features known at an origin beside the return that followed. The only place that shifts time.

Whoever trains gets samples whose targets lie at or before the last session it may know; nothing else pairs the past
with what came after it.
"""

from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.direction import shrunk_rates
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days, Features, Grid


@dataclass(frozen=True)
class Panel:
    """All that a model may know at the last session of `history`; grids are (symbols, sessions)."""

    history: History
    recent: Features
    """(features, symbols, newest sessions): the indicators that were read; NaN where there is none.

    Its last column is the history's last session, its first one often not the history's first: `indicators_at` knows.
    """
    feature_names: tuple[str, ...]

    def indicators_at(self, positions: np.ndarray) -> Features:
        """The indicators at given sessions; (features, symbols, positions), NaN where none were read."""
        column = positions - (len(self.history.sessions) - self.recent.shape[2])
        found = np.full((*self.recent.shape[:2], len(column)), np.nan, np.float32)
        found[:, :, column >= 0] = self.recent[:, :, column[column >= 0]]
        return found

    def until(self, session: np.datetime64) -> "Panel":
        """What was known at the close of an earlier session."""
        history = self.history.until(session.astype("datetime64[D]").item())
        later = len(self.history.sessions) - len(history.sessions)
        return Panel(history, self.recent[:, :, : max(0, self.recent.shape[2] - later)], self.feature_names)

    def with_future_noise(self, session: np.datetime64, seed: int) -> "Panel":
        """The same with noise in the place of everything after a session: what may not matter."""
        draw = np.random.default_rng(seed)
        later = int((self.history.sessions > session).sum())
        recent = self.recent.copy()
        after = recent[:, :, max(0, recent.shape[2] - later) :]
        after[:] = draw.normal(0, 9, after.shape)
        return Panel(self.history.with_future_noise(session, seed), recent, self.feature_names)


@dataclass(frozen=True)
class Samples:
    """Pairs of what was known and what followed, all symbols pooled, by origin then symbol."""

    features: Features
    """(samples, features)."""
    target: Grid
    """(samples,), the log return to the target session in units of its expected spread."""
    origin: np.ndarray
    """(samples,), position of the origin among the sessions."""
    realised: np.ndarray
    """(samples,), position of the session at which the target was known."""
    base_rate: Grid
    """(samples,), how often the symbol had risen, as known at the origin."""

    @property
    def age(self) -> Grid:
        """(samples,), sessions since the origin, the newest being 0."""
        age: Grid = (self.origin.max(initial=0) - self.origin).astype(np.float64)
        return age


def forward_returns(history: History, horizon: int) -> Grid:
    """Log return from each session to the one `horizon` later (symbols, sessions); NaN unless both have a bar."""
    level = np.log(history.close)
    following = np.full_like(level, np.nan)
    following[:, :-horizon] = level[:, horizon:] - level[:, :-horizon]
    return following


def realised_returns(history: History, symbol: np.ndarray, origin: Days, target: Days) -> Grid:
    """Log returns between given sessions of given symbols (by position); NaN unless both have a bar; shape (n,)."""
    level = np.log(history.close)
    realised: Grid = level[symbol, history.position_of(target)] - level[symbol, history.position_of(origin)]
    return realised


def features_at(panel: Panel, positions: np.ndarray) -> Features:
    """The indicators at some sessions and each one's rank in the market; (2 x features, symbols, positions).

    Ranks run from -1/2 to 1/2, ties share their mean, NaN where there is no indicator. A session's ranks are made of
    that session alone.
    """
    from scipy.stats import rankdata

    own = panel.indicators_at(positions)
    known = np.isfinite(own)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    rank = (rankdata(np.where(known, own, np.inf), axis=1) - 0.5) / count - 0.5
    return np.concatenate([own, np.where(known, rank, np.nan).astype(np.float32)])


def training_samples(panel: Panel, horizon: int, *, window: int, at_most: int, ranks: bool = True) -> Samples:
    """Samples of the last `window` sessions whose target is known, thinned evenly by origin to about `at_most`.

    Their features are those of `features_at`, or without `ranks` the indicators alone.

    The newest origin is `horizon` sessions before the panel's end, so no target lies past it. Targets are divided by
    the EWMA volatility known at the origin times the root of the horizon: one scale for all symbols and times.
    """
    history = panel.history
    target = standardised_returns(history, horizon, ewma_volatility(history))
    newest = len(history.sessions) - horizon
    origins = np.arange(max(0, newest - window), max(0, newest))
    step = max(1, -(-len(origins) * len(history.symbols) // at_most))
    origins = origins[::-1][::step][::-1]
    taken = np.isfinite(target[:, origins])
    column, row = np.nonzero(taken.T)
    samples = Samples(
        features=(features_at(panel, origins) if ranks else panel.indicators_at(origins))[:, row, column].T,
        target=target[row, origins[column]],
        origin=origins[column],
        realised=origins[column] + horizon,
        base_rate=base_rate(history, horizon)[row, origins[column]],
    )
    assert (samples.realised < len(history.sessions)).all(), "a target lies past the last session that may be known"
    return samples


def purged_split(samples: Samples, horizon: int, held_out: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the earlier samples and of the last `held_out` share, the overlap of their targets left out.

    An origin within `horizon` sessions before the held-out part has a target inside it, so it belongs to neither
    (López de Prado 2018, ch. 7: purging).
    """
    border = np.quantile(samples.origin, 1 - held_out)
    early, late = np.flatnonzero(samples.origin <= border - horizon), np.flatnonzero(samples.origin > border)
    purged(samples, early, late)
    return early, late


def purged(samples: Samples, early: np.ndarray, late: np.ndarray) -> None:
    """Assert from the samples themselves that no target of the earlier ones lies inside the later ones."""
    known = samples.realised[early].max(initial=-1)
    begun = samples.origin[late].min(initial=np.iinfo(np.int64).max)
    assert known <= begun, "a sample to learn from has its target among those that are held out"


def standardised_returns(history: History, horizon: int, volatility: Grid) -> Grid:
    """Forward returns in units of the volatility known at their origin; (symbols, sessions), NaN where unknown."""
    standardised: Grid = forward_returns(history, horizon) / (volatility * np.sqrt(horizon))
    return standardised


def base_rate(history: History, horizon: int) -> Grid:
    """Each symbol's chance of a rise over `horizon`, from the returns realised by each session; (symbols, sessions).

    Its own share of rises, drawn towards the market's as far as luck explains the difference: see `shrunk_rates`.
    """
    followed = forward_returns(history, horizon)
    known = np.cumsum(np.isfinite(followed), axis=1, dtype=np.float64)
    rises = np.cumsum(followed > 0, axis=1, dtype=np.float64)
    # A return is known `horizon` sessions after its origin.
    known, rises = (np.pad(count, ((0, 0), (horizon, 0)))[:, :-horizon] for count in (known, rises))
    return np.where(history.present, shrunk_rates(rises, known, horizon), np.nan)
