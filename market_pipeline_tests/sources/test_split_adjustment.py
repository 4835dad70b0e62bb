import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.sources.protocol import BAR_COLUMNS
from market_pipeline.sources.split_adjustment import as_traded, without_empty_rows


def bars_of(closes: list[float], **more: list[float]) -> pd.DataFrame:
    sessions = pd.date_range("2024-01-01", periods=len(closes), unit="s")
    rows = pd.DataFrame({"symbol": "A", "session": sessions, **dict.fromkeys(("open", "high", "low", "close"), closes)})
    rows = rows.assign(volume=100.0, dividend=0.0, split_ratio=1.0).assign(**more)
    return rows[list(BAR_COLUMNS)]


def splits_of(*pairs: tuple[str, float]) -> pd.DataFrame:
    days, ratios = zip(*pairs, strict=True)
    return pd.DataFrame({"symbol": "A", "session": pd.DatetimeIndex(days).as_unit("s"), "split_ratio": ratios})


def test_an_applied_split_is_undone_before_its_session() -> None:
    bars = as_traded(bars_of([50.0, 51.0, 52.0], dividend=[0.0, 0.5, 0.0]), splits_of(("2024-01-03", 2.0)))
    assert bars["close"].tolist() == [100, 102, 52]
    assert bars["dividend"].tolist() == [0, 1, 0]
    assert bars["volume"].tolist() == [50, 50, 100]


def test_a_split_that_the_vendor_forgot_is_left_alone() -> None:
    bars = as_traded(bars_of([100.0, 102.0, 52.0]), splits_of(("2024-01-03", 2.0)))
    assert bars["close"].tolist() == [100, 102, 52]


def test_a_split_after_the_last_bar_counts() -> None:
    bars = as_traded(bars_of([50.0, 51.0]), splits_of(("2025-01-01", 4.0)))
    assert bars["close"].tolist() == [200, 204]


def test_several_splits_multiply_whatever_their_order() -> None:
    pairs = [("2024-01-02", 2.0), ("2024-01-03", 3.0)]
    for given_order in (pairs, pairs[::-1]):
        assert as_traded(bars_of([10.0, 10.0, 10.0]), splits_of(*given_order))["close"].tolist() == [60, 30, 10]


@given(
    closes=st.lists(st.floats(90, 110), min_size=4, max_size=30),
    ratio=st.sampled_from([0.1, 0.5, 2, 3, 10]),
    place=st.integers(1, 3),
)
def test_dividing_by_splits_and_undoing_it_is_the_identity(closes: list[float], ratio: float, place: int) -> None:
    traded = np.array(closes)
    traded[place:] /= ratio
    divided = traded.copy()
    divided[:place] /= ratio
    day = (pd.Timestamp("2024-01-01") + pd.Timedelta(days=place)).date().isoformat()
    undone = as_traded(bars_of(divided.tolist()), splits_of((day, ratio)))
    np.testing.assert_allclose(undone["close"], traded)


def test_actions_of_an_empty_row_pass_on_to_the_next_bar() -> None:
    bars = bars_of([10.0, np.nan, np.nan, 5.0], dividend=[0.1, 0.2, 0.3, 0.0], split_ratio=[1.0, 2.0, 1.0, 1.0])
    kept = without_empty_rows(bars)
    assert kept["close"].tolist() == [10, 5]
    assert kept["dividend"].tolist() == pytest.approx([0.1, 0.5])
    assert kept["split_ratio"].tolist() == [1, 2]


def test_rows_with_any_price_stay_for_the_quarantine_to_judge() -> None:
    bars = bars_of([10.0, 11.0])
    bars.loc[1, "close"] = np.nan
    assert len(without_empty_rows(bars)) == 2
