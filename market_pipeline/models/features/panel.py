"""What a model may know at a session: every bar up to it, and the indicators of recent sessions."""

from dataclasses import dataclass, field

import numpy as np

from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Features

LEAST_SESSIONS = 250
"""Sessions of history that a fit needs: a year, as the longest indicators need."""


@dataclass(frozen=True)
class Panel:
    """All that a model may know at the last session of `history`."""

    history: History
    recent: Features
    """(features, symbols, recent sessions): the indicators that were read; NaN where there is none.

    The last column is the history's last session. The first one is often later than the history's first session, so use
    `indicators_at`.
    """
    feature_names: tuple[str, ...]
    shared: SharedResults = field(default_factory=SharedResults, repr=False, compare=False)
    """What fits have computed from this panel, or from the part of it up to an earlier session."""

    def indicators_at(self, positions: np.ndarray) -> Features:
        """The indicators at positions among the sessions; (features, symbols, positions), NaN where none were read."""
        column = positions - (len(self.history.sessions) - self.recent.shape[2])
        found = np.full((*self.recent.shape[:2], len(column)), np.nan, np.float32)
        found[:, :, column >= 0] = self.recent[:, :, column[column >= 0]]
        return found

    def until(self, session: np.datetime64) -> "Panel":
        """What was known at the close of an earlier session."""
        history = self.history.until(session.astype("datetime64[D]").item())
        later = len(self.history.sessions) - len(history.sessions)
        return Panel(
            history, self.recent[:, :, : max(0, self.recent.shape[2] - later)], self.feature_names, self.shared
        )

    def before_months(self, count: int) -> "Panel":
        """What was known before the `count` months began of which one follows the last session: quarters for 3.

        The whole panel where less than LEAST_SESSIONS would remain.
        """
        sessions = self.history.sessions
        following = int(sessions[-1].astype("datetime64[M]").astype(int)) + 1
        first = np.datetime64(following // count * count, "M").astype("datetime64[D]")
        earlier = int(np.searchsorted(sessions, first))
        return self.until(sessions[earlier - 1]) if earlier >= LEAST_SESSIONS else self

    def with_future_noise(self, session: np.datetime64, seed: int) -> "Panel":
        """The same panel with noise in everything after a session: no forecast at or before it may change."""
        draw = np.random.default_rng(seed)
        later = int((self.history.sessions > session).sum())
        recent = self.recent.copy()
        after = recent[:, :, max(0, recent.shape[2] - later) :]
        after[:] = draw.normal(0, 9, after.shape)
        return Panel(self.history.with_future_noise(session, seed), recent, self.feature_names)
