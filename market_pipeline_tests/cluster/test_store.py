"""The object store: the same tests as of a folder, and what only a server does."""

import pytest

from market_pipeline.storage.store import Store, store_at
from market_pipeline_tests.storage.test_store import (  # noqa: F401  the same tests with the store below
    test_a_folder_is_listed_in_the_order_of_names_with_sizes_and_times,
    test_a_missing_file_is_named,
    test_large_files_go_in_and_out,
    test_removing_takes_one_file_and_none_is_no_error,
    test_what_is_put_comes_back_and_a_second_put_replaces_it,
)


@pytest.fixture
def files(store: str) -> Store:
    return store_at(store)
