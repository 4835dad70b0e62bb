"""Boosted trees as arrays: the bits of the estimator, whatever is unknown, and files of earlier versions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.forecasters.boosting import BOOSTING, fitted_trees
from market_pipeline.models.forecasters.trees import arrays_of, rounded_down, score_of
from market_pipeline.storage.artifacts import deserialised, serialised

DRAW = np.random.default_rng(5)
FEATURES = DRAW.normal(size=(600, 5)).astype(np.float32)
FEATURES[DRAW.random(FEATURES.shape) < 0.1] = np.nan
FEATURES[:, 3] = np.nan
TARGET = np.where(np.isnan(FEATURES[:, 0]), 0.5, np.tanh(np.nan_to_num(FEATURES[:, 1]))) + DRAW.normal(size=600)
ESTIMATOR = fitted_trees(FEATURES, TARGET)
TREES = arrays_of(ESTIMATOR)

VALUES = st.lists(
    st.one_of(st.floats(-3, 3, width=32), st.just(np.nan), st.sampled_from([np.inf, -np.inf])), min_size=5, max_size=5
)


@given(st.lists(VALUES, min_size=1, max_size=3))
@settings(max_examples=30)
def test_any_row_has_the_score_of_the_estimator(rows: list[list[float]]) -> None:
    features = np.array(rows, np.float32)
    with np.errstate(invalid="ignore"):
        finite = np.where(np.isinf(features), np.float32(0), features)  # the estimator refuses what is not finite
    np.testing.assert_array_equal(score_of(TREES, finite), ESTIMATOR.predict(finite))
    assert np.isfinite(score_of(TREES, features)).all()


def test_the_rows_that_were_learned_from_have_the_scores_of_the_estimator() -> None:
    np.testing.assert_array_equal(score_of(TREES, FEATURES), ESTIMATOR.predict(FEATURES))
    assert len(np.unique(score_of(TREES, FEATURES))) > 50


@given(st.floats(-1e38, 1e38), st.floats(width=32, allow_nan=False), st.integers(-2, 2))
def test_a_threshold_in_the_type_of_the_features_divides_them_as_before(
    threshold: float, value: float, steps: int
) -> None:
    (limit,) = rounded_down(np.array([threshold]), np.dtype(np.float32))
    near = np.float32(np.clip(threshold, -3e38, 3e38))
    for _ in range(abs(steps)):
        near = np.nextafter(near, np.float32(np.sign(steps) * np.inf))
    for known in (np.float32(value), near):
        assert (known <= limit) == (float(known) <= threshold)


def test_trees_without_a_split_are_one_number() -> None:
    constant = fitted_trees(FEATURES, np.full(600, 0.25))
    np.testing.assert_array_equal(score_of(arrays_of(constant), FEATURES), np.full(600, 0.25))


@pytest.mark.parametrize("learned", [{"trees": ESTIMATOR}, TREES], ids=["of an earlier version", "of this version"])
def test_a_file_is_read_whatever_version_wrote_it(learned: dict[str, object]) -> None:
    read = deserialised(serialised(learned), "boosting")
    shape = FEATURES.reshape(20, 30, 5)
    np.testing.assert_array_equal(BOOSTING.score(read, shape), ESTIMATOR.predict(FEATURES).reshape(20, 30))
