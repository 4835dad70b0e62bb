"""Shared results: found by the content of everything that was read, bounded, and left behind by other processes."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.features import shared_results
from market_pipeline.models.features.shared_results import SharedResults

READ = st.lists(st.one_of(st.text(max_size=3), st.lists(st.integers(0, 2), max_size=3).map(np.array)), max_size=3)


def content(read: list[np.ndarray | str]) -> list[tuple[str, str, bytes]]:
    return [("text", "", one.encode()) if isinstance(one, str) else (str(one.dtype), str(one.shape), one.tobytes())
            for one in read]  # fmt: skip


@settings(max_examples=60)
@given(READ, READ)
def test_only_equal_content_shares_a_result(one: list[np.ndarray | str], other: list[np.ndarray | str]) -> None:
    shared = SharedResults()
    shared.result(lambda: "first", *one)
    assert shared.result(lambda: "second", *other) == ("first" if content(one) == content(other) else "second")


def test_an_array_that_was_changed_is_another_one() -> None:
    shared, read = SharedResults(), np.zeros(3)
    assert shared.result(lambda: 1, read) == 1
    read[1] = np.nan
    assert shared.result(lambda: 2, read) == 2
    assert shared.result(lambda: 3, read.copy()) == 2


def test_equal_bytes_of_another_type_or_shape_are_another_array() -> None:
    shared, zeros = SharedResults(), np.zeros((2, 3))
    for number, read in enumerate((zeros, zeros.T, zeros.astype(np.int64), zeros.ravel())):
        assert shared.result(lambda number=number: number, read) == number


def test_threads_that_ask_at_once_get_one_result_and_one_of_them_computes() -> None:
    shared, begun, let_go = SharedResults(), Event(), Event()

    def slowly() -> object:
        begun.set()
        assert let_go.wait(60)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.result, slowly, "key")
        assert begun.wait(60)
        second = pool.submit(shared.result, object, "key")
        with pytest.raises(TimeoutError):
            second.result(0.2)
        let_go.set()
        assert second.result(60) is first.result(60)


def test_an_error_is_not_remembered() -> None:
    shared = SharedResults()
    with pytest.raises(ZeroDivisionError):
        shared.result(lambda: 1 // 0, "key")
    assert shared.result(lambda: "done", "key") == "done"


def test_the_oldest_results_leave_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_results, "MOST", 2)
    shared = SharedResults()
    for number in (1, 2, 3):
        shared.result(lambda: "old", str(number))
    assert [shared.result(lambda: "new", str(number)) for number in (3, 2, 1)] == ["old", "old", "new"]


def test_another_process_starts_without_results() -> None:
    shared = SharedResults()
    shared.result(lambda: "here", "key")
    assert pickle.loads(pickle.dumps(shared)).result(lambda: "there", "key") == "there"
