"""What was known when a quarter began: nothing after it, and the whole panel where too little would remain."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.features.panel import LEAST_SESSIONS
from market_pipeline_tests.panels import walk_panel

PANEL = walk_panel(symbols=2, sessions=600)


@settings(max_examples=60)
@given(st.integers(LEAST_SESSIONS, 599), st.sampled_from([1, 3, 6, 12]))
def test_months_that_share_a_beginning_share_a_panel(last: int, months: int) -> None:
    past = PANEL.until(PANEL.history.sessions[last])
    known = past.before_months(months)
    following = past.history.sessions[-1].astype("datetime64[M]") + 1
    begins = following - int(following.astype(int)) % months
    before = PANEL.history.sessions[PANEL.history.sessions < begins.astype("datetime64[D]")]
    if len(before) < LEAST_SESSIONS:
        assert known is past
    else:
        np.testing.assert_array_equal(known.history.sessions, before[before <= past.history.sessions[-1]])
        np.testing.assert_array_equal(known.history.close, PANEL.history.close[:, : len(known.history.sessions)])
        assert known.recent.shape[2] == len(known.history.sessions)
